"""Docker: builds, compose, checkpoints, and daemons that go and come."""

import os
import signal
import time

from . import system
from .images import BOX, COUNTER
from .scenario import scenario
from .system import alive, eventually, has, lacks, namespace, needs_criu, read, same, true

DOCKERFILE = f"""FROM {BOX}
RUN echo built > /built && mkdir /app && chown app /app
USER app
WORKDIR /app
RUN id -u > uid
ENV MADE=here
CMD cat /built uid
"""


@scenario
def info(d):
    """info: the runtime is known, and is the default"""
    same(d("info", "--format", "{{.DefaultRuntime}}"), d.runtime)
    has(d("info", "--format", "{{.Runtimes}}"), d.runtime)


@scenario
def runtime_flag(d):
    """run --runtime: by name"""
    c = d.up("--runtime", d.runtime)
    same(d.inspect(c, ".HostConfig.Runtime"), d.runtime)


def build(d, **env):
    directory = os.path.dirname(d.file("build/Dockerfile", DOCKERFILE))
    d("build", "--no-cache", "--network", "none", "--tag", "localhost/built", directory, env=env)
    same(d("run", "--rm", "localhost/built"), "built\n1000")
    d("rmi", "localhost/built")


@scenario
def build_classic(d):
    """build, in the classic way"""
    build(d, DOCKER_BUILDKIT="0")


@scenario
def build_buildkit(d):
    """build with BuildKit, whose worker calls the runtime"""
    build(d, DOCKER_BUILDKIT="1")


@scenario
def build_failure(d):
    """build: the failing command's exit status is told"""
    directory = os.path.dirname(d.file("build-fails/Dockerfile", f"FROM {BOX}\nRUN exit 42\n"))
    for kit in ("0", "1"):
        result = d("build", "--no-cache", "--network", "none", directory, env={"DOCKER_BUILDKIT": kit}, status=None)
        true(result.status != 0, "it succeeded")
        has(result.err + result, "42")


@scenario
def compose(d):
    """compose: up, ps, exec, logs, down"""
    file = d.file("compose/docker-compose.yml", f"""
version: "2.4"
services:
  server: {{image: "{BOX}", command: sleep 1000, mem_limit: 32m, environment: [A=b]}}
  client: {{image: "{BOX}", command: sh -c "ping -c 1 -W 5 server && echo reached && sleep 1000", depends_on: [server]}}
""")

    def compose(*args):
        return system.run(["docker-compose", "--file", file, *args], timeout=80)
    compose("up", "--detach")
    try:
        eventually(lambda: "reached" in compose("logs", "client"), "the services do not find each other")
        same(compose("exec", "-T", "server", "sh", "-c", "echo $A"), "b")
        has(compose("ps"), "server", "Up")
    finally:
        compose("down", "--timeout", "0")


@scenario
def checkpoint(d):
    """checkpoint create, start --checkpoint: the process goes on where it was"""
    needs_criu()
    c = counter(d)
    d("checkpoint", "create", c, "point")
    same(d.inspect(c, ".State.Running"), "false")
    counted = count(d, c)

    def restored():
        # Docker may meet what it has left of the checkpoint itself, until that is collected.
        result = d("start", "--checkpoint", "point", c, status=None)
        true(result.status == 0 or "already exists" in result.err, f"it is not restored: {result.err}")
        return result.status == 0
    eventually(restored, "it is not restored")
    goes_on(d, c, counted)
    same(d("exec", c, "echo", "again"), "again")
    d("stop", "-t", "0", c)
    same(d.inspect(c, ".State.ExitCode"), 137)


@scenario
def checkpoint_leave_running(d):
    """checkpoint create --leave-running: it goes on at once; checkpoint ls, rm"""
    needs_criu()
    c = counter(d)
    counted = count(d, c)
    d("checkpoint", "create", "--leave-running", c, "point")
    same(d.inspect(c, ".State.Running"), "true")
    goes_on(d, c, counted)
    has(d("checkpoint", "ls", c), "point")
    d("checkpoint", "rm", c, "point")
    lacks(d("checkpoint", "ls", c), "point")


def counter(d):
    """A container that writes 1, 2, 3 …; it has written some."""
    c = d.up("--security-opt", "seccomp=unconfined", "--network", "none", "--", *COUNTER)
    eventually(lambda: "5" in d("logs", c).split(), "it does not count")
    return c


def count(d, c):
    return int(d("logs", c).split()[-1])


def goes_on(d, c, counted):
    """It counts on from there, and has not begun anew."""
    eventually(lambda: count(d, c) > counted, "it does not go on")
    same(d("logs", c).split().count("1"), 1, "the number of starts from one")


@scenario
def remapped_users(d):
    """userns-remap: root inside is nobody outside"""
    for file in ("/etc/subuid", "/etc/subgid"):
        with open(file, "w") as table:
            table.write("dockremap:200000:65536\n")
    d.tidy()
    d.restart("--userns-remap", "default")
    try:
        d("load", "--input", d.archive)
        c = d.up()
        pid = d.pid(c)
        same(system.status_of(pid, "Uid").split()[0], 200000)
        true(namespace(pid, "user") != namespace("self", "user"), "the user namespace is the host's")
        same(d.inside(c, "id -u; echo x > /root/x; cat /proc/self/uid_map | tr -s ' '"), "0\n 0 200000 65536")
        same(d.run("--", "stat", "-c", "%U", "/home/app"), "app")
        same(d.sh("mount -t tmpfs t /tmp && echo mounted", "--userns", "host", "--cap-add", "SYS_ADMIN",
                  "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"), "mounted")
        same(d("exec", "-u", "app", c, "id", "-u"), 1000)
    finally:
        d.tidy()
        d.restart()


@scenario
def live_restore(d):
    """live-restore: containers go on without the daemon, and are known again"""
    d.restart("--live-restore")
    try:
        c = d.up("--", "sh", "-c", "while :; do echo x; sleep 0.2; done")
        pid = d.pid(c)
        d.daemon.stop()
        true(alive(pid), "the container ended with the daemon")
        d.launch("--live-restore")
        same(d.pid(c), pid)
        same(d("exec", c, "echo", "again"), "again")
        d("stop", "-t", "0", c)
        same(d.inspect(c, ".State.ExitCode"), 137)
    finally:
        d.tidy()
        d.restart()


@scenario
def live_restore_crash(d):
    """live-restore: the daemon is killed; a container that ends meanwhile is told with its status"""
    d.restart("--live-restore")
    try:
        kept = d.up()
        ends = d.up("--", "sh", "-c", "sleep 2; exit 33")
        pid = d.pid(kept)
        d.daemon.stop(signal.SIGKILL)
        true(alive(pid), "the container ended with the daemon")
        time.sleep(2.5)
        d.launch("--live-restore")
        same(d.pid(kept), pid)
        same(d.inspect(ends, ".State.Status"), "exited")
        same(d.inspect(ends, ".State.ExitCode"), 33)
    finally:
        d.tidy()
        d.restart()


@scenario
def daemon_crash(d):
    """the daemon is killed and comes again: what ran is ended, and restarted where its policy says so"""
    once, always = d.up(), d.up("--restart", "always")
    pids = [d.pid(once), d.pid(always)]
    d.restart(how=signal.SIGKILL)
    eventually(lambda: d.inspect(once, ".State.Running") == "false", "the container without policy runs")
    eventually(lambda: d.inspect(always, ".State.Running") == "true" and d.pid(always) not in pids,
               "the container with a policy does not come again")
    eventually(lambda: not any(map(alive, pids)), "old processes are still there")
    has(d("exec", always, "echo", "again"), "again")


@scenario
def shim_killed(d):
    """the shim is killed: Docker tells it, and removes the rest"""
    c = d.up()
    pid = d.pid(c)
    shims = [int(p) for p in filter(str.isdigit, os.listdir("/proc"))
             if c in read("/proc", p, "cmdline") and "shim" in read("/proc", p, "comm")]
    true(shims, "there is no shim")
    os.kill(shims[0], signal.SIGKILL)
    eventually(lambda: d.inspect(c, ".State.Running") == "false", "it is still told to run")
    eventually(lambda: not alive(pid), "the process is still there")
    d("rm", "-f", c)
    eventually(lambda: not d.remains(), "the state is still there")


@scenario
def system_paths(d):
    """the runtime's log: nothing is left in it that Docker did not expect"""
    c = d.up()
    d("kill", c)
    d.exited(c, 137)
    lines = [line for line in read(d.daemon.log).splitlines() if c in line and "level=error" in line]
    same(lines, [])
