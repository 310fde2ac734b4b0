"""The skorch net of fine-tuning: an encoder with a head, and labels beside the rows."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from sklearn_ae._engine._batches import Rows
from sklearn_ae._engine._net import ReconstructionNet

__all__ = ["LabeledRows", "Standardize", "SupervisedModule", "SupervisedNet", "build_head"]


class LabeledRows(Rows):
    """Rows whose target is the clean row, its label and its weight.

    Parameters
    ----------
    y : torch.Tensor of shape (n_samples,) or (n_samples, n_outputs)
        Indices of classes, or values.

    weight : torch.Tensor of shape (n_samples,)
        Weights, whose mean is 1.

    split : tuple of two torch.Tensor, default=None
        Indices of the rows that are trained on and of those that are held out.

    **kwargs
        As for :class:`Rows`.
    """

    def __init__(
        self,
        *,
        y: torch.Tensor,
        weight: torch.Tensor,
        split: tuple[torch.Tensor, torch.Tensor] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.y = y.to(self.device)
        self.weight = weight.to(self.device, self.dtype)
        self.split = None if split is None else tuple(part.to(self.device) for part in split)

    def subset(self, index: torch.Tensor) -> LabeledRows:
        """Return some of these rows, without copying data."""
        index = index if self.index is None else self.index[index]
        return LabeledRows(
            X=self.X, device=self.device, dtype=self.dtype, index=index, y=self.y,
            weight=self.weight,
        )  # fmt: skip

    def pair(self, index: torch.Tensor | slice) -> tuple[Any, Any]:
        """Return a batch, and its clean rows, labels and weights."""
        batch, clean = super().pair(index)
        if self.index is not None:
            index = self.index[index]
        return batch, (clean, self.y[index], self.weight[index])


class Standardize(nn.Module):
    """Centers and scales codes as the training rows had them before fine-tuning.

    The learning rate of a head then means the same whatever the scale of the codes.

    Parameters
    ----------
    mean, scale : torch.Tensor of shape (n_codes,)
        What is taken off and what is divided by.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, mean: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Standardize.

        Parameters
        ----------
        codes : torch.Tensor of shape (n_rows, n_codes)
            The codes.

        Returns
        -------
        codes : torch.Tensor of shape (n_rows, n_codes)
            The same in standard units.
        """
        return (codes - self.mean) / self.scale


def build_head(standardize: Standardize, sizes: list[int]) -> nn.Sequential:
    """Build dense layers on top of the codes.

    Parameters
    ----------
    standardize : Standardize
        The first step.

    sizes : list of int
        Widths from the codes to the outputs.

    Returns
    -------
    head : torch.nn.Sequential
        Layers with relu between them.
    """
    layers: list[nn.Module] = [standardize]
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class SupervisedModule(nn.Module):
    """An encoder with a head, and the decoder where a reconstruction is wanted too.

    Parameters
    ----------
    encoder, head : torch.nn.Module
        From rows to codes, and from codes to outputs.

    decoder : torch.nn.Module, default=None
        From codes to rows.
    """

    def __init__(
        self, encoder: nn.Module, head: nn.Module, decoder: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.decoder = decoder

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Predict.

        Parameters
        ----------
        x : torch.Tensor of shape (n_rows, n_features)
            The rows.

        Returns
        -------
        output : torch.Tensor of shape (n_rows, n_outputs)
            Logits of the classes, or standardized values.
        """
        return self.head(self.encoder(x))


class SupervisedNet(ReconstructionNet):
    """A net that learns labels, and goes on reconstructing if it is asked to.

    Parameters
    ----------
    module : SupervisedModule
        The network.

    criterion : Objective
        What is minimized beside the supervised loss.

    loss : {"cross_entropy", "squared_error"}
        The supervised loss.

    reconstruction_weight : float
        Weight of the criterion.

    freeze_epochs : float
        Epochs in which the encoder stays as it is.

    augmentation : callable
        From a batch and a generator to a batch, in training only.

    **kwargs
        As for :class:`ReconstructionNet`.
    """

    def __init__(
        self,
        module: Any,
        criterion: Any,
        *,
        loss: str = "cross_entropy",
        reconstruction_weight: float = 0.0,
        freeze_epochs: float = 0,
        augmentation: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, criterion, **kwargs)
        self.loss = loss
        self.reconstruction_weight = reconstruction_weight
        self.freeze_epochs = freeze_epochs
        self.augmentation = augmentation

    @property
    def has_penalty(self) -> bool:
        """Whether the penalty is kept apart: of fine-tuning it is not."""
        return False

    @property
    def _frozen(self) -> bool:
        return len(self.history) <= self.freeze_epochs

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
        if self.module_.training and self.augmentation is not None:
            x = self.augmentation(x.clone(), self.generator_)
        return *super().infer(x), x

    def _forward(self, x: Any) -> tuple[Any, ...]:
        module = self.module_
        trained = torch.is_grad_enabled() and not (module.training and self._frozen)
        with torch.set_grad_enabled(trained):
            codes = module.encoder(x)
        kept = self._dropped(codes)
        return module.head(kept), codes, None if module.decoder is None else module.decoder(kept)

    def get_loss(
        self, y_pred: tuple[Any, ...], y_true: Any, X: Any = None, training: bool = False
    ) -> torch.Tensor:
        """Compute the supervised loss, and in training the weighted objective beside it."""
        output, codes, reconstruction, clean = y_pred
        _, y, weight = y_true
        if self.loss == "cross_entropy":
            losses = F.cross_entropy(output, y, reduction="none")
        else:
            losses = 0.5 * (output - y).square().sum(dim=1)
        loss = (losses * weight).mean()
        if training and reconstruction is not None:
            loss = loss + self.reconstruction_weight * self.criterion_(reconstruction, codes, clean)
        return loss

    def _set_training(self, training: bool = True) -> None:
        super()._set_training(training)
        if training and self._frozen:
            # Statistics of batches are part of an encoder that stays as it is.
            self.module_.encoder.train(False)


def frozen_epochs(freeze_encoder: bool, unfreeze_after: int | None) -> float:
    """Return the number of epochs in which the encoder stays as it is.

    Parameters
    ----------
    freeze_encoder : bool
        Whether it is frozen at all.

    unfreeze_after : int or None
        Epochs until it is trained too; None for never.

    Returns
    -------
    n_epochs : float
        Infinity for never.
    """
    if not freeze_encoder:
        return 0
    return math.inf if unfreeze_after is None else unfreeze_after
