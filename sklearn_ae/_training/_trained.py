"""What training gives, as plain data that a pickle, a hash and a file can hold."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from sklearn_ae._compute._activity import inspect_codes
from sklearn_ae._compute._dask import DaskRows
from sklearn_ae._compute._inference import DenseCollector, SparseCollector, apply_in_batches
from sklearn_ae._compute._rows import Rows
from sklearn_ae._compute._runtime import (
    global_generators,
    held_interrupts,
    limited_threads,
    resolve_device,
)
from sklearn_ae._sklearn._checks import is_dask
from sklearn_ae._training._recipe import Recipe
from sklearn_ae.modules._architecture import Architecture
from sklearn_ae.modules._dense import center_of, set_center

# What of skorch's history is kept.
_RECORDED = ("train_loss", "train_penalty", "valid_loss")


@dataclass(frozen=True)
class Trained:
    """A trained network: its weights and what continues its training, as NumPy arrays.

    Parameters
    ----------
    architecture : Architecture, PatchArchitecture or FineTunedArchitecture
        What builds the network.

    recipe : Recipe
        How it was trained, its penalty and corruption as objects, without callbacks.

    weights : dict of str to ndarray
        Parameters and buffers by name; on the CPU views of those of :attr:`module`.

    optimizer : dict of str to dict of str to ndarray, or None
        State of the optimizer for each parameter; None where a pickle left it out.

    generators : dict of str to ndarray
        States of the generators of the order of rows, ``"order"``, and of noise, ``"noise"``.

    split_seed : int
        Decides which rows are held out.

    device : str
        Where the network was trained.

    history : list of dict of str to float
        What was recorded of each epoch, of earlier trainings of the network too.

    n_epochs : int
        Epochs of the last training.

    center : ndarray of shape (n_features,), default=None
        The mean that the encoder was trained around.
    """

    architecture: Any
    recipe: Recipe
    weights: dict[str, np.ndarray]
    optimizer: dict[str, dict[str, np.ndarray]] | None
    generators: dict[str, np.ndarray]
    split_seed: int
    device: str
    history: list[dict[str, float]] = field(default_factory=list)
    n_epochs: int = 0
    center: np.ndarray | None = None

    @cached_property
    def module(self) -> Any:
        """The network in evaluation mode: the one that was trained, or built from the weights."""
        cpu = torch.device("cpu")
        with (
            torch.inference_mode(False),
            torch.no_grad(),
            global_generators(0, cpu),
            limited_threads(math.inf),
            cpu,
        ):
            module = self.architecture.build()
            for name, tensor in tensors_of(module).items():
                tensor.copy_(torch.from_numpy(self.weights[name]))
        return module.to(self.usable_device).eval()

    @cached_property
    def net(self) -> Any:
        """The skorch net around the network."""
        import_training()
        from sklearn_ae._training._train import restored_net

        return restored_net(self)

    @property
    def usable_device(self) -> torch.device:
        """The device of training, or the CPU where it is not there."""
        try:
            return resolve_device(self.device)
        except ValueError:
            return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """The type of weights and codes."""
        return getattr(torch, self.architecture.dtype)

    def rows(self, X: Any, sparse_input: bool = True) -> Rows:
        """Return validated data as rows, sparse ones as they are where the network takes them."""
        return rows_for(self.architecture, X, self.usable_device, sparse_input=sparse_input)

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Decode codes into the units of X."""
        return self.recipe.in_units_of_X(self.module.decoder(codes))

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        """Encode rows and decode them into the units of X."""
        return self.decode(self.module.encoder(x))

    def inspect(self, rows: Rows) -> tuple[np.ndarray, float]:
        """Find out which components never fire, as :func:`inspect_codes` does."""
        batch_size = min(len(rows), self.recipe.batch_size)
        with limited_threads(batch_size * self.architecture.n_products):
            return inspect_codes(self.module, rows, batch_size)

    def apply(
        self,
        function: Callable[..., torch.Tensor],
        X: Any,
        shape: tuple[int, ...] = (),
        *,
        sparse_input: bool = True,
        sparse_output: bool = False,
        with_target: bool = False,
    ) -> Any:
        """Apply a function of the network to validated data; a row of the result has a shape."""
        rows, n_widest = self.rows(X, sparse_input), self.architecture.n_widest
        shape = (X.shape[0], *shape)
        collect: Any = (
            SparseCollector() if sparse_output else DenseCollector(shape, self.architecture.dtype)
        )
        apply_in_batches(function, self.module, rows, n_widest, collect, with_target=with_target)
        return collect.collected()

    def curve(self, name: str) -> list[float] | None:
        """Return what was recorded of each epoch, NaN where it was not, None if it never was."""
        if not any(name in epoch for epoch in self.history):
            return None
        return [epoch.get(name, np.nan) for epoch in self.history]

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: the fields, no network, and the optimizer where it counts."""
        state = {f.name: getattr(self, f.name) for f in fields(self)}
        return state if self.recipe.keep_optimizer else state | {"optimizer": None}

    def around(self, architecture: Any, module: nn.Module) -> Trained:
        """Return a network that was made of this one, with its own recipe but nothing to train."""
        module = module.to(device=self.usable_device, dtype=self.dtype).eval()
        weights = weights_of(module)
        made = replace(self, architecture=architecture, weights=weights, optimizer=None)
        vars(made).update(module=module)
        return made


def import_training() -> None:
    """Import what trains, which takes a second, whole: half an import breaks all later ones."""
    if "sklearn_ae._training._finetune" not in sys.modules:
        with held_interrupts():
            import sklearn_ae._training._finetune  # noqa: F401

            # Torch imports its compiler when the first optimizer is made.
            torch.optim.SGD([torch.zeros(1)])


def rows_for(
    architecture: Any,
    X: Any,
    device: torch.device,
    sparse_input: bool = True,
    owned: bool = False,
) -> Rows:
    """Return validated data as rows for a network, as copies where a module may change them."""
    dtype, owned = getattr(torch, architecture.dtype), owned or not architecture.is_built_in
    if is_dask(X):
        return DaskRows(X, device, dtype, owned=owned)
    is_dense_encoder = isinstance(architecture, Architecture) and architecture.encoder is None
    return Rows(
        X,
        device,
        dtype,
        sparse_input=sparse_input and is_dense_encoder and device.type == "cpu",
        owned=owned,
    )


def described(
    net: Any, architecture: Any, start: Trained | None = None, goes_on: bool = False
) -> Trained:
    """Return what a net has learned, after the training that it went on from, or as a copy."""
    states, module = net.optimizer_.state, net.module_
    if goes_on:
        module = copy.deepcopy(module)
    center = center_of(module)
    set_center(module, None)
    optimizer = {
        name: {key: _array(v) for key, v in states[p].items() if isinstance(v, torch.Tensor)}
        for name, p in net.module_.named_parameters()
        if p in states
    }
    history = [{key: row[key] for key in _RECORDED if key in row} for row in net.history]
    trained = Trained(
        architecture=architecture,
        recipe=replace(net.recipe, callbacks=None),
        weights=weights_of(module),
        # What goes on changes its own.
        optimizer=copy.deepcopy(optimizer) if goes_on else optimizer,
        generators={"order": _array(net.order.get_state()), "noise": _array(net.noise.get_state())},
        split_seed=net.split_seed,
        device=net.device,
        history=[*(start.history if start else []), *history],
        n_epochs=len(history),
        center=None if center is None else _array(center),
    )
    if not goes_on:
        # The network that was trained, rather than one built from the weights.
        vars(trained).update(module=module, net=net)
    return trained


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def weights_of(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: _array(tensor) for name, tensor in tensors_of(module).items()}


def tensors_of(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return parameters and buffers by name, each once."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}
