"""The skorch net of the autoencoders: skorch's named steps, with batches as whole tensors."""

from __future__ import annotations

import copy
import math
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping, EpochTimer
from skorch.utils import TeeGenerator

from sklearn_ae._engine._batches import Batches, Rows
from sklearn_ae._engine._dead import RESTARTING, restart
from sklearn_ae._engine._epoch_line import ActiveCodes, EpochLine
from sklearn_ae._engine._objective import DivergenceError
from sklearn_ae._engine._portable import arrays, portable, refill, tensors
from sklearn_ae._engine._runtime import resolve_device
from sklearn_ae.corruptions import random_mask

__all__ = ["ReconstructionNet"]


def _mean(values: list[torch.Tensor], sizes: list[int]) -> float:
    """Average over batches, read from the device at once."""
    total = sum(
        value * size for value, size in zip(torch.stack(values).tolist(), sizes, strict=True)
    )
    return float(total / sum(sizes))


class _EndOfTraining(Exception):
    """Training ends after this epoch."""


class ReconstructionNet(NeuralNet):
    """A net that learns to give back its clean input.

    Parameters
    ----------
    module : AutoencoderModule
        The network.

    criterion : Objective
        What is minimized.

    corruption : callable
        Applied to the input in training.

    corruption_level : float
        Its strength; 0 turns it off.

    dropout : float
        Rate at which codes are dropped in training.

    unit_norm : bool
        Whether the decoder's atoms are kept at unit norm.

    copies_input : bool
        Whether encoder or decoder might change their input in place.

    learning_rate_schedule : {"constant", "linear"}
        Linear: falls to 0 over the steps of a call.

    validation_fraction : float
        Share of the rows that is held out; 0 for none.

    lean : bool
        Whether batch-level callbacks are left out, which no one listens to.

    seed : int
        Of the generator of every order, mask and noise.

    keep_optimizer : bool
        Whether a pickle holds the state of the optimizer.

    dtype : torch.dtype
        Type of the weights and of the loss.

    autocast : torch.dtype
        Type of the matrix products in training; None for that of the weights.

    sparse_input : bool
        Whether the encoder takes the rows of a sparse matrix as they are.

    revive : bool
        Whether components that no row of an epoch makes fire start anew.

    **kwargs
        skorch's own parameters.
    """

    def __init__(
        self,
        module: Any,
        criterion: Any,
        *,
        corruption: Any = None,
        corruption_level: float = 0.0,
        dropout: float = 0.0,
        unit_norm: bool = False,
        copies_input: bool = False,
        learning_rate_schedule: str = "constant",
        validation_fraction: float = 0.0,
        lean: bool = True,
        seed: int = 0,
        keep_optimizer: bool = False,
        dtype: torch.dtype = torch.float32,
        autocast: torch.dtype | None = None,
        sparse_input: bool = False,
        revive: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, criterion, **kwargs)
        self.corruption = corruption
        self.corruption_level = corruption_level
        self.dropout = dropout
        self.unit_norm = unit_norm
        self.copies_input = copies_input
        self.learning_rate_schedule = learning_rate_schedule
        self.validation_fraction = validation_fraction
        self.lean = lean
        self.seed = seed
        self.keep_optimizer = keep_optimizer
        self.dtype = dtype
        self.autocast = autocast
        self.sparse_input = sparse_input
        self.revive = revive

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        log = [("print_log", EpochLine())] if self.verbose else []
        if self.lean:
            return [("epoch_timer", EpochTimer()), *log]
        return [item for item in super()._default_callbacks if item[0] != "print_log"] + log

    def initialize(self) -> ReconstructionNet:
        """Initialize skorch's components and the generator."""
        super().initialize()
        self.best_losses_: dict[str, float] = {}
        self.generator_ = torch.Generator(self.device).manual_seed(self.seed)
        # Gradients of float16 would vanish unscaled.
        half = self.autocast == torch.float16
        self.scaler_ = torch.amp.GradScaler(self.generator_.device.type) if half else None
        if self.unit_norm:
            self._normalize_atoms()
        return self

    def continue_from(self, previous: ReconstructionNet) -> ReconstructionNet:
        """Take over the state of the optimizer and of the generator.

        Parameters
        ----------
        previous : ReconstructionNet
            The net whose module this one goes on with.

        Returns
        -------
        self : ReconstructionNet
            The net.
        """
        if self.generator_.device.type == previous.generator_.device.type:
            self.generator_.set_state(previous.generator_.get_state())
        state = previous.optimizer_state()
        if state is not None and previous.optimizer is self.optimizer:
            new = [
                {k: v for k, v in g.items() if k != "params"} for g in self.optimizer_.param_groups
            ]
            self.optimizer_.load_state_dict(state)
            for group, settings in zip(self.optimizer_.param_groups, new, strict=True):
                group.update(settings)
        return self

    def optimizer_state(self) -> dict[str, Any] | None:
        """Return the state of the optimizer, or None where a pickle left it out."""
        if hasattr(self, "optimizer_"):
            return self.optimizer_.state_dict()
        return tensors(self._optimizer_state)

    def partial_fit(
        self, X: Any, y: Any = None, classes: Any = None, **fit_params: Any
    ) -> ReconstructionNet:
        """Train as skorch does, but let an interrupt by the user through.

        Parameters
        ----------
        X : Rows, ndarray or torch.Tensor of shape (n_samples, n_features)
            The data.

        y, classes : None
            Ignored.

        **fit_params
            Passed on.

        Returns
        -------
        self : ReconstructionNet
            The net.
        """
        if not self.initialized_:
            self.initialize()
        elif not hasattr(self, "optimizer_"):
            state = self.optimizer_state()
            self._initialize_optimizer()
            if state is not None:
                self.optimizer_.load_state_dict(state)
        self.stopped_ = False
        self.notify("on_train_begin", X=X, y=y)
        with suppress(_EndOfTraining):
            self.fit_loop(X, y, **fit_params)
        self.notify("on_train_end", X=X, y=y)
        self._set_training(False)
        return self

    def train_watched(self, X: Any, tasks: Any) -> None:
        """Train, and tell ``tasks`` where each epoch begins and ends.

        Parameters
        ----------
        X : Rows
            The data.

        tasks : object or None
            With methods ``begin()`` and ``end(net)``, whose result may end training.
        """
        self.tasks_ = tasks
        try:
            self.partial_fit(X)
        finally:
            del self.tasks_
            self.__dict__.pop("penalty_", None)

    def snapshot(self) -> ReconstructionNet:
        """Copy the net as it is now, without its callbacks, which may hold what can't be copied.

        Returns
        -------
        net : ReconstructionNet
            The copy, in evaluation mode.
        """
        held = {name: self.__dict__[name] for name in ("callbacks", "callbacks_")}
        self.__dict__.update(callbacks=None, callbacks_=[])
        try:
            return copy.deepcopy(self)
        finally:
            self.__dict__.update(held)

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Tell skorch's callbacks, and around them the tasks of scikit-learn's.

        Parameters
        ----------
        method_name : str
            The event.

        **cb_kwargs
            Passed on.
        """
        tasks = self.__dict__.get("tasks_")
        if tasks is not None and method_name == "on_epoch_begin":
            tasks.begin()
        if method_name != "on_epoch_end":
            super().notify(method_name, **cb_kwargs)
            return
        self.on_epoch_end(self, **cb_kwargs)
        for _, callback in self.callbacks_:
            try:
                callback.on_epoch_end(self, **cb_kwargs)
            except KeyboardInterrupt:
                # So skorch's EarlyStopping ends training, and so does Ctrl-C. Those that come
                # after the former hear of the epoch too.
                stops = isinstance(callback, EarlyStopping)
                if not (stops and callback.misses_ == callback.patience):
                    raise
                self.stopped_ = True
        if tasks is not None:
            self._set_training(False)
            self.stopped_ |= tasks.end(self)
        if self.stopped_:
            raise _EndOfTraining

    def get_dataset(self, X: Any, y: Any = None) -> Rows:
        """Return the data as rows on the device."""
        if isinstance(X, Rows):
            return X
        device = torch.device(self.device)
        return Rows(X, device, self.dtype, sparse_input=self.sparse_input)

    def get_split_datasets(
        self, X: Any, y: Any = None, **fit_params: Any
    ) -> tuple[Rows, Rows | None]:
        """Hold out ``validation_fraction`` of the rows."""
        rows = self.get_dataset(X, y)
        if not self.validation_fraction:
            return rows, None
        n_valid = math.ceil(self.validation_fraction * len(rows))
        order = torch.randperm(len(rows), generator=self.generator_, device=self.generator_.device)
        return rows.subset(order[n_valid:]), rows.subset(order[:n_valid])

    def get_iterator(self, dataset: Any, training: bool = False) -> Batches:
        """Return batches, shuffled for training."""
        batches = Batches(
            self.get_dataset(dataset), self.batch_size, self.generator_ if training else None
        )
        if training:
            n_steps = self.max_epochs * len(batches)
            self.remaining_ = (1 - step / n_steps for step in range(n_steps))
        return batches

    def infer(self, x: Any, **fit_params: Any) -> tuple[Any, ...]:
        """Corrupt, encode, drop out and decode; corruption and dropout in training only."""
        module = self.module_
        if module.training and self.corruption_level:
            x = self.corruption(x.clone(), self.corruption_level, self.generator_)
        elif self.copies_input:
            x = x.clone()
        if module.training and self.autocast is not None:
            with torch.autocast(self.generator_.device.type, self.autocast):
                outputs = self._forward(x)
            return tuple(None if output is None else output.float() for output in outputs)
        return self._forward(x)

    def _forward(self, x: Any) -> tuple[Any, ...]:
        codes = self.module_.encoder(x)
        return self.module_.decoder(self._dropped(codes)), codes

    def _dropped(self, codes: torch.Tensor) -> torch.Tensor:
        if self.module_.training and self.dropout:
            keep = random_mask(codes.shape, 1 - self.dropout, self.generator_)
            return codes * keep.to(codes.dtype).mul_(1 / (1 - self.dropout))
        # A decoder of the user's may work in place.
        return codes.clone() if self.copies_input else codes

    def get_loss(
        self,
        y_pred: tuple[torch.Tensor, torch.Tensor],
        y_true: torch.Tensor,
        X: Any = None,
        training: bool = False,
    ) -> torch.Tensor:
        """Compute the objective against the clean input."""
        output, codes = y_pred
        loss, penalty = self.criterion_.parts(output, codes, y_true)
        # One number a model where a stack of them is trained.
        if loss.dim():
            loss, penalty = loss.sum(), None if penalty is None else penalty.sum()
        # Not by setattr, in which skorch looks for modules.
        self.__dict__["penalty_"] = penalty
        return loss

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Take one step of the optimizer."""
        if self.learning_rate_schedule == "linear":
            remaining = next(self.remaining_)
            for group in self.optimizer_.param_groups:
                group["lr"] = remaining * group.get("initial_lr", self.lr)
        if not self.lean:
            self._set_training(True)
        x, target = batch
        self.optimizer_.zero_grad()
        y_pred = self.infer(x)
        loss = self.get_loss(y_pred, target, X=x, training=True)
        (loss if self.scaler_ is None else self.scaler_.scale(loss)).backward()
        if not self.lean:
            if self.scaler_ is not None:
                self.scaler_.unscale_(self.optimizer_)
            named_parameters = TeeGenerator(self.get_all_learnable_params())
            self.notify(
                "on_grad_computed", named_parameters=named_parameters, batch=batch, training=True
            )
        if self.scaler_ is None:
            self.optimizer_.step()
        else:
            self.scaler_.step(self.optimizer_)
            self.scaler_.update()
        if self.unit_norm:
            self._normalize_atoms()
        return {"loss": loss, "y_pred": y_pred}

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **fit_params: Any
    ) -> None:
        """Run an epoch; without listeners to batches, read the loss once, at its end."""
        if iterator is None:
            return
        if training and (self.verbose or self.revive or (self.has_penalty and not self.lean)):
            step_fn = ActiveCodes(self, step_fn)
        if self.lean:
            loss = self._lean_epoch(iterator, training, prefix, step_fn)
        else:
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
            if training and self.has_penalty:
                value = self.criterion_.alpha * step_fn.mean_penalty
                self.history.record("train_penalty", value)
            batches = self.history[-1]["batches"]
            weights = [
                batch[f"{prefix}_batch_size"] for batch in batches if f"{prefix}_loss" in batch
            ]
            losses = [batch[f"{prefix}_loss"] for batch in batches if f"{prefix}_loss" in batch]
            loss = float(np.average(losses, weights=weights))
        if not math.isfinite(loss):
            raise DivergenceError(
                f"Training diverged in epoch {len(self.history)}: the {prefix} loss is {loss}. "
                "Scale the input (StandardScaler, MinMaxScaler) or lower learning_rate."
            )
        if training and self.verbose:
            self.history.record("active", step_fn.share)
        if training and self.revive and len(self.history) <= RESTARTING * self.max_epochs:
            self._restart(iterator.rows, step_fn.dead)

    def _restart(self, rows: Rows, dead: torch.Tensor) -> None:
        self._set_training(False)
        if len(dead):
            restart(self, rows, dead)
        if self.unit_norm:
            self._normalize_atoms()

    @property
    def has_penalty(self) -> bool:
        """Whether the loss has a penalty in it."""
        return bool(self.criterion_.alpha)

    def _lean_epoch(self, iterator: Any, training: bool, prefix: str, step_fn: Any) -> float:
        losses, penalties, sizes = [], [], []
        keeps_penalties = training and self.has_penalty
        self._set_training(training)
        for batch in iterator:
            sizes.append(batch[0].shape[0])
            losses.append(step_fn(batch)["loss"].detach())
            if keeps_penalties:
                penalties.append(self.penalty_.detach())
        loss = _mean(losses, sizes)
        if penalties:
            self.history.record("train_penalty", self.criterion_.alpha * _mean(penalties, sizes))
        best = self.best_losses_.get(prefix, math.inf)
        self.history.record(f"{prefix}_loss", loss)
        self.history.record(f"{prefix}_loss_best", loss < best)
        self.best_losses_[prefix] = min(loss, best)
        return loss

    def _normalize_atoms(self) -> None:
        normalize = getattr(self.module_.decoder, "normalize_atoms", None)
        if normalize is not None:
            normalize()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for name in ("remaining_", "tasks_", "penalty_"):
            state.pop(name, None)
        optimizer = state.pop("optimizer_", None)
        if optimizer is not None:
            state["_optimizer_state"] = arrays(optimizer.state_dict())
        if not self.keep_optimizer:
            state["_optimizer_state"] = None
        if "generator_" in state:
            state["generator_"] = state["generator_"].get_state().cpu().numpy()
        # By name: not every road of persistence knows torch's types.
        for name in ("dtype", "autocast"):
            state[name] = None if state[name] is None else str(state[name]).removeprefix("torch.")
        modules = {k: v for k, v in state.items() if isinstance(v, torch.nn.Module)}
        modules["corruption"] = self.corruption
        return {**state, **portable(modules)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        types = {n: state[n] and getattr(torch, state[n]) for n in ("dtype", "autocast")}
        self.__dict__.update(state | types)
        modules = [value for value in state.values() if isinstance(value, torch.nn.Module)]
        refill([*modules, state["corruption"]])
        try:
            resolve_device(self.device)
        except ValueError:
            self.__dict__["device"] = "cpu"
        if "generator_" in state:
            # The state of a generator means nothing to one of another kind of device.
            generator = torch.Generator(self.device).manual_seed(self.seed)
            saved = torch.tensor(state["generator_"])
            if len(saved) == len(generator.get_state()):
                generator.set_state(saved)
            self.__dict__["generator_"] = generator
        for name in ("module_", "criterion_"):
            if name in state:
                state[name].to(self.device)
