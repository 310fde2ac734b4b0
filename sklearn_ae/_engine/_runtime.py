"""Device, precision and seeds: one policy, in one place."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["DTYPES", "global_generators", "resolve_device"]

DTYPES = {"float32": torch.float32, "float64": torch.float64}

# Whoever seeds torch's global generators must be alone until they are restored.
_LOCK = threading.RLock()


def _new_lock() -> None:
    global _LOCK
    _LOCK = threading.RLock()


if hasattr(os, "register_at_fork"):
    # A fork copies a lock that another thread holds, and nobody in the child would free it.
    os.register_at_fork(after_in_child=_new_lock)


@contextmanager
def global_generators(seed: int) -> Iterator[None]:
    """Seed torch's global generators inside the block and restore them after it.

    Parameters
    ----------
    seed : int
        The seed.
    """
    with _LOCK, torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def resolve_device(device: str | torch.device) -> torch.device:
    """Turn the parameter ``device`` into a device that exists here.

    Parameters
    ----------
    device : str or torch.device
        ``"auto"`` takes a GPU if there is one.

    Returns
    -------
    device : torch.device
        The device.

    Raises
    ------
    ValueError
        If the name is unknown or the device is not there.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if device == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    allowed = "'auto', 'cpu', 'cuda', 'cuda:<index>' or 'mps'"
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device={device!r} is not known. Use {allowed}.") from error
    if found.type not in ("cpu", "cuda", "mps"):
        raise ValueError(f"device={device!r} is not supported. Use {allowed}.")
    if found.type == "mps" and not mps:
        raise ValueError(f"device={device!r}: there is no MPS device here. Use device='auto'.")
    if found.type == "cuda":
        count = torch.cuda.device_count() if cuda else 0
        if (found.index or 0) >= count:
            raise ValueError(
                f"device={device!r}: {count} CUDA devices are available here. Use device='auto', "
                "or 'cpu'."
            )
    return found
