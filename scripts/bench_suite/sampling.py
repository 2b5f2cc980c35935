"""Runs a command and says what it took: wall and CPU time as the kernel accounts them."""

import os
import random
import signal
import statistics
import subprocess
import time

# The kernel's work after one container (RCU, the network namespace) changes the time of the next.
PAUSE = 0.08
TOO_LONG = 60


class Sample:
    """One command: milliseconds of wall and of CPU, the latter with all processes that it waited for."""

    def __init__(self, wall, cpu):
        self.wall, self.cpu = wall, cpu


def spawn(command):
    null = os.open(os.devnull, os.O_RDWR)
    try:
        return os.posix_spawn(command[0], command, os.environ,
                              file_actions=[(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)])
    finally:
        os.close(null)


def timed(command, pause=PAUSE):
    """A sample of the command, or None when it failed."""
    time.sleep(pause)
    start = time.monotonic()
    pid = spawn(command)
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - start
    return Sample(wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000) if status == 0 else None


def quiet(command):
    """Whether the command succeeds; one that hangs is killed."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                             start_new_session=True)
    try:
        return child.wait(TOO_LONG) == 0
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return False


def why(command):
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return said.stderr.strip().split("\n")[-1] or f"exit status {said.returncode}"


def alternate(names, rounds, take):
    """Calls take(name, round) for each name in a shuffled order in each round; name → what came of it."""
    results = {name: [] for name in names}
    for turn in range(rounds):
        for name in random.sample(names, len(names)):
            results[name].append(take(name, turn))
    return results


def spread(values):
    """The tenth, fiftieth and ninetieth percentile."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return {"p10": ordered[round(last * 0.1)], "median": statistics.median(ordered), "p90": ordered[round(last * 0.9)]}


def summary(samples):
    """Wall and CPU of samples, None for those that failed."""
    good = [sample for sample in samples if sample]
    if not good:
        return {"failed": len(samples)}
    return {"wall": spread([sample.wall for sample in good]), "cpu": spread([sample.cpu for sample in good]),
            "failed": len(samples) - len(good)}
