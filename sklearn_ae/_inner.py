"""Autoencoders inside other estimators: which are taken, their seeds, the frozen ones."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._autoencoder import Autoencoder

__all__ = ["check_frozen", "cloned", "thawed"]


def thawed(estimator):
    """Return what a FrozenEstimator holds, and any other estimator as it is.

    Parameters
    ----------
    estimator : estimator
        The estimator.

    Returns
    -------
    estimator : estimator
        The estimator itself.
    """
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator


def check_frozen(estimator, n_features):
    """Refuse a frozen inner estimator that is not fitted, or on another number of columns.

    Parameters
    ----------
    estimator : FrozenEstimator
        The value of the parameter ``autoencoder``.

    n_features : int
        Columns that it will be given.
    """
    inner = thawed(estimator)
    check_is_fitted(inner)
    if inner.n_features_in_ != n_features:
        raise ValueError(
            f"autoencoder is frozen and was fitted on {inner.n_features_in_} features, but gets "
            f"{n_features} here."
        )


def cloned(estimator, owner, random_state, allowed=(Autoencoder,)):
    """Clone an inner estimator, after a look at its kind, and seed what has no seed.

    Parameters
    ----------
    estimator : estimator
        The value of the owner's parameter ``autoencoder``. A FrozenEstimator stays as it is.

    owner : estimator
        Whose parameter it is.

    random_state : int, RandomState instance or None
        Where an inner ``random_state`` that is None gets its seed from.

    allowed : tuple of type, default=(Autoencoder,)
        The kinds that are taken.

    Returns
    -------
    estimator : estimator
        The clone.
    """
    if not isinstance(thawed(estimator), allowed):
        names = " or ".join(kind.__name__ for kind in allowed)
        raise TypeError(
            f"The 'autoencoder' parameter of {type(owner).__name__} must be an {names}, or one "
            f"that is fitted in a FrozenEstimator. Got {estimator!r} instead."
        )
    estimator = clone(estimator)
    if random_state is None or isinstance(estimator, FrozenEstimator):
        return estimator
    rng = check_random_state(random_state)
    seeds = {
        name: rng.randint(np.iinfo(np.int32).max)
        for name, value in sorted(estimator.get_params().items())
        if name.split("__")[-1] == "random_state" and value is None
    }
    return estimator.set_params(**seeds)
