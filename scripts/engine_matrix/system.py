"""Running programs, and looking at processes, cgroups and namespaces from outside."""

import json
import os
import pty
import pwd
import re
import select
import signal
import struct
import subprocess
import termios
import time
from fcntl import ioctl


# How many times longer than usual things may take.
patience = 1


class Failure(Exception):
    """A scenario saw what it should not have seen."""


class Skip(Exception):
    """This machine cannot show the scenario; the text says why."""


class Result(str):
    """What a program wrote to its standard output, stripped; with `.err` and `.status`."""

    def __new__(cls, out, err, status):
        self = super().__new__(cls, out.strip())
        self.err, self.status = err.strip(), status
        return self


def run(args, status=0, stdin=None, timeout=60, env=None, user=None, cwd=None):
    """Runs a program to its end. Its exit status must be `status` (None: any)."""
    args = as_user(user, args)
    process = subprocess.Popen(args, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                               env={**os.environ, **env} if env else None, cwd=cwd, start_new_session=True)
    try:
        out, err = process.communicate(stdin, timeout * patience)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Failure(f"{show(args)}: did not end in {timeout} s") from None
    if status is not None and process.returncode != status:
        raise Failure(f"{show(args)}: exit status {process.returncode}, not {status}; it said: {(out + err).strip()}")
    return Result(out, err, process.returncode)


def as_user(user, args):
    """The command line that runs `args` as this user (None: as we are), below the user's systemd where there is one."""
    args = [str(arg) for arg in args]
    if not user:
        return args
    args = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", *args]
    if systemd():
        uid = pwd.getpwnam(user).pw_uid
        place = f"/sys/fs/cgroup/user.slice/user-{uid}.slice/user@{uid}.service/init.scope/cgroup.procs"
        args = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', place, *args]
    return args


def show(args):
    """The command line for a message: without the paths of programs and sockets that only this run has."""
    return " ".join([os.path.basename(args[0]), *args[1:]])


class Terminal:
    """A program on a terminal of its own, `rows` by `columns`."""

    def __init__(self, args, rows=24, columns=80, env=None, user=None):
        args = as_user(user, args)
        self.args, self.seen = args, ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            if env:
                os.environ.update(env)
            os.execvp(args[0], args)
        self.resize(rows, columns)

    def resize(self, rows, columns):
        ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect_size(self, rows, columns):
        """Waits until the shell sees a terminal of this size."""
        self.type(wait_for_size(rows, columns))
        self.expect(f"size {rows}x{columns}")

    def read(self, seconds):
        """More of the output, in at most so many seconds; False at its end."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 4096)
        except OSError:
            data = b""
        self.seen += data.decode(errors="replace")
        return bool(data)

    def expect(self, text, seconds=20):
        """Waits until the output has `text`."""
        end = time.monotonic() + seconds * patience
        while text not in self.seen:
            if not self.read(0.2) or time.monotonic() > end:
                self.close()
                raise Failure(f"{show(self.args)}: no {text!r} on the terminal, but {self.seen!r}")

    def end(self, status=0, seconds=20):
        """Waits for the program's end; what it wrote."""
        end = time.monotonic() + seconds * patience
        while self.read(0.2):
            if time.monotonic() > end:
                self.close()
                raise Failure(f"{show(self.args)}: does not end; on the terminal: {self.seen!r}")
        got = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        if status is not None and got != status:
            raise Failure(f"{show(self.args)}: exit status {got}, not {status}; on the terminal: {self.seen!r}")
        return self.seen.replace("\r\n", "\n").strip()

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def wait_for_size(rows, columns):
    """What one types into a shell, so that it says "size ROWSxCOLUMNS" when the terminal has that size."""
    return f'until [ "$(stty size)" = "{rows} {columns}" ]; do sleep 0.1; done; echo size $(stty size | tr " " x)\n'


def same(got, want, what="it"):
    if str(got) != str(want):
        raise Failure(f"{what} is {str(got)!r}, not {str(want)!r}")


def has(text, *parts):
    for part in parts:
        if part not in text:
            raise Failure(f"no {part!r} in {str(text)!r}")


def lacks(text, *parts):
    for part in parts:
        if part in text:
            raise Failure(f"there is {part!r} in {str(text)!r}")


def matches(text, pattern):
    if not re.search(pattern, text, re.MULTILINE):
        raise Failure(f"nothing like {pattern!r} in {str(text)!r}")


def true(condition, what):
    if not condition:
        raise Failure(what)


def eventually(condition, what, seconds=20):
    """Waits until `condition()` is true, and returns what it gave."""
    end = time.monotonic() + seconds * patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"in {seconds} s: {what}")
        time.sleep(0.1)


def read(*parts):
    """A file's text, stripped; "" when it is not there."""
    try:
        with open(os.path.join(*map(str, parts))) as file:
            return file.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def status_of(pid, field):
    """One field of /proc/PID/status."""
    for line in read("/proc", pid, "status").splitlines():
        if line.startswith(field + ":"):
            return line.split(":", 1)[1].strip()
    return ""


def namespace(pid, kind):
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def systemd():
    """Whether systemd can be asked for cgroups here."""
    return os.path.isdir("/run/systemd/system")


V2 = os.path.exists("/sys/fs/cgroup/cgroup.controllers")


def cgroup_of(pid, controller):
    """The cgroup of a process below /sys/fs/cgroup, with the hierarchy's name on v1."""
    for line in read("/proc", pid, "cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if V2 and number == "0":
            return path.lstrip("/")
        if not V2 and controller in controllers.replace("name=", "").split(","):
            return os.path.join(controller, path.lstrip("/"))
    raise Failure(f"process {pid} is in no cgroup of {controller}")


def needs(controller):
    """Skips the scenario where the kernel has not this controller of cgroup v2."""
    if V2 and controller not in read("/sys/fs/cgroup/cgroup.controllers").split():
        raise Skip(f"the kernel has no controller {controller}")


def needs_criu():
    """Skips the scenario where criu cannot work."""
    checked = run(["criu", "check"], status=None)
    if checked.status != 0:
        raise Skip("criu check: " + (checked.err or "fails").splitlines()[-1])


def needs_landlock(engine):
    """Skips the scenario of what only Coracle has, and not each kernel."""
    if engine.runtime != "coracle":
        raise Skip("only Coracle has it")
    annotations = json.loads(run([engine.binary, "features"]))["annotations"]
    if annotations.get("org.coracle.landlock.abi", "0") == "0":
        raise Skip("the kernel has no Landlock")


def limit(pid, v1, v2):
    """A limit of a process's cgroup: `v1` is "controller/file", `v2` is "file"."""
    controller, name = v1.split("/") if not V2 else (v2.split(".")[0], v2)
    path = os.path.join("/sys/fs/cgroup", cgroup_of(pid, controller), name)
    if not os.path.exists(path):
        raise Skip(f"the kernel has no {v2 if V2 else v1}")
    return read(path)


def alive(pid):
    """Whether there is a process that is no zombie."""
    return status_of(pid, "State")[:1] not in ("", "Z", "X")
