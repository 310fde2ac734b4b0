"""The skorch net of the autoencoders: skorch's named steps, with batches as whole tensors."""

from __future__ import annotations

import math
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import EpochTimer
from skorch.utils import TeeGenerator
from torch import nn

from sklearn_ae._compute._rows import Batches, Rows
from sklearn_ae._compute._runtime import resolve_precision
from sklearn_ae._training._epoch import mean_loss, run_epoch
from sklearn_ae._training._listeners import hears_batches, was_raised
from sklearn_ae._training._objective import DivergenceError, Objective
from sklearn_ae._training._recipe import Recipe
from sklearn_ae._training._schedule import LinearSchedule

OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD"}


class EndOfTraining(Exception):
    """A listener asked for an end of training after this epoch."""


class ReconstructionNet(NeuralNet):
    """A net that learns to give back its clean input, as a recipe says.

    ``order`` draws the order of rows, on the CPU, ``noise`` every mask and noise, on the device;
    ``split_seed`` decides which rows are held out, and ``counts_codes`` whether it is counted for
    how many rows each component is active. Further parameters are skorch's.
    """

    def __init__(
        self,
        module: nn.Module,
        criterion: Objective,
        *,
        recipe: Recipe,
        order: torch.Generator,
        noise: torch.Generator,
        split_seed: int = 0,
        counts_codes: bool = False,
        **kwargs: Any,
    ) -> None:
        settings = {
            "optimizer": getattr(torch.optim, OPTIMIZERS[recipe.optimizer]),
            "optimizer__weight_decay": recipe.weight_decay,
            # Elsewhere torch decides.
            "optimizer__fused": True if noise.device.type in ("cpu", "cuda") else None,
            "lr": recipe.learning_rate,
            "batch_size": recipe.batch_size,
            "max_epochs": recipe.max_epochs,
            "verbose": recipe.verbose,
            "device": str(noise.device),
            "train_split": None,
        }
        super().__init__(module, criterion, **(settings | kwargs))
        self.recipe = recipe
        self.order = order
        self.noise = noise
        self.split_seed = split_seed
        self.counts_codes = counts_codes

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        return [("epoch_timer", EpochTimer())]

    def initialize(self) -> ReconstructionNet:
        """Initialize skorch's components."""
        super().initialize()
        self.hears_batches_ = any(hears_batches(callback) for _, callback in self.callbacks_)
        self.autocast_ = resolve_precision(self.recipe.precision, self.noise.device)
        self.best_losses_: dict[str, float] = {}
        # What ended training before its time: "callback", "max_time" or nothing.
        self.cut_short_ = ""
        self.n_steps_before_ = 0
        self.schedule_: LinearSchedule | None = None
        self.parameters_ = list(self.module_.parameters())
        self.module_.code_dropout.rate = self.recipe.dropout
        # What brings the decoder's atoms to unit norm, where the penalty needs it.
        normalize = getattr(self.module_.decoder, "normalize_atoms", None)
        self.normalize_atoms_ = normalize if self.recipe.unit_norm else None
        return self

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Tell all listeners; one that answers the end of an epoch by True ends training."""
        getattr(self, method_name)(self, **cb_kwargs)
        answers = [self._answer(cb, method_name, cb_kwargs) for _, cb in self.callbacks_]
        if method_name == "on_epoch_end" and any(answers):
            raise EndOfTraining

    def _answer(self, callback: Any, method_name: str, cb_kwargs: dict[str, Any]) -> bool:
        try:
            return getattr(callback, method_name)(self, **cb_kwargs) is True
        except KeyboardInterrupt as interrupt:
            # Callbacks of skorch end training by raising it; Ctrl-C arrives between two statements.
            if method_name == "on_epoch_end" and was_raised(interrupt):
                return True
            raise

    def get_dataset(self, X: Any, y: Any = None) -> Rows:
        """Return the data as rows on the device."""
        return X if isinstance(X, Rows) else Rows(X, self.noise.device)

    def get_split_datasets(
        self, X: Any, y: Any = None, **fit_params: Any
    ) -> tuple[Rows, Rows | None]:
        """Hold out ``validation_fraction`` of the rows, the same ones in every call."""
        rows = self.get_dataset(X)
        if not self.recipe.early_stopping:
            return rows, None
        n_valid = math.ceil(self.recipe.validation_fraction * len(rows))
        generator = torch.Generator("cpu").manual_seed(self.split_seed)
        order = torch.randperm(len(rows), generator=generator, device="cpu")
        return rows.subset(order[n_valid:]), rows.subset(order[:n_valid])

    def get_iterator(self, dataset: Any, training: bool = False) -> Batches:
        """Return batches, shuffled for training."""
        rows = self.get_dataset(dataset)
        batches = Batches(rows, self.batch_size, self.order if training else None)
        if training and self.recipe.learning_rate_schedule == "linear":
            n_steps = self.max_epochs * len(batches)
            self.schedule_ = LinearSchedule(self.optimizer_, self.lr, n_steps, self.n_steps_before_)
        return batches

    def infer(self, x: Any, **fit_params: Any) -> tuple[Any, ...]:
        """Corrupt, encode, drop out and decode; corruption and dropout in training only."""
        if not self.module_.training:
            return self.forward_pass(x)
        if self.recipe.corruption_level:
            x = self.recipe.corruption(x, self.recipe.corruption_level, self.noise)
        if self.autocast_ is None:
            return self.forward_pass(x)
        with torch.autocast(self.noise.device.type, self.autocast_):
            outputs = self.forward_pass(x)
        return tuple(None if output is None else output.float() for output in outputs)

    def forward_pass(self, x: Any) -> tuple[Any, ...]:
        """Call the module."""
        return self.module_(x, self.noise if self.recipe.dropout else None)

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> torch.Tensor:
        """Compute the objective."""
        return self.terms(y_pred, y_true, training)[0]

    def terms(
        self, y_pred: Any, y_true: Any, training: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Compute the objective against the clean input, and the penalty in it."""
        output, codes = y_pred
        target, weight = y_true if isinstance(y_true, tuple) else (y_true, None)
        loss, penalty = self.criterion_.terms(output, codes, target, weight)
        if loss.dim():
            # One number a model where a stack of them is trained.
            return loss.sum(), None if penalty is None else penalty.sum()
        return loss, penalty

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Take one step of the optimizer."""
        if self.schedule_ is not None:
            self.schedule_.next_step()
        if self.hears_batches_:
            self._set_training(True)
        x, target = batch
        # What zero_grad does, without the time that it takes in small networks.
        for parameter in self.parameters_:
            parameter.grad = None
        y_pred = self.infer(x)
        loss, penalty = self.terms(y_pred, target, training=True)
        loss.backward()
        if self.hears_batches_:
            named_parameters = TeeGenerator(self.get_all_learnable_params())
            self.notify(
                "on_grad_computed", named_parameters=named_parameters, batch=batch, training=True
            )
        self.optimizer_.step()
        if self.normalize_atoms_ is not None:
            self.normalize_atoms_()
        return {"loss": loss, "y_pred": y_pred, "penalty": penalty}

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Run an epoch, where there is one to run."""
        if iterator is not None:
            run_epoch(self, iterator, step_fn, training, prefix)

    def validation_loss(self, X: Any) -> float:
        """Return the loss of the rows that are held out of X, as the network is now."""
        _, held_out = self.get_split_datasets(X)
        steps = [
            (self.validation_step(b)["loss"], b[0].shape[0]) for b in self.get_iterator(held_out)
        ]
        losses, sizes = zip(*steps, strict=True)
        return mean_loss(losses, sizes)

    def record_loss(self, prefix: str, loss: float) -> None:
        """Record the loss of an epoch, and refuse one that is not finite."""
        if not math.isfinite(loss):
            raise DivergenceError(
                f"Training diverged in epoch {len(self.history)}: the {prefix} loss is {loss}. "
                "Scale the input (StandardScaler, MinMaxScaler) or lower learning_rate."
            )
        best = self.best_losses_.get(prefix, math.inf)
        self.best_losses_[prefix] = min(loss, best)
        self.history.record(f"{prefix}_loss", loss)
        self.history.record(f"{prefix}_loss_best", loss < best)
