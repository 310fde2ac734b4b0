"""Labeled and unlabeled rows together in one X, through pipelines and searches."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import get_tags, indexable
from sklearn.utils.metadata_routing import (
    UNUSED,
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._labels import (
    as_array,
    check_some_are_labeled,
    is_auto,
    is_unlabeled,
    labels_at,
    warn_of_minus_one,
)
from sklearn_ae._tasks import fit_as_task
from sklearn_ae._validation import (
    CallbackSupportMixin,
    HasMethods,
    MissingValues,
    check_method_params,
    fit_context,
    process_routing,
    safe_indexing,
    validate_parameter_constraints,
)

__all__ = ["LabeledOnly", "SemiSupervisedSplit", "is_unlabeled"]

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
            If -1 is one of more than two classes and `unlabeled` does not say that it is a marker.
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
        warn_of_minus_one(labels, self.unlabeled, stacklevel=5)


class SemiSupervisedSplit(BaseEstimator):
    """Cross-validate on the labeled rows; the unlabeled ones are always trained on.

    The labeled rows are split as `cv` splits them. The unlabeled rows join the training part of
    every split and are in no test part, so that every scorer counts labeled rows only.

    Parameters
    ----------
    cv : int, cross-validation generator, iterable or None, default=5
        How to split the labeled rows:

        - an int, the number of folds, or `None`, which is 5: stratified folds if the labels are
          binary or multiclass (see :func:`~sklearn.utils.multiclass.type_of_target`), else
          :class:`~sklearn.model_selection.KFold`;
        - a splitter of scikit-learn;
        - a list of (train, test) index arrays that count the labeled rows only, in their order.

    unlabeled : "auto", int, float, str, NaN, `pandas.NA` or None, default="auto"
        What `y` holds where there is no label, as for :class:`LabeledOnly`;
        :func:`is_unlabeled` has the details.

    Attributes
    ----------
    shuffle : bool
        That of `cv`, if it has one. Searches that need the same folds in every round look at it.

    random_state : int, RandomState instance or None
        That of `cv`, if it has one.

    See Also
    --------
    LabeledOnly : Fit an estimator on the labeled rows.
    sklearn.model_selection.PredefinedSplit : Does the same where the folds are known beforehand:
        rows of fold -1 are in every training part.

    Notes
    -----
    Whole numbers look like classes, in floats too. For a regression on counts pass
    `KFold(5)` rather than 5.

    Scorers get the test part of `y` as it is given, and those named by a string refuse numbers in
    an object array, such as `[0, 1, None]`: mark such labels by -1, NaN or a nullable type, or use
    the estimator's own `score`.

    Metadata routing: the splitter requests what `cv` requests, so `groups` reaches
    `SemiSupervisedSplit(GroupKFold(5))`. Groups have one entry for each row, labeled or not.

    The test parts do not cover the unlabeled rows. Hence
    :func:`~sklearn.model_selection.cross_val_predict`, which needs a partition, refuses this
    splitter, and so do :class:`~sklearn.ensemble.StackingRegressor` and
    :class:`~sklearn.ensemble.StackingClassifier`, which are built on it. The latter refuses NaN
    and `None` in `y`, but turns integers, -1 included, into 0, 1, ... before it splits: no splitter
    can see the marker then, and this one warns that it finds no -1.

    In :class:`~sklearn.model_selection.HalvingGridSearchCV` let `resource` be a parameter of the
    estimator, such as `"clf__estimator__n_estimators"` for a last step
    `("clf", LabeledOnly(XGBClassifier()))`. The default, `"n_samples"`, draws rows without a look
    at `y`, so that the first rounds would drop most of what few labels there are.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ae.semi_supervised import SemiSupervisedSplit
    >>> X = np.zeros((6, 1))
    >>> y = np.array([0, -1, 1, 0, -1, 1])
    >>> for train, test in SemiSupervisedSplit(2).split(X, y):
    ...     print(train, test)
    [1 3 4 5] [0 2]
    [0 1 2 4] [3 5]
    """

    _parameter_constraints: dict = {"cv": ["cv_object"], "unlabeled": [MissingValues()]}
    # `groups` are requested as `cv` requests them: there is no `set_split_request` here.
    __metadata_request__split = {"groups": UNUSED}

    def __init__(self, cv=5, *, unlabeled="auto"):
        self.cv = cv
        self.unlabeled = unlabeled

    def split(self, X, y=None, groups=None):
        """Generate the indices of each training and test part.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Labeled and unlabeled rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The label of each row, or the marker that says that it has none. Must be given.

        groups : array-like of shape (n_samples,), default=None
            The group of each row, for a `cv` that uses groups.

        Yields
        ------
        train : ndarray of shape (n_train,)
            Ascending indices of the training rows, all unlabeled rows among them.

        test : ndarray of shape (n_test,)
            Indices of the test rows, all labeled, in the order of `cv`.

        Raises
        ------
        ValueError
            If `y` is None or no row is labeled, and where :func:`is_unlabeled` or `cv` raises, as
            for more folds than there are labeled rows.

        Warns
        -----
        UserWarning
            If `y` has integers, none of them -1, and `unlabeled="auto"`: every row is labeled.
        """
        self._validate()
        X, labels, groups, unlabeled = self._labeled_part(X, y, groups)
        if not unlabeled.any() and is_auto(self.unlabeled) and labels.dtype.kind in "iu":
            warnings.warn(
                "y holds integers without a -1, so every row counts as labeled. Set "
                "`unlabeled=None` if that is right; otherwise something has encoded y before it "
                "was split, as StackingClassifier does.",
                UserWarning,
                stacklevel=2,
            )
        labeled, unlabeled = np.flatnonzero(~unlabeled), np.flatnonzero(unlabeled)
        cv = check_cv(self.cv, labels, classifier=True)
        for train, test in cv.split(X, labels, groups):
            yield np.sort(np.concatenate([labeled[train], unlabeled])), labeled[test]

    def get_n_splits(self, X=None, y=None, groups=None):
        """Count the splits.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Labeled and unlabeled rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            The labels and markers. Only a `cv` that counts rows or groups needs X and `y`.

        groups : array-like of shape (n_samples,), default=None
            The group of each row, for a `cv` that uses groups.

        Returns
        -------
        n_splits : int
            The number of splits.
        """
        self._validate()
        if X is None or y is None:
            return check_cv(self.cv).get_n_splits()
        X, labels, groups, _ = self._labeled_part(X, y, groups)
        return check_cv(self.cv, labels, classifier=True).get_n_splits(X, labels, groups)

    def get_metadata_routing(self):
        """Get the metadata that `cv` requests.

        Returns
        -------
        routing : MetadataRequest
            The request of `cv`.
        """
        return get_routing_for_object(self.cv)

    @property
    def shuffle(self):
        """Whether `cv` shuffles."""
        return self.cv.shuffle

    @property
    def random_state(self):
        """The random state of `cv`."""
        return self.cv.random_state

    def _validate(self):
        validate_parameter_constraints(
            self._parameter_constraints,
            self.get_params(deep=False),
            caller_name=type(self).__name__,
        )
        if isinstance(self.cv, Iterator):
            raise TypeError(
                f"The 'cv' parameter of {type(self).__name__} is an iterator, which can be read "
                "only once. Pass a list of its (train, test) pairs."
            )

    def _labeled_part(self, X, y, groups):
        """Cut X, y and groups to the labeled rows."""
        labels = as_array(y)
        unlabeled = is_unlabeled(labels, self.unlabeled)
        X, labels, groups = indexable(X, labels, groups)
        check_some_are_labeled(unlabeled, self.unlabeled)
        if unlabeled.any():
            labeled = np.flatnonzero(~unlabeled)
            X = safe_indexing(X, labeled)
            labels = labels_at(labels, labeled)
            groups = safe_indexing(groups, labeled) if groups is not None else None
        return X, labels, groups, unlabeled
