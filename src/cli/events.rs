//! `events`.

use super::Global;
use super::parse::Matches;
use crate::container;
use crate::error::{Error, Result};
use crate::sys;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::time::Duration;

/// Prints a container's events until it ends.
pub fn events(global: &Global, matches: &Matches) -> Result<u8> {
    let interval = match matches.value("interval") {
        None => Duration::from_secs(5),
        Some(text) => text.to_str().and_then(duration).ok_or_else(|| {
            Error::new(format!(
                "invalid value {text:?} for flag -interval: use a duration such as 500ms, 5s or 1m30s"
            ))
        })?,
    };
    if interval.is_zero() {
        return Err(Error::new("duration interval must be greater than 0"));
    }
    let interval = Some(interval).filter(|_| !matches.flag("stats"));
    // Each line in one write(2), and at once.
    let mut output = ManuallyDrop::new(sys::standard(1));
    let mut print = |line: &str| output.write_all(line.as_bytes()).is_ok();
    container::events(&global.store, matches.argument(0)?, interval, &mut print)?;
    Ok(0)
}

/// A duration as Go writes it: numbers, which may have a fraction, each with a unit. A negative one is none.
fn duration(text: &str) -> Option<Duration> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut rest = unsigned;
    let mut nanoseconds: u128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let unit: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if number.len() > 18 || whole.is_empty() && part.is_empty() {
            return None;
        }
        let digits = |text: &str| match text {
            "" => Some(0),
            text => text.parse::<u128>().ok(),
        };
        nanoseconds += digits(whole)? * unit + digits(part)? * unit / 10u128.pow(part.len() as u32);
        rest = after;
    }
    if text.starts_with('-') || unsigned.is_empty() {
        return Some(Duration::ZERO).filter(|_| !unsigned.is_empty());
    }
    // Go's limit: some 292 years.
    i64::try_from(nanoseconds)
        .ok()
        .map(|nanoseconds| Duration::from_nanos(nanoseconds as u64))
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_gos() {
        for (text, milliseconds) in [
            ("5s", 5000),
            ("100ms", 100),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("2000us", 2),
            ("0s", 0),
            ("-3s", 0),
            ("+1s", 1000),
        ] {
            let duration = duration(text).map(|duration| duration.as_millis());
            assert_eq!(duration, Some(milliseconds), "{text}");
        }
        for text in ["", "5", "s", "1x", "1s2", "1.2.3s", "-", ".s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
