"""Describe the machine and the versions that a measurement belongs to."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

__all__ = ["describe", "load", "sentence"]

PACKAGES = ("torch", "scikit-learn", "skorch", "numpy", "scipy", "pyod", "sklearn-ae")


def describe():
    """Return the description as a dict of strings and numbers."""
    model, flags = _cpu()
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "avx512_bf16": "avx512_bf16" in flags,
        "amx": "amx_bf16" in flags,
        "ram_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch_threads": torch.get_num_threads(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def sentence(machine):
    """Put the description into words."""
    has = [name for name in ("avx512_bf16", "amx") if machine[name]]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cores']} cores ({', '.join(has) or 'no bfloat16 units'}), "
        f"{machine['ram_gib']} GiB, {machine['system']}; torch uses {machine['torch_threads']} "
        f"threads; Python {machine['python']}, {versions}."
    )


def load():
    """Return the load average of the last minute; above 1 the timings are not to be trusted."""
    return round(os.getloadavg()[0], 1)


def _cpu():
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine(), []
    fields = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    return fields.get("model name", platform.machine()), fields.get("flags", "").split()


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
