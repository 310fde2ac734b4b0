"""The network of patch features: codes of the patch at every position, pooled over regions."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import nn

__all__ = ["PatchEncoder", "map_size", "normalize_contrast", "region_edges"]


def map_size(
    shape: tuple[int, int, int], patch_size: tuple[int, int], stride: int
) -> tuple[int, int]:
    """Return how many positions a patch has, down and across.

    Parameters
    ----------
    shape : tuple of int
        Height, width and channels of an image.

    patch_size : tuple of int
        Height and width of a patch.

    stride : int
        Pixels from one position to the next.

    Returns
    -------
    n_rows, n_columns : int
        The positions.
    """
    height, width = ((shape[axis] - patch_size[axis]) // stride + 1 for axis in (0, 1))
    return height, width


def region_edges(n: int, n_regions: int) -> list[int]:
    """Cut ``n`` positions into regions whose sizes differ by one at most.

    Parameters
    ----------
    n, n_regions : int
        Positions and regions.

    Returns
    -------
    edges : list of int
        Where each region begins, and the end of the last.
    """
    return [(n * region) // n_regions for region in range(n_regions + 1)]


def normalize_contrast(patches: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Take each patch's mean off and divide by its standard deviation.

    Parameters
    ----------
    patches : torch.Tensor of shape (n_patches, n_values)
        The patches.

    epsilon : float
        Added to the variance, so that flat patches stay small.

    Returns
    -------
    patches : torch.Tensor of shape (n_patches, n_values)
        The normalized patches.
    """
    centered = patches - patches.mean(dim=1, keepdim=True)
    variance = centered.square().mean(dim=1, keepdim=True)
    return centered * (variance + epsilon).rsqrt()


# Entries of the codes that are in work at a time under inference: 2 MiB in float32.
_TILE = 2**19


class PatchEncoder(nn.Module):
    """From flat images to pooled codes of their patches.

    Parameters
    ----------
    encoder : torch.nn.Module
        From whitened patches to codes.

    mean, whitening : torch.Tensor of shape (n_values,) and (n_values, n_values)
        What is taken off a normalized patch, and the matrix that it is multiplied by then.

    shape : tuple of int
        Height, width and channels of an image.

    patch_size : tuple of int
        Height and width of a patch.

    stride : int
        Pixels from one position to the next.

    contrast_epsilon : float
        As in :func:`normalize_contrast`.

    pool : tuple of int
        Rows and columns of the grid of regions.

    pooling : {"mean", "max"}
        How the codes of a region become one.

    threshold : float or None
        In standard deviations of a position's pre-activations; None for the encoder's own codes.
    """

    encoder: Any
    averages: torch.Tensor
    mean: torch.Tensor
    whitening: torch.Tensor

    def __init__(
        self,
        encoder: nn.Module,
        mean: torch.Tensor,
        whitening: torch.Tensor,
        *,
        shape: tuple[int, int, int],
        patch_size: tuple[int, int],
        stride: int,
        contrast_epsilon: float,
        pool: tuple[int, int],
        pooling: str,
        threshold: float | None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("mean", mean)
        self.register_buffer("whitening", whitening)
        self.shape, self.patch_size, self.stride = shape, patch_size, stride
        self.contrast_epsilon = contrast_epsilon
        self.pool, self.pooling, self.threshold = pool, pooling, threshold
        self.register_buffer("averages", self._averages().to(mean.dtype), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Encode.

        Parameters
        ----------
        x : torch.Tensor of shape (n_rows, n_features_in)
            Flat images.

        Returns
        -------
        features : torch.Tensor of shape (n_rows, n_regions * n_components)
            Pooled codes, region by region.
        """
        if not torch.is_inference_mode_enabled():
            return self._features(x)
        # A few images at a time, whose codes stay in the cache.
        widths = [len(weight) for weight in self.encoder.parameters() if weight.dim() > 1]
        widest = max(len(self.mean), *widths) if widths else len(self.mean)
        n_images = max(1, _TILE // (math.prod(self._map_size) * widest))
        return torch.cat([self._features(part) for part in x.split(n_images)])

    def _features(self, x: torch.Tensor) -> torch.Tensor:
        patches = normalize_contrast(self._patches(x), self.contrast_epsilon)
        if self.threshold is None:
            codes = self._own_codes(patches)
        else:
            codes = self._thresholded(patches, self.threshold)
        return self._pooled(codes.unflatten(0, (-1, *self._map_size)))

    @property
    def _map_size(self) -> tuple[int, int]:
        return map_size(self.shape, self.patch_size, self.stride)

    def _patches(self, x: torch.Tensor) -> torch.Tensor:
        images = x.reshape(-1, *self.shape)
        for axis in (0, 1):
            images = images.unfold(axis + 1, self.patch_size[axis], self.stride)
        # Values in the order in which they lie in a row of X: height, width, channel.
        return images.permute(0, 1, 2, 4, 5, 3).reshape(-1, len(self.mean))

    def _folded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Whitening and the encoder's first layer as one product."""
        layer = self.encoder.layers[0]
        weight = self.whitening @ layer.weight.mT
        return weight, layer.bias - self.mean @ weight

    def _whitened(self, patches: torch.Tensor) -> torch.Tensor:
        return (patches - self.mean) @ self.whitening

    def _own_codes(self, patches: torch.Tensor) -> torch.Tensor:
        return self.encoder(self._whitened(patches))

    def _thresholded(self, patches: torch.Tensor, threshold: float) -> torch.Tensor:
        # Centered over the units of a position, which is linear, so the weights can have it done.
        if len(self.encoder.layers) == 1:
            weight, bias = self._folded()
            weight = weight - weight.mean(dim=1, keepdim=True)
            responses = torch.addmm(bias - bias.mean(), patches, weight)
        else:
            responses = self.encoder.pre_activations(self._whitened(patches))
            responses = responses - responses.mean(dim=1, keepdim=True)
        norm = torch.linalg.vector_norm(responses, dim=1, keepdim=True)
        least = norm * (threshold / math.sqrt(responses.shape[1]))
        if torch.is_inference_mode_enabled():
            return responses.sub_(least).relu_()
        return torch.relu(responses - least)

    def _averages(self) -> torch.Tensor:
        """Build the matrix that averages over the positions of each region."""
        height, width = self._map_size
        averages = torch.zeros(*self.pool, height, width, dtype=torch.float64)
        for row, rows in enumerate(self._regions(0)):
            for column, columns in enumerate(self._regions(1)):
                averages[row, column, rows, columns] = 1.0
        averages = averages.reshape(-1, height * width)
        return averages / averages.sum(dim=1, keepdim=True)

    def _regions(self, axis: int) -> list[slice]:
        edges = region_edges(self._map_size[axis], self.pool[axis])
        return [slice(start, stop) for start, stop in pairwise(edges)]

    def _pooled(self, codes: torch.Tensor) -> torch.Tensor:
        if self.pooling == "mean":
            return torch.matmul(self.averages, codes.flatten(1, 2)).flatten(1)
        regions = [(rows, columns) for rows in self._regions(0) for columns in self._regions(1)]
        pooled = [codes[:, rows, columns].amax(dim=(1, 2)) for rows, columns in regions]
        return torch.cat(pooled, dim=1)
