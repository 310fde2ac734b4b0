"""Device, precision, threads and seeds: one policy, in one place."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from joblib.parallel import get_active_backend

__all__ = [
    "PRECISIONS",
    "codes_dtype",
    "fits",
    "global_generators",
    "global_states",
    "limited_threads",
    "resolve_device",
    "resolve_precision",
    "set_global_states",
]

PRECISIONS = ("auto", "bfloat16", "float16", "float32", "float64")

# Multiply-adds of a batch in its widest layer below which a second thread costs more than it
# brings.
_SMALL = 2**20


class _Process:
    """What the threads of this process share."""

    def __init__(self, forked: bool = False) -> None:
        self.forked = forked
        # Whoever seeds torch's global generators must be alone until they are restored.
        self.lock = threading.RLock()
        self.threads_lock = threading.Lock()
        self.n_limited = 0
        self.n_threads = torch.get_num_threads()


_PROCESS = _Process()


def _after_fork() -> None:
    global _PROCESS
    _PROCESS = _Process(forked=True)


if hasattr(os, "register_at_fork"):
    # A fork copies a lock that another thread holds, and nobody in the child would free it.
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def global_generators(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators inside the block and restore them after it.

    Parameters
    ----------
    seed : int
        The seed.

    device : torch.device
        Whose generator is used, besides the one of the CPU. Those of other devices are not
        touched.
    """
    gpus = [device] if device.type == "cuda" else []
    with _PROCESS.lock, torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield


def global_states(device: torch.device) -> list[np.ndarray]:
    """Return the states of torch's global generators, of the CPU and of a GPU in use.

    Parameters
    ----------
    device : torch.device
        The device in use.

    Returns
    -------
    states : list of ndarray
        For :func:`set_global_states`.
    """
    gpus = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [state.numpy() for state in [torch.get_rng_state(), *gpus]]


def set_global_states(states: list[np.ndarray], device: torch.device) -> None:
    """Set what :func:`global_states` gave, as far as the device is of the same kind.

    Parameters
    ----------
    states : list of ndarray
        The states.

    device : torch.device
        The device in use.
    """
    torch.set_rng_state(torch.tensor(states[0]))
    if device.type == "cuda" and len(states) > 1:
        torch.cuda.set_rng_state(torch.tensor(states[1]), device)


# How many blocks of limited threads this thread is in.
_THREAD = threading.local()


@contextmanager
def limited_threads(n_products: int) -> Iterator[None]:
    """Let torch use one thread inside the block where more would not help, or do harm.

    That is for small batches, in a worker thread of joblib, whose siblings have the other cores,
    and in a forked process, where a pool of threads that the parent has used would hang. A worker
    process of loky has its share of the cores from joblib itself. What decides is fixed: nothing is
    timed, so that equal calls give equal bits.

    Parameters
    ----------
    n_products : int
        Multiply-adds of a batch in its widest layer.
    """
    in_worker_thread = (
        threading.current_thread() is not threading.main_thread()
        and get_active_backend()[0].nesting_level > 0
    )
    if not (n_products < _SMALL or in_worker_thread or _PROCESS.forked):
        yield
        return
    process = _PROCESS
    depth = getattr(_THREAD, "depth", 0)
    _THREAD.depth = depth + 1
    with process.threads_lock:
        if process.n_limited == 0 and not in_worker_thread:
            process.n_threads = torch.get_num_threads()
        process.n_limited += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        _THREAD.depth = depth
        with process.threads_lock:
            process.n_limited -= 1
            # OpenMP keeps a setting for each thread, so each has to restore its own, at the end of
            # its outermost block; but a worker thread leaves the library's common one to the last
            # of its siblings.
            if process.n_limited == 0 or (depth == 0 and not in_worker_thread):
                torch.set_num_threads(process.n_threads)


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


def fits(n_bytes: int, device: torch.device) -> bool:
    """Whether data may be kept on a device, with room left for the work on it.

    Parameters
    ----------
    n_bytes : int
        Size of the data.

    device : torch.device
        The device.

    Returns
    -------
    fits : bool
        False for a GPU of which the data would take more than half the memory that is free.
    """
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return n_bytes <= free / 2


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
