"""The rows on which a feature fires most."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from sklearn_ae._estimators._autoencoder import Autoencoder
from sklearn_ae._estimators._patches import PatchFeatures
from sklearn_ae.plotting._fitted import checked_estimator, checked_index, codes_of, rows_of, use_of
from sklearn_ae.plotting._images import (
    axes_for,
    check_count,
    checked_shape,
    contrasted,
    corners,
    draw_images,
)


class FeatureExamplesDisplay:
    """The images that make a feature fire most, beside its filter.

    Make it by :meth:`from_estimator`. A feature is a row, named by its number: the filter, if it
    has one, then the images, the one with the largest code first.

    Parameters
    ----------
    examples : ndarray of shape (n_features, n_examples, n_values)
        Images for each feature; NaN where it fires on fewer rows.

    codes : ndarray of shape (n_features, n_examples)
        The codes of the feature for these images; 0 where it fires on fewer rows.

    features : ndarray of shape (n_features,)
        The numbers of the features.

    image_shape : tuple of int
        Shape of an image, ``(height, width)`` or ``(height, width, n_channels)``.

    filters : ndarray of shape (n_features, n_values), default=None
        The filters; None leaves them out.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (1,) or (2,)
        The axes: of the filters, if there are any, and of the examples.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    FiltersDisplay : The filters of many features.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.preprocessing import minmax_scale
    >>> from sklearn_ae import SparseAutoencoder
    >>> from sklearn_ae.plotting import FeatureExamplesDisplay
    >>> X = minmax_scale(load_digits().data)
    >>> sparse = SparseAutoencoder(32, max_epochs=3, random_state=0).fit(X)
    >>> display = FeatureExamplesDisplay.from_estimator(
    ...     sparse, X, image_shape=(8, 8), features=[3, 14], n_examples=6
    ... )
    >>> display.codes.shape
    (2, 6)
    >>> plt.close(display.figure_)
    """

    def __init__(self, *, examples, codes, features, image_shape, filters=None):
        self.examples = examples
        self.codes = codes
        self.features = features
        self.image_shape = image_shape
        self.filters = filters

    @classmethod
    def from_estimator(
        cls, estimator, X, *, image_shape=None, features=None, n_examples=8, axes=None, cmap="gray"
    ):
        """Draw the rows of X that make features of a fitted autoencoder fire most.

        Parameters
        ----------
        estimator : Autoencoder or PatchFeatures
            A fitted estimator. Filters are drawn where it has ``components_``.

        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features_in)
            The images to choose from, one a row.

        image_shape : tuple of int, default=None
            Shape of an image, ``(height, width)`` or ``(height, width, n_channels)``. None for
            PatchFeatures only, which knows it.

        features : array-like of int of shape (n_features,), default=None
            The columns of the codes to draw; None is the eight of largest mean absolute code.

        n_examples : int, default=8
            Images for each feature, at most.

        axes : array-like of matplotlib Axes, default=None
            Where to draw: the axes of the filters, if there are any, and of the examples. None
            makes a new figure.

        cmap : str or matplotlib Colormap, default="gray"
            For images without colors.

        Returns
        -------
        display : FeatureExamplesDisplay
            The display.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.

        TypeError
            If it is neither an Autoencoder nor a PatchFeatures.

        ValueError
            If ``image_shape``, X, ``features``, ``n_examples`` or the number of ``axes`` does not
            fit.
        """
        estimator = checked_estimator(cls, estimator, Autoencoder, PatchFeatures)
        if image_shape is None and isinstance(estimator, PatchFeatures):
            image_shape = estimator._trained.architecture.shape
        checked_shape(image_shape, estimator.n_features_in_, "a row of X")
        check_count("n_examples", n_examples)
        n_codes = estimator._trained.architecture.n_features_out
        if features is not None:
            features = checked_index("features", features, n_codes, "columns of codes")
        codes = codes_of(estimator, X)
        if features is None:
            features = np.argsort(-use_of(codes), kind="stable")[:8]
        codes = codes[:, features]
        codes = codes.toarray() if sparse.issparse(codes) else codes
        largest = np.where(codes == 0, -np.inf, codes)
        best = np.argsort(-largest, axis=0, kind="stable")[:n_examples].T
        examples = rows_of(X, best.ravel()).astype(np.float64).reshape(*best.shape, -1)
        codes = np.take_along_axis(codes.T, best, axis=1)
        examples[codes == 0] = np.nan
        weights = getattr(estimator, "components_", None)
        display = cls(
            examples=examples,
            codes=codes,
            features=features,
            image_shape=image_shape,
            filters=None if weights is None else weights[features],
        )
        return display.plot(axes, cmap=cmap)

    def plot(self, axes=None, *, cmap="gray"):
        """Draw filters and images.

        Parameters
        ----------
        axes : array-like of matplotlib Axes, default=None
            Where to draw: the axes of the filters, if there are any, and of the examples. None
            makes a new figure.

        cmap : str or matplotlib Colormap, default="gray"
            For images without colors.

        Returns
        -------
        display : FeatureExamplesDisplay
            The display itself.

        Raises
        ------
        ValueError
            If ``image_shape`` or the number of ``axes`` does not fit.
        """
        n_features, n_examples, n_values = self.examples.shape
        shape = checked_shape(self.image_shape, n_values, "an image")
        if self.filters is not None:
            checked_shape(self.image_shape, self.filters.shape[1], "a filter")
        widths = [n_examples] if self.filters is None else [1, n_examples]
        figsize = (0.9 * sum(widths) + 0.8, 0.9 * n_features * shape[0] / shape[1] + 0.4)
        self.axes_, self.figure_ = axes_for(
            self, axes, len(widths), figsize=figsize, width_ratios=widths
        )
        if self.filters is not None:
            draw_images(self.axes_[0], *contrasted(self.filters, shape), shape, 1, cmap)
            self.axes_[0].set_title("filter")
        images = self.examples.reshape(-1, n_values)
        fires = ~np.isnan(images)
        limits = (images[fires].min(), images[fires].max()) if fires.any() else (0, 1)
        draw_images(self.axes_[-1], images, limits, shape, n_examples, cmap)
        self.axes_[-1].set_title("fires most on")
        middles = corners(n_features, 1, shape)[1] + shape[0] / 2
        self.axes_[0].set_yticks(middles, [str(k) for k in self.features])
        self.axes_[0].tick_params(length=0)
        self.axes_[0].set_ylabel("feature")
        return self
