//! What a user namespace sees of the host's files: sources of mounts out of its reach, and trees with other owners.

use crate::config::add_mount;
use crate::harness::*;
use crate::mounts::{MAPPED, map_users};
use serde_json::json;
use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::process::Command;

#[test]
fn sources_that_the_containers_root_could_not_reach() {
    new_calls_only!();
    let mut bundle = Bundle::sh("cat /tree/file /file");
    map_users(&mut bundle);
    // Two levels, which only the host's root may enter.
    let hidden = bundle.dir.join("hidden/deeper");
    let mut private = fs::DirBuilder::new();
    private.recursive(true).mode(0o700).create(&hidden).unwrap();
    fs::create_dir(hidden.join("tree")).unwrap();
    for file in ["tree/file", "file"] {
        fs::write(hidden.join(file), format!("{file}\n")).unwrap();
    }
    for name in ["tree", "file"] {
        add_mount(
            &mut bundle.config,
            json!({"destination": format!("/{name}"), "type": "bind", "source": hidden.join(name), "options": ["rbind"]}),
        );
    }
    let output = bundle.run().ok();
    assert_eq!(output.lines(), ["tree/file", "file"], "{output:?}");
    bundle.assert_nothing_left();
}

/// A mount of a directory over itself, with its ids mapped; it goes out of scope with the value.
struct Idmapped(CString);

impl Drop for Idmapped {
    fn drop(&mut self) {
        // SAFETY: the path is a string that is live.
        unsafe { libc::umount2(self.0.as_ptr(), libc::MNT_DETACH) };
    }
}

impl Idmapped {
    /// The host's id `MAPPED` stands for root in the directory, and so on; none where the file system cannot do that.
    fn new(directory: &Path) -> Option<Idmapped> {
        const MOVE_MOUNT_F_EMPTY_PATH: u32 = 4;
        let path = CString::new(directory.as_os_str().as_bytes()).unwrap();
        let user = user_namespace();
        let attributes = [libc::MOUNT_ATTR_IDMAP, 0, 0, user.as_raw_fd() as u64];
        let (at, clone) = (
            libc::AT_FDCWD,
            libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC,
        );
        // SAFETY: strings and attributes are live and of the given size; the descriptor is new.
        unsafe {
            let tree = libc::syscall(libc::SYS_open_tree, at, path.as_ptr(), clone);
            assert!(tree >= 0, "{}", std::io::Error::last_os_error());
            let tree = OwnedFd::from_raw_fd(tree as i32);
            let (fd, empty) = (tree.as_raw_fd(), c"".as_ptr());
            let size = size_of_val(&attributes);
            let flag = libc::AT_EMPTY_PATH;
            if libc::syscall(libc::SYS_mount_setattr, fd, empty, flag, &attributes, size) != 0 {
                return None;
            }
            let flag = MOVE_MOUNT_F_EMPTY_PATH;
            let moved = libc::syscall(libc::SYS_move_mount, fd, empty, at, path.as_ptr(), flag);
            assert_eq!(moved, 0, "{}", std::io::Error::last_os_error());
        }
        Some(Idmapped(path))
    }
}

/// One with the map of the tests' containers.
fn user_namespace() -> File {
    let holder = Command::new("unshare")
        .args(["--user", "sleep", "1000"])
        .spawn();
    let mut holder = holder.unwrap();
    let place = format!("/proc/{}", holder.id());
    let ours = fs::metadata("/proc/self/ns/user").unwrap().ino();
    wait_until("the namespace is there", || {
        fs::metadata(format!("{place}/ns/user")).is_ok_and(|it| it.ino() != ours)
    });
    for file in ["uid_map", "gid_map"] {
        fs::write(format!("{place}/{file}"), format!("0 {MAPPED} 65536")).unwrap();
    }
    let namespace = File::open(format!("{place}/ns/user")).unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    namespace
}

#[test]
fn a_root_that_is_idmapped() {
    new_calls_only!();
    let mut bundle =
        Bundle::sh("stat -c %u:%g / /bin/busybox /made; touch /new; stat -c %u:%g /new");
    map_users(&mut bundle);
    bundle.config["root"]["readonly"] = json!(false);
    // On the disk all is root's, as an image has it.
    std::os::unix::fs::chown(bundle.rootfs(""), Some(0), Some(0)).unwrap();
    fs::write(bundle.rootfs("made"), "").unwrap();
    std::os::unix::fs::chown(bundle.rootfs("made"), Some(7), Some(9)).unwrap();
    let Some(mount) = Idmapped::new(&bundle.rootfs("")) else {
        skip!(
            "the file system below {} cannot be idmapped",
            bundle.dir.display()
        );
    };
    let output = bundle.run().ok();
    drop(mount);
    assert_eq!(output.lines(), ["0:0", "0:0", "7:9", "0:0"], "{output:?}");
    assert_eq!(fs::metadata(bundle.rootfs("new")).unwrap().uid(), 0);
    bundle.assert_nothing_left();
}
