//! What a bundle says: its configuration, read and checked, and what the compiler must know beside it.

use super::create::Options;
use super::store::Record;
use super::{host, identity};
use crate::cgroup::{Cgroup, Layout, Rootless, Wanted};
use crate::check;
use crate::error::{Context, Error, Result};
use crate::oci::{self, Config, NamespaceType, annotation};
use crate::program::{self, Facts, is_new};
use crate::sys::{file, process, standard};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// Reads and checks a bundle's configuration: its text and its meaning.
pub(super) fn load(options: &Options) -> Result<(Vec<u8>, Box<Config>)> {
    let path = options
        .config
        .clone()
        .unwrap_or_else(|| options.bundle.join("config.json"));
    let text = match file::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && options.bundle.is_dir() => {
            return Err(Error::new(format!(
                "JSON specification file {} not found",
                path.display()
            )));
        }
        result => result.with_context(|| format!("open {}", path.display()))?,
    };
    // It fills a page of memory: it is made where it stays.
    let mut config: Box<Config> = Box::default();
    oci::parse_into(&mut *config, &text, "config.json")?;
    config.take_landlock()?;
    identity::complete(&mut config);
    check::config(&config)?;
    if config.process.is_none() {
        return Err(Error::new(
            "process: property must not be empty: say what the container runs",
        ));
    }
    Ok((text, config))
}

/// What the compiler must know, without asking more of the host than whether sources are directories.
pub(super) fn facts(config: &Config, options: &Options, bundle: &Path, rootfs: PathBuf) -> Facts {
    let bounding = process::permitted_capabilities();
    Facts {
        id: options.id.clone(),
        source_links: host::source_links(config, bundle),
        host_mounts: host::full_mounts(options.no_pivot, &rootfs),
        null_streams: host::null_streams(),
        rootfs,
        bundle: bundle.to_path_buf(),
        bounding,
        is_root: process::is_root(),
        unprivileged: process::is_unprivileged(bounding),
        keep_groups: config.set(annotation::KEEP_GROUPS),
        landlock_abi: landlock_abi(config.process.as_ref()),
        window: window(config.terminal(), options.leaves()),
        await_start: options.await_start,
        no_pivot: options.no_pivot,
        no_new_keyring: options.no_new_keyring,
        preserve_fds: options.preserve_fds + options.listen_fds,
        ..Facts::default()
    }
}

/// What the compiler must know of a container that runs.
pub(super) fn facts_of(record: &Record) -> Result<Facts> {
    Ok(Facts {
        id: record.id.clone(),
        bundle: record.bundle.clone(),
        rootfs: record.rootfs.clone(),
        v1_mounts: record.cgroup.v1_mounts(&Layout::detect()?),
        cgroup2: record.cgroup.v2_path(),
        unprivileged: process::is_unprivileged(process::permitted_capabilities()),
        running: true,
        ..Facts::default()
    })
}

pub(super) fn rootfs(config: &Config, bundle: &Path) -> PathBuf {
    let root = config.root.as_ref();
    bundle.join(root.map(|root| root.path.as_str()).unwrap_or_default())
}

/// The size of our own terminal, when the process's is to be copied to it.
pub(super) fn window(terminal: bool, leaves: bool) -> (u32, u32) {
    if !terminal || leaves {
        return (0, 0);
    }
    let ours = crate::sys::terminal::ours();
    let size = ours.and_then(|number| crate::sys::terminal::window_size(standard(number).as_fd()));
    size.unwrap_or((0, 0))
}

/// The program of a bundle's configuration in words, without touching anything.
pub fn plan(options: &Options) -> Result<String> {
    let (_, config) = load(options)?;
    let bundle = absolute(&options.bundle)?;
    let rootfs = rootfs(&config, &bundle);
    let rootfs = file::canonical_directory(&rootfs).unwrap_or(rootfs);
    let mut facts = facts(&config, options, &bundle, rootfs);
    let layout = Layout::detect()?;
    let wanted = Wanted {
        id: "ID",
        path: config.linux.cgroups_path.as_deref(),
        manager: options.manager,
        rootless: Rootless::No,
        owner: None,
        annotations: &config.annotations,
    };
    let cgroup = Cgroup::plan(&layout, &wanted)?;
    facts.v1_mounts = cgroup.v1_mounts(&layout);
    facts.cgroup2 = cgroup.v2_path();
    facts.null_streams = 0;
    facts.hierarchies = facts.v1_mounts.len();
    facts.bounding = u64::MAX;
    facts.unprivileged = false;
    let program = program::container(&config, &facts)?;
    let linux = &config.linux;
    let made = NamespaceType::ALL
        .iter()
        .filter(|kind| is_new(linux.namespace(**kind)));
    let made: Vec<&str> = made.map(|kind| kind.name()).collect();
    Ok(format!(
        "clone into new namespaces: {}\n{program}",
        made.join(", ")
    ))
}

pub(super) fn absolute(path: &Path) -> Result<PathBuf> {
    file::canonical_directory(path).with_context(|| format!("bundle: open {}", path.display()))
}

/// The version of the kernel's Landlock, if the process wants to know.
pub(super) fn landlock_abi(process: Option<&oci::Process>) -> u32 {
    match process {
        Some(process) if !process.landlock.0.is_empty() => crate::sys::filter::landlock_abi(),
        _ => 0,
    }
}
