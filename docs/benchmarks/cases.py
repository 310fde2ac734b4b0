"""The data and the widths that are timed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from sklearn_ae.datasets import load_digits_few_labels, load_fashion_mnist

__all__ = ["Case", "Missing", "digits", "fashion", "fashion_pixels"]


class Missing(Exception):
    """What a row needs is not on this machine; the row says so instead."""


@dataclass(frozen=True)
class Case:
    """A training task: data, width of the code, rows in a batch, epochs."""

    data: str
    X: np.ndarray
    n_components: int
    batch_size: int
    epochs: int

    @property
    def name(self):
        n_rows, n_features = self.X.shape
        widths = f"{n_features:,} -> {self.n_components:,}"
        return f"{self.data} {n_rows:,} x {widths}, batch {self.batch_size:,}"

    def tiny(self):
        """Return the same widths on two batches, to warm up."""
        return replace(self, X=self.X[: 2 * self.batch_size], epochs=1)


def digits(n_components=128, *, epochs=50):
    """Return the small case: Python's overhead in each step is everything."""
    return Case("digits", _digit_pixels(), n_components, 128, epochs)


def fashion(batch_size=256, *, n_rows=20_000, epochs=3):
    """Return the large case: matrix products, optimizer, loss and precision are everything."""
    return Case("Fashion-MNIST", fashion_pixels()[:n_rows], 1024, batch_size, epochs)


@cache
def _digit_pixels():
    return load_digits_few_labels().X_train / np.float32(16)


@cache
def fashion_pixels():
    """Return the 60,000 training images of Fashion-MNIST, in [0, 1]."""
    try:
        return load_fashion_mnist().X_train
    except FileNotFoundError as error:
        raise Missing("Fashion-MNIST is not on this machine") from error
