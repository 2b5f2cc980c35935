//! `ociVersion`.

use super::fail;
use crate::error::Result;

/// Checks that this is a semantic version 1.x: minor versions only add.
pub fn check(version: &str) -> Result<()> {
    if version.is_empty() {
        return fail("ociVersion", "missing: it must be a version like `1.3.0`");
    }
    if !is_semver(version) {
        return fail(
            "ociVersion",
            format_args!("{version:?} is not a semantic version like `1.3.0`"),
        );
    }
    if !version.starts_with("1.") {
        return fail(
            "ociVersion",
            format_args!("{version:?} is not supported: it must be a 1.x version"),
        );
    }
    Ok(())
}

/// Whether this is `major.minor.patch[-pre.release][+build]`, as semver.org has it.
fn is_semver(version: &str) -> bool {
    let (version, build) = version.split_once('+').unwrap_or((version, "0"));
    let (core, pre) = version.split_once('-').unwrap_or((version, "0"));
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        digits && (text == "0" || !text.starts_with('0'))
    };
    core.split('.').count() == 3
        && core.split('.').all(number)
        && pre.split('.').all(word)
        && build.split('.').all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let version = |text: &str| check(text).err().map(|error| error.to_string());
        for good in [
            "1.0.0",
            "1.0.2-dev",
            "1.3.0",
            "1.0.0-rc5",
            "1.2.3-rc.1+dev",
            "1.99.0+a.b",
            "1.0.0-0a",
        ] {
            assert_eq!(version(good), None, "{good}");
        }
        for bad in [
            "", "1", "1.0", "1.0.0.0", "v1.0.0", "01.0.0", "1.0.x", "1.0.0-", "1.0.0+", "0.2.0",
            "2.0.0", "11.0.0",
        ] {
            assert!(
                version(bad).is_some_and(|error| error.starts_with("ociVersion: ")),
                "{bad}"
            );
        }
    }
}
