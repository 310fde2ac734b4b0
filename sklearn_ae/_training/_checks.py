"""Parts by name or by object, and one probe of each on real rows before training starts."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from sklearn.base import clone
from torch import nn

from sklearn_ae._compute._portable import placed
from sklearn_ae._compute._rows import Batches, Rows
from sklearn_ae._sklearn._checks import check_object
from sklearn_ae._training._listeners import copied_callbacks
from sklearn_ae._training._recipe import Recipe, SupervisedRecipe
from sklearn_ae.corruptions import CORRUPTIONS
from sklearn_ae.modules._activations import ACTIVATIONS, TopK
from sklearn_ae.modules._architecture import Architecture
from sklearn_ae.penalties import PENALTIES


def resolve_parts(architecture: Architecture, recipe: Recipe, rows: Rows) -> Recipe:
    """Refuse parameters that go neither with each other nor with the data, and resolve names.

    The recipe that is returned has new objects as penalty and corruption, the latter prepared on
    the rows.
    """
    penalty = _resolved(recipe.penalty, PENALTIES, "penalty", rows.device)
    corruption = _resolved(recipe.corruption, CORRUPTIONS, "corruption", rows.device)
    _check_architecture(architecture)
    _check_penalty_fits(architecture, recipe, penalty)
    level, most = recipe.corruption_level, getattr(corruption, "max_level", math.inf)
    if level > most:
        raise ValueError(
            f"corruption_level={level!r} is too large: {type(corruption).__name__} takes a level "
            f"in [0, {most:g}]."
        )
    _check_against_rows(recipe, rows)
    if level and hasattr(corruption, "prepare"):
        corruption.prepare(rows)
    return replace(recipe, penalty=penalty, corruption=corruption)


def _resolved(part: Any, named: dict[str, Any], name: str, device: torch.device) -> Any:
    """Turn a name into a part, and copy a part that was given."""
    check_object(part, name)
    if isinstance(part, str):
        return named[part]()
    part = copied_part(part, device)
    if hasattr(part, "_parameter_constraints"):
        part._validate_params()
    return part


def copied_part(part: Any, device: torch.device) -> Any:
    """Copy a part that was given to the device."""
    part = copy.deepcopy(part) if isinstance(part, nn.Module) else clone(part, safe=False)
    return placed(part, device)


def _check_architecture(architecture: Architecture) -> None:
    activation, encoder = architecture.activation, architecture.encoder
    check_object(activation, "activation")
    part: Any = activation if encoder is None else encoder
    if hasattr(part, "_parameter_constraints"):
        part._validate_params()
    is_top_k = isinstance(activation, TopK) and encoder is None
    if is_top_k and activation.k > architecture.n_components:
        raise ValueError(
            f"activation=TopK(k={activation.k}) keeps more codes than there are: k must be at "
            f"most n_components={architecture.n_components}."
        )
    if architecture.features == "all" and encoder is not None:
        raise ValueError(
            "features='all' gives the codes of every layer of the built-in encoder: it must be "
            "'code' when encoder is given."
        )
    if architecture.tied_weights and not architecture.is_built_in:
        raise ValueError(
            "tied_weights=True ties the built-in encoder and decoder: it must be False when "
            "encoder or decoder is given. Modules that share a weight stay tied by themselves."
        )


def _check_penalty_fits(architecture: Architecture, recipe: Recipe, penalty: Any) -> None:
    probabilities = getattr(penalty, "needs_probabilities", False) and recipe.alpha > 0
    elsewhere = set(ACTIVATIONS) - {"sigmoid"}
    if probabilities and architecture.encoder is None and architecture.activation in elsewhere:
        raise ValueError(
            f"penalty={recipe.penalty!r} is defined for codes in (0, 1), which activation="
            f"{architecture.activation!r} does not give. Use activation='sigmoid'."
        )


def _check_against_rows(recipe: Recipe, rows: Rows) -> None:
    n_rows, fraction = len(rows), recipe.validation_fraction
    n_held_out = math.ceil(fraction * n_rows)
    if recipe.early_stopping and n_held_out >= n_rows:
        raise ValueError(
            f"early_stopping=True with validation_fraction={fraction} holds out {n_held_out} of "
            f"n_samples={n_rows} rows and leaves none to train on."
        )
    if recipe.loss == "binary_cross_entropy":
        lowest, highest = rows.column_range()
        low, high = float(lowest.min()), float(highest.max())
        if low < 0 or high > 1:
            raise ValueError(
                f"loss='binary_cross_entropy' needs X in [0, 1], got values from {low:.6g} to "
                f"{high:.6g}. Use MinMaxScaler(clip=True)."
            )


@torch.no_grad()
def probe_parts(net: Any, rows: Rows, architecture: Architecture) -> None:
    """Run every part once on a few rows, before training, and check what it returns."""
    module, recipe = net.module_, net.recipe
    if not any(weight.requires_grad for weight in module.parameters()):
        raise ValueError(
            "encoder and decoder have no weight to train: all have requires_grad=False, or there "
            "is none."
        )
    net._set_training(False)
    x = rows.sample(8)[:8]
    codes = _probed(module.encoder, "encoder", x, (len(x), architecture.n_components))
    _probed(module.decoder, "decoder", codes, (len(x), x.shape[1]))
    if recipe.corruption_level:
        generator = torch.Generator(x.device).manual_seed(0)
        corrupt = lambda batch: recipe.corruption(batch, recipe.corruption_level, generator)  # noqa: E731
        _check_batch(corrupt(x.clone()), x, f"corruption={recipe.corruption!r}")
    if recipe.alpha and getattr(recipe.penalty, "needs_probabilities", False):
        known = architecture.is_built_in and architecture.activation == "sigmoid"
        if not known:
            _check_probabilities(net, rows)
    if recipe.alpha:
        _check_penalty(recipe.penalty, codes)


def check_finetuning(recipe: SupervisedRecipe, rows: Rows, encoder: nn.Module | None) -> None:
    """Try augmentation and a given encoder on a few rows, before anything is trained."""
    copied_callbacks(recipe)
    check_object(recipe.augmentation, "augmentation")
    x = rows.sample(8)[:8]
    with torch.no_grad():
        if recipe.augmentation is not None:
            generator = torch.Generator(x.device).manual_seed(0)
            augmentation = copied_part(recipe.augmentation, x.device)
            changed = augmentation(x.clone(), generator)
            _check_batch(changed, x, f"augmentation={recipe.augmentation!r}")
        if encoder is not None:
            encoder = copy.deepcopy(encoder).to(x).eval()
            _probed(encoder, "encoder", x, (len(x), None))


def _probed(
    module: Callable[[torch.Tensor], torch.Tensor],
    name: str,
    x: torch.Tensor,
    shape: tuple[int, int | None],
) -> torch.Tensor:
    """Run a module on a copy of a few rows; a width of None may be any."""
    try:
        result = module(x.clone())
    except Exception as error:
        raise ValueError(
            f"The {name} failed on an input of shape {tuple(x.shape)}: {error}"
        ) from error
    fits = isinstance(result, torch.Tensor) and result.dim() == 2 and len(result) == shape[0]
    if not fits or shape[1] not in (None, result.shape[1]):
        width = "n_codes" if shape[1] is None else shape[1]
        what = "n_features_in_" if name == "decoder" else "n_components"
        raise ValueError(
            f"The {name} must return a tensor of shape (n_rows, {what}) = ({shape[0]}, {width}), "
            f"got {_described(result)}."
        )
    return result


def _check_batch(changed: Any, x: torch.Tensor, name: str) -> None:
    """Refuse a batch that a corruption or an augmentation gave another shape, type or NaN."""
    fits = isinstance(changed, torch.Tensor) and changed.shape == x.shape
    if not fits or changed.dtype != x.dtype:
        raise ValueError(
            f"{name} must return a tensor of the shape and the type that it is given, "
            f"{tuple(x.shape)} and {x.dtype}, got {_described(changed)}."
        )
    if not torch.isfinite(changed).all():
        raise ValueError(f"{name} must return finite values, got NaN or infinity.")


def _check_probabilities(net: Any, rows: Rows) -> None:
    for x, _ in Batches(rows, net.batch_size):
        codes = net.module_.encoder(x)
        if not (codes.min() >= 0 and codes.max() <= 1):
            raise ValueError(
                f"penalty={net.recipe.penalty!r} is defined for codes in (0, 1), but the codes "
                f"range from {codes.min():.3g} to {codes.max():.3g}. Use activation='sigmoid'."
            )


def _check_penalty(penalty: Any, codes: torch.Tensor) -> None:
    with torch.enable_grad():
        value = penalty(codes.clone().requires_grad_())
    if not isinstance(value, torch.Tensor) or value.dim() != 0:
        raise ValueError(
            f"penalty={penalty!r} must return one number as a tensor, got {_described(value)}."
        )
    if not value.requires_grad:
        raise ValueError(f"penalty={penalty!r} must depend on the codes: it has no gradient.")
    if not torch.isfinite(value):
        raise ValueError(f"penalty={penalty!r} must be finite, got {value.item()}.")


def _described(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)} and {value.dtype}"
    return type(value).__name__
