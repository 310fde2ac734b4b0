"""Autoencoders inside other estimators: which are taken, their seeds, the frozen ones."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._compute._runtime import resolve_device
from sklearn_ae._estimators._autoencoder import Autoencoder
from sklearn_ae._estimators._base import fitting
from sklearn_ae._sklearn._callbacks import fit_as_task
from sklearn_ae._sklearn._compat import check_feature_names, check_n_features
from sklearn_ae.modules._architecture import dtype_of


def thawed(estimator):
    """Return what a FrozenEstimator holds, and any other estimator as it is."""
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator


def dtype_of_inner(estimator):
    """Return the type in which an inner autoencoder computes: of its fit where it is frozen."""
    inner = thawed(estimator)
    if isinstance(estimator, FrozenEstimator) and hasattr(inner, "_trained"):
        return inner._trained.architecture.dtype
    if hasattr(inner, "autoencoder"):
        return dtype_of_inner(inner.autoencoder)
    return dtype_of(getattr(inner, "precision", ""))


def device_of_inner(estimator, frozen=False):
    """Return where an inner autoencoder, the last one of a pipeline, is trained or was frozen."""
    frozen, inner = frozen or isinstance(estimator, FrozenEstimator), thawed(estimator)
    if isinstance(inner, Pipeline):
        return device_of_inner(inner.steps[-1][1], frozen)
    if frozen and hasattr(inner, "_trained"):
        return inner._trained.usable_device
    if hasattr(inner, "autoencoder"):
        return device_of_inner(inner.autoencoder)
    return resolve_device(getattr(inner, "device", "auto"), getattr(inner, "precision", "float32"))


def check_frozen(estimator, X):
    """Refuse a frozen estimator that is not fitted, or on other columns, as its transform does."""
    if isinstance(estimator, FrozenEstimator):
        check_is_fitted(estimator)
        if hasattr(X, "columns"):
            check_feature_names(estimator.estimator, X, reset=False)
        check_n_features(estimator.estimator, X, reset=False)


def cloned(estimator, owner, random_state, allowed=(Autoencoder,)):
    """Clone the parameter ``autoencoder`` of its owner, and seed what has no seed."""
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


def cloned_of(owner, default, rng):
    """Clone the autoencoder of its owner, or the default one, with the owner's settings."""
    inner = default if owner.autoencoder is None else owner.autoencoder
    autoencoder = cloned(inner, owner, None if owner.random_state is None else rng)
    if owner.verbose and not isinstance(autoencoder, FrozenEstimator):
        autoencoder.set_params(verbose=owner.verbose)
    if owner.memory is not None and not isinstance(autoencoder, FrozenEstimator):
        autoencoder.set_params(memory=owner.memory)
    return autoencoder


def fit_around(owner, X, y):
    """Fit an estimator whose autoencoder learns from what ``_prepared`` makes of X.

    That returns a clone of the autoencoder, its rows, and what ``_finish`` is given with the clone
    when it is fitted.
    """
    trains = not isinstance(owner.autoencoder, FrozenEstimator | str)
    context = owner._init_callback_context(max_subtasks=int(trains))
    with fitting(owner):
        autoencoder, rows, learned = owner._prepared(X)
        context.call_on_fit_task_begin(estimator=owner, X=X, y=y)
        if trains:
            fit_as_task(context, owner, autoencoder, rows, name="fit-autoencoder")
        owner._finish(autoencoder, learned)
        context.call_on_fit_task_end(estimator=owner, X=X, y=y, reconstruction_attributes={})
    return owner
