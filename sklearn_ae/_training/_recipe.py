"""How a network is trained, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import torch


@dataclass(frozen=True)
class Recipe:
    """How an autoencoder is trained.

    The fields are the parameters of :class:`~sklearn_ae.Autoencoder` of the same names, but for
    ``keep_optimizer``, whether a pickle holds the state of the optimizer, and ``seed``, which
    decides every random number of a new network.
    """

    loss: str = "squared_error"
    penalty: Any = "l1"
    alpha: float = 0.0
    dropout: float = 0.0
    corruption: Any = "masking"
    corruption_level: float = 0.0
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    learning_rate_schedule: str = "constant"
    weight_decay: float = 0.0
    batch_size: int = 128
    max_epochs: int = 1
    max_time: float | None = None
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    tol: float = 1e-4
    callbacks: Any = None
    precision: str = "float32"
    verbose: int = 0
    seed: int = 0
    keep_optimizer: bool = False

    @classmethod
    def of(cls, estimator: Any, **changes: Any) -> Self:
        """Read the parameters of an estimator, some of them changed."""
        names = [f.name for f in fields(cls) if hasattr(estimator, f.name)]
        return cls(**({name: getattr(estimator, name) for name in names} | changes))

    @property
    def unit_norm(self) -> bool:
        """Whether the decoder's atoms are kept at unit norm, for a penalty that needs it."""
        return bool(self.alpha) and getattr(self.penalty, "needs_unit_norm", True)

    @property
    def gives_logits(self) -> bool:
        """Whether the decoder gives logits."""
        return self.loss == "binary_cross_entropy"

    def in_units_of_X(self, output: torch.Tensor) -> torch.Tensor:
        """Turn what the decoder gives into a reconstruction."""
        return output.sigmoid() if self.gives_logits else output


@dataclass(frozen=True)
class SupervisedRecipe(Recipe):
    """How a network with a head is fine-tuned.

    The further fields are parameters of :class:`~sklearn_ae.AutoencoderClassifier`, but for
    ``supervised_loss``, ``"cross_entropy"`` or ``"squared_error"``.
    """

    supervised_loss: str = "cross_entropy"
    reconstruction_weight: float = 0.0
    freeze_epochs: float = 0
    encoder_learning_rate: float | None = None
    augmentation: Any = None
