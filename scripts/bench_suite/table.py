"""The figures as tables of Markdown."""

PEERS = ["crun", "runc", "youki"]


def base_of(figures):
    """The runtime that the ratios are to."""
    names = list(figures["run"]["default"])
    return next((name for wanted in PEERS for name in names if name.startswith(wanted)), "coracle")


def grid(head, rows):
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines) + "\n"


def number(value):
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def ratio(value, base):
    return f"{value / base:.2f}" if value is not None and base else "–"


def measured(row, what):
    return row.get(what, {}).get("median") if isinstance(row.get(what), dict) else None


def versus(row, base, what):
    """The median, and its ratio to that of the base."""
    value, other = measured(row, what), measured(base, what)
    return [number(value), ratio(value, other)]


def run(figures, kind):
    rows = figures["run"][kind]
    base = rows.get(base_of(figures), {})
    head = ["run, " + kind, "wall ms: p10", "median", "p90", "ratio", "CPU ms", "ratio", "peak KiB", "page faults",
            "system calls", "least memory limit, KiB"]
    lines = []
    for name, row in rows.items():
        wall = row.get("wall", {})
        median, share = versus(row, base, "wall")
        lines.append([name, number(wall.get("p10")), median, number(wall.get("p90")), share,
                      *versus(row, base, "cpu"), f"{row['peak']:.0f}", f"{row['faults']:.0f}", f"{row['calls']:.0f}",
                      "–" if row["limit"] is None else str(row["limit"])])
    return grid(head, lines)


def steps(figures, what, title):
    rows = figures["steps"]
    base = rows[base_of(figures)]
    names = list(base)
    head = [title] + [column for step in names for column in (step, "ratio")]
    return grid(head, [[name] + [cell for step in names for cell in versus(row[step], base[step], what)]
                       for name, row in rows.items()])


def staying(figures):
    head = ["KiB", "file", "`run` while it waits", "process of a created container"]
    rows = figures["run"]["default"]
    return grid(head, [[name, str(figures["runtimes"][name]["file"] // 1024),
                        number(row["waiting"]), number(row["created"])]
                       for name, row in rows.items() if "waiting" in row])


def scale(figures):
    rows = figures["scale"]
    lines, head = [], [""]
    first = next(iter(rows.values()), {})
    if "parallel" in first:
        head += [f"{first['parallel']['count']} `create` at once, s", "failed"]
    if "alive" in first:
        head += [f"`create` beside none, ms CPU", f"beside {first['alive']['count']}", "`list`, ms CPU",
                 "memory of one, KiB", "failed"]
    for name, row in rows.items():
        line = [name]
        if "parallel" in first:
            line += [number(row["parallel"]["seconds"]), str(row["parallel"]["failed"])]
        if "alive" in first:
            alive = row["alive"]
            line += [number(measured(alive[what], "cpu")) for what in ("first", "last", "table")]
            line += [number(alive["kib"]), str(alive["failed"])]
        lines.append(line)
    return grid(head, lines) if len(head) > 1 else ""


def growth(figures):
    rows = figures["growth"]
    kinds = list(next(iter(rows.values()), {}))
    head = ["µs of CPU for one more"] + kinds
    return grid(head, [[name] + [number(row[kind]["cpu"]) if kind in row else "–" for kind in kinds]
                       for name, row in rows.items()])


def text(figures):
    machine = figures["machine"]
    versions = "; ".join(f"{name}: {one['version']}" for name, one in figures["runtimes"].items())
    hidden = ", the second cgroup mount hidden" if machine["hidden"] else ""
    manager = " by systemd" if machine.get("systemd") else ""
    failed = [f"{name}, {kind}: {row['failed']} runs failed.\n\n" for kind, rows in figures["run"].items()
              for name, row in rows.items() if row["failed"]]
    return (f"Medians of {machine['rounds']} alternating runs of `/bin/true` of busybox; {machine['kernel']}, "
            f"{machine['machine']}, {machine['cpus']} CPUs, cgroup {machine['cgroup']}{manager}{hidden}; ratios to "
            f"{base_of(figures)}. {versions}.\n\n" + "".join(failed)
            + "".join(run(figures, kind) + "\n" for kind in figures["run"])
            + steps(figures, "cpu", "CPU ms") + "\n" + steps(figures, "wall", "wall ms") + "\n"
            + staying(figures) + "\n" + scale(figures) + "\n" + growth(figures))
