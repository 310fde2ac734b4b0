"""What scikit-learn's messages about data leave open: which column, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy import sparse

# What the errors of conversions to numbers say.
_OF_CONVERSION = ("convert", "promoted", "a real number", "parse")


@contextmanager
def explained(estimator: Any, X: Any) -> Iterator[None]:
    """Add the columns and a remedy to an error that a check of X raises in the block."""
    try:
        yield
    except (ValueError, TypeError) as error:
        message, name = str(error), type(estimator).__name__
        if message.startswith("Found array with dim"):
            message += f" Lay each image or series in a row: {_flattened(np.shape(X))}."
        elif "contains NaN" in message:
            message = (
                f"Input X contains NaN{_columns(X, _has_gaps)}. {name} does not accept missing "
                "values: put a SimpleImputer in front."
            )
        elif any(word in message for word in _OF_CONVERSION) and (text := _columns(X, _is_text)):
            message = (
                f"{name} takes numbers, but X holds something else{text}: "
                f"{message.splitlines()[0][:100]}. Encode categories, as OneHotEncoder does, and "
                "make numbers of dates, such as days since the first."
            )
        else:
            raise
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(message) from error


def _flattened(shape: tuple[int, ...]) -> str:
    """Say how to flatten a stack, of images with channels first too."""
    channels_first = len(shape) == 4 and shape[1] in (1, 3, 4) and shape[3] not in (1, 3, 4)
    return f"X{'.transpose(0, 2, 3, 1)' if channels_first else ''}.reshape(len(X), -1)"


def _columns(X: Any, is_meant: Callable[[np.ndarray], bool]) -> str:
    """Say in which columns a test holds; nothing where X has none or it holds in none."""
    is_frame = hasattr(X, "columns")
    if sparse.issparse(X) or (not is_frame and np.ndim(X) != 2):
        return ""
    X = X if is_frame or isinstance(X, np.ndarray) else np.asarray(X, dtype=object)
    labels = list(X.columns) if is_frame else range(X.shape[1])
    found = [i for i in labels if is_meant(np.asarray(X[i] if is_frame else X[:, i]))]
    more = f" and {len(found) - 5} others" if len(found) > 5 else ""
    columns = "column" if len(found) == 1 else "columns"
    return f", in {columns} {', '.join(map(repr, found[:5]))}{more}" if found else ""


def _is_text(column: np.ndarray) -> bool:
    if column.dtype.kind in "biuf":
        return False
    try:
        column.astype(np.float64)
    except (ValueError, TypeError):
        return True
    return column.dtype.kind in "mM"


def _has_gaps(column: np.ndarray) -> bool:
    return _is_text(column) or bool(np.isnan(column.astype(np.float64)).any())
