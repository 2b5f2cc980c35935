"""Docker: exec, top, stats, and the process's own settings."""

from concurrent.futures import ThreadPoolExecutor

from .docker import BOX
from .scenario import scenario
from .system import Skip, eventually, has, lacks, limit, matches, read, same, status_of, true


@scenario
def exec_output(d):
    """exec: output, errors, standard input and exit status"""
    c = d.up()
    result = d.inside(c, "echo out; echo err >&2; exit 7", status=7)
    same(result, "out")
    same(result.err, "err")
    same(d("exec", "-i", c, "cat", stdin="in\n"), "in")


@scenario
def exec_terminal(d):
    """exec -it: a terminal with its size"""
    c = d.up()
    shell = d.terminal("exec", "-it", c, "sh", rows=31, columns=99)
    shell.expect("# ")
    shell.type("tty\n")
    shell.expect("/dev/pts/")
    shell.expect_size(31, 99)
    shell.type("exit 8\n")
    shell.end(status=8)


@scenario
def exec_settings(d):
    """exec -u, -e, -w: user, environment, directory"""
    c = d.up("-e", "FROM=run")
    shown = d("exec", "-u", "app", "-e", "MORE=exec", "-w", "/tmp", c, "sh", "-c",
              "id -u; id -g; id -G; pwd; echo $FROM $MORE $HOME")
    same(shown, "1000\n1000\n1000 1001\n/tmp\nrun exec /home/app")
    same(d("exec", "-u", "1234:77", c, "sh", "-c", "id -u; id -g"), "1234\n77")


@scenario
def exec_privileged(d):
    """exec --privileged: with all that the host can give"""
    c = d.up()
    plain = d("exec", c, "grep", "CapEff", "/proc/self/status")
    more = d("exec", "--privileged", c, "grep", "CapEff", "/proc/self/status")
    true(int(more.split()[1], 16) > int(plain.split()[1], 16), f"{plain} is not less than {more}")


@scenario
def exec_detached(d):
    """exec -d: goes on by itself"""
    c = d.up()
    d("exec", "-d", c, "sh", "-c", "echo done > /tmp/done; sleep 1000")
    eventually(lambda: d.inside(c, "cat /tmp/done", status=None) == "done", "it did not run")
    has(d("top", c), "sleep 1000")


@scenario
def exec_not_found(d):
    """exec of what is not there, or is no program: 126 or 127, and why"""
    c = d.up()
    for program, why in (("no-such", "executable file not found in $PATH"), ("/no/such", "no such file or directory"),
                         ("/etc/not-a-program", "permission denied")):
        result = d("exec", c, program, status=None)
        true(result.status in (126, 127), f"exit status {result.status} for {program}")
        has(result.err + result, why)


@scenario
def exec_stopped(d):
    """exec in a container that ended"""
    c = d.up("--", "true")
    d.exited(c, 0)
    d.refuses(1, "is not running", "exec", c, "true")


@scenario
def exec_unknown_user(d):
    """exec -u of a user who is not there"""
    c = d.up()
    # Newer daemons find it out themselves.
    result = d("exec", "-u", "nobody-such", c, "true", status=None)
    true(result.status in (1, 126), f"exit status {result.status}")
    has(result.err + result, "no matching entries in passwd file")


@scenario
def exec_in_limits(d):
    """exec: in the container's cgroup, namespaces and root"""
    c = d.up("--hostname", "inner", "-m", "64m")
    same(d.inside(c, "hostname; cat /proc/1/cmdline | tr '\\0' ' '"), "inner\nsleep 1000")
    same(d.inside(c, "cat /proc/self/cgroup"), d.inside(c, "cat /proc/1/cgroup"))


@scenario
def exec_security(d):
    """exec: the container's capabilities, no_new_privs and seccomp hold for it too"""
    c = d.up("--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    shown = d.inside(c, "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status")
    has(shown, "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2")


@scenario
def exec_parallel(d):
    """eight execs at a time"""
    c = d.up()
    with ThreadPoolExecutor(8) as pool:
        outputs = list(pool.map(lambda n: str(d("exec", c, "echo", n)), range(8)))
    same(outputs, [str(n) for n in range(8)])


@scenario
def top(d):
    """top: the container's processes, and ps options"""
    c = d.up("--", "sh", "-c", "sleep 1005 & wait")
    eventually(lambda: "sleep 1005" in d("top", c), "top does not show the process")
    has(d("top", c, "-o", "pid,args"), str(d.pid(c)))


@scenario
def stats(d):
    """stats: CPU, memory against its limit, processes"""
    c = d.up("-m", "64m", "--", "sh", "-c", "while :; do :; done")
    shown = eventually(lambda: (row := d("stats", "--no-stream", "--format",
                                         "{{.CPUPerc}} {{.MemUsage}} {{.PIDs}}", c))
                       and not row.startswith("0.00%") and row, "no CPU use is shown")
    matches(shown, r"^\d+\.\d+% \d.*B / 64MiB 1$")


@scenario
def user_and_groups(d):
    """-u, --group-add: names and numbers"""
    same(d.sh("id -u; id -g; id -G", "-u", "app"), "1000\n1000\n1000 1001")
    same(d.sh("id -u; id -g; id -G", "-u", "4000:5000", "--group-add", "extra", "--group-add", "77"),
         "4000\n5000\n5000 77 1001")
    d.refuses(125, "no matching entries in passwd file", "run", "--rm", "-u", "nobody-such", BOX, "true")


@scenario
def user_terminal(d):
    """-u with -t: the user owns the terminal"""
    shell = d.terminal("run", "--rm", "-t", "-u", "app", BOX, "sh", "-c", "stat -c %u $(tty); echo t > /dev/tty")
    has(shell.end(), "1000", "t")


@scenario
def environment(d):
    """-e, --env-file, HOME, PATH, --entrypoint"""
    file = d.file("env", "B=two words\n")
    same(d.sh("echo $A-$B-$HOME-$IMAGE", "-e", "A=one", "--env-file", file), "one-two words-/root-box")
    same(d("run", "--rm", "--entrypoint", "echo", BOX, "a", "b"), "a b")


@scenario
def working_directory(d):
    """-w: made where it is missing"""
    same(d.run("-w", "/made/here", "--", "pwd"), "/made/here")


@scenario
def init(d):
    """--init: the first process reaps"""
    c = d.up("--init")
    has(d.inside(c, "cat /proc/1/cmdline | tr '\\0' ' '"), "docker-init")
    d.inside(c, "(sleep 0.1 &) ; sleep 0.5")
    lacks(d.inside(c, "ps"), "[sleep]")


@scenario
def ulimits(d):
    """--ulimit: soft and hard"""
    shown = d.sh("cat /proc/self/limits", "--ulimit", "nofile=100:200", "--ulimit", "core=0")
    matches(shown, r"Max open files +100 +200 ")
    matches(shown, r"Max core file size +0 +0 ")


@scenario
def sysctls(d):
    """--sysctl: of the container's own namespaces"""
    same(d.sh("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_unprivileged_port_start",
              "--sysctl", "net.ipv4.ip_forward=0", "--sysctl", "kernel.msgmax=4096",
              "--sysctl", "net.ipv4.ip_unprivileged_port_start=80"), "0\n4096\n80")
    # Docker lets through what it takes for namespaced; the kernel's own word is the runtime's business.
    result = d.run("--sysctl", "net.ipv4.no_such=1", "--", "true", status=None)
    true(result.status in (125, 127), f"exit status {result.status}")
    has(result.err, "no_such")


@scenario
def out_of_memory_score(d):
    """--oom-score-adj"""
    same(d.run("--oom-score-adj", "500", "--", "cat", "/proc/self/oom_score_adj"), 500)


@scenario
def capabilities(d):
    """--cap-drop, --cap-add: exactly what was asked for"""
    def effective(*flags):
        return int(d.run(*flags, "--", "grep", "CapEff", "/proc/self/status").split()[1], 16)
    same(f"{effective():x}", "a80425fb", "Docker's default set")
    same(effective("--cap-drop", "ALL"), 0)
    same(effective("--cap-drop", "ALL", "--cap-add", "NET_ADMIN"), 1 << 12)
    c = d.up("--cap-add", "SYS_PTRACE")
    true(int(status_of(d.pid(c), "CapEff"), 16) & 1 << 19, "CAP_SYS_PTRACE is missing outside")


@scenario
def capabilities_all(d):
    """--cap-add ALL: all that the engine knows and the host has"""
    all_capabilities(d.run("--cap-add", "ALL", "--", "grep", "CapEff", "/proc/self/status").split()[1])


def all_capabilities(given):
    """Docker may know the first 38 alone; of these, all that the host has must be given, and no other."""
    host, given, known = int(status_of("self", "CapBnd"), 16), int(given, 16), (1 << 38) - 1
    true(given & ~host == 0 and host & ~given & known == 0, f"{given:x} of {host:x} were given")


@scenario
def capabilities_of_user(d):
    """-u app: no effective capabilities"""
    has(d.run("-u", "app", "--", "cat", "/proc/self/status"), "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000")


@scenario
def no_new_privileges(d):
    """--security-opt no-new-privileges"""
    has(d.run("--security-opt", "no-new-privileges", "--", "cat", "/proc/self/status"), "NoNewPrivs:\t1")
    has(d.run("--", "cat", "/proc/self/status"), "NoNewPrivs:\t0")


@scenario
def seccomp_default(d):
    """seccomp: Docker's default profile forbids"""
    has(d.run("--", "cat", "/proc/self/status"), "Seccomp:\t2")
    d.refuses(1, "Operation not permitted", "run", "--rm", BOX, "unshare", "-U", "true")


@scenario
def seccomp_unconfined(d):
    """seccomp=unconfined: no filter"""
    has(d.run("--security-opt", "seccomp=unconfined", "--", "cat", "/proc/self/status"), "Seccomp:\t0")


@scenario
def seccomp_profile(d):
    """seccomp: a profile of one's own"""
    profile = d.file("seccomp.json", """{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
        {"names": ["sethostname"], "action": "SCMP_ACT_KILL_PROCESS"}]}""")
    d.refuses(1, "No space left on device", "run", "--rm", "--security-opt", f"seccomp={profile}", BOX, "mkdir", "/x")
    d.run("--cap-add", "SYS_ADMIN", "--security-opt", f"seccomp={profile}", "--", "hostname", "x", status=159)


@scenario
def apparmor(d):
    """--security-opt apparmor: a profile, or none"""
    if not read("/sys/module/apparmor/parameters/enabled").startswith("Y"):
        raise Skip("the kernel has no AppArmor")
    has(d.run("--", "cat", "/proc/self/attr/current"), "docker-default (enforce)")
    has(d.run("--security-opt", "apparmor=unconfined", "--", "cat", "/proc/self/attr/current"), "unconfined")


@scenario
def memory_of_runtime(d):
    """--memory 6m, the least that Docker takes: starts"""
    same(d.run("-m", "6m", "--", "echo", "small"), "small")
