"""Docker: namespaces, file systems, devices, privileges of the machine."""

import os
import subprocess

from .docker import BOX
from .docker_process import all_capabilities
from .scenario import scenario
from .system import V2, eventually, has, lacks, matches, namespace, read, same, true


def host(kind):
    return namespace("self", kind)


@scenario
def namespaces_default(d):
    """by default, each namespace is the container's own"""
    pid = d.pid(d.up())
    for kind in ("pid", "mnt", "uts", "ipc", "net"):
        true(namespace(pid, kind) != host(kind), f"the {kind} namespace is the host's")
    same(namespace(pid, "user"), host("user"))


@scenario
def pid_modes(d):
    """--pid host, --pid container:"""
    same(namespace(d.pid(d.up("--pid", "host")), "pid"), host("pid"))
    first = d.up()
    second = d.up("--pid", f"container:{first}")
    same(namespace(d.pid(second), "pid"), namespace(d.pid(first), "pid"))
    has(d.inside(second, "cat /proc/1/cmdline"), "sleep")


@scenario
def ipc_modes(d):
    """--ipc host, none, private, shareable and container:"""
    same(namespace(d.pid(d.up("--ipc", "host")), "ipc"), host("ipc"))
    lacks(d.run("--ipc", "none", "--", "cat", "/proc/mounts"), "/dev/shm")
    first = d.up("--ipc", "shareable")
    d.inside(first, "echo shared > /dev/shm/x")
    same(d.run("--ipc", f"container:{first}", "--", "cat", "/dev/shm/x"), "shared")
    has(d.run("--ipc", "private", "--shm-size", "8m", "--", "df", "-m", "/dev/shm"), " 8 ")


@scenario
def network_modes(d):
    """--network none, host, container:, bridge"""
    same(d.run("--network", "none", "--", "ls", "/sys/class/net"), "lo")
    same(namespace(d.pid(d.up("--network", "host")), "net"), host("net"))
    first = d.up()
    same(namespace(d.pid(d.up("--network", f"container:{first}")), "net"), namespace(d.pid(first), "net"))
    address = d.inspect(first, ".NetworkSettings.IPAddress")
    has(d.run("--", "ping", "-c", "1", "-W", "5", address), "1 packets received")


@scenario
def network_names(d):
    """a network of one's own: containers find each other by name; connect and disconnect while running"""
    d("network", "create", "named")
    try:
        first = d.up("--network", "named", "--name", "first")
        has(d.run("--network", "named", "--", "ping", "-c", "1", "-W", "5", "first"), "1 packets received")
        d("network", "disconnect", "named", first)
        same(d.inside(first, "ls /sys/class/net"), "lo")
        d("network", "connect", "named", first)
        has(d.inside(first, "ls /sys/class/net"), "eth")
    finally:
        d.tidy()
        d("network", "rm", "named")


@scenario
def published_port(d):
    """-p: a server in the container answers outside"""
    d.up("-p", "127.0.0.1:8099:80", "--", "sh", "-c", "mkdir /w; echo page > /w/index.html; exec httpd -f -p 80 -h /w")

    def page():
        return subprocess.run(["busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:8099/"], capture_output=True,
                              text=True).stdout.strip() == "page"
    eventually(page, "no page is served")


@scenario
def uts_modes(d):
    """--hostname, --domainname, --uts host"""
    same(d.sh("hostname; cat /proc/sys/kernel/domainname", "--hostname", "inner", "--domainname", "example.org"),
         "inner\nexample.org")
    same(namespace(d.pid(d.up("--uts", "host")), "uts"), host("uts"))


@scenario
def cgroup_modes(d):
    """--cgroupns private, host"""
    same(namespace(d.pid(d.up("--cgroupns", "host")), "cgroup"), host("cgroup"))
    pid = d.pid(d.up("--cgroupns", "private"))
    true(namespace(pid, "cgroup") != host("cgroup"), "the cgroup namespace is the host's")
    matches(d.run("--cgroupns", "private", "--", "cat", "/proc/self/cgroup"), r"(memory|:):/$")


@scenario
def cgroup_mount(d):
    """/sys/fs/cgroup: there, the container's own, and read-only"""
    c = d.up("-m", "64m", "--cgroupns", "private")
    has(d.inside(c, "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true"),
        str(64 << 20))
    result = d.inside(c, "mkdir /sys/fs/cgroup/" + ("x" if V2 else "memory/x"), status=1)
    has(result.err, "Read-only file system")


@scenario
def hosts(d):
    """--add-host, --dns: files that Docker mounts"""
    has(d.run("--add-host", "other:10.1.2.3", "--", "cat", "/etc/hosts"), "10.1.2.3\tother")
    has(d.run("--dns", "10.9.8.7", "--", "cat", "/etc/resolv.conf"), "nameserver 10.9.8.7")


@scenario
def read_only(d):
    """--read-only: nothing can be written but what was mounted for it"""
    has(d.sh("touch /x", "--read-only", status=1).err, "Read-only file system")
    same(d.sh("echo y > /t/x; cat /t/x; echo z > /v/x; cat /v/x", "--read-only", "--tmpfs", "/t", "-v", "rw:/v"),
         "y\nz")
    d("volume", "rm", "rw")


@scenario
def tmpfs(d):
    """--tmpfs, --mount type=tmpfs: with size, mode and options"""
    shown = d.sh("grep ' /t ' /proc/mounts; grep ' /u ' /proc/mounts; stat -c %a /t", "--tmpfs",
                 "/t:size=1m,mode=0700,exec", "--mount", "type=tmpfs,target=/u,tmpfs-size=2097152")
    has(shown, "size=1024k", "size=2048k", "nosuid,nodev", "700")
    lacks(shown.splitlines()[0], "noexec")
    has(shown.splitlines()[1], "noexec")


@scenario
def volumes(d):
    """-v: bind and named, read-write and read-only; files; what is missing is made"""
    directory = d.directory("volume")
    d.file("volume/file", "from outside\n")
    same(d.sh("cat /v/file; echo inside > /v/new", "-v", f"{directory}:/v"), "from outside")
    same(read(directory, "new"), "inside")
    has(d.sh("touch /v/x", "-v", f"{directory}:/v:ro", status=1).err, "Read-only file system")
    same(d.run("-v", f"{directory}/file:/etc/one:ro", "--", "cat", "/etc/one"), "from outside")
    same(d.sh("stat -c %U:%a /home/app; touch /home/app/x", "-v", "named:/home/app"), "app:755")
    same(d.run("-v", "named:/n", "--", "ls", "/n"), "x")
    d("volume", "rm", "named")


@scenario
def volumes_from(d):
    """--volumes-from"""
    first = d.up("-v", "/shared")
    d.inside(first, "echo kept > /shared/x")
    same(d.run("--volumes-from", first, "--", "cat", "/shared/x"), "kept")


def propagation(d, mode):
    """A volume below a shared mount: is a later mount outside seen inside, and one inside outside?"""
    source = d.directory(f"propagation-{mode}")
    subprocess.run(["mount", "--bind", "--make-private", source, source], check=True)
    subprocess.run(["mount", "--make-shared", source], check=True)
    os.makedirs(f"{source}/outer", exist_ok=True)
    os.makedirs(f"{source}/inner", exist_ok=True)
    try:
        c = d.up("--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined", "-v", f"{source}:/v:{mode}")
        subprocess.run(["mount", "-t", "tmpfs", "seen-outer", f"{source}/outer"], check=True)
        d.inside(c, "mount -t tmpfs seen-inner /v/inner")
        inward = "seen-outer" in d.inside(c, "cat /proc/mounts")
        outward = "seen-inner" in read("/proc/mounts")
        return inward, outward
    finally:
        d.tidy()
        subprocess.run(["umount", "--recursive", source], check=True)


@scenario
def volume_private(d):
    """-v :rprivate: mounts stay on their side"""
    same(propagation(d, "rprivate"), (False, False))


@scenario
def volume_slave(d):
    """-v :rslave: mounts come in, none goes out"""
    same(propagation(d, "rslave"), (True, False))


@scenario
def volume_shared(d):
    """-v :rshared: mounts come in and go out"""
    same(propagation(d, "rshared"), (True, True))


@scenario
def volume_recursive(d):
    """-v takes what is mounted below; bind-nonrecursive does not; ro is for the top"""
    source = d.directory("recursive")
    os.makedirs(f"{source}/below", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", f"{source}/below"], check=True)
    try:
        d.file("recursive/below/x", "below\n")
        same(d.run("-v", f"{source}:/v", "--", "cat", "/v/below/x"), "below")
        same(d.run("--mount", f"type=bind,source={source},target=/v,bind-nonrecursive", "--", "ls", "/v/below"), "")
    finally:
        subprocess.run(["umount", f"{source}/below"], check=True)


@scenario
def device(d):
    """--device: the node, its permissions in the cgroup, and no other"""
    same(d.sh("exec 3</dev/other && stat -c %t:%T /dev/other", "--device", "/dev/fuse:/dev/other:r"), "a:e5")
    has(d.sh("exec 3<>/dev/other", "--device", "/dev/fuse:/dev/other:r", status=1).err, "Operation not permitted")
    d.sh("exec 3<>/dev/other", "--device", "/dev/fuse:/dev/other")
    has(d.sh("mknod /tmp/mem c 1 1 && cat /tmp/mem", status=1).err, "Operation not permitted")


@scenario
def device_rule(d):
    """--device-cgroup-rule: allowed by number"""
    same(d.sh("mknod /tmp/fuse c 10 229 && exec 3<>/tmp/fuse && echo open", "--device-cgroup-rule", "c 10:229 rwm"),
         "open")
    has(d.sh("mknod /tmp/fuse c 10 229 && exec 3<>/tmp/fuse", status=1).err, "Operation not permitted")


@scenario
def default_devices(d):
    """/dev: null, zero, full, random, urandom, tty, ptmx, the links, mqueue, shm"""
    shown = d.sh("ls /dev; echo x > /dev/null; head -c 1 /dev/urandom | wc -c; echo hi > /dev/stderr")
    has(shown, "null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "mqueue", "fd", "stdin")
    same(shown.err, "hi")


@scenario
def masked_paths(d):
    """/proc/kcore and others are masked, /proc/sys is read-only; systempaths=unconfined lifts it"""
    same(d.sh("cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null; true"), "")
    has(d.sh("echo 1 > /proc/sys/kernel/msgmax", status=1).err, "Read-only file system")
    d.sh("echo 4000 > /proc/sys/kernel/msgmax", "--security-opt", "systempaths=unconfined",
         "--security-opt", "apparmor=unconfined", "--cap-add", "SYS_ADMIN")


@scenario
def privileged(d):
    """--privileged: all capabilities that there are, all devices, no masks, no filter"""
    shown = d.sh("grep -E 'CapEff|Seccomp:' /proc/self/status; ls /dev; mount -t tmpfs none /mnt 2>&1 || mkdir /mnt && "
                 "mount -t tmpfs none /mnt && echo mounted; echo 4000 > /proc/sys/kernel/msgmax && echo written",
                 "--privileged")
    has(shown, "Seccomp:\t0", "mounted", "written", "fuse")
    all_capabilities(shown.split()[1])


@scenario
def privileged_nested(d):
    """--privileged: a mount namespace and a chroot within"""
    same(d.sh("unshare -m -p -f sh -c 'mount -t proc proc /proc && echo $$'", "--privileged"), "1")


@scenario
def container_escapes_nothing(d):
    """links in the image lead nowhere outside"""
    directory = d.directory("outside")
    c = d.up("--", "sh", "-c", f"rm -rf /var; ln -s {directory} /var; sleep 1000")
    eventually(lambda: d.inside(c, "readlink /var", status=None) == directory, "the link is not made")
    d("commit", c, "localhost/linked")
    d("run", "--rm", "--tmpfs", "/var/run", "localhost/linked", "true", status=None)
    d.tidy()
    d("rmi", "localhost/linked")
    same(os.listdir(directory), [])
