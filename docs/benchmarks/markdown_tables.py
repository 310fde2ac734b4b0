"""A section of the JSON file as a Markdown table, for the terminal and for the page."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter

__all__ = ["markdown", "verdict"]


def markdown(section):
    """Return title, note, and a table for each task; columns without a value are left out."""
    lines = [f"## {section['title']}", "", section["note"], ""]
    for task, group in groupby(section["rows"], key=itemgetter("case")):
        rows = [_cells(row) for row in group]
        columns = [name for name in rows[0] if any(row[name] for row in rows)]
        lines += [f"### {task[0].upper()}{task[1:]}", ""]
        lines += ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        lines += ["| " + " | ".join(row[name] for name in columns) + " |" for row in rows]
        lines.append("")
    load = " to ".join(str(number) for number in section["load"])
    state = f"{section['seconds']:.0f} s on {section['date']}, load average {load}"
    return "\n".join([*lines, f"*{state}.*"])


def verdict(row):
    """Return "met", "MISSED" or "", by the limits of a row."""
    checks = []
    if "limit" in row and "ratio" in row:
        checks.append(row["ratio"][0] <= row["limit"])
    if "at_least" in row:
        checks.append(row["ratio"][0] >= row["at_least"])
    if "memory_limit_mib" in row:
        checks.append(row["memory_mib"] <= row["memory_limit_mib"])
    if "limit_points" in row:
        checks.append(row["points"][0] >= -row["limit_points"])
    if not checks:
        return ""
    return "met" if all(checks) else "MISSED"


def _cells(row):
    low_high = row.get("ratio", [0, 0, 0])
    return {
        "what": row.get("name", ""),
        "time": _time(row["seconds"]) if "seconds" in row else row.get("skipped", ""),
        "ratio": f"**{low_high[0]:.2f}**" if "ratio" in row else "",
        "range": f"{low_high[1]:.2f} to {low_high[2]:.2f}"
        if "ratio" in row
        else row.get("span", ""),
        "to": row.get("of", ""),
        "accuracy": f"{row['accuracy']:.1%}" if "accuracy" in row else "",
        "points": "{:+.1f} ({:+.1f} to {:+.1f})".format(*row["points"]) if "points" in row else "",
        "whole fit": f"{row['fit_ratio'][0]:.2f}" if "fit_ratio" in row else "",
        "memory": f"{row['memory_mib']:.0f} MiB" if "memory_mib" in row else "",
        "limit": _limit(row),
        "loss": f"{row['loss']:.3g}" if "loss" in row else "",
        "note": row.get("note", ""),
    }


def _limit(row):
    parts = []
    if "limit" in row:
        parts.append(f"at most {row['limit']:g}")
    if "at_least" in row:
        parts.append(f"at least {row['at_least']:g}")
    if "memory_limit_mib" in row:
        parts.append(f"{row['memory_limit_mib']} MiB")
    if "limit_points" in row:
        parts.append(f"-{row['limit_points']} points")
    return f"{', '.join(parts)}: {verdict(row)}" if parts else ""


def _time(seconds):
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
