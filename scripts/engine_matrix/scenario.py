"""What a scenario is, and how it is run."""

import re
import signal
import time
import traceback

from . import system
from .system import Failure, Skip

SCENARIOS = []


class Scenario:
    def __init__(self, function, seconds):
        self.function, self.seconds = function, seconds
        self.engine = function.__module__.rsplit(".", 1)[1].split("_")[0]
        self.name = f"{self.engine}.{function.__name__}"
        self.about = " ".join((function.__doc__ or "").split())


def scenario(function=None, seconds=90):
    """Marks a function as a scenario. It is called with the engine, and is given so many seconds."""
    if function is None:
        return lambda marked: scenario(marked, seconds)
    SCENARIOS.append(Scenario(function, seconds))
    return function


def chosen(engines, only):
    """The scenarios of these engines, in the engines' order."""
    return [s for engine in engines for s in SCENARIOS if s.engine == engine and re.search(only or "", s.name)]


class Timeout(Failure):
    pass


def perform(scenario, engine):
    """Runs one: (verdict, reason, seconds). The engine tidies up after it."""
    def late(*_):
        raise Timeout(f"not done in {scenario.seconds * system.patience} s")

    start = time.monotonic()
    signal.signal(signal.SIGALRM, late)
    signal.alarm(scenario.seconds * system.patience)
    try:
        scenario.function(engine)
        verdict = ("PASS", "")
    except Skip as skip:
        verdict = ("SKIP", str(skip))
    except Failure as failure:
        verdict = ("FAIL", str(failure))
    except Exception as error:  # A mistake of the scenario's own must not end the run, nor pass.
        verdict = ("FAIL", f"{type(error).__name__}: {error} at {traceback.extract_tb(error.__traceback__)[-1]}")
    finally:
        signal.alarm(0)
    try:
        engine.tidy()
    except Failure as failure:
        if verdict[0] == "PASS":
            verdict = ("FAIL", f"afterwards: {failure}")
    return (*verdict, time.monotonic() - start)
