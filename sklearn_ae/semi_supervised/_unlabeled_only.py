"""A transformer that is fitted on the unlabeled rows only."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.utils import get_tags, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._sklearn._callbacks import fit_as_task
from sklearn_ae._sklearn._compat import (
    CallbackSupportMixin,
    HasMethods,
    MissingValues,
    fit_context,
    safe_indexing,
)
from sklearn_ae.semi_supervised._labels import as_array, is_unlabeled


def _transformer_has(attribute):
    """Make the check of `available_if` for what the fitted or else the given transformer has."""

    def check(self):
        getattr(getattr(self, "transformer_", self.transformer), attribute)
        return True

    return check


class UnlabeledOnly(
    CallbackSupportMixin,
    MetaEstimatorMixin,
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,
):
    """Fit a transformer on the unlabeled rows of X only, and transform all.

    The mirror of :class:`LabeledOnly`, for what learns without labels and takes long, such as an
    autoencoder with the scaler in front of it. In a cross-validation by
    :class:`SemiSupervisedSplit` the unlabeled rows are in every training part, so all folds learn
    from the same rows: nothing of a test part is seen, and with ``memory`` of the autoencoder set
    each candidate is trained once, not once a fold.

    Parameters
    ----------
    transformer : transformer
        The transformer, or a pipeline of them, that is cloned and fitted on the unlabeled rows.

    unlabeled : "auto", int, float, str, NaN, `pandas.NA` or None, default="auto"
        What `y` holds where there is no label, as for :class:`LabeledOnly`;
        :func:`is_unlabeled` has the details.

    Attributes
    ----------
    transformer_ : transformer
        The fitted clone of `transformer`.

    n_features_in_ : int
        Number of features seen during :term:`fit`. Only if `transformer_` has it.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Only if `transformer_` has them.

    See Also
    --------
    LabeledOnly : Fit an estimator on the labeled rows.
    SemiSupervisedSplit : Cross-validation whose training parts hold all unlabeled rows.

    Notes
    -----
    The labeled rows are few: what the transformer loses without them is little, in a cross-
    validation less than what a fold loses anyway. With `groups`, and in order of time,
    :class:`SemiSupervisedSplit` leaves unlabeled rows out of some folds, which then learn from
    other rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ae import SparseAutoencoder
    >>> from sklearn_ae.semi_supervised import UnlabeledOnly
    >>> X, y = load_iris(return_X_y=True)
    >>> few = np.where(np.arange(150) % 3 == 0, y, -1)
    >>> codes = make_pipeline(StandardScaler(), SparseAutoencoder(8, random_state=0))
    >>> UnlabeledOnly(codes).fit_transform(X, few).shape
    (150, 8)
    """

    _parameter_constraints: dict = {
        "transformer": [HasMethods(["fit", "transform"])],
        "unlabeled": [MissingValues()],
    }

    def __init__(self, transformer, *, unlabeled="auto"):
        self.transformer = transformer
        self.unlabeled = unlabeled

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Fit a clone of the transformer on the unlabeled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Labeled and unlabeled rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The label of each row, or the marker that says that it has none.

        Returns
        -------
        self : UnlabeledOnly
            The fitted transformer.

        Raises
        ------
        ValueError
            If every row is labeled, and where :func:`is_unlabeled` raises.
        """
        marked = is_unlabeled(as_array(y), self.unlabeled)
        rows, _ = indexable(X, marked)
        if not marked.any():
            raise ValueError(
                f"No row of y is unlabeled (unlabeled={self.unlabeled!r}), so there is nothing to "
                "fit on: fit the transformer itself."
            )
        rows = rows if marked.all() else safe_indexing(rows, np.flatnonzero(marked))
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self, X=rows, y=None)
        transformer = clone(self.transformer)
        fit_as_task(context, self, transformer, rows, name="fit-transformer")
        self.transformer_ = transformer
        context.call_on_fit_task_end(estimator=self, X=rows, y=None, reconstruction_attributes={})
        return self

    def transform(self, X):
        """Transform rows, labeled and unlabeled.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        X_new : {ndarray, sparse matrix, dataframe} of shape (n_samples, n_features_new)
            What the fitted transformer makes of them.
        """
        check_is_fitted(self)
        return self.transformer_.transform(X)

    @available_if(_transformer_has("get_feature_names_out"))
    def get_feature_names_out(self, input_features=None):
        """Get the names of the features that `transform` gives.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the features that go in.

        Returns
        -------
        feature_names_out : ndarray of str objects of shape (n_features_new,)
            The names.
        """
        check_is_fitted(self)
        return self.transformer_.get_feature_names_out(input_features)

    @available_if(_transformer_has("set_output"))
    def set_output(self, *, transform=None):
        """Set the container that `transform` gives, for the transformer and its fitted clone.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            The container. None leaves it as it is.

        Returns
        -------
        self : UnlabeledOnly
            The transformer itself.
        """
        self.transformer.set_output(transform=transform)
        if hasattr(self, "transformer_"):
            self.transformer_.set_output(transform=transform)
        return self

    @property
    def n_features_in_(self):
        """Number of features seen during :term:`fit`."""
        return self.transformer_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of features seen during :term:`fit`."""
        return self.transformer_.feature_names_in_

    def __sklearn_is_fitted__(self):
        return hasattr(self, "transformer_")

    def __sklearn_tags__(self):
        tags = get_tags(self.transformer)
        # y is what says which rows are unlabeled.
        tags.target_tags.required = True
        return tags
