"""A grid search on two workers against one (bar 7)."""

import warnings
from dataclasses import replace
from functools import partial

import numpy as np
from cases import Missing, digits, fashion
from joblib import Parallel, delayed
from sklearn.model_selection import GridSearchCV
from timing import interleave, row, stopwatch

from sklearn_ae import SparseAutoencoder

TITLE = "Grid search on two workers"
NOTE = (
    "`GridSearchCV` of 8 values of `alpha` x 3 folds; `n_jobs=2` against `n_jobs=1`, whose matrix "
    "products already use every core. The workers are warm: they have fitted once before. New ones "
    "first import torch and scikit-learn, each for itself: a search of 9 tiny fits took 0.3 s with "
    "`n_jobs=1` and 9 s with `n_jobs=2`."
)
ALPHAS = list(np.geomspace(0.03, 1, 8))


def run(quick):
    """Return the rows."""
    if quick:
        return list(_rows(digits(128, epochs=25), 2, 0.65))
    rows = []
    for n_components in (128, 256):
        rows += _rows(digits(n_components), 5, 0.65)
    try:
        rows += _rows(fashion(n_rows=6_000, epochs=2), 2, None)
    except Missing as reason:
        rows.append({"case": "Fashion-MNIST", "skipped": str(reason)})
    return rows


def _rows(case, n_rounds, limit):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # Each worker imports and fits once; they stay for the searches.
        small = replace(case, X=case.X[:400], epochs=1)
        Parallel(n_jobs=2)(delayed(_search)(small, 1, 0) for _ in range(4))
        contenders = {f"n_jobs={n}": partial(_search, case, n) for n in (1, 2)}
        timings = interleave(contenders, n_rounds)
    note = ""
    if any("serial mode" in str(warning.message) for warning in caught):
        note = "joblib ran serially here: no semaphores"
    yield row(case.name, "n_jobs=1", timings, what="total")
    yield row(case.name, "n_jobs=2", timings, "n_jobs=1", what="total", limit=limit, note=note)


def _search(case, n_jobs, seed):
    model = SparseAutoencoder(
        case.n_components, batch_size=case.batch_size, max_epochs=case.epochs, random_state=seed
    )
    search = GridSearchCV(model, {"alpha": ALPHAS}, cv=3, n_jobs=n_jobs, refit=False)
    return stopwatch(search.fit, case.X)
