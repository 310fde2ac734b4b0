"""Warnings about data that are not scaled, and about training that came to little."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.sparsefuncs import mean_variance_axis

from sklearn_ae.modules import TopK

__all__ = ["warn_of_codes", "warn_of_scale", "warn_unfinished"]

_N_ROWS = 1000
# Fewer rows may differ in few columns by chance.
_ENOUGH = 10
_LARGE = 100
# Share of the variance that few columns, as a share of those that vary, may carry.
_CARRIED, _FEW = 0.99, 0.05
_MANY_DEAD = 0.75
_MANY_IDLE = 0.5
# Before that, codes are mostly those of the random start.
_MANY_STEPS = 50
# Share of the validation loss that the last epoch may take off.
_FALLING = 0.01


def warn_of_scale(X):
    """Warn where some columns would outweigh all others in the loss.

    Parameters
    ----------
    X : ndarray, torch.Tensor or scipy.sparse CSR of shape (n_samples, n_features)
        Validated data, of which about 1,000 rows are looked at.
    """
    X = X[:: max(1, X.shape[0] // _N_ROWS)]
    scale = _deviations(X)
    large = int((scale > _LARGE).sum())
    if large:
        _warn(
            f"X is not scaled: {large} of {len(scale)} columns have a standard deviation above "
            f"{_LARGE}, the largest {scale.max():.3g}. The loss sums over columns, and strengths "
            "are in their units. Put a StandardScaler or MinMaxScaler in front."
        )
        return
    if abs(X).max() <= 1:
        # A scaler of ranges was here, and heavy tails leave it little variance.
        return
    with np.errstate(over="ignore"):
        variances = np.sort(scale[scale > 0] ** 2)[::-1]
    few = math.ceil(_FEW * len(variances))
    if (
        X.shape[0] >= _ENOUGH
        and len(variances) > 1
        and variances[:few].sum() > _CARRIED * variances.sum()
    ):
        share = 100 * variances[:few].sum() / variances.sum()
        _warn(
            f"{few} of {len(scale)} columns of X carry {share:.1f} % of its variance, and the loss "
            "sums over columns: the others will hardly be learned. Put a StandardScaler or "
            "MinMaxScaler in front."
        )


def warn_of_codes(estimator, idle, n_steps):
    """Warn where most components never fire, or where the codes of most rows say nothing.

    Parameters
    ----------
    estimator : Autoencoder
        The fitted estimator.

    idle : float
        Share of the rows with no active code, as ``train`` gives it.

    n_steps : int
        Steps of the optimizer so far.
    """
    if n_steps < _MANY_STEPS:
        return
    n_dead, n_all = int(estimator.dead_components_.sum()), estimator._widths[-1]
    lower = f"Lower alpha={estimator.alpha:g}."
    if n_dead == n_all and idle:
        remedy = lower if estimator.alpha else "Scale X, or lower learning_rate."
        _warn(f"All {n_all} codes are zero for every row of X: there are no features. {remedy}")
    elif idle == 1 and estimator.alpha:
        _warn(f"The codes are about the same for every row of X: there are no features. {lower}")
    elif idle > _MANY_IDLE and estimator.alpha:
        _warn(f"All {n_all} codes are zero for {100 * idle:.0f} % of the rows of X. {lower}")
    elif _MANY_DEAD * n_all < n_dead < n_all:
        top_k = isinstance(estimator.activation, TopK) and not estimator.activation.revive
        built_in = estimator.encoder is None and estimator.decoder is None
        remedy = ", or use TopK(..., revive=True)" if top_k and built_in else ""
        _warn(
            f"{n_dead} of {n_all} components are zero for every row of X (dead_components_). Take "
            f"fewer, or scale X with StandardScaler{remedy}."
        )


def warn_unfinished(estimator, n_epochs):
    """Warn where the validation loss still fell when the epochs were over.

    Parameters
    ----------
    estimator : estimator
        With ``validation_loss_curve_`` and ``max_epochs``.

    n_epochs : int
        Epochs of this fit, none of which early stopping ended.
    """
    curve = (estimator.validation_loss_curve_ or [])[-n_epochs:]
    if len(curve) < 2 or curve[-1] > min(curve):
        return
    fall = (curve[-2] - curve[-1]) / abs(curve[-2]) if curve[-2] else 0
    if fall > _FALLING:
        _warn(
            f"max_epochs={estimator.max_epochs} ended training while the validation loss still "
            f"fell, by {100 * fall:.1f} % in the last epoch. Raise max_epochs.",
            ConvergenceWarning,
        )


def _deviations(X):
    if sparse.issparse(X):
        return np.sqrt(mean_variance_axis(X, axis=0)[1])
    if isinstance(X, torch.Tensor):
        return X.cpu().double().std(dim=0, correction=0).numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        return X.std(axis=0, dtype=np.float64)


def _warn(message, category=UserWarning):
    # The caller of fit: above this are the function, _train or _fit, fit, and what wraps it.
    warnings.warn(message, category, stacklevel=6)
