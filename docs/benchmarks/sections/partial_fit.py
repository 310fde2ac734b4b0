"""A thousand calls of partial_fit: the last must cost what the first did."""

import math
import statistics
from time import perf_counter

import numpy as np
from cases import digits
from contenders import ours
from timing import Timing, row

from sklearn_ae import Autoencoder

TITLE = "`partial_fit`, call after call"
NOTE = (
    "Each call takes one step on 128 rows. The last hundred calls of a model that has had many "
    "alternate with the first hundred of a new one; a round is a hundred of each. For comparison, "
    "a step within a fit."
)


def run(quick):
    """Return the rows."""
    n_calls, n_rounds = (300, 2) if quick else (1000, 5)
    case = digits()
    timings = {"first hundred": [], f"last hundred of {n_calls:,}": []}
    first, last = timings
    for seed in range(n_rounds):
        old, new = (Autoencoder(case.n_components, random_state=seed) for _ in range(2))
        batches = _batches(case, seed)
        for _ in range(n_calls - 100):
            old.partial_fit(next(batches))
        pairs = [[_seconds(model, next(batches)) for model in (new, old)] for _ in range(100)]
        for name, seconds in zip(timings, zip(*pairs, strict=True), strict=True):
            timings[name].append(Timing(statistics.median(seconds)))
    name = f"digits 128 x 64 -> {case.n_components}"
    step = ours(case).epoch / math.ceil(len(case.X) / case.batch_size)
    yield {"case": name, "name": "a step within a fit", "seconds": step}
    yield row(name, first, timings, what="total")
    yield row(name, last, timings, first, what="total", limit=1.1)


def _batches(case, seed):
    rng = np.random.default_rng(seed)
    while True:
        yield case.X[rng.integers(0, len(case.X), case.batch_size)]


def _seconds(model, X):
    begin = perf_counter()
    model.partial_fit(X)
    return perf_counter() - begin
