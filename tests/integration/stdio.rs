//! Standard streams, descriptors and sockets: what reaches the process, and what does not.

use crate::harness::*;
use serde_json::json;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Receives a message with a descriptor.
fn receive_fd(stream: &UnixStream) -> (Vec<u8>, OwnedFd) {
    let mut bytes = [0u8; 64];
    let mut control = [0u64; 4];
    let mut iov = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: the header points to live buffers of the lengths that it names, and is read as the kernel filled it in.
    unsafe {
        let mut header: libc::msghdr = std::mem::zeroed();
        header.msg_iov = &raw mut iov;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of_val(&control) as _;
        let length = libc::recvmsg(stream.as_raw_fd(), &raw mut header, 0);
        assert!(length > 0, "{}", std::io::Error::last_os_error());
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        assert!(!message.is_null(), "no descriptor came");
        let fd = libc::CMSG_DATA(message).cast::<i32>().read_unaligned();
        (bytes[..length as usize].to_vec(), OwnedFd::from_raw_fd(fd))
    }
}

/// A pseudo-terminal of so many columns and rows.
fn open_pty(columns: u16, rows: u16) -> (File, File) {
    let (mut master, mut slave) = (-1, -1);
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the descriptors are written before they are taken; null stands for no name and no settings.
    unsafe {
        let (name, settings) = (std::ptr::null_mut(), std::ptr::null_mut());
        let done = libc::openpty(
            &raw mut master,
            &raw mut slave,
            name,
            settings,
            &raw const size as _,
        );
        assert_eq!(done, 0);
        (File::from_raw_fd(master), File::from_raw_fd(slave))
    }
}

/// Makes a command's descriptor of that number the file's.
fn with_fd(command: &mut Command, file: &File, number: i32) {
    use std::os::unix::process::CommandExt;
    // SAFETY: takes numbers only; the new descriptor, out of the way of those that the command is given, is ours.
    let fd =
        unsafe { OwnedFd::from_raw_fd(libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 100)) };
    // SAFETY: dup2 is async-signal-safe, and the closure touches no memory of the parent.
    unsafe {
        command.pre_exec(move || match libc::dup2(fd.as_raw_fd(), number) {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        });
    }
}

fn run_args(bundle: &Bundle) -> Vec<String> {
    bundle.write_config();
    let dir = bundle.bundle().to_str().unwrap().to_owned();
    ["run", "--bundle", &dir, &bundle.id]
        .map(String::from)
        .into()
}

#[test]
fn descriptors_are_handed_on_when_asked_for() {
    let bundle = Bundle::sh("cat <&3; cat <&4; [ -e /proc/self/fd/5 ] || echo no more");
    fs::write(bundle.dir.join("a"), "three\n").unwrap();
    fs::write(bundle.dir.join("b"), "four\n").unwrap();
    let files = ["a", "b", "b"].map(|name| File::open(bundle.dir.join(name)).unwrap());
    let mut args = run_args(&bundle);
    args.insert(1, "--preserve-fds=2".into());
    let mut command = bundle.command(&args);
    for (file, number) in files.iter().zip([3, 4, 5]) {
        with_fd(&mut command, file, number);
    }
    let output = bundle.spawn(command).wait().ok();
    assert_eq!(output.stdout, "three\nfour\nno more\n");

    args[1] = "--preserve-fds=3".into();
    let mut command = bundle.command(&args);
    with_fd(&mut command, &files[0], 3);
    let output = bundle.spawn(command).wait();
    output.fails_with("--preserve-fds: descriptor 4 is not open");
    bundle.assert_nothing_left();
}

#[test]
fn no_descriptor_of_the_callers_reaches_a_created_container() {
    let bundle = Bundle::sleeping();
    bundle.write_config();
    let file = File::open(bundle.bundle().join("config.json")).unwrap();
    let dir = bundle.bundle();
    let mut command = bundle.command(&["create", "--bundle", dir.to_str().unwrap(), &bundle.id]);
    with_fd(&mut command, &file, 17);
    bundle.spawn(command).wait().ok();
    let state = bundle.cli(&["state", &bundle.id]).ok().stdout;
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    for entry in fs::read_dir(format!("/proc/{}/fd", state["pid"])).unwrap() {
        let link = fs::read_link(entry.unwrap().path()).unwrap_or_default();
        assert!(!link.ends_with("config.json"), "{link:?}");
    }
}

#[test]
fn sockets_of_the_service_manager_come_first() {
    let bundle = Bundle::sh("echo $LISTEN_FDS $LISTEN_PID; cat <&3; cat <&4");
    fs::write(bundle.dir.join("a"), "socket\n").unwrap();
    fs::write(bundle.dir.join("b"), "preserved\n").unwrap();
    let files = ["a", "b"].map(|name| File::open(bundle.dir.join(name)).unwrap());
    let mut args = run_args(&bundle);
    args.insert(1, "--preserve-fds=1".into());
    let runtime = bundle.command(&args);
    // The runtime must have the pid that is announced.
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\"", "sh"])
        .arg(runtime.get_program())
        .args(runtime.get_args());
    for (file, number) in files.iter().zip([3, 4]) {
        with_fd(&mut command, file, number);
    }
    let output = bundle.spawn(command).wait().ok();
    assert_eq!(output.stdout, "1 1\nsocket\npreserved\n");
}

#[test]
fn a_user_can_open_the_streams_again() {
    let mut bundle = Bundle::sh("echo out > /dev/stdout; echo err > /dev/stderr; cat /dev/stdin");
    bundle.config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    let mut command = bundle.command(&run_args(&bundle));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"in\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "err\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "out\nin\n");

    let mut bundle = Bundle::sleeping();
    bundle.config["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "user"}));
    let map = json!([{"containerID": 0, "hostID": 100000, "size": 65536}]);
    bundle.config["linux"]["uidMappings"] = map.clone();
    bundle.config["linux"]["gidMappings"] = map;
    let _container = bundle.start();
    let script = "echo out > /dev/stdout";
    let mut command = bundle.command(&["exec", "--user", "7", &bundle.id, "sh", "-c", script]);
    let output = command.stdout(Stdio::piped()).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "out\n",
        "{output:?}"
    );
}

/// The service manager's side of NOTIFY_SOCKET.
fn manager(bundle: &Bundle) -> (UnixDatagram, String) {
    let path = bundle.dir.join("manager.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    (socket, path.to_str().unwrap().to_owned())
}

#[track_caller]
fn is_told(socket: &UnixDatagram, text: &str) {
    let mut buffer = [0; 256];
    let length = socket.recv(&mut buffer).unwrap();
    assert_eq!(String::from_utf8_lossy(&buffer[..length]), text);
}

#[track_caller]
fn say(bundle: &Bundle, text: &str) {
    let path = bundle.root().join(&bundle.id).join("notify/notify.sock");
    let socket = UnixDatagram::unbound().unwrap();
    wait_until("the container's socket is there", || {
        socket.send_to(text.as_bytes(), &path).is_ok()
    });
}

#[test]
fn readiness_is_passed_on_by_start() {
    let bundle = Bundle::sh("ls $NOTIFY_SOCKET; touch /run/notify/x; exec sleep 1000");
    bundle.write_config();
    let (socket, path) = manager(&bundle);
    let dir = bundle.bundle();
    let mut create = bundle.command(&["create", "--bundle", dir.to_str().unwrap(), &bundle.id]);
    create.env("NOTIFY_SOCKET", &path);
    let out = File::create(bundle.dir.join("out")).unwrap();
    let status = create
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .status();
    assert!(status.unwrap().success());
    let mut start = bundle.command(&["start", &bundle.id]);
    start.env("NOTIFY_SOCKET", &path);
    let start = bundle.spawn(start);
    say(&bundle, "STATUS=not yet");
    say(&bundle, "STATUS=now\nREADY=1\n");
    is_told(&socket, "READY=1\n");
    let state = bundle.cli(&["state", &bundle.id]).ok().stdout;
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    is_told(&socket, &format!("MAINPID={}\n", state["pid"]));
    is_told(&socket, "BARRIER=1");
    start.wait().ok();
    wait_until(
        "the process has seen its socket, and may not touch it",
        || {
            let out = fs::read_to_string(bundle.dir.join("out")).unwrap();
            out.starts_with("/run/notify/notify.sock\n") && out.contains("Read-only file system")
        },
    );
    bundle.cli(&["delete", "--force", &bundle.id]).ok();
    bundle.assert_nothing_left();
}

#[test]
fn readiness_is_passed_on_by_run() {
    for detach in [true, false] {
        let bundle = Bundle::sleeping();
        let (socket, path) = manager(&bundle);
        let mut args = run_args(&bundle);
        if detach {
            args.insert(1, "--detach".into());
        }
        let mut command = bundle.command(&args);
        command.env("NOTIFY_SOCKET", &path);
        let running = bundle.spawn(command);
        say(&bundle, "READY=1");
        is_told(&socket, "READY=1\n");
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        let main = String::from_utf8_lossy(&buffer[..length]).into_owned();
        is_told(&socket, "BARRIER=1");
        if detach {
            running.wait().ok();
            bundle.cli(&["delete", "--force", &bundle.id]).ok();
        } else {
            assert_eq!(main, format!("MAINPID={}\n", running.pid()));
            bundle.cli(&["kill", &bundle.id, "KILL"]).ok();
            assert_eq!(running.wait().code(), 137);
        }
        bundle.assert_nothing_left();
    }
}

#[test]
fn a_container_that_ends_before_it_is_ready() {
    let bundle = Bundle::sh("exit 3");
    let (_socket, path) = manager(&bundle);
    let mut args = run_args(&bundle);
    args.insert(1, "--detach".into());
    let mut command = bundle.command(&args);
    command.env("NOTIFY_SOCKET", &path);
    bundle.spawn(command).wait().ok();
}

#[test]
fn the_pidfd_is_sent() {
    let bundle = Bundle::sleeping();
    bundle.write_config();
    let path = bundle.dir.join("pidfd.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (dir, path) = (bundle.bundle(), path.to_str().unwrap());
    let receive = |args: &[&str], pid_file: &str| {
        let mut args = args.to_vec();
        let file = bundle.dir.join(pid_file);
        args.splice(
            1..1,
            ["--pidfd-socket", path, "--pid-file", file.to_str().unwrap()],
        );
        let running = bundle.spawn(bundle.command(&args));
        let (name, pidfd) = receive_fd(&listener.accept().unwrap().0);
        running.wait().ok();
        let pid = fs::read_to_string(file).unwrap();
        let info = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
        let info = fs::read_to_string(info).unwrap();
        assert!(info.contains(&format!("Pid:\t{pid}\n")), "{info}");
        assert_eq!(
            fs::read_dir(&bundle.dir)
                .unwrap()
                .flatten()
                .filter(|entry| { entry.file_name().to_string_lossy().starts_with('.') })
                .count(),
            0
        );
        String::from_utf8(name).unwrap()
    };
    let create = ["create", "--bundle", dir.to_str().unwrap(), &bundle.id];
    assert_eq!(receive(&create, "pid-1"), "standard");
    bundle.cli(&["start", &bundle.id]).ok();
    let exec = ["exec", "--detach", &bundle.id, "sleep", "1000"];
    assert_eq!(receive(&exec, "pid-2"), "setns");
}

#[test]
fn the_console_is_sent() {
    let mut bundle = Bundle::sh("stty size; cat");
    bundle.config["process"]["terminal"] = json!(true);
    bundle.config["process"]["consoleSize"] = json!({"height": 10, "width": 90});
    bundle.write_config();
    let path = bundle.dir.join("console.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (dir, path) = (bundle.bundle(), path.to_str().unwrap());
    let receive = |args: &[&str]| {
        let running = bundle.spawn(bundle.command(args));
        let (name, master) = receive_fd(&listener.accept().unwrap().0);
        running.wait().ok();
        assert!(name.starts_with(b"/dev/"), "{name:?}");
        File::from(master)
    };
    let mut master = receive(&[
        "create",
        "--console-socket",
        path,
        "--bundle",
        dir.to_str().unwrap(),
        &bundle.id,
    ]);
    bundle.cli(&["start", &bundle.id]).ok();
    // Line ends are as the container wrote them, and the terminal echoes what is typed.
    let mut expect = |text: &str| {
        let mut buffer = vec![0; text.len()];
        master.read_exact(&mut buffer).unwrap();
        assert_eq!(String::from_utf8_lossy(&buffer), text);
        master.write_all(b"word\n").unwrap();
    };
    expect("10 90\n");
    expect("word\nword\n");
    let mut second = receive(&[
        "exec",
        "--detach",
        "--tty",
        "--console-socket",
        path,
        &bundle.id,
        "echo",
        "second",
    ]);
    let mut buffer = [0; 7];
    second.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"second\n");
    bundle
        .cli(&["exec", "--detach", "--tty", &bundle.id, "true"])
        .complaint()
        .find("cannot allocate tty if runc will detach without setting console socket")
        .unwrap();
}

#[test]
fn the_terminal_is_as_large_as_ours() {
    let mut bundle = Bundle::sh(
        "stty size; trap 'stty size; exit' WINCH; echo trapped; while :; do sleep 0.1; done",
    );
    bundle.config["process"]["terminal"] = json!(true);
    let (mut master, slave) = open_pty(77, 33);
    let mut command = bundle.command(&run_args(&bundle));
    let mut child = command
        .stdin(slave.try_clone().unwrap())
        .stdout(slave.try_clone().unwrap())
        .stderr(slave.try_clone().unwrap())
        .spawn()
        .unwrap();
    let mut read_to = |text: &str| {
        let mut seen = String::new();
        while !seen.contains(text) {
            let mut polled = libc::pollfd {
                fd: master.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            };
            // SAFETY: the structure is live, and it is one.
            let ready = unsafe { libc::poll(&raw mut polled, 1, PATIENCE.as_millis() as i32) };
            assert_eq!(ready, 1, "no {text:?} in {seen:?}");
            let mut byte = [0];
            master.read_exact(&mut byte).unwrap();
            seen.push(byte[0] as char);
        }
    };
    read_to("33 77");
    read_to("trapped");
    let size = libc::winsize {
        ws_row: 20,
        ws_col: 60,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the structure is live; kill has no memory to harm, and the child is not yet waited for.
    unsafe {
        libc::ioctl(slave.as_raw_fd(), libc::TIOCSWINSZ, &raw const size);
        libc::kill(child.id() as i32, libc::SIGWINCH);
    }
    read_to("20 60");
    assert!(child.wait().unwrap().success());
}

/// How much time of the CPU a process has taken, in clock ticks.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap()..].split(' ').collect();
    fields[12].parse::<u64>().unwrap() + fields[13].parse::<u64>().unwrap()
}

#[test]
fn blocked_output_neither_spins_nor_holds_up_signals() {
    let script = "stty raw -echo; trap 'trap - TERM; exit 5' TERM; \
        dd if=/dev/zero bs=1024 count=400 2>/dev/null & touch /tmp/ready; wait; exit 6";
    let mut bundle = Bundle::sh(script);
    bundle.config["root"]["readonly"] = json!(false);
    bundle.config["process"]["terminal"] = json!(true);
    let mut command = bundle.command(&run_args(&bundle));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the container writes", || {
        fs::exists(bundle.rootfs("tmp/ready")).unwrap()
    });
    std::thread::sleep(Duration::from_millis(300));
    let before = cpu_ticks(child.id());
    std::thread::sleep(Duration::from_millis(700));
    let taken = cpu_ticks(child.id()) - before;
    assert!(
        taken < 10,
        "{taken} clock ticks while there was nothing to do"
    );
    // SAFETY: kill has no memory to harm, and the child is not yet waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    wait_until("the signal has ended the process", || {
        let state = bundle.cli(&["state", &bundle.id]);
        state.code() != 0 || state.stdout.contains("stopped")
    });
    let mut output = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut output)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(5));
    bundle.assert_nothing_left();
}

#[test]
fn much_is_copied_both_ways_at_once() {
    let mut bundle = Bundle::sh("stty raw -echo; echo ready; exec head -c 300000");
    bundle.config["process"]["terminal"] = json!(true);
    let mut command = bundle.command(&run_args(&bundle));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut ready = [0; 6];
    stdout.read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"ready\n");
    let mut stdin = child.stdin.take().unwrap();
    let bytes: Vec<u8> = (0..300_000u32)
        .map(|index| b'a' + (index % 26) as u8)
        .collect();
    let sent = bytes.clone();
    // Standard input ends as soon as all is written, long before it is read.
    let writer = std::thread::spawn(move || stdin.write_all(&sent).unwrap());
    let mut back = Vec::new();
    stdout.read_to_end(&mut back).unwrap();
    writer.join().unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(back.len(), bytes.len());
    assert!(back == bytes, "bytes were changed");
}

#[test]
fn a_terminal_that_was_closed_is_opened_again() {
    let script = "stty raw; sh -c 'trap \"\" HUP; exec <&- >&- 2>&-; sleep 0.5; echo again > /dev/console' & \
        echo first; exec <&- >&- 2>&-; wait";
    let mut bundle = Bundle::sh(script);
    bundle.config["process"]["terminal"] = json!(true);
    let mut command = bundle.command(&run_args(&bundle));
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "first\nagain\n",
        "{output:?}"
    );
}

#[test]
fn a_reader_that_leaves_does_not_hold_up_the_container() {
    let mut bundle =
        Bundle::sh("echo first; i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done; exit 4");
    bundle.config["process"]["terminal"] = json!(true);
    let mut command = bundle.command(&run_args(&bundle));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 6];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    bundle.assert_nothing_left();
}

#[test]
fn a_runtime_that_only_waits_gives_its_code_back() {
    if !is_coracle() {
        skip!("peers need not");
    }
    let bundle = Bundle::sh("echo here; while true; do sleep 1; done");
    let mut running = bundle.run_in_background();
    running.wait_for_output("here");
    let kib = |name: &str| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.unwrap().parse::<u64>().unwrap()
    };
    wait_until("a good part of the memory is given back", || {
        kib("RssFile:") * 4 < kib("VmHWM:") * 3
    });
    assert_eq!(bundle.cli(&["kill", &bundle.id, "KILL"]).code(), 0);
    assert_eq!(running.wait().code(), 137);
    bundle.assert_nothing_left();
}
