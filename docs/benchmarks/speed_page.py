"""Make speed.md and speed.png from speed.json: ``python docs/benchmarks/speed_page.py``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import machine
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from markdown_tables import markdown, verdict

FOLDER = Path(__file__).parent
OURS, OTHER = "#0b6e99", "#b8c4cc"
HAND = "loop by hand"
FROM_EPOCH = (
    "bare matrix products",
    HAND,
    "Autoencoder",
    "loop by hand, L1 and unit norm",
    "SparseAutoencoder",
)
FROM_BFLOAT16 = ("Autoencoder, bfloat16",)
FROM_RIVALS = ("skorch as it comes", "MLPRegressor", "PyOD AutoEncoder")

INTRODUCTION = """\
# Speed

Training and encoding at the speed of a torch loop written by hand: that is the aim, and this page
says how far it is met. Everything but peak memory and imports ran in one process, contenders
interleaved over several rounds, each round in another order. Ratios are taken round by round; the
tables give their median and their range. Absolute times belong to the machine, ratios less so.
Since then the engine was rebuilt: against the one measured here, a fit took 0.93 times as long on
digits 64 -> 128 and 0.77 times at 784 -> 1,024 (medians of five and three pairs of processes).
"""

HOW = """\
Made by `python docs/benchmarks/speed.py` and `python docs/benchmarks/speed_page.py` after
`pip install -e ".[bench]"`; `--quick` takes under 3 minutes on two idle cores, `--only NAME` makes
one table anew. What each contender does is in `contenders.py`, `rivals.py` and `switches.py`
beside this page.
"""


def main():
    """Write the page and the plot."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER / "speed.json"
    results = json.loads(path.read_text())
    sections = results["sections"]
    plot(sections, FOLDER / "speed.png")
    parts = [INTRODUCTION, machine.sentence(results["machine"]) + "\n"]
    if results["quick"]:
        parts.append("**A quick run: small sizes and few rounds, not to be quoted.**\n")
    parts += [
        "![Time per epoch, as a multiple of the loop by hand, and cost of the regularizers]"
        "(speed.png)\n",
        limits(sections),
    ]
    parts += [markdown(section) + "\n" for section in sections.values()]
    if (FOLDER / "scaling.png").exists():
        parts.append("## Scaling\n\n![Time and memory against size](scaling.png)\n")
        parts.append("Made by `python docs/benchmarks/scaling.py`, one process a point.\n")
    parts.append("## How to repeat it\n\n" + HOW)
    (FOLDER / "speed.md").write_text("\n".join(parts))


def limits(sections):
    """Return the limits that were set and missed, or that there are none."""
    rows = [row for section in sections.values() for row in section["rows"]]
    verdicts = [verdict(row) for row in rows]
    n_met, n_missed = verdicts.count("met"), verdicts.count("MISSED")
    lines = [f"Of the {n_met + n_missed} limits that were set before, {n_met} are met."]
    lines += [
        f"- missed: {row['name']} on {row['case']}"
        for row, result in zip(rows, verdicts, strict=True)
        if result == "MISSED"
    ]
    return "\n".join(lines) + "\n"


def plot(sections, path):
    """Draw time per epoch of everyone on both cases, and the cost of every regularizer."""
    figure, axes = plt.subplots(3, 1, figsize=(7.2, 9.6), layout="constrained")
    for ax, data, title in zip(
        axes,
        ("digits", "Fashion-MNIST"),
        ("digits 64 -> 128", "Fashion-MNIST 784 -> 1,024"),
        strict=False,
    ):
        names, values = against_the_loop(sections, data)
        bars(ax, names, values, [None] * len(names))
        ax.set(title=title, xlabel="time per epoch; loop by hand = 1")
    rows = [row for row in rows_of(sections, "variants", "Fashion-MNIST") if "ratio" in row]
    ranges = [row["ratio"][1:] for row in rows]
    bars(axes[2], [row["name"] for row in rows], [row["ratio"][0] for row in rows], ranges)
    axes[2].set(title="Regularizers, 784 -> 1,024", xlabel="time per epoch; Autoencoder = 1")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def against_the_loop(sections, data):
    """Return names and medians, each as a multiple of the loop's in the same table."""
    names, values = [], []
    sources = {"epoch": FROM_EPOCH, "bfloat16": FROM_BFLOAT16, "rivals": FROM_RIVALS}
    for section, wanted in sources.items():
        rows = {row["name"]: row for row in rows_of(sections, section, data) if "seconds" in row}
        hand = rows.get(HAND) or rows.get(f"{HAND}, float32")
        for name in wanted:
            if name in rows and hand:
                names.append(name)
                values.append(rows[name]["seconds"] / hand["seconds"])
    return names, values


def rows_of(sections, name, data):
    """Return the rows of a table about some data, of its first batch size."""
    rows = [row for row in sections.get(name, {"rows": []})["rows"] if data in row["case"]]
    return [row for row in rows if row["case"] == rows[0]["case"]]


def bars(ax, names, values, ranges):
    """Draw horizontal bars, ours in color, with the value beside each."""
    ours = ("Autoencoder", "SparseAutoencoder", "Autoencoder, bfloat16")
    highlight = [name in ours or span is not None for name, span in zip(names, ranges, strict=True)]
    colors = [OURS if mine else OTHER for mine in highlight]
    ax.barh(names, values, color=colors)
    for position, (value, span) in enumerate(zip(values, ranges, strict=True)):
        if span is not None:
            ax.plot(span, [position, position], color="black", linewidth=1)
        ax.text(
            max(value, *(span or [0])) + 0.02 * max(values, default=1),
            position,
            f"{value:.2f}",
            va="center",
        )
    ax.axvline(1, color="black", linewidth=0.8, linestyle=":")
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
