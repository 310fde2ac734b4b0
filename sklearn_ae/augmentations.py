"""Augmentations: changes of the input that leave its label as it is.

An augmentation maps a batch and a ``torch.Generator`` to a batch. It is for fine-tuning; what an
autoencoder does to its input is a corruption, whose target is the clean input.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import torch
from sklearn.base import BaseEstimator

from sklearn_ae._sklearn._compat import Interval
from sklearn_ae._sklearn._image_shape import check_image_shape

__all__ = ["ShiftAndFlip"]


class ShiftAndFlip(BaseEstimator):
    """Shift each image by a few pixels, and mirror every other one.

    What is shifted out is lost, what comes in is zero.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of an image, ``(height, width)`` or ``(height, width, n_channels)``, in the order in
        which its entries lie in a row of X.

    max_shift : int, default=2
        Largest shift, in pixels, down and across.

    flip : bool, default=True
        Whether an image is mirrored left to right, with probability 1/2. Turn it off where left
        and right mean something, as for digits.

    See Also
    --------
    sklearn_ae.AutoencoderClassifier : Takes it as ``augmentation``.
    sklearn_ae.corruptions.RegionBlanking : A corruption of images.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.augmentations import ShiftAndFlip
    >>> X = torch.arange(6.0).reshape(1, 6)
    >>> ShiftAndFlip((2, 3), max_shift=0)(X, torch.Generator().manual_seed(1))
    tensor([[2., 1., 0., 5., 4., 3.]])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "image_shape": [tuple, list],
        "max_shift": [Interval(Integral, 0, None, closed="left")],
        "flip": ["boolean"],
    }

    def __init__(
        self, image_shape: tuple[int, ...], *, max_shift: int = 2, flip: bool = True
    ) -> None:
        self.image_shape = image_shape
        self.max_shift = max_shift
        self.flip = flip

    def __call__(self, X: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Augment a batch.

        Parameters
        ----------
        X : torch.Tensor of shape (n_rows, n_features)
            The batch.

        generator : torch.Generator
            The source of randomness.

        Returns
        -------
        X : torch.Tensor of shape (n_rows, n_features)
            The shifted and mirrored images.
        """
        self._validate_params()
        height, width, n_channels = check_image_shape(self, X.shape[1])
        n_rows, device, most = len(X), X.device, self.max_shift
        down, across = torch.randint(
            -most, most + 1, (2, n_rows, 1), generator=generator, device=device
        )
        row = torch.arange(height, device=device) - down
        column = torch.arange(width, device=device).expand(n_rows, width)
        if self.flip:
            mirrored = torch.rand((n_rows, 1), generator=generator, device=device) < 0.5
            column = torch.where(mirrored, width - 1 - column, column)
        column = column - across
        inside = (
            ((row >= 0) & (row < height)).unsqueeze(2)
            & ((column >= 0) & (column < width)).unsqueeze(1)
        )  # fmt: skip
        images = X.reshape(n_rows, height, width, n_channels)
        number = torch.arange(n_rows, device=device).reshape(-1, 1, 1)
        moved = images[
            number,
            row.clamp(0, height - 1).unsqueeze(2),
            column.clamp(0, width - 1).unsqueeze(1),
        ]
        return (moved * inside.unsqueeze(3)).reshape(n_rows, -1)
