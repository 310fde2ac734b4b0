"""What a trained network is made of, as plain data that builds it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

import torch
from sklearn.base import BaseEstimator, clone
from torch import nn

from sklearn_ae.modules._activations import TopK
from sklearn_ae.modules._autoencoder import AutoencoderModule
from sklearn_ae.modules._dense import DenseDecoder, DenseEncoder


@dataclass(frozen=True)
class Architecture:
    """What a trained autoencoder can't change without being built anew.

    The fields are parameters of :class:`~sklearn_ae.Autoencoder`, but for ``n_features`` and
    ``dtype``, the name of the type of weights and codes. ``features`` says which codes are given
    out; it alone may differ between a network and its continuation. ``parts`` are copies of
    encoder, decoder and activation, which the user may change after the fit.
    """

    n_features: int
    n_components: int
    hidden_layer_sizes: tuple[int, ...] = ()
    activation: Any = "relu"
    tied_weights: bool = False
    encoder: Any = None
    decoder: Any = None
    dtype: str = "float32"
    features: str = field(default="code", compare=False)
    parts: Any = field(default=None, compare=False)

    @classmethod
    def of(cls, estimator: Any, n_features: int) -> Architecture:
        """Read the parameters of an estimator."""
        names = {f.name for f in fields(cls)} - {"n_features", "dtype", "parts"}
        params = {name: getattr(estimator, name) for name in names}
        params["hidden_layer_sizes"] = tuple(params["hidden_layer_sizes"])
        for name in ("activation", "encoder"):
            if isinstance(params[name], BaseEstimator):
                params[name] = clone(params[name])
        parts = copy.deepcopy((params["encoder"], params["decoder"], params["activation"]))
        return cls(n_features, dtype=dtype_of(estimator.precision), parts=parts, **params)

    def changed_from(self, other: Architecture) -> list[str]:
        """Name the parameters in which this one differs from the network of another."""
        names = [f.name for f in fields(self) if f.compare]
        changed = [n for n in names if not _same(getattr(self, n), getattr(other, n))]
        return sorted("precision" if name == "dtype" else name for name in changed)

    @property
    def layer_widths(self) -> list[int]:
        """Widths of the encoder's layers, the code last."""
        return [*self.hidden_layer_sizes, self.n_components]

    @property
    def gives_all(self) -> bool:
        """Whether the codes of all layers are given out."""
        return self.features == "all" and self.encoder is None

    @property
    def n_codes(self) -> int:
        """Width of what a head is put on."""
        return self.n_components

    @property
    def n_features_out(self) -> int:
        """How many codes are given out."""
        return sum(self.layer_widths) if self.gives_all else self.n_components

    @property
    def n_widest(self) -> int:
        """Entries of the widest array that encoding a row makes."""
        return max(*self.layer_widths, self.n_features_out)

    @property
    def n_products(self) -> int:
        """Multiply-adds of a row in the widest layer."""
        return max(a * b for a, b in pairwise([self.n_features, *self.layer_widths]))

    @property
    def user_parts(self) -> list[Any]:
        """What may be the user's own code."""
        return [self.encoder, self.decoder, self.activation]

    @property
    def is_built_in(self) -> bool:
        """Whether no module of the user's takes part, which might work in place."""
        return self.encoder is None and self.decoder is None

    def code_names(self, encoder: Any) -> Sequence[Any]:
        """Return what follows the prefix in the name of each code that an encoder gives out."""
        if not self.gives_all:
            return getattr(encoder, "code_names", range(self.n_components))
        layers = enumerate(self.layer_widths)
        return [f"_layer{i}_{k}" for i, width in layers for k in range(width)]

    def build(self) -> AutoencoderModule:
        """Build the network; modules that were given are copied, with what they share."""
        parts = self.parts or (self.encoder, self.decoder, self.activation)
        encoder, decoder, activation = copy.deepcopy(parts)
        encoder = _made(encoder, "encoder", self.n_features, self.n_components)
        decoder = _made(decoder, "decoder", self.n_features, self.n_components)
        hidden = "relu" if isinstance(activation, TopK) else activation
        sizes = [self.n_features, *self.layer_widths]
        if encoder is None:
            encoder = DenseEncoder(sizes, activation, hidden)
        if decoder is None and hasattr(encoder, "make_decoder"):
            decoder = encoder.make_decoder()
        elif decoder is None:
            tied_to = encoder if self.tied_weights else None
            decoder = DenseDecoder(sizes[::-1], hidden, tied_to)
        return AutoencoderModule(encoder, decoder).to(getattr(torch, self.dtype))


def dtype_of(precision: str) -> str:
    """Return the type of weights and codes under a ``precision``."""
    return "float64" if precision == "float64" else "float32"


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, BaseEstimator) and isinstance(b, BaseEstimator):
        return type(a) is type(b) and a.get_params() == b.get_params()
    return bool(a == b)


def _made(part: Any, name: str, n_features: int, n_components: int) -> Any:
    # A module is callable too, so it has to be told from a function first.
    if part is None or isinstance(part, nn.Module):
        return part
    asked = f"(n_features_in, n_components) = ({n_features}, {n_components})"
    try:
        module = part(n_features, n_components)
    except TypeError as error:
        raise TypeError(f"{name}={part!r} failed when called with {asked}: {error}") from error
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"{name}={part!r} must return a torch.nn.Module when called with {asked}, got "
            f"{type(module).__name__}."
        )
    return module
