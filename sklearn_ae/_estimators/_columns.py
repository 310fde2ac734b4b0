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
_KINDS = {"f": "numbers", "M": "dates", "m": "durations", "T": "dates"}


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

    As objects where it is of kind "O", and where it was text of dates, kind "T", what is none is a
    gap; for every other, the values decide.
    """
    column = safe_indexing(X, k, axis=1)
    is_pandas_category = hasattr(column, "iloc") and hasattr(column.dtype, "categories")
    is_polars_category = str(column.dtype).startswith(("Categorical", "Enum"))
    if kind == "O" or is_pandas_category or is_polars_category:
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
    if kind == "T" or all(map(_is_date_text, known)):
        dates = [value if kind != "T" or _is_date_text(value) else None for value in values]
        return np.array(dates, dtype="datetime64[us]")
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


def _is_date_text(value):
    if not (isinstance(value, str) and _ISO_DATE.fullmatch(value)):
        return False
    with suppress(ValueError):
        # There may be no such day.
        return not np.isnat(np.datetime64(value, "us"))
    return False


def kind_of(X, k, column):
    """Return the kind by which later tables are read, of a column that has a value."""
    if column.dtype.kind != "M":
        return column.dtype.kind
    raw = safe_indexing(X, k, axis=1)
    return "T" if any(isinstance(value, str) for value in raw) else "M"


def format_of(X, k):
    """Return the unit to which dates are given in text, and what stands before the time."""
    longest = max((v for v in safe_indexing(X, k, axis=1) if isinstance(v, str)), key=len)
    unit = {10: "D", 16: "m", 19: "s"}.get(len(longest), "us")
    return unit, "T" if "T" in longest else " "


def as_floats(values, name, kind):
    """Return numbers, or dates in microseconds, as floats, if they are of the kind of fit."""
    held = f"Column {name!r} of X held {_KINDS[kind]} in fit, and now holds "
    now = values.dtype.kind
    # Numbers in text are numbers, but years in it are no dates.
    if len(values) and now != kind.replace("T", "M") and (now in _KINDS or kind != "f"):
        raise ValueError(f"{held}{_KINDS.get(now, 'something else')}.")
    if now in "mM":
        values = values.astype(f"{now}8[us]").astype(np.int64)
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
