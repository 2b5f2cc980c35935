"""The command: what is measured, in which order, and where it goes."""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile

from . import bundles, limits, plot, runtimes, sampling, scale, table, tracing

STEPS = ["create", "state", "start", "exec", "kill", "delete"]
README = os.path.join(runtimes.REPOSITORY, "README.md")
SVG = os.path.join(runtimes.REPOSITORY, "docs", "bench.svg")
BEGIN, END = "<!-- bench: the tables that scripts/bench prints go here -->\n", "<!-- bench: end -->\n"


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        flags = ["--systemd-cgroup"] if options.systemd else []
        self.found = runtimes.find(options.runtime, directory, flags)
        self.bundles = {kind: bundles.make(directory, kind, f"bundle-{number}")
                        for number, kind in enumerate(bundles.CONFIGURATIONS)}
        self.figures = {"runtimes": {}, "run": {}, "steps": {}, "scale": {}, "growth": {}, "machine": {}}

    def whole(self):
        return [runtime for runtime in self.found if runtime.whole]

    def warm(self):
        """The first run warms the caches, and tells who cannot run here at all."""
        for runtime in list(self.found):
            command = runtime.run(self.bundles["default"], f"bench-warm-{runtime.name}")
            if not sampling.quiet(command):
                print(f"SKIP {runtime.name}: cannot run a container here: {sampling.why(command)}")
                self.found.remove(runtime)
                continue
            self.figures["runtimes"][runtime.name] = {
                "version": runtime.version(), "file": os.path.getsize(runtime.path)}
        if not self.found or self.found[0].name != "coracle":
            sys.exit("bench: coracle cannot run the container")
        kernel = os.uname()
        self.figures["machine"] = {
            "kernel": f"Linux {kernel.release}", "machine": kernel.machine, "cpus": os.cpu_count(),
            "cgroup": "v2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "v1",
            "systemd": self.options.systemd,
            "rounds": self.options.runs}

    def run(self, kind):
        say(f"run, {kind} configuration")
        bundle = self.bundles[kind]
        chosen = {runtime.name: runtime for runtime in self.found if runtime.whole or kind == "default"}
        samples = sampling.alternate(list(chosen), self.options.runs, lambda name, turn: sampling.timed(
            chosen[name].run(bundle, f"bench-run-{name}-{turn}")))
        rows = self.figures["run"][kind] = {}
        for name, runtime in chosen.items():
            row = rows[name] = sampling.summary(samples[name])
            traced = [tracing.figures(runtime.run(bundle, f"bench-trace-{name}-{turn}")) for turn in range(3)]
            row |= {what: statistics.median(one[what] for one in traced) for what in ("calls", "faults", "peak")}
            row["peaks"] = traced[0]["peaks"]
            row["limit"] = limits.smallest(runtime, bundle)

    def stay(self):
        """The memory of what stays: the runtime in the foreground, and the process of a created container."""
        say("memory of waiting processes")
        bundle = self.bundles["default"]
        for runtime in self.whole():
            name = f"bench-wait-{runtime.name}"
            bundle.change(bundles.sleeper)
            row = self.figures["run"]["default"][runtime.name]
            row["waiting"] = tracing.waiting(
                runtime.run(bundle, name), lambda: sampling.quiet(runtime.command("state", name)),
                runtime.command("kill", name, "KILL"))
            sampling.quiet(runtime.command("delete", "--force", name))
            row["created"] = scale.created(runtime, bundle)
        bundle.change(lambda config: None)

    def steps(self):
        say("create, state, start, exec, kill, delete")
        bundle = self.bundles["default"]
        bundle.change(bundles.sleeper)
        chosen = {runtime.name: runtime for runtime in self.whole()}

        def round_of(name, turn):
            runtime, container = chosen[name], f"bench-steps-{name}-{turn}"
            commands = {"create": ["create", "--bundle", bundle.path, container], "state": ["state", container],
                        "start": ["start", container], "exec": ["exec", container, "/bin/true"],
                        "kill": ["kill", container, "KILL"], "delete": ["delete", container]}
            pauses = {"create": sampling.PAUSE, "exec": sampling.PAUSE}
            taken = {step: sampling.timed(runtime.command(*commands[step]), pauses.get(step, 0.03)) for step in STEPS}
            if not all(taken.values()):
                sampling.quiet(runtime.command("delete", "--force", container))
            return taken

        rounds = sampling.alternate(list(chosen), self.options.runs // 2, round_of)
        self.figures["steps"] = {name: {step: sampling.summary([taken[step] for taken in rounds[name]])
                                        for step in STEPS} for name in chosen}
        bundle.change(lambda config: None)

    def many(self):
        bundle = self.bundles["default"]
        for runtime in self.whole():
            row = self.figures["scale"][runtime.name] = {}
            if self.options.parallel:
                say(f"{self.options.parallel} at once: {runtime.name}")
                row["parallel"] = scale.parallel(runtime, bundle, self.options.parallel)
                row["parallel"]["count"] = self.options.parallel
            if self.options.alive:
                say(f"{self.options.alive} alive: {runtime.name}")
                row["alive"] = scale.alive(runtime, bundle, self.options.alive)
                row["alive"]["count"] = self.options.alive
        bundle.change(lambda config: None)

    def grow(self):
        say("growth with the configuration")
        self.figures["growth"] = scale.growth(self.whole(), self.bundles["default"], max(3, self.options.runs // 7))


def measure(options):
    if os.geteuid() != 0:
        sys.exit("bench: run it as root")
    hidden = runtimes.hide_second_cgroup_mount()
    directory = tempfile.mkdtemp(prefix="coracle-bench-")
    os.chmod(directory, 0o755)
    try:
        bench = Bench(options, directory)
        bench.warm()
        bench.figures["machine"]["hidden"] = hidden
        for kind in bundles.CONFIGURATIONS:
            bench.run(kind)
        bench.stay()
        bench.steps()
        bench.grow()
        bench.many()
        return bench.figures
    finally:
        runtimes.clean()
        shutil.rmtree(directory, ignore_errors=True)


def put_into_readme(text):
    with open(README) as file:
        before, begin, rest = file.read().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"bench: {README} has no place for the tables")
    with open(README, "w") as file:
        file.write(before + begin + text + end + after)


def main(description):
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS, add_help=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("-n", "--runs", type=int, default=100)
    parser.add_argument("--alive", type=int, default=1000)
    parser.add_argument("--parallel", type=int, default=200)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--systemd", action="store_true")
    parser.add_argument("--readme", action="store_true")
    parser.add_argument("--svg")
    parser.add_argument("--json")
    parser.add_argument("--from", dest="saved")
    parser.add_argument("runtime", nargs="*")
    options = parser.parse_args()
    if options.help:
        print(description.strip())
        return 0
    if options.quick:
        options.runs, options.alive, options.parallel = 10, options.alive // 10, options.parallel // 10
    if options.runs < 2:
        sys.exit("bench: -n: two runs at least")
    if options.saved:
        with open(options.saved) as file:
            figures = json.load(file)
    else:
        figures = measure(options)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=1)
    text = table.text(figures)
    print(text)
    for place in [options.svg, SVG if options.readme else None]:
        if place:
            os.makedirs(os.path.dirname(os.path.abspath(place)), exist_ok=True)
            with open(place, "w") as file:
                file.write(plot.svg(figures))
    if options.readme:
        put_into_readme(text)
    return 1 if any(row["coracle"]["failed"] for row in figures["run"].values()) else 0
