"""Columns of tables written back: other values in a copy, in the types that it had."""

from __future__ import annotations

from datetime import UTC

import numpy as np

from sklearn_ae._estimators._columns import gaps_of, read_column, time_zone
from sklearn_ae._sklearn._compat import safe_indexing


def replaced(X, columns, gaps_only):
    """Return a copy of a table with other values in some of its columns, of the same types.

    Only a type that can't hold what is filled in gives way, such as that of an empty column.
    """
    is_array = isinstance(X, np.ndarray)
    copied = X.clone() if hasattr(X, "replace_column") else X.copy()
    if is_array and any(values.dtype == object for values in columns.values()):
        copied = copied.astype(object)
    for k, values in columns.items():
        old, read = safe_indexing(X, k, axis=1), read_column(X, k)
        where = gaps_of(read) | (not gaps_only)
        if not where.any():
            continue
        new = _of_type(old, read, values)
        if is_array:
            copied[where, k] = new[where]
        elif hasattr(old, "iloc"):
            new = type(old)(new, index=old.index, name=old.name)
            old = _widened_pandas(old, new[where])
            copied.isetitem(k, new.astype(old.dtype).where(where, old))
        else:
            new = type(old)(old.name, new.tolist())
            old = _widened_polars(old, new.filter(where))
            copied.replace_column(k, new.cast(old.dtype).zip_with(type(old)(where), old))
    if is_array and X.dtype.kind in "bU":
        copied = copied.astype(bool if X.dtype.kind == "b" else str)
    return copied


def _widened_pandas(column, values):
    """Return a column in a type that can hold values."""
    if hasattr(column.dtype, "categories"):
        new = values[~values.isin(column.cat.categories)].unique()
        return column.cat.add_categories(new) if len(new) else column
    is_narrow = column.dtype.kind in "biufmM" and values.infer_objects().dtype.kind == "O"
    return column.astype(object) if is_narrow else column


def _widened_polars(column, values):
    """Return a column in a type that can hold values."""
    holds_text = values.dtype == type(values)(["text"]).dtype
    is_narrow = column.dtype.is_numeric() or str(column.dtype) in ("Null", "Boolean")
    if str(column.dtype).startswith("Enum"):
        is_narrow = not {*values} <= {*column.dtype.categories}
    if is_narrow and (holds_text or str(column.dtype) == "Null"):
        return column.cast(values.dtype)
    return column


def _of_type(column, read, values):
    """Return floats as whole numbers where a column holds these, or as its dates."""
    dtype = column.dtype
    if values.dtype == object:
        return values
    if read.dtype.kind in "mM":
        values = np.rint(values).astype(f"{read.dtype.kind}8[us]").astype(read.dtype)
        # Integers are free of the time zone, which is part of a type.
        holds_objects = time_zone(dtype) is None and np.asarray(column).dtype == object
        if not holds_objects:
            return values.astype(np.int64)
        zone = next((v.tzinfo for v in column if getattr(v, "tzinfo", None) is not None), None)
        moments = values.astype(object)
        if zone is not None:
            moments = [moment.replace(tzinfo=UTC).astimezone(zone) for moment in moments]
        return np.array([*moments, None], dtype=object)[:-1]
    is_whole = dtype.is_integer() if hasattr(dtype, "is_integer") else dtype.kind in "iu"
    return np.rint(values) if is_whole else values
