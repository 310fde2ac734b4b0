"""From pretrained networks and labeled rows to a trained network with a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from sklearn_ae._compute._portable import placed
from sklearn_ae._compute._rows import LabeledRows
from sklearn_ae._training._checks import copied_part
from sklearn_ae._training._kept import train_kept
from sklearn_ae._training._recipe import SupervisedRecipe
from sklearn_ae._training._supervised import standardize_codes
from sklearn_ae._training._trained import Trained, weights_of
from sklearn_ae.modules._supervised import FineTunedArchitecture, SupervisedModule, chained


@torch.inference_mode(False)
def fine_tune(
    pretrained: Any,
    recipe: SupervisedRecipe,
    rows: LabeledRows,
    head_widths: Sequence[int],
    tasks: Any = None,
    memory: Any = None,
) -> Trained:
    """Put a head, its widths with the outputs last, on copies of pretrained networks; train both.

    ``pretrained`` is a :class:`Pretrained`, whose networks stay as they are.
    """
    recipe = replace(
        recipe,
        penalty=placed(recipe.penalty, rows.device),
        corruption=placed(recipe.corruption, rows.device),
        augmentation=copied_part(recipe.augmentation, rows.device),
    )
    modules = [module.to(rows.device, rows.dtype) for module in pretrained.copies()]
    encoder, _ = chained(modules, pretrained.logits, decodes=False)
    last = pretrained.stages[-1]
    architecture = FineTunedArchitecture(
        stages=pretrained.stages,
        logits=pretrained.logits,
        n_features=rows.n_features,
        n_codes=_width(encoder, rows) if isinstance(last, nn.Module) else last.n_codes,
        head_sizes=tuple(head_widths),
        decodes=bool(recipe.reconstruction_weight),
        dtype=str(rows.dtype).removeprefix("torch."),
    )

    def build() -> SupervisedModule:
        standardize = standardize_codes(encoder, rows, architecture.n_widest)
        return architecture.assemble(modules, standardize.cpu())

    return train_kept(
        memory,
        architecture,
        recipe,
        rows,
        seen=[weights_of(module) for module in modules],
        tasks=tasks,
        build=build,
    )


@torch.no_grad()
def _width(encoder: nn.Module, rows: LabeledRows) -> int:
    """Ask a module of the user's how many codes it gives."""
    batch, _ = rows.pair(slice(0, 2))
    return int(encoder.eval()(batch).shape[1])
