"""Device, precision and seeds: one policy, in one place."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["PRECISIONS", "codes_dtype", "global_generators", "resolve_device", "resolve_precision"]

PRECISIONS = ("auto", "bfloat16", "float16", "float32", "float64")

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


def codes_dtype(precision: str) -> type:
    """Return the NumPy type of the codes: float32, but for ``precision="float64"``.

    Parameters
    ----------
    precision : str
        One of ``PRECISIONS``.

    Returns
    -------
    dtype : type
        The type.
    """
    return np.float64 if precision == "float64" else np.float32


def resolve_precision(precision: str, device: torch.device) -> torch.dtype | None:
    """Return the type that the matrix products of training are cast to.

    Parameters
    ----------
    precision : str
        One of ``PRECISIONS``. ``"auto"`` takes bfloat16 where the hardware has it natively.

    device : torch.device
        Where the training runs.

    Returns
    -------
    dtype : torch.dtype or None
        None leaves the products in the type of the weights.
    """
    if precision == "auto":
        precision = "bfloat16" if has_native_bfloat16(device) else "float32"
    return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision)


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 matrices by itself.

    Parameters
    ----------
    device : torch.device
        The device.

    Returns
    -------
    native : bool
        True for a CPU with AVX512-BF16 or AMX and for a GPU of CUDA capability 8 or higher.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        # Torch tells it by these names only; a version without them is taken to have neither.
        probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, probe, bool)() for probe in probes)
    return False
