"""The net of fine-tuning: the same one, with a head and labels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from sklearn_ae._compute._rows import LabeledRows, Rows
from sklearn_ae._training._net import ReconstructionNet
from sklearn_ae._training._recipe import SupervisedRecipe
from sklearn_ae.modules._supervised import Standardize

# Entries of the widest array of a block.
_MAX_ENTRIES = 2**22


class SupervisedNet(ReconstructionNet):
    """A net that learns labels, and goes on reconstructing if its recipe says so."""

    recipe: SupervisedRecipe

    def __init__(self, *args: Any, recipe: Any, **kwargs: Any) -> None:
        rate = recipe.encoder_learning_rate
        if rate is not None:
            encoder = ("encoder.*", {"lr": rate, "initial_lr": rate})
            kwargs["optimizer__param_groups"] = [encoder]
        super().__init__(*args, recipe=recipe, **kwargs)

    @property
    def is_frozen(self) -> bool:
        """Whether the encoder stays as it is in this epoch."""
        return len(self.history) <= self.recipe.freeze_epochs

    def get_split_datasets(
        self, X: Any, y: Any = None, **fit_params: Any
    ) -> tuple[Rows, Rows | None]:
        """Hold out the rows that the data say."""
        if X.split is None:
            return X, None
        training, held_out = X.split
        return X.subset(training), X.subset(held_out)

    def infer(self, x: Any, **fit_params: Any) -> tuple[Any, ...]:
        """Augment, corrupt, encode and predict, and decode where that is wanted."""
        if self.module_.training and self.recipe.augmentation is not None:
            x = self.recipe.augmentation(x, self.noise)
        # Corruption and encoder may work in place; the target is what they are given.
        clean = x if self.module_.decoder is None else x.clone()
        return *super().infer(x), clean

    def forward_pass(self, x: Any) -> tuple[Any, ...]:
        """Call the module."""
        frozen = self.module_.training and self.is_frozen
        return self.module_(x, self.noise if self.recipe.dropout else None, frozen)

    def terms(
        self, y_pred: Any, y_true: Any, training: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Compute the supervised loss, and in training the weighted objective beside it."""
        output, codes, reconstruction, clean = y_pred
        _, y, weight = y_true
        if self.recipe.supervised_loss == "cross_entropy":
            losses = F.cross_entropy(output, y, reduction="none")
        else:
            losses = 0.5 * (output - y).square().sum(dim=1)
        loss = (losses * weight).mean()
        if training and reconstruction is not None:
            objective = self.criterion_(reconstruction, codes, clean)
            loss = loss + self.recipe.reconstruction_weight * objective
        return loss, None

    def _set_training(self, training: bool = True) -> None:
        super()._set_training(training)
        if training and self.is_frozen:
            # Statistics of batches are part of an encoder that stays as it is.
            self.module_.encoder.train(False)


@torch.no_grad()
def standardize_codes(encoder: Any, rows: LabeledRows, n_widest: int) -> Standardize:
    """Measure the codes of the rows that are trained on, block by block."""
    if rows.split is not None:
        rows = rows.subset(rows.split[0])
    encoder.eval()
    step = max(1, min(256, _MAX_ENTRIES // n_widest))
    total: Any = 0.0
    mean: Any = 0.0
    squares: Any = 0.0
    for start in range(0, len(rows), step):
        batch, (_, _, weight) = rows.pair(slice(start, start + step))
        # Sums in float64, which not every device has.
        codes, share = encoder(batch).cpu().double(), weight.cpu().double().unsqueeze(1)
        new = share.sum()
        if not new:
            continue
        own = (codes * share).sum(dim=0) / new
        # Two blocks have as squares their own and what their means differ by.
        apart = own - mean
        squares = squares + ((codes - own).square() * share).sum(dim=0)
        squares = squares + apart.square() * (total * new / (total + new))
        mean = mean + apart * (new / (total + new))
        total = total + new
    scale = (squares / total).sqrt()
    # A code that is constant on these rows, but for rounding, is only centered.
    scale[(scale <= 1e-6 * scale.max()) | (scale <= 1e-5 * mean.abs())] = 1.0
    return Standardize(mean.to(rows.dtype), scale.to(rows.dtype))
