"""The loss, epoch by epoch."""

from __future__ import annotations

import numpy as np

from sklearn_ae._estimators._inner import thawed
from sklearn_ae._estimators._patches import PatchFeatures
from sklearn_ae.plotting._fitted import checked_estimator
from sklearn_ae.plotting._images import axes_for


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
        estimator = checked_estimator(cls, estimator, object)
        if isinstance(estimator, PatchFeatures):
            estimator = thawed(estimator.autoencoder_)
        if not hasattr(estimator, "loss_curve_"):
            raise AttributeError(
                f"{cls.__name__} needs the attribute loss_curve_, which {estimator!r} does not "
                "have. Of a pipeline give the step that has it."
            )
        keys = ("loss", "validation_loss", "penalty")
        curves = {key: getattr(estimator, f"{key}_curve_", None) for key in keys}
        curves = {key: None if curve is None else np.array(curve) for key, curve in curves.items()}
        return cls(**curves).plot(ax, name=name)

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
        (self.ax_,), self.figure_ = axes_for(self, ax, 1)
        from matplotlib.ticker import MaxNLocator

        prefix = "" if name is None else f"{name}, "

        def line(curve, label, **style):
            if curve is None:
                return None
            return self.ax_.plot(range(1, len(curve) + 1), curve, label=prefix + label, **style)[0]

        self.line_ = line(self.loss, "training")
        color = self.line_.get_color()
        self.validation_line_ = line(self.validation_loss, "validation", ls="--", color=color)
        self.penalty_line_ = line(self.penalty, "penalty in it", ls=":", color=color)
        self.ax_.set(xlabel="epoch", ylabel="loss")
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(self.ax_.lines) > 1 or name is not None:
            self.ax_.legend()
        return self
