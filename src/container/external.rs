//! What criu does not save of a container, but finds again when it restores it: mounts of the host's files, and
//! namespaces that were joined.

use super::readiness;
use crate::cgroup::{Cgroup, Layout};
use crate::criu::{Message, option};
use crate::error::{Context, Error, Result};
use crate::oci::{Config, NamespaceType};
use crate::path::clean;
use crate::program::{bind_source, is_bind, wants_link};
use crate::sys::{self, file, mount, process};
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A mount of the host's files: its destination, which is its name for criu, and its source.
type External = (String, PathBuf);

/// The mounts of host's files that a configuration asks for.
fn mounts(config: &Config, bundle: &Path, cgroup: &Cgroup) -> Result<Vec<External>> {
    let mut found = Vec::new();
    for (index, mount) in config.mounts.iter().enumerate() {
        let target = clean(&mount.destination);
        if is_bind(mount) {
            let source = bind_source(mount, bundle);
            if source.idmapped {
                return Err(Error::new(format!(
                    "mounts[{index}]: criu cannot restore an idmapped mount"
                )));
            }
            if mount.source.is_some() && wants_link(mount).is_none() {
                // Criu looks for the mount that it is in by comparing paths.
                found.push((
                    target,
                    fs::canonicalize(&source.path).unwrap_or(source.path),
                ));
            }
        } else if mount.kind.as_deref() == Some("cgroup")
            && config.linux.namespace(NamespaceType::Cgroup).is_none()
        {
            for one in cgroup.v1_mounts(&Layout::detect()?) {
                let source = one.mountpoint.join(one.cgroup.trim_start_matches('/'));
                found.push((format!("{target}/{}", one.name), source));
            }
        }
    }
    // In a user namespace, device nodes are the host's.
    let own = ["null", "random", "full", "tty", "zero", "urandom"];
    let own = own.map(|name| format!("/dev/{name}"));
    let devices = &config.linux.devices;
    let devices = devices.iter().map(|device| clean(&device.path));
    found.extend(own.into_iter().chain(devices).map(|path| {
        let source = path.clone().into();
        (path, source)
    }));
    Ok(found)
}

/// Tells criu which mounts of a running container not to save.
pub fn leave_mounts(
    config: &Config,
    (bundle, cgroup): (&Path, &Cgroup),
    pid: i32,
    options: &mut Message,
) -> Result<()> {
    let root = file::open_directory(Path::new(&format!("/proc/{pid}/root")))
        .with_context(|| format!("open /proc/{pid}/root"))?;
    let notify = clean(readiness::INSIDE);
    for (name, _) in mounts(config, bundle, cgroup)? {
        // The destination may have links in it.
        let place = file::open_in_root(root.as_fd(), Path::new(&name))
            .and_then(|place| fs::read_link(format!("/proc/self/fd/{}", place.as_raw_fd())))
            .unwrap_or_else(|_| PathBuf::from(&name));
        // Criu writes it in brackets, before a colon.
        if place
            .as_os_str()
            .as_bytes()
            .windows(2)
            .any(|end| end == b"]:")
        {
            return Err(Error::new(format!(
                "mounts: {name}: leads to {place:?}, which criu would misread"
            )));
        }
        options.pair(
            option::EXT_MNT,
            place.as_os_str().as_bytes(),
            name.as_bytes(),
        );
    }
    options.pair(option::EXT_MNT, notify.as_bytes(), notify.as_bytes());
    Ok(())
}

/// Tells criu what to mount for those.
pub fn find_mounts(
    config: &Config,
    (bundle, cgroup): (&Path, &Cgroup),
    directory: &Path,
    options: &mut Message,
) -> Result<()> {
    let mut add = |name: &str, source: &Path| {
        let source = source.as_os_str().as_bytes();
        options.pair(option::EXT_MNT, name.as_bytes(), source);
    };
    for (name, source) in mounts(config, bundle, cgroup)? {
        add(&name, &source);
    }
    let notify = directory.join(readiness::DIRECTORY);
    file::make_directory(&notify).with_context(|| format!("mkdir {}", notify.display()))?;
    add(&clean(readiness::INSIDE), &notify);
    Ok(())
}

/// Makes the mount points that the rootfs may lack, as `create` would have made them. What is mounted for others
/// to be mounted below it is gone afterwards.
pub fn make_mount_points(config: &Config, bundle: &Path, rootfs: &Path) -> Result<()> {
    process::in_child(|| {
        mount::enter_own_namespace().context("unshare")?;
        let root = file::open_directory(rootfs)?;
        let of_tmpfs = |target: &str| {
            let above = |mount: &crate::oci::Mount| {
                mount.kind.as_deref() == Some("tmpfs")
                    && Path::new(target).starts_with(clean(&mount.destination))
                    && clean(&mount.destination) != target
            };
            config.mounts.iter().any(above)
        };
        for (index, mount) in config.mounts.iter().enumerate() {
            let target = clean(&mount.destination);
            // Criu restores what is in a tmpfs, and there is no other place for cgroups.
            if mount.kind.as_deref() == Some("cgroup")
                || wants_link(mount).is_some()
                || of_tmpfs(&target)
            {
                continue;
            }
            let source = is_bind(mount).then(|| bind_source(mount, bundle));
            let directory = source.as_ref().is_none_or(|source| source.path.is_dir());
            let what = || format!("mounts[{index}]: mount point {target}");
            let place =
                mount_point(root.as_fd(), Path::new(&target), directory).with_context(what)?;
            // What is read-only already has all that is mounted below.
            if let Some(source) = source.filter(|source| !source.readonly) {
                let to = format!("/proc/self/fd/{}", place.as_raw_fd());
                mount::bind(&source.path, Path::new(&to)).with_context(what)?;
            }
        }
        Ok(())
    })
}

/// Opens a path in the root; what is missing of it is made.
fn mount_point(root: BorrowedFd<'_>, path: &Path, directory: bool) -> std::io::Result<OwnedFd> {
    match (
        file::open_in_root(root, path),
        path.parent(),
        path.file_name(),
    ) {
        (Err(error), Some(parent), Some(name)) if error.kind() == std::io::ErrorKind::NotFound => {
            let parent = mount_point(root, parent, true)?;
            let place = PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd())).join(name);
            match directory {
                true => file::make_directory(&place)?,
                false => drop(File::create_new(&place)?),
            }
            file::open_in_root(root, path)
        }
        (result, ..) => result,
    }
}

/// What criu calls a namespace that is not the container's own.
fn namespace_key(kind: NamespaceType) -> Option<(&'static str, &'static str)> {
    match kind {
        NamespaceType::Network => Some(("net", "extRootNetNS")),
        NamespaceType::Pid => Some(("pid", "extRootPidNS")),
        _ => None,
    }
}

/// The namespaces that are joined by their paths.
fn joined(config: &Config) -> impl Iterator<Item = (NamespaceType, &str)> {
    let namespaces = config.linux.namespaces.iter();
    namespaces.filter_map(|namespace| Some((namespace.kind, namespace.path.as_deref()?)))
}

/// Tells criu which namespaces of a running container not to save.
pub fn leave_namespaces(config: &Config, options: &mut Message) -> Result<()> {
    for (kind, path) in joined(config) {
        let Some((name, key)) = namespace_key(kind) else {
            continue;
        };
        let number = fs::metadata(path)
            .with_context(|| format!("linux.namespaces: {}: open {path}", kind.name()))?
            .ino();
        options.text(option::EXTERNAL, &format!("{name}[{number}]:{key}"));
    }
    Ok(())
}

/// Tells criu where those are. The descriptors are for it to inherit.
pub fn find_namespaces(config: &Config, options: &mut Message) -> Result<Vec<OwnedFd>> {
    let mut descriptors = Vec::new();
    for (kind, path) in joined(config) {
        let what = || format!("linux.namespaces: {}", kind.name());
        if let Some((_, key)) = namespace_key(kind) {
            let namespace = sys::open_inherited(Path::new(path), libc::O_RDONLY)
                .with_context(|| format!("{}: open {path}", what()))?;
            inherit(key, namespace.as_raw_fd(), options);
            descriptors.push(namespace);
            continue;
        }
        let name = match kind {
            NamespaceType::Mount => "mnt",
            NamespaceType::Cgroup => {
                return Err(
                    Error::new("criu cannot restore into one that is joined by its path")
                        .wrap(what()),
                );
            }
            kind => kind.name(),
        };
        options.pair(option::JOIN_NS, name.as_bytes(), path.as_bytes());
    }
    Ok(descriptors)
}

/// Tells criu that its descriptor of that number is what has that name in the images.
pub fn inherit(key: &str, number: i32, options: &mut Message) {
    let mut message = Message::default();
    message.text(1, key);
    message.number(2, number as u64);
    options.bytes(option::INHERIT_FD, &message.0);
}
