"""A thousand calls of partial_fit: the last must cost what the first did."""

import statistics
from time import perf_counter

import numpy as np
from cases import digits

from sklearn_ae import Autoencoder

TITLE = "`partial_fit`, call after call"
NOTE = (
    "Each call takes one step on 128 rows. The ratio is that of the last hundred calls to the "
    "first hundred, medians; range over the rounds."
)


def run(quick):
    """Return the rows."""
    n_calls, n_rounds = (300, 1) if quick else (1000, 3)
    case = digits()
    rounds = [_calls(case, n_calls) for _ in range(n_rounds)]
    first = [statistics.median(seconds[:100]) for seconds in rounds]
    last = [statistics.median(seconds[-100:]) for seconds in rounds]
    ratios = [b / a for a, b in zip(first, last, strict=True)]
    name = f"digits 128 x 64 -> 128, {n_calls:,} calls"
    yield {"case": name, "name": "first hundred", "seconds": statistics.median(first)}
    yield {
        "case": name,
        "name": "last hundred",
        "seconds": statistics.median(last),
        "of": "first hundred",
        "ratio": [statistics.median(ratios), min(ratios), max(ratios)],
        "limit": 1.1,
    }


def _calls(case, n_calls):
    model = Autoencoder(case.n_components, batch_size=128, random_state=0)
    rng, seconds = np.random.default_rng(0), []
    model.partial_fit(case.X[:128])
    for _ in range(n_calls):
        X = case.X[rng.integers(0, len(case.X), 128)]
        begin = perf_counter()
        model.partial_fit(X)
        seconds.append(perf_counter() - begin)
    return seconds
