//! Paths as they are written, without a look at any file system.

/// Whether a path is absolute, and each of its parts a name.
pub fn is_normal(path: &[u8]) -> bool {
    let is_name = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
    let rest = path.strip_prefix(b"/");
    rest.is_some_and(|rest| rest.split(|byte| *byte == b'/').all(is_name))
}

/// A path without doubled and trailing slashes and dots, from the root. `..` goes by what is written, as with runc.
pub fn clean(path: &str) -> String {
    if is_normal(path.as_bytes()) {
        return path.to_string();
    }
    let mut clean = String::with_capacity(path.len() + 1);
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => clean.truncate(clean.rfind('/').unwrap_or(0)),
            part => clean.extend(["/", part]),
        }
    }
    if clean.is_empty() {
        clean.push('/');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_normal_path_has_names_only() {
        for path in ["/a", "/a/..b/.c"] {
            assert!(is_normal(path.as_bytes()), "{path}");
        }
        for path in ["", "/", "a", "//a", "/a/", "/a//b", "/a/./b", "/a/..", "/."] {
            assert!(!is_normal(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn what_goes_up_stays_below_the_root() {
        for (path, expected) in [
            ("", "/"),
            ("a/./b/", "/a/b"),
            ("/a//../../b", "/b"),
            ("..", "/"),
        ] {
            assert_eq!(clean(path), expected);
        }
    }
}
