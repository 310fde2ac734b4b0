"""The parts of the network: activations, dense encoder and decoder, convolutional encoder.

The dense layers take any axes in front: with weights of one more axis, a stack of models runs as
one.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from sklearn.base import BaseEstimator
from torch import nn

from sklearn_ae._images import ConvEncoder
from sklearn_ae._validation import Interval

__all__ = ["AutoencoderModule", "ConvEncoder", "DenseDecoder", "DenseEncoder", "TopK"]

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


def _apply(activation: Activation, x: torch.Tensor) -> torch.Tensor:
    function = ACTIVATIONS[activation] if isinstance(activation, str) else activation
    return function(x)


class _Dense(nn.Module):
    """``x @ weight.mT + bias``; a row of the weight is what one unit looks for."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(n_in)
        self.weight = nn.Parameter(
            torch.empty(n_out, n_in, dtype=torch.float32).uniform_(-bound, bound)
        )
        self.bias = nn.Parameter(torch.empty(n_out, dtype=torch.float32).uniform_(-bound, bound))

    def forward(self, x: Any) -> torch.Tensor:
        if sparse.issparse(x):
            return _SparseProduct.apply(x, self.weight) + self.bias
        return _affine(x, self.weight.mT, self.bias)


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
    """``x @ weight.T`` for a scipy matrix: on the CPU several times faster than torch's."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: torch.Tensor) -> torch.Tensor:
        # A batch has entries in few of many columns: the others need neither be read nor written.
        occurring, inverse = np.unique(x.indices, return_inverse=True)
        shape = (x.shape[0], len(occurring))
        ctx.x = sparse.csr_matrix((x.data, inverse.astype(x.indptr.dtype), x.indptr), shape=shape)
        ctx.occurring, ctx.shape = torch.from_numpy(occurring).long(), weight.shape
        columns = weight.detach().index_select(1, ctx.occurring).numpy()
        return torch.from_numpy(ctx.x @ np.ascontiguousarray(columns.T))

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[None, torch.Tensor]:
        columns = torch.from_numpy(ctx.x.T @ grad.numpy())
        return None, grad.new_zeros(ctx.shape).index_copy_(1, ctx.occurring, columns.T)


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
        return _apply(self.activation, self.pre_activations(x))

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
            x = _apply(self.hidden_activation, layer(x))
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
            x = _apply(self.hidden_activation, layer(x))
            outputs.append(x)
        return torch.cat([*outputs, _apply(self.activation, last(x))], dim=-1)


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
            codes = _apply(self.hidden_activation, layer(codes))
        return last(codes)

    def normalize_atoms(self) -> None:
        """Scale every atom of every layer to unit norm, in place."""
        for layer in cast("list[_Atoms]", self.layers):
            layer.normalize()

    @torch.no_grad()
    def mirror(self, encoder: DenseEncoder) -> None:
        """Let an encoder start as the transpose of this decoder, in place.

        Parameters
        ----------
        encoder : DenseEncoder
            The encoder of the same widths.

        Notes
        -----
        Atoms of unit norm in random directions, of which rectified codes use one half, give back
        ``n_out / (2 * n_in)`` times their input: the encoder is scaled by the inverse, at most 1.
        """
        atoms_of_layers = reversed(cast("list[_Atoms]", self.layers))
        layers = cast("list[_Dense]", encoder.layers)
        for atoms, layer in zip(atoms_of_layers, layers, strict=True):
            if layer.weight is not atoms.weight:
                n_out, n_in = layer.weight.shape
                layer.weight.copy_(atoms.weight * min(1.0, 2 * n_in / n_out))


class AutoencoderModule(nn.Module):
    """An encoder and a decoder.

    Parameters
    ----------
    encoder : torch.nn.Module
        From the input to the code.

    decoder : torch.nn.Module
        From the code to the output.

    See Also
    --------
    DenseEncoder : The built-in encoder.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.modules import AutoencoderModule
    >>> net = AutoencoderModule(torch.nn.Linear(4, 9), torch.nn.Linear(9, 4))
    >>> output, codes = net(torch.ones(2, 4))
    >>> output.shape, codes.shape
    (torch.Size([2, 4]), torch.Size([2, 9]))
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode and decode.

        Parameters
        ----------
        x : torch.Tensor of shape (n_rows, n_features_in)
            The input.

        Returns
        -------
        output : torch.Tensor of shape (n_rows, n_features_in)
            The output of the decoder.

        codes : torch.Tensor of shape (n_rows, n_components)
            The codes.
        """
        codes = self.encoder(x)
        return self.decoder(codes), codes


def stack_modules(modules: Sequence[nn.Module]) -> nn.Module:
    """Make one module that runs several of the same structure at once.

    Parameters
    ----------
    modules : sequence of torch.nn.Module
        Modules of dense layers as the built-in ones.

    Returns
    -------
    stack : torch.nn.Module
        A copy of the first, each weight with an axis in front that counts the modules. Its output
        has that axis too.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.modules import DenseEncoder, stack_modules
    >>> three = stack_modules([DenseEncoder([4, 8], "relu", "relu") for _ in range(3)])
    >>> three(torch.ones(5, 4)).shape
    torch.Size([3, 5, 8])
    """
    stacked = {
        id(parameter): nn.Parameter(torch.stack([m.get_parameter(name) for m in modules]).detach())
        for name, parameter in modules[0].named_parameters()
    }
    return copy.deepcopy(modules[0], stacked)


def build_autoencoder(
    n_features: int,
    n_components: int,
    *,
    hidden_layer_sizes: Sequence[int] = (),
    activation: Activation = "relu",
    tied_weights: bool = False,
    encoder: Any = None,
    decoder: Any = None,
) -> AutoencoderModule:
    """Build the network from the parameters of an estimator.

    Parameters
    ----------
    n_features, n_components : int
        Widths of the input and of the code.

    hidden_layer_sizes, activation, tied_weights, encoder, decoder
        As in :class:`~sklearn_ae.Autoencoder`.

    Returns
    -------
    module : AutoencoderModule
        A new network. Modules that were given are copied, both at once, so that what they share
        stays shared.
    """
    encoder, decoder = copy.deepcopy((encoder, decoder))
    encoder = _made(encoder, "encoder", n_features, n_components)
    decoder = _made(decoder, "decoder", n_features, n_components)
    activation = copy.deepcopy(activation)
    hidden = "relu" if isinstance(activation, TopK) else activation
    sizes = [n_features, *hidden_layer_sizes, n_components]
    if encoder is None:
        encoder = DenseEncoder(sizes, activation, hidden)
    if decoder is None and hasattr(encoder, "make_decoder"):
        decoder = encoder.make_decoder()
    elif decoder is None:
        decoder = DenseDecoder(sizes[::-1], hidden, encoder if tied_weights else None)
    return AutoencoderModule(encoder, decoder)


def _made(part: Any, name: str, n_features: int, n_components: int) -> nn.Module | None:
    # A module is callable too, so it has to be told from a function first.
    if part is None or isinstance(part, nn.Module):
        return part
    try:
        module = part(n_features, n_components)
    except TypeError as error:
        raise TypeError(
            f"{name}={part!r} failed when called with (n_features_in, n_components) = "
            f"({n_features}, {n_components}): {error}"
        ) from error
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"{name}={part!r} must return a torch.nn.Module when called with (n_features_in, "
            f"n_components) = ({n_features}, {n_components}), got {type(module).__name__}."
        )
    return module
