"""Tables in plots: weights and rows by the names of the columns."""

from __future__ import annotations

import numpy as np


def checked_names(names, n_columns):
    """Return a name for each column, x0, x1, ... without any, and shorten what is long."""
    names = [f"x{k}" for k in range(n_columns)] if names is None else list(map(str, names))
    if len(names) != n_columns:
        raise ValueError(f"feature_names={names!r} must hold {n_columns} names, one a column.")
    short = [name if len(name) <= 30 else f"{name[:14]}…{name[-15:]}" for name in names]
    return np.array(short, dtype=object)


def draw_bars(ax, weights, labels, names, n_bars):
    """Draw the largest weights of each row as bars, below each other and under the row's label."""
    largest = np.argsort(-np.abs(weights), axis=1, kind="stable")[:, :n_bars]
    head = np.arange(len(weights)) * (largest.shape[1] + 1.5)
    place = head[:, None] + 1 + np.arange(largest.shape[1])
    ax.barh(place.ravel(), np.take_along_axis(weights, largest, axis=1).ravel())
    ax.axvline(0, color="black", lw=0.8)
    texts = [*labels, *names[largest].ravel()]
    ax.set_yticks([*head, *place.ravel()], texts, fontsize="small")
    for label in ax.get_yticklabels()[: len(labels)]:
        label.set_fontweight("bold")
    ax.set(ylim=(place.max() + 1, -1), xlabel="weight")
    ax.tick_params(axis="y", length=0)


def draw_heat_map(ax, groups, names):
    """Draw groups of standardized rows as one heat map, gray between groups and for NaN."""
    rows = np.pad(groups, ((0, 0), (0, 1), (0, 0)), constant_values=np.nan)
    rows = rows.reshape(-1, groups.shape[2])[:-1]
    image = ax.imshow(rows, "RdBu_r", vmin=-3, vmax=3, aspect="auto", interpolation="nearest")
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize="small")
    ax.set_facecolor("0.75")
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(image, ax=ax, extend="both", label="standardized value")
