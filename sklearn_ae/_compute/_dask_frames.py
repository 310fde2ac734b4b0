"""Frames of dask: a sample of rows to learn from, and methods applied to each of their parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_ae._compute._dask import one_thread, sent


def is_frame(X: Any) -> bool:
    """Whether a collection of dask is a frame."""
    return hasattr(X, "map_partitions") and hasattr(X, "columns")


def sampled(X: Any, n_rows: int, seed: int) -> Any:
    """Return about that many rows of a frame, drawn at random from all of its parts, in memory."""
    n_all = len(X)
    some = X if n_all <= n_rows else X.sample(frac=n_rows / n_all, random_state=seed)
    return some.compute()


def by_part(estimator: Any, method: str, X: Any, *, takes_gaps: bool) -> Any:
    """Apply a method of a fitted estimator to each part of a frame, once it is computed.

    The estimator, as it is now, is one node of the graph, so that it is sent to a worker once.
    """
    from dask import array, dataframe
    from dask.delayed import delayed

    copied = sent(estimator, method)
    # A row of any type: columns that are new or gone are refused here.
    probe = X._meta.reindex([0]) if takes_gaps else X._meta_nonempty
    made = getattr(copied, method)(probe)[:0]
    gives_frame = method != "transform"
    empty = X._meta if gives_frame else made
    node = delayed(copied, traverse=False)
    parts = [delayed(_of_part)(part, node, method, empty) for part in X.to_delayed()]
    if gives_frame:
        ends = X.divisions if X.known_divisions else None
        return dataframe.from_delayed(parts, meta=empty, divisions=ends, verify_meta=False)
    shape = (np.nan, empty.shape[1])
    return array.concatenate([array.from_delayed(part, shape, meta=empty) for part in parts])


def _of_part(part: Any, estimator: Any, method: str, empty: Any) -> Any:
    if not len(part):
        return empty
    with one_thread():
        return getattr(estimator, method)(part)
