"""Penalties and corruptions by name or by object, and what they need of the rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from scipy import sparse
from sklearn.base import clone

from sklearn_ae._engine._batches import Batches, Rows
from sklearn_ae.corruptions import CORRUPTIONS
from sklearn_ae.modules import ACTIVATIONS, TopK
from sklearn_ae.penalties import PENALTIES

__all__ = ["check_against_data", "check_on_rows", "check_pairs", "resolve"]


def resolve(part: Any, named: dict[str, Any], name: str) -> Any:
    """Turn a name into a part, and copy a part that was given.

    Parameters
    ----------
    part : str or callable
        The value of the parameter.

    named : dict of str to class
        The built-in parts.

    name : str
        The parameter.

    Returns
    -------
    part : callable
        A new part, its own parameters checked.
    """
    if isinstance(part, type):
        raise TypeError(f"{name}={part.__name__} is a class; give an object, {part.__name__}(...).")
    part = named[part]() if isinstance(part, str) else clone(part, safe=False)
    if hasattr(part, "_parameter_constraints"):
        part._validate_params()
    return part


def check_pairs(params: dict[str, Any]) -> tuple[Any, Any]:
    """Resolve penalty and corruption and refuse parameters that do not go together.

    Parameters
    ----------
    params : dict
        Parameters of an :class:`~sklearn_ae.Autoencoder`.

    Returns
    -------
    penalty, corruption : callable
        The parts.
    """
    penalty = resolve(params["penalty"], PENALTIES, "penalty")
    corruption = resolve(params["corruption"], CORRUPTIONS, "corruption")
    activation, encoder = params["activation"], params["encoder"]
    if isinstance(activation, type):
        raise TypeError(f"activation={activation.__name__} is a class; give an object.")
    if hasattr(encoder, "_parameter_constraints"):
        encoder._validate_params()
    if isinstance(activation, TopK) and encoder is None:
        activation._validate_params()
        if activation.k > params["n_components"]:
            raise ValueError(
                f"activation=TopK(k={activation.k}) keeps more codes than there are: k must be at "
                f"most n_components={params['n_components']}."
            )
    probabilities = getattr(penalty, "needs_probabilities", False) and params["alpha"] > 0
    if probabilities and encoder is None and activation in (set(ACTIVATIONS) - {"sigmoid"}):
        raise ValueError(
            f"penalty={params['penalty']!r} is defined for codes in (0, 1), which "
            f"activation={activation!r} does not give. Use activation='sigmoid'."
        )
    if params["features"] == "all" and encoder is not None:
        raise ValueError(
            "features='all' gives the codes of every layer of the built-in encoder: it must be "
            "'code' when encoder is given."
        )
    level, most = params["corruption_level"], getattr(corruption, "max_level", float("inf"))
    if level > most:
        raise ValueError(
            f"corruption_level={level!r} is too large: {type(corruption).__name__} takes a level "
            f"in [0, {most:g}]."
        )
    if params["tied_weights"] and (encoder is not None or params["decoder"] is not None):
        raise ValueError(
            "tied_weights=True ties the built-in encoder and decoder: it must be False when "
            "encoder or decoder is given. Modules that share a weight stay tied by themselves."
        )
    return penalty, corruption


def check_against_data(params: dict[str, Any], X: Any) -> None:
    """Refuse parameters that the data do not allow.

    Parameters
    ----------
    params : dict
        Parameters of an :class:`~sklearn_ae.Autoencoder`.

    X : ndarray, torch.Tensor or scipy.sparse CSR of shape (n_samples, n_features)
        Validated data.
    """
    n_samples, fraction = X.shape[0], params["validation_fraction"]
    n_held_out = math.ceil(fraction * n_samples)
    if params["early_stopping"] and n_held_out >= n_samples:
        raise ValueError(
            f"early_stopping=True with validation_fraction={fraction} holds out {n_held_out} of "
            f"n_samples={n_samples} rows and leaves none to train on."
        )
    values = X.data if sparse.issparse(X) else X
    if params["loss"] != "binary_cross_entropy" or not len(values):
        return
    if values.min() < 0 or values.max() > 1:
        raise ValueError(
            f"loss='binary_cross_entropy' needs X in [0, 1], got values from {values.min():.6g} to "
            f"{values.max():.6g}. Use MinMaxScaler(clip=True)."
        )


def check_on_rows(net: Any, rows: Rows, params: dict[str, Any]) -> None:
    """Run every part once on a few rows, before training, and check what it returns.

    Parameters
    ----------
    net : ReconstructionNet
        The initialized net.

    rows : Rows
        The training data.

    params : dict
        Parameters of an :class:`~sklearn_ae.Autoencoder`.
    """
    n_components = params["n_components"]
    if not any(weight.requires_grad for weight in net.module_.parameters()):
        raise ValueError(
            "encoder and decoder have no weight to train: all have requires_grad=False, or there "
            "is none."
        )
    x = rows.dense(rows.take(slice(0, 8)))
    net._set_training(False)
    with torch.no_grad():
        codes = _run(net.module_.encoder, "encoder", x.clone(), n_components)
        _run(net.module_.decoder, "decoder", codes.clone(), x.shape[1])
    if net.corruption_level:
        generator = torch.Generator(x.device).manual_seed(0)
        corrupted = net.corruption(x.clone(), net.corruption_level, generator)
        if (
            not isinstance(corrupted, torch.Tensor)
            or corrupted.shape != x.shape
            or corrupted.dtype != x.dtype
        ):
            raise ValueError(
                f"corruption={net.corruption!r} must return a tensor of the shape and the type "
                f"that it is given, {tuple(x.shape)} and {x.dtype}, got {_shape(corrupted)}."
            )
        if not torch.isfinite(corrupted).all():
            raise ValueError(
                f"corruption={net.corruption!r} must return finite values, got NaN or infinity at "
                f"corruption_level={net.corruption_level!r}."
            )
    penalty = net.criterion_.penalty
    if net.criterion_.alpha:
        if getattr(penalty, "needs_probabilities", False):
            _check_probabilities(net, rows, known=params["activation"] == "sigmoid")
        _check_penalty(penalty, codes)


def _run(
    module: Callable[[torch.Tensor], torch.Tensor], name: str, x: torch.Tensor, width: int
) -> torch.Tensor:
    try:
        result = module(x)
    except Exception as error:
        raise ValueError(
            f"The {name} failed on an input of shape {tuple(x.shape)}: {error}"
        ) from error
    if not isinstance(result, torch.Tensor) or result.shape != (len(x), width):
        what = "n_components" if name == "encoder" else "n_features_in_"
        raise ValueError(
            f"The {name} must return a tensor of shape (n_rows, {what}) = ({len(x)}, {width}), "
            f"got {_shape(result)}."
        )
    return result


def _check_probabilities(net: Any, rows: Rows, known: bool) -> None:
    if known and not net.copies_input:
        return
    for x, target in Batches(rows, net.batch_size):
        with torch.no_grad():
            codes = net.module_.encoder(target.clone() if net.copies_input else x)
        if not (codes.min() >= 0 and codes.max() <= 1):
            raise ValueError(
                f"penalty={net.criterion_.penalty!r} is defined for codes in (0, 1), but the codes "
                f"range from {codes.min():.3g} to {codes.max():.3g}. Use activation='sigmoid'."
            )


def _check_penalty(penalty: Any, codes: torch.Tensor) -> None:
    codes = codes.clone().requires_grad_()
    value = penalty(codes)
    if not isinstance(value, torch.Tensor) or value.dim() != 0:
        raise ValueError(
            f"penalty={penalty!r} must return one number as a tensor, got {_shape(value)}."
        )
    if not value.requires_grad:
        raise ValueError(f"penalty={penalty!r} must depend on the codes: it has no gradient.")
    if not torch.isfinite(value):
        raise ValueError(f"penalty={penalty!r} must be finite, got {value.item()}.")


def _shape(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)} and {value.dtype}"
    return type(value).__name__
