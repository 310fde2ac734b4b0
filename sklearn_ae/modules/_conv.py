"""Convolutional networks for images that lie flat in the rows of X."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any

import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator
from torch import nn

from sklearn_ae._sklearn._checks import is_size
from sklearn_ae._sklearn._compat import Interval
from sklearn_ae._sklearn._image_shape import check_image_shape, check_pair


class ConvEncoder(BaseEstimator):
    """A convolutional encoder and its mirrored decoder, for images as rows of X.

    To be given as ``encoder=``. Each layer halves height and width; the last map is averaged over a
    grid of regions, and the averages are the codes: ``n_components`` of them in all, equally many
    for each region, which makes them stable to small shifts. Columns are named by region, as in
    ``denoisingautoencoder_r0c1_17`` for row 0, column 1, unit 17.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of an image, ``(height, width)`` or ``(height, width, n_channels)``, in the order in
        which its entries lie in a row of X.

    n_channels : tuple of int, default=(32, 64)
        Channels of each layer that halves the map.

    pool : int or tuple of int, default=(2, 2)
        Rows and columns of the grid of regions. Their product must divide ``n_components``.

    See Also
    --------
    sklearn_ae.PatchFeatures : Features of small patches, without backpropagation through images.
    sklearn_ae.corruptions.RegionBlanking : The corruption that goes with it.

    References
    ----------
    .. [1] Masci, J. et al. (2011). Stacked convolutional auto-encoders for hierarchical feature
       extraction. ICANN.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.preprocessing import minmax_scale
    >>> from sklearn_ae import DenoisingAutoencoder
    >>> from sklearn_ae.modules import ConvEncoder
    >>> X = minmax_scale(load_digits().data)
    >>> encoder = ConvEncoder(image_shape=(8, 8), n_channels=(16,))
    >>> ae = DenoisingAutoencoder(64, encoder=encoder, max_epochs=2, random_state=0).fit(X)
    >>> ae.get_feature_names_out()[-1]
    'denoisingautoencoder_r1c1_15'
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "image_shape": [tuple, list],
        "n_channels": [tuple, list],
        "pool": [Interval(Integral, 1, None, closed="left"), tuple, list],
    }

    def __init__(
        self,
        image_shape: tuple[int, ...],
        *,
        n_channels: tuple[int, ...] = (32, 64),
        pool: int | tuple[int, int] = (2, 2),
    ) -> None:
        self.image_shape = image_shape
        self.n_channels = n_channels
        self.pool = pool

    def __call__(self, n_features_in: int, n_components: int) -> ConvEncoderModule:
        """Build the encoder.

        Parameters
        ----------
        n_features_in : int
            Entries of an image.

        n_components : int
            Codes in all.

        Returns
        -------
        encoder : torch.nn.Module
            From rows to codes; its ``make_decoder()`` builds the decoder.
        """
        shape = check_image_shape(self, n_features_in)
        pool = check_pair(self, "pool")
        if not all(map(is_size, self.n_channels)):
            raise ValueError(
                f"ConvEncoder(n_channels={self.n_channels!r}) must hold positive integers."
            )
        sizes = _sizes(shape[:2], len(self.n_channels))
        if pool[0] > sizes[-1][0] or pool[1] > sizes[-1][1]:
            raise ValueError(
                f"ConvEncoder(pool={self.pool!r}) is finer than the map of {sizes[-1][0]} x "
                f"{sizes[-1][1]} that {len(self.n_channels)} layers leave of image_shape="
                f"{self.image_shape!r}."
            )
        n_regions = pool[0] * pool[1]
        if n_components % n_regions:
            raise ValueError(
                f"ConvEncoder(pool={self.pool!r}) has {n_regions} regions, of which "
                f"n_components={n_components} is no multiple."
            )
        return ConvEncoderModule(shape, self.n_channels, pool, n_components // n_regions)


def _sizes(size: tuple[int, int], n_layers: int) -> list[tuple[int, int]]:
    sizes = [size]
    for _ in range(n_layers):
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    return sizes


def cell_names(pool: tuple[int, int], n_units: int) -> list[str]:
    """Name the codes of a grid of regions, region by region, such as ``_r0c2_17``."""
    cells = [(row, column) for row in range(pool[0]) for column in range(pool[1])]
    return [f"_r{row}c{column}_{unit}" for row, column in cells for unit in range(n_units)]


class ConvEncoderModule(nn.Module):
    """Convolutions of stride 2, then the averages of the last map over a grid of regions."""

    over_rows: torch.Tensor
    over_columns: torch.Tensor

    def __init__(
        self,
        shape: tuple[int, int, int],
        n_channels: Sequence[int],
        pool: tuple[int, int],
        n_units: int,
    ) -> None:
        super().__init__()
        self.shape, self.n_channels, self.pool, self.n_units = shape, n_channels, pool, n_units
        widths = [shape[2], *n_channels]
        self.layers = nn.ModuleList(
            nn.Conv2d(n_in, n_out, 3, stride=2, padding=1) for n_in, n_out in pairwise(widths)
        )
        self.last = nn.Conv2d(widths[-1], n_units, 3, padding=1)
        height, width = _sizes(shape[:2], len(n_channels))[-1]
        self.register_buffer("over_rows", _averages(height, pool[0]).mT, persistent=False)
        self.register_buffer("over_columns", _averages(width, pool[1]), persistent=False)

    @property
    def code_names(self) -> list[str]:
        """What follows the prefix in the name of each code."""
        return cell_names(self.pool, self.n_units)

    def make_decoder(self) -> nn.Module:
        """Build the decoder that mirrors this encoder."""
        return _ConvDecoder(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Encode flat images, region by region."""
        maps = x.reshape(-1, *self.shape).permute(0, 3, 1, 2)
        for layer in self.layers:
            maps = torch.relu(layer(maps))
        maps = torch.relu(self.last(maps))
        if maps.device.type == "cpu":
            maps = F.adaptive_avg_pool2d(maps, self.pool)
        else:
            # MPS refuses maps that the grid does not divide, CUDA is not deterministic.
            maps = self.over_rows @ maps @ self.over_columns
        return maps.permute(0, 2, 3, 1).flatten(1)


def _averages(n: int, n_regions: int) -> torch.Tensor:
    """Build the matrix that averages a line over the regions of ``adaptive_avg_pool1d``."""
    lines = torch.eye(n, dtype=torch.float32, device="cpu").unsqueeze(0)
    return F.adaptive_avg_pool1d(lines, n_regions)[0]


class _ConvDecoder(nn.Module):
    def __init__(self, encoder: ConvEncoderModule) -> None:
        super().__init__()
        self.pool, self.n_units = encoder.pool, encoder.n_units
        self.sizes = _sizes(encoder.shape[:2], len(encoder.n_channels))[::-1]
        widths = [encoder.n_units, *encoder.n_channels[::-1], encoder.shape[2]]
        self.layers = nn.ModuleList(
            nn.Conv2d(n_in, n_out, 3, padding=1) for n_in, n_out in pairwise(widths)
        )

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        maps = codes.reshape(-1, *self.pool, self.n_units).permute(0, 3, 1, 2)
        *hidden, last = self.layers
        for layer, size in zip(hidden, self.sizes[:-1], strict=True):
            maps = torch.relu(layer(F.interpolate(maps, size=size)))
        maps = last(F.interpolate(maps, size=self.sizes[-1]))
        return maps.permute(0, 2, 3, 1).flatten(1)
