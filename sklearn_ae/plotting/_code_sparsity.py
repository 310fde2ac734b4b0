"""How sparse codes are, by feature and by row."""

from __future__ import annotations

import math

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._estimators._inner import thawed
from sklearn_ae._sklearn._compat import check_matplotlib_support
from sklearn_ae.plotting._fitted import codes_of, frequency_of
from sklearn_ae.plotting._images import axes_for, check_count


class CodeSparsityDisplay:
    """How often features fire, and how many of them fire on a row.

    Make it by :meth:`from_estimator`. A feature fires where its code is not zero; one that never
    does is dead.

    Parameters
    ----------
    frequency : ndarray of shape (n_codes,)
        Share of the rows on which each feature fires.

    n_active : ndarray of shape (n_samples,)
        How many features fire on each row.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (2,)
        The axes: of features, of rows.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    FiltersDisplay : What the features look for, with the dead ones framed.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.preprocessing import minmax_scale
    >>> from sklearn_ae import SparseAutoencoder
    >>> from sklearn_ae.plotting import CodeSparsityDisplay
    >>> X = minmax_scale(load_digits().data)
    >>> sparse = SparseAutoencoder(32, max_epochs=3, random_state=0).fit(X)
    >>> display = CodeSparsityDisplay.from_estimator(sparse, X)
    >>> display.n_active.shape
    (1797,)
    >>> plt.close(display.figure_)
    """

    def __init__(self, *, frequency, n_active):
        self.frequency = frequency
        self.n_active = n_active

    @classmethod
    def from_estimator(cls, estimator, X, *, axes=None, n_bins=30):
        """Draw the sparsity of the codes of X.

        Parameters
        ----------
        estimator : estimator
            A fitted transformer, such as an autoencoder or a pipeline that ends with one.

        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            The data that is encoded.

        axes : array-like of two matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        n_bins : int, default=30
            Bins of a histogram, at most.

        Returns
        -------
        display : CodeSparsityDisplay
            The display.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.

        AttributeError
            If it has no ``transform``.

        ValueError
            If X, the number of ``axes`` or ``n_bins`` does not fit.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        estimator = thawed(estimator)
        if not hasattr(estimator, "transform"):
            raise AttributeError(f"{cls.__name__} needs a transformer, got {estimator!r}.")
        check_is_fitted(estimator)
        check_count("n_bins", n_bins)
        codes = codes_of(estimator, X)
        n_active = np.asarray((codes != 0).sum(axis=1)).ravel()
        return cls(frequency=frequency_of(codes), n_active=n_active).plot(axes, n_bins=n_bins)

    def plot(self, axes=None, *, n_bins=30):
        """Draw the histograms.

        Parameters
        ----------
        axes : array-like of two matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        n_bins : int, default=30
            Bins of a histogram, at most.

        Returns
        -------
        display : CodeSparsityDisplay
            The display itself.

        Raises
        ------
        ValueError
            If there are not two ``axes``, or ``n_bins`` is not positive.
        """
        check_count("n_bins", n_bins)
        self.axes_, self.figure_ = axes_for(self, axes, 2, figsize=(9, 3.5))
        from matplotlib.ticker import MaxNLocator

        of_features, of_rows = self.axes_
        top = self.frequency.max() or 1
        of_features.hist(self.frequency, bins=np.linspace(0, top, n_bins + 1))
        n_dead, n_codes = np.sum(self.frequency == 0), len(self.frequency)
        of_features.set(
            xlabel="share of the rows on which a feature fires",
            ylabel="features",
            title=f"{n_dead} of {n_codes} features are dead",
        )
        # Bins around whole numbers, each of as many of them.
        low, high = int(self.n_active.min()), int(self.n_active.max())
        width = math.ceil((high - low + 1) / n_bins)
        of_rows.hist(self.n_active, bins=np.arange(low, high + width + 1, width) - 0.5)
        # One count alone would fill the axes, with ticks at fractions of it.
        of_rows.set_xlim(low - 1.5, high + width + 0.5)
        of_rows.xaxis.set_major_locator(MaxNLocator(integer=True))
        of_rows.set(
            xlabel="features that fire on a row",
            ylabel="rows",
            title=f"{np.mean(self.n_active):.3g} of {n_codes} features fire on average",
        )
        return self
