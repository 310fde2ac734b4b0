"""What importing costs, and what a first fit adds; each in a process of its own."""

import statistics
import subprocess
import sys
from collections import Counter
from functools import partial

from timing import Timing, interleave

TITLE = "Import time"
NOTE = (
    "Each in a new process, interpreter start-up not counted. torch and scikit-learn are what the "
    "package can't do without; the rest waits until something needs it."
)
STATEMENTS = {
    "import torch, sklearn.base, scipy.sparse": "import torch, sklearn.base, scipy.sparse",
    "import sklearn_ae": "import sklearn_ae",
    "import sklearn_ae, skorch": "import sklearn_ae, skorch",
    "import sklearn_ae, skorch, torch._dynamo": "import sklearn_ae, skorch, torch._dynamo",
    "import sklearn_ae, then a first fit": (
        "import numpy, sklearn_ae; "
        "sklearn_ae.Autoencoder(8, max_epochs=1).fit(numpy.eye(8, dtype='float32'))"
    ),
}


def run(quick):
    """Return the rows."""
    contenders = {name: partial(_new_process, code) for name, code in STATEMENTS.items()}
    contenders["import sklearn_ae"](0)
    timings = interleave(contenders, 1 if quick else 5)
    ours = statistics.median(timing.total for timing in timings["import sklearn_ae"])
    for name, runs in timings.items():
        seconds = [timing.total for timing in runs]
        median = statistics.median(seconds)
        note = f"{median - ours:+.2f} s" if name != "import sklearn_ae" else ""
        span = f"{min(seconds):.2f} to {max(seconds):.2f} s"
        yield {"case": "import", "name": name, "seconds": median, "span": span, "note": note}
    for package, seconds in _by_package("import sklearn_ae"):
        yield {"case": "of it, by -X importtime", "name": package, "seconds": seconds}


def _by_package(code, n_most=4):
    """Return the packages whose own modules take the most time to import, and this one."""
    command = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = Counter()
    for line in done.stderr.splitlines()[1:]:
        own, _, name = line.removeprefix("import time:").split("|")
        seconds[name.strip().partition(".")[0]] += int(own) / 1e6
    most = [pair for pair in seconds.most_common(n_most) if pair[0] != "sklearn_ae"]
    return [*most, ("sklearn_ae", seconds["sklearn_ae"])]


def _new_process(code, seed):
    timed = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", timed]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Timing(float(done.stdout))
