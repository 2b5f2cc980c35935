"""Kubernetes' Container Runtime Interface: containerd's, called as the kubelet does, with a runtime class."""

import importlib
import json
import os
import signal
import subprocess
import sys

from . import system
from .containerd import Containerd
from .images import BOX, GREEDY, LANDLOCK, UNDER_LANDLOCK
from .scenario import scenario
from .system import (Failure, alive, cgroup_of, eventually, has, lacks, limit, namespace, needs, needs_landlock, read,
                     same, status_of, systemd, true, wait_for_size)
from .websocket import Streams

POD, CONTAINER, NODE, TARGET = range(4)
READY, NOT_READY = range(2)
CREATED, RUNNING, EXITED = range(3)
RUNTIME_DEFAULT, UNCONFINED, LOCALHOST = range(3)


class Refused(Failure):
    """The engine answered with an error; the text is its own."""


class Cri(Containerd):
    """The interface's calls are methods: `cri.call("Version")`, with the request's fields as arguments."""

    TITLE, PACKAGE = "containerd's CRI", "containerd"
    COMMAND = ["ctr", "--namespace", "k8s.io"]

    def start(self):
        super().start()
        # Not before it is certain that they are installed.
        import grpc
        self.grpc, self.pods = grpc, 0
        directory = self.directory("cri")
        here = os.path.dirname(os.path.abspath(__file__))
        system.run(["protoc", "--proto_path", here, "--python_out", directory, "cri.proto"])
        sys.path.insert(0, directory)
        self.messages = importlib.import_module("cri_pb2")
        self.connect()

    def connect(self):
        self.channel = self.grpc.insecure_channel("unix:///run/containerd/containerd.sock")

        def ready():
            try:
                conditions = {c.type: c.status for c in self.call("Status").status.conditions}
            except Refused:
                return False
            return conditions["RuntimeReady"] and conditions["NetworkReady"]
        eventually(ready, "the interface is not ready")

    def call(self, name, **fields):
        method = self.channel.unary_unary(
            f"/runtime.v1.RuntimeService/{name}",
            request_serializer=getattr(self.messages, name + "Request").SerializeToString,
            response_deserializer=getattr(self.messages, name + "Response").FromString)
        try:
            return method(getattr(self.messages, name + "Request")(**fields), timeout=60 * system.patience)
        except self.grpc.RpcError as error:
            raise Refused(f"{name}: {error.details()}") from None

    def refused(self, text, name, **fields):
        try:
            self.call(name, **fields)
        except Refused as error:
            has(str(error), text)
        else:
            raise Failure(f"{name} was not refused")

    def tidy(self):
        for pod in self.call("ListPodSandbox").items:
            self.call("StopPodSandbox", pod_sandbox_id=pod.id)
            self.call("RemovePodSandbox", pod_sandbox_id=pod.id)
        eventually(lambda: not self.remains(), "the runtime's state remains", 5)

    def remains(self):
        root = "/run/containerd/runc/k8s.io"
        return os.listdir(root) if os.path.isdir(root) else []

    def pod(self, linux=None, **config):
        """A pod that runs: its id. Its configuration is kept, as each container of it is asked for with it."""
        self.pods += 1
        self.logs = self.directory(f"pod-logs/{self.pods}")
        linux = {"cgroup_parent": "kubepods.slice", **(linux or {})} if systemd() else linux or {}
        self.config = {"metadata": {"name": f"pod-{self.pods}", "uid": f"uid-{self.pods}", "namespace": "default"},
                       "log_directory": self.logs, "linux": linux, **config}
        return self.call("RunPodSandbox", config=self.config, runtime_handler=self.runtime).pod_sandbox_id

    def create(self, pod, *command, security=None, resources=None, **config):
        """A container that was made, not started; without a command it sleeps."""
        linux = {"security_context": security or {}, "resources": resources or {}}
        return self.call("CreateContainer", pod_sandbox_id=pod, sandbox_config=self.config, config={
            "metadata": {"name": f"container-{len(self.call('ListContainers').containers)}"}, "image": {"image": BOX},
            "command": command or ["sleep", "1000"], "linux": linux, "log_path": "log", **config}).container_id

    def up(self, pod, *command, **config):
        """A container that runs: its id."""
        container = self.create(pod, *command, **config)
        self.call("StartContainer", container_id=container)
        return container

    def status(self, container):
        return self.call("ContainerStatus", container_id=container).status

    def exited(self, container):
        """Waits for the container's end; its status."""
        eventually(lambda: self.status(container).state == EXITED, "it does not end")
        return self.status(container)

    def info(self, container):
        return json.loads(self.call("ContainerStatus", container_id=container, verbose=True).info["info"])

    def pid(self, container):
        return self.info(container)["pid"]

    def inside(self, container, script, status=0):
        """A shell in a container that runs, as a probe of the kubelet's: what it wrote."""
        answer = self.call("ExecSync", container_id=container, cmd=["sh", "-c", script], timeout=20)
        if answer.exit_code != status:
            raise Failure(f"{script}: exit status {answer.exit_code}, not {status}: {answer.stderr.decode()}")
        return answer.stdout.decode().strip()

    def sh(self, script, linux=None, **config):
        """A shell in a pod of its own, to its end: what it wrote, and its exit status."""
        status = self.exited(self.up(self.pod(linux), "sh", "-c", script, **config))
        return self.log(), status.exit_code

    def log(self):
        """What the last pod's container wrote: each line has a time, a stream and a tag before it."""
        return "\n".join(line.split(" ", 3)[3] for line in read(self.logs, "log").splitlines())


@scenario
def version(c):
    """Version, Status: the runtime's class is known, and all is ready"""
    same(c.call("Version").runtime_api_version, "v1")
    answer = c.call("Status", verbose=True)
    has(answer.info["config"], c.binary)


@scenario
def pod(c):
    """RunPodSandbox, PodSandboxStatus, StopPodSandbox, RemovePodSandbox: with an address; nothing is left"""
    id = c.pod(hostname="inner")
    answer = c.call("PodSandboxStatus", pod_sandbox_id=id, verbose=True)
    same(answer.status.state, READY)
    same(answer.status.runtime_handler, c.runtime)
    has(answer.status.network.ip, "10.88.7.")
    has(answer.info["info"], c.binary)
    pid = json.loads(answer.info["info"])["pid"]
    path = cgroup_of(pid, "memory")
    c.call("StopPodSandbox", pod_sandbox_id=id)
    same(c.call("PodSandboxStatus", pod_sandbox_id=id).status.state, NOT_READY)
    true(not alive(pid), "the pod's process is still there")
    c.call("RemovePodSandbox", pod_sandbox_id=id)
    same(c.remains(), [])
    true(not os.path.exists("/sys/fs/cgroup/" + path), f"{path} is still there")


@scenario
def unknown_class(c):
    """a runtime class that is not configured"""
    c.refused("no runtime for \"other\" is configured", "RunPodSandbox", runtime_handler="other", config={
        "metadata": {"name": "other", "uid": "other", "namespace": "default"}, "linux": {}})


@scenario
def container(c):
    """CreateContainer, StartContainer, ContainerStatus, StopContainer, RemoveContainer"""
    id = c.create(c.pod(), "sh", "-c", "trap 'exit 4' TERM; echo on; while :; do sleep 0.1; done")
    same(c.status(id).state, CREATED)
    c.call("StartContainer", container_id=id)
    same(c.status(id).state, RUNNING)
    eventually(lambda: "on" in c.log(), "no log")
    pid = c.pid(id)
    c.call("StopContainer", container_id=id, timeout=20)
    same(c.status(id).state, EXITED)
    same(c.status(id).exit_code, 4)
    true(not alive(pid), "the process is still there")
    c.call("RemoveContainer", container_id=id)
    same([left.id for left in c.call("ListContainers").containers], [])


@scenario
def container_killed(c):
    """StopContainer of what does not heed: 137"""
    id = c.up(c.pod(), "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    c.call("StopContainer", container_id=id, timeout=1)
    same(c.status(id).exit_code, 137)


@scenario
def statuses(c):
    """exit statuses and reasons: Completed, Error"""
    pod = c.pod()
    same(c.exited(c.up(pod, "true")).reason, "Completed")
    status = c.exited(c.up(pod, "sh", "-c", "exit 7", metadata={"name": "second"}))
    same(status.exit_code, 7)
    same(status.reason, "Error")


@scenario
def not_found(c):
    """StartContainer of what is not there, or is no program: the cause"""
    for program, why in (("no-such", "executable file not found in $PATH"), ("/no/such", "no such file or directory"),
                         ("/etc/not-a-program", "permission denied")):
        id = c.create(c.pod(), program)
        c.refused(why, "StartContainer", container_id=id)
        same(c.status(id).state, EXITED)
        has(c.status(id).message, why)


@scenario
def log(c):
    """the log: both streams, and another file after ReopenContainerLog"""
    id = c.up(c.pod(), "sh", "-c", "echo out; echo err >&2; while :; do echo tick; sleep 0.1; done")
    path = os.path.join(c.logs, "log")
    eventually(lambda: "tick" in read(path), "no log")
    has(read(path), " stdout F out", " stderr F err")
    os.unlink(path)
    c.call("ReopenContainerLog", container_id=id)
    eventually(lambda: "tick" in read(path), "no log in the new file")


@scenario
def exec_sync(c):
    """ExecSync: output, errors, status, time-out; as probes do"""
    id = c.up(c.pod())
    answer = c.call("ExecSync", container_id=id, cmd=["sh", "-c", "echo out; echo err >&2; exit 5"], timeout=20)
    same((answer.stdout, answer.stderr, answer.exit_code), (b"out\n", b"err\n", 5))
    c.refused("executable file not found", "ExecSync", container_id=id, cmd=["no-such"])
    c.refused("timeout", "ExecSync", container_id=id, cmd=["sleep", "1000"], timeout=1)
    same(c.status(id).state, RUNNING)


@scenario
def exec_stream(c):
    """Exec: input, output, errors and status over a stream, as `kubectl exec -i`"""
    id = c.up(c.pod())
    url = c.call("Exec", container_id=id, cmd=["sh", "-c", "read x; echo got $x; echo err >&2; exit 6"], stdin=True,
                 stdout=True, stderr=True).url
    streams = Streams(url)
    streams.type("hello\n")
    same(streams.end(), ("got hello", "err", 6))


@scenario
def exec_terminal(c):
    """Exec: a terminal with its size, as `kubectl exec -it`"""
    id = c.up(c.pod())
    streams = Streams(c.call("Exec", container_id=id, cmd=["sh"], tty=True, stdin=True, stdout=True).url)
    streams.expect("# ")
    streams.resize(33, 101)
    streams.type("tty\n")
    streams.expect("/dev/pts/")
    streams.type(wait_for_size(33, 101))
    streams.expect("size 33x101")
    streams.type("exit 3\n")
    same(streams.end()[2], 3)


@scenario
def attach(c):
    """Attach: to a container with a terminal and standard input"""
    id = c.up(c.pod(), "sh", tty=True, stdin=True)
    streams = Streams(c.call("Attach", container_id=id, tty=True, stdin=True, stdout=True).url)
    streams.type("echo $((40+2)); exit 9\n")
    streams.expect("42")
    same(c.exited(id).exit_code, 9)


@scenario
def settings(c):
    """working directory, environment, host name, DNS"""
    pod = c.pod(hostname="inner", dns_config={"servers": ["10.1.2.3"], "searches": ["example.org"]})
    id = c.up(pod, working_dir="/tmp", envs=[{"key": "A", "value": "two words"}])
    same(c.inside(id, "pwd; echo $A; hostname"), "/tmp\ntwo words\ninner")
    has(c.inside(id, "cat /etc/resolv.conf"), "nameserver 10.1.2.3", "search example.org")


@scenario
def mounts(c):
    """mounts: read-write and read-only, of each propagation"""
    source = c.directory("cri-mounts")
    subprocess.run(["mount", "--bind", "--make-private", source, source], check=True)
    subprocess.run(["mount", "--make-shared", source], check=True)
    for name in ("inner", "outer"):
        c.directory("cri-mounts/" + name)
    c.file("cri-mounts/x", "outside\n")
    security = {"capabilities": {"add_capabilities": ["SYS_ADMIN"]}, "apparmor": {"profile_type": UNCONFINED}}
    try:
        id = c.up(c.pod(), security=security, mounts=[
            {"container_path": "/ro", "host_path": source, "readonly": True},
            {"container_path": "/slave", "host_path": source, "propagation": 1},
            {"container_path": "/shared", "host_path": source, "propagation": 2}])
        same(c.inside(id, "cat /ro/x; touch /ro/y", 1), "outside")
        subprocess.run(["mount", "-t", "tmpfs", "seen-outer", f"{source}/outer"], check=True)
        c.inside(id, "mount -t tmpfs seen-inner /shared/inner")
        shown = c.inside(id, "cat /proc/mounts")
        has(shown, "seen-outer /slave/outer", "seen-inner /slave/inner")
        lacks(shown, "/ro/outer")
        has(read("/proc/mounts"), "seen-inner")
    finally:
        c.tidy()
        subprocess.run(["umount", "--recursive", source], check=True)


@scenario
def devices(c):
    """devices: with their permissions, and no other"""
    id = c.up(c.pod(), devices=[{"container_path": "/dev/other", "host_path": "/dev/fuse", "permissions": "r"}])
    c.inside(id, "exec 3</dev/other")
    c.inside(id, "exec 3<>/dev/other", 1)
    c.inside(id, "mknod /tmp/mem c 1 1 && cat /tmp/mem", 1)


@scenario
def users(c):
    """run_as_user, run_as_group, run_as_username, supplemental_groups"""
    security = {"run_as_user": {"value": 1000}, "run_as_group": {"value": 77}, "supplemental_groups": [78, 79]}
    same(c.sh("id -u; id -g", security=security)[0], "1000\n77")
    has(c.sh("id -G", security=security)[0], "78", "79")
    same(c.sh("id -u", security={"run_as_username": "app"})[0], "1000")


@scenario
def capabilities(c):
    """capabilities: added, dropped, all"""
    def effective(**capabilities):
        shown, _ = c.sh("grep CapEff /proc/self/status", security={"capabilities": capabilities})
        return int(shown.split()[1], 16)
    same(effective(drop_capabilities=["ALL"]), 0)
    same(effective(drop_capabilities=["ALL"], add_capabilities=["NET_ADMIN"]), 1 << 12)
    same(effective(add_capabilities=["ALL"]), int(status_of("self", "CapBnd"), 16))


@scenario
def privileged(c):
    """privileged: all capabilities that there are, devices, no masks"""
    pod = c.pod({"security_context": {"privileged": True}})
    id = c.up(pod, security={"privileged": True})
    same(c.inside(id, "grep CapEff /proc/self/status").split()[1], status_of("self", "CapBnd"))
    has(c.inside(id, "ls /dev"), "fuse")
    c.inside(id, "mount -t tmpfs t /tmp && echo 4000 > /proc/sys/kernel/msgmax")


@scenario
def read_only(c):
    """readonly_rootfs, masked_paths, readonly_paths"""
    same(c.sh("touch /x", security={"readonly_rootfs": True})[1], 1)
    id = c.up(c.pod(), security={"masked_paths": ["/proc/keys", "/etc"], "readonly_paths": ["/tmp"]})
    same(c.inside(id, "cat /proc/keys; ls /etc"), "")
    c.inside(id, "touch /tmp/x", 1)


@scenario
def seccomp(c):
    """seccomp: the runtime's default, none, one's own; no_new_privs"""
    def status(profile, **more):
        return c.sh("grep -E 'Seccomp:|NoNewPrivs' /proc/self/status; unshare -U true 2>&1; mkdir /tmp/x 2>&1; true",
                    security={"seccomp": profile, **more})[0]
    has(status({"profile_type": RUNTIME_DEFAULT}), "Seccomp:\t2", "unshare: unshare", "NoNewPrivs:\t0")
    has(status({"profile_type": UNCONFINED}, no_new_privs=True), "Seccomp:\t0", "NoNewPrivs:\t1")
    profile = c.file("cri-seccomp.json", """{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}""")
    has(status({"profile_type": LOCALHOST, "localhost_ref": "localhost/" + profile}), "No space left on device")


@scenario
def namespaces(c):
    """the namespaces of the pod, the container, the node, another container"""
    pod = c.pod()
    first = c.up(pod, security={"namespace_options": {"pid": CONTAINER}})
    second = c.up(pod, security={"namespace_options": {"pid": CONTAINER}}, metadata={"name": "second"})
    for kind in ("net", "ipc", "uts"):
        same(namespace(c.pid(first), kind), namespace(c.pid(second), kind), f"the {kind} namespace")
    true(namespace(c.pid(first), "pid") != namespace(c.pid(second), "pid"), "the PID namespace is one")
    third = c.up(pod, security={"namespace_options": {"pid": TARGET, "target_id": first}}, metadata={"name": "third"})
    same(namespace(c.pid(third), "pid"), namespace(c.pid(first), "pid"))
    options = {"network": NODE, "pid": NODE, "ipc": NODE}
    node = c.up(c.pod({"security_context": {"namespace_options": options}}), security={"namespace_options": options})
    for kind in ("net", "pid", "ipc"):
        same(namespace(c.pid(node), kind), namespace("self", kind), f"the {kind} namespace")


@scenario
def shared_processes(c):
    """shareProcessNamespace: the containers of a pod see each other, and the pause process"""
    options = {"pid": POD}
    pod = c.pod({"security_context": {"namespace_options": options}})
    c.up(pod, "sleep", "1009", security={"namespace_options": options})
    second = c.up(pod, security={"namespace_options": options}, metadata={"name": "second"})
    has(c.inside(second, "ps"), "sleep 1009", "sleep 1000000")


@scenario
def sysctls(c):
    """sysctls of the pod"""
    pod = c.pod({"sysctls": {"net.ipv4.ip_unprivileged_port_start": "80", "kernel.msgmax": "4096"}})
    same(c.inside(c.up(pod), "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax"), "80\n4096")


@scenario
def limits(c):
    """memory, CPU, oom_score_adj; below the pod's cgroup"""
    parent, place = ("kubepods-burstable-pod_of_it.slice", "kubepods.slice/kubepods-burstable.slice/"
                     "kubepods-burstable-pod_of_it.slice/cri-containerd-") if systemd() else (
        "/kubepods/burstable/pod-of-it", "kubepods/burstable/pod-of-it/")
    pod = c.pod({"cgroup_parent": parent})
    pid = c.pid(c.up(pod, resources={"memory_limit_in_bytes": 64 << 20, "cpu_period": 100000, "cpu_quota": 50000,
                                     "cpu_shares": 512, "oom_score_adj": 900}))
    has(cgroup_of(pid, "memory"), place)
    same(limit(pid, "memory/memory.limit_in_bytes", "memory.max"), 64 << 20)
    same(limit(pid, "cpu/cpu.cfs_quota_us", "cpu.max").split()[0], 50000)
    same(read("/proc", pid, "oom_score_adj"), 900)


@scenario
def cpuset(c):
    """cpuset_cpus"""
    needs("cpuset")
    pid = c.pid(c.up(c.pod(), resources={"cpuset_cpus": "0"}))
    same(limit(pid, "cpuset/cpuset.cpus", "cpuset.cpus"), 0)


@scenario
def landlock(c):
    """an annotation of the pod: Coracle's Landlock policy, in force for its containers"""
    needs_landlock(c)
    pod = c.pod(annotations={"org.coracle.landlock": LANDLOCK})
    status = c.exited(c.up(pod, *UNDER_LANDLOCK))
    has(read(c.logs, "log"), "stdout F new", "Permission denied")
    same(status.exit_code, 0)
    same(c.exited(c.up(c.pod(), *UNDER_LANDLOCK)).exit_code, 1)


@scenario
def update(c):
    """UpdateContainerResources: of a container that runs, and of one that is only made"""
    id = c.up(c.pod(), resources={"memory_limit_in_bytes": 64 << 20, "cpu_quota": 50000, "cpu_period": 100000})
    c.call("UpdateContainerResources", container_id=id, linux={"memory_limit_in_bytes": 96 << 20})
    same(limit(c.pid(id), "memory/memory.limit_in_bytes", "memory.max"), 96 << 20)
    same(limit(c.pid(id), "cpu/cpu.cfs_quota_us", "cpu.max").split()[0], 50000)
    made = c.create(c.pod(), resources={"memory_limit_in_bytes": 64 << 20})
    c.call("UpdateContainerResources", container_id=made, linux={"memory_limit_in_bytes": 32 << 20})
    c.call("StartContainer", container_id=made)
    same(limit(c.pid(made), "memory/memory.limit_in_bytes", "memory.max"), 32 << 20)


@scenario
def stats(c):
    """ContainerStats: CPU and memory"""
    id = c.up(c.pod(), "sh", "-c", "while :; do :; done")
    eventually(lambda: c.call("ContainerStats", container_id=id).stats.cpu.usage_core_nano_seconds.value > 10000000,
               "no CPU use is shown")
    true(c.call("ContainerStats", container_id=id).stats.memory.working_set_bytes.value > 0, "no memory use is shown")


@scenario
def out_of_memory(c):
    """OOMKilled, 137"""
    status = c.exited(c.up(c.pod(), *GREEDY, resources={"memory_limit_in_bytes": 16 << 20}))
    same(status.exit_code, 137)
    eventually(lambda: c.status(status.id).reason == "OOMKilled", "OOMKilled is not told")


@scenario
def host_port(c):
    """a server in a pod: answers at the pod's address, and at the port of the host"""
    pod = c.pod(port_mappings=[{"container_port": 80, "host_port": 8098}])
    c.up(pod, "sh", "-c", "mkdir /w; echo page > /w/index.html; exec httpd -f -p 80 -h /w")
    address = c.call("PodSandboxStatus", pod_sandbox_id=pod).status.network.ip
    for place in (address, "127.0.0.1:8098"):
        fetch = ["busybox", "wget", "-q", "-O", "-", f"http://{place}/"]
        eventually(lambda: system.run(fetch, status=None) == "page", f"no page is served at {place}")


@scenario
def restart(c):
    """containerd is killed and comes again: pods go on, and an end meanwhile is told"""
    pod = c.pod()
    kept, ends = c.up(pod), c.up(pod, "sh", "-c", "sleep 2; exit 33", metadata={"name": "ends"})
    pid = c.pid(kept)
    c.daemon.stop(signal.SIGKILL)
    c.channel.close()
    true(alive(pid), "the container ended with containerd")
    c.launch()
    c.connect()
    same(c.pid(kept), pid)
    same(c.inside(kept, "echo again"), "again")
    same(c.exited(ends).exit_code, 33)


@scenario
def pod_process_killed(c):
    """the pod's own process is killed: the pod is not ready, its containers can be removed"""
    pod = c.pod()
    c.up(pod)
    info = json.loads(c.call("PodSandboxStatus", pod_sandbox_id=pod, verbose=True).info["info"])
    os.kill(info["pid"], signal.SIGKILL)
    eventually(lambda: c.call("PodSandboxStatus", pod_sandbox_id=pod).status.state == NOT_READY,
               "the pod is still ready")


@scenario
def many(c):
    """a pod of eight containers, and each with its own status"""
    pod = c.pod()
    ids = [c.up(pod, "sh", "-c", f"exit {n}", metadata={"name": f"number-{n}"}) for n in range(8)]
    same([c.exited(id).exit_code for id in ids], list(range(8)))


@scenario
def nothing_left(c):
    """no mount, no cgroup, no state is left"""
    mounts = len(read("/proc/self/mountinfo").splitlines())
    pod = c.pod({"cgroup_parent": "kubepods-gone.slice" if systemd() else "/kubepods/gone"})
    c.up(pod)
    c.tidy()
    same(len(read("/proc/self/mountinfo").splitlines()), mounts, "the number of mounts")
    same([path for path, _, _ in os.walk("/sys/fs/cgroup") if pod in path], [])
