"""The weights of encoder or decoder, as images or as bars by column."""

from __future__ import annotations

import math

import numpy as np

from sklearn_ae._estimators._autoencoder import Autoencoder
from sklearn_ae._estimators._inner import thawed
from sklearn_ae._estimators._patches import PatchFeatures
from sklearn_ae.modules import DenseDecoder, DenseEncoder
from sklearn_ae.plotting._fitted import checked_estimator, codes_of, frequency_of, use_of
from sklearn_ae.plotting._images import (
    axes_for,
    check_count,
    checked_shape,
    contrasted,
    corners,
    draw_images,
    drawable,
)
from sklearn_ae.plotting._tables import checked_names, draw_bars


class FiltersDisplay:
    """What each unit looks for, or what it draws, as images or as the largest weights of a table.

    Make it by :meth:`from_estimator`. Each image has a scale of its own: gray ones are symmetric
    around 0, color ones go from their smallest to their largest value.

    Parameters
    ----------
    filters : ndarray of shape (n_filters, n_values)
        The filters.

    image_shape : tuple of int, default=None
        Shape of a filter, ``(height, width)`` or ``(height, width, n_channels)``; None draws bars.

    use : ndarray of shape (n_filters,), default=None
        How much each is used, by which they are sorted; None sorts by norm.

    dead : ndarray of bool of shape (n_filters,), default=None
        Which filters never fire; None if that is not known.

    feature_names : array-like of str of shape (n_values,), default=None
        Names of the columns, for bars; None names them x0, x1 and so on.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    order_ : ndarray of shape (n_drawn,)
        Which filters are drawn, row by row, or from top to bottom.

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

    def __init__(self, *, filters, image_shape=None, use=None, dead=None, feature_names=None):
        self.filters = filters
        self.image_shape = image_shape
        self.use = use
        self.dead = dead
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        image_shape=None,
        part="encoder",
        max_filters=None,
        max_columns=5,
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
            Shape of a filter, ``(height, width)`` or ``(height, width, n_channels)``. None draws
            bars, named as the columns in fit were, or x0, x1 and so on; of PatchFeatures it stands
            for the shape of a patch.

        part : {"encoder", "decoder"}, default="encoder"
            Whose weights are drawn. Either must be one built-in dense layer.

        max_filters : int, default=None
            How many filters are drawn at most; None is 64 as images and 6 as bars.

        max_columns : int, default=5
            How many bars a filter has at most: those of the largest absolute weights.

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
            If ``image_shape`` does not fit, or ``part``, ``max_filters`` or ``max_columns`` can't
            be used.
        """
        estimator = checked_estimator(cls, estimator, Autoencoder, PatchFeatures)
        is_patches = isinstance(estimator, PatchFeatures)
        filters = _weights(thawed(estimator.autoencoder_) if is_patches else estimator, part)
        if is_patches:
            whitening = estimator.whitening_
            if part == "decoder":
                whitening = np.linalg.inv(whitening.astype(np.float64))
            filters = filters @ whitening
            if image_shape is None:
                architecture = estimator._trained.architecture
                image_shape = drawable((*architecture.patch_size, architecture.shape[2]))
        use = dead = None
        if X is not None:
            # Of patches each unit has a code a region, and of all layers the last has the filters.
            codes = codes_of(estimator, X)
            codes = codes.reshape(-1, len(filters)) if is_patches else codes[:, -len(filters) :]
            use, dead = use_of(codes), frequency_of(codes) == 0
        display = cls(
            filters=filters,
            image_shape=image_shape,
            use=use,
            dead=dead,
            feature_names=getattr(estimator, "feature_names_in_", None),
        )
        return display.plot(ax, max_filters=max_filters, max_columns=max_columns, cmap=cmap)

    def plot(self, ax=None, *, max_filters=None, max_columns=5, cmap="gray"):
        """Draw the filters.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        max_filters : int, default=None
            How many filters are drawn at most; None is 64 as images and 6 as bars.

        max_columns : int, default=5
            How many bars a filter has at most: those of the largest absolute weights.

        cmap : str or matplotlib Colormap, default="gray"
            For filters without colors.

        Returns
        -------
        display : FiltersDisplay
            The display itself.

        Raises
        ------
        ValueError
            If ``image_shape`` or ``feature_names`` does not fit the filters, or ``max_filters`` or
            ``max_columns`` is not positive.
        """
        filters = np.asarray(self.filters)
        n_filters, n_values = filters.shape
        is_table = self.image_shape is None
        max_filters = (6 if is_table else 64) if max_filters is None else max_filters
        check_count("max_filters", max_filters)
        use = np.linalg.norm(filters, axis=1) if self.use is None else self.use
        self.order_ = np.argsort(-use, kind="stable")[:max_filters]
        drawn, n_drawn = filters[self.order_], len(self.order_)
        dead = np.zeros(n_drawn) if self.dead is None else self.dead[self.order_]
        if is_table:
            check_count("max_columns", max_columns)
            names = checked_names(self.feature_names, n_values)
            figsize = (6.4, 0.18 * n_drawn * (min(max_columns, n_values) + 1.5) + 0.9)
        else:
            shape, figsize = checked_shape(self.image_shape, n_values, "a filter"), (5, 5)
        (self.ax_,), self.figure_ = axes_for(self, ax, 1, figsize=figsize)
        if is_table:
            pairs = zip(self.order_, dead, strict=True)
            labels = [f"filter {k}{' (dead)' if is_dead else ''}" for k, is_dead in pairs]
            draw_bars(self.ax_, drawn, labels, names, max_columns)
        else:
            n_columns = math.ceil(math.sqrt(n_drawn))
            draw_images(self.ax_, *contrasted(drawn, shape), shape, n_columns, cmap)
            x, y = corners(n_drawn, n_columns, shape)
            _draw_frames(self.ax_, x[dead != 0], y[dead != 0], shape)
        which = f"{n_drawn} {'largest' if self.use is None else 'most used'} of "
        title = f"{which if n_drawn < n_filters else ''}{n_filters} filters"
        if self.dead is not None:
            title += f"\ndead: {np.sum(self.dead)} of the {n_filters}"
        self.ax_.set_title(title)
        return self


def _draw_frames(ax, x, y, shape):
    from matplotlib.patches import Rectangle

    style = {"fill": False, "ec": "red", "lw": 1.5, "label": "dead: fires on no row"}
    for corner in zip(x, y, strict=True):
        # The frames of the margin would be cut in half.
        frame = ax.add_patch(Rectangle(corner, shape[1], shape[0], **style))
        frame.set_clip_on(False)
    if len(x):
        ax.legend(handles=[frame], loc="upper center", bbox_to_anchor=(0.5, 0), frameon=False)


def _weights(autoencoder, part):
    if part not in ("encoder", "decoder"):
        raise ValueError(f"part={part!r} must be 'encoder' or 'decoder'.")
    module = getattr(autoencoder._fitted.module, part)
    if not isinstance(module, DenseEncoder | DenseDecoder) or len(module.layers) > 1:
        raise AttributeError(
            f"part={part!r} needs an {part} of one built-in dense layer. FeatureExamplesDisplay "
            "shows the rows on which the features of any other fire most."
        )
    return module.layers[0].weight.detach().cpu().numpy().copy()
