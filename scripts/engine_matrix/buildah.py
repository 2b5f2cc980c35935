"""Buildah: run and build with the runtime."""

import os

from . import readme
from .engine import Engine
from .images import BOX
from .scenario import scenario
from .system import has, same, status_of


class Buildah(Engine):
    """`buildah` with README's environment, by which it calls the runtime."""

    TITLE, PACKAGE = "Buildah", "buildah"
    COMMAND = ["buildah"]

    def start(self):
        self.ENV = dict(pair.split("=", 1) for pair in readme.block("Buildah", "sh", self.runtime).split()[1:])
        self("pull", f"docker-archive:{self.archive}:{BOX}")

    def tidy(self):
        self("rm", "--all", status=None)

    def box(self):
        """A working container; its name."""
        return str(self("from", "--pull-never", BOX))

    def run(self, container, *args, flags=(), **more):
        return self("run", *flags, container, "--", *args, **more)


@scenario
def run(b):
    """run: output and exit status"""
    box = b.box()
    same(b.run(box, "sh", "-c", "echo out; id -u"), "out\n0")
    b.run(box, "sh", "-c", "exit 7", status=7)


@scenario
def runtime_flag(b):
    """run --runtime, bud --runtime: by path"""
    flags = ["--runtime", b.binary, "--isolation", "oci"]
    other = {"BUILDAH_RUNTIME": "/no/such", "BUILDAH_ISOLATION": "chroot"}
    same(b.run(b.box(), "echo", "ok", flags=flags, env=other), "ok")
    directory = os.path.dirname(b.file("bud-flag/Dockerfile", f"FROM {BOX}\nRUN echo ok\n"))
    has(b("bud", *flags, "--network", "none", directory, env=other), "ok")


@scenario
def run_terminal(b):
    """run --terminal"""
    box = b.box()
    shell = b.terminal("run", "--terminal", box, "--", "tty")
    has(shell.end(), "/dev/pts/0")


@scenario
def run_settings(b):
    """run: user, environment, volume, capabilities, hostname"""
    box, directory = b.box(), b.directory("buildah-volume")
    b.file("buildah-volume/x", "outside\n")
    same(b.run(box, "sh", "-c", "id -u; echo $A; cat /v/x; hostname", flags=[
        "--user", "app", "--env", "A=b", "--volume", f"{directory}:/v:ro", "--hostname", "inner"]),
        "1000\nb\noutside\ninner")
    has(b.run(box, "cat", "/proc/self/status", flags=["--cap-drop", "all"]), "CapEff:\t0000000000000000")


@scenario
def run_all_capabilities(b):
    """run --cap-add all: all that the host has"""
    shown = b.run(b.box(), "grep", "CapEff", "/proc/self/status", flags=["--cap-add", "all"])
    same(shown.split()[1], status_of("self", "CapBnd"))


@scenario
def run_namespaces(b):
    """run: network none, host; pid host"""
    box = b.box()
    same(b.run(box, "ls", "/sys/class/net", flags=["--network", "none"]), "lo")
    same(b.run(box, "readlink", "/proc/self/ns/net", flags=["--network", "host"]), os.readlink("/proc/self/ns/net"))
    same(b.run(box, "readlink", "/proc/self/ns/pid", flags=["--pid", "host"]), os.readlink("/proc/self/ns/pid"))


@scenario
def run_not_found(b):
    """run of what is not there"""
    result = b.run(b.box(), "no-such", status=None)
    has(result.err, "executable file", b.binary)


@scenario
def changes_stay(b):
    """run, run again, commit: what the first wrote is there"""
    box = b.box()
    b.run(box, "sh", "-c", "echo kept > /kept")
    same(b.run(box, "cat", "/kept"), "kept")
    b("commit", box, "localhost/kept")
    b("rmi", "localhost/kept")


@scenario
def bud(b):
    """bud: RUN lines, with limits and secrets of the build"""
    directory = os.path.dirname(b.file("bud/Dockerfile", f"FROM {BOX}\nRUN echo built > /built\nRUN cat /built\n"))
    result = b("bud", "--no-cache", "--network", "none", "--memory", "64m", "--tag", "localhost/bud", directory)
    has(result, "built")
    b("rmi", "localhost/bud")
    directory = os.path.dirname(b.file("bud-fails/Dockerfile", f"FROM {BOX}\nRUN exit 42\n"))
    has(b("bud", "--network", "none", directory, status=None).err, "42")
