"""An encoder with a head, and what a fine-tuned network is made of."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from sklearn_ae.modules._architecture import Architecture
from sklearn_ae.modules._autoencoder import AutoencoderModule
from sklearn_ae.modules._masks import CodeDropout
from sklearn_ae.modules._patch import PatchArchitecture


class Standardize(nn.Module):
    """Centers and scales codes as the training rows had them before fine-tuning.

    The learning rate of a head then means the same whatever the scale of the codes.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, mean: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Give codes in standard units."""
        return (codes - self.mean) / self.scale


class SupervisedModule(nn.Module):
    """An encoder with a head, and the decoder where a reconstruction is wanted too."""

    def __init__(
        self, encoder: nn.Module, head: nn.Module, decoder: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.code_dropout = CodeDropout()
        self.head = head
        self.decoder = decoder

    def forward(
        self, x: torch.Tensor, generator: torch.Generator | None = None, frozen: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return predictions, codes before dropout, and the reconstruction if there is a decoder.

        A generator draws which codes are dropped in training; ``frozen`` keeps gradients from the
        encoder.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            codes = self.encoder(x)
        kept = codes if generator is None else self.code_dropout(codes, generator)
        # A decoder of the user's may work in place.
        decoded = None if self.decoder is None else self.decoder(kept.clone())
        return self.head(kept), codes, decoded


def chained(
    modules: Sequence[Any], logits: Sequence[bool], decodes: bool
) -> tuple[nn.Module, nn.Module | None]:
    """Return encoder and decoder of networks of which each is applied to the codes of the last."""
    encoders = [m.encoder if isinstance(m, AutoencoderModule) else m for m in modules]
    encoder = encoders[0] if len(encoders) == 1 else nn.Sequential(*encoders)
    if not decodes:
        return encoder, None
    # What the decoder of an upper one gives is codes of the one below it, not logits.
    upper = [
        nn.Sequential(m.decoder, nn.Sigmoid()) if is_logit else m.decoder
        for m, is_logit in zip(modules[1:], logits[1:], strict=True)
    ]
    decoders = [*upper[::-1], modules[0].decoder]
    return encoder, decoders[0] if len(decoders) == 1 else nn.Sequential(*decoders)


def build_head(standardize: Standardize, sizes: Sequence[int]) -> nn.Sequential:
    """Build dense layers on top of standardized codes, with relu between them."""
    layers: list[nn.Module] = [standardize]
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@dataclass(frozen=True)
class FineTunedArchitecture:
    """One or more encoders on top of each other, with a head.

    Parameters
    ----------
    stages : tuple of Architecture, PatchArchitecture or torch.nn.Module
        Where the encoders come from, the one that is given X first.

    logits : tuple of bool
        Whether the decoder of each stage gives logits.

    n_features : int
        Width of X.

    n_codes : int
        Width of the last code.

    head_sizes : tuple of int
        Widths of the layers of the head, the number of outputs last.

    decodes : bool
        Whether the decoders are part of the network.

    dtype : str
        The name of the type of weights and outputs.
    """

    stages: tuple[Any, ...]
    logits: tuple[bool, ...]
    n_features: int
    n_codes: int
    head_sizes: tuple[int, ...]
    decodes: bool
    dtype: str

    @property
    def n_products(self) -> float:
        """Multiply-adds of a row in the widest layer; infinity where they are not known."""
        (first, *others) = self.stages
        known = isinstance(first, Architecture) and first.encoder is None and not others
        return first.n_products if known else math.inf

    @property
    def user_parts(self) -> list[Any]:
        """What may be the user's own code."""
        return [
            part
            for stage in self.stages
            for part in ([stage] if isinstance(stage, nn.Module) else stage.user_parts)
        ]

    @property
    def is_built_in(self) -> bool:
        """Whether no module of the user's takes part, which might work in place."""
        return all(not isinstance(s, nn.Module) and s.is_built_in for s in self.stages)

    @property
    def n_widest(self) -> int:
        """Entries of the widest array that one row makes, as far as that is known."""
        known = [s.n_widest for s in self.stages if isinstance(s, Architecture | PatchArchitecture)]
        return max([self.n_codes, *self.head_sizes, *known])

    def assemble(self, modules: Sequence[Any], standardize: Standardize) -> SupervisedModule:
        """Put a new head on the encoders of some networks."""
        encoder, decoder = chained(modules, self.logits, self.decodes)
        head = build_head(standardize, [self.n_codes, *self.head_sizes])
        return SupervisedModule(encoder, head, decoder).to(getattr(torch, self.dtype))

    def build(self) -> SupervisedModule:
        """Build the network, its weights still to be filled in."""
        modules = [
            copy.deepcopy(stage) if isinstance(stage, nn.Module) else stage.build()
            for stage in self.stages
        ]
        standardize = Standardize(torch.zeros(self.n_codes), torch.ones(self.n_codes))
        return self.assemble(modules, standardize)
