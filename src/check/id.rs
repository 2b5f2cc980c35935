//! The ids of containers, which are names of directories.

use crate::error::{Error, Result};

/// Checks a container's id.
pub fn id(id: &str) -> Result<()> {
    if id.is_empty() {
        return Err(Error::new("container id cannot be empty"));
    }
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"_+-.".contains(&c);
    if id == "." || id == ".." || !id.bytes().all(allowed) {
        return Err(Error::new(format!(
            "invalid container ID format {id:?}: letters, digits, `_`, `+`, `-` and `.` are allowed"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        for good in ["a", "A_b+c-d.9", "...", ".a", "-"] {
            assert!(id(good).is_ok(), "{good}");
        }
        for bad in [".", "..", "a/b", "a b", "é", "a\0", "a:b"] {
            let error = id(bad).unwrap_err().to_string();
            assert!(error.starts_with("invalid container ID format"), "{error}");
        }
        assert_eq!(
            id("").unwrap_err().to_string(),
            "container id cannot be empty"
        );
    }
}
