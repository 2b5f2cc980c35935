//! `linux.resources`, of a configuration or of `update`.

use super::{fail, no_nul, no_nul_in};
use crate::error::Result;
use crate::oci::Resources;

/// Checks what does not depend on the cgroup version. The numbers are the kernel's to judge.
pub fn resources(resources: &Resources) -> Result<()> {
    for (i, rule) in resources.devices.iter().enumerate() {
        let field = format_args!("linux.resources.devices[{i}].access");
        let access = rule.access.as_deref().unwrap_or_default();
        // `a` adds nothing: runc takes it.
        if access.is_empty() || access.contains(|c| !"rwma".contains(c)) {
            return fail(
                field,
                format_args!("{access:?} must be one or more of `r`, `w` and `m`"),
            );
        }
    }
    for (i, limit) in resources.hugepage_limits.iter().enumerate() {
        let size = &limit.page_size;
        if !is_page_size(size) {
            let field = format_args!("linux.resources.hugepageLimits[{i}].pageSize");
            return fail(
                field,
                format_args!("{size:?} must be a size like `64KB`, `2MB` or `1GB`"),
            );
        }
    }
    for (name, value) in &resources.unified {
        if name.is_empty() || name.contains('/') {
            let what = format_args!("unified resource {name:?} must be a file name (no slashes)");
            return fail("linux.resources.unified", what);
        }
        no_nul("linux.resources.unified", name)?;
        no_nul(format_args!("linux.resources.unified.{name}"), value)?;
    }
    if let Some(cpu) = &resources.cpu {
        no_nul_in("linux.resources.cpu.cpus", &cpu.cpus)?;
        no_nul_in("linux.resources.cpu.mems", &cpu.mems)?;
    }
    Ok(())
}

/// Whether this can be part of a file name as `hugetlb.2MB.max`.
fn is_page_size(size: &str) -> bool {
    let number = ["KB", "MB", "GB"]
        .iter()
        .find_map(|unit| size.strip_suffix(unit));
    number.is_some_and(|number| {
        !number.is_empty() && !number.starts_with('0') && number.bytes().all(|c| c.is_ascii_digit())
    })
}
