//! Disk limits: v1's blkio and v2's io.

use super::files::asked;
use super::{named, set, write};
use crate::error::{Error, Result};
use crate::oci::{BlockIo, ThrottleDevice, WeightDevice};
use std::io::ErrorKind;
use std::path::Path;

/// Whether nothing is asked for.
pub fn is_empty(limits: &BlockIo) -> bool {
    asked(limits.weight).is_none()
        && asked(limits.leaf_weight).is_none()
        && limits.weight_device.is_empty()
        && throttles(limits)
            .iter()
            .all(|(.., devices)| devices.is_empty())
}

/// The four kinds of throttles: field, v1's file, and v2's key in `io.max`.
fn throttles(
    limits: &BlockIo,
) -> [(&'static str, &'static str, &'static str, &[ThrottleDevice]); 4] {
    [
        (
            "blockIO.throttleReadBpsDevice",
            "blkio.throttle.read_bps_device",
            "rbps",
            &limits.throttle_read_bps_device,
        ),
        (
            "blockIO.throttleWriteBpsDevice",
            "blkio.throttle.write_bps_device",
            "wbps",
            &limits.throttle_write_bps_device,
        ),
        (
            "blockIO.throttleReadIOPSDevice",
            "blkio.throttle.read_iops_device",
            "riops",
            &limits.throttle_read_iops_device,
        ),
        (
            "blockIO.throttleWriteIOPSDevice",
            "blkio.throttle.write_iops_device",
            "wiops",
            &limits.throttle_write_iops_device,
        ),
    ]
}

/// Sets them on v1.
pub fn v1(directory: &Path, limits: &BlockIo) -> Result<()> {
    if let Some(weight) = asked(limits.weight) {
        let names = ["blkio.weight", "blkio.bfq.weight"];
        first(directory, "blockIO.weight", names, &weight.to_string())?;
    }
    if let Some(weight) = asked(limits.leaf_weight) {
        set(
            directory,
            "blockIO.leafWeight",
            "blkio.leaf_weight",
            &weight,
        )?;
    }
    for device in &limits.weight_device {
        let field = "blockIO.weightDevice";
        if let Some(weight) = asked(device.weight) {
            let names = ["blkio.weight_device", "blkio.bfq.weight_device"];
            first(directory, field, names, &line(device, weight))?;
        }
        if let Some(weight) = asked(device.leaf_weight) {
            let name = "blkio.leaf_weight_device";
            set(directory, field, name, &line(device, weight))?;
        }
    }
    for (field, name, _, devices) in throttles(limits) {
        for device in devices {
            let line = format!("{}:{} {}", device.major, device.minor, device.rate);
            set(directory, field, name, &line)?;
        }
    }
    Ok(())
}

/// Sets them on v2, which has no leaf weights.
pub fn v2(directory: &Path, limits: &BlockIo) -> Result<()> {
    let weights = std::iter::once(("blockIO.weight", None, limits.weight)).chain(
        limits
            .weight_device
            .iter()
            .map(|device| ("blockIO.weightDevice", Some(device), device.weight)),
    );
    for (field, device, weight) in weights {
        let Some(weight) = asked(weight) else {
            continue;
        };
        let text = |weight: u64| match device {
            Some(device) => format!("{}:{} {weight}", device.major, device.minor),
            None => weight.to_string(),
        };
        // BFQ's scale is v1's.
        match write(directory, "io.bfq.weight", &text(weight.into())) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let weight = io_weight(weight).ok_or_else(|| {
                    Error::new(format!(
                        "linux.resources.{field}: {weight} must be from 10 to 1000"
                    ))
                })?;
                set(directory, field, "io.weight", &text(weight))?;
            }
            result => named(result, directory, field, "io.bfq.weight")?,
        }
    }
    for (field, _, key, devices) in throttles(limits) {
        for device in devices {
            // v1's word for no limit is 0.
            let rate = match device.rate {
                0 => "max".into(),
                rate => rate.to_string(),
            };
            let line = format!("{}:{} {key}={rate}", device.major, device.minor);
            set(directory, field, "io.max", &line)?;
        }
    }
    Ok(())
}

fn line(device: &WeightDevice, weight: u16) -> String {
    format!("{}:{} {weight}", device.major, device.minor)
}

/// Writes to the first of two files that there is: what blkio calls its weights depends on the scheduler.
fn first(directory: &Path, field: &str, names: [&str; 2], value: &str) -> Result<()> {
    match write(directory, names[0], value) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            set(directory, field, names[1], &value)
        }
        result => named(result, directory, field, names[0]),
    }
}

/// A weight of v1, 10 to 1000, as one of v2, 1 to 10000: linearly.
fn io_weight(weight: u16) -> Option<u64> {
    (10..=1000)
        .contains(&weight)
        .then(|| 1 + (u64::from(weight) - 10) * 9999 / 990)
}

#[cfg(test)]
mod tests {
    use super::io_weight;

    #[test]
    fn weights_are_converted_linearly() {
        assert_eq!(
            [10, 500, 1000].map(io_weight),
            [Some(1), Some(4950), Some(10_000)]
        );
        assert_eq!([1, 1001].map(io_weight), [None, None]);
    }
}
