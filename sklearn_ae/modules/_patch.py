"""The network of patch features: codes of the patch at every position, pooled over regions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from sklearn_ae.modules._architecture import Architecture


def map_size(
    shape: tuple[int, int, int], patch_size: tuple[int, int], stride: int
) -> tuple[int, int]:
    """Return how many positions a patch has, down and across."""
    height, width = ((shape[axis] - patch_size[axis]) // stride + 1 for axis in (0, 1))
    return height, width


def region_edges(n: int, n_regions: int) -> list[int]:
    """Cut ``n`` positions into regions whose sizes differ by one at most."""
    return [(n * region) // n_regions for region in range(n_regions + 1)]


def normalize_contrast(patches: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Take each patch's mean off and divide by its standard deviation; flat ones stay small."""
    centered = patches - patches.mean(dim=1, keepdim=True)
    variance = centered.square().mean(dim=1, keepdim=True)
    return centered * (variance + epsilon).rsqrt()


@dataclass(frozen=True)
class PatchArchitecture:
    """The network of patch features: an autoencoder of patches, and how its codes are pooled."""

    autoencoder: Architecture
    shape: tuple[int, int, int]
    patch_size: tuple[int, int]
    stride: int
    contrast_epsilon: float
    pool: tuple[int, int]
    pooling: str
    threshold: float | None

    @property
    def dtype(self) -> str:
        """The name of the type of weights and codes."""
        return self.autoencoder.dtype

    @property
    def n_features(self) -> int:
        """Values of an image."""
        height, width, n_channels = self.shape
        return height * width * n_channels

    @property
    def n_codes(self) -> int:
        """Width of what a head is put on."""
        return self.n_features_out

    @property
    def n_features_out(self) -> int:
        """Features of an image."""
        return self.pool[0] * self.pool[1] * self.autoencoder.n_components

    @property
    def n_widest(self) -> int:
        """Entries of the widest array that one image makes."""
        n_values = self.patch_size[0] * self.patch_size[1] * self.shape[2]
        height, width = self.map_size
        return max(height * width * max(n_values, self.autoencoder.n_widest), self.n_features_out)

    @property
    def map_size(self) -> tuple[int, int]:
        """Positions of a patch, down and across."""
        return map_size(self.shape, self.patch_size, self.stride)

    @property
    def user_parts(self) -> list[Any]:
        """What may be the user's own code."""
        return self.autoencoder.user_parts

    @property
    def is_built_in(self) -> bool:
        """Whether no module of the user's takes part, which might work in place."""
        return self.autoencoder.is_built_in

    def around(self, encoder: nn.Module, mean: Any, whitening: Any) -> PatchEncoder:
        """Build the network around a trained encoder of patches."""
        mean, whitening = (torch.as_tensor(values, device="cpu") for values in (mean, whitening))
        return PatchEncoder(encoder, mean, whitening, self)

    def build(self) -> PatchEncoder:
        """Build the network, its whitening still to be filled in."""
        n_values = self.autoencoder.n_features
        weights = torch.zeros(n_values), torch.zeros(n_values, n_values)
        network = self.around(self.autoencoder.build().encoder, *weights)
        return network.to(getattr(torch, self.dtype))


# Entries of the codes that are in work at a time under inference on the CPU: 2 MiB in float32.
_TILE = 2**19


class PatchEncoder(nn.Module):
    """From flat images to pooled codes of their patches.

    What is taken off a normalized patch is ``mean``; then it is multiplied by ``whitening``.
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
        architecture: PatchArchitecture,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.architecture = architecture
        self.register_buffer("mean", mean)
        self.register_buffer("whitening", whitening)
        self.register_buffer("averages", self._averages().to(mean), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Encode flat images, region by region."""
        if x.device.type != "cpu" or not torch.is_inference_mode_enabled():
            return self._features(x)
        # A few images at a time, whose codes stay in the cache.
        widths = [len(weight) for weight in self.encoder.parameters() if weight.dim() > 1]
        widest = max(len(self.mean), *widths) if widths else len(self.mean)
        n_images = max(1, _TILE // (math.prod(self.architecture.map_size) * widest))
        return torch.cat([self._features(part) for part in x.split(n_images)])

    def _features(self, x: torch.Tensor) -> torch.Tensor:
        patches = normalize_contrast(self._patches(x), self.architecture.contrast_epsilon)
        if self.architecture.threshold is None:
            codes = self._own_codes(patches)
        else:
            codes = self._thresholded(patches, self.architecture.threshold)
        return self._pooled(codes.unflatten(0, (-1, *self.architecture.map_size)))

    def _patches(self, x: torch.Tensor) -> torch.Tensor:
        images = x.reshape(-1, *self.architecture.shape)
        for axis in (0, 1):
            images = images.unfold(
                axis + 1, self.architecture.patch_size[axis], self.architecture.stride
            )
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
        height, width = self.architecture.map_size
        shape = (*self.architecture.pool, height, width)
        averages = torch.zeros(shape, dtype=torch.float64, device="cpu")
        for row, rows in enumerate(self._regions(0)):
            for column, columns in enumerate(self._regions(1)):
                averages[row, column, rows, columns] = 1.0
        averages = averages.reshape(-1, height * width)
        return averages / averages.sum(dim=1, keepdim=True)

    def _regions(self, axis: int) -> list[slice]:
        edges = region_edges(self.architecture.map_size[axis], self.architecture.pool[axis])
        return [slice(start, stop) for start, stop in pairwise(edges)]

    def _pooled(self, codes: torch.Tensor) -> torch.Tensor:
        if self.architecture.pooling == "mean":
            return torch.matmul(self.averages, codes.flatten(1, 2)).flatten(1)
        regions = [(rows, columns) for rows in self._regions(0) for columns in self._regions(1)]
        pooled = [codes[:, rows, columns].amax(dim=(1, 2)) for rows, columns in regions]
        return torch.cat(pooled, dim=1)
