"""A classifier on a pretrained encoder."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._estimators._finetune import FineTuned
from sklearn_ae._sklearn._compat import StrOptions, check_y
from sklearn_ae.semi_supervised._labels import warn_of_minus_one


class AutoencoderClassifier(ClassifierMixin, FineTuned):
    """A classifier on a pretrained encoder, fine-tuned with full backpropagation.

    The autoencoder learns from all rows, labeled or not. A copy of its encoder gets a linear head,
    or a deeper one, and both are trained on the labeled rows by cross-entropy.

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

    class_weight : dict or "balanced", default=None
        Weights of the classes; ``"balanced"`` is inversely proportional to their frequencies.

    early_stopping : bool, default=False
        Whether to hold out ``validation_fraction`` of the labeled rows, to stop when their loss has
        not improved by ``tol`` for ``n_iter_no_change`` epochs, and to go back to the best weights.

    validation_fraction : float, default=0.1
        Share of the labeled rows that is held out under early stopping, in (0, 1). At
        least one row of each class.

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

    classes_ : ndarray of shape (n_classes,)
        The class labels, without the marker.

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
    AutoencoderRegressor : The same for numbers.
    sklearn_ae.semi_supervised.LabeledOnly : Fits any classifier on codes and labeled rows.
    sklearn.neural_network.MLPClassifier : The same kind of network without pretraining.

    Notes
    -----
    Codes are standardized for the head, by the weighted mean and standard deviation that they have
    on the rows that are trained on, before fine-tuning; so ``learning_rate`` means the same for any
    autoencoder.

    References
    ----------
    .. [1] Hinton, G. & Salakhutdinov, R. (2006). Reducing the dimensionality of data with neural
       networks. Science 313.
    .. [2] Erhan, D. et al. (2010). Why does unsupervised pre-training help deep learning? JMLR 11.

    Examples
    --------
    >>> from sklearn_ae import AutoencoderClassifier, DenoisingAutoencoder
    >>> from sklearn_ae.datasets import load_digits_few_labels
    >>> digits = load_digits_few_labels(n_labeled=300, random_state=0)
    >>> X_train, X_test = digits.X_train / 16, digits.X_test / 16
    >>> denoising = DenoisingAutoencoder(128, max_epochs=20)
    >>> clf = AutoencoderClassifier(denoising, unlabeled=-1, random_state=0)
    >>> clf.fit(X_train, digits.y_train).classes_
    array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    >>> bool(clf.score(X_test, digits.y_test) > 0.9)
    True
    """

    _parameter_constraints: dict = {
        **FineTuned._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        autoencoder=None,
        *,
        encoder=None,
        pretrain=True,
        head_hidden_layer_sizes=(),
        freeze_epochs=0,
        learning_rate=1e-3,
        encoder_learning_rate=None,
        learning_rate_schedule="linear",
        weight_decay=0.0,
        batch_size=32,
        max_epochs=30,
        max_time=None,
        reconstruction_weight=0.0,
        keep_corruption=False,
        augmentation=None,
        class_weight=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        unlabeled=None,
        callbacks=None,
        memory=None,
        verbose=0,
        random_state=None,
    ):
        super().__init__(
            autoencoder=autoencoder,
            encoder=encoder,
            pretrain=pretrain,
            head_hidden_layer_sizes=head_hidden_layer_sizes,
            freeze_epochs=freeze_epochs,
            learning_rate=learning_rate,
            encoder_learning_rate=encoder_learning_rate,
            learning_rate_schedule=learning_rate_schedule,
            weight_decay=weight_decay,
            batch_size=batch_size,
            max_epochs=max_epochs,
            max_time=max_time,
            reconstruction_weight=reconstruction_weight,
            keep_corruption=keep_corruption,
            augmentation=augmentation,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            unlabeled=unlabeled,
            callbacks=callbacks,
            memory=memory,
            verbose=verbose,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            The probabilities, in the order of ``classes_``.
        """
        return softmax(self._outputs(X), axis=1)

    def predict_log_proba(self, X):
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            The logarithms, in the order of ``classes_``.
        """
        return log_softmax(self._outputs(X), axis=1)

    def predict(self, X):
        """Predict the class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The classes; never the marker.
        """
        outputs = self._outputs(X)
        return self.classes_[outputs.argmax(axis=1)]

    def score(self, X, y, sample_weight=None):
        """Return the accuracy on the labeled rows.

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
        y = check_y(y, estimator=self)
        check_classification_targets(y)
        warn_of_minus_one(y, self.unlabeled)
        self.classes_, encoded = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                "y holds one class only among the labeled rows with a positive weight, "
                f"{self.classes_.tolist()[0]!r}: a classifier needs at least 2 classes."
            )
        weight = weight * compute_sample_weight(self.class_weight, y)
        if not weight.any():
            raise ValueError(
                f"class_weight={self.class_weight!r} gives every labeled row the weight 0."
            )
        return encoded, weight

    def _n_outputs(self, target):
        return len(self.classes_)

    def _split(self, target, rng):
        counts, n_classes = np.bincount(target), len(self.classes_)
        if counts.min() < 2:
            rare = self.classes_.tolist()[counts.argmin()]
            raise ValueError(
                f"early_stopping=True holds out a row of each class, but class {rare!r} has only "
                "one. Use early_stopping=False."
            )
        n_held_out = max(int(np.ceil(self.validation_fraction * len(target))), n_classes)
        if len(target) - n_held_out < n_classes:
            raise ValueError(
                f"early_stopping=True with validation_fraction={self.validation_fraction} holds "
                f"out {n_held_out} of {len(target)} labeled rows and leaves fewer than the "
                f"{n_classes} classes to train on."
            )
        parts = train_test_split(
            np.arange(len(target)), test_size=n_held_out, stratify=target, random_state=rng
        )
        return tuple(map(torch.from_numpy, parts))
