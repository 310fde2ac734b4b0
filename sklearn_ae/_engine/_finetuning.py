"""From an encoder and labeled rows to a trained net."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from sklearn_ae._engine._best_weights import BestWeights
from sklearn_ae._engine._objective import Objective
from sklearn_ae._engine._runtime import global_generators, resolve_device, resolve_precision
from sklearn_ae._engine._supervised import (
    LabeledRows,
    Standardize,
    SupervisedModule,
    SupervisedNet,
    build_head,
    frozen_epochs,
)
from sklearn_ae._engine._training import check_weights, copied_callbacks
from sklearn_ae.modules import DenseEncoder
from sklearn_ae.penalties import L1

__all__ = ["finetune"]


def finetune(
    params: dict[str, Any], network: dict[str, Any], data: dict[str, Any], seed: int
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
    encoder = copy.deepcopy(network["encoder"]).to(device=device, dtype=dtype)
    decoder = copy.deepcopy(network["decoder"]) if params["reconstruction_weight"] else None
    with global_generators(build_seed, device):
        standardize = _standardize(encoder, rows)
        sizes = [len(standardize.mean), *params["head_hidden_layer_sizes"], data["n_outputs"]]
        with torch.device("cpu"):
            head = build_head(standardize, sizes).to(device=device, dtype=dtype)
    module = SupervisedModule(encoder, head, decoder)
    net = _net(params, network, data["loss"], module, dtype, stream_seed)
    with (
        global_generators(stream_seed, device),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        net.initialize().partial_fit(rows)
    check_weights(net)
    return net


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
    callbacks = copied_callbacks(params["callbacks"])
    if params["early_stopping"]:
        stop = BestWeights(patience=params["n_iter_no_change"], threshold=params["tol"])
        callbacks.append(("early_stopping", stop))
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
        copies_input=not isinstance(module.encoder, DenseEncoder),
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
        callbacks=callbacks,
        verbose=params["verbose"],
        device=str(device),
        train_split=None,
    )


@torch.no_grad()
def _standardize(encoder: nn.Module, rows: LabeledRows) -> Standardize:
    """Measure the codes of the rows that are trained on."""
    if rows.split is not None:
        rows = rows.subset(rows.split[0])
    encoder.eval()
    codes, weights = [], []
    for start in range(0, len(rows), 256):
        batch, (_, _, weight) = rows.pair(slice(start, start + 256))
        codes.append(_checked(encoder(batch.clone()), len(batch)).double())
        weights.append(weight.double())
    code, share = torch.cat(codes), torch.cat(weights).unsqueeze(1)
    share = share / share.sum()
    mean = (code * share).sum(dim=0)
    scale = ((code - mean).square() * share).sum(dim=0).sqrt()
    # A code that is constant on these rows is only centered.
    scale[scale <= 1e-6 * scale.max()] = 1.0
    return Standardize(mean.to(rows.dtype), scale.to(rows.dtype))


def _checked(codes: Any, n_rows: int) -> torch.Tensor:
    if not isinstance(codes, torch.Tensor) or codes.dim() != 2 or len(codes) != n_rows:
        got = tuple(codes.shape) if isinstance(codes, torch.Tensor) else type(codes).__name__
        raise ValueError(
            f"The encoder must return a tensor of shape (n_rows, n_codes), n_rows={n_rows}, got "
            f"{got}."
        )
    return codes
