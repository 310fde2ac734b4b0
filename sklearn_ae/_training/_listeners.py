"""What hears of training, each one concern: skorch callbacks whose True ends it."""

from __future__ import annotations

import copy
import dis
import math
import sys
from numbers import Number
from time import monotonic
from typing import Any

from skorch.callbacks import Callback, EarlyStopping, LRScheduler, PrintLog

from sklearn_ae._sklearn._checks import check_object
from sklearn_ae._training._recipe import Recipe
from sklearn_ae._training._revival import restart

_BATCH_EVENTS = ("on_batch_begin", "on_batch_end", "on_grad_computed")
# Share of the epochs after which components start anew; the others let them settle.
_RESTARTING = 0.75


class BestWeights(EarlyStopping):
    """Early stopping on the validation loss, which ends with the weights of its minimum.

    An improvement smaller than ``tol`` counts as none for stopping, but its weights are kept all
    the same. Where training goes on from other weights, these are a candidate.
    """

    def __init__(self, patience: int, tol: float, continues: bool = False) -> None:
        super().__init__(patience=patience, threshold=tol, threshold_mode="abs", sink=write_line)
        self.continues = continues

    def on_train_begin(self, net: Any, X: Any = None, **kwargs: Any) -> None:
        """Forget earlier epochs."""
        super().on_train_begin(net, **kwargs)
        self.best_loss_ = net.validation_loss(X) if self.continues else math.inf
        self.dynamic_threshold_ = self.best_loss_ - self.threshold
        self.best_weights_ = copy.deepcopy(net.module_.state_dict())

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Keep the weights of the best epoch, and stop when none improves by ``tol``."""
        loss = net.history[-1, "valid_loss"]
        if loss < self.best_loss_:
            self.best_loss_ = loss
            self.best_weights_ = copy.deepcopy(net.module_.state_dict())
        super().on_epoch_end(net, **kwargs)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Restore the best weights."""
        net.module_.load_state_dict(self.best_weights_)
        del self.best_weights_


class EpochLine(PrintLog):
    """Print a line an epoch that needs no header; also what callbacks of the user record."""

    _KNOWN = ("epoch", "train_loss", "valid_loss", "train_penalty", "active", "dur")

    def __init__(self) -> None:
        super().__init__(sink=write_line)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Print the line."""
        active = float(net.active_counts_.sum()) / (net.n_rows_ * len(net.active_counts_))
        net.history.record("active", active)
        row = net.history[-1]
        parts = [f"epoch {row['epoch']}/{net.max_epochs}", f"loss {row['train_loss']:.6g}"]
        if "valid_loss" in row:
            parts.append(f"validation loss {row['valid_loss']:.6g}")
        if "train_penalty" in row:
            parts.append(f"penalty {row['train_penalty']:.6g}")
        parts.append(f"{100 * active:.1f} % of codes active")
        parts += [
            f"{name} {value:.6g}"
            for name, value in row.items()
            if isinstance(value, Number) and not isinstance(value, bool)
            if name not in self._KNOWN and not name.endswith(("_best", "_batch_count"))
        ]
        self._sink(", ".join([*parts, f"{row['dur']:.2f} s"]), net.verbose)


class Restarts(Callback):
    """Start components anew that no row made active, in the first three quarters of the epochs."""

    def on_epoch_begin(self, net: Any, dataset_train: Any = None, **kwargs: Any) -> None:
        """Aim them at what is reconstructed worst, before an epoch that trains them."""
        if not 1 < len(net.history) <= _RESTARTING * net.max_epochs + 1:
            return
        dead = (net.active_counts_ == 0).nonzero().squeeze(1)
        if len(dead):
            net._set_training(False)
            restart(net, dataset_train, dead)
        if net.normalize_atoms_ is not None:
            net.normalize_atoms_()


class TaskOfEpoch(Callback):
    """Tell scikit-learn's callbacks of each epoch; they may ask for an end of training."""

    def __init__(self, tasks: Any, snapshot: Any) -> None:
        self.tasks = tasks
        self.snapshot = snapshot

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin the task."""
        self.tasks.begin()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> bool:
        """End it."""
        net._set_training(False)
        ends = bool(self.tasks.end(lambda: self.snapshot(net)))
        if ends:
            net.cut_short_ = "callback"
        return ends


class TimeLimit(Callback):
    """End training at the end of the epoch in which its time is over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        # Of the same training, before it was interrupted.
        self.seconds_before = 0.0

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self.begin = monotonic()

    def is_over(self) -> bool:
        """Whether no time is left."""
        return self.seconds_before + monotonic() - self.begin >= self.seconds

    def on_epoch_end(self, net: Any, **kwargs: Any) -> bool:
        """Look at the clock."""
        ends = self.is_over() and len(net.history) < net.max_epochs
        if ends and not net.cut_short_:
            net.cut_short_ = "max_time"
        return ends


def write_line(line: str) -> None:
    """Print in one piece, so that the lines of several workers stay whole."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def copied_callbacks(recipe: Recipe) -> list[Any]:
    """Check the callbacks of the user and copy them for a fit."""
    named = [
        c if isinstance(c, tuple) and len(c) == 2 else (None, c) for c in recipe.callbacks or []
    ]
    for _, callback in named:
        check_object(callback, "callbacks")
        if not isinstance(callback, Callback):
            raise TypeError(
                f"callbacks={recipe.callbacks!r} must hold skorch callbacks or tuples of a name "
                f"and a callback, got {callback!r}. Those of scikit-learn go to set_callbacks."
            )
        _check_callback(callback, recipe)
    return [_copied(c) if name is None else (name, _copied(c)) for name, c in named]


def _check_callback(callback: Any, recipe: Recipe) -> None:
    name = type(callback).__name__
    monitor = getattr(callback, "monitor", None)
    if isinstance(monitor, str) and monitor.startswith("valid") and not recipe.early_stopping:
        raise ValueError(
            f"callbacks holds {name}(monitor={monitor!r}), but no rows are held out. Set "
            f"early_stopping=True, or monitor={monitor.replace('valid', 'train')!r}."
        )
    if isinstance(callback, LRScheduler) and recipe.learning_rate_schedule != "constant":
        raise ValueError(
            f"callbacks holds {name}, but learning_rate_schedule="
            f"{recipe.learning_rate_schedule!r} sets the learning rate at each step. Use "
            "learning_rate_schedule='constant'."
        )


def _copied(callback: Any) -> Any:
    try:
        return copy.deepcopy(callback)
    except TypeError:
        # A callback may hold what can't be copied, a writer of logs say: that part is shared.
        return copy.copy(callback)


def hears_batches(callback: Any) -> bool:
    """Whether a callback overrides an event of batches."""
    return any(
        getattr(type(callback), event, None) is not getattr(Callback, event)
        for event in _BATCH_EVENTS
    )


def was_raised(error: BaseException) -> bool:
    """Whether an exception comes from a raise statement, not from a signal between two others."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return False
    code = traceback.tb_frame.f_code.co_code
    return dis.opname[code[traceback.tb_lasti]] == "RAISE_VARARGS"
