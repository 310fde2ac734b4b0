"""The loss, epoch by epoch."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._inner import thawed
from sklearn_ae._patches import PatchFeatures
from sklearn_ae._validation import check_matplotlib_support
from sklearn_ae.plotting._images import axes_for

__all__ = ["LossCurveDisplay"]


class LossCurveDisplay:
    """The loss of each epoch of training.

    Make it by :meth:`from_estimator`.

    Parameters
    ----------
    loss : ndarray of shape (n_epochs,)
        Loss of the training rows.

    validation_loss : ndarray of shape (n_epochs,), default=None
        Loss of the rows held out.

    penalty : ndarray of shape (n_epochs,), default=None
        The part of ``loss`` that is the penalty.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    line_ : matplotlib Line2D
        The curve of the training rows.

    validation_line_ : matplotlib Line2D or None
        The curve of the rows held out.

    penalty_line_ : matplotlib Line2D or None
        The curve of the penalty.

    See Also
    --------
    ReconstructionDisplay : What the network makes of some rows once trained.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.preprocessing import minmax_scale
    >>> from sklearn_ae import Autoencoder
    >>> from sklearn_ae.plotting import LossCurveDisplay
    >>> X = minmax_scale(load_digits().data)
    >>> autoencoder = Autoencoder(16, max_epochs=20, early_stopping=True, random_state=0).fit(X)
    >>> display = LossCurveDisplay.from_estimator(autoencoder)
    >>> len(display.ax_.lines)
    2
    >>> plt.close(display.figure_)
    """

    def __init__(self, *, loss, validation_loss=None, penalty=None):
        self.loss = loss
        self.validation_loss = validation_loss
        self.penalty = penalty

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, name=None):
        """Draw the loss curves of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator with ``loss_curve_``, such as an autoencoder or a fine-tuned
            classifier; of :class:`~sklearn_ae.PatchFeatures` the autoencoder inside.

        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        name : str, default=None
            Name in the legend.

        Returns
        -------
        display : LossCurveDisplay
            The display.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.

        AttributeError
            If it has no ``loss_curve_``.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        estimator = thawed(estimator)
        check_is_fitted(estimator)
        if isinstance(estimator, PatchFeatures):
            estimator = thawed(estimator.autoencoder_)
        if not hasattr(estimator, "loss_curve_"):
            raise AttributeError(
                f"{cls.__name__} needs the attribute loss_curve_, which {estimator!r} does not "
                "have. Of a pipeline give the step that has it."
            )
        validation = getattr(estimator, "validation_loss_curve_", None)
        penalty = getattr(estimator, "penalty_curve_", None)
        display = cls(
            loss=np.array(estimator.loss_curve_),
            validation_loss=None if validation is None else np.array(validation),
            penalty=None if penalty is None else np.array(penalty),
        )
        return display.plot(ax, name=name)

    def plot(self, ax=None, *, name=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        name : str, default=None
            Name in the legend.

        Returns
        -------
        display : LossCurveDisplay
            The display itself.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        from matplotlib.ticker import MaxNLocator

        (self.ax_,), self.figure_ = axes_for(ax, 1)
        prefix = "" if name is None else f"{name}, "
        epochs = np.arange(1, len(self.loss) + 1)
        (self.line_,) = self.ax_.plot(epochs, self.loss, label=f"{prefix}training")
        self.validation_line_ = None
        if self.validation_loss is not None:
            (self.validation_line_,) = self.ax_.plot(
                np.arange(1, len(self.validation_loss) + 1),
                self.validation_loss,
                linestyle="--",
                color=self.line_.get_color(),
                label=f"{prefix}validation",
            )
        self.penalty_line_ = None
        if self.penalty is not None:
            (self.penalty_line_,) = self.ax_.plot(
                np.arange(1, len(self.penalty) + 1),
                self.penalty,
                linestyle=":",
                color=self.line_.get_color(),
                label=f"{prefix}penalty in it",
            )
        self.ax_.set(xlabel="epoch", ylabel="loss")
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(self.ax_.lines) > 1 or name is not None:
            self.ax_.legend()
        return self
