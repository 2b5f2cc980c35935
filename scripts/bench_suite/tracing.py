"""What each process of one command does: system calls, page faults, and the peak memory of each program it runs.

A tracer of our own, as no tool shows all of it: the kernel's figure of the largest child hides all others, and counts
what was mapped before exec.
"""

import ctypes
import os
import signal
import time

from . import sampling

PTRACE_SYSCALL, PTRACE_SEIZE, PTRACE_LISTEN, PTRACE_GET_SYSCALL_INFO = 24, 0x4206, 0x4208, 0x420E
TRACE_SYSGOOD, TRACE_FORKS, TRACE_EXEC, TRACE_EXIT, EXIT_KILL = 1, 2 | 4 | 8, 16, 64, 1 << 20
EVENT_EXEC, EVENT_EXIT, EVENT_STOP = 4, 6, 128
ENTRY = 1
WALL = 0x40000000
EXECS = {"x86_64": (59, 322), "armv7l": (11, 387)}.get(os.uname().machine, (221, 281))
CONTAINERS_PROGRAM = "/bin/busybox"

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def field(path, name):
    """The number that a file of /proc gives for the name."""
    with open(path) as lines:
        for line in lines:
            if line.startswith(name):
                return int(line.split()[1])
    return 0


def minor_faults(thread):
    with open(f"/proc/{thread}/task/{thread}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[7])


class Thread:
    """Counts up to the exec of the container's program."""

    def __init__(self):
        self.calls = self.peak = self.before = self.faults = 0
        self.contained = False


class Tracer:
    def __init__(self):
        self.threads, self.peaks, self.started = {}, [], False
        self.info = ctypes.create_string_buffer(128)

    def trace(self, command):
        """Runs the command, and waits for it and all that it starts."""
        null = os.open(os.devnull, os.O_RDWR)
        ours, its = os.pipe()
        self.first = os.fork()
        if self.first == 0:
            for fd in (0, 1, 2):
                os.dup2(null, fd)
            os.close(its)
            os.read(ours, 1)
            os.execv(command[0], command)
        os.close(null)
        options = TRACE_SYSGOOD | TRACE_FORKS | TRACE_EXEC | TRACE_EXIT | EXIT_KILL
        if libc.ptrace(PTRACE_SEIZE, self.first, None, options) < 0:
            raise OSError(ctypes.get_errno(), "ptrace")
        os.write(its, b"x")
        os.close(ours)
        os.close(its)
        while True:
            try:
                thread, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                return
            if os.WIFSTOPPED(status):
                self.stopped(thread, os.WSTOPSIG(status), status >> 16)

    def stopped(self, tid, stop, event):
        thread = self.threads.setdefault(tid, Thread())
        deliver, request = 0, PTRACE_SYSCALL
        try:
            if stop == signal.SIGTRAP | 0x80:
                self.called(tid, thread)
            elif event == EVENT_EXEC:
                self.executed(tid, thread)
            elif event == EVENT_EXIT and not thread.contained:
                thread.faults = minor_faults(tid) - thread.before
                self.peaks.append(field(f"/proc/{tid}/status", "VmHWM:"))
            elif event == EVENT_STOP and stop != signal.SIGTRAP:
                request = PTRACE_LISTEN
            elif event == 0:
                deliver = stop
        except (FileNotFoundError, ProcessLookupError):
            pass
        libc.ptrace(request, tid, None, deliver)

    def called(self, tid, thread):
        libc.ptrace(PTRACE_GET_SYSCALL_INFO, tid, len(self.info), ctypes.addressof(self.info))
        if self.info.raw[0] != ENTRY or thread.contained or not self.started:
            return
        thread.calls += 1
        # The memory of a program is gone when the next one is there.
        if int.from_bytes(self.info.raw[24:32], "little") in EXECS:
            thread.peak = field(f"/proc/{tid}/status", "VmHWM:")
            thread.faults = minor_faults(tid) - thread.before

    def executed(self, tid, thread):
        if not self.started:
            # The exec itself is the first call of the command.
            self.started, thread.calls, thread.before = True, 1, minor_faults(tid)
            return
        self.peaks.append(thread.peak)
        thread.contained = os.readlink(f"/proc/{tid}/exe") == CONTAINERS_PROGRAM


def figures(command):
    """System calls and page faults of all processes of the runtime together, and the peak KiB of the largest one.

    What became the container's process counts up to the exec of its program.
    """
    tracer = Tracer()
    tracer.trace(command)
    threads = tracer.threads.values()
    return {"calls": sum(thread.calls for thread in threads), "faults": sum(thread.faults for thread in threads),
            "peak": max(tracer.peaks, default=0), "peaks": sorted(filter(None, tracer.peaks), reverse=True)}


def waiting(run, ready, end):
    """KiB resident in the process of `run` while its container runs. `end` is the command that kills the container."""
    pid = sampling.spawn(run)
    try:
        deadline = time.monotonic() + 10
        while not ready() and time.monotonic() < deadline:
            time.sleep(0.02)
        # What gives memory back does so after a while.
        time.sleep(0.5)
        return field(f"/proc/{pid}/smaps_rollup", "Rss:")
    except ProcessLookupError:
        return None
    finally:
        if not sampling.quiet(end):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
