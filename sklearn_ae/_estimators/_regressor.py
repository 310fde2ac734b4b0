"""A regressor on a pretrained encoder."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._estimators._finetune import FineTuned
from sklearn_ae._sklearn._compat import check_y


class AutoencoderRegressor(RegressorMixin, FineTuned):
    """A regressor on a pretrained encoder, fine-tuned with full backpropagation.

    The autoencoder learns from all rows, labeled or not. A copy of its encoder gets a linear head,
    or a deeper one, and both are trained on the labeled rows by squared error.

    Parameters
    ----------
    autoencoder : Autoencoder, PatchFeatures or Pipeline of them, default=None
        What is cloned, pretrained on all rows of X, and whose encoder is fine-tuned; None is
        ``DenoisingAutoencoder()``, which has to be given for a grid over ``autoencoder__...``. A
        fitted one in a :class:`~sklearn.frozen.FrozenEstimator` is used as it is. A pipeline of
        several is trained one after the other, each on the codes of the one before. It also says
        ``device`` and ``precision``.

    encoder : torch.nn.Module, default=None
        A network from rows of X to codes that takes the place of ``autoencoder``, such as one that
        was trained elsewhere. It is copied, and nothing is pretrained.

    pretrain : bool, default=True
        Whether to pretrain. False trains the same network from its random start, or from the
        weights of a module that the autoencoder was given as ``encoder``.

    head_hidden_layer_sizes : tuple of int, default=()
        Widths of relu layers between the codes and the outputs.

    freeze_epochs : int or "all", default=0
        Epochs in which the encoder stays as it is while the head is trained.

    learning_rate : float, default=1e-3
        Learning rate of Adam, at the start when the schedule is linear.

    encoder_learning_rate : float, default=None
        Learning rate of the encoder; None is ``learning_rate``.

    learning_rate_schedule : {"constant", "linear"}, default="linear"
        Linear: falls to 0, step by step, over ``max_epochs``.

    weight_decay : float, default=0.0
        Decoupled weight decay of all weights and biases.

    batch_size : int, default=32
        Labeled rows in a batch, at most all of them.

    max_epochs : int, default=30
        Passes through the labeled rows in fine-tuning.

    max_time : float, default=None
        Seconds that fine-tuning may take; it ends with the epoch in which they are over, with a
        warning.

    reconstruction_weight : float, default=0.0
        Weight of the autoencoder's own objective, on the labeled rows, beside the supervised loss.

    keep_corruption : bool, default=False
        Whether the autoencoder's corruption and its dropout on the code go on in fine-tuning.

    augmentation : callable, default=None
        From a batch of rows and a ``torch.Generator`` to a batch, applied in training before any
        corruption, such as :class:`~sklearn_ae.augmentations.ShiftAndFlip`.

    early_stopping : bool, default=False
        Whether to hold out ``validation_fraction`` of the labeled rows, to stop when their loss has
        not improved by ``tol`` for ``n_iter_no_change`` epochs, and to go back to the best weights.

    validation_fraction : float, default=0.1
        Share of the labeled rows that is held out under early stopping, in (0, 1).

    n_iter_no_change : int, default=10
        Epochs without improvement until training stops early.

    tol : float, default=1e-4
        What the validation loss must fall by to count as an improvement, in units of the loss.

    unlabeled : "auto", int, float, str, NaN, `pandas.NA` or None, default=None
        What y holds where there is no label: those rows are pretrained on only. None marks nothing;
        :func:`~sklearn_ae.semi_supervised.is_unlabeled` has the details.

    callbacks : list of skorch callbacks, default=None
        Callbacks, or tuples of a name and a callback, that skorch runs within fine-tuning.

    memory : str, path, joblib.Memory or None, default=None
        Where fine-tuning is kept, as for an autoencoder, whose own ``memory`` keeps pretraining.
        Needs a ``random_state``.

    verbose : int, default=0
        0 is silent, 1 prints a line an epoch of fine-tuning.

    random_state : int, RandomState instance or None, default=None
        Seed of the head, of the order and of what is held out, and of the autoencoder if its own
        ``random_state`` is None. An int gives bitwise equal results on the CPU.

    Attributes
    ----------
    autoencoder_ : estimator
        The pretrained autoencoder, not changed by fine-tuning; None if ``encoder`` was given.

    net_ : skorch.NeuralNet
        The trained net; ``net_.module_`` has ``encoder`` and ``head``.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`, if they are all strings.

    n_iter_ : int
        Epochs of fine-tuning.

    loss_curve_ : list of float
        What fine-tuning minimizes, averaged over the labeled rows that are trained on, for each
        epoch.

    validation_loss_curve_ : list of float or None
        The supervised loss of the rows held out; None without early stopping.

    See Also
    --------
    AutoencoderClassifier : The same for classes.
    sklearn_ae.semi_supervised.LabeledOnly : Fits any regressor on codes and labeled rows.
    sklearn.neural_network.MLPRegressor : The same kind of network without pretraining.

    Notes
    -----
    Targets are standardized for training, each output by its mean and standard deviation over the
    labeled rows; the loss is half their squared error, summed over outputs. Codes are standardized
    for the head, by the weighted mean and standard deviation that they have on the rows that are
    trained on, before fine-tuning.

    References
    ----------
    .. [1] Hinton, G. & Salakhutdinov, R. (2006). Reducing the dimensionality of data with neural
       networks. Science 313.
    .. [2] Erhan, D. et al. (2010). Why does unsupervised pre-training help deep learning? JMLR 11.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from sklearn_ae import AutoencoderRegressor, DropoutAutoencoder
    >>> X, y = load_diabetes(return_X_y=True)
    >>> y[100:] = np.nan
    >>> dropout = DropoutAutoencoder(32, max_epochs=10)
    >>> reg = AutoencoderRegressor(dropout, unlabeled=np.nan, random_state=0).fit(scale(X), y)
    >>> reg.predict(scale(X)).shape
    (442,)
    """

    def predict(self, X):
        """Predict the target of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The values, of as many dimensions as y had in :meth:`fit`.
        """
        outputs = self._outputs(X) * self._target_scale + self._target_mean
        return outputs[:, 0] if self._target_ndim == 1 else outputs

    def score(self, X, y, sample_weight=None):
        """Return the R² on the labeled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            The rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets. Rows that hold the marker ``unlabeled`` do not count.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        score : float
            Higher is better, 1 is perfect.
        """
        check_is_fitted(self)
        return super().score(*self._labeled_rows(X, y, sample_weight))

    def _prepared(self, y, weight):
        y = check_y(y, multi_output=True, y_numeric=True, estimator=self).astype(np.float64)
        self._target_ndim = y.ndim
        y = y.reshape(len(y), -1)
        self._target_mean = np.average(y, axis=0, weights=weight)
        deviation = np.sqrt(np.average((y - self._target_mean) ** 2, axis=0, weights=weight))
        # What rounding leaves of a constant column is no deviation; its mean is what is predicted.
        least = len(y) * np.finfo(np.float64).eps * abs(self._target_mean)
        self._target_scale = scale = np.where(deviation > least, deviation, 0.0)
        return (y - self._target_mean) / np.where(scale, scale, 1.0), weight

    def _n_outputs(self, target):
        return target.shape[1]

    def _split(self, target, rng):
        n_held_out = int(np.ceil(self.validation_fraction * len(target)))
        if n_held_out >= len(target):
            raise ValueError(
                f"early_stopping=True with validation_fraction={self.validation_fraction} holds "
                f"out {n_held_out} of {len(target)} labeled rows and leaves none to train on."
            )
        order = torch.from_numpy(rng.permutation(len(target)))
        return order[n_held_out:], order[:n_held_out]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
