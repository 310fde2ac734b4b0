"""Features of tables: of numbers, categories and dates, with gaps."""

from __future__ import annotations

import math
import os
from functools import partial

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._compute._dask_frames import by_part, is_frame, sampled
from sklearn_ae._estimators._base import PortableMixin
from sklearn_ae._estimators._columns import checked_table
from sklearn_ae._estimators._denoising import DenoisingAutoencoder
from sklearn_ae._estimators._filled import replaced
from sklearn_ae._estimators._inner import (
    check_frozen,
    cloned_of,
    dtype_of_inner,
    fit_around,
    thawed,
)
from sklearn_ae._estimators._vectorizer import TableVectorizer
from sklearn_ae._sklearn._checks import is_dask
from sklearn_ae._sklearn._compat import (
    HasMethods,
    StrOptions,
    check_feature_names_in,
    fit_context,
)
from sklearn_ae.corruptions import Gaps, SwapNoise

# Rows that the default autoencoder is trained on, each counted as often as it is, and its epochs.
_N_ROWS = 100_000
_EPOCHS = (10, 1000)
# Rows that are drawn of a frame larger than memory.
_N_SAMPLED = 100_000
# A frame is made around transform, with the rows' names, and what is inside has no need of one.
_ARRAYS = partial(config_context, transform_output="default")


def _default(n_rows):
    return DenoisingAutoencoder(
        256,
        hidden_layer_sizes=(256, 256),
        corruption="gaps",
        corruption_level=0.2,
        learning_rate=2e-3,
        max_epochs=int(np.clip(math.ceil(_N_ROWS / n_rows), *_EPOCHS)),
        features="all",
    )


def _checked_frame(estimator, X):
    if is_frame(X):
        return X
    raise TypeError(
        f"{type(estimator).__name__} takes frames of dask, got {type(X).__name__}: give "
        "dask.dataframe.from_dask_array(X)."
    )


def _goes_back(estimator):
    if estimator.vectorizer is None:
        return True
    raise AttributeError(
        f"vectorizer={estimator.vectorizer!r} does not lead back to a table: reconstruct and "
        "impute need the one of vectorizer=None."
    )


class TableFeatures(PortableMixin, TransformerMixin, BaseEstimator):
    """Features of tables: what an autoencoder finds in numbers, categories and dates, with gaps.

    A frame is taken as it is: numbers and dates are replaced by their normal scores, that is by
    rank, categories by one column each, rare ones together; gaps become zeros, the middle of
    numbers, and are marked. A denoising autoencoder learns from that, by values that are taken
    away: some at random, all that a column became together, and those that another row misses. What
    was never observed is left out of its loss.

    Parameters
    ----------
    autoencoder : Autoencoder or one of its variants, "passthrough" or None, default=None
        The autoencoder that is cloned and fitted on the vectorized rows; None is
        ``DenoisingAutoencoder(256, hidden_layer_sizes=(256, 256), corruption="gaps",
        corruption_level=0.2, learning_rate=2e-3, features="all")`` with as many epochs as make
        100,000 rows, at least 10 and at most 1,000; a grid over ``autoencoder__...`` needs one to
        be given. The columns that a column of X became go together under ``corruption="swap"`` and
        ``"gaps"``, which knows the gaps of X. A fitted
        one in a :class:`~sklearn.frozen.FrozenEstimator` is used as it is. "passthrough" gives the
        vectorized rows themselves: the same columns for a model to be compared with.

    vectorizer : transformer, default=None
        What turns X into finite numbers of about unit scale. Columns that it names as one of X, or
        as that with ``_`` and more behind it, go together, and gaps are its own affair.
        None is what is said above: normal scores, scaled to unit variance, of numbers and dates,
        equal ones at the middle of their ranks, one column for each category of at least 5 rows,
        50 a column at most (``OneHotEncoder``), and one for the gaps of each column that has any
        (``MissingIndicator``).

    memory : str, path, joblib.Memory or None, default=None
        The ``memory`` of the autoencoder, where fits are kept; None leaves it its own.

    verbose : int, default=0
        0 is silent, 1 prints a line an epoch of the autoencoder.

    random_state : int, RandomState instance or None, default=None
        Seed of the autoencoder if its own ``random_state`` is None.

    Attributes
    ----------
    autoencoder_ : estimator or "passthrough"
        The fitted autoencoder of vectorized rows.

    vectorizer_ : transformer
        The fitted vectorizer.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`, if they are all strings.

    See Also
    --------
    DenoisingAutoencoder : The autoencoder inside by default.
    sklearn_ae.corruptions.Gaps : The corruption.
    sklearn.impute.IterativeImputer : Fills gaps by regression of one column on the others.

    Notes
    -----
    Numbers are columns of numbers in any type, and columns of objects that are all numbers. Dates
    and durations become numbers too, and so does text that is all dates, as in ``2026-11-26`` or
    ``2026-11-26 12:30``, unless the column is a categorical one. All else is a category, booleans
    and the empty string among them. A column without a value tells nothing and is left out, at
    :meth:`transform` as well. A category that was not seen in :term:`fit` is taken for a rare one
    if there were any, and else for none. Columns have to be those of :term:`fit`, in their order.

    References
    ----------
    .. [1] Vincent, P. et al. (2010). Stacked denoising autoencoders: learning useful
       representations in a deep network with a local denoising criterion. JMLR 11.
    .. [2] Yoon, J. et al. (2020). VIME: extending the success of self- and semi-supervised learning
       to tabular domain. NeurIPS.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ae import DenoisingAutoencoder, TableFeatures
    >>> X = pd.DataFrame({"city": ["Oslo", "Rome", None] * 20, "rooms": [1, 3, None] * 20})
    >>> small = DenoisingAutoencoder(8, max_epochs=5)
    >>> tables = TableFeatures(small, random_state=0).set_output(transform="pandas")
    >>> tables.fit_transform(X).columns[-1]
    'tablefeatures_7'
    >>> int(tables.impute(X).isna().sum().sum())
    0
    """

    _parameter_constraints: dict = {
        "autoencoder": [HasMethods(["fit", "transform"]), StrOptions({"passthrough"}), None],
        "vectorizer": [HasMethods(["fit_transform", "transform"]), None],
        "memory": [str, os.PathLike, HasMethods(["cache"]), None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self, autoencoder=None, *, vectorizer=None, memory=None, verbose=0, random_state=None
    ):
        self.autoencoder = autoencoder
        self.vectorizer = vectorizer
        self.memory = memory
        self.verbose = verbose
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Learn from the rows of a table.

        Parameters
        ----------
        X : {dataframe, array-like} of shape (n_samples, n_features)
            The table, of pandas or polars or an array. Of a dask frame a random sample of about
            100,000 rows is learned from.

        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If X contains infinity, or no value at all.
        """
        return fit_around(self, X, y)

    def transform(self, X):
        """Encode the rows of a table.

        Parameters
        ----------
        X : {dataframe, array-like} of shape (n_samples, n_features)
            The table.

        Returns
        -------
        features : ndarray or dask array of shape (n_samples, n_features_out)
            What ``transform`` of the autoencoder gives. That of a dask frame is computed when it is
            asked for, here and in the methods below.

        Raises
        ------
        ValueError
            If columns are new, gone or in another order, or if one that held numbers holds text.
        """
        check_is_fitted(self)
        if is_dask(X):
            return self._by_part("transform", X)
        _, rows = self._vectorized(X)
        if self._passes_through:
            return rows
        with _ARRAYS():
            return self.autoencoder_.transform(rows)

    @available_if(_goes_back)
    def reconstruct(self, X):
        """Encode and decode a table.

        Parameters
        ----------
        X : {dataframe, array-like} of shape (n_samples, n_features)
            The table.

        Returns
        -------
        X_reconstructed : {dataframe, ndarray, dask frame} of shape (n_samples, n_features)
            What the network makes of X: the same columns, of the same types, categories by the
            largest value of theirs. A column that had no value in :term:`fit` stays as it is.
        """
        return self._reconstructed("reconstruct", X)

    @available_if(_goes_back)
    def impute(self, X):
        """Fill the gaps of a table with what the network makes of it.

        Parameters
        ----------
        X : {dataframe, array-like} of shape (n_samples, n_features)
            The table.

        Returns
        -------
        X_imputed : {dataframe, ndarray, dask frame} of shape (n_samples, n_features)
            X with its gaps filled as by :meth:`reconstruct`; all else is as it was.
        """
        return self._reconstructed("impute", X)

    def get_feature_names_out(self, input_features=None):
        """Get the names of the features, such as ``tablefeatures_layer0_17``.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Only compared with the names seen in :term:`fit`.

        Returns
        -------
        feature_names_out : ndarray of str objects of shape (n_features_out,)
            Layer and number of the code, or its number alone. Under ``autoencoder="passthrough"``
            the names that the vectorizer gives.
        """
        check_is_fitted(self)
        if self._passes_through:
            return self.vectorizer_.get_feature_names_out(
                check_feature_names_in(self, input_features)
            )
        check_feature_names_in(self, input_features, generate_names=False)
        trained, name = thawed(self.autoencoder_)._trained, type(self).__name__.lower()
        codes = trained.architecture.code_names(trained.module.encoder)
        return np.asarray([f"{name}_{str(code).lstrip('_')}" for code in codes], dtype=object)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "autoencoder_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = [
            "float64" if self.autoencoder == "passthrough" else dtype_of_inner(self.autoencoder)
        ]
        return tags

    def _diagram(self):
        if not hasattr(self, "autoencoder_"):
            return None
        return [self.vectorizer_, *([] if self._passes_through else [thawed(self.autoencoder_)])]

    @property
    def _passes_through(self):
        return isinstance(self.autoencoder_, str)

    def _prepared(self, X):
        """Return a clone of the autoencoder, the rows to learn from, and the fitted vectorizer."""
        rng = check_random_state(self.random_state)
        if is_dask(X):
            X = sampled(_checked_frame(self, X), _N_SAMPLED, rng.randint(np.iinfo(np.int32).max))
        X = checked_table(self, X, reset=True)
        passes_through = isinstance(self.autoencoder, str)
        autoencoder = (
            self.autoencoder if passes_through else cloned_of(self, _default(X.shape[0]), rng)
        )
        vectorizer = TableVectorizer() if self.vectorizer is None else clone(self.vectorizer)
        with _ARRAYS():
            rows = vectorizer.fit_transform(X)
        if self.vectorizer is None:
            rows = np.ma.array(rows, mask=~vectorizer.observed(X))
        check_frozen(autoencoder, rows)
        trains = not (passes_through or isinstance(autoencoder, FrozenEstimator))
        corruption = autoencoder.get_params().get("corruption") if trains else None
        if corruption == "swap":
            autoencoder.set_params(corruption=SwapNoise(self._groups(vectorizer)))
        elif corruption == "gaps":
            gap = getattr(vectorizer, "gap_", None)
            autoencoder.set_params(corruption=Gaps(self._groups(vectorizer), fill=gap))
        return autoencoder, rows, vectorizer

    def _finish(self, autoencoder, vectorizer):
        """Keep what was fitted."""
        self.autoencoder_, self.vectorizer_ = autoencoder, vectorizer

    def _groups(self, vectorizer):
        """Return which columns of a vectorizer's output stem from the same column of X."""
        if isinstance(vectorizer, TableVectorizer):
            return list(vectorizer.groups_.values())
        if not hasattr(self, "feature_names_in_") or not hasattr(
            vectorizer, "get_feature_names_out"
        ):
            return None
        groups = {}
        for place, name in enumerate(vectorizer.get_feature_names_out()):
            # A ColumnTransformer puts the name of the step in front, a MissingIndicator its own.
            name = name.split("__", 1)[-1].removeprefix("missingindicator_")
            stems = [c for c in self.feature_names_in_ if f"{name}_".startswith(f"{c}_")]
            groups.setdefault(max(stems, key=len, default=place), []).append(place)
        return list(groups.values())

    def _vectorized(self, X):
        """Return checked data and their numbers."""
        X = checked_table(self, X, reset=False)
        with _ARRAYS():
            return X, self.vectorizer_.transform(X)

    def _by_part(self, method, X):
        takes_gaps = isinstance(self.vectorizer_, TableVectorizer)
        return by_part(self, method, _checked_frame(self, X), takes_gaps=takes_gaps)

    def _reconstructed(self, method, X):
        check_is_fitted(self)
        if is_dask(X):
            return self._by_part(method, X)
        X, rows = self._vectorized(X)
        if not self._passes_through:
            rows = self.autoencoder_.reconstruct(rows)
        columns = self.vectorizer_.inverse_transform(rows)
        return replaced(X, columns, self.vectorizer_.kinds_, gaps_only=method == "impute")
