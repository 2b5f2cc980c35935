"""CRI-O's way of calling a runtime: through conmon, with the flags, pipes and files of CRI-O (its
internal/oci/runtime_oci.go). Debian has conmon, but not CRI-O itself."""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import threading
import tomllib

from . import readme, system
from .engine import Engine
from .images import GREEDY
from .scenario import scenario
from .system import (Failure, Terminal, V2, alive, cgroup_of, eventually, has, limit, matches, namespace, needs_criu,
                     read, same, status_of, systemd, true)

# Of these texts CRI-O makes "not found", and goes on.
NOT_FOUND = ("no such process", "container not running", "invalid process")
STDOUT, STDERR = 2, 3  # the first byte of what conmon sends to those that are attached
RESIZE, REOPEN = 1, 2  # what conmon's control file takes


class Conmon(Engine):
    TITLE, PACKAGE = "conmon, as CRI-O calls it,", "conmon"

    def start(self):
        setup = tomllib.loads(readme.block("CRI-O", "toml", self.runtime))["crio"]["runtime"]
        setup = setup["runtimes"][setup["default_runtime"]]
        same(setup["runtime_path"], self.binary)
        self.root, self.made = setup["runtime_root"], []
        self.exits, self.attach = self.directory("exits"), self.directory("attach")
        self.monitor = next(path for path in ("/usr/bin/conmon", "/usr/libexec/podman/conmon") if os.path.exists(path))
        self.systemd = ["--systemd-cgroup"] if systemd() else []

    def tidy(self):
        for container in self.made:
            self.runtime_call("delete", "--force", container.id)
        self.made = []
        true(not os.path.isdir(self.root) or not os.listdir(self.root), "the runtime's state remains")

    def runtime_call(self, *args, **more):
        return system.run([self.binary, "--root", self.root, *self.systemd, *args], **more)

    def watch(self, directory, *args):
        """conmon, let go by its start pipe: what can be read from its sync pipe, and its result."""
        ours, sync = os.pipe()
        start, go = os.pipe()
        os.write(go, b"\0")
        # Out of the way of the numbers that conmon gets.
        sync, start = fcntl.fcntl(sync, fcntl.F_DUPFD, 10), fcntl.fcntl(start, fcntl.F_DUPFD, 10)
        script = f"exec 3>&{sync} 4<&{start} {sync}>&- {start}<&-; exec \"$@\""
        if systemd() and "-s" not in args:
            args = [*args, "-s"]
        command = ["bash", "-c", script, "conmon", self.monitor, *args, "-r", self.binary, "--runtime-arg",
                   f"--root={self.root}", "--log-level", "info", "--socket-dir-path", self.attach]
        environment = {"_OCI_SYNCPIPE": "3", "_OCI_STARTPIPE": "4", "CRI_O_EXTERNAL": "1", "PATH": os.environ["PATH"]}
        process = subprocess.Popen([str(arg) for arg in command], env=environment, pass_fds=[sync, start],
                                   cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        for descriptor in (sync, start, go):
            os.close(descriptor)
        out, err = process.communicate(timeout=60 * system.patience)
        return ours, system.Result(out, err, process.returncode)

    def create(self, *command, flags=(), edit=None):
        """A container, with `edit` called with its configuration; without a command it sleeps."""
        container = Container(self, f"c{len(os.listdir(self.directory('bundles')))}")
        self.made.append(container)
        container.make_bundle(command or ["sleep", "1000"], "-t" in flags, edit)
        container.create(flags)
        return container

    def up(self, *command, **more):
        container = self.create(*command, **more)
        container.call("start")
        return container


class Container:
    def __init__(self, engine, id):
        self.engine, self.id = engine, id
        self.bundle = engine.directory(f"bundles/{id}")

    def make_bundle(self, command, terminal, edit):
        """A bundle of the runtime's own `spec`, with what CRI-O gives each container."""
        system.run([self.engine.binary, "spec", "--bundle", self.bundle])
        with open(f"{self.bundle}/config.json") as file:
            config = json.load(file)
        config["process"].update(terminal=terminal, args=list(command), env=["PATH=/bin", "TERM=xterm"],
                                 oomScoreAdj=1000)
        config["root"] = {"path": self.bundle + "/rootfs"}
        config["annotations"] = {"io.kubernetes.cri-o.ContainerID": self.id}
        config["linux"]["cgroupsPath"] = (f"kubepods-burstable.slice:crio:{self.id}" if systemd() else
                                          f"/kubepods/burstable/crio-{self.id}")
        if edit:
            edit(config)
        with open(f"{self.bundle}/config.json", "w") as file:
            json.dump(config, file)
        system.run(["sh", "-c", "mkdir -p bin proc sys dev tmp etc && cp /bin/busybox bin/ && "
                    "for name in $(bin/busybox --list); do ln -s busybox bin/$name 2>/dev/null; done; true"],
                   cwd=self.engine.directory(f"bundles/{self.id}/rootfs"))

    def create(self, flags=()):
        engine, bundle = self.engine, self.bundle
        pipe, result = engine.watch(
            bundle, "-b", bundle, "-c", self.id, "--exit-dir", engine.exits, "-l", self.bundle + "/log", "-n", self.id,
            "-P", bundle + "/conmon-pidfile", "-p", bundle + "/pidfile", "--persist-dir", bundle, "--syslog",
            "-u", self.id, *flags)
        same(result.status, 0, f"conmon's status, after {result.err!r},")
        with os.fdopen(pipe) as file:
            said = json.loads(file.readline() or "{}")
        if said.get("pid", -1) <= 0:
            raise Failure(f"container create failed: {said.get('message')}")
        self.pid = said["pid"]
        same(read(bundle, "pidfile"), self.pid)

    def call(self, command, *args, **more):
        """A command of the runtime's on this container."""
        return self.engine.runtime_call(command, *args[:-1], self.id, *args[-1:], **more) if command == "kill" else \
            self.engine.runtime_call(command, *args, self.id, **more)

    def state(self):
        return json.loads(self.call("state"))

    def process(self, command, terminal=False, name="exec"):
        """The file that tells a process: the container's own, with another command."""
        with open(f"{self.bundle}/config.json") as file:
            process = json.load(file)["process"]
        process.update(args=list(command), terminal=terminal)
        return self.engine.file(f"bundles/{self.id}/{name}.json", json.dumps(process))

    def exec_sync(self, *command, timeout=0):
        """ExecSync: (what conmon tells of the end, the lines of its log)."""
        log, pid_file = f"{self.bundle}/exec-log", f"{self.bundle}/exec-pid"
        pipe, result = self.engine.watch(
            self.bundle, "-c", self.id, "-n", self.id, "-p", pid_file, "-e", "-l", log, "--sync",
            "--log-global-size-max", 16 << 20, *(["-T", timeout] if timeout else []),
            "--exec-process-spec", self.process(command))
        with os.fdopen(pipe) as file:
            told = file.readline()
        lines = [line.split(" ", 3)[1::2] for line in read(log).splitlines()]
        for path in (log, pid_file):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        return (json.loads(told) if told else {"error": result.err}), lines

    def exited(self, status):
        """Waits for conmon's word of the end."""
        same(eventually(lambda: read(self.engine.exits, self.id), "conmon tells no end"), status, "the exit status")

    def log(self):
        """Of the log's lines, the streams and the texts."""
        return [line.split(" ", 3)[1::2] for line in read(self.bundle, "log").splitlines()]

    def control(self, *numbers):
        with open(f"{self.bundle}/ctl", "w") as file:
            file.write(" ".join(map(str, numbers)) + "\n")

    def attached(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.settimeout(20 * system.patience)
        connection.connect(f"{self.engine.attach}/{self.id}/attach")
        return connection

    def refused(self, *args):
        """The call fails with a text that CRI-O takes for "not found"."""
        result = self.call(*args, status=1)
        true(any(text in result.err for text in NOT_FOUND), f"CRI-O does not know {result.err!r}")


@scenario
def probes(c):
    """--version and features, as CRI-O reads them when it starts"""
    has(system.run([c.binary, "--version"]), "version")
    if c.runtime == "coracle":
        shown = json.loads(system.run([c.binary, "features"]))
        true(shown["ociVersionMin"] and shown["ociVersionMax"], "the versions are missing")
        true(shown["linux"]["mountExtensions"]["idmap"]["enabled"], "idmapped mounts are not told")
        has(shown["mountOptions"], "rro", "rbind")


@scenario
def life(c):
    """create, state, start, state, stop by the signal's number, the exit file, delete"""
    container = c.create("sh", "-c", "trap 'exit 5' TERM; echo out; echo err >&2; while :; do sleep 0.1; done")
    state = container.state()
    same([state[key] for key in ("id", "status", "pid", "bundle")],
         [container.id, "created", container.pid, container.bundle])
    matches(state["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
    same(state["annotations"]["io.kubernetes.cri-o.ContainerID"], container.id)
    container.call("start")
    eventually(lambda: sorted(container.log()) == [["stderr", "err"], ["stdout", "out"]], "no log")
    same(container.state()["status"], "running")
    has(cgroup_of(container.pid, "memory"), f"crio-{container.id}")
    same(read("/proc", container.pid, "oom_score_adj"), 1000)
    container.call("kill", "15")
    container.exited(5)
    same(container.state()["status"], "stopped")
    container.refused("kill", "KILL")
    container.refused("kill", "15")
    container.call("delete", "--force")
    container.call("delete", "--force")
    has(container.call("state", status=1).err, "does not exist")
    true(not read("/sys/fs/cgroup", f"kubepods/burstable/crio-{container.id}/cgroup.procs"), "its cgroup is there")


@scenario
def not_found(c):
    """a command that is not there, or no program: the runtime's words come through the pipe, and nothing is left"""
    bind = {"destination": "/x", "type": "bind", "options": ["bind"], "source": "/no/such"}
    for command, edit, text in (("no-such", None, "executable file"), ("/no/such", None, "no such file or directory"),
                                ("/etc", None, "permi"),  # permission denied, or not permitted
                                ("true", lambda config: config["mounts"].append(bind), "no such file or directory")):
        try:
            c.create(command, edit=edit)
        except Failure as failure:
            has(str(failure).lower(), "container create failed: ", text)
        else:
            raise Failure(f"{command} was made")
        same(os.listdir(c.root) if os.path.isdir(c.root) else [], [])


@scenario
def killed(c):
    """kill KILL: 137; kill -a, as for pods with the host's processes"""
    container = c.up()
    container.call("kill", "KILL")
    container.exited(137)
    container = c.up("sh", "-c", "setsid sleep 1001 & exec sleep 1002",
                     edit=lambda config: config["linux"].update(namespaces=[
                         n for n in config["linux"]["namespaces"] if n["type"] != "pid"]))
    pids = eventually(lambda: (found := json.loads(container.call("ps", "--format", "json"))) and len(found) == 2
                      and found, "it does not start")
    container.call("kill", "-a", "9")
    container.exited(137)
    eventually(lambda: not any(map(alive, pids)), "a process is still there")


@scenario
def exec_sync(c):
    """ExecSync: output, status, a command that is not there, a timeout, and in a container that is gone"""
    container = c.up()
    told, lines = container.exec_sync("sh", "-c", "echo out; echo err >&2; exit 7")
    same(told["exit_code"], 7)
    same(sorted(lines), [["stderr", "err"], ["stdout", "out"]])
    told, lines = container.exec_sync("no-such")
    true(told.get("exit_code", 255) not in (0, 1), f"it tells {told}")
    has(str(told) + str(lines), "executable file")
    told, _ = container.exec_sync("sleep", "1003", timeout=2)
    same((told["exit_code"], told["message"]), (-1, "command timed out"))
    eventually(lambda: "1003" not in container.call("ps", "--format", "json") and
               len(json.loads(container.call("ps", "--format", "json"))) == 1, "what was too late is still there")
    container.call("kill", "KILL")
    container.exited(137)
    told, lines = container.exec_sync("true")
    matches(str(told) + str(lines), "cannot exec in a stopped container|is not running")


@scenario
def exec_streams(c):
    """Exec: the runtime itself, with pipes, and on a terminal of CRI-O's"""
    container = c.up()
    result = container.call("exec", "--process", container.process(["sh", "-c", "cat; echo err >&2; exit 6"]),
                            stdin="through\n", status=6)
    same((result, result.err), ("through", "err"))
    shell = Terminal([c.binary, "--root", c.root, *c.systemd, "exec", "--process",
                      container.process(["sh"], terminal=True), container.id], rows=27, columns=88)
    shell.expect("# ")
    shell.expect_size(27, 88)
    shell.type("tty; exit 4\n")
    has(shell.end(status=4), "/dev/pts/")


@scenario
def terminal(c):
    """a container with a terminal: output, its size by conmon's control file"""
    container = c.up("sh", "-c", 'until [ "$(stty size)" = "31 99" ]; do sleep 0.1; done; echo size reached; exit 2',
                     flags=["-t"])
    container.control(RESIZE, 31, 99)
    container.exited(2)
    eventually(lambda: ["stdout", "size reached\r"] in container.log() or ["stdout", "size reached"] in container.log(),
               "the size does not come through")


@scenario
def attach(c):
    """attach: output, errors and input by conmon's socket"""
    container = c.create("sh", "-c", "while read line; do echo got $line; echo err $line >&2; done; exit 8",
                         flags=["-i"])
    connection = container.attached()
    container.call("start")
    connection.send(b"one\n")
    heard = {}
    while len(heard) < 2:
        packet = connection.recv(8192)
        heard[packet[0]] = packet[1:]
    same(heard, {STDOUT: b"got one\n", STDERR: b"err one\n"})
    connection.shutdown(socket.SHUT_WR)
    container.exited(8)


@scenario
def reopen_log(c):
    """the log is moved away, and opened anew"""
    container = c.up("sh", "-c", "while :; do echo line; sleep 0.1; done")
    eventually(container.log, "no log")
    os.rename(f"{container.bundle}/log", f"{container.bundle}/log.1")
    container.control(REOPEN, 0, 0)
    eventually(container.log, "no new log")


@scenario
def update(c):
    """update --resources -: as the kubelet asks, where 0 means unset"""
    container = c.up()
    sent = {"memory": {"limit": 64 << 20}, "cpu": {"shares": 512, "quota": 50000, "period": 100000},
            "pids": {"limit": 55}}
    container.call("update", "--resources", "-", stdin=json.dumps(sent))
    same(limit(container.pid, "memory/memory.limit_in_bytes", "memory.max"), 64 << 20)
    same(limit(container.pid, "cpu/cpu.cfs_quota_us", "cpu.max").split()[0], 50000)
    container.call("update", "--resources", "-", stdin=json.dumps({"memory": {"limit": 0}, "cpu": {"shares": 256}}))
    same(limit(container.pid, "memory/memory.limit_in_bytes", "memory.max"), 64 << 20)
    same(limit(container.pid, "pids/pids.max", "pids.max"), 55)


@scenario
def pause(c):
    """pause, state, resume; a paused container is resumed and stopped"""
    container = c.up()
    container.call("pause")
    same(container.state()["status"], "paused")
    container.call("resume")
    same(container.state()["status"], "running")
    container.call("pause")
    container.call("resume")
    container.call("kill", "KILL")
    container.exited(137)
    has(container.call("pause", status=1).err, "not running")


@scenario
def out_of_memory(c):
    """the file "oom" that CRI-O looks for"""
    container = c.up(*GREEDY, edit=lambda config: config["linux"].update(resources={
        "memory": {"limit": 16 << 20, "swap": 16 << 20}}))
    container.exited(137)
    if not V2:
        eventually(lambda: os.path.exists(f"{container.bundle}/oom"), "the lack of memory is not told")


@scenario
def pinned_namespaces(c):
    """a pod's namespaces, pinned as pinns does it: joined by path; with a user namespace, too"""
    for user in (False, True):
        pins = pin(c, ["net", "ipc", "uts"] + ["user"] * user)

        def joined(config):
            del config["hostname"]
            own = [{"type": kind} for kind in ("mount", "pid", "cgroup")]
            config["linux"]["namespaces"] = own + [
                {"type": {"net": "network"}.get(kind, kind), "path": path} for kind, path in pins.items()]
            if user:
                mapping = [{"containerID": 0, "hostID": FIRST, "size": 65536}]
                config["linux"].update(uidMappings=mapping, gidMappings=mapping)
        try:
            container = c.up("sh", "-c", "hostname; exec sleep 1000", edit=joined)
            eventually(lambda: ["stdout", "pinned"] in container.log(), "it is not in the pod")
            for kind, path in pins.items():
                same(namespace(container.pid, kind), f"{kind}:[{os.stat(path).st_ino}]")
            same(status_of(container.pid, "Uid").split()[0], FIRST if user else 0)
            same(container.exec_sync("hostname")[1], [["stdout", "pinned"]])
            c.tidy()
        finally:
            system.run(["umount", *pins.values()], status=None)


FIRST = 400000


def pin(c, kinds):
    """New namespaces of these kinds, where the host's name is "pinned": kind → the path at which each is mounted."""
    holder = subprocess.Popen(["unshare", *(f"--{kind}" for kind in kinds), "sh", "-c", "echo; read line"], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.readline()
    if "user" in kinds:
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{holder.pid}/{name}", "w") as file:
                file.write(f"0 {FIRST} 65536")
    pins = {kind: c.file(f"pins/{kind}", "") for kind in kinds}
    for kind, path in pins.items():
        system.run(["mount", "--bind", f"/proc/{holder.pid}/ns/{kind}", path])
    holder.communicate("\n")
    system.run(["nsenter", f"--uts={pins['uts']}", "hostname", "pinned"])
    return pins


@scenario
def many(c):
    """twenty execs at once, each with its own status"""
    container = c.up()
    statuses = {}

    def one(number):
        process = container.process(["sh", "-c", f"exit {number}"], name=f"exec-{number}")
        statuses[number] = container.call("exec", "--process", process, status=None).status
    threads = [threading.Thread(target=one, args=[number]) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(sorted(statuses.items()), [(number, number) for number in range(20)])


@scenario
def conmon_killed(c):
    """conmon is killed: the container goes on, and can be stopped and removed"""
    container = c.up()
    os.kill(int(read(container.bundle, "conmon-pidfile")), signal.SIGKILL)
    same(container.state()["status"], "running")
    container.call("kill", "KILL")
    eventually(lambda: container.state()["status"] == "stopped", "it does not stop")


@scenario
def checkpoint(c):
    """checkpoint --file-locks, and restore by conmon: the process goes on where it was"""
    needs_criu()
    system.run([c.binary, "checkpoint", "--help"])
    container = c.up("sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done")
    eventually(lambda: len(container.log()) > 5, "it does not count")
    images = f"{container.bundle}/checkpoint"
    container.call("checkpoint", "--file-locks", "--image-path", images, "--work-path", container.bundle)
    eventually(lambda: read(c.exits, container.id), "conmon tells no end")
    counted = int(container.log()[-1][1])
    for name in ("attach", "ctl", "winsz"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{container.bundle}/{name}")
    os.unlink(f"{c.exits}/{container.id}")
    container.create(["--restore", images])
    same(container.state()["status"], "running")
    eventually(lambda: int(container.log()[-1][1]) > counted, "it does not go on")
    same(container.log().count(["stdout", "1"]), 1, "the number of starts from one")
    container.call("kill", "KILL")
    container.exited(137)
