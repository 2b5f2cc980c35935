//! From a program to the container's first process: what it needs is opened, and the stub started on it.

use super::console::console;
use super::create::Options;
use super::handles::{self, Given};
use super::joined::{CLONED, join_ours};
use super::launch::{Launch, launch};
use super::net_devices::Devices;
use super::{identity, resctrl, stdio};
use crate::cgroup::Cgroup;
use crate::error::{Context, Result};
use crate::oci::{Config, NamespaceType, annotation};
use crate::program::{Handle, Program, is_new};
use crate::sys::{self, socket, spawn};
use std::cell::RefCell;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// The container's process, and our ends of its sockets.
pub(super) struct Started {
    pub child: spawn::Child,
    pub report: OwnedFd,
    pub console: Option<OwnedFd>,
}

/// Opens what the program needs and starts the stub on it.
pub(super) fn start_stub(
    program: &Program,
    config: &Config,
    directory: &Path,
    tasks: Vec<OwnedFd>,
    options: &Options,
    cgroup: &mut Cgroup,
    rdt: Option<&resctrl::Class>,
) -> Result<Started> {
    let needs_process = cgroup.has_unit();
    let needs_cgroup = cgroup.is_unified();
    let mut into_cgroup = match needs_process {
        true => None,
        false => cgroup.dir_fd()?,
    };
    let (report, theirs) = socket::pair().context("socketpair")?;
    let state_directory = match program.handles.contains(&Handle::StartListener) {
        true => Some(OwnedFd::from(
            File::open(directory).with_context(|| format!("open {}", directory.display()))?,
        )),
        false => None,
    };
    let (console, given_console) = console(config, options)?;
    let given = Given {
        report: Some(theirs),
        directory: state_directory.as_ref().map(AsFd::as_fd),
        tasks,
        console: given_console,
        process: None,
    };
    let mut descriptors = handles::open(&program.handles, given)?;
    let linux = &config.linux;
    let new_user = is_new(linux.namespace(NamespaceType::User));
    // From within another cgroup namespace, nothing can be made in a cgroup outside it: cgroups(7), nsdelegate. Whoever
    // has opened the file before may still write to it.
    let leaves_cgroups = linux
        .namespace(NamespaceType::Cgroup)
        .is_some_and(|namespace| new_user && needs_cgroup && namespace.path.is_some());
    let procs = match into_cgroup.take_if(|_| leaves_cgroups) {
        Some(cgroup) => Some(sys::open_at(
            cgroup.as_fd(),
            Path::new("cgroup.procs"),
            libc::O_WRONLY,
            0,
        )?),
        None => None,
    };
    let mut namespaces = 0;
    for (kind, flag) in CLONED {
        if is_new(linux.namespace(*kind)) {
            namespaces |= *flag as u64 & !u64::from(program.made_inside);
        }
    }
    if let Some(process) = &config.process {
        stdio::give_to(process, stdio::maps_of(config), options.leaves());
    }
    let devices = Devices::open(&linux.net_devices)?;
    let joined = RefCell::new(join_ours(config, program)?);
    // Once: whoever asks again is back already.
    let come_back = || {
        let mut joined = joined.take().into_iter();
        joined.try_for_each(|(own, kind)| spawn::setns(own.as_fd(), kind).context("setns"))
    };
    let own_time = linux.namespace(NamespaceType::Time).is_some();
    let cgroup = RefCell::new(cgroup);
    let prepare = |pid: i32| {
        if let Some(procs) = &procs {
            let mut file = File::from(procs.try_clone().context("dup")?);
            file.write_all(pid.to_string().as_bytes())
                .context("write cgroup.procs")?;
        }
        if new_user {
            if let Some(process) = &config.process {
                identity::host_limits(pid, process)?;
            }
            identity::write_maps(pid, &linux.uid_mappings, &linux.gid_mappings)?;
        }
        if let Some(class) = rdt {
            class.add(pid)?;
        }
        if let Some(devices) = &devices {
            // The child joins a namespace later, unless we have done so for it.
            let network = linux.namespace(NamespaceType::Network);
            let path = network.and_then(|network| network.path.as_deref());
            match path.filter(|_| !new_user) {
                Some(path) => devices.move_to(Path::new(path))?,
                None => devices.move_to(Path::new(&format!("/proc/{pid}/ns/net")))?,
            }
        }
        // Where systemd has put the process is told as our cgroup namespace sees it.
        if new_user {
            come_back()?;
        }
        cgroup.borrow_mut().adopt(pid, linux.resources.as_ref())
    };
    let how = Launch {
        namespaces,
        prepare: (new_user || needs_process || devices.is_some() || rdt.is_some())
            .then_some(&prepare),
        cgroup: into_cgroup,
        needs_cgroup,
        own_time,
        keep_groups: config.set(annotation::KEEP_GROUPS),
    };
    let child =
        launch(program, &mut descriptors, how, report.as_fd()).map_err(|error| match new_user {
            true => identity::explain_refusal(error),
            false => error,
        });
    come_back()?;
    Ok(Started {
        child: child?,
        report,
        console,
    })
}
