"""The figures as one SVG picture: bars of the ratios to the base, one group for each figure."""

from html import escape

from .table import base_of, measured

BAR, GAP, LEFT, WIDTH, RIGHT, TOP = 11, 13, 190, 460, 60, 64
MOST = 2.0
COLOURS = {"coracle": "#0b6e99", "floor": "#9aa5ad"}
OTHERS = ["#d9822b", "#8e5ea2", "#5a9e4b", "#b0413e", "#7a6a53", "#c2a83e"]


def groups(figures):
    """Title → runtime → the figure."""
    found = {}
    for kind, rows in figures["run"].items():
        for what, title in (("wall", "wall"), ("cpu", "CPU")):
            found[f"run, {kind}: {title}"] = {name: measured(row, what) for name, row in rows.items()}
    for what, title in (("peak", "peak memory"), ("faults", "page faults"), ("calls", "system calls"),
                        ("limit", "least memory limit")):
        found[f"run: {title}"] = {name: row[what] for name, row in figures["run"]["default"].items()}
    rows = figures["steps"]
    for step in next(iter(rows.values()), {}):
        found[f"{step}: CPU"] = {name: measured(row[step], "cpu") for name, row in rows.items()}
    return found


def svg(figures):
    base = base_of(figures)
    names = list(figures["run"]["default"])
    others = iter(OTHERS * len(names))
    colours = {name: COLOURS.get(name) or next(others) for name in names}
    parts, y = [], TOP
    for title, row in groups(figures).items():
        bars = {name: row[name] / row[base] for name in names if row.get(name) and row.get(base)}
        if not bars:
            continue
        parts.append(f'<text x="{LEFT - 8}" y="{y + len(bars) * BAR / 2 + 4:.0f}" text-anchor="end">{escape(title)}</text>')
        for name, share in bars.items():
            width = min(share, MOST) / MOST * WIDTH
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 1}" fill="{colours[name]}"/>')
            # A bar that leaves the picture is cut, and says so.
            mark = f"{share:.2f} »" if share > MOST else f"{share:.2f}"
            parts.append(f'<text x="{LEFT + width + 4:.1f}" y="{y + BAR - 2}" class="value">{mark}</text>')
            y += BAR
        y += GAP
    line = LEFT + WIDTH / MOST
    parts.insert(0, f'<line x1="{line}" y1="{TOP - 8}" x2="{line}" y2="{y - GAP + 4}" stroke="#bbb"/>')
    x = LEFT
    for name in names:
        parts.append(f'<rect x="{x}" y="34" width="10" height="10" fill="{colours[name]}"/>'
                     f'<text x="{x + 14}" y="43">{escape(name)}</text>')
        x += 34 + 7 * len(name)
    machine = figures["machine"]
    head = f"Ratios to {base}; shorter is better ({machine['kernel']}, {machine['cpus']} CPUs, cgroup {machine['cgroup']})"
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + RIGHT}" height="{y}" '
            f'font-family="sans-serif" font-size="12">\n'
            f'<style>.value {{ font-size: 9px; fill: #555 }}</style>\n'
            f'<rect width="100%" height="100%" fill="white"/>\n'
            f'<text x="{LEFT}" y="20" font-size="14">{escape(head)}</text>\n' + "\n".join(parts) + "\n</svg>\n")
