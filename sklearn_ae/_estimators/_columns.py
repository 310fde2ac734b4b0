"""Columns of tables in any container: read as floats, dates or objects, with their gaps."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, timedelta
from numbers import Number

import numpy as np
from sklearn.utils.validation import validate_data

from sklearn_ae._sklearn._checks import is_dask
from sklearn_ae._sklearn._compat import safe_indexing

_GAPS = {"NoneType", "NAType", "NaTType"}
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?")
_KINDS = {"f": "numbers", "M": "dates", "m": "durations"}


def checked_table(estimator, X, reset):
    """Return a frame as it is, and all else as an array."""
    name = type(estimator).__name__
    if is_dask(X):
        raise TypeError(
            f"{name} takes nothing of dask here, got {type(X).__name__}: give X.compute(), or some "
            "of its rows."
        )
    if hasattr(X, "columns"):
        if not (hasattr(X, "iloc") or hasattr(X, "replace_column")):
            raise TypeError(
                f"{name} takes frames of pandas and polars, and arrays, got {type(X).__name__} of "
                f"{type(X).__module__.partition('.')[0]}."
            )
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        if not X.shape[0]:
            raise ValueError(
                f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required "
                f"by {name}."
            )
        return X
    # Numbers in a list stay numbers beside text.
    dtype = None if hasattr(X, "dtype") else object
    return validate_data(estimator, X, dtype=dtype, ensure_all_finite="allow-nan", reset=reset)


def name_of(X, k):
    """Return the name of a column, or its place where there are no names."""
    return X.columns[k] if hasattr(X, "columns") else k


def read_column(X, k, kind=None):
    """Return a column as floats, as dates or times in its own unit, or as objects and None.

    As objects where it is of kind "O"; for every other, the values decide.
    """
    column = safe_indexing(X, k, axis=1)
    if kind == "O" or (hasattr(column, "iloc") and hasattr(column.dtype, "categories")):
        return _objects(column.astype(object) if hasattr(column, "iloc") else column)
    if time_zone(column.dtype) is not None:
        column = column.dt.tz_convert(None)
    values = np.asarray(column)
    if values.dtype.kind in "mM":
        return values
    if values.dtype.kind in "iuf":
        return values.astype(np.float64)
    values = _objects(values)
    known = [value for value in values if value is not None]
    if not known:
        return values
    if all(isinstance(value, Number) and not isinstance(value, bool) for value in known):
        return values.astype(np.float64)
    if all(isinstance(value, str) and _ISO_DATE.fullmatch(value) for value in known):
        # There may be no such day.
        with suppress(ValueError):
            return np.array(values.tolist(), dtype="datetime64[us]")
    for type_, dtype in ((date, "datetime64"), (timedelta, "timedelta64")):
        if all(isinstance(value, type_) for value in known):
            return np.array(list(map(_without_zone, values)), dtype=dtype)
    return values


def gaps_of(values):
    """Return where what :func:`read_column` gave has no value."""
    return np.equal(values, None) if values.dtype == object else np.isnan(values)


def as_text(value):
    """Return the name of a category: of 1.0, which gaps make of 1 in a column, it is that of 1."""
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if is_whole else str(value)


def as_floats(values, name, kind):
    """Return numbers, or dates in microseconds, as floats, if they are of the kind of fit."""
    held = f"Column {name!r} of X held {_KINDS[kind]} in fit, and now holds "
    now = values.dtype.kind
    # Numbers in text are numbers, but years in it are no dates.
    if len(values) and now != kind and (now in _KINDS or kind != "f"):
        raise ValueError(f"{held}{_KINDS.get(now, 'something else')}.")
    if values.dtype.kind in "mM":
        values = values.astype(f"{values.dtype.kind}8[us]").astype(np.int64)
    try:
        floats = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{held}something else: {error}.") from error
    if np.isinf(floats).any():
        raise ValueError(f"Column {name!r} of X contains infinity.")
    return floats


def time_zone(dtype):
    """Return the time zone of a column of pandas, or None."""
    return getattr(dtype, "tz", getattr(getattr(dtype, "pyarrow_dtype", None), "tz", None))


def _without_zone(moment):
    if getattr(moment, "tzinfo", None) is None:
        return moment
    return moment.astimezone(UTC).replace(tzinfo=None)


def _objects(values):
    """Return values as objects, None for every kind of gap."""
    return np.array(
        [None if _is_gap(value) else value for value in np.asarray(values, dtype=object)] + [None],
        dtype=object,
    )[:-1]


def _is_gap(value):
    # NaN alone differs from itself.
    is_nan = isinstance(value, Number) and value != value
    return is_nan or type(value).__name__ in _GAPS
