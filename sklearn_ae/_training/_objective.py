"""What is minimized: reconstruction loss plus ``alpha`` times the penalty of the codes."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn


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


# The loss of torch, and the factor that it is multiplied by.
LOSSES: dict[str, tuple[Callable[..., torch.Tensor], float]] = {
    "squared_error": (F.mse_loss, 0.5),
    "binary_cross_entropy": (F.binary_cross_entropy_with_logits, 1.0),
    "huber": (F.huber_loss, 1.0),
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
        """Compute the objective of a batch, as :meth:`terms` has it first."""
        return self.terms(output, codes, target)[0]

    def terms(
        self,
        output: torch.Tensor,
        codes: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Compute the objective of a batch, and the penalty apart.

        Parameters
        ----------
        output : torch.Tensor of shape (..., n_rows, n_features)
            What the decoder gave.

        codes : torch.Tensor of shape (..., n_rows, n_components)
            The codes before code dropout.

        target : torch.Tensor of shape (..., n_rows, n_features)
            The clean input.

        weight : torch.Tensor of shape (..., n_rows, n_features), default=None
            A weight for each entry of the loss; 0 leaves an entry out.

        Returns
        -------
        objective : torch.Tensor of shape (...)
            One number a model.

        penalty : torch.Tensor of shape (...) or None
            The penalty, before it is multiplied by ``alpha``; None where ``alpha`` is 0.
        """
        function, factor = LOSSES[self.loss]
        if output.dim() == 2 and weight is None:
            total = function(output, target, reduction="sum")
        else:
            losses = function(output, target.expand_as(output), reduction="none")
            total = (losses if weight is None else losses * weight).sum(dim=(-2, -1))
        objective = total * (factor / target.shape[-2])
        if not self.alpha:
            return objective, None
        penalty = self.penalty(codes)
        return torch.add(objective, penalty, alpha=self.alpha), penalty
