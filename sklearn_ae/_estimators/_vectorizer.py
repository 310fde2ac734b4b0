"""Tables as numbers and back: numbers by rank, categories one-hot, gaps filled and marked."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, timedelta
from numbers import Number

import numpy as np
from scipy.special import ndtri
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.validation import validate_data

from sklearn_ae._sklearn._compat import safe_indexing

_GAPS = {"NoneType", "NAType", "NaTType"}
_KINDS = {"f": "numbers", "M": "dates", "m": "durations"}
# A category of fewer rows is a rare one, and so are those beyond the most frequent ones.
_MIN_FREQUENCY = 5
_MAX_CATEGORIES = 50
# Values of a column that scores are kept for; between them they are interpolated.
_MAX_VALUES = 1000


class NormalScores(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Turn the numbers of a column into the normal scores of their ranks, of unit variance.

    Equal values share the middle of their ranks, so that a value that is frequent at an end of a
    column, as zero often is, lies no further off than other values do. NaN stays.

    Attributes
    ----------
    values_ : ndarray of shape (n_values,)
        Values that occur, in order.

    scores_ : ndarray of shape (n_values,)
        Their scores.
    """

    def fit(self, X, y=None):
        """Learn from a column of shape (n_samples, 1)."""
        X = np.asarray(X, dtype=np.float64)
        values, counts = np.unique(X[~np.isnan(X)], return_counts=True)
        scores = ndtri((counts.cumsum() - counts / 2) / counts.sum())
        scores -= np.average(scores, weights=counts)
        scores /= np.sqrt(np.average(scores**2, weights=counts)) or 1
        if len(values) > _MAX_VALUES:
            kept = np.searchsorted(scores, np.linspace(scores[0], scores[-1], _MAX_VALUES))
            values, scores = values[np.unique(kept)], scores[np.unique(kept)]
        self.values_, self.scores_ = values, scores
        self.n_features_in_ = 1
        return self

    def transform(self, X):
        """Return the scores of a column."""
        return np.interp(np.asarray(X, dtype=np.float64), self.values_, self.scores_)

    def inverse_transform(self, X):
        """Return the values that scores stand for."""
        return np.interp(X, self.scores_, self.values_)


class TableVectorizer(TransformerMixin, BaseEstimator):
    """Turn a frame or an array into finite numbers of unit scale, and numbers into its columns.

    Attributes
    ----------
    encoder_ : ColumnTransformer
        What makes numbers of each column that has a value, ``"3_value"``, and marks its gaps where
        there are any, ``"3_gap"``.

    kinds_ : dict of int to str
        The kind of each of them, by which later tables are read: ``"f"`` for numbers, ``"M"`` for
        dates, ``"m"`` for durations and ``"O"`` for categories.

    groups_ : dict of int to list of int
        The columns of the output that each of these has.

    values_ : dict of int to list of int
        Those among them that are the value, not the mark of a gap.

    labels_ : dict of int to list
        What each of them stands for, if the column is a category.

    gap_ : ndarray of shape (n_outputs,)
        What a row without any value becomes: zeros, and ones for the marks.
    """

    def fit(self, X, y=None):
        """Learn from a table of shape (n_samples, n_features)."""
        self.fit_transform(X)
        return self

    def fit_transform(self, X, y=None):
        """Learn from a table, and return its numbers as :meth:`transform` does."""
        columns = {k: read_column(X, k) for k in range(X.shape[1])}
        columns = {k: column for k, column in columns.items() if not gaps_of(column).all()}
        if not columns and len(X):
            raise ValueError("X holds no value: all of its columns are missing.")
        self.kinds_ = {k: column.dtype.kind for k, column in columns.items()}
        self.labels_ = {k: [] for k, kind in self.kinds_.items() if kind == "O"}
        parts = []
        for k, column in columns.items():
            kind = _one_hot_of(column) if k in self.labels_ else NormalScores()
            parts.append((f"{k}_value", kind, [k]))
            if gaps_of(column).any():
                parts.append((f"{k}_gap", MissingIndicator(features="all"), [k]))
        self.encoder_ = ColumnTransformer(parts).set_output(transform="default")
        Z = self.encoder_.fit_transform(self._table(X, columns))
        self.groups_ = {k: [] for k in columns}
        for name, places in self.encoder_.output_indices_.items():
            if name != "remainder":
                self.groups_[int(name.split("_")[0])] += range(Z.shape[1])[places]
        self.values_ = {k: group[:1] for k, group in self.groups_.items()}
        for k in self.labels_:
            known = ~gaps_of(columns[k])
            one_hot = Z[np.ix_(known, self.groups_[k])]
            labels = _most_frequent(columns[k][known], one_hot.argmax(axis=1))
            # The most frequent one first: it stands for rows without any.
            codes = sorted(labels, key=lambda code: -one_hot[:, code].sum())
            self.values_[k] = [self.groups_[k][code] for code in codes]
            self.labels_[k] = [labels[code] for code in codes]
        self.gap_ = np.ones(Z.shape[1])
        for places in self.values_.values():
            self.gap_[places] = 0
        Z[~self._observed(columns)] = 0
        return Z

    def transform(self, X):
        """Return the numbers of a table, of shape (n_samples, n_outputs)."""
        columns = self._read(X)
        Z = self.encoder_.transform(self._table(X, columns))
        Z[~self._observed(columns)] = 0
        return Z

    def inverse_transform(self, Z):
        """Return the column of X that numbers stand for, for each column that has a value."""
        columns = {}
        for k, places in self.values_.items():
            values = Z[:, places].astype(np.float64)
            if k in self.labels_:
                columns[k] = np.array(self.labels_[k], dtype=object)[values.argmax(axis=1)]
            else:
                scores = self.encoder_.named_transformers_[f"{k}_value"]
                columns[k] = scores.inverse_transform(values)[:, 0]
        return columns

    def get_feature_names_out(self, input_features=None):
        """Return a name for each number: of its column, with the category or before the gap."""
        names = []
        for name in self.encoder_.get_feature_names_out(input_features):
            name = name.split("__", 1)[1]
            while name in names:
                # Of "a" with the category "b_c" and of "a_b" with "c".
                name += "_"
            names.append(name)
        return np.array(names, dtype=object)

    def observed(self, X):
        """Return which entries of the output stem from a value of X, or mark a gap."""
        return self._observed(self._read(X))

    def _read(self, X):
        return {k: read_column(X, k, kind) for k, kind in self.kinds_.items()}

    def _observed(self, columns):
        n_rows = len(next(iter(columns.values())))
        observed = np.ones((n_rows, len(self.gap_)), dtype=bool)
        for k, places in self.values_.items():
            observed[np.ix_(gaps_of(columns[k]), places)] = False
        return observed

    def _table(self, X, columns):
        """Return floats and strings, NaN in their gaps, as one array of objects."""
        table = np.full(X.shape, np.nan, dtype=object)
        for k, column in columns.items():
            known = ~gaps_of(column)
            if k in self.labels_:
                table[known, k] = list(map(as_text, column[known]))
            else:
                table[known, k] = as_floats(column[known], name_of(X, k), self.kinds_[k])
        return table


def checked_table(estimator, X, reset):
    """Return a frame as it is, and all else as an array."""
    name = type(estimator).__name__
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


def _one_hot_of(column):
    # Given by name, so that a gap is none of them.
    names = sorted(set(map(as_text, column[~gaps_of(column)])))
    return OneHotEncoder(
        categories=[np.array(names, dtype=object)],
        handle_unknown="infrequent_if_exist",
        min_frequency=_MIN_FREQUENCY,
        max_categories=_MAX_CATEGORIES,
        sparse_output=False,
    )


def _most_frequent(values, codes):
    """Return for each code the value that it most often stands for."""
    originals = {as_text(value): value for value in values}
    counts = Counter(zip(codes.tolist(), map(as_text, values), strict=True))
    # From the rarest on, so that the most frequent one stays.
    return {code: originals[text] for (code, text), _ in reversed(counts.most_common())}


def read_column(X, k, kind=None):
    """Return a column as floats, as dates or times in its own unit, or as objects and None.

    As objects where it is of kind "O"; for every other, the values decide.
    """
    column = safe_indexing(X, k, axis=1)
    if kind == "O" or (hasattr(column, "iloc") and hasattr(column.dtype, "categories")):
        return _objects(column.astype(object) if hasattr(column, "iloc") else column)
    if _time_zone(column.dtype) is not None:
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
    for type_, dtype in ((date, "datetime64"), (timedelta, "timedelta64")):
        if all(isinstance(value, type_) for value in known):
            return np.array(list(map(_without_time_zone, values)), dtype=dtype)
    return values


def as_text(value):
    """Return the name of a category: of 1.0, which gaps make of 1 in a column, it is that of 1."""
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if is_whole else str(value)


def _time_zone(dtype):
    """Return the time zone of a column of pandas, or None."""
    return getattr(dtype, "tz", getattr(getattr(dtype, "pyarrow_dtype", None), "tz", None))


def _without_time_zone(moment):
    if getattr(moment, "tzinfo", None) is None:
        return moment
    return moment.astimezone(UTC).replace(tzinfo=None)


def gaps_of(values):
    """Return where what :func:`read_column` gave has no value."""
    return np.equal(values, None) if values.dtype == object else np.isnan(values)


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
        holds_objects = _time_zone(dtype) is None and np.asarray(column).dtype == object
        if not holds_objects:
            return values.astype(np.int64)
        zone = next((v.tzinfo for v in column if getattr(v, "tzinfo", None) is not None), None)
        moments = values.astype(object)
        if zone is not None:
            moments = [moment.replace(tzinfo=UTC).astimezone(zone) for moment in moments]
        return np.array([*moments, None], dtype=object)[:-1]
    is_whole = dtype.is_integer() if hasattr(dtype, "is_integer") else dtype.kind in "iu"
    return np.rint(values) if is_whole else values


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


def as_floats(values, name, kind):
    """Return numbers, or dates in microseconds, as floats, if they are of the kind of fit."""
    held = f"Column {name!r} of X held {_KINDS[kind]} in fit, and now holds "
    if len(values) and values.dtype.kind in _KINDS and values.dtype.kind != kind:
        raise ValueError(f"{held}{_KINDS[values.dtype.kind]}.")
    if values.dtype.kind in "mM":
        values = values.astype(f"{values.dtype.kind}8[us]").astype(np.int64)
    try:
        floats = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{held}something else: {error}.") from error
    if np.isinf(floats).any():
        raise ValueError(f"Column {name!r} of X contains infinity.")
    return floats
