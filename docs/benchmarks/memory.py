"""Peak memory of one call above what was there before it; each job in a process of its own.

``python memory.py NAME JSON`` runs a job and prints what it measured as JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import resource
import subprocess
import sys
from pathlib import Path
from time import perf_counter

__all__ = ["measure", "run_job"]

MIB = 2**20


def run_job(name, **arguments):
    """Run a job of ``jobs.py`` in a new process and return what it measured."""
    command = [sys.executable, str(Path(__file__)), name, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}({arguments}) failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(function):
    """Return the result of a call, its seconds, and MiB at the peak above those before."""
    gc.collect()
    _give_back_free_memory()
    before = _status("VmRSS")
    _reset_peak()
    begin = perf_counter()
    result = function()
    seconds = perf_counter() - begin
    return result, seconds, max(0.0, _status("VmHWM") - before) / MIB


def _give_back_free_memory():
    # What malloc keeps of earlier calls would hide what this one takes.
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _reset_peak():
    # Where it is refused, the peak is that of the whole process, an upper bound.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _status(field):
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    line = next(line for line in lines if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    from jobs import JOBS

    print(json.dumps(JOBS[sys.argv[1]](**json.loads(sys.argv[2]))))
