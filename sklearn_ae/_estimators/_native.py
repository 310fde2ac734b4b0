"""Columns of tables as boosted trees take them: numbers, gaps and categories."""

from __future__ import annotations

from collections import Counter

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._estimators._columns import (
    as_floats,
    as_text,
    checked_table,
    gaps_of,
    kind_of,
    name_of,
    read_column,
)
from sklearn_ae._sklearn._compat import check_pandas_support

# HistGradientBoosting takes no more, the gap among them.
_MAX_CATEGORIES = 254


class NativeColumns(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Columns of a table as gradient-boosted trees take them: floats, categories and gaps.

    Numbers, dates and durations become floats, text that is all dates too, all else becomes a
    categorical column of pandas with the categories of :term:`fit`, in every container alike, so
    that ``HistGradientBoostingClassifier()`` and ``XGBClassifier(enable_categorical=True)`` get the
    same table in training and later. Gaps stay gaps.

    Attributes
    ----------
    categories_ : dict of int to list of str
        The categories of each column that is none of numbers, by its place.

    kinds_ : dict of int to str
        The kind of each column: ``"f"`` for numbers, ``"M"`` for dates, ``"T"`` for dates in text,
        of which text that is none becomes a gap later, ``"m"`` for durations,
        ``"O"`` for categories and ``""`` for those without a value, which stay empty.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`, if they are all strings.

    See Also
    --------
    TableFeatures : Columns as numbers, for models that take no gaps and no categories.
    make_table_vote : A vote of trees on these columns and of linear models.

    Notes
    -----
    Of each column the 254 most frequent categories are kept, which is what
    ``HistGradientBoostingClassifier`` takes. Another category, seen in :term:`fit` or not, becomes
    a gap. It needs pandas.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ae import NativeColumns
    >>> X = pd.DataFrame({"city": ["Oslo", "Rome", None], "rooms": [1, 3, None]})
    >>> native = NativeColumns().fit(X)
    >>> native.categories_
    {0: ['Oslo', 'Rome']}
    >>> native.transform(pd.DataFrame({"city": ["Lima"], "rooms": [2]}))
      city  rooms
    0  NaN    2.0
    """

    def fit(self, X, y=None):
        """Learn the categories.

        Parameters
        ----------
        X : {dataframe, array-like} of shape (n_samples, n_features)
            The table, of pandas or polars or an array.

        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        check_pandas_support("NativeColumns")
        X = checked_table(self, X, reset=True)
        self.categories_, self.kinds_ = {}, {}
        for k in range(X.shape[1]):
            column = read_column(X, k)
            known = ~gaps_of(column)
            self.kinds_[k] = kind_of(X, k, column) if known.any() else ""
            if self.kinds_[k] == "O":
                counts = Counter(map(as_text, column[known]))
                self.categories_[k] = sorted(c for c, _ in counts.most_common(_MAX_CATEGORIES))
        return self

    def transform(self, X):
        """Return a frame of floats and categories.

        Parameters
        ----------
        X : {dataframe, array-like} of shape (n_samples, n_features)
            The table.

        Returns
        -------
        X_native : pandas.DataFrame of shape (n_samples, n_features)
            The same columns, of the types that trees take.

        Raises
        ------
        ValueError
            If columns are new, gone or in another order, or if one that held numbers holds text.
        """
        check_is_fitted(self)
        pandas = check_pandas_support("NativeColumns")
        X = checked_table(self, X, reset=False)
        columns = {}
        for k, name in enumerate(self.get_feature_names_out()):
            values = read_column(X, k, self.kinds_[k])
            gaps = gaps_of(values)
            if not self.kinds_[k]:
                columns[name] = np.full(len(values), np.nan)
            elif k in self.categories_:
                codes = {category: i for i, category in enumerate(self.categories_[k])}
                columns[name] = pandas.Categorical.from_codes(
                    # None, a gap, is no category either.
                    [codes.get(v if v is None else as_text(v), -1) for v in values],
                    categories=self.categories_[k],
                )
            else:
                columns[name] = np.full(len(values), np.nan)
                columns[name][~gaps] = as_floats(values[~gaps], name_of(X, k), self.kinds_[k])
        index = X.index if hasattr(X, "iloc") else None
        return pandas.DataFrame(columns, index=index)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags
