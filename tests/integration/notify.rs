//! Seccomp agents: the descriptor and the state that they are sent, and what happens when there is none.

use crate::harness::*;
use serde_json::{Value, json};
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// `SECCOMP_IOCTL_NOTIF_RECV` and `SECCOMP_IOCTL_NOTIF_SEND`, of 80 and 24 bytes.
const NOTIF_RECV: libc::c_ulong = 0xc050_2100;
const NOTIF_SEND: libc::c_ulong = 0xc018_2101;
const CONTINUE: u32 = 1;

/// An agent that answers every `mkdir` and `mkdirat` with ENOMEDIUM and lets all other calls go on.
struct Agent {
    socket: PathBuf,
    states: Receiver<Value>,
}

impl Agent {
    fn new(bundle: &Bundle) -> Agent {
        let socket = bundle.dir.join("agent.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (sender, states) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, notify) = receive(stream);
                let _ = sender.send(state);
                std::thread::spawn(move || serve(&notify));
            }
        });
        Agent { socket, states }
    }

    /// The state that came with the next listener.
    #[track_caller]
    fn state(&self) -> Value {
        self.states.recv_timeout(PATIENCE).unwrap()
    }

    fn has_heard_nothing_more(&self) -> bool {
        self.states.recv_timeout(Duration::from_millis(50)).is_err()
    }
}

/// One connection: exactly one state, with one descriptor, then the end.
fn receive(mut stream: UnixStream) -> (Value, OwnedFd) {
    let mut text = vec![0u8; 65536];
    let mut control = [0u64; 8];
    let mut iov = libc::iovec {
        iov_base: text.as_mut_ptr().cast(),
        iov_len: text.len(),
    };
    // SAFETY: the header points to live buffers of these lengths; the descriptor that comes is new and ours.
    let (length, fd) = unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_iov = &raw mut iov;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control) as _;
        let length = libc::recvmsg(stream.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC);
        assert!(length > 0, "the agent was sent nothing");
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        assert!(!message.is_null(), "the agent was sent no descriptor");
        assert_eq!(
            (*message).cmsg_len as usize,
            libc::CMSG_LEN(4) as usize,
            "one descriptor"
        );
        let fd = libc::CMSG_DATA(message).cast::<i32>().read_unaligned();
        (length as usize, OwnedFd::from_raw_fd(fd))
    };
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "a connection carries one state");
    (serde_json::from_slice(&text[..length]).unwrap(), fd)
}

fn serve(notify: &OwnedFd) {
    loop {
        let mut request = [0u64; 10];
        // SAFETY: the kernel fills in the 80 bytes of struct seccomp_notif.
        if unsafe { libc::ioctl(notify.as_raw_fd(), NOTIF_RECV as _, request.as_mut_ptr()) } < 0 {
            match std::io::Error::last_os_error().raw_os_error() {
                // The caller was killed while it waited.
                Some(libc::EINTR | libc::ENOENT) => {
                    let mut poll = libc::pollfd {
                        fd: notify.as_raw_fd(),
                        events: libc::POLLIN,
                        revents: 0,
                    };
                    // SAFETY: one live entry.
                    unsafe { libc::poll(&raw mut poll, 1, 1000) };
                    if poll.revents & libc::POLLHUP != 0 {
                        return;
                    }
                    continue;
                }
                _ => return,
            }
        }
        let number = request[2] as u32 as i64;
        let refused = [libc::SYS_mkdir, libc::SYS_mkdirat].contains(&number);
        // struct seccomp_notif_resp: id, value, error, flags.
        let answer = match refused {
            true => [request[0], 0, u64::from(-libc::ENOMEDIUM as u32)],
            false => [request[0], 0, u64::from(CONTINUE) << 32],
        };
        // SAFETY: the kernel reads the 24 bytes of struct seccomp_notif_resp.
        unsafe { libc::ioctl(notify.as_raw_fd(), NOTIF_SEND as _, answer.as_ptr()) };
    }
}

fn profile(socket: &str, names: &[&str]) -> Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": socket,
        "listenerMetadata": "some\nmetadata",
        "syscalls": [{"names": names, "action": "SCMP_ACT_NOTIFY"}],
    })
}

/// A bundle whose script's calls of these names go to the agent.
fn notifying(script: &str, names: &[&str]) -> (Bundle, Agent) {
    let mut bundle = Bundle::sh(script);
    bundle.config["root"]["readonly"] = json!(false);
    let agent = Agent::new(&bundle);
    bundle.config["linux"]["seccomp"] = profile(agent.socket.to_str().unwrap(), names);
    (bundle, agent)
}

const MKDIR: [&str; 2] = ["mkdir", "mkdirat"];

#[test]
fn an_agent_answers_for_a_container_and_for_exec() {
    let (mut bundle, agent) = notifying("mkdir /tmp/a; sleep 1000", &MKDIR);
    bundle.config["annotations"] = json!({"some": "note"});
    for no_new_privileges in [true, false] {
        bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        let container = bundle.start();
        let state = agent.state();
        assert_eq!(state["fds"], json!(["seccompFd"]), "{state}");
        assert_eq!(state["pid"], json!(container.pid()));
        assert_eq!(state["metadata"], "some\nmetadata");
        assert_eq!(state["state"]["id"], json!(bundle.id));
        assert_eq!(state["state"]["pid"], json!(container.pid()));
        assert_eq!(state["state"]["annotations"]["some"], "note");
        assert_eq!(
            state["state"]["bundle"],
            json!(bundle.bundle().to_str().unwrap())
        );

        let output = bundle.cli(&["exec", &bundle.id, "sh", "-c", "echo $$; mkdir /tmp/b"]);
        assert_eq!(output.code(), 1, "{output:?}");
        assert!(output.stderr.contains("No medium found"), "{output:?}");
        let state = agent.state();
        assert_eq!(state["state"]["status"], "running");
        assert_eq!(state["state"]["pid"], json!(container.pid()));
        assert_ne!(state["pid"], state["state"]["pid"]);
        assert!(agent.has_heard_nothing_more());
        container.cli("kill");
    }
    bundle.assert_nothing_left();
}

#[test]
fn calls_between_filter_and_program_can_notify() {
    let (mut bundle, agent) = notifying(
        "echo on",
        &[
            "execve",
            "read",
            "close",
            "capset",
            "openat",
            "sendto",
            "sendmsg",
            "rt_sigaction",
            "close_range",
        ],
    );
    for no_new_privileges in [true, false] {
        bundle.config["process"]["noNewPrivileges"] = json!(no_new_privileges);
        let output = bundle.run().ok();
        assert_eq!(output.stdout.trim(), "on", "{output:?}");
        agent.state();
    }
    bundle.assert_nothing_left();
}

#[test]
fn a_missing_agent_is_an_error_and_leaves_nothing() {
    let mut bundle = Bundle::sh("echo on");
    for path in ["/no/such/agent.sock", "@no-such-agent"] {
        bundle.config["linux"]["seccomp"] = profile(path, &["mkdir", "read", "close", "execve"]);
        bundle
            .run()
            .fails_with("failed to connect with seccomp agent specified in the seccomp profile");
        bundle.assert_nothing_left();
    }
    // Who is not there when the container starts is an error of that.
    let container = bundle.create();
    let output = container.cli("start");
    output.fails_with("failed to connect with seccomp agent");
    container.wait_for_status("stopped");
    drop(container);
    bundle.assert_nothing_left();
}

#[test]
fn an_agent_that_is_gone_or_takes_no_connection_fails_exec_alone() {
    let (bundle, agent) = notifying("sleep 1000", &["mkdir"]);
    let container = bundle.start();
    agent.state();
    std::fs::remove_file(&agent.socket).unwrap();
    let exec = || bundle.cli(&["exec", &bundle.id, "true"]);
    let output = exec();
    assert_ne!(output.code(), 0);
    let text = "failed to connect with seccomp agent";
    assert!(output.complaint().contains(text), "{output:?}");
    assert_eq!(container.status(), "running");

    if !is_coracle() {
        return;
    }
    // One that listens and never accepts: its queue takes one connection, the next one waits for ten seconds.
    let listener = UnixListener::bind(&agent.socket).unwrap();
    // SAFETY: takes numbers only.
    unsafe { libc::listen(listener.as_raw_fd(), 0) };
    let _first = UnixStream::connect(&agent.socket).unwrap();
    let output = exec();
    assert_ne!(output.code(), 0);
    assert!(output.complaint().contains(text), "{output:?}");
    assert_eq!(container.status(), "running");
    // Nothing of either is left in the container.
    let processes = bundle.cli(&["ps", "--format", "json", &bundle.id]).ok();
    let processes: Value = serde_json::from_str(&processes.stdout).unwrap();
    assert_eq!(processes, json!([container.pid()]));
}

#[test]
fn an_agent_that_leaves_makes_calls_fail() {
    let mut bundle = Bundle::sh("while ! mkdir /tmp/a 2>&1 | grep 'not implemented'; do :; done");
    bundle.config["root"]["readonly"] = json!(false);
    let socket = bundle.dir.join("agent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    bundle.config["linux"]["seccomp"] = profile(socket.to_str().unwrap(), &MKDIR);
    let thread = std::thread::spawn(move || drop(receive(listener.accept().unwrap().0)));
    let output = bundle.run().ok();
    assert!(output.stdout.contains("not implemented"), "{output:?}");
    thread.join().unwrap();
    bundle.assert_nothing_left();
}

#[test]
fn an_abstract_socket_and_crun_s_annotation_name_the_agent() {
    let (mut bundle, agent) = notifying("mkdir /tmp/a", &MKDIR);
    bundle.config["linux"]["seccomp"]
        .as_object_mut()
        .unwrap()
        .remove("listenerPath");
    bundle.config["annotations"] = json!({"run.oci.seccomp.receiver": agent.socket});
    let output = bundle.run();
    assert!(output.stderr.contains("No medium found"), "{output:?}");
    agent.state();

    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&bundle.id).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    let thread = std::thread::spawn(move || receive(listener.accept().unwrap().0));
    bundle.config["linux"]["seccomp"] = profile(&format!("@{}", bundle.id), &MKDIR);
    bundle.set_args(&["true"]);
    bundle.run().ok();
    let (state, _) = thread.join().unwrap();
    assert_eq!(state["state"]["id"], json!(bundle.id));
    bundle.assert_nothing_left();
}

#[test]
fn a_listener_without_a_notifying_rule_is_not_asked() {
    let mut bundle = Bundle::sh("echo on");
    bundle.config["linux"]["seccomp"] = profile("/no/such/agent.sock", &["no_such_syscall"]);
    bundle.config["linux"]["seccomp"]["syscalls"] = json!([]);
    // It says how to wait for an agent, and there is none.
    bundle.config["linux"]["seccomp"]["flags"] = json!(["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]);
    if is_coracle() {
        bundle.run().ok();
    }
    bundle.config["linux"]["seccomp"]
        .as_object_mut()
        .unwrap()
        .remove("flags");
    bundle.run().ok();
}

#[test]
fn what_cannot_notify_is_an_error() {
    let mut bundle = Bundle::sh("echo on");
    bundle.config["linux"]["seccomp"] = profile("/no/such/agent.sock", &["write"]);
    bundle
        .run()
        .fails_with("SCMP_ACT_NOTIFY cannot be used for the write syscall");
    bundle.config["linux"]["seccomp"]["defaultAction"] = json!("SCMP_ACT_NOTIFY");
    bundle
        .run()
        .fails_with("SCMP_ACT_NOTIFY cannot be used as default action");
    bundle.config["linux"]["seccomp"] = profile("", &["mkdir"]);
    bundle.run().fails_with("listenerPath");
    bundle.assert_nothing_left();
}

#[test]
fn a_call_that_waits_for_its_agent_is_interrupted_unless_the_flag_says_killed() {
    const ID_VALID: libc::c_ulong = 0x4008_2102;
    const FLAG: &str = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";
    for waits in [false, true] {
        let mut bundle = Bundle::sh("trap 'echo caught' USR1; cd /tmp; echo $?");
        let socket = bundle.dir.join("agent.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let mut seccomp = profile(socket.to_str().unwrap(), &["chdir"]);
        seccomp["flags"] = json!(if waits { &[FLAG][..] } else { &[] });
        bundle.config["linux"]["seccomp"] = seccomp;
        let agent = std::thread::spawn(move || {
            let (_, notify) = receive(listener.accept().unwrap().0);
            let ask = |request: libc::c_ulong, data: *mut u64| {
                // SAFETY: each request reads or fills in no more than the 80 bytes that are there.
                unsafe { libc::ioctl(notify.as_raw_fd(), request as _, data) }
            };
            let mut signalled = false;
            loop {
                let mut request = [0u64; 10];
                if ask(NOTIF_RECV, request.as_mut_ptr()) < 0 {
                    return;
                }
                // The runtime's own come first.
                let is_script = request[4..].iter().any(|argument| *argument != 0)
                    && std::fs::read_to_string(format!("/proc/{}/comm", request[1] as u32))
                        .is_ok_and(|name| name.trim() == "sh");
                if is_script && !signalled {
                    signalled = true;
                    // SAFETY: a signal to the container's process, which waits for us.
                    unsafe { libc::kill(request[1] as i32, libc::SIGUSR1) };
                    let mut rounds = 0;
                    while ask(ID_VALID, request.as_mut_ptr()) == 0 && (!waits || rounds < 20) {
                        std::thread::sleep(Duration::from_millis(10));
                        rounds += 1;
                    }
                    assert_eq!(ask(ID_VALID, request.as_mut_ptr()) == 0, waits);
                }
                let mut answer = [request[0], 0, u64::from(CONTINUE) << 32];
                ask(NOTIF_SEND, answer.as_mut_ptr());
            }
        });
        let output = bundle.run();
        let status = if waits { "0" } else { "2" };
        assert_eq!(output.stdout, format!("caught\n{status}\n"), "{output:?}");
        agent.join().unwrap();
    }
}
