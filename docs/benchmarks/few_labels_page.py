"""Make few_labels.md and few_labels.png from few_labels.json."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import machine
import matplotlib as mpl
import numpy as np
from few.results import markdown

mpl.use("Agg")
import matplotlib.pyplot as plt

FOLDER = Path(__file__).parent
COLORS = {"raw pixels": "#8a949b", "deep denoising": "#d1682f", "PatchFeatures": "#0b6e99"}

INTRODUCTION = """\
# Few labels, many unlabeled images

Fashion-MNIST: 60,000 images to pretrain on, of which 500 have a label unless a table says
otherwise, and 10,000 test images. Each number is the mean of 5 draws of the labeled rows with its
standard deviation, or of 2 draws from 2,000 labels on; each difference, in points, is the mean of
paired differences from the first row of the table (or the row named "from scratch", or the raw
pixels at the same number of labels) with its standard error. Pretraining is the same for all
draws. XGBoost is `XGBClassifier(max_bin=64)`, the linear model
`make_pipeline(StandardScaler(), LogisticRegression(C=0.1))`, the same for every kind of feature.
What to make of it is in [the guide](../user_guide/images.md). The tables were measured before
autoencoders trained around the mean of the data, which leaves no unit dead and reconstructs better.
"""

TITLES = {
    "features": "Features",
    "own_defaults": "XGBoost at its own defaults",
    "settings": "Settings of PatchFeatures",
    "finetuned": "Fine-tuned networks",
    "zoo": "A network trained on other labels",
    "labels": "The number of labels",
    "unlabeled": "The number of unlabeled images",
}


def main():
    """Write the page and the plot."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER / "few_labels.json"
    results = json.loads(path.read_text())
    tables = results["tables"]
    parts = [INTRODUCTION, machine.sentence(results["machine"]) + "\n"]
    if results["quick"]:
        parts.append("**A quick run: small sizes and two draws, not to be quoted.**\n")
    for name, title in TITLES.items():
        if name not in tables:
            continue
        table = tables[name]
        note = table["note"].strip()
        timed = any(row["seconds"] for row in table["rows"])
        if timed and table.get("threads", 2) == 1:
            note += " Trained on one thread, on a machine that was busy."
        parts.append(f"## {title}\n\n{note}\n\n{markdown(table['rows'])}\n")
        if name == "labels" and "unlabeled" in tables:
            parts.append("![Accuracy against labels and unlabeled images](few_labels.png)\n")
    parts.append(
        "## How to repeat it\n\n`python docs/benchmarks/few_labels.py --only features` makes one "
        "table, without `--only` all of them; `--quick` takes under 5 minutes.\n"
    )
    (FOLDER / "few_labels.md").write_text("\n".join(parts))
    if {"labels", "unlabeled"} <= tables.keys():
        plot(tables, FOLDER / "few_labels.png")


def plot(tables, path):
    """Draw accuracy against the number of labels and of unlabeled images."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.8), layout="constrained", sharey=True)
    panels = [("labels", "labels"), ("unlabeled", "images")]
    for ax, (name, unit) in zip(axes, panels, strict=True):
        for kind, color in COLORS.items():
            points = _points(tables[name]["rows"], unit, kind)
            if points:
                counts, scores = zip(*points, strict=True)
                ax.plot(counts, scores, "o-", color=color, label=kind)
        ax.set_xscale("log")
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    raw = np.mean(tables["unlabeled"]["rows"][0]["scores"]["XGBoost"])
    axes[1].axhline(raw, color=COLORS["raw pixels"], linestyle=":", label="raw pixels")
    axes[0].set(xlabel="labeled images", ylabel="test accuracy of XGBoost")
    axes[1].set(xlabel="unlabeled images, 500 labeled")
    for ax in axes:
        ax.legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _points(rows, unit, kind):
    pattern = re.compile(rf"([\d,]+) {unit}: {kind}")
    matches = [(pattern.fullmatch(row["name"]), row) for row in rows]
    return [
        (int(match[1].replace(",", "")), np.mean(row["scores"]["XGBoost"]))
        for match, row in matches
        if match
    ]


if __name__ == "__main__":
    main()
