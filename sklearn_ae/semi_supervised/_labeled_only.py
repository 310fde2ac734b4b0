"""An estimator that is fitted on the labeled rows only."""

from __future__ import annotations

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._sklearn._callbacks import fit_as_task
from sklearn_ae._sklearn._compat import (
    CallbackSupportMixin,
    HasMethods,
    MissingValues,
    fit_context,
    process_routing,
)
from sklearn_ae.semi_supervised._labels import (
    as_array,
    is_auto,
    labeled_part,
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


def _encoded(labels, classes):
    """Turn labels into the positions of their classes, and what is none of these into -1."""
    positions = {label: position for position, label in enumerate(classes.tolist())}
    return np.array([positions.get(label, -1) for label in as_array(labels).tolist()])


def _with_encoded_eval_sets(params, classes):
    """Encode the labels of the (X, y) pairs that boosting libraries watch."""
    for name, pairs in params.items():
        if name.rpartition("__")[2] == "eval_set" and pairs:
            encoded = [(rows, _encoded(labels, classes)) for rows, labels in pairs]
            if any((labels < 0).any() for _, labels in encoded):
                raise ValueError(
                    f"{name} has a label that no labeled row of y has: those have "
                    f"{classes.tolist()}."
                )
            params = params | {name: encoded}
    return params


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

    sample_properties : list or tuple of str, default=()
        Parameters of `fit` and `score`, beside `sample_weight` and `groups`, that have an entry
        for each row of X, such as `"base_margin"` of XGBoost: these are cut to the labeled rows.
        A name stands for the parameter of an inner step too, such as `clf__base_margin`.

    Attributes
    ----------
    estimator_ : estimator object
        The fitted clone of `estimator`.

    encoded_classes_ : ndarray of shape (n_classes,) or None
        The class labels that `estimator_` knows as 0, 1, ..., if it refused the labels themselves.

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

    A classifier that raises a `TypeError` or `ValueError` for text, or for integers other than
    0, 1, ..., as XGBoost's does, is fitted again on these numbers in their place. The labels of an
    `eval_set` are encoded too; what `estimator` itself holds about classes, such as `class_weight`,
    is not. `predict`, `classes_` and the columns of `predict_proba` speak of the labels in `y`.

    Of the parameters of `fit` and `score`, `sample_weight`, `groups` and those that are named in
    `sample_properties` are cut to the labeled rows. All others are passed on as they are given,
    such as the `eval_set` and `feature_weights` of XGBoost. With metadata routing, each goes where
    `estimator` requests it; a step within `estimator` that requests `sample_weight` by another name
    needs that name in `sample_properties`.

    Meta-estimators that look at `y` themselves, such as
    :class:`~sklearn.ensemble.VotingClassifier`, :class:`~sklearn.ensemble.StackingClassifier` or
    :class:`~sklearn.multiclass.OneVsRestClassifier`, take -1 for a class. They belong inside,
    as `LabeledOnly(VotingClassifier(...))`. So does
    :class:`~sklearn.compose.TransformedTargetRegressor`, which refuses NaN and transforms any other
    marker as if it were a target.

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
        "sample_properties": [list, tuple],
    }

    def __init__(self, estimator, *, unlabeled="auto", sample_properties=()):
        self.estimator = estimator
        self.unlabeled = unlabeled
        self.sample_properties = sample_properties

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
            Parameters of the estimator's `fit`. `sample_weight`, `groups` and those named in
            `sample_properties` are cut to the labeled rows.

        Returns
        -------
        self : LabeledOnly
            The fitted estimator.

        Raises
        ------
        ValueError
            If no row is labeled; if `y` is exactly -1 and 1, `unlabeled="auto"` and the estimator
            is a classifier, which would be left with one class; if labels are encoded and an
            `eval_set` has others; and where :func:`is_unlabeled` raises.

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
        context = self._init_callback_context(max_subtasks=2)
        context.call_on_fit_task_begin(estimator=self, X=X, y=labels)
        # Only by trying can one tell which labels a classifier takes.
        try:
            estimator, classes = self._fit_clone(context, X, labels, params), None
        except (TypeError, ValueError):
            classes = self._classes_to_encode(labels)
            if classes is None:
                raise
            params = _with_encoded_eval_sets(params, classes)
            estimator = self._fit_clone(context, X, _encoded(labels, classes), params)
        self.estimator_, self.encoded_classes_ = estimator, classes
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
        predicted, classes = self._delegate("predict", X, params), self.encoded_classes_
        # Parameters may ask for what are no classes, such as margins.
        if classes is None or not np.isin(predicted, np.arange(len(classes))).all():
            return predicted
        return classes[np.asarray(predicted).astype(np.intp)]

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
            Parameters of the estimator's `score`, such as `sample_weight`, cut as those of
            :meth:`fit`.

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
        if self.encoded_classes_ is not None:
            labels = _encoded(labels, self.encoded_classes_)
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
        encoded = self.encoded_classes_
        return self.estimator_.classes_ if encoded is None else encoded

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
        return labeled_part(
            X,
            labels,
            params,
            unlabeled=self.unlabeled,
            sample_properties=self.sample_properties,
            whole_numbers=is_classifier(self),
        )

    def _fit_clone(self, context, X, labels, params):
        """Fit a clone of the estimator as a task of callbacks."""
        estimator = clone(self.estimator)
        fit_as_task(context, self, estimator, X, labels, name="fit-estimator", **params)
        return estimator

    def _classes_to_encode(self, labels):
        """Find the classes of one column of labels, unless they are 0, 1, ... already."""
        if not is_classifier(self) or labels.ndim > 1:
            return None
        try:
            classes = np.unique(labels)
        except TypeError:
            return None
        if classes.dtype.kind == "f" and not all(map(float.is_integer, classes.tolist())):
            return None
        return None if classes.tolist() == list(range(len(classes))) else classes

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
