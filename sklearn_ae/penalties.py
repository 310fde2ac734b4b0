"""Penalties on the activations of the code, never on the weights.

A penalty maps the codes of a batch to one number. Its strength is not its own: ``alpha`` lives on
the estimator, a penalty holds shape parameters only.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import torch
from sklearn.base import BaseEstimator

from sklearn_ae._sklearn._compat import Interval

__all__ = ["L1", "L2", "KLDivergence", "Penalty"]


class Penalty(BaseEstimator):
    """The contract of a penalty on codes.

    Derive from this class, store the shape parameters in ``__init__`` and compute the penalty in
    ``__call__``. A plain function ``codes -> number`` is accepted as well.

    Attributes
    ----------
    needs_unit_norm : bool
        Whether the penalty can be cheated by shrinking the codes and growing the decoder. If so,
        the atoms of the built-in decoder are kept at unit norm while ``alpha > 0``. A function
        is taken to need it.

    needs_probabilities : bool
        Whether the penalty is defined for codes in (0, 1) only, as sigmoid codes are.

    See Also
    --------
    L1 : Sum of absolute codes.
    KLDivergence : Distance of the mean activations from a target.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.penalties import Penalty
    >>> class LogCosh(Penalty):
    ...     def __call__(self, codes):
    ...         return torch.log(torch.cosh(codes)).sum(dim=-1).mean(dim=-1)
    >>> round(LogCosh()(torch.ones(4, 3)).item(), 4)
    1.3013
    """

    needs_unit_norm: bool = True
    needs_probabilities: bool = False

    def __call__(self, codes: torch.Tensor) -> torch.Tensor:
        """Compute the penalty of the codes of a batch.

        Parameters
        ----------
        codes : torch.Tensor of shape (..., n_rows, n_components)
            The codes, before code dropout. An axis in front stands for a stack of models.

        Returns
        -------
        penalty : torch.Tensor of shape (...)
            One number a model: summed over components, averaged over rows.
        """
        raise NotImplementedError(f"{type(self).__name__} must define __call__(codes)")


class L1(Penalty):
    r"""Sum of the absolute codes, averaged over rows.

    See Also
    --------
    L2 : Shrinks all codes, makes none of them zero.
    sklearn_ae.modules.TopK : Keeps a fixed number of codes instead of penalizing them.

    Notes
    -----
    .. math:: \frac{1}{n} \sum_{i=1}^{n} \sum_{j=1}^{k} |h_{ij}|

    where :math:`h_{ij}` is the code of row :math:`i` in component :math:`j`.

    References
    ----------
    .. [1] Ng, A. (2011). Sparse autoencoder. CS294A lecture notes, Stanford University.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.penalties import L1
    >>> L1()(torch.tensor([[1.0, -2.0], [0.0, 3.0]])).item()
    3.0
    """

    def __call__(self, codes: torch.Tensor) -> torch.Tensor:
        """Compute the penalty of a batch, as in :class:`Penalty`."""
        return codes.abs().sum(dim=(-2, -1)) / codes.shape[-2]


class L2(Penalty):
    r"""Half the sum of the squared codes, averaged over rows.

    See Also
    --------
    L1 : Makes most codes exactly zero.

    Notes
    -----
    .. math:: \frac{1}{2n} \sum_{i=1}^{n} \sum_{j=1}^{k} h_{ij}^2

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.penalties import L2
    >>> L2()(torch.tensor([[1.0, -2.0], [0.0, 3.0]])).item()
    3.5
    """

    def __call__(self, codes: torch.Tensor) -> torch.Tensor:
        """Compute the penalty of a batch, as in :class:`Penalty`."""
        return 0.5 * codes.square().sum(dim=(-2, -1)) / codes.shape[-2]


class KLDivergence(Penalty):
    r"""Divergence of each component's mean activation from a target sparsity.

    Parameters
    ----------
    rho : float, default=0.05
        The mean activation that each component should have, in (0, 1).

    See Also
    --------
    L1 : For codes that are not in (0, 1), as relu codes.

    Notes
    -----
    .. math:: \sum_{j=1}^{k} \rho \log \frac{\rho}{\hat\rho_j}
              + (1 - \rho) \log \frac{1 - \rho}{1 - \hat\rho_j}

    where :math:`\hat\rho_j` is the mean of component :math:`j` over the rows of a batch. The
    codes must lie in (0, 1): use ``activation="sigmoid"``. The mean is that of a batch, so small
    batches make the estimate noisy; take ``batch_size`` well above ``1 / rho``.

    References
    ----------
    .. [1] Ng, A. (2011). Sparse autoencoder. CS294A lecture notes, Stanford University.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.penalties import KLDivergence
    >>> KLDivergence(rho=0.1)(torch.full((5, 3), 0.1)).item()
    0.0
    """

    needs_unit_norm = False
    needs_probabilities = True
    _parameter_constraints: dict[str, list[Any]] = {"rho": [Interval(Real, 0, 1, closed="neither")]}

    def __init__(self, rho: float = 0.05) -> None:
        self.rho = rho

    def __call__(self, codes: torch.Tensor) -> torch.Tensor:
        """Compute the penalty of a batch, as in :class:`Penalty`."""
        # A saturated sigmoid is exactly 0 or 1 in float32, where the logarithm has no gradient.
        eps = torch.finfo(codes.dtype).eps
        mean = codes.mean(dim=-2).clamp(eps, 1 - eps)
        rho = torch.full_like(mean, self.rho)
        off = torch.xlogy(1 - rho, (1 - rho) / (1 - mean))
        return (torch.xlogy(rho, rho / mean) + off).sum(dim=-1)


PENALTIES: dict[str, type[Penalty]] = {"l1": L1, "l2": L2, "kl": KLDivergence}
