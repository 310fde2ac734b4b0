"""Frames of dask: a sample of rows to learn from, and methods applied to each of their parts."""

from __future__ import annotations

from functools import partial
from typing import Any

from sklearn_ae._compute._dask import one_thread, sent


def is_frame(X: Any) -> bool:
    """Whether a collection of dask is a frame."""
    return hasattr(X, "map_partitions") and hasattr(X, "columns")


def sampled(X: Any, n_rows: int, seed: int) -> Any:
    """Return about that many rows of a frame, drawn at random from all of its parts, in memory."""
    n_all = len(X)
    return (
        X.compute()
        if n_all <= n_rows
        else X.sample(frac=n_rows / n_all, random_state=seed).compute()
    )


def by_part(estimator: Any, method: str, X: Any) -> Any:
    """Apply a method of a fitted estimator to each part of a frame, once it is computed."""
    copied = sent(estimator, method)
    # A row of gaps, of any type: columns that are new or gone are refused here.
    empty = getattr(copied, method)(X._meta.reindex([0]))[:0]
    if method != "transform":
        empty = X._meta
    return X.map_partitions(partial(_of_part, copied, method, empty), meta=empty)


def _of_part(estimator: Any, method: str, empty: Any, part: Any) -> Any:
    if not len(part):
        return empty
    with one_thread():
        return getattr(estimator, method)(part)
