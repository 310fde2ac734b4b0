"""Device, precision, threads and seeds: one policy, in one place."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from joblib.parallel import get_active_backend

PRECISIONS = ("auto", "bfloat16", "float32", "float64")

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


class _Thread(threading.local):
    """What a thread holds of it."""

    # How many blocks of limited threads, and of global generators, it is in.
    depth = 0
    n_held = 0
    # The states of the generators before the outermost of these, and the GPUs among them.
    gpus: list[torch.device]
    outer: list[torch.Tensor]


_THREAD = _Thread()


def _after_fork() -> None:
    global _PROCESS
    _PROCESS = _Process(forked=True)


if hasattr(os, "register_at_fork"):
    # A fork copies a lock that another thread holds, and nobody in the child would free it.
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def global_generators(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators inside the block and restore them after it."""
    gpus = [device] if device.type == "cuda" else []
    with _PROCESS.lock, torch.random.fork_rng(devices=gpus):
        if not _THREAD.n_held:
            _THREAD.gpus, _THREAD.outer = gpus, _states(gpus)
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        _THREAD.n_held += 1
        try:
            yield
        finally:
            _THREAD.n_held -= 1


@contextmanager
def lent_generators() -> Iterator[None]:
    """Let other threads have torch's global generators inside the block, as they were before.

    For one that holds them and waits for what another thread makes.
    """
    process, n_held = _PROCESS, _THREAD.n_held
    if not n_held:
        yield
        return
    own = _states(_THREAD.gpus)
    _restore(_THREAD.gpus, _THREAD.outer)
    for _ in range(n_held):
        process.lock.release()
    try:
        yield
    finally:
        for _ in range(n_held):
            process.lock.acquire()
        _restore(_THREAD.gpus, own)


def _states(gpus: list[torch.device]) -> list[torch.Tensor]:
    return [torch.get_rng_state(), *map(torch.cuda.get_rng_state, gpus)]


def _restore(gpus: list[torch.device], states: list[torch.Tensor]) -> None:
    torch.set_rng_state(states[0])
    for gpu, state in zip(gpus, states[1:], strict=True):
        torch.cuda.set_rng_state(state, gpu)


@contextmanager
def limited_threads(n_products: float) -> Iterator[None]:
    """Let torch use one thread inside the block where more would not help, or do harm.

    That is for small batches, in a worker thread of joblib, whose siblings have the other cores,
    and in a forked process, where a pool of threads that the parent has used would hang. A worker
    process of loky has its share of the cores from joblib itself. What decides is fixed: nothing is
    timed, so that equal calls give equal bits.
    """
    in_worker_thread = (
        threading.current_thread() is not threading.main_thread()
        and get_active_backend()[0].nesting_level > 0
    )
    if not (n_products < _SMALL or in_worker_thread or _PROCESS.forked):
        yield
        return
    process = _PROCESS
    depth = _THREAD.depth
    _THREAD.depth = depth + 1
    with process.threads_lock:
        # The first look of a thread at the setting fixes it; else a sibling could change it below.
        n_threads = torch.get_num_threads()
        if process.n_limited == 0 and not in_worker_thread:
            process.n_threads = n_threads
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


@contextmanager
def held_interrupts() -> Iterator[None]:
    """Let Ctrl-C wait until the block has ended."""
    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    if not (in_main and callable(handler)):
        yield
        return
    held: list[Any] = []
    signal.signal(signal.SIGINT, lambda *args: held.append(args))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if held:
            handler(*held[0])


def resolve_device(device: str | torch.device, precision: str = "float32") -> torch.device:
    """Turn the parameter ``device`` into a device that exists here, with its index."""
    allowed = "'auto', 'cpu', 'cuda', 'cuda:<index>' or 'mps'"
    try:
        found = torch.device(_automatic() if device == "auto" else device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device={device!r} is not known. Use {allowed}.") from error
    if found.type not in ("cpu", "cuda", "mps"):
        raise ValueError(f"device={device!r} is not supported. Use {allowed}.")
    # A process that only uses the CPU asks nothing of CUDA, so that what it forks may use it.
    if found.type == "cpu":
        return found
    if found.type == "mps":
        if not torch.backends.mps.is_available():
            raise ValueError(f"device={device!r}: there is no MPS device here. Use device='auto'.")
        if precision == "float64":
            raise ValueError(
                "precision='float64' does not exist on device='mps'. Use precision='float32', or "
                "device='cpu'."
            )
        return torch.device("mps", 0)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (found.index or 0) >= count:
        raise ValueError(
            f"device={device!r}: {count} CUDA devices are available here. Use device='auto', "
            "or 'cpu'."
        )
    # Without an index it would be another one where the caller makes another current.
    return torch.device("cuda", torch.cuda.current_device() if found.index is None else found.index)


def _automatic() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def fits(n_bytes: int, device: torch.device) -> bool:
    """Whether data take at most half of the memory of a GPU that is free."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    # What torch holds and does not use is free too.
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return n_bytes <= (free + unused) / 2


def resolve_precision(precision: str, device: torch.device) -> torch.dtype | None:
    """Return the type that the products of training are cast to; None for that of the weights."""
    if precision == "auto":
        precision = "bfloat16" if has_native_bfloat16(device) else "float32"
    return torch.bfloat16 if precision == "bfloat16" else None


def has_native_bfloat16(device: torch.device) -> bool:
    """Whether a CPU has AVX512-BF16 or AMX, a GPU CUDA capability 8 or higher."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        # Torch tells it by these names only; a version without them is taken to have neither.
        probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, probe, bool)() for probe in probes)
    return False
