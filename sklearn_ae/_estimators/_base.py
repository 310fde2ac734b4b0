"""Estimators that are their parameters plus one trained network: what is read of it, and copies."""

from __future__ import annotations

import copy
import math
import warnings
from contextlib import contextmanager

from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sklearn_ae._compute._portable import portable, refill
from sklearn_ae._compute._runtime import limited_threads
from sklearn_ae._sklearn._checks import rolled_back
from sklearn_ae._sklearn._compat import CallbackSupportMixin, clone_parametrized
from sklearn_ae._sklearn._diagram import DiagramMixin
from sklearn_ae._sklearn._version import __version__
from sklearn_ae._training._trained import import_training
from sklearn_ae.modules._dense import DenseDecoder, DenseEncoder


@contextmanager
def fitting(estimator):
    """Roll an estimator back when its fit fails, and take one thread where more would hang."""
    import_training()
    with limited_threads(math.inf), rolled_back(estimator):
        yield


class PortableMixin(DiagramMixin, CallbackSupportMixin):
    """Keeps ``_trained``, the :class:`Trained` of an estimator, in copies and pickles."""

    def __sklearn_is_fitted__(self):
        return "_trained" in vars(self)

    def __sklearn_clone__(self):
        try:
            copied = clone_parametrized(self)
        except TypeError as error:
            _name_callback(self, error)
            raise
        parts = [getattr(self, name, None) for name in ("encoder", "decoder")]
        if all(isinstance(part, nn.Module) for part in parts):
            # Copied together, so that a layer or a weight that they share stays shared.
            copied.encoder, copied.decoder = copy.deepcopy(tuple(parts))
        return copied

    def set_params(self, **params):
        """Set the parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Parameters, those of what it holds by ``name__parameter``.

        Returns
        -------
        self : object
            The estimator itself.

        Raises
        ------
        ValueError
            If a parameter is unknown, or one of an autoencoder that is None.
        """
        inner = sorted(name for name in params if name.startswith("autoencoder__"))
        if inner and params.get("autoencoder", getattr(self, "autoencoder", "")) is None:
            raise ValueError(
                f"{inner[0]} can't be set while autoencoder=None, which stands for a default that "
                f"is made in fit: give {type(self).__name__} an autoencoder of its own."
            )
        return super().set_params(**params)

    def __copy__(self):
        # What __getstate__ gives is for pickles and deep copies only.
        copied = type(self).__new__(type(self))
        vars(copied).update(vars(self))
        return copied

    def __getstate__(self):
        return portable(dict(super().__getstate__())) | {"_sklearn_ae_version": __version__}

    def __setstate__(self, state):
        saved = state.pop("_sklearn_ae_version", "unknown")
        if saved != __version__:
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__,
                    current_sklearn_version=__version__,
                    original_sklearn_version=saved,
                ),
                stacklevel=2,
            )
        super().__setstate__(state)
        refill(state)


class TrainedMixin(PortableMixin):
    """Reads of ``_trained`` what the estimator shows of it."""

    @property
    def net_(self):
        """The trained skorch net."""
        return self._fitted.net

    @property
    def loss_curve_(self):
        """What is minimized, for each epoch."""
        return self._fitted.curve("train_loss") or []

    @property
    def validation_loss_curve_(self):
        """The loss of the rows held out, for each epoch."""
        return self._fitted.curve("valid_loss")

    @property
    def _fitted(self):
        check_is_fitted(self)
        return self._trained

    def _check_unchanged(self, architecture, start):
        """Refuse to go on with a network that other parameters would have built."""
        changed = [] if start is None else architecture.changed_from(start.architecture)
        if changed:
            raise ValueError(
                f"{', '.join(f'{name}={getattr(self, name)!r}' for name in changed)} differs from "
                "the fitted network, which partial_fit and warm_start go on with. Call fit with "
                "warm_start=False to start anew."
            )


def _name_callback(estimator, error):
    """Say which of the callbacks it is that can't be copied, if it is one."""
    for callback in getattr(estimator, "callbacks", None) or ():
        try:
            copy.deepcopy(callback)
        except TypeError:
            kind = type(callback[1] if isinstance(callback, tuple) else callback).__name__
            raise TypeError(
                f"callbacks of {type(estimator).__name__} holds {kind}, which can't be copied, so "
                f"the estimator can't be cloned: {error}."
            ) from error


def describe_module(name, module):
    """Return a module in short, by widths and activation if it is a built-in one, and in full."""
    short = type(module).__name__
    if isinstance(module, DenseEncoder | DenseDecoder):
        is_encoder = isinstance(module, DenseEncoder)
        shapes = [tuple(layer.weight.shape) for layer in module.layers]
        sizes = [shape[::-1] if is_encoder else shape for shape in shapes]
        short = " → ".join(str(n) for n in (sizes[0][0], *(size[1] for size in sizes)))
        if is_encoder:
            activation = module.activation
            short += f", {activation if isinstance(activation, str) else repr(activation)}"
    return f"{name}: {short}", f"{name}: {module!r}"
