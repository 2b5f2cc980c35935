"""The runtimes that are compared, and the floor: what the kernel alone needs."""

import atexit
import ctypes
import glob
import os
import shutil
import subprocess
import sys
import tempfile

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MUSL = {"x86_64": "x86_64-unknown-linux-musl", "aarch64": "aarch64-unknown-linux-musl",
        "armv7l": "armv7-unknown-linux-musleabihf", "riscv64": "riscv64gc-unknown-linux-musl"}
PEERS = ["crun", "runc", "youki"]
CGROUPS = "/sys/fs/cgroup"
SHM = "/dev/shm"
CLONE_NEWNS = 0x20000


class Runtime:
    """One OCI runtime, with a state directory of its own."""

    whole = True

    def __init__(self, name, path, flags):
        self.name, self.path, self.flags = name, os.path.realpath(path), flags
        # Where each keeps its state unless it is told otherwise is a tmpfs, too: /run.
        self.root = tempfile.mkdtemp(prefix=f"coracle-bench-{name}-", dir=SHM if os.path.ismount(SHM) else None)
        atexit.register(shutil.rmtree, self.root, ignore_errors=True)

    def command(self, *arguments):
        return [self.path, "--root", self.root, *self.flags, *arguments]

    def run(self, bundle, name):
        return self.command("run", "--bundle", bundle.path, name)

    def version(self):
        said = subprocess.run([self.path, "--version"], capture_output=True, text=True).stdout
        return said.split("\n")[0]


class Floor:
    """A C program that only calls the kernel. It knows `run`, and the default configuration alone."""

    name, whole = "floor", False

    def __init__(self, directory):
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "floor.c")
        self.path = os.path.join(directory, "floor")
        subprocess.run(["cc", "-O2", "-static", "-o", self.path, source], check=True, capture_output=True)

    def run(self, bundle, name):
        directories = [os.path.join(parent, name) for parent in own_cgroups()]
        return [self.path, bundle.rootfs, str(bundle.memory_limit() or 0), *directories]

    def version(self):
        return "no runtime: only the kernel's part, for the default configuration"


def own_cgroups():
    """The directories of this process's cgroups: one for each v1 hierarchy, or that of v2."""
    found = []
    with open("/proc/self/cgroup") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            for name in [controllers.removeprefix("name="), *controllers.split(",")]:
                mount = os.path.join(CGROUPS, name)
                if os.path.exists(os.path.join(mount, "cgroup.procs")):
                    found.append(os.path.normpath(mount + path))
                    break
    return found


def hide_second_cgroup_mount():
    """Takes the cgroup2 mount of a hybrid machine away, in a mount namespace of our own: crun refuses both at once."""
    hybrid = os.path.join(CGROUPS, "unified")
    if not os.path.ismount(hybrid) or ctypes.CDLL(None).unshare(CLONE_NEWNS) < 0:
        return False
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["umount", "-l", hybrid], check=True)
    return True


def find(asked, directory, flags):
    """Coracle, the peers on PATH and those that are asked for as NAME=PATH; then the floor, where it can be built. All but
    that get these flags before each command."""
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(REPOSITORY, "target"))
    built = os.path.join(target, MUSL.get(os.uname().machine, ""), "release", "coracle")
    paths = {"coracle": built if os.path.exists(built) else shutil.which("coracle")}
    paths |= {name: shutil.which(name) for name in PEERS}
    for pair in asked:
        name, equals, path = pair.partition("=")
        if not equals or not (path == "" or os.access(path, os.X_OK)):
            sys.exit(f"bench: {pair}: say NAME=PATH of an executable file, or NAME= to leave one out")
        paths[name] = path
    if not paths["coracle"]:
        sys.exit("bench: coracle is not built: cargo build --release")
    found = [Runtime(name, path, flags) for name, path in paths.items() if path]
    try:
        found.append(Floor(directory))
    except (OSError, subprocess.CalledProcessError):
        print("SKIP floor: it needs a C compiler and a static libc (gcc, libc6-dev)")
    return found


def clean():
    """Removes what a broken run may have left in our cgroups."""
    for parent in own_cgroups():
        for name in glob.glob(os.path.join(parent, "bench-*")):
            try:
                os.rmdir(name)
            except OSError:
                pass
