"""A head on a pretrained encoder, both fine-tuned on the labeled rows."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
import torch
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length, check_random_state, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sklearn_ae._compute._rows import LabeledRows, Rows
from sklearn_ae._compute._runtime import resolve_device
from sklearn_ae._estimators._inner import thawed
from sklearn_ae._estimators._patches import PatchFeatures
from sklearn_ae._estimators._pretrained import pretrained_by, pretrained_module
from sklearn_ae._estimators._trained import TrainedMixin, describe_module, fitting
from sklearn_ae._estimators._warnings import warn_unfinished
from sklearn_ae._sklearn._callbacks import epoch_tasks
from sklearn_ae._sklearn._checks import check_data, check_widths
from sklearn_ae._sklearn._compat import (
    CallbackSupportMixin,
    HasMethods,
    Interval,
    MissingValues,
    StrOptions,
    check_sample_weight,
    check_y,
    fit_context,
    safe_indexing,
)
from sklearn_ae._sklearn._diagram import DiagramMixin
from sklearn_ae._training._recipe import SupervisedRecipe
from sklearn_ae.modules._architecture import dtype_of
from sklearn_ae.semi_supervised._labels import (
    as_array,
    check_some_are_labeled,
    is_unlabeled,
    labels_at,
    warn_of_minus_one,
)


class _FineTuned(TrainedMixin, DiagramMixin, CallbackSupportMixin, BaseEstimator):
    """What classifier and regressor share."""

    _parameter_constraints: dict = {
        "autoencoder": [HasMethods(["fit"]), None],
        "encoder": [nn.Module, None],
        "pretrain": ["boolean"],
        "head_hidden_layer_sizes": [tuple, list],
        "freeze_epochs": [Interval(Integral, 0, None, closed="left"), StrOptions({"all"})],
        "learning_rate": [Interval(Real, 0, np.inf, closed="neither")],
        "encoder_learning_rate": [Interval(Real, 0, np.inf, closed="neither"), None],
        "learning_rate_schedule": [StrOptions({"constant", "linear"})],
        "weight_decay": [Interval(Real, 0, np.inf, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "reconstruction_weight": [Interval(Real, 0, np.inf, closed="left")],
        "keep_corruption": ["boolean"],
        "augmentation": [callable, None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, np.inf, closed="left")],
        "unlabeled": [MissingValues()],
        "callbacks": [list, tuple, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
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
        reconstruction_weight=0.0,
        keep_corruption=False,
        augmentation=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        unlabeled=None,
        callbacks=None,
        verbose=0,
        random_state=None,
    ):
        self.autoencoder = autoencoder
        self.encoder = encoder
        self.pretrain = pretrain
        self.head_hidden_layer_sizes = head_hidden_layer_sizes
        self.freeze_epochs = freeze_epochs
        self.learning_rate = learning_rate
        self.encoder_learning_rate = encoder_learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.reconstruction_weight = reconstruction_weight
        self.keep_corruption = keep_corruption
        self.augmentation = augmentation
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.unlabeled = unlabeled
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None):
        """Pretrain on all rows, then fine-tune on the labeled ones.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Labeled and unlabeled rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets, and the marker ``unlabeled`` where there is none.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the labeled rows in fine-tuning. Pretraining does not weigh rows, but leaves
            those of weight 0 out.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, X or y can't be used, before training starts.

        DivergenceError
            If the loss stops being finite. The estimator is then as it was before.
        """
        pretrains = self.encoder is None and self.pretrain
        pretrains = pretrains and not isinstance(self.autoencoder, FrozenEstimator)
        context = self._init_callback_context(max_subtasks=1 + pretrains)
        with fitting(self):
            self._fit(X, y, sample_weight, context)
            warn_unfinished(self._trained)
        return self

    def _fit(self, X, y, sample_weight, context):
        # skorch takes a second to import; only training needs it.
        from sklearn_ae._training._checks import check_finetuning

        heard = self._heard(X, y, sample_weight)
        self._check_parameters()
        rng = check_random_state(self.random_state)
        X = check_data(self, X, dtype=self._dtype(), reset=True)
        X, labeled, y, weight = self._checked_target(X, y, sample_weight)
        target, weight = self._prepared(y, weight)
        split = self._split(target, rng) if self.early_stopping else None
        some = Rows(X[:8], dtype=getattr(torch, self._dtype()))
        check_finetuning(self._recipe(), some, self.encoder)
        seed = rng.randint(np.iinfo(np.int32).max)
        context.call_on_fit_task_begin(estimator=self, **heard)
        if self.encoder is not None:
            self.autoencoder_, pretrained = None, pretrained_module(self.encoder)
        else:
            inner_seed = None if self.random_state is None else rng
            self.autoencoder_, pretrained = pretrained_by(self, X, inner_seed, context)
        data = {
            "y": torch.from_numpy(np.ascontiguousarray(target)),
            "weight": torch.from_numpy(weight / weight.mean()),
            "split": split,
        }
        self._fine_tune(
            X if labeled is None else X[labeled], data, pretrained, seed, heard, context
        )
        context.call_on_fit_task_end(estimator=self, reconstruction_attributes={}, **heard)

    def _fine_tune(self, X, data, pretrained, seed, heard, context):
        """Put a head on copies of the pretrained networks and train both."""
        from sklearn_ae._training._finetune import fine_tune

        def attributes(trained):
            return {"_trained": trained, "n_iter_": trained.n_epochs}

        task = context.subcontext(task_name="fine-tune", max_subtasks=self.max_epochs)
        task.call_on_fit_task_begin(estimator=self, **heard)
        tasks = epoch_tasks(task, self, attributes, **heard)
        recipe = self._recipe(
            **pretrained.objective(self.keep_corruption), precision=pretrained.precision, seed=seed
        )
        rows = LabeledRows(
            X,
            resolve_device(pretrained.device),
            getattr(torch, dtype_of(pretrained.precision)),
            owned=True,
            **data,
        )
        widths = (*self.head_hidden_layer_sizes, self._n_outputs(data["y"]))
        trained = fine_tune(pretrained, recipe, rows, widths, tasks)
        vars(self).update(attributes(trained))
        task.call_on_fit_task_end(estimator=self, reconstruction_attributes={}, **heard)

    def _recipe(self, **changes):
        frozen = np.inf if self.freeze_epochs == "all" else self.freeze_epochs
        loss = "cross_entropy" if is_classifier(self) else "squared_error"
        fixed = {"optimizer": "adamw", "freeze_epochs": frozen, "supervised_loss": loss}
        return SupervisedRecipe.of(self, **fixed, **changes)

    def _diagram(self):
        if "_trained" not in vars(self):
            return None
        module, head = self._trained.module, self._trained.module.head
        sizes = [layer.in_features for layer in head if hasattr(layer, "in_features")]
        widths = " → ".join(str(n) for n in (*sizes, head[-1].out_features))
        return [
            describe_module("encoder", module.encoder), (f"head: {widths}", f"head: {head!r}")
        ]  # fmt: skip

    def _heard(self, X, y, sample_weight):
        """Return the rows that callbacks hear of, and score: the labeled ones."""
        if getattr(self, "_skl_callbacks", None):
            X, y, sample_weight = self._labeled_rows(X, y, sample_weight)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        return {"X": X, "y": y, "metadata": metadata}

    def _labeled_rows(self, X, y, sample_weight):
        """Leave out the rows that hold the marker."""
        if self.unlabeled is None:
            return X, y, sample_weight
        labels = as_array(y)
        marked = is_unlabeled(labels, self.unlabeled)
        check_some_are_labeled(marked, self.unlabeled)
        labeled = np.flatnonzero(~marked)
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight)[labeled]
        y = labels_at(labels, labeled, whole_numbers=is_classifier(self))
        return safe_indexing(X, labeled), y, sample_weight

    def _check_parameters(self):
        check_widths(self, "head_hidden_layer_sizes")
        if self.encoder is None:
            return
        if self.autoencoder is not None:
            raise ValueError(
                "autoencoder and encoder are both given: one of them must be None, as each brings "
                "the encoder to fine-tune."
            )
        for name in ("reconstruction_weight", "keep_corruption"):
            if getattr(self, name):
                raise ValueError(
                    f"{name}={getattr(self, name)!r} needs an autoencoder; encoder alone has "
                    "neither a decoder nor a corruption."
                )

    def _inner(self):
        """Return the first of the autoencoders, which is given X."""
        inner = thawed(self.autoencoder)
        return thawed(inner.steps[0][1]) if isinstance(inner, Pipeline) else inner

    def _dtype(self):
        inner = self._inner()
        inner = thawed(inner.autoencoder) if isinstance(inner, PatchFeatures) else inner
        return dtype_of(getattr(inner, "precision", "float32"))

    def _checked_target(self, X, y, sample_weight):
        """Return the rows that count, which of them are labeled, their targets and weights."""
        labels = as_array(y)
        check_consistent_length(X, labels)
        marked = is_unlabeled(labels, self.unlabeled)
        if (
            self.unlabeled is None
            and labels.dtype.kind in "Of"
            and is_unlabeled(labels, np.nan).any()
        ):
            raise ValueError(
                "Input y contains NaN or another missing value. Set unlabeled='auto' if it marks "
                "the rows without a label; those are then only pretrained on."
            )
        check_some_are_labeled(marked, self.unlabeled)
        weight = check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weight[~marked].any():
            raise ValueError("sample_weight is 0 for every labeled row.")
        counts = weight > 0
        if not counts.all():
            X, labels, marked, weight = X[counts], labels[counts], marked[counts], weight[counts]
        labeled = np.flatnonzero(~marked)
        y = labels_at(labels, labeled, whole_numbers=is_classifier(self))
        return X, labeled if marked.any() else None, y, weight[labeled]

    def _outputs(self, X):
        trained = self._fitted
        X = check_data(self, X, dtype=trained.architecture.dtype, reset=False)
        shape = trained.architecture.head_sizes[-1:]
        return trained.apply(lambda x: trained.module(x)[0], X, shape)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not isinstance(self._inner(), PatchFeatures)
        return tags


class AutoencoderClassifier(ClassifierMixin, _FineTuned):
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
        **_FineTuned._parameter_constraints,
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
            reconstruction_weight=reconstruction_weight,
            keep_corruption=keep_corruption,
            augmentation=augmentation,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            unlabeled=unlabeled,
            callbacks=callbacks,
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


class AutoencoderRegressor(RegressorMixin, _FineTuned):
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
        self._target_scale = np.where(deviation > 0, deviation, 1.0)
        return (y - self._target_mean) / self._target_scale, weight

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
