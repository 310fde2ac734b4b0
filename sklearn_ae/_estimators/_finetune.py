"""A head on a pretrained encoder, both fine-tuned on the labeled rows."""

from __future__ import annotations

import os
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length, check_random_state
from torch import nn

from sklearn_ae._compute._rows import LabeledRows, Rows
from sklearn_ae._compute._runtime import resolve_device
from sklearn_ae._estimators._base import TrainedMixin, describe_module, fitting
from sklearn_ae._estimators._inner import (
    check_frozen,
    device_of_inner,
    dtype_of_inner,
    thawed,
)
from sklearn_ae._estimators._patches import PatchFeatures
from sklearn_ae._estimators._pretrained import pretrained_by, pretrained_module
from sklearn_ae._estimators._warnings import warn_unfinished
from sklearn_ae._sklearn._callbacks import epoch_tasks
from sklearn_ae._sklearn._checks import check_data, check_widths
from sklearn_ae._sklearn._compat import (
    HasMethods,
    Interval,
    MissingValues,
    StrOptions,
    check_sample_weight,
    fit_context,
)
from sklearn_ae._training._recipe import SupervisedRecipe
from sklearn_ae.modules._architecture import dtype_of
from sklearn_ae.semi_supervised._labels import (
    as_array,
    check_some_are_labeled,
    is_unlabeled,
    labeled_part,
    labels_at,
)


class FineTuned(TrainedMixin, BaseEstimator):
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
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "reconstruction_weight": [Interval(Real, 0, np.inf, closed="left")],
        "keep_corruption": ["boolean"],
        "augmentation": [callable, None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, np.inf, closed="left")],
        "unlabeled": [MissingValues()],
        "callbacks": [list, tuple, None],
        "memory": [str, os.PathLike, HasMethods(["cache"]), None],
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
        max_time=None,
        reconstruction_weight=0.0,
        keep_corruption=False,
        augmentation=None,
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
        self.max_time = max_time
        self.reconstruction_weight = reconstruction_weight
        self.keep_corruption = keep_corruption
        self.augmentation = augmentation
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.unlabeled = unlabeled
        self.callbacks = callbacks
        self.memory = memory
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
        from sklearn_ae._training._checks import check_finetuning

        heard = self._heard(X, y, sample_weight)
        self._check_parameters()
        rng = check_random_state(self.random_state)
        X = check_data(self, X, dtype=self._dtype(), reset=True)
        check_frozen(self._inner(), heard["X"])
        X, labeled, y, weight = self._checked_target(X, y, sample_weight)
        target, weight = self._prepared(y, weight)
        split = self._split(target, rng) if self.early_stopping else None
        some = Rows(X[:8], device_of_inner(self.autoencoder), getattr(torch, self._dtype()))
        check_finetuning(self._recipe(), some, self.encoder)
        seed = rng.randint(np.iinfo(np.int32).max)
        context.call_on_fit_task_begin(estimator=self, **heard)
        if self.encoder is not None:
            self.autoencoder_, pretrained = None, pretrained_module(self.encoder)
        else:
            inner_seed = None if self.random_state is None else rng
            self.autoencoder_, pretrained = pretrained_by(self, X, inner_seed, context)
        dtype = np.int64 if target.ndim == 1 else self._dtype()
        data = {
            "y": torch.from_numpy(np.ascontiguousarray(target, dtype=dtype)),
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
        memory = None if self.random_state is None else self.memory
        trained = fine_tune(pretrained, recipe, rows, widths, tasks, memory)
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
        params = {"sample_weight": sample_weight}
        X, y, params = labeled_part(X, as_array(y), params, unlabeled=self.unlabeled)
        # In the type that they have in fit, where no row is marked too.
        y = labels_at(y, slice(None), whole_numbers=is_classifier(self))
        return X, y, params["sample_weight"]

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
        """Return the first of the autoencoders, which is given X, frozen or not."""
        inner = thawed(self.autoencoder)
        if not isinstance(inner, Pipeline):
            return self.autoencoder
        frozen = isinstance(self.autoencoder, FrozenEstimator)
        first = inner.steps[0][1]
        return FrozenEstimator(thawed(first)) if frozen else first

    def _dtype(self):
        return dtype_of_inner(self._inner())

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
        tags.input_tags.sparse = not isinstance(thawed(self._inner()), PatchFeatures)
        return tags
