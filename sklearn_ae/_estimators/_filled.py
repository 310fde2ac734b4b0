"""Columns of tables written back: other values in a copy, in the types that it had."""

from __future__ import annotations

from datetime import UTC

import numpy as np

from sklearn_ae._estimators._columns import gaps_of, read_column, time_zone
from sklearn_ae._sklearn._compat import safe_indexing


def replaced(X, columns, kinds, gaps_only):
    """Return a copy of a table with other values in some of its columns, of the same types.

    Only a type that can't hold what is filled in gives way, such as that of an empty column.
    """
    is_array = isinstance(X, np.ndarray)
    copied = X.clone() if hasattr(X, "replace_column") else X.copy()
    # Dates in text are text here.
    kinds = {k: kind.replace("T", "O") for k, kind in kinds.items()}
    if is_array and X.dtype != object and "O" in kinds.values():
        copied = copied.astype(object)
    for k, values in columns.items():
        old, read = safe_indexing(X, k, axis=1), read_column(X, k, kinds[k])
        gaps = gaps_of(read)
        where = gaps | (not gaps_only)
        if not where.any():
            continue
        # Of a column that is all gaps the type says nothing.
        is_blank = gaps.all() and read.dtype.kind != kinds[k]
        new = _by_kind(values, kinds[k]) if is_blank else _of_type(old, read, values)
        if is_array:
            copied[where, k] = new[where]
        elif hasattr(old, "iloc"):
            copied.isetitem(k, _in_pandas(old, new, where, is_blank))
        else:
            copied.replace_column(k, _in_polars(old, new, where, is_blank))
    if is_array and X.dtype.kind in "bU":
        copied = copied.astype(bool if X.dtype.kind == "b" else str)
    return copied


def _in_pandas(old, new, where, is_blank):
    """Return a column with some of its values replaced."""
    new = type(old)(new, index=old.index, name=old.name)
    if is_blank or str(old.dtype) == "null[pyarrow]":
        return new.infer_objects()
    old = _widened_pandas(old, new[where])
    # What is not taken may not fit the type.
    return new.where(where, new[where].iloc[0]).astype(old.dtype).where(where, old)


def _in_polars(old, new, where, is_blank):
    """Return a column with some of its values replaced."""
    series = type(old)
    new = series(old.name, new) if new.dtype.kind in "mM" else series(old.name, new.tolist())
    if is_blank or str(old.dtype) == "Null":
        return new
    old = _widened_polars(old, new.filter(where))
    return new.cast(old.dtype, strict=False).zip_with(series(where), old)


def _widened_pandas(column, values):
    """Return a column in a type that can hold values."""
    dtype = column.dtype
    if hasattr(dtype, "categories"):
        new = values[~values.isin(dtype.categories)].unique()
        return column.cat.add_categories(new) if len(new) else column
    if dtype.kind in "biufmM" and any(isinstance(value, str) for value in values):
        return column.astype(object)
    if dtype.kind in "iu":
        limits = np.iinfo(getattr(dtype, "numpy_dtype", dtype))
        if values.min() < limits.min or values.max() > limits.max:
            return column.astype(np.int64 if isinstance(dtype, np.dtype) else "Int64")
    return column


def _widened_polars(column, values):
    """Return a column in a type that can hold values."""
    if column.dtype.is_integer() or str(column.dtype).startswith("Enum"):
        fits = values.cast(column.dtype, strict=False).null_count() == values.null_count()
    else:
        holds_text = values.dtype == type(values)(["text"]).dtype
        fits = not (holds_text and (column.dtype.is_numeric() or str(column.dtype) == "Boolean"))
    if fits:
        return column
    return column.cast(values.cast(int).dtype if values.dtype.is_float() else values.dtype)


def _by_kind(values, kind):
    """Return values in the plainest type of their kind."""
    return np.rint(values).astype(f"{kind}8[us]") if kind in "mM" else values


def _of_type(column, read, values):
    """Return floats as whole numbers where a column holds these, or as its dates."""
    dtype = column.dtype
    if values.dtype == object:
        return values
    if read.dtype.kind in "mM":
        values = _by_kind(values, read.dtype.kind).astype(read.dtype)
        # Integers are free of the time zone, which is part of a type.
        holds_objects = time_zone(dtype) is None and np.asarray(column).dtype == object
        if not holds_objects:
            return values.astype(np.int64)
        moments = values.astype(object)
        zone = next((v.tzinfo for v in column if getattr(v, "tzinfo", None) is not None), None)
        if zone is None:
            return moments
        return np.array([moment.replace(tzinfo=UTC).astimezone(zone) for moment in moments], object)
    is_whole = dtype.is_integer() if hasattr(dtype, "is_integer") else dtype.kind in "iu"
    return np.rint(values) if is_whole else values
