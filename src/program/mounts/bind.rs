//! Bind mounts, and how their sources are reached.

use super::{follows, is_bind, tree_changes};
use crate::error::{Error, Result};
use crate::oci::{Config, Mount, NamespaceType};
use crate::program::compile::{new, text};
use crate::program::options::{self, Bind, Options, flag};
use crate::program::wire::{KEPT_TREES, Op, create, entry, follow};
use crate::program::{Facts, Program};
use std::path::{Path, PathBuf};

/// The source of a bind mount.
pub struct BindSource {
    /// As an absolute path.
    pub path: PathBuf,
    /// With all mounts below it.
    pub recursive: bool,
    /// The last component is not followed when it is a link.
    pub nofollow: bool,
    /// Ids are mapped.
    pub idmapped: bool,
    /// They are on all mounts of the tree.
    pub idmap_tree: bool,
    /// It is shown read-only.
    pub readonly: bool,
}

/// The source of a bind mount, of a bundle in that directory.
pub fn bind_source(mount: &Mount, bundle: &Path) -> BindSource {
    let options = options::parse(&mount.options);
    // One that cannot be mounted anew is the host's.
    let sysfs = mount.kind.as_deref() == Some("sysfs") && !is_bind(mount);
    BindSource {
        path: match sysfs {
            true => "/sys".into(),
            false => bundle.join(mount.source.as_deref().unwrap_or_default()),
        },
        recursive: sysfs || options.bind == Some(Bind::Tree),
        nofollow: options.source_nofollow,
        idmapped: options.idmap.is_some() || !mount.uid_mappings.is_empty(),
        idmap_tree: options.idmap == Some(Bind::Tree),
        readonly: (options.set | options.set_tree) & flag::RDONLY != 0,
    }
}

/// Whether nothing of the configuration needs the host's files once the container's mount namespace is there: then that
/// need not begin as a copy of the host's, on a kernel that can make one of the rootfs.
pub fn can_enter_tree(config: &Config, facts: &Facts) -> bool {
    const CAP_MKNOD: u64 = 1 << 27;
    let linux = &config.linux;
    let hooks = &config.hooks;
    let v1 = |mount: &Mount| mount.kind.as_deref() == Some("cgroup");
    let alone = |mount: &Mount| {
        if is_bind(mount) {
            let source = bind_source(mount, &facts.bundle);
            if source.idmapped || source.path.starts_with(&facts.rootfs) {
                return false;
            }
        }
        // Those that are longer, or unknown to it, are not for the new mount API.
        let plain = |option: &String| option.len() < 256;
        let unknown = options::has(&mount.options, &["iversion", "remount"]);
        !unknown && mount.options.iter().all(plain)
    };
    new(linux.namespace(NamespaceType::Mount))
        && linux.namespace(NamespaceType::User).is_none()
        && linux.rootfs_propagation.is_none()
        && !facts.no_pivot
        && facts.bounding & CAP_MKNOD != 0
        && hooks.prestart.is_empty()
        && hooks.create_runtime.is_empty()
        && hooks.create_container.is_empty()
        && config.mounts.len() <= KEPT_TREES
        && (facts.v1_mounts.is_empty() || !config.mounts.iter().any(v1))
        && config.mounts.iter().all(alone)
}

/// Takes the sources of bind mounts while the host's files are in reach.
pub fn keep_sources(config: &Config, facts: &Facts, program: &mut Program) {
    for (index, mount) in config.mounts.iter().enumerate() {
        let options = options::parse(&mount.options);
        let link = options.copy_symlink && facts.source_link(index).is_some();
        if !is_bind(mount) || link {
            continue;
        }
        let source = bind_source(mount, &facts.bundle);
        program.push(Op::PathTree {
            path: text(&source.path),
            recursive: source.recursive.into(),
            nofollow: source.nofollow.into(),
            entry: entry::NONE,
        });
        program.push(Op::TreeAttributes {
            set: 0,
            clear: 0,
            propagation: flag::SLAVE,
            recursive: 1,
        });
        program.push(Op::KeepTree {
            index: index as u32,
        });
    }
}

/// The source that a mount wants copied rather than mounted when it is a symbolic link.
pub fn wants_link(mount: &Mount) -> Option<&str> {
    let wanted = mount.options.iter().any(|option| option == "copy-symlink");
    mount.source.as_deref().filter(|_| wanted)
}

pub fn compile(
    config: &Config,
    facts: &Facts,
    index: usize,
    mount: &Mount,
    options: &Options,
    target: &str,
    program: &mut Program,
) -> Result<()> {
    if mount.source.as_deref().is_none_or(str::is_empty) {
        return Err(Error::new(format!(
            "mounts[{index}].source: is missing: a bind mount needs the path that it shows"
        )));
    }
    let source = bind_source(mount, &facts.bundle);
    let path = text(&source.path);
    // The sysfs fallback is a tree without saying so.
    let recursive = (options.bind == Some(Bind::Tree)).into();
    let nofollow = source.nofollow.into();
    let idmapped = source.idmapped;
    if idmapped && facts.unprivileged {
        return Err(Error::new(format!(
            "mounts[{index}]: id-mapped mounts are not supported for rootless containers"
        )));
    }
    let foreign = config.linux.namespace(NamespaceType::User).is_some();
    if facts.tree_namespace {
        let index = index as u32;
        program.push(Op::KeptTree { index, path });
    } else if idmapped || facts.running || foreign && !facts.unprivileged {
        program.push(Op::AskTree {
            index: index as u32,
            path,
            recursive,
            nofollow,
            privileged: (idmapped || facts.running).into(),
        });
    } else {
        program.push(Op::PathTree {
            path,
            recursive,
            nofollow,
            entry: entry::NONE,
        });
    }
    if target == "/proc" {
        program.push(Op::RequireProc {});
    }
    if let Some((set, clear, cleared)) = options.bind_change() {
        program.push(Op::BindAttributes {
            set,
            clear,
            cleared,
        });
    }
    tree_changes(options, program);
    program.push(Op::Attach {
        target: target.into(),
        create: create::LIKE_TREE,
        follow: match target {
            // On no path with links, as a file system of its own.
            "/proc" | "/sys" => follow::NONE,
            _ => follows(options),
        },
    });
    Ok(())
}
