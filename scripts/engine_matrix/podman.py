"""Podman, as root and as a user; no daemon is needed."""

import os

from . import readme, system
from .docker import with_image
from .engine import Engine
from .images import BOX, COUNTER, LANDLOCK, PAUSE, UNDER_LANDLOCK
from .scenario import scenario
from .system import (V2, alive, cgroup_of, eventually, has, limit, matches, namespace, needs, needs_criu,
                     needs_landlock, read, same, status_of, systemd, true)

# What this machine needs, in addition to the set-up in README.
MACHINE = f"""[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
events_logger = "file"
infra_image = "{PAUSE}"
"""
WITHOUT_SYSTEMD = 'cgroup_manager = "cgroupfs"\n'
USER, UID = "sailor", 4242


class Podman(Engine):
    TITLE, PACKAGE = "Podman", "podman"
    COMMAND = ["podman"]

    def start(self):
        # For the user's sake the machine's part is the system's, and README's is root's and the user's alike.
        os.makedirs("/etc/containers/containers.conf.d", exist_ok=True)
        with open("/etc/containers/containers.conf.d/machine.conf", "w") as file:
            file.write(MACHINE + ("" if systemd() else WITHOUT_SYSTEMD))
        with open("/etc/containers/containers.conf", "w") as file:
            file.write(readme.block("Podman", "toml", self.runtime))
        self("load", "--input", self.archive)
        self.user = AsUser(self)

    def tidy(self):
        self("pod", "rm", "--all", "--force", "--time", "0", status=None)
        self("rm", "--all", "--force", "--time", "0")
        if self.user.ready:
            self.user("pod", "rm", "--all", "--force", "--time", "0", status=None)
            self.user("rm", "--all", "--force", "--time", "0")

    # In the flags of the three below, "--" stands for the image, after which the command begins.

    def run(self, *args, **more):
        return self("run", "--rm", *with_image(args), **more)

    def sh(self, script, *flags, **more):
        return self.run(*flags, "--", "sh", "-c", script, **more)

    def up(self, *args):
        if "--" not in args:
            args = [*args, "--", "sleep", "1000"]
        return str(self("run", "--detach", *with_image(args)))

    def inspect(self, container, template):
        return str(self("inspect", "--format", "{{" + template + "}}", container))

    def pid(self, container):
        return int(self.inspect(container, ".State.Pid"))


class AsUser(Podman):
    """The same as an ordinary user, who is made here."""

    USER = USER

    def __init__(self, root):
        super().__init__(root.path, root.runtime, root.binary, root.archive)
        self.ready = False

    def __call__(self, *args, **more):
        if not self.ready:
            self.prepare()
        return super().__call__(*args, cwd=self.home, **more)

    def prepare(self):
        self.home = os.path.join(self.path, "home")
        runtime_directory = f"/run/user/{UID}"
        for file, line in (("passwd", f"{USER}:*:{UID}:{UID}::{self.home}:/bin/sh"), ("group", f"{USER}:x:{UID}:"),
                           ("subuid", f"{USER}:500000:65536"), ("subgid", f"{USER}:500000:65536")):
            with open(f"/etc/{file}", "a") as table:
                table.write(line + "\n")
        own = [self.home]
        self.ENV = {"HOME": self.home, "XDG_RUNTIME_DIR": runtime_directory, "USER": USER}
        if systemd():
            system.run(["systemctl", "start", f"user@{UID}.service"])
            self.ENV["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={runtime_directory}/bus"
        else:
            own.append(runtime_directory)
        for directory in own:
            os.makedirs(directory)
            os.chown(directory, UID, UID)
            os.chmod(directory, 0o700)
        self.ready = True
        self("load", "--input", self.archive)


@scenario
def runtime(p):
    """info: the runtime is this one"""
    same(p("info", "--format", "{{.Host.OCIRuntime.Path}}"), p.binary)
    true(p("info", "--format", "{{.Host.OCIRuntime.Version}}"), "no version is shown")
    c = p.up()
    same(p.inspect(c, ".OCIRuntime"), p.runtime)


@scenario
def runtime_flag(p):
    """--runtime PATH"""
    same(p("--runtime", p.binary, "run", "--rm", BOX, "echo", "ok"), "ok")


@scenario
def run(p):
    """run: output, errors, input and exit status"""
    result = p.sh("echo out; echo err >&2; exit 7", status=7)
    same(result, "out")
    same(result.err, "err")
    same(p.run("-i", "--", "cat", stdin="in\n"), "in")


@scenario
def run_terminal(p):
    """run -it: a terminal with its size"""
    shell = p.terminal("run", "--rm", "-it", BOX, "sh", rows=29, columns=91)
    shell.expect("# ")
    shell.type("tty\n")
    shell.expect("/dev/pts/0")
    shell.expect_size(29, 91)
    shell.type("exit 3\n")
    shell.end(status=3)


@scenario
def exit_statuses(p):
    """125, 126, 127"""
    p.refuses(127, "no such file or directory", "run", "--rm", BOX, "/no/such")
    p.refuses(127, "executable file", "run", "--rm", BOX, "no-such")
    p.refuses(126, "ermission denied", "run", "--rm", BOX, "/etc/not-a-program")


@scenario
def life(p):
    """run -d, ps, logs, stop, start, restart, kill, wait, rm"""
    c = p.up("--", "sh", "-c", "trap 'exit 4' TERM; echo on; while :; do sleep 0.1; done")
    eventually(lambda: p("logs", c) == "on", "no log")
    has(p("ps"), "Up")
    p("stop", c)
    same(p.inspect(c, ".State.ExitCode"), 4)
    p("start", c)
    p("restart", "--time", "0", c)
    pid = p.pid(c)
    p("kill", c)
    same(p("wait", c), 137)
    true(not alive(pid), "the process is still there")
    p("rm", c)


@scenario
def exec_(p):
    """exec: status, user, directory, environment, terminal; of what is not there"""
    c = p.up()
    same(p("exec", "-u", "app", "-w", "/tmp", "-e", "A=b", c, "sh", "-c", "id -u; pwd; echo $A; exit 3", status=3),
         "1000\n/tmp\nb")
    has(p.terminal("exec", "-it", c, "tty").end(), "/dev/pts/")
    p.refuses(127, "executable file", "exec", c, "no-such")
    p("exec", "-d", c, "sh", "-c", "echo > /tmp/made")
    eventually(lambda: p("exec", c, "test", "-f", "/tmp/made", status=None).status == 0, "it did not run")
    p("exec", "--privileged", c, "true")


@scenario
def pause(p):
    """pause, unpause"""
    c = p.up()
    p("pause", c)
    same(p.inspect(c, ".State.Status"), "paused")
    p("unpause", c)
    same(p.inspect(c, ".State.Status"), "running")


@scenario
def stats_top(p):
    """stats, top"""
    c = p.up("-m", "64m")
    matches(p("stats", "--no-stream", "--format", "{{.MemLimit}}", c), "67.11MB|64MiB|67108864")
    has(p("top", c), "sleep 1000")


@scenario
def limits(p):
    """-m, --cpus, --pids-limit"""
    pid = p.pid(p.up("-m", "64m", "--cpus", "0.5", "--pids-limit", "9"))
    same(limit(pid, "memory/memory.limit_in_bytes", "memory.max"), 64 << 20)
    same(limit(pid, "cpu/cpu.cfs_quota_us", "cpu.max").split()[0], 50000)
    same(limit(pid, "pids/pids.max", "pids.max"), 9)


@scenario
def cpuset(p):
    """--cpuset-cpus"""
    needs("cpuset")
    same(limit(p.pid(p.up("--cpuset-cpus", "0")), "cpuset/cpuset.cpus", "cpuset.cpus"), 0)


@scenario
def update(p):
    """update"""
    c = p.up("-m", "64m")
    p("update", "--cpus", "0.5", "--memory", "96m", c)
    same(limit(p.pid(c), "cpu/cpu.cfs_quota_us", "cpu.max").split()[0], 50000)
    same(limit(p.pid(c), "memory/memory.limit_in_bytes", "memory.max"), 96 << 20)


@scenario
def out_of_memory(p):
    """OOMKilled, 137"""
    directory = p.directory("podman-oom")
    c = str(p("run", "--detach", "-m", "16m", "--memory-swap", "16m", BOX, "tail", "/dev/zero", cwd=directory))
    same(p("wait", c), 137)
    # On cgroup v1, conmon leaves word of it in the directory where Podman was called; Podman looks in another.
    told = not V2 and os.path.exists(os.path.join(directory, "oom"))
    true(told or p.inspect(c, ".State.OOMKilled") == "true", "the lack of memory is not told")


@scenario
def health(p):
    """healthcheck run"""
    c = p.up("--health-cmd", "test -f /tmp/well", "--health-interval", "disable")
    p("healthcheck", "run", c, status=1)
    p("exec", c, "touch", "/tmp/well")
    p("healthcheck", "run", c)


@scenario
def rights(p):
    """--cap-add, --cap-drop, --privileged, seccomp, no-new-privileges"""
    has(p.run("--cap-drop", "all", "--", "cat", "/proc/self/status"), "CapEff:\t0000000000000000", "Seccomp:\t2")
    has(p.run("--security-opt", "no-new-privileges", "--security-opt", "seccomp=unconfined", "--",
              "cat", "/proc/self/status"), "NoNewPrivs:\t1", "Seccomp:\t0")


@scenario
def landlock(p):
    """--annotation: Coracle's Landlock policy"""
    needs_landlock(p)
    pair = "org.coracle.landlock=" + LANDLOCK
    if int(p("--version").split()[-1].split(".")[0]) < 5:
        pair = '"' + pair.replace('"', '""') + '"'
    result = p.run("--annotation", pair, "--", *UNDER_LANDLOCK)
    same(result, "new")
    has(result.err, "Permission denied")


@scenario
def privileged(p):
    """--privileged, --cap-add all: all that the host has"""
    for flags in (["--privileged"], ["--cap-add", "all"]):
        same(p.run(*flags, "--", "grep", "CapEff", "/proc/self/status").split()[1], status_of("self", "CapBnd"))


@scenario
def volumes(p):
    """-v, --tmpfs, --read-only, --mount, overlay volumes"""
    directory = p.directory("podman-volume")
    p.file("podman-volume/x", "outside\n")
    same(p.sh("cat /v/x; touch /t/x && touch /v/y || exit 3", "-v", f"{directory}:/v:ro", "--tmpfs", "/t",
              "--read-only", status=3), "outside")
    same(p.sh("echo changed > /v/x; cat /v/x", "-v", f"{directory}:/v:O"), "changed")
    same(read(directory, "x"), "outside")
    same(p.run("-v", "named:/home/app", "--", "stat", "-c", "%U", "/home/app"), "app")
    p("volume", "rm", "named")


@scenario
def namespaces(p):
    """--pid, --ipc, --net, --uts, --cgroupns host; container:"""
    pid = p.pid(p.up("--pid", "host", "--ipc", "host", "--net", "host", "--uts", "host", "--cgroupns", "host"))
    for kind in ("pid", "ipc", "net", "uts", "cgroup"):
        same(namespace(pid, kind), namespace("self", kind), f"the {kind} namespace")
    first = p.up("--hostname", "one")
    same(p.run("--net", f"container:{first}", "--uts", f"container:{first}", "--", "hostname"), "one")


@scenario
def user_namespaces(p):
    """--uidmap, --userns=auto"""
    c = p.up("--uidmap", "0:600000:65536")
    same(status_of(p.pid(c), "Uid").split()[0], 600000)
    same(p("exec", c, "id", "-u"), "0")


@scenario
def init_and_more(p):
    """--init, --ulimit, --sysctl, --hostname, --shm-size, --device, --group-add"""
    shown = p.sh("cat /proc/1/cmdline | tr '\\0' ' '; grep -E 'open files' /proc/self/limits; hostname; "
                 "cat /proc/sys/kernel/msgmax; id -G; ls /dev/fuse", "--init", "--ulimit", "nofile=100:200",
                 "--ulimit", "nproc=900:900", "--hostname",
                 "inner", "--sysctl", "kernel.msgmax=4096", "--group-add", "77", "--device", "/dev/fuse")
    has(shown, "podman-init", "inner", "4096", "77", "/dev/fuse")
    matches(shown, r"Max open files +100 +200")


@scenario
def pods(p):
    """pod create, run --pod, pod stop, pod rm"""
    p("pod", "create", "--name", "pod", "--share", "pid,net,ipc,uts")
    first = p.up("--pod", "pod")
    second = p.up("--pod", "pod")
    for kind in ("net", "ipc", "uts", "pid"):
        same(namespace(p.pid(first), kind), namespace(p.pid(second), kind), f"the {kind} namespace")
    has(p("pod", "ps"), "Running")
    p("pod", "pause", "pod")
    p("pod", "unpause", "pod")
    p("pod", "stop", "--time", "0", "pod")
    p("pod", "rm", "pod")


KUBE = f"""apiVersion: v1
kind: Pod
metadata: {{name: kube}}
spec:
  containers:
  - name: main
    image: {BOX}
    imagePullPolicy: Never
    command: [sh, -c, "echo from kube; sleep 1000"]
    resources: {{limits: {{memory: 64Mi}}}}
    securityContext: {{runAsUser: 1000, capabilities: {{drop: [ALL]}}, readOnlyRootFilesystem: true}}
"""


@scenario
def kube_play(p):
    """kube play: a pod from Kubernetes' own description"""
    file = p.file("pod.yaml", KUBE)
    p("kube", "play", file)
    eventually(lambda: p("logs", "kube-main") == "from kube", "no log")
    same(limit(p.pid("kube-main"), "memory/memory.limit_in_bytes", "memory.max"), 64 << 20)
    same(p("exec", "kube-main", "id", "-u"), "1000")
    p("kube", "down", file)


@scenario
def build(p):
    """build: RUN through the runtime"""
    directory = os.path.dirname(p.file("podman-build/Containerfile",
                                       f"FROM {BOX}\nRUN echo built > /built\nUSER app\nRUN id -u > /tmp/uid\n"
                                       "CMD cat /built /tmp/uid\n"))
    p("build", "--no-cache", "--network", "none", "--tag", "localhost/built", directory)
    same(p("run", "--rm", "localhost/built"), "built\n1000")
    p("rmi", "localhost/built")
    directory = os.path.dirname(p.file("podman-fail/Containerfile", f"FROM {BOX}\nRUN exit 42\n"))
    has(p("build", "--network", "none", directory, status=None).err, "42")


@scenario
def copy_commit(p):
    """cp, diff, commit"""
    path = p.file("podman-copied", "text\n")
    c = p.up()
    p("cp", path, f"{c}:/tmp/in")
    same(p("exec", c, "cat", "/tmp/in"), "text")
    has(p("diff", c), "A /tmp/in")
    p("commit", c, "localhost/committed")
    same(p("run", "--rm", "localhost/committed", "cat", "/tmp/in"), "text")
    p("rmi", "localhost/committed")


@scenario
def restart_policy(p):
    """--restart on-failure:2"""
    c = p.up("--restart", "on-failure:2", "--", "sh", "-c", "echo try; exit 3")
    eventually(lambda: p("logs", c).split() == ["try"] * 3, "it was not tried three times")


@scenario
def checkpoint(p):
    """container checkpoint, restore: the process goes on where it was; so it does with --leave-running"""
    needs_criu()
    c = p.up("--", *COUNTER)
    eventually(lambda: "5" in p("logs", c).split(), "it does not count")
    p("container", "checkpoint", "--leave-running", c)
    same(p.inspect(c, ".State.Running"), "true")
    p("container", "checkpoint", c)
    same(p.inspect(c, ".State.Running"), "false")
    counted = int(p("logs", c).split()[-1])
    p("container", "restore", c)
    same(p.inspect(c, ".State.Running"), "true")
    eventually(lambda: int(p("logs", c).split()[-1]) > counted, "it does not go on")
    same(p("logs", c).split().count("1"), 1, "the number of starts from one")
    p("stop", "--time", "0", c)
    same(p.inspect(c, ".State.ExitCode"), 137)


@scenario
def checkpoint_export(p):
    """container checkpoint --export, restore --import: as another container, with its files and memory"""
    needs_criu()
    archive = os.path.join(p.directory("podman-checkpoint"), "archive.tar.gz")
    c = p.up("--", "sh", "-c", "n=$$.$RANDOM; echo $n > /tmp/x; while :; do echo $n > /tmp/y; sleep 0.1; done")
    eventually(lambda: p("exec", c, "cat", "/tmp/y", status=None), "it writes nothing")
    written = p("exec", c, "cat", "/tmp/x")
    p("container", "checkpoint", "--export", archive, c)
    p("rm", c)
    p("container", "restore", "--import", archive, "--name", "moved")
    p("exec", "moved", "rm", "/tmp/y")
    eventually(lambda: p("exec", "moved", "cat", "/tmp/y", status=None) == written, "it does not go on")
    same(p("exec", "moved", "cat", "/tmp/x"), written)


@scenario
def checkpoint_probe(p):
    """`checkpoint --help` ends with status 0: Podman asks so whether the runtime can"""
    system.run([p.binary, "checkpoint", "--help"])


@scenario
def systemd_mode(p):
    """--systemd=always: the mounts that systemd wants"""
    shown = p.run("--systemd", "always", "--", "cat", "/proc/mounts")
    has(shown, "tmpfs /run ", "/sys/fs/cgroup")


@scenario
def nothing_left(p):
    """rm: no state and no cgroup is left"""
    c = p.up()
    path = cgroup_of(p.pid(c), "memory")
    p("rm", "--force", "--time", "0", c)
    true(not os.path.exists("/sys/fs/cgroup/" + path), f"{path} is still there")
    roots = [os.path.join(path, name) for path, names, _ in os.walk("/run") for name in names if name == c]
    same(roots, [])
