"""Docker: the life of a container, from run to rm."""

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from .docker import BOX
from .images import GREEDY
from .scenario import scenario
from .system import alive, cgroup_of, eventually, has, lacks, read, same, true


@scenario
def run_output(d):
    """run: output, errors and exit status are the container's"""
    result = d.sh("echo out; echo err >&2; exit 7", status=7)
    same(result, "out")
    same(result.err, "err")


@scenario
def run_stdin(d):
    """run -i: standard input reaches the container, and its end too"""
    same(d.run("-i", "--", "cat", stdin="one\ntwo\n"), "one\ntwo")


@scenario
def run_large_output(d):
    """run: ten megabytes come through whole"""
    same(len(d.sh("head -c 10000000 /dev/zero | tr '\\0' x")), 10000000)


@scenario
def run_terminal(d):
    """run -it: a terminal, with its size and its line discipline"""
    shell = d.terminal("run", "--rm", "-it", BOX, "sh", rows=33, columns=101)
    shell.expect("# ")
    shell.type("tty; echo $((40+2))\n")
    shell.expect("/dev/pts/0")
    shell.expect("42")
    shell.expect_size(33, 101)
    shell.resize(20, 70)
    shell.expect_size(20, 70)
    shell.type("exit 3\n")
    shell.end(status=3)


@scenario
def run_terminal_interrupt(d):
    """run -it: Ctrl-C reaches the foreground process"""
    shell = d.terminal("run", "--rm", "-it", BOX, "sh", "-c",
                       "trap 'exit 5' INT; echo ready; while :; do sleep 0.1; done")
    shell.expect("ready")
    shell.type("\x03")
    shell.end(status=5)


@scenario
def run_signal(d):
    """run: a signal to the client is passed on to the container"""
    client = subprocess.Popen(["/usr/bin/docker", "run", "--rm", BOX, "sh", "-c",
                               "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done"],
                              stdout=subprocess.PIPE, text=True)
    client.stdout.readline()
    client.send_signal(signal.SIGTERM)
    same(client.wait(20), 9)


@scenario
def detached_logs(d):
    """run -d, logs, ps: what the container writes is kept, and it is shown"""
    c = d.up("--name", "logs", "--", "sh", "-c", "echo one; echo two >&2; sleep 1000")
    eventually(lambda: "one" in d("logs", c), "no output in the log")
    result = d("logs", c)
    same(result.err, "two")
    has(d("ps"), "logs", "Up")
    has(read("/proc", d.pid(c), "cmdline"), "sleep\x001000")


@scenario
def attach(d):
    """attach: shows output, and ends with the container's status"""
    c = d.up("--", "sh", "-c", "while :; do echo tick; sleep 0.1; done")
    client = d.terminal("attach", "--sig-proxy=false", c)
    client.expect("tick")
    d("kill", c)
    client.end(status=137)


@scenario
def start_interactive(d):
    """start -ai: standard input reaches a container that was made before"""
    c = d("create", "-i", BOX, "sh", "-c", "read x; echo got $x; exit 5")
    same(d("start", "--attach", "--interactive", c, stdin="hello\n", status=5), "got hello")


@scenario
def attach_detach(d):
    """attach: the detach keys leave the container running"""
    c = d.up("-it", "--", "sh")
    client = d.terminal("attach", c)
    client.read(0.5)
    client.type("\n")
    client.expect("# ")
    client.type("\x10\x11")
    client.end(status=None)
    same(d.inspect(c, ".State.Running"), "true")


@scenario
def stop_gently(d):
    """stop: SIGTERM first; a container that heeds it ends in its own way"""
    c = d.up("--", "sh", "-c", "trap 'echo bye; exit 4' TERM; while :; do sleep 0.1; done")
    eventually(lambda: d.inspect(c, ".State.Running") == "true", "it does not run")
    d("stop", c)
    same(d.inspect(c, ".State.ExitCode"), 4)
    same(d("logs", c), "bye")


@scenario
def stop_hard(d):
    """stop -t 1: SIGKILL for what does not heed"""
    c = d.up("--", "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    pid = d.pid(c)
    d("stop", "-t", "1", c)
    same(d.inspect(c, ".State.ExitCode"), 137)
    true(not alive(pid), "the process is still there")


@scenario
def stop_signal(d):
    """--stop-signal: another signal than SIGTERM"""
    c = d.up("--stop-signal", "USR1", "--", "sh", "-c", "trap 'exit 6' USR1; while :; do sleep 0.1; done")
    d("stop", c)
    same(d.inspect(c, ".State.ExitCode"), 6)


@scenario
def kill(d):
    """kill: SIGKILL, or another; refused for what does not run"""
    c = d.up("--", "sh", "-c", "trap 'echo usr' USR1; while :; do sleep 0.1; done")
    d("kill", "--signal", "USR1", c)
    eventually(lambda: "usr" in d("logs", c), "the signal does not arrive")
    d("kill", c)
    d.exited(c, 137)
    d.refuses(1, "is not running", "kill", c)


@scenario
def kill_all_processes(d):
    """kill: the other processes of the container end too"""
    c = d.up("--", "sh", "-c", "sleep 1001 & sleep 1002 & wait")
    pids = eventually(lambda: len(found := processes_in(d.pid(c))) == 3 and found, "its processes do not start")
    d("kill", c)
    d.exited(c, 137)
    eventually(lambda: not any(alive(pid) for pid in pids), "processes remain")


@scenario
def kill_host_pid(d):
    """kill, with --pid host: the other processes of the container end too"""
    c = d.up("--pid", "host", "--", "sh", "-c", "sleep 1003 & sleep 1004 & wait")
    cgroup = d.pid(c)
    pids = eventually(lambda: len(found := in_cgroup(cgroup)) == 3 and found, "its processes do not start")
    d("kill", c)
    d.exited(c, 137)
    eventually(lambda: not any(alive(pid) for pid in pids), "processes remain")


def processes_in(pid):
    """The processes of a process's PID namespace."""
    own = os.readlink(f"/proc/{pid}/ns/pid")
    found = []
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{other}/ns/pid") == own:
                found.append(int(other))
        except OSError:
            pass
    return found


def in_cgroup(pid):
    return [int(p) for p in read("/sys/fs/cgroup", cgroup_of(pid, "pids"), "cgroup.procs").split()]


@scenario
def restart(d):
    """restart: another process in the same container"""
    c = d.up()
    before = d.pid(c)
    d("restart", "-t", "0", c)
    true(d.pid(c) != before, "the process is the same")
    same(d.inspect(c, ".State.Running"), "true")


@scenario
def restart_on_failure(d):
    """--restart on-failure:2: tried so many times"""
    c = d.up("--restart", "on-failure:2", "--", "sh", "-c", "echo try; exit 3")
    eventually(lambda: d.inspect(c, ".RestartCount") == "2" and d.inspect(c, ".State.Status") == "exited",
               "it was not restarted twice")
    same(d("logs", c).split(), ["try", "try", "try"])
    same(d.inspect(c, ".State.ExitCode"), 3)


@scenario
def restart_always(d):
    """--restart always: comes again after its process was killed"""
    c = d.up("--restart", "always")
    before = d.pid(c)
    os.kill(before, signal.SIGKILL)
    eventually(lambda: d.pid(c) not in (0, before), "it does not come again")


@scenario
def pause(d):
    """pause, unpause: the processes stand still, exec and signals wait"""
    c = d.up("--", "sh", "-c", "while :; do echo x; sleep 0.1; done")
    d("pause", c)
    same(d.inspect(c, ".State.Status"), "paused")
    count = len(d("logs", c))
    d.refuses(1, "is paused", "exec", c, "true")
    same(len(d("logs", c)), count)
    d("unpause", c)
    eventually(lambda: len(d("logs", c)) > count, "it does not go on")
    same(d.inspect(c, ".State.Status"), "running")


@scenario
def stop_paused(d):
    """kill and rm -f of a paused container"""
    c = d.up()
    pid = d.pid(c)
    d("pause", c)
    d("rm", "-f", c)
    eventually(lambda: not alive(pid), "the process is still there")


@scenario
def wait(d):
    """wait: the exit status, of a container that runs and of one that ended"""
    c = d.up("--", "sh", "-c", "sleep 1; exit 42")
    d.exited(c, 42)
    d.exited(c, 42)


@scenario
def create_start(d):
    """create, start -a: in two steps"""
    c = d("create", BOX, "sh", "-c", "echo started; exit 2")
    same(d.inspect(c, ".State.Status"), "created")
    same(d("start", "--attach", c, status=2), "started")


@scenario
def start_twice(d):
    """start: a container that ended starts again with its files"""
    c = d("create", BOX, "sh", "-c", "cat /tmp/x; echo $$-again > /tmp/x")
    d("start", "--attach", c)
    same(d("start", "--attach", c), "1-again")


@scenario
def exit_126(d):
    """run of a file that is no program: 126, and why"""
    d.refuses(126, "permission denied", "run", "--rm", BOX, "/etc/not-a-program")
    d.refuses(126, "permission denied", "run", "--rm", BOX, "/etc")


@scenario
def exit_127(d):
    """run of what is not there: 127, and why"""
    d.refuses(127, "no such file or directory", "run", "--rm", BOX, "/no/such")
    d.refuses(127, "executable file not found in $PATH", "run", "--rm", BOX, "no-such")
    c = d("create", BOX, "no-such")
    d("start", c, status=1)
    same(d.inspect(c, ".State.ExitCode"), 127)
    has(d.inspect(c, ".State.Error"), "executable file not found in $PATH")


@scenario
def exit_125(d):
    """run with a mount that cannot be: 125, with the cause"""
    result = d.refuses(125, "not a directory", "run", "--rm", "--volume", "/etc/passwd:/etc", BOX, "true")
    has(result.err, "OCI runtime create failed")


@scenario
def working_directory_is_file(d):
    """run -w on a file: an error that names it"""
    result = d("run", "--rm", "-w", "/etc/passwd", BOX, "true", status=None)
    true(result.status in (125, 126, 127), f"exit status {result.status}")
    has(result.err, "/etc/passwd")


@scenario
def exit_137(d):
    """a process that was killed: 137; 139 for a segmentation fault"""
    d.sh("kill -9 $$", "--init", status=137)
    d.sh("kill -11 $$", "--init", status=139)


@scenario
def out_of_memory(d):
    """OOMKilled is told, with 137 and an event"""
    start = time.time()
    c = d.up("-m", "16m", "--memory-swap", "16m", "--", *GREEDY)
    d.exited(c, 137)
    eventually(lambda: d.inspect(c, ".State.OOMKilled") == "true", "OOMKilled is not told")
    has(events_of(d, c, start), "oom")


@scenario
def events(d):
    """events: create, start, exec, pause, die, destroy"""
    start = time.time()
    c = d.up()
    d("exec", c, "true")
    d("pause", c)
    d("unpause", c)
    d("rm", "-f", c)
    has(events_of(d, c, start), "create", "start", "exec_start: true", "exec_die", "pause", "unpause", "die", "destroy")


def events_of(d, container, start):
    return d("events", "--since", f"{start:.6f}", "--until", f"{time.time() + 0.5:.6f}", "--filter",
             f"container={container}", "--format", "{{.Action}}")


@scenario
def health(d):
    """health checks: starting, healthy, unhealthy"""
    c = d.up("--health-cmd", "test -f /tmp/well", "--health-interval", "300ms", "--health-retries", "2",
             "--", "sh", "-c", "touch /tmp/well; sleep 1000")
    eventually(lambda: d.inspect(c, ".State.Health.Status") == "healthy", "it does not become healthy")
    d.inside(c, "rm /tmp/well")
    eventually(lambda: d.inspect(c, ".State.Health.Status") == "unhealthy", "it does not become unhealthy")


@scenario
def copy(d):
    """cp: into and out of a running and a stopped container"""
    path = d.file("copied", "text\n")
    c = d.up()
    d("cp", path, f"{c}:/tmp/in")
    same(d.inside(c, "cat /tmp/in; echo more >> /tmp/in"), "text")
    d("kill", c)
    d("cp", f"{c}:/tmp/in", path)
    same(read(path), "text\nmore")


@scenario
def commit_diff(d):
    """diff, commit: the container's changes, and an image of them"""
    c = d.up("--", "sh", "-c", "echo new > /tmp/file; sleep 1000")
    eventually(lambda: "A /tmp/file" in d("diff", c), "diff does not show the file")
    lacks(d("diff", c), "/dev/", "/proc", "/sys")
    d("commit", c, "localhost/committed")
    same(d("run", "--rm", "localhost/committed", "cat", "/tmp/file"), "new")
    d("rmi", "localhost/committed", status=None)


@scenario
def rename(d):
    """rename, and exec by the new name"""
    d.up("--name", "before")
    d("rename", "before", "after")
    same(d("exec", "after", "echo", "ok"), "ok")


@scenario
def many_at_once(d):
    """twelve containers at a time: each with its own output, nothing left"""
    with ThreadPoolExecutor(12) as pool:
        outputs = list(pool.map(lambda n: str(d.run("--", "echo", n)), range(12)))
    same(outputs, [str(n) for n in range(12)])


@scenario
def nothing_left(d):
    """rm: no process, no cgroup, no mount, no state is left"""
    mounts = len(read("/proc/self/mountinfo").splitlines())
    c = d.up("-v", "volume:/v", "--tmpfs", "/t")
    pid = d.pid(c)
    true(d.remains(), "where is the runtime's state?")
    d("rm", "-f", c)
    true(not alive(pid), "the process is still there")
    eventually(lambda: not d.remains(), "the state is still there")
    lefts = [path for path, _, _ in os.walk("/sys/fs/cgroup") if c in path]
    true(not lefts, f"cgroups are still there: {lefts}")
    same(len(read("/proc/self/mountinfo").splitlines()), mounts, "the number of mounts")
