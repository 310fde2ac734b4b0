"""The weights of encoder or decoder as images."""

from __future__ import annotations

import math

import numpy as np

from sklearn_ae._estimators._autoencoder import Autoencoder
from sklearn_ae._estimators._inner import thawed
from sklearn_ae._estimators._patches import PatchFeatures
from sklearn_ae.modules import DenseDecoder
from sklearn_ae.plotting._fitted import checked_estimator, codes_of, frequency_of, use_of
from sklearn_ae.plotting._images import (
    axes_for,
    check_count,
    checked_shape,
    contrasted,
    corners,
    draw_images,
)


class FiltersDisplay:
    """What each unit looks for, or what it draws, as images.

    Make it by :meth:`from_estimator`. Each filter has a scale of its own: gray ones are symmetric
    around 0, color ones go from their smallest to their largest value.

    Parameters
    ----------
    filters : ndarray of shape (n_filters, n_values)
        The filters.

    image_shape : tuple of int
        Shape of a filter, ``(height, width)`` or ``(height, width, n_channels)``.

    use : ndarray of shape (n_filters,), default=None
        How much each is used, by which they are sorted; None sorts by norm.

    dead : ndarray of bool of shape (n_filters,), default=None
        Which filters never fire; None if that is not known.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    order_ : ndarray of shape (n_drawn,)
        Which filters are drawn, row by row.

    See Also
    --------
    FeatureExamplesDisplay : The rows on which a feature fires most.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.preprocessing import minmax_scale
    >>> from sklearn_ae import SparseAutoencoder
    >>> from sklearn_ae.plotting import FiltersDisplay
    >>> X = minmax_scale(load_digits().data)
    >>> sparse = SparseAutoencoder(32, max_epochs=3, random_state=0).fit(X)
    >>> display = FiltersDisplay.from_estimator(sparse, X, image_shape=(8, 8), max_filters=16)
    >>> display.order_.shape
    (16,)
    >>> plt.close(display.figure_)
    """

    def __init__(self, *, filters, image_shape, use=None, dead=None):
        self.filters = filters
        self.image_shape = image_shape
        self.use = use
        self.dead = dead

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        image_shape=None,
        part="encoder",
        max_filters=64,
        ax=None,
        cmap="gray",
    ):
        """Draw the filters of a fitted autoencoder.

        Parameters
        ----------
        estimator : Autoencoder or PatchFeatures
            A fitted estimator. Filters of :class:`~sklearn_ae.PatchFeatures` are drawn in pixels:
            those of the encoder times ``whitening_``, those of the decoder times its inverse.

        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features), \
                default=None
            Data on which use is measured, by the mean absolute code: the most used filters come
            first, and those that fire on no row have a red frame. None sorts by norm.

        image_shape : tuple of int, default=None
            Shape of a filter, ``(height, width)`` or ``(height, width, n_channels)``. None for
            PatchFeatures only, which knows it.

        part : {"encoder", "decoder"}, default="encoder"
            Whose weights are drawn. Either must be one built-in dense layer.

        max_filters : int, default=64
            How many filters are drawn at most.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        cmap : str or matplotlib Colormap, default="gray"
            For filters without colors.

        Returns
        -------
        display : FiltersDisplay
            The display.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.

        TypeError
            If it is neither an Autoencoder nor a PatchFeatures.

        AttributeError
            If the part is not one dense layer.

        ValueError
            If ``image_shape`` does not fit, or ``part`` or ``max_filters`` can't be used.
        """
        estimator = checked_estimator(cls, estimator, Autoencoder, PatchFeatures)
        check_count("max_filters", max_filters)
        is_patches = isinstance(estimator, PatchFeatures)
        filters = _weights(thawed(estimator.autoencoder_) if is_patches else estimator, part)
        if is_patches:
            whitening = estimator.whitening_
            if part == "decoder":
                whitening = np.linalg.inv(whitening.astype(np.float64))
            filters = filters @ whitening
            if image_shape is None:
                architecture = estimator._trained.architecture
                image_shape = (*architecture.patch_size, architecture.shape[2])
        checked_shape(image_shape, filters.shape[1], "a filter")
        use = dead = None
        if X is not None:
            # Of patches each unit has a code a region, and of all layers the last has the filters.
            codes = codes_of(estimator, X)
            codes = codes.reshape(-1, len(filters)) if is_patches else codes[:, -len(filters) :]
            use, dead = use_of(codes), frequency_of(codes) == 0
        display = cls(filters=filters, image_shape=image_shape, use=use, dead=dead)
        return display.plot(ax, max_filters=max_filters, cmap=cmap)

    def plot(self, ax=None, *, max_filters=64, cmap="gray"):
        """Draw the filters.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        max_filters : int, default=64
            How many filters are drawn at most.

        cmap : str or matplotlib Colormap, default="gray"
            For filters without colors.

        Returns
        -------
        display : FiltersDisplay
            The display itself.

        Raises
        ------
        ValueError
            If ``image_shape`` does not fit the filters.
        """
        check_count("max_filters", max_filters)
        shape = checked_shape(self.image_shape, self.filters.shape[1], "a filter")
        use = np.linalg.norm(self.filters, axis=1) if self.use is None else self.use
        self.order_ = np.argsort(-use, kind="stable")[:max_filters]
        n_drawn, n_filters = len(self.order_), len(self.filters)
        n_columns = math.ceil(math.sqrt(n_drawn))
        (self.ax_,), self.figure_ = axes_for(self, ax, 1, figsize=(5, 5))
        drawn = self.filters[self.order_]
        draw_images(self.ax_, *contrasted(drawn, shape), shape, n_columns, cmap)
        title = f"{n_drawn} of {n_filters} filters" if n_drawn < n_filters else f"{n_drawn} filters"
        if self.dead is not None:
            from matplotlib.patches import Rectangle

            title += f", {np.sum(self.dead)} {'in all ' if n_drawn < n_filters else ''}dead"
            x, y = corners(n_drawn, n_columns, shape)
            for number in np.flatnonzero(self.dead[self.order_]):
                corner = x[number], y[number]
                frame = Rectangle(corner, shape[1], shape[0], fill=False, ec="red", lw=1.5)
                # The frames of the margin would be cut in half.
                frame.set_clip_on(False)
                self.ax_.add_patch(frame)
        self.ax_.set_title(title)
        return self


def _weights(autoencoder, part):
    if part not in ("encoder", "decoder"):
        raise ValueError(f"part={part!r} must be 'encoder' or 'decoder'.")
    if part == "encoder":
        return autoencoder.components_
    decoder = autoencoder._fitted.module.decoder
    if not isinstance(decoder, DenseDecoder) or len(decoder.layers) > 1:
        raise AttributeError("part='decoder' needs a decoder of one built-in dense layer.")
    return decoder.layers[-1].weight.detach().cpu().numpy().copy()
