"""What estimators gain over the first of them."""

from __future__ import annotations

import numpy as np

from sklearn_ae._sklearn._compat import check_matplotlib_support
from sklearn_ae.plotting._images import axes_for
from sklearn_ae.semi_supervised import compare


class ComparisonDisplay:
    """Gains over the first of several estimators, with how large they must be to count.

    Make it from what :func:`~sklearn_ae.semi_supervised.compare` returns, or by
    :meth:`from_estimators`.

    Parameters
    ----------
    comparison : Comparison
        What :func:`~sklearn_ae.semi_supervised.compare` returned.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    sklearn_ae.semi_supervised.compare : The comparison.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_ae.plotting import ComparisonDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> models = {"chance": DummyClassifier(), "linear": LogisticRegression(max_iter=500)}
    >>> display = ComparisonDisplay.from_estimators(models, X, y)
    >>> display.comparison.best
    'linear'
    >>> plt.close(display.figure_)
    """

    def __init__(self, comparison):
        self.comparison = comparison

    @classmethod
    def from_estimators(cls, estimators, X, y, *, ax=None, **kwargs):
        """Compare estimators, and draw what each gains.

        Parameters
        ----------
        estimators : dict of str to estimator
            What is compared, by name; the others with the first.

        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Labeled and unlabeled rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The label of each row, or the marker that says that it has none.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        **kwargs : dict
            Further parameters of :func:`~sklearn_ae.semi_supervised.compare`.

        Returns
        -------
        display : ComparisonDisplay
            The display.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimators")
        return cls(compare(estimators, X, y, **kwargs)).plot(ax)

    def plot(self, ax=None):
        """Draw each gain as a dot, and its margin as a bar: what crosses zero is no difference.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ComparisonDisplay
            The display itself.
        """
        found = self.comparison
        n_gains = len(found.names) - 1
        (self.ax_,), self.figure_ = axes_for(self, ax, 1, figsize=(6, 1.2 + 0.4 * n_gains))
        rows, colors = np.arange(n_gains), {"better": "C0", "worse": "C3", "no difference": "0.5"}
        for row, gain, margin, verdict in zip(
            rows, found.gains[1:], found.margins[1:], found.verdicts[1:], strict=True
        ):
            self.ax_.errorbar(gain, row, xerr=margin, fmt="o", capsize=4, color=colors[verdict])
        self.ax_.axvline(0, color="black", lw=0.8)
        self.ax_.set_yticks(rows, found.names[1:])
        self.ax_.set(
            ylim=(n_gains - 0.5, -0.5),
            xlabel=f"gain in {found.scoring} over {found.names[0]} ({found.scores[0].mean():.3f})",
        )
        return self
