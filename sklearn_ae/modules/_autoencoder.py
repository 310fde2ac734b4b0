"""An encoder and a decoder as one module, and several of them as one."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn

from sklearn_ae.modules._dense import DenseDecoder
from sklearn_ae.modules._masks import CodeDropout


class AutoencoderModule(nn.Module):
    """An encoder and a decoder, with dropout on the code between them.

    Parameters
    ----------
    encoder : torch.nn.Module
        From the input to the code.

    decoder : torch.nn.Module
        From the code to the output.

    dropout : float, default=0.0
        Share of the codes that are dropped in training, when a generator is given.

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

    def __init__(self, encoder: nn.Module, decoder: nn.Module, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder = encoder
        self.code_dropout = CodeDropout(dropout)
        self.decoder = decoder

    def forward(
        self, x: torch.Tensor, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode, drop out and decode.

        Parameters
        ----------
        x : torch.Tensor of shape (..., n_rows, n_features_in)
            The input.

        generator : torch.Generator, default=None
            Draws which codes are dropped in training; None drops none.

        Returns
        -------
        output : torch.Tensor of shape (..., n_rows, n_features_in)
            The output of the decoder.

        codes : torch.Tensor of shape (..., n_rows, n_components)
            The codes before dropout.
        """
        codes, decoder = self.encoder(x), self.decoder
        kept = codes if generator is None else self.code_dropout(codes, generator)
        if kept is codes and not isinstance(decoder, DenseDecoder):
            # A decoder of the user's may work in place.
            kept = codes.clone()
        return decoder(kept), codes


def stack_modules(modules: Sequence[nn.Module]) -> nn.Module:
    """Copy modules of one structure into one, whose weights and output have an axis in front."""
    stacked = {
        id(parameter): nn.Parameter(torch.stack([m.get_parameter(name) for m in modules]).detach())
        for name, parameter in modules[0].named_parameters()
    }
    return copy.deepcopy(modules[0], stacked)
