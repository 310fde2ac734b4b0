"""A row of accuracies, and the table that rows make."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

__all__ = ["Row", "as_json", "markdown", "timed"]


@dataclass
class Row:
    """Accuracies by model, one a draw, and the seconds that training took."""

    name: str
    scores: dict
    seconds: float | None = None
    reference: str | None = None


def timed(function):
    """Return what a function gives and the seconds that it took."""
    begin = perf_counter()
    result = function()
    return result, perf_counter() - begin


def as_json(rows):
    """Return rows as they go into the file."""
    return [
        {"name": row.name, "scores": row.scores, "seconds": row.seconds, "reference": row.reference}
        for row in rows
    ]


def markdown(rows):
    """Return a table: mean and deviation, and paired differences from the row of reference."""
    models = list(dict.fromkeys(model for row in rows for model in row["scores"]))
    lines = [
        "| | " + " | ".join(f"{model} | difference" for model in models) + " | trained in |",
        "|---|" + "---|---|" * len(models) + "---|",
    ]
    by_name = {row["name"]: row for row in rows}
    for row in rows:
        reference = by_name[row["reference"] or rows[0]["name"]]
        cells = [cell for model in models for cell in _cells(row, reference, model)]
        seconds = "" if row["seconds"] is None else f"{row['seconds']:.0f} s"
        lines.append(f"| {row['name']} | " + " | ".join(cells) + f" | {seconds} |")
    return "\n".join(lines)


def _cells(row, reference, model):
    if model not in row["scores"]:
        return "", ""
    scores = np.array(row["scores"][model])
    told = f"{scores.mean():.3f} ± {scores.std(ddof=1):.3f}" if len(scores) > 1 else (
        f"{scores.mean():.3f}"
    )  # fmt: skip
    if row is reference or model not in reference["scores"]:
        return told, ""
    differences = 100 * (scores - np.array(reference["scores"][model]))
    error = differences.std(ddof=1) / np.sqrt(len(differences)) if len(differences) > 1 else 0
    return told, f"{differences.mean():+.1f} ± {error:.1f}"
