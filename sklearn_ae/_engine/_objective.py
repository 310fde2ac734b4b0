"""What is minimized: reconstruction loss plus ``alpha`` times the penalty of the codes."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["LOSSES", "DivergenceError", "Objective"]


class DivergenceError(ValueError, ArithmeticError):
    """The loss or a weight stopped being finite during training.

    See Also
    --------
    Autoencoder.fit : Raises it; the estimator is then as it was before.

    Examples
    --------
    >>> from sklearn_ae import DivergenceError
    >>> issubclass(DivergenceError, ValueError)
    True
    """


def _half_squared_error(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return 0.5 * (output - target).square().sum(dim=(-2, -1))


def _binary_cross_entropy(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    loss = F.binary_cross_entropy_with_logits(output, target, reduction="none")
    return loss.sum(dim=(-2, -1))


def _huber(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.huber_loss(output, target, reduction="none").sum(dim=(-2, -1))


LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "squared_error": _half_squared_error,
    "binary_cross_entropy": _binary_cross_entropy,
    "huber": _huber,
}


class Objective(nn.Module):
    """Mean over rows of the loss summed over features, plus ``alpha`` times the penalty.

    Rows and columns are the last two axes; an axis in front stands for a stack of models, and the
    objective is then one number a model.

    Parameters
    ----------
    loss : str
        A key of ``LOSSES``.

    penalty : callable
        From codes to a number.

    alpha : float
        Strength of the penalty.
    """

    def __init__(
        self, loss: str, penalty: Callable[[torch.Tensor], torch.Tensor], alpha: float
    ) -> None:
        super().__init__()
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha

    def forward(
        self, output: torch.Tensor, codes: torch.Tensor, target: torch.Tensor
    ) -> torch.Tensor:
        """Compute the objective of a batch.

        Parameters
        ----------
        output : torch.Tensor of shape (..., n_rows, n_features)
            What the decoder gave.

        codes : torch.Tensor of shape (..., n_rows, n_components)
            The codes before code dropout.

        target : torch.Tensor of shape (..., n_rows, n_features)
            The clean input.

        Returns
        -------
        objective : torch.Tensor of shape (...)
            One number a model.
        """
        objective = LOSSES[self.loss](output, target) / target.shape[-2]
        if self.alpha:
            objective = objective + self.alpha * self.penalty(codes)
        return objective
