"""A device that is not there: memory of the CPU, part of which counts as the device's."""

from collections import Counter
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode

CPU = torch.device("cpu")
# What needs a value on the host, which then waits for the device.
READS = {"item", "tolist", "nonzero", "equal", "unique", "__bool__", "__int__", "__float__"}
# What torch does not have on MPS, on CUDA not under deterministic algorithms, or on neither.
REFUSED = {"kthvalue", "cumsum", "adaptive_avg_pool2d", "random_", "numpy", "__array__"}
RealGenerator, real_autocast = torch.Generator, torch.autocast


def tensors_in(values):
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, tuple | list):
        yield from (tensor for value in values for tensor in tensors_in(value))


def place_of(tensor):
    return getattr(tensor.untyped_storage(), "place", CPU)


def marked(result, place):
    """Mark the memory of tensors, which views share."""
    for tensor in tensors_in(result):
        assert getattr(place, "type", None) != "mps" or tensor.dtype != torch.float64
        tensor.untyped_storage().place = place
    return result


class Generator(RealGenerator):
    def __new__(cls, device="cpu"):
        return RealGenerator.__new__(cls, "cpu")

    def __init__(self, device="cpu"):
        self.place = CPU if str(device) == "cpu" else torch.device(torch.device(device).type, 0)

    device = property(lambda self: self.place)


class SimulatedDevice(TorchFunctionMode):
    """Refuses what torch refuses of tensors on two devices, and counts what the host waits for."""

    def __init__(self, kind):
        super().__init__()
        self.place, self.waits = torch.device(kind, 0), Counter()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), getattr(function, "__name__", "")
        own = args[0] if args and isinstance(args[0], torch.Tensor) else None
        here = CPU if own is None else place_of(own)
        if name == "__get__":
            is_device = function.__self__.__name__ == "device"
            return here if is_device else marked(function(*args), here)
        if name in ("_parse_to", "__set__", "_has_compatible_shallow_copy_type"):
            return function(*args, **kwargs)
        if name in ("to", "cpu"):
            return self.moved(own, *(args[1:] if name == "to" else ["cpu"]), **kwargs)
        if name == "pin_memory":
            return marked(own.clone(), "pinned")
        given = list(tensors_in([args, *kwargs.values()]))
        on_device = any(place_of(tensor) == self.place for tensor in given)
        device = kwargs.pop("device", None) or (self.place if on_device else CPU)
        place = CPU if torch.device(device).type == "cpu" else self.place
        if kwargs.get("generator") is not None:
            assert kwargs["generator"].device == place, f"{name}: a generator elsewhere"
        if on_device:
            assert name not in REFUSED, f"{name} on {self.place}"
            assert not kwargs.get("replacement"), "multinomial adds up as cumsum does"
            indexes = name in ("__getitem__", "__setitem__")
            mixed = any(place_of(tensor) != self.place and tensor.dim() for tensor in given)
            allowed = name == "copy_" or (indexes and here == self.place)
            assert allowed or not mixed, f"{name} mixes devices"
            masks = indexes and any(t.dtype == torch.bool for t in tensors_in([args[1]]))
            self.waits.update([name] * (name in READS or masks or mixed))
        result = function(*args, **kwargs)
        return result if name == "copy_" else marked(result, place)

    def moved(self, tensor, *args, **kwargs):
        here, non_blocking = place_of(tensor), False
        if args and isinstance(args[0], torch.Tensor):
            device, dtype = place_of(args[0]), args[0].dtype
        else:
            device, dtype, non_blocking, _ = torch._C._nn._parse_to(*args, **kwargs)
        there = here if device is None else CPU if device.type == "cpu" else self.place
        cast = tensor if dtype in (None, tensor.dtype) else marked(tensor.to(dtype), here)
        if here == there:
            return cast
        self.waits.update([f"to {there}"] * (here != "pinned" or not non_blocking))
        return marked(cast.clone(), there)


@contextmanager
def simulated(kind="cuda"):
    """Let a device be available inside the block; what is yielded counts the waits."""
    cuda = {
        "is_available": lambda: kind == "cuda",
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "mem_get_info": lambda device: (2**40, 2**40),
        "get_rng_state": lambda device: torch.get_rng_state(),
        "set_rng_state": lambda state, device: None,
        "manual_seed": lambda seed: None,
        "device": nullcontext,
    }
    with (
        patch.multiple(torch.cuda, **cuda),
        patch.object(torch.backends.mps, "is_available", lambda: kind == "mps"),
        patch.multiple(torch, Generator=Generator, autocast=lambda _, t: real_autocast("cpu", t)),
        SimulatedDevice(kind) as device,
    ):
        yield device
