//! What the kernel knows of seccomp(2) and landlock(7).

/// Whether the kernel has this `SECCOMP_FILTER_FLAG_*`. Asked with a null filter: a flag that it knows makes it look
/// there, one that it does not know is refused before.
pub fn has_flag(flag: u32) -> bool {
    // One flag is only allowed beside that of a listener, another not beside it.
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32;
    [flag, flag | listener].into_iter().any(|flags| {
        let none = std::ptr::null::<libc::sock_fprog>();
        // SAFETY: the kernel reads no filter at the null address, it fails.
        let result = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                none,
            )
        };
        result < 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
    })
}

/// The version of Landlock's interface that the kernel has; 0 for none.
pub fn landlock_abi() -> u32 {
    const CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: with this flag there are no attributes.
    let abi = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0usize,
            CREATE_RULESET_VERSION,
        )
    };
    u32::try_from(abi).unwrap_or(0)
}
