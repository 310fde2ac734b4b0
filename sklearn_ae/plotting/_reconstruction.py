"""Rows of X beside what the network makes of them."""

from __future__ import annotations

import copy

import numpy as np
import torch
from sklearn.utils import check_random_state

from sklearn_ae._compute._runtime import global_generators
from sklearn_ae._estimators._autoencoder import Autoencoder
from sklearn_ae._sklearn._checks import check_data
from sklearn_ae.plotting._fitted import checked_estimator, checked_index, rows_of
from sklearn_ae.plotting._images import axes_for, checked_shape, draw_images


class ReconstructionDisplay:
    """Images, corrupted and reconstructed, and where the reconstruction is wrong.

    Make it by :meth:`from_estimator`. An image is a row; its columns are the clean image, the
    corrupted one if there is a corruption, the reconstruction, and the absolute difference of
    reconstruction and clean image. All but the last are drawn on the scale of the clean images.

    Parameters
    ----------
    clean : ndarray of shape (n_images, n_values)
        The clean images.

    reconstructed : ndarray of shape (n_images, n_values)
        What the network makes of the corrupted ones, or of the clean ones.

    image_shape : tuple of int
        Shape of an image, ``(height, width)`` or ``(height, width, n_channels)``.

    corrupted : ndarray of shape (n_images, n_values), default=None
        The corrupted images; None leaves the column out.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (3,) or (4,)
        The axes, one a column.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    sklearn_ae.Autoencoder.reconstruct : The reconstruction of clean rows.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.preprocessing import minmax_scale
    >>> from sklearn_ae import DenoisingAutoencoder
    >>> from sklearn_ae.plotting import ReconstructionDisplay
    >>> X = minmax_scale(load_digits().data)
    >>> denoising = DenoisingAutoencoder(32, max_epochs=3, random_state=0).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(denoising, X, image_shape=(8, 8))
    >>> [ax.get_title() for ax in display.axes_]
    ['clean', 'corrupted', 'reconstructed', 'error']
    >>> plt.close(display.figure_)
    """

    def __init__(self, *, clean, reconstructed, image_shape, corrupted=None):
        self.clean = clean
        self.reconstructed = reconstructed
        self.image_shape = image_shape
        self.corrupted = corrupted

    @classmethod
    def from_estimator(
        cls, estimator, X, *, image_shape, rows=None, random_state=0, axes=None, cmap="gray"
    ):
        """Draw some rows of X and their reconstructions.

        Parameters
        ----------
        estimator : Autoencoder
            A fitted autoencoder. With a ``corruption_level`` in training, the rows are corrupted
            as in training; swap noise takes its values from the rows that are drawn.

        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            The images, one a row.

        image_shape : tuple of int
            Shape of an image, ``(height, width)`` or ``(height, width, n_channels)``.

        rows : array-like of int, default=None
            Which rows of X are drawn; None is the first five.

        random_state : int, RandomState instance or None, default=0
            Seed of the corruption. The generator of the estimator is not used.

        axes : array-like of matplotlib Axes, default=None
            Where to draw, one a column; None makes a new figure.

        cmap : str or matplotlib Colormap, default="gray"
            For images without colors.

        Returns
        -------
        display : ReconstructionDisplay
            The display.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.

        TypeError
            If it is no Autoencoder.

        ValueError
            If ``image_shape``, X, ``rows`` or the number of ``axes`` does not fit.
        """
        estimator = checked_estimator(cls, estimator, Autoencoder)
        checked_shape(image_shape, estimator.n_features_in_, "a row of X")
        # Names are checked where X still has them.
        dtype = estimator._fitted.architecture.dtype
        X = check_data(estimator, X, dtype=dtype, reset=False)
        n_rows = X.shape[0]
        index = np.arange(min(5, n_rows)) if rows is None else rows
        clean = rows_of(X, checked_index("rows", index, n_rows, "rows in X")).astype(dtype)
        corrupted = _corrupted(estimator._fitted, clean, random_state)
        seen = clean if corrupted is None else corrupted
        trained = estimator._fitted
        made = trained.apply(trained.reconstruct, seen.astype(dtype), clean.shape[1:])
        display = cls(clean=clean, reconstructed=made, image_shape=image_shape, corrupted=corrupted)
        return display.plot(axes, cmap=cmap)

    def plot(self, axes=None, *, cmap="gray"):
        """Draw the images.

        Parameters
        ----------
        axes : array-like of matplotlib Axes, default=None
            Where to draw, one a column; None makes a new figure.

        cmap : str or matplotlib Colormap, default="gray"
            For images without colors.

        Returns
        -------
        display : ReconstructionDisplay
            The display itself.

        Raises
        ------
        ValueError
            If ``image_shape`` or the number of ``axes`` does not fit.
        """
        n_images, n_values = self.clean.shape
        shape = checked_shape(self.image_shape, n_values, "an image")
        columns = {"clean": self.clean}
        if self.corrupted is not None:
            columns["corrupted"] = self.corrupted
        columns["reconstructed"] = self.reconstructed
        columns["error"] = np.abs(self.reconstructed - self.clean)
        height = 1.3 * n_images * shape[0] / shape[1]
        figsize = (1.5 * len(columns), height + 0.5)
        self.axes_, self.figure_ = axes_for(self, axes, len(columns), figsize=figsize)
        for ax, (title, images) in zip(self.axes_, columns.items(), strict=True):
            limits = (self.clean.min(), self.clean.max())
            if title == "error":
                limits = (0, images.max())
                ax.set_xlabel(f"scale: 0 to {limits[1]:.2g}")
            draw_images(ax, images, limits, shape, 1, cmap)
            ax.set_title(title)
        return self


def _corrupted(trained, clean, random_state):
    recipe, device = trained.recipe, trained.usable_device
    if not recipe.corruption_level:
        return None
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    generator = torch.Generator(device).manual_seed(seed)
    batch = torch.tensor(clean, dtype=trained.dtype, device=device)
    # A corruption of the user's may draw from torch's global generators, and may keep a state.
    with global_generators(seed, device), torch.inference_mode():
        corruption = copy.deepcopy(recipe.corruption)
        return corruption(batch, recipe.corruption_level, generator).cpu().numpy()
