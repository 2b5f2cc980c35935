"""What all engines have in common."""

import os
import signal
import subprocess

from . import system
from .system import Failure, Terminal, eventually


class Daemon:
    """A daemon of the house, with its log in a file."""

    def __init__(self, log, *args, env=None):
        self.args, self.log, self.env, self.process = list(args), log, env, None

    def start(self, ready, *more):
        """Starts it, with `more` flags this time, and waits until `ready()`."""
        self.launch(*more)
        # dockerd has little patience with the containerd that it starts.
        again = system.patience > 1

        def up():
            nonlocal again
            if self.process.poll() is not None:
                if not again:
                    with open(self.log) as log:
                        raise Failure(f"{self.args[0]} ended: {log.read()[-600:]}")
                again = False
                self.launch(*more)
            return ready()

        eventually(up, f"{self.args[0]} does not answer", 60)

    def launch(self, *more):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([*self.args, *more], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **self.env} if self.env else None,
                                            start_new_session=True)

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Engine:
    """An engine with one runtime. Calling it runs its command: `engine("ps", "-a")` gives what that printed."""

    TITLE, PACKAGE = "", ""
    COMMAND = []
    USER = None
    ENV = {}

    def __init__(self, path, runtime, binary, archive):
        self.path, self.runtime, self.binary, self.archive = path, runtime, binary, archive
        self.work = os.path.join(path, "work")

    def start(self):
        """Starts the daemons, and loads the images."""

    def stop(self):
        """Ends the daemons."""

    def tidy(self):
        """Removes what a scenario left."""

    def __call__(self, *args, status=0, env=None, **more):
        return system.run([*self.COMMAND, *args], status, user=self.USER, env={**self.ENV, **(env or {})}, **more)

    def refuses(self, status, text, *args, **more):
        """The command fails with this exit status, and says `text`."""
        result = self(*args, status=status, **more)
        system.has(result.err + result, text)
        return result

    def terminal(self, *args, **more):
        """The command on a terminal."""
        return Terminal([*self.COMMAND, *args], user=self.USER, env=self.ENV, **more)

    def file(self, name, text, mode=0o644):
        """A file for the scenario; its path."""
        path = os.path.join(self.work, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def directory(self, name):
        path = os.path.join(self.work, name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o777)
        return path
