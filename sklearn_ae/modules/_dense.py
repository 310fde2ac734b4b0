"""Dense encoder and decoder.

The layers take any axes in front: with weights of one more axis, a stack of models runs as one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from scipy import sparse
from torch import nn

from sklearn_ae.modules._activations import Activation, activate


class _Dense(nn.Module):
    """``x @ weight.mT + bias``; a row of the weight is what one unit looks for.

    In training ``center`` is taken off x: a weight then moves no pre-activation along the mean.
    """

    center: torch.Tensor | None

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(n_in)
        self.weight = nn.Parameter(
            torch.empty(n_out, n_in, dtype=torch.float32).uniform_(-bound, bound)
        )
        self.bias = nn.Parameter(torch.empty(n_out, dtype=torch.float32).uniform_(-bound, bound))
        self.register_buffer("center", None)

    def forward(self, x: Any) -> torch.Tensor:
        if sparse.issparse(x):
            return _SparseProduct.apply(x, self.weight, self.center) + self.bias
        return _affine(self.centered(x), self.weight.mT, self.bias)

    def centered(self, x: torch.Tensor) -> torch.Tensor:
        return x if self.center is None else x - self.center

    @torch.no_grad()
    def set_center(self, center: torch.Tensor | None) -> None:
        """Take another point off x, or none, and make up for it in the bias."""
        if self.center is not None:
            self.bias.sub_(self.weight @ self.center)
        if center is not None:
            self.bias.add_(self.weight @ center)
        self.center = center

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        # A checkpoint of training has a center, a trained network has none: each is turned into
        # what this one has.
        own, given = self.center, state_dict.get(f"{prefix}center")
        self.center = None if given is None else given.to(self.bias, copy=True)
        super()._load_from_state_dict(state_dict, prefix, *args)
        if own is None or self.center is None or not torch.equal(own, self.center):
            self.set_center(own)


class _Atoms(nn.Module):
    """``x @ weight + bias``; a row of the weight, an atom, is what one unit draws."""

    def __init__(self, n_in: int, n_out: int, weight: nn.Parameter | None = None) -> None:
        super().__init__()
        bound = 1 / math.sqrt(n_in)
        if weight is None:
            weight = nn.Parameter(
                torch.empty(n_in, n_out, dtype=torch.float32).uniform_(-bound, bound)
            )
        self.weight = weight
        self.bias = nn.Parameter(torch.empty(n_out, dtype=torch.float32).uniform_(-bound, bound))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _affine(x, self.weight, self.bias)

    @torch.no_grad()
    def normalize(self) -> None:
        norm = torch.linalg.vector_norm(self.weight, dim=-1, keepdim=True)
        # The smallest normal number of float32 keeps an atom of zeros as it is.
        self.weight.div_(norm.clamp_min_(1.2e-38))


def _layers_of(module: nn.Module) -> list[nn.Module]:
    # In small networks torch's own lookup of the list takes as long as a layer.
    layers = cast("nn.ModuleList", module._modules["layers"])
    return cast("list[nn.Module]", list(layers._modules.values()))


def _affine(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    if weight.dim() == 2:
        return torch.addmm(bias, x, weight)
    # Rows that all models of a stack share have one axis less.
    return torch.baddbmm(bias.unsqueeze(-2), x.expand(len(weight), -1, -1), weight)


class _SparseProduct(torch.autograd.Function):
    """``(x - center) @ weight.T`` for a scipy matrix: several times faster than torch's."""

    @staticmethod
    def forward(
        ctx: Any, x: Any, weight: torch.Tensor, center: torch.Tensor | None
    ) -> torch.Tensor:
        # A batch has entries in few of many columns: the others need not be copied.
        occurring, inverse = np.unique(x.indices, return_inverse=True)
        shape = (x.shape[0], len(occurring))
        ctx.x = sparse.csr_matrix((x.data, inverse.astype(x.indptr.dtype), x.indptr), shape=shape)
        ctx.occurring, ctx.shape = torch.from_numpy(occurring).long(), weight.shape
        ctx.center = center
        columns = weight.detach().index_select(1, ctx.occurring).numpy()
        product = torch.from_numpy(ctx.x @ np.ascontiguousarray(columns.T))
        return product if center is None else product - weight.detach() @ center

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[None, torch.Tensor, None]:
        columns = torch.from_numpy(ctx.x.T @ grad.numpy())
        full = grad.new_zeros(ctx.shape).index_copy_(1, ctx.occurring, columns.T)
        if ctx.center is not None:
            full.addr_(grad.sum(dim=0), ctx.center, alpha=-1)
        return None, full, None


class DenseEncoder(nn.Module):
    """Dense layers from the input to the code.

    Parameters
    ----------
    sizes : sequence of int
        Widths from ``n_features_in`` to ``n_components``.

    activation : str or callable
        Activation of the code.

    hidden_activation : str or callable
        Activation of the layers before it.

    Attributes
    ----------
    layers : torch.nn.ModuleList
        The layers, each with ``weight`` of shape (n_out, n_in) and ``bias`` of shape (n_out,).

    See Also
    --------
    DenseDecoder : The mirrored decoder.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.modules import DenseEncoder
    >>> DenseEncoder([4, 8, 3], "relu", "relu")(torch.ones(5, 4)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self, sizes: Sequence[int], activation: Activation, hidden_activation: Activation
    ) -> None:
        super().__init__()
        self.activation = activation
        self.hidden_activation = hidden_activation
        self.layers = nn.ModuleList(
            _Dense(n_in, n_out) for n_in, n_out in itertools.pairwise(sizes)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Encode.

        Parameters
        ----------
        x : torch.Tensor of shape (..., n_rows, n_features_in)
            The input.

        Returns
        -------
        codes : torch.Tensor of shape (..., n_rows, n_components)
            The codes.
        """
        return activate(self.activation, self.pre_activations(x))

    def pre_activations(self, x: torch.Tensor) -> torch.Tensor:
        """Encode but for the activation of the code.

        Parameters
        ----------
        x : torch.Tensor of shape (..., n_rows, n_features_in)
            The input.

        Returns
        -------
        pre_activations : torch.Tensor of shape (..., n_rows, n_components)
            What the activation would turn into codes.
        """
        return _layers_of(self)[-1](self.last_input(x))

    def last_input(self, x: torch.Tensor) -> torch.Tensor:
        """Encode up to the last layer.

        Parameters
        ----------
        x : torch.Tensor of shape (..., n_rows, n_features_in)
            The input.

        Returns
        -------
        hidden : torch.Tensor of shape (..., n_rows, n_hidden)
            What the last layer is given; the input itself where it is the only one.
        """
        for layer in _layers_of(self)[:-1]:
            x = activate(self.hidden_activation, layer(x))
        return x

    def all_codes(self, x: torch.Tensor) -> torch.Tensor:
        """Encode, and keep what every layer gives.

        Parameters
        ----------
        x : torch.Tensor of shape (..., n_rows, n_features_in)
            The input.

        Returns
        -------
        codes : torch.Tensor of shape (..., n_rows, sum of the widths)
            The outputs of all layers side by side, the code last.
        """
        *hidden, last = _layers_of(self)
        outputs = []
        for layer in hidden:
            x = activate(self.hidden_activation, layer(x))
            outputs.append(x)
        return torch.cat([*outputs, activate(self.activation, last(x))], dim=-1)


class DenseDecoder(nn.Module):
    """Dense layers from the code to the reconstruction; the last one is linear.

    Parameters
    ----------
    sizes : sequence of int
        Widths from ``n_components`` to ``n_features_in``.

    hidden_activation : str or callable
        Activation of the layers before the last.

    tied_to : DenseEncoder, default=None
        The encoder whose weights this decoder shares, transposed. The biases are its own.

    Attributes
    ----------
    layers : torch.nn.ModuleList
        The layers, each with ``weight`` of shape (n_in, n_out), one row an atom, and ``bias`` of
        shape (n_out,).

    See Also
    --------
    DenseEncoder : The encoder that it mirrors.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.modules import DenseDecoder
    >>> DenseDecoder([3, 8, 4], "relu")(torch.ones(5, 3)).shape
    torch.Size([5, 4])
    """

    def __init__(
        self,
        sizes: Sequence[int],
        hidden_activation: Activation,
        tied_to: DenseEncoder | None = None,
    ) -> None:
        super().__init__()
        self.hidden_activation = hidden_activation
        weights: list[nn.Parameter | None] = [None] * (len(sizes) - 1)
        if tied_to is not None:
            weights = [layer.weight for layer in reversed(cast("list[_Dense]", tied_to.layers))]
        self.layers = nn.ModuleList(
            _Atoms(n_in, n_out, weight)
            for n_in, n_out, weight in zip(sizes[:-1], sizes[1:], weights, strict=True)
        )

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Decode.

        Parameters
        ----------
        codes : torch.Tensor of shape (..., n_rows, n_components)
            The codes.

        Returns
        -------
        output : torch.Tensor of shape (..., n_rows, n_features_in)
            The reconstruction; its logits under ``loss="binary_cross_entropy"``.
        """
        *hidden, last = _layers_of(self)
        for layer in hidden:
            codes = activate(self.hidden_activation, layer(codes))
        return last(codes)

    def normalize_atoms(self) -> None:
        """Scale every atom of every layer to unit norm, in place."""
        for layer in cast("list[_Atoms]", self.layers):
            layer.normalize()


@torch.no_grad()
def start_as_transpose(encoder: DenseEncoder, decoder: DenseDecoder) -> None:
    """Let an encoder start as the transpose of a decoder of the same widths, in place.

    Atoms of unit norm in random directions, of which rectified codes use one half, give back
    ``n_out / (2 * n_in)`` times their input: the encoder is scaled by the inverse, at most 1.
    """
    atoms_of_layers = reversed(cast("list[_Atoms]", decoder.layers))
    layers = cast("list[_Dense]", encoder.layers)
    for atoms, layer in zip(atoms_of_layers, layers, strict=True):
        if layer.weight is not atoms.weight:
            n_out, n_in = layer.weight.shape
            layer.weight.copy_(atoms.weight * min(1.0, 2 * n_in / n_out))


def center_of(module: Any) -> torch.Tensor | None:
    """Return what the encoder of a network takes off its input in training."""
    is_dense = isinstance(module.encoder, DenseEncoder)
    return cast("_Dense", module.encoder.layers[0]).center if is_dense else None


def set_center(module: Any, center: torch.Tensor | None) -> None:
    """Let the encoder of a network take another point off its input, or none: codes stay as is."""
    if isinstance(module.encoder, DenseEncoder):
        cast("_Dense", module.encoder.layers[0]).set_center(center)
