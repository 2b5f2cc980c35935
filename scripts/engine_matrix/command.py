"""The command: what is installed, which runtimes run which scenarios, and the summary."""

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from . import house, images, matrix
from .scenario import chosen, perform

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MUSL = {"x86_64": "x86_64-unknown-linux-musl", "aarch64": "aarch64-unknown-linux-musl"}
# command → Debian package
PACKAGES = {
    "busybox": "busybox-static", "ip": "iproute2", "iptables": "iptables", "dockerd": "docker.io",
    "docker-compose": "docker-compose", "containerd": "containerd", "podman": "podman", "buildah": "buildah",
    "newuidmap": "uidmap", "slirp4netns": "slirp4netns", "fuse-overlayfs": "fuse-overlayfs", "netavark": "netavark",
    "aardvark-dns": "aardvark-dns", "catatonit": "catatonit", "conmon": "conmon", "criu": "criu", "protoc": "protobuf-compiler",
    "/usr/lib/cni/bridge": "containernetworking-plugins", "runc": "runc", "crun": "crun",
    "/usr/lib/python3/dist-packages/grpc": "python3-grpcio",
    "/usr/lib/python3/dist-packages/google/protobuf": "python3-protobuf",
}


class Runtime:
    def __init__(self, name, path):
        self.name, self.path = name, path


def find_runtimes(asked):
    """The runtimes to run: those asked for, or Coracle and the peers."""
    built = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(REPOSITORY, "target")),
                         MUSL.get(os.uname().machine, ""), "release", "coracle")
    places = {"coracle": [built, "/usr/local/bin/coracle"], "runc": ["/usr/sbin/runc"], "crun": ["/usr/bin/crun"]}
    runtimes = []
    for item in asked or places:
        name, _, path = item.partition("=")
        paths = [path] if path else places.get(name) or sys.exit(f"engines: say where {name} is: --runtime {name}=PATH")
        path = next(filter(os.path.exists, paths), None)
        if not path:
            sys.exit(f"engines: {name} is not there: " + (
                "cargo build --release --target " + MUSL.get(os.uname().machine, "") if name == "coracle" else paths[0]))
        runtimes.append(Runtime(name, os.path.realpath(path)))
    return runtimes


def install():
    """Installs what is missing from Debian; no service of it is started."""
    missing = [package for command, package in PACKAGES.items()
               if not (os.path.exists(command) if command.startswith("/") else
                       shutil.which(command, path=house.environment()["PATH"]))]
    if not missing:
        return
    if not shutil.which("apt-get"):
        sys.exit("engines: please install: " + " ".join(missing))
    print("installing " + " ".join(missing), flush=True)
    with no_services():
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        wait = ["-q", "-o", "DPkg::Lock::Timeout=300"]
        subprocess.run(["apt-get", "update", *wait], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *wait, *missing], check=True, env=env,
                       stdout=subprocess.DEVNULL)


class no_services:
    """Debian's packages ask this file before they start a daemon of theirs."""
    FILE = "/usr/sbin/policy-rc.d"

    def __enter__(self):
        self.ours = not os.path.exists(self.FILE)
        if self.ours:
            with open(self.FILE, "w") as file:
                file.write("#!/bin/sh\nexit 101\n")
            os.chmod(self.FILE, 0o755)

    def __exit__(self, *_):
        if self.ours:
            os.unlink(self.FILE)


def main(doc):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage=argparse.SUPPRESS)
    parser.add_argument("--runtime", action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--engine", action="append", default=[], choices=matrix.ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--list", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--log", help=argparse.SUPPRESS)
    parser.add_argument("-j", "--jobs", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--inside", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    scenarios = chosen([e for e in matrix.ENGINES if e in (options.engine or matrix.ENGINES)], options.only)
    if options.list:
        for scenario in scenarios:
            print(f"{scenario.name:32} {scenario.about}")
        return 0
    if os.geteuid() != 0:
        sys.exit("engines: run it as root")
    if options.inside:
        path, archive, report = options.inside
        runtime = Runtime(*options.runtime[0].split("=", 1))
        return house.as_first_process(lambda: inside(path, archive, int(report), runtime, scenarios))

    runtimes = find_runtimes(options.runtime)
    install()
    with tempfile.TemporaryDirectory(prefix="coracle-engines-", dir="/var/tmp") as directory:
        os.chmod(directory, 0o755)
        archive = os.path.join(directory, "images.tar")
        images.make(archive)
        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            results = dict(zip((r.name for r in runtimes),
                               pool.map(lambda r: outside(r, archive, options, len(scenarios)), runtimes)))
    return summary(scenarios, results, time.monotonic() - start)


PRINTING = threading.Lock()


def outside(runtime, archive, options, count):
    """Runs the scenarios with one runtime in a house of its own: name → (verdict, reason, seconds)."""
    results = {}
    with house.House(runtime.name, options.log) as home:
        reader, writer = os.pipe()
        args = [sys.executable, sys.argv[0], "--inside", home.path, archive, str(writer), "--runtime",
                f"{runtime.name}={runtime.path}"]
        for engine in options.engine:
            args += ["--engine", engine]
        if options.only:
            args += ["--only", options.only]
        process = home.enter(args, writer)
        os.close(writer)
        try:
            with os.fdopen(reader) as lines:
                for line in lines:
                    name, verdict, reason, seconds = json.loads(line)
                    results[name] = (verdict, reason, seconds)
                    with PRINTING:
                        print(f"{runtime.name:8} {len(results):3}/{count} {verdict} {name:36} {seconds:5.1f} s  {reason}",
                              flush=True)
        finally:
            process.kill() if process.poll() is None and len(results) < count else None
            process.wait()
    return results


def inside(path, archive, report, runtime, scenarios):
    """In the house: starts each engine, runs its scenarios, and tells the outside of each."""
    os.set_inheritable(report, False)
    with os.fdopen(report, "w") as report:
        def tell(scenario, verdict, reason, seconds):
            report.write(json.dumps([scenario.name, verdict, reason, seconds]) + "\n")
            report.flush()

        binary = house.furnish(path, runtime)
        for name, kind in matrix.ENGINES.items():
            own = [s for s in scenarios if s.engine == name]
            if not own:
                continue
            engine = kind(path, runtime.name, binary, archive)
            try:
                engine.start()
            except Exception as error:  # noqa: BLE001 - whatever it was, the other engines can go on
                for scenario in own:
                    tell(scenario, "FAIL", f"{name} does not start: {error}", 0)
                continue
            for scenario in own:
                tell(scenario, *perform(scenario, engine))
            engine.stop()
    return 0


def summary(scenarios, results, seconds):
    """Prints the table, the reasons, and the counts; the exit status."""
    print(f"\n{'scenario':36}" + "".join(f"{name:>10}" for name in results))
    for scenario in scenarios:
        verdicts = [results[name].get(scenario.name, ("FAIL", "not reached", 0))[0] for name in results]
        print(f"{scenario.name:36}" + "".join(f"{verdict:>10}" for verdict in verdicts))
    for verdict in ("SKIP", "FAIL"):
        told = [(s.name, name, results[name].get(s.name, ("FAIL", "not reached", 0))[1]) for s in scenarios
                for name in results if results[name].get(s.name, ("FAIL",))[0] == verdict]
        if told:
            print(f"\n{verdict}, and why:")
        for scenario, name, reason in told:
            print(f"  {scenario} ({name}): {reason if len(reason) < 500 else reason[:300] + ' … ' + reason[-200:]}")
    print()
    for name, own in results.items():
        counts = {verdict: sum(own.get(s.name, ("FAIL",))[0] == verdict for s in scenarios)
                  for verdict in ("PASS", "FAIL", "SKIP")}
        print(f"{name:8} {counts['PASS']} PASS, {counts['FAIL']} FAIL, {counts['SKIP']} SKIP")
    first = next(iter(results))
    subject = results.get("coracle", results[first])
    peers = [own for own in results.values() if own is not subject]
    worse = [s.name for s in scenarios if subject.get(s.name, ("FAIL",))[0] == "FAIL"
             and (not peers or any(own.get(s.name, ("FAIL",))[0] == "PASS" for own in peers))]
    whom = "coracle" if "coracle" in results else first
    if peers:
        print(f"scenarios that pass with another runtime and fail with {whom}: {len(worse)} {' '.join(worse)}")
    print(f"{seconds:.0f} s")
    return 1 if worse else 0
