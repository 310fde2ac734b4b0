"""From an encoder and labeled rows to a trained net."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import nn

from sklearn_ae._engine._batches import Rows
from sklearn_ae._engine._objective import Objective
from sklearn_ae._engine._runtime import (
    global_generators,
    limited_threads,
    resolve_device,
    resolve_precision,
)
from sklearn_ae._engine._supervised import (
    LabeledRows,
    Standardize,
    SupervisedModule,
    SupervisedNet,
    build_head,
    frozen_epochs,
)
from sklearn_ae._engine._training import check_weights, made_callbacks
from sklearn_ae._patch_encoder import PatchEncoder
from sklearn_ae.modules import DenseEncoder
from sklearn_ae.penalties import L1

__all__ = ["check_before_pretraining", "finetune"]

# Entries of the widest array of a block.
_MAX_ENTRIES = 2**22


@torch.inference_mode(False)
def finetune(
    params: dict[str, Any],
    network: dict[str, Any],
    data: dict[str, Any],
    seed: int,
    tasks: Any = None,
) -> SupervisedNet:
    """Put a head on a copy of an encoder and train both.

    Parameters
    ----------
    params : dict
        Parameters of an :class:`~sklearn_ae.AutoencoderClassifier` or Regressor.

    network : dict
        ``encoder``, and of the autoencoder that it comes from ``decoder``, ``objective``,
        ``corruption``, ``corruption_level``, ``dropout``, ``device`` and ``precision``.

    data : dict
        ``X``, ``y``, ``weight`` and ``split`` as for :class:`LabeledRows`, ``n_outputs`` and
        ``loss``.

    seed : int
        Decides every random number.

    tasks : object, default=None
        With methods ``begin()`` and ``end(net)``, called around each epoch.

    Returns
    -------
    net : SupervisedNet
        The trained net, in evaluation mode.
    """
    device = resolve_device(network["device"])
    dtype = torch.float64 if network["precision"] == "float64" else torch.float32
    rows = LabeledRows(
        **{name: data[name] for name in ("X", "y", "weight", "split")}, device=device, dtype=dtype
    )
    generator = torch.Generator("cpu").manual_seed(seed)
    build_seed, stream_seed = torch.randint(2**62, (2,), generator=generator, device="cpu").tolist()
    # Modules and functions of the user may draw from torch's global generators.
    draws = network["draws"] or params["augmentation"] is not None or bool(params["callbacks"])
    alone = global_generators(stream_seed, device) if draws else nullcontext()
    with limited_threads(_n_products(params, network)):
        # Together, so that what they share stays shared.
        encoder, decoder = copy.deepcopy(
            (network["encoder"], network["decoder"] if params["reconstruction_weight"] else None)
        )
        with global_generators(build_seed, device), torch.device("cpu"):
            standardize = _standardize(encoder.to(device=device, dtype=dtype), rows, network)
            sizes = [len(standardize.mean), *params["head_hidden_layer_sizes"], data["n_outputs"]]
            head = build_head(standardize, sizes).to(device=device, dtype=dtype)
        module = SupervisedModule(encoder, head, decoder)
        net = _net(params, network, data["loss"], module, dtype, stream_seed)
        with alone, torch.enable_grad():
            net.initialize().train_watched(rows, tasks)
        check_weights(net)
    return net


def _n_products(params: dict[str, Any], network: dict[str, Any]) -> int:
    """Multiply-adds of a batch in its widest layer, as far as the weights tell."""
    if not isinstance(network["encoder"], DenseEncoder):
        return 2**62
    widest = max(weight.numel() for weight in network["encoder"].parameters())
    return params["batch_size"] * widest


def check_before_pretraining(params: dict[str, Any], X: Any) -> None:
    """Try callbacks, augmentation and a given encoder before anything is trained.

    Parameters
    ----------
    params : dict
        Parameters of an :class:`~sklearn_ae.AutoencoderClassifier` or Regressor.

    X : ndarray, torch.Tensor or scipy.sparse CSR of shape (n_samples, n_features)
        Validated data.
    """
    made_callbacks(params)
    dtype = torch.float64 if X.dtype in (np.float64, torch.float64) else torch.float32
    rows = Rows(X[:8], torch.device("cpu"), dtype)
    x = rows.dense(rows.take(slice(None)))
    augmentation = params["augmentation"]
    if isinstance(augmentation, type):
        name = augmentation.__name__
        raise TypeError(f"augmentation={name} is a class; give an object, {name}(...).")
    with global_generators(0, torch.device("cpu")), torch.no_grad():
        if augmentation is not None:
            changed = augmentation(x.clone(), torch.Generator().manual_seed(0))
            wrong = not isinstance(changed, torch.Tensor) or changed.shape != x.shape
            if wrong or changed.dtype != x.dtype or not torch.isfinite(changed).all():
                raise ValueError(
                    f"augmentation={augmentation!r} must return a finite tensor of the shape and "
                    f"the type that it is given, {tuple(x.shape)} and {x.dtype}."
                )
        if params["encoder"] is not None:
            _check_encoder(params["encoder"], x)


def _check_encoder(encoder: nn.Module, x: torch.Tensor) -> None:
    encoder = copy.deepcopy(encoder).cpu().to(x.dtype).eval()
    try:
        codes = encoder(x.clone())
    except Exception as error:
        raise ValueError(
            f"The encoder failed on an input of shape {tuple(x.shape)}: {error}"
        ) from error
    if not isinstance(codes, torch.Tensor) or codes.dim() != 2 or len(codes) != len(x):
        got = tuple(codes.shape) if isinstance(codes, torch.Tensor) else type(codes).__name__
        raise ValueError(
            f"The encoder must return a tensor of shape (n_rows, n_codes), n_rows={len(x)}, got "
            f"{got}."
        )


def _net(
    params: dict[str, Any],
    network: dict[str, Any],
    loss: str,
    module: nn.Module,
    dtype: torch.dtype,
    seed: int,
) -> SupervisedNet:
    device = resolve_device(network["device"])
    kept = params["keep_corruption"]
    rate = params["encoder_learning_rate"]
    encoder_rate = {} if rate is None else {"lr": rate, "initial_lr": rate}
    return SupervisedNet(
        module,
        network["objective"] or Objective("squared_error", L1(), 0.0),
        loss=loss,
        reconstruction_weight=params["reconstruction_weight"],
        freeze_epochs=frozen_epochs(params["freeze_encoder"], params["unfreeze_after"]),
        augmentation=params["augmentation"],
        corruption=network["corruption"],
        corruption_level=network["corruption_level"] if kept else 0.0,
        dropout=network["dropout"] if kept else 0.0,
        unit_norm=network["unit_norm"] and module.decoder is not None,
        copies_input=not isinstance(module.encoder, DenseEncoder | PatchEncoder),
        learning_rate_schedule=params["learning_rate_schedule"],
        lean=not params["callbacks"],
        dtype=dtype,
        autocast=resolve_precision(network["precision"], device),
        seed=seed,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=params["weight_decay"],
        optimizer__fused=device.type in ("cpu", "cuda"),
        optimizer__param_groups=[("encoder.*", encoder_rate)],
        lr=params["learning_rate"],
        batch_size=params["batch_size"],
        max_epochs=params["max_epochs"],
        callbacks=made_callbacks(params),
        verbose=params["verbose"],
        device=str(device),
        train_split=None,
    )


@torch.no_grad()
def _standardize(encoder: nn.Module, rows: LabeledRows, network: dict[str, Any]) -> Standardize:
    """Measure the codes of the rows that are trained on, block by block."""
    if rows.split is not None:
        rows = rows.subset(rows.split[0])
    encoder.eval()
    step = max(1, min(256, _MAX_ENTRIES // network["n_widest"]))
    total: Any = 0.0
    mean: Any = 0.0
    squares: Any = 0.0
    for start in range(0, len(rows), step):
        batch, (_, _, weight) = rows.pair(slice(start, start + step))
        codes, share = encoder(batch.clone()).double(), weight.double().unsqueeze(1)
        new = share.sum()
        own = (codes * share).sum(dim=0) / new
        # Two blocks have as squares their own and what their means differ by.
        apart = own - mean
        squares = squares + ((codes - own).square() * share).sum(dim=0)
        squares = squares + apart.square() * (total * new / (total + new))
        mean = mean + apart * (new / (total + new))
        total = total + new
    scale = (squares / total).sqrt()
    # A code that is constant on these rows, but for rounding, is only centered.
    scale[(scale <= 1e-6 * scale.max()) | (scale <= 1e-5 * mean.abs())] = 1.0
    return Standardize(mean.to(rows.dtype), scale.to(rows.dtype))
