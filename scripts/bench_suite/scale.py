"""Many containers: made at once, alive together; and how the time of one grows with its configuration."""

import concurrent.futures
import json
import os
import statistics
import time

from . import bundles, sampling
from .tracing import field

IN_FLIGHT = 4
# What changes less in a second is at rest, and how long that is waited for.
REST_KIB = 256
REST_SECONDS = 60
# what grows → how a configuration gets so many, and how many
GROWTH = {"mount": (bundles.with_mounts, 100), "seccomp rule": (bundles.with_rules, 400),
          "environment variable": (bundles.with_variables, 2000)}


def process_of(runtime, name):
    with os.popen(" ".join(runtime.command("state", name))) as said:
        return json.load(said)["pid"]


def each(names, command, workers=IN_FLIGHT):
    """Runs command(name) for each name, some at a time; how many failed."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return sum(not done for done in pool.map(lambda name: sampling.quiet(command(name)), names))


def parallel(runtime, bundle, count):
    """Makes so many containers at the same moment."""
    bundle.change(bundles.sleeper)
    names = [f"bench-par-{runtime.name}-{number}" for number in range(count)]
    start = time.monotonic()
    children = [sampling.spawn(runtime.command("create", "--bundle", bundle.path, name)) for name in names]
    failed = sum(os.waitpid(child, 0)[1] != 0 for child in children)
    wall = time.monotonic() - start
    each(names, lambda name: runtime.command("delete", "--force", name))
    return {"seconds": wall, "failed": failed}


def available():
    """KiB that the machine has left, when it has come to rest: network namespaces of containers that are gone go one by
    one, some time later, and would be taken for memory that the next runtime's do not hold."""
    os.sync()
    left = field("/proc/meminfo", "MemAvailable:")
    for _ in range(REST_SECONDS):
        time.sleep(1)
        before, left = left, field("/proc/meminfo", "MemAvailable:")
        if abs(left - before) < REST_KIB:
            break
    return left


def create_cost(runtime, bundle, label):
    samples = []
    for turn in range(11):
        name = f"bench-next-{runtime.name}-{label}-{turn}"
        samples.append(sampling.timed(runtime.command("create", "--bundle", bundle.path, name), 0.02))
        sampling.quiet(runtime.command("delete", "--force", name))
    return sampling.summary(samples)


def alive(runtime, bundle, count):
    """So many containers run: what each holds, what one more costs, and what it costs to list them."""
    bundle.change(bundles.sleeper)
    names = [f"bench-alive-{runtime.name}-{number}" for number in range(count)]

    def start(name):
        return runtime.command("run", "--detach", "--bundle", bundle.path, name)

    def end(name):
        return runtime.command("delete", "--force", name)
    # The kernel keeps some of what it has once taken for so many: the first runtime would pay for all.
    each(names, start)
    each(names, end)
    first = create_cost(runtime, bundle, "first")
    before = available()
    failed = each(names, start)
    held = before - available()
    last = create_cost(runtime, bundle, "last")
    listed = sampling.summary([sampling.timed(runtime.command("list", "-q"), 0.02) for _ in range(7)])
    shown = sampling.summary([sampling.timed(runtime.command("list"), 0.02) for _ in range(7)])
    each(names, end)
    return {"failed": failed, "kib": held / count, "first": first, "last": last, "list": listed, "table": shown}


def created(runtime, bundle):
    """KiB of the process that waits in a created container for its start: its proportional share."""
    bundle.change(bundles.sleeper)
    name = f"bench-created-{runtime.name}"
    if not sampling.quiet(runtime.command("create", "--bundle", bundle.path, name)):
        return None
    try:
        return field(f"/proc/{process_of(runtime, name)}/smaps_rollup", "Pss:")
    finally:
        sampling.quiet(runtime.command("delete", "--force", name))


def growth(runtimes, bundle, rounds):
    """Microseconds of wall and CPU that one more of each kind costs `run`, of the medians; runtime → kind → both."""
    found = {runtime.name: {} for runtime in runtimes}
    by_name = {runtime.name: runtime for runtime in runtimes}
    for kind, (edit, count) in GROWTH.items():
        medians = {}
        for size in (0, count):
            bundle.change(edit(size))

            def take(name, turn):
                runtime = by_name[name]
                return sampling.timed(runtime.run(bundle, f"bench-growth-{name}-{size}-{turn}"), 0.03)
            medians[size] = sampling.alternate(list(by_name), rounds, take)
        for name in by_name:
            few, many = ([sample for sample in medians[size][name] if sample] for size in (0, count))
            if few and many:
                found[name][kind] = {
                    what: (statistics.median(getattr(sample, what) for sample in many)
                           - statistics.median(getattr(sample, what) for sample in few)) * 1000 / count
                    for what in ("wall", "cpu")}
    bundle.change(lambda config: None)
    return found
