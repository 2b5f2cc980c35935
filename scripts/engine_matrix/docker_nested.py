"""Docker: the runtime within a container that it runs."""

import os
import shutil

from .scenario import scenario
from .system import Skip, has, same

# Containers of the box's root: one in the foreground, one through its life.
LIFE = """cd /inner && coracle spec {spec} && sed -i 's/"terminal": true/"terminal": false/' config.json || exit
sed 's/"sh"/"id", "-u"/' config.json > once.json; coracle {flag} run --config once.json once || exit
sed -i 's/"sh"/"sleep", "1000"/' config.json
coracle {flag} create one </dev/null && coracle start one && coracle exec one cat /proc/1/cmdline | tr '\\0' ' '
coracle kill one KILL; until coracle state one | grep -q stopped; do sleep 0.1; done
coracle delete one && coracle list -q && ls /run/coracle"""
LIVED = ["0", "sleep 1000"]
# Where nothing can be mounted, nor any namespace made.
REFUSED = """cd /inner; coracle spec; coracle run one; coracle --rootless true run one; rm config.json
coracle spec --rootless; coracle --rootless true run one; ls /run/coracle"""


def nested(d, name, script, *flags, **more):
    """A shell in a container that has the runtime, and a bundle in /inner."""
    if d.runtime != "coracle":
        raise Skip("only Coracle needs nothing but its file")
    directory = d.directory(name)
    for place in ("bin", "proc", "sys", "dev", "tmp"):
        os.makedirs(os.path.join(directory, "rootfs", place))
    shutil.copy("/bin/busybox", os.path.join(directory, "rootfs/bin/busybox"))
    for applet in ("sh", "id", "sleep", "cat"):
        os.symlink("busybox", os.path.join(directory, "rootfs/bin", applet))
    return d.sh(script, "--volume", f"{directory}:/inner", "--volume", f"{d.binary}:/bin/coracle:ro", *flags, **more)


@scenario
def nested_privileged(d):
    """--privileged: containers within"""
    same(nested(d, "privileged", LIFE.format(spec="", flag=""), "--privileged").splitlines(), LIVED)


@scenario
def nested_unconfined(d):
    """not privileged, but without filter and masks: containers within, in user namespaces"""
    flags = [f"--security-opt={name}=unconfined" for name in ("seccomp", "systempaths", "apparmor")]
    script = LIFE.format(spec="--rootless", flag="--rootless true")
    same(nested(d, "unconfined", script, *flags).splitlines(), LIVED)


@scenario
def nested_refused(d):
    """not privileged: why there can be no containers within"""
    shown = nested(d, "refused", REFUSED, status=None)
    same(str(shown), "")
    for line, text in zip(shown.err.splitlines(), [
            "`--rootless true` does without cgroups", "operation not permitted", "no user namespace can be made"],
            strict=True):
        has(line, text)
