//! Lists of CPUs and of memory nodes, in the kernel's notation.

use crate::error::{Error, Result};

/// The highest CPU or memory node in a list, to keep masks small: runc's limit, too.
pub const MAX_ID: u32 = 64 * 1024;

/// Reads a list like `0-3,7` as ranges with both ends in them. Blanks and empty elements are skipped, so the empty
/// text is no range at all.
pub fn list(text: &str) -> Result<Vec<(u32, u32)>> {
    let mut ranges = Vec::new();
    for element in text
        .split(',')
        .map(str::trim)
        .filter(|element| !element.is_empty())
    {
        let (first, last) = element.split_once('-').unwrap_or((element, element));
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => ranges.push((first, last)),
            _ => {
                return Err(Error::new(format!(
                    "{element:?} is not a number up to {MAX_ID} or a range like `0-3`"
                )));
            }
        }
    }
    Ok(ranges)
}

fn number(text: &str) -> Option<u32> {
    // `parse` by itself would also take a plus sign.
    let digits = text.bytes().all(|c| c.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|&number| digits && number <= MAX_ID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(list("0-3,7").unwrap(), [(0, 3), (7, 7)]);
        assert_eq!(list(" 5 ,,65536").unwrap(), [(5, 5), (65536, 65536)]);
        for bad in [
            "a",
            "1-",
            "-1",
            "2-1",
            "+1",
            "65537",
            "1-2-3",
            "99999999999",
        ] {
            assert!(list(bad).is_err(), "{bad}");
        }
    }
}
