"""A machine within the machine, for the daemons of one runtime.

It is made of namespaces: processes (all end with the first), mounts, network, cgroups, host name. Of the files, /run,
/var/lib, /etc and /usr/local are private, so that daemons run with their default paths, as on a machine that was just
installed, and nothing of them outlives the run.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile

CGROUPS = "/sys/fs/cgroup"


class House:
    """Where the files of one runtime's machine are, as long as the `with` block lasts."""

    def __init__(self, name, log=None, bare=False):
        self.name, self.log, self.bare, self.cgroups = name, log, bare, []

    def __enter__(self):
        # Not /tmp: it may be a tmpfs, which the engines' overlay mounts do not take.
        self.path = tempfile.mkdtemp(prefix=f"coracle-engines-{self.name}-", dir="/var/tmp")
        os.chmod(self.path, 0o755)
        for name in ("lib", "log", "work"):
            os.mkdir(os.path.join(self.path, name))
        return self

    def __exit__(self, *_):
        if self.log:
            shutil.copytree(os.path.join(self.path, "log"), os.path.join(self.log, self.name), dirs_exist_ok=True)
        subprocess.run(["rm", "-rf", "--one-file-system", self.path], check=False)
        for path in self.cgroups:
            for directory, _, _ in os.walk(path, topdown=False):
                try:
                    os.rmdir(directory)
                except OSError as error:
                    print(f"engines: {directory}: {error.strerror}", file=sys.stderr)

    def enter(self, args, report):
        """Starts `args` as the house's first process, which keeps the descriptor `report`; its Popen."""
        if self.bare:
            return subprocess.Popen(args, env=environment(), stdin=subprocess.DEVNULL, pass_fds=[report])
        command = ["unshare", "--mount", "--propagation", "private", "--net", "--pid", "--cgroup", "--uts", "--ipc",
                   "--fork", "--kill-child=KILL", "--mount-proc", *args]
        self.cgroups = own_cgroups(f"coracle-engines-{self.name}-{os.getpid()}")
        return subprocess.Popen(command, preexec_fn=lambda: join(self.cgroups), env=environment(),
                                stdin=subprocess.DEVNULL, pass_fds=[report])


def environment():
    """Nothing of the caller's that an engine might heed."""
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8",
            "TERM": "xterm"}


def own_cgroups(name):
    """Makes a cgroup in each hierarchy, and returns their paths."""
    if os.path.exists(f"{CGROUPS}/cgroup.controllers"):
        path = os.path.join(CGROUPS, name)
        os.mkdir(path)
        return [path]
    made = []
    with open("/proc/self/cgroup") as file:
        for line in file:
            number, controllers, path = line.strip().split(":", 2)
            hierarchy = "unified" if number == "0" else controllers.replace("name=", "")
            parent = os.path.join(CGROUPS, hierarchy, path.lstrip("/"))
            if not os.path.isdir(parent):
                continue
            path = os.path.join(parent, name)
            os.mkdir(path)
            if "cpuset" in controllers:
                for limit in ("cpuset.cpus", "cpuset.mems"):
                    with open(os.path.join(parent, limit)) as given, open(os.path.join(path, limit), "w") as own:
                        own.write(given.read())
            made.append(path)
    return made


def join(cgroups):
    for path in cgroups:
        with open(os.path.join(path, "cgroup.procs"), "w") as file:
            file.write("0")


def furnish(path, runtime):
    """Inside: mounts what is private."""
    # What is in /run and /var/lib is for the daemons of this machine; /usr/local and /etc are needed, but not ours.
    mount("-t", "tmpfs", "tmpfs", "/run")
    mount("-t", "tmpfs", "tmpfs", "/tmp")
    os.chmod("/tmp", 0o1777)
    mount("--bind", os.path.join(path, "lib"), "/var/lib")
    os.makedirs("/run/overlay", exist_ok=True)
    for lower in ("/etc", "/usr/local"):
        upper = "/run/overlay" + lower.replace("/", "-")
        os.makedirs(upper + ".work")
        os.makedirs(upper)
        mount("-t", "overlay", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={upper}.work", lower)
    # The set-up is a new user's: nothing of this machine's own is left in it.
    for directory in ("/etc/docker", "/etc/containerd", "/etc/cni", "/etc/crictl.yaml"):
        shutil.rmtree(directory, ignore_errors=True)
    mount_cgroups(hybrid=runtime.name != "crun")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # Clients that are not Debian's may not agree with its daemons.
    shutil.rmtree("/usr/local/bin")
    os.makedirs("/usr/local/bin")
    for device, major, minor in (("/dev/fuse", 10, 229), ("/dev/net/tun", 10, 200)):
        open_to_all(device, major, minor)


def place(runtime):
    """Gives the runtime its place, as README has it, and the name that BuildKit and others ask for; its path."""
    binary = f"/usr/local/bin/{runtime.name}"
    shutil.copy(runtime.path, binary)
    os.chmod(binary, 0o755)
    if runtime.name != "runc":
        if os.path.lexists("/usr/local/bin/runc"):
            os.unlink("/usr/local/bin/runc")
        os.symlink(runtime.name, "/usr/local/bin/runc")
    return binary


def mount(*args):
    subprocess.run(["mount", *args], check=True)


def mount_cgroups(hybrid):
    """The cgroups of this namespace. crun takes no v1 machine that has an extra cgroup2 mount too."""
    if os.path.exists(f"{CGROUPS}/cgroup.controllers"):
        mount("-t", "cgroup2", "cgroup2", CGROUPS)
        # What has processes may not have controllers for its children: ours go to a leaf.
        os.mkdir(f"{CGROUPS}/init")
        with open(f"{CGROUPS}/cgroup.procs") as file:
            pids = file.read().split()
        for pid in pids:
            with open(f"{CGROUPS}/init/cgroup.procs", "w") as file:
                file.write(pid)
        with open(f"{CGROUPS}/cgroup.controllers") as file:
            controllers = file.read().split()
        for controller in controllers:
            with open(f"{CGROUPS}/cgroup.subtree_control", "w") as file:
                file.write(f"+{controller}")
        return
    with open("/proc/self/cgroup") as file:
        lines = [line.strip().split(":") for line in file]
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", CGROUPS)
    for number, controllers, _ in lines:
        if number == "0":
            if hybrid:
                os.mkdir(f"{CGROUPS}/unified")
                mount("-t", "cgroup2", "cgroup2", f"{CGROUPS}/unified")
            continue
        path = os.path.join(CGROUPS, controllers.replace("name=", ""))
        os.mkdir(path)
        mount("-t", "cgroup", "-o", "none," + controllers if "=" in controllers else controllers, "cgroup", path)
        if "," in controllers:
            for controller in controllers.split(","):
                os.symlink(os.path.basename(path), os.path.join(CGROUPS, controller))


def open_to_all(device, major, minor):
    """A device node that users may open, mounted over the machine's own."""
    if not os.path.exists(device):
        return
    node = "/run/node-" + os.path.basename(device)
    os.mknod(node, 0o20666, os.makedev(major, minor))
    os.chmod(node, 0o666)
    # The tmpfs of an unprivileged mount namespace would be nodev; this one is root's.
    mount("--bind", node, device)


def as_first_process(main):
    """Runs main() in a child, and waits for everything else that ends here, as the first process of a machine has to;
    the exit status of the child."""
    child = os.fork()
    if child == 0:
        os._exit(main())
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)
