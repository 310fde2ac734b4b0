"""Frames of dask: a sample of rows to learn from, and methods applied to each of their parts."""

from __future__ import annotations

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
    from dask.delayed import delayed

    sent_one = sent(estimator, method)
    # Columns that are new or gone are refused here.
    meta = getattr(sent_one, method)(X._meta_nonempty)[:0]
    return X.map_partitions(_of_part, delayed(sent_one, traverse=False), method, meta, meta=meta)


def _of_part(part: Any, estimator: Any, method: str, empty: Any) -> Any:
    if not len(part):
        return empty
    with one_thread():
        return getattr(estimator, method)(part)
