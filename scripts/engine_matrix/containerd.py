"""containerd, driven by its own client."""

import json
import os
import re
import signal

from . import readme, system
from .engine import Daemon, Engine
from .images import BOX, COUNTER, PAUSE
from .scenario import scenario
from .system import (V2, Skip, alive, eventually, has, lacks, limit, matches, namespace, needs_criu, read, same,
                     systemd, true)

# What this machine needs, in addition to the set-up in README, for the versions 1 and 2 of containerd. Without
# CAP_SYS_RESOURCE, no process can be made less likely to be killed than containerd itself.
MACHINE = {
    1: f"""[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
""",
    2: f"""[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "{PAUSE}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["/usr/lib/cni"]
"""}
SETUP = {1: "containerd for Kubernetes", 2: "containerd 2 for Kubernetes"}
NETWORK = """{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "pods0", "isGateway": true, "ipMasq": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.7.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
"""


class Containerd(Engine):
    TITLE, PACKAGE = "containerd", "containerd"
    COMMAND = ["ctr"]

    def start(self):
        version = int(re.search(r" v?(\d+)\.", system.run(["containerd", "--version"]))[1])
        os.makedirs("/etc/containerd", exist_ok=True)
        # Where containerd is not the first, Docker's shims have made this for root alone: no mapped user comes through.
        os.makedirs("/run/containerd", exist_ok=True)
        os.chmod("/run/containerd", 0o711)
        with open("/etc/containerd/config.toml", "w") as file:
            setup = readme.block(SETUP[version], "toml", self.runtime)
            if systemd():
                setup = setup.replace("SystemdCgroup = false", "SystemdCgroup = true")
            file.write(setup + MACHINE[version])
        os.makedirs("/etc/cni/net.d", exist_ok=True)
        with open("/etc/cni/net.d/10-pods.conflist", "w") as file:
            file.write(NETWORK)
        self.daemon = Daemon(os.path.join(self.path, "log/containerd"), "containerd")
        self.launch()
        self("images", "import", self.archive)
        self("--namespace", "k8s.io", "images", "import", self.archive)

    def launch(self):
        self.daemon.start(lambda: self("version", status=None).status == 0)

    def stop(self):
        self.daemon.stop()

    def tidy(self):
        for task in self("task", "ls", "--quiet").split():
            self("task", "kill", "--signal", "KILL", "--all", task, status=None)
            self("task", "rm", "--force", task, status=None)
        for container in self("containers", "ls", "--quiet").split():
            eventually(lambda c=container: self("containers", "rm", c, status=None).status == 0
                       or c not in self("containers", "ls", "--quiet"), f"{container} cannot be removed", 10)
        eventually(lambda: not self.remains(), "the runtime's state remains", 5)

    def remains(self):
        root = "/run/containerd/runc/default"
        return os.listdir(root) if os.path.isdir(root) else []

    def run(self, name, *args, flags=(), **more):
        """A container in the foreground, and gone at its end."""
        return self("run", "--rm", "--runc-binary", self.binary, *flags, BOX, name, *args, **more)

    def up(self, name, *args, flags=()):
        """A container in the background; its process."""
        self("run", "--detach", "--runc-binary", self.binary, *flags, BOX, name, *(args or ("sleep", "1000")))
        return self.pid(name)

    def task(self, name):
        """What `ctr task ls` says of it: [pid, status]."""
        for line in self("task", "ls").splitlines():
            if line.split()[0] == name:
                return line.split()[1:]
        return None

    def pid(self, name):
        return int(self.task(name)[0])


@scenario
def run(c):
    """ctr run: output and exit status"""
    same(c.run("run", "sh", "-c", "echo out; id -u"), "out\n0")
    c.run("status", "sh", "-c", "exit 7", status=7)


@scenario
def run_by_path(c):
    """ctr run without --runc-binary: the shim calls what is named runc in PATH"""
    same(c("run", "--rm", BOX, "path", "echo", "ok"), "ok")


@scenario
def run_terminal(c):
    """ctr run -t: a terminal with its size"""
    shell = c.terminal("run", "--rm", "--runc-binary", c.binary, "-t", BOX, "terminal", "sh", rows=31, columns=97)
    shell.expect("# ")
    shell.type("tty\n")
    shell.expect("/dev/pts/0")
    shell.expect_size(31, 97)
    shell.type("exit 0\n")
    shell.end()


@scenario
def not_found(c):
    """ctr run of what is not there: the cause"""
    result = c.run("missing", "/no/such", status=1)
    has(result.err, "no such file or directory")
    same(c.remains(), [])
    c("containers", "rm", "missing", status=None)


@scenario
def life(c):
    """run -d, task ls, ps, kill, delete"""
    pid = c.up("life")
    same(c.task("life"), [str(pid), "RUNNING"])
    has(c("task", "ps", "life"), str(pid))
    c("task", "kill", "--signal", "KILL", "life")
    eventually(lambda: c.task("life")[1] == "STOPPED", "it does not stop")
    has(c("task", "rm", "life", status=None).err, "exit code 137")
    true(not alive(pid), "the process is still there")
    c("containers", "rm", "life")


@scenario
def create_start(c):
    """containers create, task start: in two steps"""
    # `ctr containers create` takes a -c of the command's for its own: a command without flags.
    c("containers", "create", BOX, "two", "expr", "3", "-", "3")
    same(c("task", "start", "two", status=1), "0")


@scenario
def exec_(c):
    """task exec: output, status, user, directory; on a terminal"""
    c.up("exec")
    same(c("task", "exec", "--exec-id", "one", "exec", "sh", "-c", "echo out; exit 4", status=4), "out")
    same(c("task", "exec", "--exec-id", "two", "--user", "1000:1000", "--cwd", "/tmp", "exec",
           "sh", "-c", "id -u; pwd"), "1000\n/tmp")
    shell = c.terminal("task", "exec", "--exec-id", "three", "-t", "exec", "sh", "-c", "tty; exit 5")
    has(shell.end(status=5), "/dev/pts/")
    has(c("task", "exec", "--exec-id", "four", "exec", "no-such", status=1).err, "executable file not found in $PATH")


@scenario
def exec_kill(c):
    """task kill --exec-id: the exec ends, the container goes on"""
    c.up("exec-kill")
    client = c.terminal("task", "exec", "--exec-id", "long", "exec-kill", "sleep", "1006")
    eventually(lambda: "1006" in read("/proc", last_of(c, "exec-kill"), "cmdline"), "the exec does not start")
    c("task", "kill", "--exec-id", "long", "--signal", "KILL", "exec-kill")
    client.end(status=137)
    same(c.task("exec-kill")[1], "RUNNING")


def last_of(c, name):
    return c("task", "ps", name).splitlines()[-1].split()[0]


@scenario
def pause(c):
    """task pause, resume"""
    pid = c.up("pause")
    c("task", "pause", "pause")
    same(c.task("pause")[1], "PAUSED")
    if not V2:
        same(limit(pid, "freezer/freezer.state", ""), "FROZEN")
    c("task", "resume", "pause")
    same(c.task("pause")[1], "RUNNING")


@scenario
def metrics(c):
    """task metrics: memory, CPU, processes"""
    c.up("metrics", flags=["--memory-limit", str(64 << 20)])
    shown = c("task", "metrics", "--format", "json", "metrics")
    data = json.loads(shown)
    has(json.dumps(data), "memory", "pids")
    has(shown, str(64 << 20))


@scenario
def events(c):
    """events: create, start, exec, pause, exit, delete"""
    watcher = c.terminal("events")
    watcher.read(1)
    c.up("events")
    c("task", "exec", "--exec-id", "e", "events", "true")
    c("task", "pause", "events")
    c("task", "resume", "events")
    c("task", "kill", "--signal", "KILL", "events")
    eventually(lambda: c.task("events")[1] == "STOPPED", "it does not stop")
    c("task", "rm", "events", status=None)
    for topic in ("create", "start", "exec-added", "exec-started", "paused", "resumed", "exit", "delete"):
        watcher.expect(f"/tasks/{topic}")
    watcher.close()


@scenario
def out_of_memory(c):
    """an OOM event, and 137"""
    watcher = c.terminal("events")
    watcher.read(1)
    c.run("oom", "sh", "-c", "sleep 1; tail /dev/zero; sleep 1; exit 9", flags=["--memory-limit", str(16 << 20)],
          status=None)
    watcher.expect("/tasks/oom")
    watcher.close()


@scenario
def limits(c):
    """--memory-limit, --cpus, --cpu-shares"""
    pid = c.up("limits", flags=["--memory-limit", str(64 << 20), "--cpus", "0.5"])
    same(limit(pid, "memory/memory.limit_in_bytes", "memory.max"), 64 << 20)
    same(limit(pid, "cpu/cpu.cfs_quota_us", "cpu.max").split()[0], 50000)


@scenario
def cgroup(c):
    """--cgroup: where it was asked for"""
    pid = c.up("cgroup", flags=["--cgroup", "/of/its/own"])
    has(system.cgroup_of(pid, "memory"), "of/its/own")


@scenario
def settings(c):
    """--env, --cwd, --mount, --read-only"""
    directory = c.directory("mounted")
    c.file("mounted/x", "from outside\n")
    mount = f"type=bind,src={directory},dst=/m,options=rbind:ro"
    same(c.run("settings", "sh", "-c", "echo $A; pwd; cat /m/x; touch /m/y || touch /y",
               flags=["--env", "A=b", "--cwd", "/tmp", "--mount", mount, "--read-only"], status=1),
         "b\n/tmp\nfrom outside")


@scenario
def rights(c):
    """--cap-add, --cap-drop, --privileged, --seccomp, --allow-new-privs"""
    def status(name, field, *flags):
        return c.run(name, "grep", f"{field}:", "/proc/self/status", flags=flags).split()[1]
    true(int(status("add", "CapEff", "--cap-add", "CAP_SYS_ADMIN"), 16) & 1 << 21, "CAP_SYS_ADMIN is missing")
    true(not int(status("drop", "CapEff", "--cap-drop", "CAP_CHOWN"), 16) & 1, "CAP_CHOWN is there")
    same(status("nnp", "NoNewPrivs"), 1)
    same(status("no-nnp", "NoNewPrivs", "--allow-new-privs"), 0)
    same(status("filter", "Seccomp", "--seccomp"), 2)
    same(status("no-filter", "Seccomp"), 0)


@scenario
def privileged(c):
    """--privileged: all capabilities that there are"""
    shown = c.run("privileged", "grep", "CapEff", "/proc/self/status", flags=["--privileged"])
    same(shown.split()[1], system.status_of("self", "CapBnd"))


@scenario
def namespaces(c):
    """--net-host, --with-ns"""
    pid = c.up("first")
    same(namespace(c.up("host", flags=["--net-host"]), "net"), namespace("self", "net"))
    same(namespace(c.up("joined", flags=["--with-ns", f"network:/proc/{pid}/ns/net",
                                        "--with-ns", f"pid:/proc/{pid}/ns/pid"]), "pid"), namespace(pid, "pid"))


@scenario
def network(c):
    """--cni: an address from a plugin"""
    result = c("run", "--detach", "--runc-binary", c.binary, "--cni", BOX, "network", "sleep", "1000", status=None)
    if "failed to find plugin" in result.err:
        raise Skip("this ctr looks for the plugins where Debian has none")
    same(result.status, 0, f"the exit status, after {result.err!r},")
    shown = c("task", "exec", "--exec-id", "ip", "network", "ip", "addr")
    has(shown, "10.88.7.")


@scenario
def user_namespace(c):
    """--uidmap, --gidmap"""
    pid = c.up("mapped", flags=["--uidmap", "0:300000:65536", "--gidmap", "0:300000:65536"])
    same(system.status_of(pid, "Uid").split()[0], 300000)


@scenario
def device(c):
    """--device"""
    same(c.run("device", "sh", "-c", "exec 3<>/dev/fuse; echo open", flags=["--device", "/dev/fuse"]), "open")


@scenario
def rootfs(c):
    """--rootfs: a directory in place of an image; --rootfs-propagation; --no-pivot"""
    root = c.directory("rootfs")
    system.run(["sh", "-c", f"mkdir -p {root}/bin {root}/proc {root}/sys {root}/dev {root}/run && "
                f"cp /bin/busybox {root}/bin/sh"])
    flags = ["run", "--rm", "--runc-binary", c.binary]
    same(c(*flags, "--rootfs", root, "rootfs", "/bin/sh", "-c", "echo own"), "own")
    same(c(*flags, "--rootfs-propagation", "rslave", BOX, "slave", "echo", "slave"), "slave")


@scenario
def own_spec(c):
    """--config: the runtime's own `spec` is a configuration that containerd takes"""
    system.run([c.binary, "spec", "--bundle", c.directory("spec")])
    path = os.path.join(c.work, "spec/config.json")
    with open(path) as file:
        config = json.load(file)
    config["process"]["terminal"] = False
    config["process"]["args"] = ["/bin/sh", "-c", "echo from the spec"]
    root = c.directory("spec/rootfs")
    system.run(["sh", "-c", f"mkdir -p {root}/bin {root}/proc {root}/sys {root}/dev && cp /bin/busybox {root}/bin/sh"])
    config["root"] = {"path": root}
    with open(path, "w") as file:
        json.dump(config, file)
    same(c("run", "--rm", "--runc-binary", c.binary, "--config", path, "from-spec"), "from the spec")


@scenario
def checkpoint(c):
    """containers checkpoint, restore --live: the process goes on where it was"""
    needs_criu()
    c.up("checkpoint", "sh", "-c", COUNTER[-1].replace("echo $i;", "echo $i > /tmp/count;"))

    def count(name):
        return int(c("task", "exec", "--exec-id", "count", name, "cat", "/tmp/count", status=None) or 0)
    eventually(lambda: count("checkpoint") > 5, "it does not count")
    c("containers", "checkpoint", "--task", "--rw", "checkpoint", "localhost/point:1")
    counted = count("checkpoint")
    c.tidy()
    c("containers", "restore", "--live", "--rw", "restored", "localhost/point:1")
    eventually(lambda: count("restored") > counted, "it does not go on")
    c("images", "rm", "--sync", "localhost/point:1")


@scenario
def daemon_restart(c):
    """containerd is killed and comes again: the task goes on, and its end is told"""
    pid = c.up("survivor")
    c.daemon.stop(signal.SIGKILL)
    true(alive(pid), "the container ended with containerd")
    c.launch()
    same(c.task("survivor"), [str(pid), "RUNNING"])
    c("task", "exec", "--exec-id", "again", "survivor", "sh", "-c", "exit 6", status=6)
    c("task", "kill", "--signal", "KILL", "survivor")
    eventually(lambda: c.task("survivor")[1] == "STOPPED", "it does not stop")
    has(c("task", "rm", "survivor", status=None).err, "exit code 137")


@scenario
def shim_killed(c):
    """the shim is killed: containerd removes the container with `delete --force`"""
    pid = c.up("orphan")
    shim = next(p for p in filter(str.isdigit, os.listdir("/proc"))
                if "orphan" in read("/proc", p, "cmdline") and "shim" in read("/proc", p, "comm"))
    os.kill(int(shim), signal.SIGKILL)
    eventually(lambda: not alive(pid), "the process is still there")
    eventually(lambda: not c.remains(), "the state is still there")


@scenario
def nothing_left(c):
    """no cgroup, no mount, no state is left"""
    mounts = len(read("/proc/self/mountinfo").splitlines())
    c.run("gone", "true")
    same(c.remains(), [])
    lefts = [path for path, _, _ in os.walk("/sys/fs/cgroup") if path.endswith("/gone")]
    same(lefts, [])
    same(len(read("/proc/self/mountinfo").splitlines()), mounts)
    lacks(read("/proc/self/mountinfo"), "/gone/")
    matches(c("task", "ls"), r"^TASK +PID +STATUS$")
