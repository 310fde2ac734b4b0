"""The rows on which a feature fires most."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from sklearn_ae._autoencoder import Autoencoder
from sklearn_ae._patches import PatchFeatures
from sklearn_ae._validation import check_matplotlib_support
from sklearn_ae.plotting._fitted import (
    check_kind,
    checked_index,
    codes_of,
    image_shape_of,
    rows_of,
    use_of,
)
from sklearn_ae.plotting._images import (
    axes_for,
    centers,
    check_count,
    checked_shape,
    contrasted,
    draw_images,
)

__all__ = ["FeatureExamplesDisplay"]


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
        cls,
        estimator,
        X,
        *,
        image_shape=None,
        features=None,
        n_examples=8,
        axes=None,
        cmap="gray",
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
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        estimator = check_kind(estimator, (Autoencoder, PatchFeatures), cls.__name__)
        image_shape = image_shape_of(estimator, image_shape)
        checked_shape(image_shape, estimator.n_features_in_, "a row of X")
        check_count("n_examples", n_examples)
        if features is not None:
            n_codes = estimator._n_features_out
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
        check_matplotlib_support(f"{type(self).__name__}.plot")
        n_features, n_examples, n_values = self.examples.shape
        shape = checked_shape(self.image_shape, n_values, "an image")
        if self.filters is not None:
            checked_shape(self.image_shape, self.filters.shape[1], "a filter")
        widths = [n_examples] if self.filters is None else [1, n_examples]
        self.axes_, self.figure_ = axes_for(
            axes,
            len(widths),
            figsize=(0.9 * sum(widths) + 0.8, 0.9 * n_features * shape[0] / shape[1] + 0.4),
            gridspec_kw={"width_ratios": widths},
        )
        if self.filters is not None:
            images, limits = contrasted(self.filters, shape)
            draw_images(self.axes_[0], images, shape, 1, limits, cmap)
            self.axes_[0].set_title("filter")
        images = self.examples.reshape(-1, n_values)
        fires = ~np.isnan(images)
        limits = (images[fires].min(), images[fires].max()) if fires.any() else (0, 1)
        draw_images(self.axes_[-1], images, shape, n_examples, limits, cmap)
        self.axes_[-1].set_title("fires most on")
        self.axes_[0].set_yticks(centers(n_features, shape), [str(k) for k in self.features])
        self.axes_[0].tick_params(length=0)
        self.axes_[0].set_ylabel("feature")
        return self
