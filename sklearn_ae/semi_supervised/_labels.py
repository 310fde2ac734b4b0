"""Which rows of y have no label, and the labels of the others."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.utils import indexable

from sklearn_ae._sklearn._compat import MissingValues, safe_indexing, validate_params
from sklearn_ae._sklearn._warnings import warn


@validate_params(
    {"y": "no_validation", "unlabeled": [MissingValues()]}, prefer_skip_nested_validation=True
)
def is_unlabeled(y, unlabeled="auto"):
    """Tell which rows of y hold the marker of a missing label instead of a label.

    :class:`LabeledOnly` and :class:`SemiSupervisedSplit` go by it.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels or targets: a list, an array, or a series or data frame of pandas or polars.

    unlabeled : "auto", int, float, str, NaN, `pandas.NA` or None, default="auto"
        The marker. `"auto"` goes by the type of `y`:

        ======================  ======================  ================================
        type of `y`             marker                  not a marker
        ======================  ======================  ================================
        integer                 -1, missing value       any other integer
        float                   missing value           -1.0, which is a target
        object, string          missing value, -1       `"-1"`, which is an error
        boolean                 missing value
        ======================  ======================  ================================

        A missing value is NaN, `None`, `pandas.NA` or a null of polars. A list has the type that
        NumPy gives it, except that numbers beside strings stay numbers, and an object array of
        numbers and missing values has the type of its numbers. `"-1"` is an error because it is
        what NumPy makes of the -1 in `["cat", "dog", -1]`: it is a marker or a class, and only
        `unlabeled="-1"` or `unlabeled=None` can say which.

        `None` marks nothing, NaN and `pandas.NA` stand for any missing value, and any other value
        is compared by `==`. A marker that is literally the string `"auto"` can't be expressed.

    Returns
    -------
    unlabeled_rows : ndarray of shape (n_samples,) and dtype bool
        Whether each row is unlabeled. With several outputs a row is unlabeled when all of them
        are marked.

    Raises
    ------
    ValueError
        If `y` is None or has not one or two dimensions, if only some outputs of a row are marked,
        or if `y` holds `"-1"` and `unlabeled="auto"`.
    TypeError
        If `y` is sparse.

    See Also
    --------
    LabeledOnly : Fit an estimator on the labeled rows.
    SemiSupervisedSplit : Cross-validate on the labeled rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ae.semi_supervised import is_unlabeled
    >>> is_unlabeled([2, 0, -1])
    array([False, False,  True])
    >>> is_unlabeled([0.5, -1.0, np.nan])
    array([False, False,  True])
    >>> is_unlabeled(["cat", "dog", -1])
    array([False, False,  True])
    >>> is_unlabeled(["cat", "dog", "?"], unlabeled="?")
    array([False, False,  True])
    """
    marks = _marks(as_array(y), unlabeled)
    if marks.ndim == 1:
        return marks
    rows = marks.all(axis=1)
    partly = np.flatnonzero(marks.any(axis=1) & ~rows)
    if partly.size:
        raise ValueError(
            f"Row {partly[0]} of y has some outputs that are marked as unlabeled and some that are "
            f"not (unlabeled={unlabeled!r}). Mark all outputs of a row or none of them, or set "
            "`unlabeled=None` if these values are targets."
        )
    return rows


def as_array(y):
    """Convert y to an array in which integers, booleans, strings and missing values stay apart."""
    if y is None:
        raise ValueError(
            "To tell labeled from unlabeled rows requires y to be passed, but the target y is None."
        )
    if sparse.issparse(y):
        raise TypeError("A sparse y can't be searched for a marker; pass y.toarray() instead.")
    if hasattr(y, "columns"):
        # pandas by position, since names may be repeated there.
        columns = (
            [y.iloc[:, i] for i in range(y.shape[1])]
            if hasattr(y, "iloc")
            else [y[name] for name in y.columns]
        )
        labels = np.column_stack([as_array(column).astype(object) for column in columns])
    elif not isinstance(getattr(y, "dtype", np.dtype(object)), np.dtype):
        # pandas extension types, polars, torch. As an array, a missing integer would be a float.
        labels = np.array(y.tolist() if hasattr(y, "tolist") else y.to_list(), dtype=object)
    else:
        labels = np.asarray(y)
        if labels.dtype.kind in "US" and not hasattr(y, "dtype"):
            # NumPy made strings of numbers that stand beside strings.
            mixed = np.array(y, dtype=object)
            if not all(isinstance(label, str) for label in mixed.flat):
                labels = mixed
    if labels.ndim not in (1, 2):
        raise ValueError(f"y should be a 1d or 2d array, got an array of shape {labels.shape}.")
    return _with_type_of_labels(labels)


def _with_type_of_labels(labels):
    """Give an object array of numbers or booleans the type of these."""
    if labels.dtype.kind != "O":
        return labels
    typed = np.array(labels.tolist())
    has_missing = typed.dtype.kind == "f" and np.isnan(typed).any()
    return typed if typed.dtype.kind in "biuf" and not has_missing else labels


def labeled_part(X, labels, params, *, unlabeled, sample_properties=(), whole_numbers=False):
    """Cut X, its labels and what `params` holds for each row to the labeled rows."""
    marked = is_unlabeled(labels, unlabeled)
    per_row = {"sample_weight", "groups", *sample_properties}
    names = [name for name in params if name in per_row or name.rpartition("__")[2] in per_row]
    rows, _, *values = indexable(X, labels, *(params[name] for name in names))
    if not marked.any():
        return X, labels, params
    check_some_are_labeled(marked, unlabeled)
    labeled = np.flatnonzero(~marked)
    cut = [None if value is None else safe_indexing(value, labeled) for value in values]
    return (
        safe_indexing(rows, labeled),
        labels_at(labels, labeled, whole_numbers=whole_numbers),
        params | dict(zip(names, cut, strict=True)),
    )


def labels_at(labels, rows, *, whole_numbers=False):
    """Take the labels of some rows, in the type that they have without the markers."""
    labels = _with_type_of_labels(labels[rows])
    if whole_numbers and labels.dtype.kind == "f":
        exact = np.abs(labels.astype(np.float64)) < 2**53
        if (exact & (labels == np.floor(labels))).all():
            labels = labels.astype(np.int64)
    return labels


def _marks(labels, unlabeled):
    """Compare each entry of an array with the marker."""
    if unlabeled is None:
        return np.zeros(labels.shape, dtype=bool)
    if labels.dtype.kind in "biuf":
        if is_auto(unlabeled):
            unlabeled = -1 if labels.dtype.kind == "i" else np.nan
        return np.isnan(labels) if is_missing(unlabeled) else labels == unlabeled
    values = labels.ravel().tolist()
    if is_auto(unlabeled):
        if any(isinstance(value, str) and value == "-1" for value in values):
            raise ValueError(
                "y holds the string '-1', which is what NumPy makes of a -1 beside strings. Set "
                "`unlabeled='-1'` if it marks the rows without a label, `unlabeled=None` if it is "
                "a class."
            )
        integers = not any(_is_float(value) for value in values if not is_missing(value))
        marks = [
            is_missing(value) or (integers and isinstance(value, Integral) and value == -1)
            for value in values
        ]
    elif is_missing(unlabeled):
        marks = [is_missing(value) for value in values]
    else:
        marks = [not is_missing(value) and value == unlabeled for value in values]
    return np.array(marks, dtype=bool).reshape(labels.shape)


def _is_float(value):
    """Tell a real number of a type that is not for integers."""
    return isinstance(value, Real) and not isinstance(value, Integral)


def is_missing(value):
    """Tell None, NaN of any float type, and NA and NaT of pandas, without importing pandas."""
    not_available = type(value).__name__ in ("NAType", "NaTType")
    return value is None or not_available or (_is_float(value) and value != value)


def is_auto(unlabeled):
    """Tell whether the marker is to be chosen by the type of y."""
    return isinstance(unlabeled, str) and unlabeled == "auto"


def check_some_are_labeled(unlabeled_rows, unlabeled):
    """Refuse a y in which every row is marked."""
    if len(unlabeled_rows) and unlabeled_rows.all():
        allowed = (
            " (-1 among integers, NaN among floats, None, NaN, NA or -1 among objects)"
            if is_auto(unlabeled)
            else ""
        )
        raise ValueError(
            f"No row of y is labeled: all {len(unlabeled_rows)} are marked by "
            f"unlabeled={unlabeled!r}{allowed}. At least one row must hold a label; set "
            "`unlabeled` to another marker, or to None if every value is a label."
        )


def warn_of_minus_one(labels, unlabeled):
    """Warn of a -1 among the classes, other than -1 and 1, that nothing says to be one."""
    if not (unlabeled is None or is_auto(unlabeled)) or labels.dtype.kind not in "if":
        return
    classes = np.unique(labels)
    if -1 in classes and not np.array_equal(classes, [-1, 1]):
        others = f"{len(classes) - 1} other number{'s' * (len(classes) != 2)}"
        warn(
            f"y holds -1 beside {others}, and unlabeled={unlabeled!r} takes it for a class. Set "
            "`unlabeled=-1` if it marks the rows without a label."
        )
