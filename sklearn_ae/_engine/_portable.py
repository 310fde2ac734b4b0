"""Modules whose weights pickle as NumPy arrays: the same bytes each time, on any device."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["arrays", "portable", "refill", "tensors"]


class _Weight:
    """Stands for a tensor in a copy of a module, and unpickles as that tensor."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.array = tensor.detach().cpu().numpy()
        self.trained = tensor.requires_grad if isinstance(tensor, nn.Parameter) else None

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self.array, self.trained)


def _restore(array: np.ndarray, trained: bool | None) -> torch.Tensor:
    tensor = torch.tensor(array)
    return tensor if trained is None else nn.Parameter(tensor, requires_grad=trained)


def portable(modules: dict[Any, Any]) -> dict[Any, Any]:
    """Copy modules so that they pickle with arrays in place of their weights.

    Parameters
    ----------
    modules : dict of torch.nn.Module or object
        The modules, or objects with tensors as attributes. What they share stays shared.

    Returns
    -------
    copies : dict of torch.nn.Module or object
        Not to be used, only to be pickled or deep-copied: that restores the weights.
    """
    memo: dict[int, Any] = {}
    for module in modules.values():
        for tensor in _tensors_of(module):
            # NumPy has no bfloat16: such a weight pickles as torch has it.
            if id(tensor) not in memo and tensor.dtype != torch.bfloat16:
                memo[id(tensor)] = _Weight(tensor)
    return copy.deepcopy(modules, memo)


def refill(parts: Iterable[Any]) -> None:
    """Give modules their weights where a road of persistence left what stands for them.

    Parameters
    ----------
    parts : iterable of torch.nn.Module or object
        What was restored. ``pickle`` restores the weights by itself, skops does not.
    """
    memo: dict[int, torch.Tensor] = {}
    for held in (held for part in parts for held in _held_by(part)):
        for name, value in held.items():
            if isinstance(value, _Weight):
                held[name] = memo.setdefault(id(value), _restore(value.array, value.trained))


def _held_by(part: Any) -> list[dict[str, Any]]:
    if isinstance(part, nn.Module):
        return [held for m in part.modules() for held in (m._parameters, m._buffers)]
    return [part.__dict__] if hasattr(part, "__dict__") else []


def _tensors_of(module: Any) -> list[torch.Tensor]:
    if isinstance(module, nn.Module):
        return [*module.parameters(), *module.buffers()]
    attributes = getattr(module, "__dict__", {}).values()
    return [value for value in attributes if isinstance(value, torch.Tensor)]


def arrays(state: Any) -> Any:
    """Replace the tensors in nested dicts and lists by arrays.

    Parameters
    ----------
    state : dict, list, torch.Tensor or object
        A ``state_dict`` of an optimizer, say.

    Returns
    -------
    state : dict, list, ndarray or object
        The same with arrays.
    """
    if isinstance(state, dict):
        return {key: arrays(value) for key, value in state.items()}
    if isinstance(state, list):
        return [arrays(value) for value in state]
    return state.detach().cpu().numpy() if isinstance(state, torch.Tensor) else state


def tensors(state: Any) -> Any:
    """Undo :func:`arrays`.

    Parameters
    ----------
    state : dict, list, ndarray or object
        What :func:`arrays` gave.

    Returns
    -------
    state : dict, list, torch.Tensor or object
        The same with tensors.
    """
    if isinstance(state, dict):
        return {key: tensors(value) for key, value in state.items()}
    if isinstance(state, list):
        return [tensors(value) for value in state]
    return torch.tensor(state) if isinstance(state, np.ndarray) else state
