//! The cgroup file system.

use super::{makes_entries, own_entry, tree_changes};
use crate::oci::{Config, Mount, NamespaceType};
use crate::program::compile::text;
use crate::program::options::{Options, attribute, flag};
use crate::program::wire::{List, Op, create, entry, follow};
use crate::program::{Facts, Program, slices};
use std::path::{Path, PathBuf};

/// The cgroup file system: on v2 one mount, on v1 a tmpfs with a mount for each hierarchy.
pub fn compile(
    config: &Config,
    facts: &Facts,
    index: usize,
    mount: &Mount,
    options: &Options,
    target: &str,
    program: &mut Program,
) {
    let own_namespace = config.linux.namespace(NamespaceType::Cgroup).is_some();
    let attach = |target: &str, program: &mut Program| {
        program.push(Op::Attach {
            target: target.into(),
            create: create::DIRECTORY,
            follow: follow::ALL,
        });
    };
    if facts.v1_mounts.is_empty() {
        let whole = PathBuf::from("/sys/fs/cgroup");
        let own = facts.cgroup2.as_ref().filter(|_| own_namespace);
        program.push(Op::Cgroup2Tree {
            source: mount.source.as_deref().unwrap_or("cgroup").into(),
            options: List::Made(&slices(&options.data)),
            attributes: options.attributes(),
            fallback: text(own.unwrap_or(&whole)),
        });
        tree_changes(options, program);
        return attach(target, program);
    }
    // As runc has it, whatever the options say.
    let always = attribute::NOSUID | attribute::NODEV | attribute::NOEXEC;
    program.push(Op::FsTree {
        fstype: "tmpfs".into(),
        source: "tmpfs".into(),
        options: List::Made(&[b"mode=755"]),
        sb_flags: 0,
        attributes: always,
        entry: own_entry(config, facts, index, options, target),
    });
    tree_changes(options, program);
    attach(target, program);
    // A read-only one is remounted with all mounts below it in the end.
    let restricted_late = options.set & flag::RDONLY != 0;
    let below = match makes_entries(config, facts) && !options.changes_tree() {
        true => entry::NEW,
        false => entry::NONE,
    };
    for hierarchy in &facts.v1_mounts {
        let set = options.attributes() | always;
        if own_namespace {
            program.push(Op::FsTree {
                fstype: "cgroup".into(),
                source: "cgroup".into(),
                options: List::Made(&slices(&hierarchy.options)),
                sb_flags: 0,
                attributes: set & !attribute::RDONLY,
                entry: below,
            });
        } else {
            program.push(Op::PathTree {
                path: text(&join(&hierarchy.mountpoint, &hierarchy.cgroup)),
                recursive: 0,
                nofollow: 0,
                entry: if restricted_late { below } else { entry::NONE },
            });
            // With the others, once all are there.
            if !restricted_late {
                program.push(Op::BindAttributes {
                    set,
                    clear: 0,
                    cleared: 0,
                });
            }
        }
        tree_changes(options, program);
        attach(&format!("{target}/{}", hierarchy.name), program);
        for part in hierarchy
            .name
            .split(',')
            .filter(|part| *part != hierarchy.name)
        {
            let link = format!("{target}/{part}");
            program.push(Op::Symlink {
                target: hierarchy.name.as_str().into(),
                path: link.as_str().into(),
            });
        }
    }
}

fn join(mountpoint: &Path, cgroup: &str) -> PathBuf {
    mountpoint.join(cgroup.trim_start_matches('/'))
}
