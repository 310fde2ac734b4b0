"""Activations by name, and top-k."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator

from sklearn_ae._sklearn._compat import Interval

Activation = str | Callable[[torch.Tensor], torch.Tensor]


class TopK(BaseEstimator):
    """Keep the ``k`` largest positive codes of each row and set the others to zero.

    An activation: ``Autoencoder(activation=TopK(k=32))``. A row with fewer than ``k`` positive
    pre-activations keeps those that it has.

    Parameters
    ----------
    k : int, default=32
        How many codes a row keeps, at most ``n_components``.

    revive : bool, default=False
        Whether to keep components from never firing, as most of many may: encoder and decoder start
        as mirrors of each other with the mean of X taken off [2]_, and after each of the first
        three quarters of the epochs those that won on no row start anew, aimed at what the network
        misses of the rows that it reconstructs worst, in the spirit of [3]_. Takes about as long
        and reconstructs no worse. Without effect where ``encoder`` or ``decoder`` is given or
        weights are tied; ``partial_fit``, which makes one pass, starts nothing anew.

    See Also
    --------
    sklearn_ae.penalties.L1 : Lets the number of active codes differ from row to row.

    References
    ----------
    .. [1] Makhzani, A. & Frey, B. (2013). k-Sparse autoencoders. arXiv:1312.5663.
    .. [2] Gao, L. et al. (2024). Scaling and evaluating sparse autoencoders. arXiv:2406.04093.
    .. [3] Bricken, T. et al. (2023). Towards monosemanticity: decomposing language models with
       dictionary learning. Transformer Circuits Thread.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.modules import TopK
    >>> TopK(k=2)(torch.tensor([[3.0, -1.0, 2.0, 4.0]]))
    tensor([[3., 0., 0., 4.]])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "k": [Interval(Integral, 1, None, closed="left")],
        "revive": ["boolean"],
    }

    def __init__(self, k: int = 32, *, revive: bool = False) -> None:
        self.k = k
        self.revive = revive

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the activation to the last axis.

        Parameters
        ----------
        x : torch.Tensor of shape (..., n_components)
            The pre-activations.

        Returns
        -------
        codes : torch.Tensor of shape (..., n_components)
            The codes.
        """
        values, index = x.topk(self.k, dim=-1, sorted=False)
        return torch.zeros_like(x).scatter(-1, index, values.relu())


def _identity(x: torch.Tensor) -> torch.Tensor:
    return x


ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "elu": F.elu,
    "gelu": F.gelu,
    "identity": _identity,
    "leaky_relu": F.leaky_relu,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "softplus": F.softplus,
    "tanh": torch.tanh,
}


def activate(activation: Activation, x: torch.Tensor) -> torch.Tensor:
    function = ACTIVATIONS[activation] if isinstance(activation, str) else activation
    return function(x)
