"""Checkpoints: what goes on from an epoch to the next, as JSON and arrays in one file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import uuid
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from sklearn_ae._sklearn._warnings import warn
from sklearn_ae._training._listeners import BestWeights, TimeLimit
from sklearn_ae._training._trained import tensors_of

_MAGIC = b"sklearn-ae checkpoint 1\n"
# Seconds between two checkpoints, and how often the time that one took: 2 % of training at most.
_SECONDS = 1.0
_TIMES = 50
# What early stopping counts.
_COUNTED = ("best_loss_", "dynamic_threshold_", "misses_")


class Checkpoint:
    """The file of a fit that is not finished, and the one before it.

    One that `lasts` is also that of a finished fit, for those that go on from it.
    """

    def __init__(self, folder: Path, key: str, lasts: bool = False) -> None:
        self.lasts = lasts
        self.path = folder / f"{key}.checkpoint"
        self.before = folder / f"{key}.checkpoint.before"
        self.key = key

    def write(self, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Replace the file in one step, so that a crash leaves it or the one before whole."""
        text = json.dumps(state | {"key": self.key}).encode()
        buffer = io.BytesIO()
        held: dict[str, Any] = {"state": np.frombuffer(text, np.uint8), **arrays}
        np.savez(buffer, **held)
        data = buffer.getvalue()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f"{self.path.name}.{uuid.uuid4().hex}.tmp")
        try:
            with open(temporary, "xb") as file:
                file.write(_MAGIC + hashlib.sha256(data).digest() + data)
                file.flush()
                os.fsync(file.fileno())
            # Another process at the same fit may have been faster.
            with suppress(FileNotFoundError):
                os.replace(self.path, self.before)
            os.replace(temporary, self.path)
        finally:
            temporary.unlink(missing_ok=True)

    def read(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        """Return the last state that is whole, or None."""
        for path in (self.path, self.before):
            try:
                data = path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
            head, data = data[: len(_MAGIC) + 32], data[len(_MAGIC) + 32 :]
            if head == _MAGIC + hashlib.sha256(data).digest():
                with np.load(io.BytesIO(data), allow_pickle=False) as file:
                    arrays = dict(file)
                state = json.loads(arrays.pop("state").tobytes())
                if state["key"] == self.key:
                    return arrays, state
            warn(f"{path} is torn, or no checkpoint of this fit, and is not used.")
        return None

    def remove(self) -> None:
        """Remove the files of a fit that is finished."""
        for path in (self.path, self.before):
            # A file that stays does no harm: its fit is finished.
            with suppress(OSError):
                path.unlink()


class Checkpoints(Callback):
    """Write a checkpoint every so many seconds, and where training is cut short."""

    def __init__(self, checkpoint: Checkpoint, seconds: float = 0.0) -> None:
        self.checkpoint = checkpoint
        self.seconds_before = seconds
        self.n_kept = 0

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self.begin = self.last = monotonic()
        self.pause = _SECONDS

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Write, if it is time."""
        start = monotonic()
        is_last = self.checkpoint.lasts and len(net.history) == net.max_epochs
        must = is_last or net.cut_short_ == "max_time"
        if start - self.last < self.pause and not must:
            return
        try:
            arrays, state = state_of(net)
            seconds = self.seconds_before + start - self.begin
            self.checkpoint.write(arrays, state | {"seconds": seconds})
            self.n_kept = len(net.history)
            if is_last:
                self.checkpoint.before.unlink(missing_ok=True)
        except OSError as error:
            # Training goes on, and is finished without.
            warn(f"No checkpoint could be written to {self.checkpoint.path.parent}: {error}.")
            self.pause = float("inf")
            return
        self.last = monotonic()
        self.pause = max(_SECONDS, _TIMES * (self.last - start))


def state_of(net: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return what the next epochs depend on, arrays and what JSON holds."""
    arrays = {f"weight/{name}": _array(t) for name, t in tensors_of(net.module_).items()}
    for name, parameter in net.module_.named_parameters():
        for key, value in net.optimizer_.state.get(parameter, {}).items():
            arrays[f"optimizer/{name}/{key}"] = _array(torch.as_tensor(value))
    for name, generator in _generators(net).items():
        arrays[f"generator/{name}"] = generator.get_state().cpu().numpy()
    if isinstance(net.active_counts_, torch.Tensor):
        arrays["active_counts"] = _array(net.active_counts_)
    history = [{k: v for k, v in row.items() if k != "batches"} for row in net.history]
    state = {
        "history": history,
        "best_losses": net.best_losses_,
        "n_rows": net.n_rows_,
        "n_steps": net.schedule_.n_taken if net.schedule_ else 0,
    }
    for stop in _stops(net):
        state["stop"] = {name: getattr(stop, name) for name in _COUNTED}
        arrays |= {f"best/{name}": _array(t) for name, t in stop.best_weights_.items()}
    return arrays, state


def restore(net: Any, arrays: dict[str, np.ndarray], state: dict[str, Any]) -> int:
    """Bring a net that is ready to be trained to where another one was.

    Returns how many epochs are left.
    """
    of = lambda kind: {  # noqa: E731
        name.partition("/")[2]: value for name, value in arrays.items() if name.startswith(kind)
    }
    with torch.no_grad():
        for name, tensor in tensors_of(net.module_).items():
            tensor.copy_(torch.from_numpy(arrays[f"weight/{name}"]))
    parameters = dict(net.module_.named_parameters())
    for place, value in of("optimizer/").items():
        name, _, key = place.rpartition("/")
        parameter = parameters[name]
        tensor = torch.tensor(value, device=parameter.device)
        net.optimizer_.state[parameter][key] = tensor
    for name, generator in _generators(net).items():
        generator.set_state(torch.tensor(arrays[f"generator/{name}"], device="cpu"))
    for row in state["history"]:
        net.history.new_epoch()
        for name, value in row.items():
            net.history.record(name, value)
    net.best_losses_ = state["best_losses"]
    net.n_rows_, net.n_steps_before_ = state["n_rows"], state["n_steps"]
    if "active_counts" in arrays:
        net.active_counts_ = torch.tensor(arrays["active_counts"], device=net.noise.device)
    for _, callback in net.callbacks_:
        if hasattr(callback, "seconds_before"):
            callback.seconds_before = state["seconds"]
    n_left = net.max_epochs - len(net.history)
    for stop in _stops(net):
        for name, value in state["stop"].items():
            setattr(stop, name, value)
        best = {name: torch.tensor(v, device=net.noise.device) for name, v in of("best/").items()}
        stop.best_weights_ = best
        if stop.misses_ >= stop.patience:
            return 0
    if n_left and any(c.is_over() for _, c in net.callbacks_ if isinstance(c, TimeLimit)):
        net.cut_short_ = "max_time"
        return 0
    return n_left


def _generators(net: Any) -> dict[str, torch.Generator]:
    own = {"order": net.order, "noise": net.noise}
    # Code of the user's may draw from torch's own, which is seeded for it in a fit.
    return own | ({"global": torch.default_generator} if net.draws_globally_ else {})


def _stops(net: Any) -> list[BestWeights]:
    return [callback for _, callback in net.callbacks_ if isinstance(callback, BestWeights)]


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()
