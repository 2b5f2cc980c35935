"""The images that the engines load: a root filesystem of busybox, as the archive that `docker save` would write."""

import hashlib
import io
import json
import os
import subprocess
import tarfile

BOX = "localhost/box:latest"
PAUSE = "localhost/pause:latest"
# Runs out of memory; its shell lives on, as a shim may miss what is told by the cgroup of a container that is gone.
GREEDY = ["sh", "-c", "tail /dev/zero; status=$?; sleep 1; exit $status"]
# Counts, where its number may be seen: a process that goes on is one that goes on counting.
COUNTER = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done"]
# A Landlock policy under which /tmp can be written, and /etc cannot be read.
LANDLOCK = json.dumps({"ruleset": {"handledAccessFS": ["v1.all"]}, "rules": {"pathBeneath": [
    {"allowedAccess": ["v1.read_execute"], "paths": ["/bin", "/pause", "/proc", "/dev"]},
    {"allowedAccess": ["v1.read_write"], "paths": ["/tmp", "/dev"]}]}})
UNDER_LANDLOCK = ["sh", "-c", "echo new > /tmp/x && cat /tmp/x && ! cat /etc/passwd"]

PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"
GROUP = "root:x:0:\napp:x:1000:\nextra:x:1001:app\nnobody:x:65534:\n"


def make(path):
    """Writes the archive with both images."""
    layer = layer_of_busybox()
    digest = hashlib.sha256(layer).hexdigest()
    with tarfile.open(path, "w") as archive:
        add(archive, f"{digest}/layer.tar", layer)
        manifest = []
        for tag, process in ((BOX, {"Cmd": ["sh"], "Env": ["PATH=/bin", "IMAGE=box"]}),
                             (PAUSE, {"Entrypoint": ["sleep", "1000000"], "Env": ["PATH=/bin"]})):
            config = json.dumps({
                "architecture": "amd64" if os.uname().machine == "x86_64" else "arm64", "os": "linux",
                "created": "2024-01-01T00:00:00Z", "config": process,
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
                "history": [{"created": "2024-01-01T00:00:00Z"}],
            }).encode()
            name = hashlib.sha256(config).hexdigest() + ".json"
            add(archive, name, config)
            manifest.append({"Config": name, "RepoTags": [tag], "Layers": [f"{digest}/layer.tar"]})
        add(archive, "manifest.json", json.dumps(manifest).encode())


def layer_of_busybox():
    busybox = "/bin/busybox"
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as layer:
        for name in ("bin", "dev", "etc", "proc", "sys", "home", "var"):
            add_directory(layer, name)
        add_directory(layer, "tmp", 0o1777)
        add_directory(layer, "root", 0o700)
        add_directory(layer, "home/app", 0o755, 1000)
        with open(busybox, "rb") as file:
            add(layer, "bin/busybox", file.read(), 0o755)
        for applet in subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout.split():
            if applet != "busybox":
                link = tarfile.TarInfo(f"bin/{applet}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                layer.addfile(link)
        add(layer, "etc/passwd", PASSWD.encode())
        add(layer, "etc/group", GROUP.encode())
        add(layer, "etc/not-a-program", b"no\n", 0o644)
    return data.getvalue()


def add(archive, name, data, mode=0o644):
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    archive.addfile(info, io.BytesIO(data))


def add_directory(archive, name, mode=0o755, owner=0):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, owner, owner
    archive.addfile(info)
