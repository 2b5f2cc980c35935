"""The command: what is installed, which runtimes run which scenarios, and the summary."""

import argparse
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from . import house, images, matrix, report, system
from .scenario import chosen, perform

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MUSL = {"x86_64": "x86_64-unknown-linux-musl", "aarch64": "aarch64-unknown-linux-musl"}
# command → Debian package
PACKAGES = {
    "busybox": "busybox-static", "ip": "iproute2", "iptables": "iptables", "dockerd": "docker.io",
    "docker-compose": "docker-compose", "containerd": "containerd", "podman": "podman", "buildah": "buildah",
    "newuidmap": "uidmap", "slirp4netns": "slirp4netns", "fuse-overlayfs": "fuse-overlayfs",
    "/usr/lib/podman/netavark": "netavark", "/usr/lib/podman/aardvark-dns": "aardvark-dns", "catatonit": "catatonit",
    "conmon": "conmon", "criu": "criu", "protoc": "protobuf-compiler",
    "/usr/lib/cni/bridge": "containernetworking-plugins", "runc": "runc", "crun": "crun",
    "/usr/lib/python3/dist-packages/grpc": "python3-grpcio",
    "/usr/lib/python3/dist-packages/google/protobuf": "python3-protobuf",
}
# What is in a package of its own since Debian 13.
LATER = {"/usr/bin/docker": "docker-cli", "/usr/libexec/docker/cli-plugins/docker-buildx": "docker-buildx"}


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
            make = "cargo build --release --target " + MUSL.get(os.uname().machine, "")
            sys.exit(f"engines: {name} is not there: {make if name == 'coracle' else paths[0]}")
        runtimes.append(Runtime(name, os.path.realpath(path)))
    return runtimes


def debian():
    """The number of Debian's release; of the one that is not there yet, a high one."""
    number = system.read("/etc/debian_version").split(".")[0]
    return int(number) if number.isdigit() else 99


def install():
    """Installs what is missing from Debian; no service of it is started."""
    wanted = {**PACKAGES, **LATER} if debian() >= 13 else PACKAGES
    missing = [package for command, package in wanted.items()
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
    parser.add_argument("--patience", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
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
    system.patience = options.patience
    if options.inside:
        path, archive, writer = options.inside
        runtime = Runtime(*options.runtime[0].split("=", 1))
        return house.as_first_process(lambda: inside(path, archive, int(writer), runtime, scenarios, options.bare))

    if options.bare and options.jobs > 1:
        sys.exit("engines: --bare and -j do not go together")
    runtimes = find_runtimes(options.runtime)
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, interrupted)
    install()
    with tempfile.TemporaryDirectory(prefix="coracle-engines-", dir="/var/tmp") as directory:
        os.chmod(directory, 0o755)
        archive = os.path.join(directory, "images.tar")
        images.make(archive)
        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            results = dict(zip((r.name for r in runtimes),
                               pool.map(lambda r: outside(r, archive, options, len(scenarios)), runtimes)))
    print(f"{time.monotonic() - start:.0f} s")
    return report.show(scenarios, runtimes, results)


PRINTING = threading.Lock()
RUNNING = set()


def interrupted(number, _):
    """Ends the houses, whose files are removed on the way out."""
    for process in RUNNING:
        process.kill()
    sys.exit(128 + number)


def outside(runtime, archive, options, count):
    """Runs the scenarios with one runtime in a house of its own: name → (verdict, reason, seconds)."""
    results = {}
    with house.House(runtime.name, options.log, options.bare) as home:
        reader, writer = os.pipe()
        args = [sys.executable, sys.argv[0], "--inside", home.path, archive, str(writer), "--runtime",
                f"{runtime.name}={runtime.path}"]
        for engine in options.engine:
            args += ["--engine", engine]
        if options.only:
            args += ["--only", options.only]
        if options.bare:
            args.append("--bare")
        args += ["--patience", str(options.patience)]
        process = home.enter(args, writer)
        RUNNING.add(process)
        os.close(writer)
        try:
            with os.fdopen(reader) as lines:
                for line in lines:
                    name, verdict, reason, seconds = json.loads(line)
                    results[name] = (verdict, reason, seconds)
                    with PRINTING:
                        print(f"{runtime.name:8} {len(results):3}/{count} {verdict} {name:36} {seconds:5.1f} s", reason,
                              flush=True)
        finally:
            if len(results) < count:
                process.kill()
            process.wait()
            RUNNING.remove(process)
    return results


def inside(path, archive, writer, runtime, scenarios, bare):
    """In the house: starts each engine, runs its scenarios, and tells the outside of each."""
    os.set_inheritable(writer, False)
    with os.fdopen(writer, "w") as lines:
        def tell(scenario, verdict, reason, seconds):
            lines.write(json.dumps([scenario.name, verdict, reason, seconds]) + "\n")
            lines.flush()

        if not bare:
            house.furnish(path, runtime)
        binary = house.place(runtime)
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
