"""An estimator that is fitted on the labeled rows only."""

from __future__ import annotations

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.utils import get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._sklearn._callbacks import fit_as_task
from sklearn_ae._sklearn._compat import (
    CallbackSupportMixin,
    HasMethods,
    MissingValues,
    check_method_params,
    fit_context,
    process_routing,
    safe_indexing,
)
from sklearn_ae.semi_supervised._labels import (
    as_array,
    check_some_are_labeled,
    is_auto,
    is_unlabeled,
    labels_at,
    warn_of_minus_one,
)

_PREDICTIONS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


def _estimator_has(attribute):
    """Make the check of `available_if` for what the fitted or else the given estimator has."""

    def check(self):
        # Raises the AttributeError of the estimator itself.
        getattr(getattr(self, "estimator_", self.estimator), attribute)
        return True

    return check


class LabeledOnly(CallbackSupportMixin, MetaEstimatorMixin, BaseEstimator):
    """Fit an estimator on the labeled rows of X only.

    The last step of a pipeline whose earlier steps, an autoencoder among them, learn from all
    rows. `X` holds labeled and unlabeled rows, `y` holds a marker where there is no label, so
    that both pass through pipelines, feature unions and searches like any other data.

    It is a classifier, a regressor or a transformer as `estimator` is, and has those of the
    methods below that `estimator` has.

    Parameters
    ----------
    estimator : estimator object
        The estimator that is cloned and fitted on the labeled rows.

    unlabeled : "auto", int, float, str, NaN, `pandas.NA` or None, default="auto"
        What `y` holds where there is no label. `"auto"` is -1 if `y` has integers, NaN if it has
        floats, and `None`, NaN, `pandas.NA` or the integer -1 if it has objects or strings. `None`
        marks nothing, any other value is taken literally; :func:`is_unlabeled` has the details.

        Classes that are -1 and 1 need `unlabeled=None`.

    Attributes
    ----------
    estimator_ : estimator object
        The fitted clone of `estimator`.

    classes_ : ndarray of shape (n_classes,)
        The class labels, without the marker. Only if `estimator_` has them.

    n_features_in_ : int
        Number of features seen during :term:`fit`. Only if `estimator_` has it.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Only if `estimator_` has them.

    See Also
    --------
    SemiSupervisedSplit : Cross-validation that scores labeled rows only.
    is_unlabeled : Tell which rows a marker marks.
    sklearn.semi_supervised.SelfTrainingClassifier : Labels the unlabeled rows by itself, round
        by round; with `max_iter=0` it fits on the labeled rows only.

    Notes
    -----
    X is neither validated nor converted: `estimator` gets the labeled rows of a data frame as a
    data frame, and X itself, uncopied, if every row is labeled. `y` reaches it as an array: an
    object array whose labels are all numbers or booleans gets their type, and for a classifier
    floats that are all whole numbers become integers when unlabeled rows were left out, as it is
    the NaN that made them floats. Strings stay strings.

    Parameters of `fit` and `score` with as many rows as X, `sample_weight` for one, are cut to the
    labeled rows. They are passed on as they are given, or, with metadata routing, as `estimator`
    requests them.

    Meta-estimators that look at `y` themselves, such as
    :class:`~sklearn.ensemble.VotingClassifier`, :class:`~sklearn.ensemble.StackingClassifier` or
    :class:`~sklearn.multiclass.OneVsRestClassifier`, take -1 for a class. They belong inside,
    as `LabeledOnly(VotingClassifier(...))`.

    Examples
    --------
    Both steps see 150 rows; the scaler learns from all of them, the classifier from 50:

    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ae.semi_supervised import LabeledOnly
    >>> X, y = load_iris(return_X_y=True)
    >>> few = np.where(np.arange(150) % 3 == 0, y, -1)
    >>> pipe = make_pipeline(StandardScaler(), LabeledOnly(LogisticRegression()))
    >>> pipe.fit(X, few).classes_
    array([0, 1, 2])
    >>> bool(pipe.score(X, y) > 0.9)
    True
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit"])],
        "unlabeled": [MissingValues()],
    }

    def __init__(self, estimator, *, unlabeled="auto"):
        self.estimator = estimator
        self.unlabeled = unlabeled

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, **fit_params):
        """Fit a clone of the estimator on the labeled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Labeled and unlabeled rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The label of each row, or the marker that says that it has none.

        **fit_params : dict
            Parameters of the estimator's `fit`. Those with `n_samples` rows are cut to the labeled
            rows.

        Returns
        -------
        self : LabeledOnly
            The fitted estimator.

        Raises
        ------
        ValueError
            If no row is labeled; if `y` is exactly -1 and 1, `unlabeled="auto"` and the estimator
            is a classifier, which would be left with one class; and where :func:`is_unlabeled`
            raises.

        Warns
        -----
        UserWarning
            If -1 is one of the classes, these are not exactly -1 and 1, and `unlabeled` does not
            say what -1 means.
        """
        params = self._routed("fit", fit_params)
        y = as_array(y)
        X, labels, params = self._labeled_part(X, y, params)
        if is_classifier(self):
            self._check_minus_one(y, labels)
        estimator = clone(self.estimator)
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self, X=X, y=labels)
        fit_as_task(context, self, estimator, X, labels, name="fit-estimator", **params)
        self.estimator_ = estimator
        context.call_on_fit_task_end(estimator=self, X=X, y=labels, reconstruction_attributes={})
        return self

    @available_if(_estimator_has("predict"))
    def predict(self, X, **params):
        """Predict the target of each row with the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        **params : dict
            Parameters of the estimator's `predict`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The predicted classes or values; never the marker.
        """
        return self._delegate("predict", X, params)

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X, **params):
        """Predict the probability of each class with the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        **params : dict
            Parameters of the estimator's `predict_proba`.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            The probabilities, in the order of `classes_`.
        """
        return self._delegate("predict_proba", X, params)

    @available_if(_estimator_has("predict_log_proba"))
    def predict_log_proba(self, X, **params):
        """Predict the log-probability of each class with the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        **params : dict
            Parameters of the estimator's `predict_log_proba`.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            The log-probabilities, in the order of `classes_`.
        """
        return self._delegate("predict_log_proba", X, params)

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X, **params):
        """Compute the decision function of the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        **params : dict
            Parameters of the estimator's `decision_function`.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            The confidence in each class.
        """
        return self._delegate("decision_function", X, params)

    @available_if(_estimator_has("transform"))
    def transform(self, X, **params):
        """Transform all rows with the fitted estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        **params : dict
            Parameters of the estimator's `transform`.

        Returns
        -------
        X_new : {ndarray, sparse matrix} of shape (n_samples, n_features_new)
            The transformed rows, labeled and unlabeled.
        """
        return self._delegate("transform", X, params)

    @available_if(_estimator_has("transform"))
    def fit_transform(self, X, y, **fit_params):
        """Fit on the labeled rows, then transform all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Labeled and unlabeled rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The label of each row, or the marker that says that it has none.

        **fit_params : dict
            Parameters of the estimator's `fit`, as for :meth:`fit`.

        Returns
        -------
        X_new : {ndarray, sparse matrix} of shape (n_samples, n_features_new)
            The transformed rows, labeled and unlabeled.
        """
        return self.fit(X, y, **fit_params).transform(X)

    @available_if(_estimator_has("score"))
    def score(self, X, y, **params):
        """Score the fitted estimator on the labeled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Labeled and unlabeled rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The label of each row, or the marker that says that it has none.

        **params : dict
            Parameters of the estimator's `score`, such as `sample_weight`. Those with `n_samples`
            rows are cut to the labeled rows.

        Returns
        -------
        score : float
            What the estimator's `score` gives for the labeled rows.

        Raises
        ------
        ValueError
            If no row is labeled, and where :func:`is_unlabeled` raises.
        """
        check_is_fitted(self)
        params = self._routed("score", params)
        X, labels, params = self._labeled_part(X, as_array(y), params)
        return self.estimator_.score(X, labels, **params)

    @available_if(_estimator_has("get_feature_names_out"))
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
        return self.estimator_.get_feature_names_out(input_features)

    @available_if(_estimator_has("set_output"))
    def set_output(self, *, transform=None):
        """Set the container that `transform` gives, for the estimator and its fitted clone.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            The container. None leaves it as it is.

        Returns
        -------
        self : LabeledOnly
            The estimator itself.
        """
        self.estimator.set_output(transform=transform)
        if hasattr(self, "estimator_"):
            self.estimator_.set_output(transform=transform)
        return self

    def get_metadata_routing(self):
        """Get the routing of metadata: every method passes it to the same one of the estimator.

        Returns
        -------
        routing : MetadataRouter
            The routing information.
        """
        # Newer versions of scikit-learn derive the first of these by themselves.
        mapping = MethodMapping().add(caller="fit_transform", callee="fit")
        for method in ("fit", "transform", "score", *_PREDICTIONS):
            mapping.add(caller=method, callee=method)
        return MetadataRouter(owner=type(self).__name__).add(
            estimator=self.estimator, method_mapping=mapping
        )

    @property
    def classes_(self):
        """The class labels, without the marker."""
        return self.estimator_.classes_

    @property
    def n_features_in_(self):
        """Number of features seen during :term:`fit`."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of features seen during :term:`fit`."""
        return self.estimator_.feature_names_in_

    def __sklearn_tags__(self):
        tags = get_tags(self.estimator)
        # y is what says which rows are labeled, even if the estimator itself has no use for it.
        tags.target_tags.required = True
        return tags

    def _routed(self, method, params):
        """Choose the parameters that one of the estimator's methods gets."""
        if get_config()["enable_metadata_routing"]:
            return process_routing(self, method, **params)["estimator"][method]
        return params

    def _delegate(self, method, X, params):
        """Call a method of the fitted estimator with the parameters that it gets."""
        check_is_fitted(self)
        return getattr(self.estimator_, method)(X, **self._routed(method, params))

    def _labeled_part(self, X, labels, params):
        """Cut X, its labels and the metadata to the labeled rows."""
        unlabeled = is_unlabeled(labels, self.unlabeled)
        rows, *_ = indexable(X, labels, params.get("sample_weight"))
        if not unlabeled.any():
            return X, labels, params
        check_some_are_labeled(unlabeled, self.unlabeled)
        labeled = np.flatnonzero(~unlabeled)
        return (
            safe_indexing(rows, labeled),
            labels_at(labels, labeled, whole_numbers=is_classifier(self)),
            check_method_params(rows, params, indices=labeled),
        )

    def _check_minus_one(self, y, labels):
        """Catch the -1 whose meaning the user has not given and the default may get wrong."""
        if not (self.unlabeled is None or is_auto(self.unlabeled)):
            return
        if labels.dtype.kind not in "if" or labels.size != len(labels):
            return
        classes = np.unique(labels)
        if len(labels) < len(y) and y.dtype.kind == "i" and np.array_equal(classes, [1]):
            raise ValueError(
                "y holds -1 and 1 only, and unlabeled='auto' takes -1 for a missing label, which "
                "leaves one class. Set `unlabeled=None` if -1 and 1 are the classes, or "
                "`unlabeled=-1` if -1 is the marker all the same."
            )
        warn_of_minus_one(labels, self.unlabeled)
