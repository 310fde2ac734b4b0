"""Tables as numbers and back: numbers by rank, categories one-hot, gaps filled and marked."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.special import ndtri
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator
from sklearn.preprocessing import OneHotEncoder

from sklearn_ae._estimators._columns import (
    as_floats,
    as_text,
    format_of,
    gaps_of,
    kind_of,
    name_of,
    read_column,
)

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
        dates, ``"T"`` for dates in text, ``"m"`` for durations and ``"O"`` for categories.

    formats_ : dict of int to tuple of str
        The unit of each of the dates in text, and what stands before the time.

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
        self.kinds_ = {k: kind_of(X, k, column) for k, column in columns.items()}
        self.formats_ = {k: format_of(X, k) for k, kind in self.kinds_.items() if kind == "T"}
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
            if k in self.formats_:
                unit, before_time = self.formats_[k]
                dates = np.rint(columns[k]).astype("datetime64[us]")
                text = np.datetime_as_string(dates, unit=unit, casting="unsafe")
                columns[k] = np.char.replace(text, "T", before_time).astype(object)
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
