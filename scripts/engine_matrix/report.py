"""What a run has shown: what did not pass and why, and the table by engines that README has."""

import subprocess

from . import matrix

NOT_REACHED = ("FAIL", "not reached", 0)


def show(scenarios, runtimes, results):
    """Prints it all; the exit status. `results` has, for each runtime's name, name → (verdict, reason, seconds)."""
    for verdict in ("SKIP", "FAIL"):
        lines = [f"  {scenario.name} ({runtime.name}): {shortened(reason)}" for scenario in scenarios
                 for runtime in runtimes
                 for got, reason, _ in [results[runtime.name].get(scenario.name, NOT_REACHED)] if got == verdict]
        if lines:
            print(f"\n{verdict}, and why:", *lines, sep="\n")

    print("\n| engine | scenarios | " + " | ".join(map(version, runtimes)) + " |")
    print("| --- " * (2 + len(runtimes)) + "|")
    for engine, kind in matrix.ENGINES.items():
        own = [scenario for scenario in scenarios if scenario.engine == engine]
        if own:
            cells = [counted(own, results[runtime.name]) for runtime in runtimes]
            print(f"| {kind.TITLE} {package_version(kind.PACKAGE)} | {len(own)} | " + " | ".join(cells) + " |")

    subject = next((runtime for runtime in runtimes if runtime.name == "coracle"), runtimes[0])
    peers = [results[runtime.name] for runtime in runtimes if runtime is not subject]
    failed = [scenario.name for scenario in scenarios if failed_in(results[subject.name], scenario)]
    worse = [name for name in failed if not peers or any(peer.get(name, NOT_REACHED)[0] == "PASS" for peer in peers)]
    if peers:
        print(f"\nscenarios that pass with another runtime and fail with {subject.name}: {len(worse)}", *worse)
    return 1 if worse else 0


def failed_in(results, scenario):
    return results.get(scenario.name, NOT_REACHED)[0] == "FAIL"


def counted(scenarios, results):
    """How many passed; and how many did not, if any."""
    verdicts = [results.get(scenario.name, NOT_REACHED)[0] for scenario in scenarios]
    words = [str(verdicts.count("PASS"))]
    words += [f"{verdicts.count(verdict)} {word}" for verdict, word in (("FAIL", "failed"), ("SKIP", "skipped"))
              if verdict in verdicts]
    return ", ".join(words)


def shortened(reason):
    return reason if len(reason) < 500 else reason[:300] + " … " + reason[-200:]


def version(runtime):
    """Its name and version: the last word of the first line that `--version` prints."""
    shown = subprocess.run([runtime.path, "--version"], capture_output=True, text=True).stdout
    return f"{runtime.name} {shown.splitlines()[0].split()[-1]}" if shown else runtime.name


def package_version(package):
    """The version that Debian's package has of what it packs."""
    shown = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True).stdout
    return shown.split("+")[0].split("~")[0].split("-")[0].split(":")[-1]
