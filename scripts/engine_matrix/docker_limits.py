"""Docker: limits, at the start and changed later."""

import os

from .scenario import scenario
from .system import V2, Skip, cgroup_of, eventually, has, limit, needs, read, run, same, systemd, true

MIB = 1 << 20


@scenario
def memory(d):
    """-m, --memory-swap, --memory-reservation"""
    pid = d.pid(d.up("-m", "64m", "--memory-swap", "128m", "--memory-reservation", "32m"))
    same(limit(pid, "memory/memory.limit_in_bytes", "memory.max"), 64 * MIB)
    same(limit(pid, "memory/memory.soft_limit_in_bytes", "memory.low"), 32 * MIB)


@scenario
def memory_swap(d):
    """--memory-swap: on v1 the sum, on v2 the swap alone"""
    pid = d.pid(d.up("-m", "64m", "--memory-swap", "128m"))
    same(limit(pid, "memory/memory.memsw.limit_in_bytes", "memory.swap.max"), (64 if V2 else 128) * MIB)


@scenario
def memory_v1(d):
    """--memory-swappiness, --oom-kill-disable"""
    if V2:
        raise Skip("cgroup v2 has neither")
    pid = d.pid(d.up("-m", "64m", "--memory-swappiness", "10", "--oom-kill-disable"))
    same(limit(pid, "memory/memory.swappiness", ""), 10)
    has(limit(pid, "memory/memory.oom_control", ""), "oom_kill_disable 1")


@scenario
def cpu(d):
    """--cpus, --cpu-shares, --cpu-period, --cpu-quota"""
    pid = d.pid(d.up("--cpus", "0.5", "--cpu-shares", "512"))
    if V2:
        same(limit(pid, "", "cpu.max"), "50000 100000")
    else:
        same(limit(pid, "cpu/cpu.cfs_quota_us", ""), 50000)
        same(limit(pid, "cpu/cpu.shares", ""), 512)
    pid = d.pid(d.up("--cpu-period", "50000", "--cpu-quota", "20000"))
    same(limit(pid, "cpu/cpu.cfs_quota_us", "cpu.max").split()[0], 20000)


@scenario
def cpuset(d):
    """--cpuset-cpus, --cpuset-mems"""
    needs("cpuset")
    pid = d.pid(d.up("--cpuset-cpus", "0", "--cpuset-mems", "0"))
    same(limit(pid, "cpuset/cpuset.cpus", "cpuset.cpus"), 0)
    same(read("/proc", pid, "status").split("Cpus_allowed_list:")[1].split()[0], 0)


@scenario
def pids(d):
    """--pids-limit: no fork beyond it"""
    c = d.up("--pids-limit", "5")
    same(limit(d.pid(c), "pids/pids.max", "pids.max"), 5)
    result = d.inside(c, "for i in 1 2 3 4 5 6 7 8; do sleep 30 & done; echo all", status=None)
    true("all" not in result, "all were started")


@scenario
def blkio(d):
    """--blkio-weight, --device-read-bps: what the kernel has of it"""
    device = os.stat("/var/lib/docker").st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    name = os.path.basename(os.path.realpath(f"/sys/dev/block/{number}"))
    if not os.path.exists(f"/dev/{name}"):
        raise Skip(f"no node for the disk {number}")
    c = d.up("--device-read-bps", f"/dev/{name}:1mb", "--device-write-iops", f"/dev/{name}:100")
    if d.inspect(c, "len .HostConfig.BlkioDeviceReadBps") == "0":
        raise Skip("Docker itself drops the limit here")
    pid = d.pid(c)
    has(limit(pid, "blkio/blkio.throttle.read_bps_device", "io.max"), number, str(MIB))
    has(limit(pid, "blkio/blkio.throttle.write_iops_device", "io.max"), "100")
    path = os.path.join("/sys/fs/cgroup", cgroup_of(pid, "blkio"))
    weights = [name for name in os.listdir(path) if name in ("blkio.weight", "io.weight", "io.bfq.weight")]
    if weights:
        path = os.path.join("/sys/fs/cgroup", cgroup_of(d.pid(d.up("--blkio-weight", "500")), "blkio"))
        true(any(read(path, name).split()[-1:] == ["500"] for name in weights), "the weight is not there")


@scenario
def no_limits(d):
    """without flags: no limit, but systemd's own"""
    pid = d.pid(d.up())
    value = limit(pid, "memory/memory.limit_in_bytes", "memory.max")
    true(value == "max" or int(value) > 1 << 60, f"the memory limit is {value}")
    usual = "max"
    if systemd() and V2:
        usual = run(["systemctl", "show", "--property", "DefaultTasksMax"]).split("=")[1].replace("infinity", usual)
    same(limit(pid, "pids/pids.max", "pids.max"), usual)


@scenario
def cgroup_parent(d):
    """--cgroup-parent: below it, and gone with the container"""
    parent, place = ("parent-of.slice", "parent.slice/parent-of.slice/docker-") if systemd() else (
        "/parent/of-it", "parent/of-it/")
    c = d.up("--cgroup-parent", parent)
    path = cgroup_of(d.pid(c), "memory")
    has(path, place + c)
    d("rm", "-f", c)
    true(not os.path.exists("/sys/fs/cgroup/" + path), f"{path} is still there")


@scenario
def cgroup_driver(d):
    """the systemd cgroup driver: a unit for the container, with its limits, gone with it"""
    if not systemd():
        raise Skip("no systemd runs here")
    same(d("info", "--format", "{{.CgroupDriver}}"), "systemd")
    c = d.up("-m", "64m", "--pids-limit", "50")
    unit = f"docker-{c}.scope"
    has(run(["systemctl", "show", unit]), "ActiveState=active", f"MemoryMax={64 * MIB}", "TasksMax=50")
    d("update", "-m", "32m", "--memory-swap", "32m", c)
    has(run(["systemctl", "show", unit]), f"MemoryMax={32 * MIB}")
    d("rm", "-f", c)
    eventually(lambda: "ActiveState=active" not in run(["systemctl", "show", unit]), "the unit is still there")


@scenario
def update(d):
    """update: memory, cpus, pids; what is not named stays as it is"""
    c = d.up("-m", "64m", "--memory-swap", "64m", "--cpus", "1", "--pids-limit", "50")
    pid = d.pid(c)
    d("update", "-m", "32m", "--memory-swap", "32m", c)
    same(limit(pid, "memory/memory.limit_in_bytes", "memory.max"), 32 * MIB)
    same(limit(pid, "cpu/cpu.cfs_quota_us", "cpu.max").split()[0], 100000)
    same(limit(pid, "pids/pids.max", "pids.max"), 50)
    d("update", "--cpus", "0.25", c)
    same(limit(pid, "cpu/cpu.cfs_quota_us", "cpu.max").split()[0], 25000)
    same(limit(pid, "memory/memory.limit_in_bytes", "memory.max"), 32 * MIB)
    d("update", "-m", "128m", "--memory-swap", "128m", c)
    same(limit(pid, "memory/memory.limit_in_bytes", "memory.max"), 128 * MIB)
    d("update", "--pids-limit", "7", c)
    same(limit(pid, "pids/pids.max", "pids.max"), 7)
    same(d.inspect(c, ".State.Status"), "running")


@scenario
def update_cpuset(d):
    """update --cpuset-cpus, --cpu-shares"""
    needs("cpuset")
    c = d.up("--cpuset-cpus", "0-1" if os.cpu_count() > 1 else "0")
    d("update", "--cpuset-cpus", "0", "--cpu-shares", "256", c)
    same(limit(d.pid(c), "cpuset/cpuset.cpus", "cpuset.cpus"), 0)
    if not V2:
        same(limit(d.pid(c), "cpu/cpu.shares", ""), 256)


@scenario
def update_devices_stay(d):
    """update leaves the device rules as they are"""
    c = d.up()
    d("update", "--cpus", "1", c)
    has(d.inside(c, "mknod /tmp/mem c 1 1 && cat /tmp/mem", status=1).err, "Operation not permitted")
    d.inside(c, "echo x > /dev/null")


@scenario
def update_below_use(d):
    """update to less memory than is used: refused, or the container is killed; never silent"""
    c = d.up("-m", "64m", "--memory-swap", "64m", "--", "sh", "-c",
             "head -c 30000000 /dev/zero | tail -c 29000000 | sleep 1000")
    eventually(lambda: int(limit(d.pid(c), "memory/memory.usage_in_bytes", "memory.current")) > 25 * MIB,
               "it uses little")
    result = d("update", "-m", "8m", "--memory-swap", "8m", c, status=None)
    true(result.status != 0 or d.inspect(c, ".HostConfig.Memory") == str(8 * MIB), "it was neither done nor refused")


@scenario
def update_restart_policy(d):
    """update --restart: no runtime call is needed"""
    c = d.up()
    d("update", "--restart", "always", c)
    same(d.inspect(c, ".HostConfig.RestartPolicy.Name"), "always")
