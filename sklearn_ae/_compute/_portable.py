"""Modules whose weights pickle as NumPy arrays: the same bytes each time, on any device."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn


class Weight:
    """Stands for a tensor in a copy of a module, and unpickles as that tensor."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.array = tensor.detach().cpu().numpy()
        self.trained = tensor.requires_grad if isinstance(tensor, nn.Parameter) else None

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.array, self.trained)


def _restore(array: np.ndarray, trained: bool | None) -> torch.Tensor:
    tensor = torch.tensor(array, device="cpu")
    return tensor if trained is None else nn.Parameter(tensor, requires_grad=trained)


def portable(state: Any) -> Any:
    """Replace parts with weights by copies that pickle with arrays in place of their tensors.

    Parameters
    ----------
    state : dict, tuple, dataclass or object
        What is searched for modules, and for objects with tensors as attributes. What they share
        stays shared.

    Returns
    -------
    state : dict, tuple, dataclass or object
        Not to be used, only to be pickled or deep-copied: that restores the weights.
    """
    held: dict[int, Any] = {}
    _each_part(state, lambda part: held.setdefault(id(part), part))
    memo: dict[int, Any] = {}
    for tensor in (tensor for part in held.values() for tensor in _tensors_of(part)):
        # NumPy has no bfloat16: such a weight pickles as torch has it.
        if id(tensor) not in memo and tensor.dtype != torch.bfloat16:
            memo[id(tensor)] = Weight(tensor)
    copies = copy.deepcopy(held, memo)
    return _each_part(state, lambda part: copies[id(part)])


def refill(state: Any) -> None:
    """Give parts their weights where a road of persistence left what stands for them.

    ``pickle`` restores the weights by itself, skops does not.
    """
    memo: dict[int, torch.Tensor] = {}

    def restore(part: Any) -> Any:
        for held in _attributes_of(part):
            for name, value in held.items():
                if isinstance(value, Weight):
                    held[name] = memo.setdefault(id(value), _restore(value.array, value.trained))
        return part

    _each_part(state, restore)


def placed(part: Any, device: torch.device) -> Any:
    """Return a part whose tensors are on a device: itself, or a copy where some are elsewhere."""
    tensors = _tensors_of(part)
    if all(tensor.device == device for tensor in tensors):
        return part
    if isinstance(part, nn.Module):
        return copy.deepcopy(part).to(device)
    return copy.deepcopy(part, {id(tensor): tensor.to(device) for tensor in tensors})


def _each_part(value: Any, visit: Callable[[Any], Any]) -> Any:
    """Rebuild nested dicts, tuples and dataclasses with what a function makes of their parts."""
    if type(value) is dict:
        return {key: _each_part(item, visit) for key, item in value.items()}
    if type(value) is tuple:
        return tuple(_each_part(item, visit) for item in value)
    ours = type(value).__module__.startswith("sklearn_ae.")
    if ours and is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{f.name: _each_part(getattr(value, f.name), visit) for f in fields(value)}
        )
    held = _attributes_of(value)
    if any(isinstance(item, torch.Tensor | Weight) for part in held for item in part.values()):
        return visit(value)
    return value


def _attributes_of(part: Any) -> list[dict[str, Any]]:
    """Return the dicts in which a part may hold tensors."""
    if isinstance(part, nn.Module):
        return [held for m in part.modules() for held in (m._parameters, m._buffers)]
    return [part.__dict__] if hasattr(part, "__dict__") and not isinstance(part, type) else []


def _tensors_of(part: Any) -> list[torch.Tensor]:
    held = _attributes_of(part)
    return [v for attributes in held for v in attributes.values() if isinstance(v, torch.Tensor)]
