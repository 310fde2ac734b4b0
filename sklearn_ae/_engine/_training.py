"""From the parameters of an estimator and data to a trained net."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy import sparse
from skorch.callbacks import LRScheduler
from torch import nn

from sklearn_ae._engine._batches import Rows
from sklearn_ae._engine._best_weights import BestWeights
from sklearn_ae._engine._dead import inspect_codes, start_alive
from sklearn_ae._engine._epoch_line import write_line
from sklearn_ae._engine._inference import all_finite
from sklearn_ae._engine._net import ReconstructionNet
from sklearn_ae._engine._objective import DivergenceError, Objective
from sklearn_ae._engine._parts import check_against_data, check_on_rows, check_pairs
from sklearn_ae._engine._runtime import (
    global_generators,
    global_states,
    limited_threads,
    resolve_device,
    resolve_precision,
    set_global_states,
)
from sklearn_ae.modules import DenseDecoder, DenseEncoder, TopK, build_autoencoder

__all__ = ["OPTIMIZERS", "check_weights", "made_callbacks", "train"]

OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD"}


@torch.inference_mode(False)
def train(
    params: dict[str, Any],
    X: Any,
    seed: int,
    previous: ReconstructionNet | None = None,
    tasks: Any = None,
) -> tuple[ReconstructionNet, np.ndarray, float]:
    """Train a new net, or a copy of an earlier one further.

    Parameters
    ----------
    params : dict
        Parameters of an :class:`~sklearn_ae.Autoencoder`.

    X : ndarray, torch.Tensor or scipy.sparse CSR of shape (n_samples, n_features)
        Validated data.

    seed : int
        Decides every random number of a new net.

    previous : ReconstructionNet, default=None
        Where to go on from. It is left as it is.

    tasks : object, default=None
        With methods ``begin()`` and ``end(net)``, called around each epoch.

    Returns
    -------
    net : ReconstructionNet
        The trained net, in evaluation mode.

    dead : ndarray of bool of shape (n_components,)
        Whether the code of a component is 0 for every row.

    idle : float
        Share of the rows that the codes say nothing of, as :func:`inspect_codes` gives it.
    """
    penalty, corruption = check_pairs(params)
    check_against_data(params, X)
    device = resolve_device(params["device"])
    dtype = torch.float64 if params["precision"] == "float64" else torch.float32
    plain = params["encoder"] is None and not params["corruption_level"]
    takes_sparse = sparse.issparse(X) and device.type == "cpu" and plain
    rows = Rows(X, device, dtype, sparse_input=takes_sparse)
    if hasattr(corruption, "prepare") and params["corruption_level"]:
        corruption.prepare(rows.X)
    generator = torch.Generator("cpu").manual_seed(seed)
    build_seed, stream_seed = torch.randint(2**62, (2,), generator=generator, device="cpu").tolist()
    unit_norm = bool(params["alpha"]) and getattr(penalty, "needs_unit_norm", True)
    with global_generators(build_seed, device), torch.device("cpu"):
        module = _module(params, rows, unit_norm, previous).to(dtype=dtype)
    objective = Objective(params["loss"], penalty, params["alpha"])
    parts = {"corruption": corruption, "unit_norm": unit_norm, "seed": stream_seed}
    net = _net(params, rows, module, objective, **parts).initialize()
    if previous is not None:
        net.continue_from(previous)
    elif net.revive:
        start_alive(net, rows)
    # Modules and functions of the user may draw from torch's global generators.
    draws = _has_user_code(params)
    alone = global_generators(stream_seed, device) if draws else nullcontext()
    widths = [rows.X.shape[1], *params["hidden_layer_sizes"], params["n_components"]]
    widest = max(a * b for a, b in pairwise(widths))
    with alone, limited_threads(min(len(rows), net.batch_size) * widest):
        check_on_rows(net, rows, params)
        if draws and previous is not None and previous.global_states_:
            set_global_states(previous.global_states_, device)
        with torch.enable_grad():
            net.train_watched(rows, tasks)
        net.global_states_ = global_states(device) if draws else None
        check_weights(net)
        if not net.history:
            return net, np.zeros(params["n_components"], dtype=bool), 0.0
        net._set_training(False)
        return net, *inspect_codes(net, rows)


def _net(
    params: dict[str, Any], rows: Rows, module: nn.Module, objective: Objective, **parts: Any
) -> ReconstructionNet:
    return ReconstructionNet(
        module,
        objective,
        **parts,
        corruption_level=params["corruption_level"],
        dropout=params["dropout"],
        copies_input=params["encoder"] is not None or params["decoder"] is not None,
        learning_rate_schedule=params["learning_rate_schedule"],
        validation_fraction=params["validation_fraction"] if params["early_stopping"] else 0.0,
        lean=not params["callbacks"],
        keep_optimizer=params["keep_optimizer"],
        dtype=rows.dtype,
        autocast=resolve_precision(params["precision"], rows.device),
        sparse_input=rows.sparse_input,
        revive=_revives(params),
        optimizer=getattr(torch.optim, OPTIMIZERS[params["optimizer"]]),
        optimizer__weight_decay=params["weight_decay"],
        optimizer__fused=rows.device.type in ("cpu", "cuda"),
        lr=params["learning_rate"],
        batch_size=params["batch_size"],
        max_epochs=params["max_epochs"],
        callbacks=made_callbacks(params),
        verbose=params["verbose"],
        device=str(rows.device),
        train_split=None,
    )


def _revives(params: dict[str, Any]) -> bool:
    # Where weights are tied, a component draws what it looks for, at a length that suits neither.
    built_in = params["encoder"] is None and params["decoder"] is None
    built_in = built_in and not params["tied_weights"]
    return built_in and isinstance(params["activation"], TopK) and params["activation"].revive


def _module(
    params: dict[str, Any], rows: Rows, unit_norm: bool, previous: ReconstructionNet | None
) -> Any:
    if previous is not None:
        return copy.deepcopy(previous.module_)
    names = ("hidden_layer_sizes", "activation", "tied_weights", "encoder", "decoder")
    module = build_autoencoder(
        rows.X.shape[1], params["n_components"], **{name: params[name] for name in names}
    )
    if unit_norm and isinstance(module.decoder, DenseDecoder):
        module.decoder.normalize_atoms()
        if isinstance(module.encoder, DenseEncoder):
            module.decoder.mirror(module.encoder)
    return module


def made_callbacks(params: dict[str, Any]) -> list[Any]:
    """Copy and check the callbacks of the user, and add early stopping.

    Parameters
    ----------
    params : dict
        With ``callbacks``, ``early_stopping``, ``n_iter_no_change``, ``tol`` and
        ``learning_rate_schedule``.

    Returns
    -------
    callbacks : list
        skorch callbacks, or tuples of a name and a callback.
    """
    callbacks = _copied_callbacks(params["callbacks"])
    for callback in callbacks:
        _check_callback(callback[1] if isinstance(callback, tuple) else callback, params)
    if params["early_stopping"]:
        stop = BestWeights(
            patience=params["n_iter_no_change"], threshold=params["tol"], sink=write_line
        )
        callbacks.append(("early_stopping", stop))
    return callbacks


def _copied_callbacks(callbacks: Any) -> list[Any]:
    for callback in callbacks or []:
        named = callback[1] if isinstance(callback, tuple) and len(callback) == 2 else callback
        if not hasattr(named, "on_train_begin"):
            raise TypeError(
                f"callbacks={callbacks!r} must hold skorch callbacks or tuples of a name and a "
                f"callback, got {callback!r}. Those of scikit-learn go to set_callbacks."
            )
    return [
        (callback[0], _copied(callback[1])) if isinstance(callback, tuple) else _copied(callback)
        for callback in callbacks or []
    ]


def _check_callback(callback: Any, params: dict[str, Any]) -> None:
    name = type(callback).__name__
    monitor = getattr(callback, "monitor", None)
    if isinstance(monitor, str) and monitor.startswith("valid") and not params["early_stopping"]:
        raise ValueError(
            f"callbacks holds {name}(monitor={monitor!r}), but no rows are held out. Set "
            f"early_stopping=True, or monitor={monitor.replace('valid', 'train')!r}."
        )
    if isinstance(callback, LRScheduler) and params["learning_rate_schedule"] != "constant":
        raise ValueError(
            f"callbacks holds {name}, but learning_rate_schedule="
            f"{params['learning_rate_schedule']!r} sets the learning rate at each step. Use "
            "learning_rate_schedule='constant'."
        )


def _copied(callback: Any) -> Any:
    try:
        return copy.deepcopy(callback)
    except TypeError:
        # A callback may hold what can't be copied, a writer of logs say: that part is shared.
        return copy.copy(callback)


def _has_user_code(params: dict[str, Any]) -> bool:
    names = ("encoder", "decoder", "activation", "penalty", "corruption", "callbacks")
    parts = [params[name] for name in names]
    return any(
        part is not None
        and not isinstance(part, str)
        and (isinstance(part, nn.Module) or not type(part).__module__.startswith("sklearn_ae."))
        for part in parts
    )


def check_weights(net: ReconstructionNet) -> None:
    """Refuse a net whose weights are not finite.

    Parameters
    ----------
    net : ReconstructionNet
        The trained net.
    """
    for name, weight in net.module_.named_parameters():
        if not all_finite(weight.detach()):
            raise DivergenceError(
                f"Training diverged: after epoch {len(net.history)} {name} is not finite, at a "
                f"loss of {net.history[-1, 'train_loss']:.3g}. Scale the input (StandardScaler, "
                "MinMaxScaler) or lower learning_rate."
            )
