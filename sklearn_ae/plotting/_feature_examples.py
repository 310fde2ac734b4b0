"""The rows on which a feature fires most."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse

from sklearn_ae._compute._rows import Rows
from sklearn_ae._estimators._autoencoder import Autoencoder
from sklearn_ae._estimators._patches import PatchFeatures
from sklearn_ae._sklearn._checks import check_data
from sklearn_ae.plotting._fitted import checked_estimator, checked_index, codes_of, rows_of, use_of
from sklearn_ae.plotting._images import (
    axes_for,
    check_count,
    checked_shape,
    contrasted,
    corners,
    draw_images,
    drawable,
)
from sklearn_ae.plotting._tables import checked_names, draw_heat_map


def _standardized(examples, estimator, X):
    """Return rows in units of the columns' deviations over all rows of X."""
    rows = Rows(check_data(estimator, X, dtype="float64", reset=False), dtype=torch.float64)
    scale = rows.column_deviation(len(rows))
    return (examples - rows.column_mean().numpy()) / np.where(scale == 0, 1, scale)


class FeatureExamplesDisplay:
    """The rows that make a feature fire most: images beside its filter, or rows of a table.

    Make it by :meth:`from_estimator`. A feature is a row of images, named by its number: the
    filter, if it has one, then the images, the one with the largest code first. Of a table each
    feature is a block of rows in a heat map of standardized values; gray rows stand for fewer rows
    on which it fires.

    Parameters
    ----------
    examples : ndarray of shape (n_features, n_examples, n_values)
        Rows for each feature; NaN where it fires on fewer. Those of a table are standardized: in
        standard deviations from the mean of each column of X.

    codes : ndarray of shape (n_features, n_examples)
        The codes of the feature for these rows; 0 where it fires on fewer.

    features : ndarray of shape (n_features,)
        The numbers of the features.

    image_shape : tuple of int, default=None
        Shape of an image, ``(height, width)`` or ``(height, width, n_channels)``; None draws a
        table.

    filters : ndarray of shape (n_features, n_values), default=None
        The filters, to be drawn beside images; None leaves them out.

    feature_names : array-like of str of shape (n_values,), default=None
        Names of the columns of a table; None names them x0, x1 and so on.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (1,) or (2,)
        The axes: of the filters, if they are drawn, and of the examples.

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

    def __init__(
        self,
        *,
        examples,
        codes,
        features,
        image_shape=None,
        filters=None,
        feature_names=None,
    ):
        self.examples = examples
        self.codes = codes
        self.features = features
        self.image_shape = image_shape
        self.filters = filters
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        image_shape=None,
        features=None,
        n_examples=8,
        max_columns=20,
        axes=None,
        cmap="gray",
    ):
        """Draw the rows of X that make features of a fitted autoencoder fire most.

        Parameters
        ----------
        estimator : Autoencoder or PatchFeatures
            A fitted estimator. Filters are drawn beside images where it has ``components_``.

        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features_in)
            The rows to choose from.

        image_shape : tuple of int, default=None
            Shape of an image, ``(height, width)`` or ``(height, width, n_channels)``. None draws a
            table, its columns named as in fit, or x0, x1 and so on; of PatchFeatures it stands for
            the shape of its images.

        features : array-like of int of shape (n_features,), default=None
            The columns of the codes to draw; None is the eight of largest mean absolute code.

        n_examples : int, default=8
            Rows for each feature, at most.

        max_columns : int, default=20
            Columns of a table, at most: those that are farthest from their mean.

        axes : array-like of matplotlib Axes, default=None
            Where to draw: the axes of the filters, if they are drawn, and of the examples. None
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
            If ``image_shape``, X, ``features``, ``n_examples``, ``max_columns`` or the number of
            ``axes`` does not fit.
        """
        estimator = checked_estimator(cls, estimator, Autoencoder, PatchFeatures)
        if image_shape is None and isinstance(estimator, PatchFeatures):
            image_shape = drawable(estimator._trained.architecture.shape)
        check_count("n_examples", n_examples)
        n_codes = estimator._trained.architecture.n_features_out
        if features is not None:
            features = checked_index("features", features, n_codes, "columns of codes")
        codes = codes_of(estimator, X)
        if features is None:
            features = np.argsort(-use_of(codes), kind="stable")[:8]
        codes = codes[:, features].toarray() if sparse.issparse(codes) else codes[:, features]
        best = np.argsort(-np.where(codes == 0, -np.inf, codes), axis=0, kind="stable")[
            :n_examples
        ].T
        examples = rows_of(X, best.ravel()).astype(np.float64).reshape(*best.shape, -1)
        codes = np.take_along_axis(codes.T, best, axis=1)
        examples[codes == 0] = np.nan
        if image_shape is None:
            examples = _standardized(examples, estimator, X)
        display = cls(
            examples=examples,
            codes=codes,
            features=features,
            image_shape=image_shape,
            filters=estimator.components_[features] if hasattr(estimator, "components_") else None,
            feature_names=getattr(estimator, "feature_names_in_", None),
        )
        return display.plot(axes, max_columns=max_columns, cmap=cmap)

    def plot(self, axes=None, *, max_columns=20, cmap="gray"):
        """Draw filters and images, or a table.

        Parameters
        ----------
        axes : array-like of matplotlib Axes, default=None
            Where to draw: the axes of the filters, if they are drawn, and of the examples. None
            makes a new figure.

        max_columns : int, default=20
            Columns of a table, at most: those that are farthest from their mean.

        cmap : str or matplotlib Colormap, default="gray"
            For images without colors.

        Returns
        -------
        display : FeatureExamplesDisplay
            The display itself.

        Raises
        ------
        ValueError
            If ``image_shape``, ``feature_names``, ``max_columns`` or the number of ``axes`` does
            not fit.
        """
        if self.image_shape is None:
            middles = self._draw_table(axes, max_columns)
        else:
            middles = self._draw_images(axes, cmap)
        self.axes_[0].set_yticks(middles, [str(k) for k in self.features])
        self.axes_[0].tick_params(axis="y", length=0)
        self.axes_[0].set_ylabel("feature")
        return self

    def _draw_table(self, axes, max_columns):
        """Draw the rows, and return where those of each feature have their middle."""
        check_count("max_columns", max_columns)
        n_features, n_examples, n_values = self.examples.shape
        names = checked_names(self.feature_names, n_values)
        distance = np.abs(np.nan_to_num(self.examples).mean(axis=1)).max(axis=0)
        shown = np.sort(np.argsort(-distance, kind="stable")[:max_columns])
        figsize = (6.4, 0.08 * n_features * (n_examples + 1) + 2.2)
        self.axes_, self.figure_ = axes_for(self, axes, 1, figsize=figsize)
        draw_heat_map(self.axes_[0], self.examples[:, :, shown], names[shown])
        self.axes_[0].set_title("rows on which each feature fires most")
        return np.arange(n_features) * (n_examples + 1) + (n_examples - 1) / 2

    def _draw_images(self, axes, cmap):
        """Draw filters and images, and return where those of each feature have their middle."""
        n_features, n_examples, n_values = self.examples.shape
        shape = checked_shape(self.image_shape, n_values, "a row")
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
        return corners(n_features, 1, shape)[1] + shape[0] / 2
