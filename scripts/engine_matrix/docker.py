"""Docker: one daemon, and helpers for its scenarios."""

import glob
import json
import os
import signal

from . import readme, system
from .engine import Daemon, Engine
from .images import BOX
from .system import eventually


class Docker(Engine):
    TITLE, PACKAGE = "Docker", "docker.io"
    COMMAND = ["/usr/bin/docker"]

    def start(self):
        os.makedirs("/etc/docker", exist_ok=True)
        settings = json.loads(readme.block("Docker", "json", self.runtime))
        if self.runtime == "runc":
            # Docker's own name for its own runtime: it must not be given again.
            settings.pop("runtimes")
        with open("/etc/docker/daemon.json", "w") as file:
            json.dump(settings, file)
        self.daemon = Daemon(os.path.join(self.path, "log/dockerd"), "/usr/sbin/dockerd", "--experimental",
                             "--storage-driver", "overlay2")
        self.launch()
        self("load", "--input", self.archive)

    def launch(self, *flags):
        self.daemon.start(lambda: self("info", status=None).status == 0, *flags)

    def stop(self):
        self.daemon.stop()

    def restart(self, *flags, how=signal.SIGTERM):
        """Ends the daemon, and starts it again with `flags`."""
        self.daemon.stop(how)
        self.launch(*flags)

    def tidy(self):
        """No container is left, and nothing of the runtime's."""
        containers = self("ps", "--all", "--quiet").split()
        if containers:
            self("rm", "--force", "--volumes", *containers)
        eventually(lambda: not self.remains(), "the runtime's state directories remain", 5)

    def remains(self):
        """The runtime's own directories of containers. Not all dockerds give each runtime a place of its own."""
        return [name for root in glob.glob("/run/docker/runtime-*/moby") for name in os.listdir(root)]

    # In the flags of the three below, "--" stands for the image, after which the command begins.

    def run(self, *args, **more):
        """A container in the foreground, and gone at its end."""
        return self("run", "--rm", *with_image(args), **more)

    def sh(self, script, *flags, **more):
        """A shell in a container in the foreground."""
        return self.run(*flags, "--", "sh", "-c", script, **more)

    def up(self, *args):
        """A container in the background; its id. Without a command it sleeps."""
        if "--" not in args:
            args = [*args, "--", "sleep", "1000"]
        return str(self("run", "--detach", *with_image(args)))

    def inside(self, container, script, **more):
        """A shell in a running container."""
        return self("exec", container, "sh", "-c", script, **more)

    def inspect(self, container, template):
        return str(self("inspect", "--format", "{{" + template + "}}", container))

    def pid(self, container):
        return int(self.inspect(container, ".State.Pid"))

    def exited(self, container, status=None):
        """Waits until the container has exited; its status."""
        got = int(self("wait", container))
        if status is not None:
            system.same(got, status, "the exit status")
        return got


def with_image(args):
    at = args.index("--")
    return [*args[:at], BOX, *args[at + 1:]]
