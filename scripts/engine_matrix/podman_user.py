"""Podman as an ordinary user."""

import os

from .images import BOX
from .podman import KUBE, UID
from .scenario import scenario
from .system import Skip, alive, cgroup_of, eventually, has, limit, read, same, status_of, systemd, true


@scenario
def user_run(p):
    """rootless: run, output, exit status, who one is inside and outside"""
    u = p.user
    same(u.sh("id -u; echo out; exit 7", status=7), "0\nout")
    c = u.up("--net", "none")
    same(status_of(u.pid(c), "Uid").split()[0], UID)
    same(u.inspect(c, ".OCIRuntime"), u.runtime)
    same(u.run("-u", "app", "--", "id", "-u"), "1000")


@scenario
def user_life(p):
    """rootless: exec, logs, stop, rm"""
    u = p.user
    c = u.up("--", "sh", "-c", "echo on; sleep 1000")
    eventually(lambda: u("logs", c) == "on", "no log")
    same(u("exec", "-u", "app", c, "id", "-u"), "1000")
    has(u.terminal("exec", "-it", c, "tty").end(), "/dev/pts/")
    pid = u.pid(c)
    u("stop", "--time", "0", c)
    true(not alive(pid), "the process is still there")
    u("rm", c)


@scenario
def user_limits(p):
    """rootless: limits, in a unit of the user's own systemd"""
    if not systemd():
        raise Skip("no systemd runs here")
    u = p.user
    c = u.up("-m", "64m", "--pids-limit", "9", "--net", "none")
    path = cgroup_of(u.pid(c), "memory")
    has(path, f"user@{UID}.service/", f"libpod-{c}.scope")
    same(limit(u.pid(c), "", "memory.max"), 64 << 20)
    same(limit(u.pid(c), "", "pids.max"), 9)
    u("rm", "--force", "--time", "0", c)
    true(not os.path.exists("/sys/fs/cgroup/" + path), f"{path} is still there")


@scenario
def user_keep_id(p):
    """rootless: --userns keep-id"""
    same(p.user.run("--userns", "keep-id", "--", "id", "-u"), UID)


@scenario
def user_network(p):
    """rootless: a network of its own by slirp4netns, and none"""
    has(p.user.run("--net", "slirp4netns", "--", "ip", "addr"), "tap0")
    same(p.user.run("--net", "none", "--", "ls", "/sys/class/net"), "lo")


@scenario
def user_pod(p):
    """rootless: a pod"""
    u = p.user
    u("pod", "create", "--name", "pod")
    first = u.up("--pod", "pod")
    has(u("pod", "ps"), "Running")
    same(u("exec", first, "echo", "ok"), "ok")
    u("pod", "rm", "--force", "--time", "0", "pod")


@scenario
def user_volumes(p):
    """rootless: volumes and --privileged"""
    u = p.user
    directory = os.path.join(u.home, "volume")
    os.makedirs(directory, exist_ok=True)
    os.chown(directory, UID, UID)
    u.sh("echo in > /v/x; chown app /v/x", "-v", f"{directory}:/v")
    same(read(directory, "x"), "in")
    same(os.stat(directory + "/x").st_uid, 500000 + 999)
    same(u.run("--privileged", "--", "echo", "ok"), "ok")


@scenario
def user_build(p):
    """rootless: build"""
    u = p.user
    directory = os.path.join(u.home, "build")
    os.makedirs(directory, exist_ok=True)
    with open(directory + "/Containerfile", "w") as file:
        file.write(f"FROM {BOX}\nRUN id -u > /uid\nCMD cat /uid\n")
    u("build", "--network", "none", "--tag", "localhost/mine", directory)
    same(u("run", "--rm", "localhost/mine"), "0")
    u("rmi", "localhost/mine")


@scenario
def user_kube(p):
    """rootless: kube play"""
    u = p.user
    file = os.path.join(u.home, "pod.yaml")
    with open(file, "w") as text:
        text.write(KUBE.replace("    resources: {limits: {memory: 64Mi}}\n", ""))
    u("kube", "play", file)
    eventually(lambda: u("logs", "kube-main") == "from kube", "no log")
    u("kube", "down", file)
