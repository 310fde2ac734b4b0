"""Warnings about data that are not scaled, and about training that came to little."""

from __future__ import annotations

import math

from sklearn.exceptions import ConvergenceWarning

from sklearn_ae._sklearn._warnings import warn
from sklearn_ae.modules._activations import TopK

_N_ROWS = 1000
_LARGE = 30
_MANY_DEAD = 0.75
_MANY_SILENT = 0.5
# Before that, codes are mostly those of the random start.
_MANY_STEPS = 50
# Share of the validation loss that the last epoch may take off.
_FALLING = 0.01


def warn_of_scale(rows):
    """Warn where columns outweigh others in the loss, and strengths mean little."""
    scale = rows.column_deviation(_N_ROWS)
    n_large = int((scale > _LARGE).sum())
    if n_large:
        warn(
            f"X is not scaled: {n_large} of {len(scale)} columns have a standard deviation above "
            f"{_LARGE}, the largest {scale.max():.3g}. The loss sums over columns, and strengths "
            "are in their units. Put a StandardScaler or MinMaxScaler in front."
        )


def warn_of_codes(estimator, silent, n_rows):
    """Warn where most components never fire, or where the codes of most rows say nothing."""
    n_batches = math.ceil(n_rows / estimator.batch_size)
    if n_batches * len(estimator.loss_curve_) < _MANY_STEPS:
        return
    dead, alpha = estimator.dead_components_, getattr(estimator, "alpha", 0)
    n_dead, n_all = int(dead.sum()), len(dead)
    lower = f"Lower alpha={alpha:g}."
    if n_dead == n_all and silent:
        remedy = lower if alpha else "Scale X, or lower learning_rate."
        warn(f"All {n_all} codes are zero for every row of X: there are no features. {remedy}")
    elif silent == 1 and alpha:
        warn(f"The codes are about the same for every row of X: there are no features. {lower}")
    elif silent > _MANY_SILENT and alpha:
        warn(f"All {n_all} codes are zero for {100 * silent:.0f} % of the rows of X. {lower}")
    elif _MANY_DEAD * n_all < n_dead < n_all:
        top_k = isinstance(estimator.activation, TopK) and not estimator.activation.revive
        built_in = estimator.encoder is None and estimator.decoder is None
        remedy = ", or use TopK(..., revive=True)" if top_k and built_in else ""
        warn(
            f"{n_dead} of {n_all} components are zero for every row of X (dead_components_). Take "
            f"fewer, or scale X with StandardScaler{remedy}."
        )


def warn_unfinished(trained):
    """Warn where the validation loss still fell when the epochs were over."""
    max_epochs, n_epochs = trained.recipe.max_epochs, trained.n_epochs
    curve = (trained.curve("valid_loss") or [])[-n_epochs:]
    if len(curve) < 2 or n_epochs < max_epochs or curve[-1] > min(curve):
        return
    fall = (curve[-2] - curve[-1]) / abs(curve[-2]) if curve[-2] else 0
    if fall > _FALLING:
        warn(
            f"max_epochs={max_epochs} ended training while the validation loss still fell, by "
            f"{100 * fall:.1f} % in the last epoch. Raise max_epochs.",
            ConvergenceWarning,
        )
