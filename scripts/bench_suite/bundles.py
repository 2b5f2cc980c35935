"""Bundles of busybox, and the configurations that the runtimes are compared with."""

import copy
import json
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# title → file beside this one: what `coracle spec` writes, in the words of the oldest peer; what dockerd sends.
CONFIGURATIONS = {"default": "default.json", "Docker-shaped": "docker.json"}


class Bundle:
    def __init__(self, path, kind):
        self.path, self.kind = path, kind
        self.rootfs = os.path.join(path, "rootfs")
        busybox = shutil.which("busybox") or sys.exit("bench: busybox-static is not installed")
        for name in ["bin", "proc", "sys", "dev", "etc", "tmp"]:
            os.makedirs(os.path.join(self.rootfs, name))
        for name in ["resolv.conf", "hostname", "hosts"]:
            open(os.path.join(self.rootfs, "etc", name), "w").close()
        shutil.copy(busybox, os.path.join(self.rootfs, "bin/busybox"))
        for name in ["true", "sleep"]:
            os.symlink("busybox", os.path.join(self.rootfs, "bin", name))
        with open(os.path.join(HERE, CONFIGURATIONS[kind])) as file:
            self.original = json.load(file)
        self.change(lambda config: None)

    def change(self, edit):
        """Writes the configuration anew, as `edit` changes the original one."""
        self.config = copy.deepcopy(self.original)
        edit(self.config)
        with open(os.path.join(self.path, "config.json"), "w") as file:
            json.dump(self.config, file, indent=1)

    def memory_limit(self):
        return self.config["linux"]["resources"].get("memory", {}).get("limit")


def make(directory, kind, name):
    path = os.path.join(directory, name)
    os.mkdir(path)
    return Bundle(path, kind)


def sleeper(config):
    """A process that stays."""
    config["process"]["args"] = ["/bin/sleep", "100000"]


def limited(size):
    def edit(config):
        config["linux"]["resources"]["memory"] = {"limit": size}
    return edit


def with_mounts(count):
    def edit(config):
        config["mounts"] += [{"destination": f"/tmp/{number}", "type": "tmpfs", "source": "tmpfs",
                              "options": ["nosuid", "size=4k"]} for number in range(count)]
        config["root"]["readonly"] = False
    return edit


def with_variables(count):
    def edit(config):
        config["process"]["env"] += [f"VARIABLE_{number}=the value of the variable" for number in range(count)]
    return edit


def with_rules(count):
    """Rules of seccomp with a condition each, so that none of them can be put together with its neighbour."""
    names = ["ioctl", "fcntl", "prctl", "lseek", "madvise", "socket", "setsockopt", "getsockopt"]

    def edit(config):
        rules = [{"names": [names[number % len(names)]], "action": "SCMP_ACT_ERRNO",
                  "args": [{"index": 1, "value": 100000 + number, "op": "SCMP_CMP_EQ"}]} for number in range(count)]
        config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                                      "syscalls": rules} if count else None
        if not count:
            del config["linux"]["seccomp"]
    return edit
