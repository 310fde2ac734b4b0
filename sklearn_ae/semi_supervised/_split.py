"""Cross-validation that scores labeled rows only, and trains on the unlabeled ones too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import TimeSeriesSplit, check_cv
from sklearn.utils.metadata_routing import UNUSED, get_routing_for_object

from sklearn_ae._sklearn._compat import MissingValues, StrOptions, validate_parameter_constraints
from sklearn_ae._sklearn._warnings import warn
from sklearn_ae.semi_supervised._labels import (
    as_array,
    is_auto,
    is_missing,
    is_unlabeled,
    labeled_part,
)


class SemiSupervisedSplit(BaseEstimator):
    """Cross-validate on the labeled rows, and train on the unlabeled ones too.

    The labeled rows are split as `cv` splits them. The unlabeled rows are in no test part, so that
    every scorer counts labeled rows only, and join the training part of every split, except:

    - where `groups` are given, those of a group that has rows in the test part;
    - where rows are in order of time (see `time_ordered`), those that come later.

    Parameters
    ----------
    cv : int, cross-validation generator, iterable or None, default=5
        How to split the labeled rows:

        - an int, the number of folds, or `None`, which is 5: stratified folds if the labels are
          binary or multiclass (see :func:`~sklearn.utils.multiclass.type_of_target`), else
          :class:`~sklearn.model_selection.KFold`, also for whole numbers if there are more than
          half as many distinct ones as labeled rows;
        - a splitter of scikit-learn;
        - a list of (train, test) index arrays that count the labeled rows only, in their order.

    unlabeled : "auto", int, float, str, NaN, `pandas.NA` or None, default="auto"
        What `y` holds where there is no label, as for :class:`LabeledOnly`;
        :func:`is_unlabeled` has the details.

    time_ordered : "auto" or bool, default="auto"
        Whether the rows of X are in order of time. Then no unlabeled row is trained on that comes
        after the first test row, or after the training part of `cv` where it leaves a gap behind
        that. `"auto"` is True if `cv` is a :class:`~sklearn.model_selection.TimeSeriesSplit`.

    Attributes
    ----------
    shuffle : bool
        That of `cv`, if it has one. Searches that need the same folds in every round look at it.

    random_state : int, RandomState instance or None
        That of `cv`, if it has one.

    See Also
    --------
    LabeledOnly : Fit an estimator on the labeled rows.
    labeled_scorer : Score the labeled rows of any part.
    sklearn.model_selection.PredefinedSplit : Does the same where the folds are known beforehand:
        rows of fold -1 are in every training part.

    Notes
    -----
    Whole numbers that repeat look like classes, in floats too. For a regression on small counts
    pass `KFold(5)` rather than 5.

    The training parts hold unlabeled rows. Where they are scored, as by `return_train_score=True`,
    :func:`~sklearn.model_selection.validation_curve` and
    :func:`~sklearn.model_selection.learning_curve`, pass `scoring=labeled_scorer("accuracy")`:
    a scorer that is named by a string counts these rows as wrong, or fails.

    Scorers get the test part of `y` as it is given, and those named by a string refuse numbers in
    an object array, such as `[0, 1, None]`: mark such labels by -1, NaN or a nullable type, or use
    :func:`labeled_scorer` or the estimator's own `score`.

    Metadata routing: the splitter requests what `cv` requests, so `groups` reaches
    `SemiSupervisedSplit(GroupKFold(5))`. Groups have one entry for each row, labeled or not; an
    unlabeled row whose group is missing, or has no labeled row, is always trained on.

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

    _parameter_constraints: dict = {
        "cv": ["cv_object"],
        "unlabeled": [MissingValues()],
        "time_ordered": ["boolean", StrOptions({"auto"})],
    }
    # `groups` are requested as `cv` requests them: there is no `set_split_request` here.
    __metadata_request__split = {"groups": UNUSED}

    def __init__(self, cv=5, *, unlabeled="auto", time_ordered="auto"):
        self.cv = cv
        self.unlabeled = unlabeled
        self.time_ordered = time_ordered

    def split(self, X, y=None, groups=None):
        """Generate the indices of each training and test part.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Labeled and unlabeled rows.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The label of each row, or the marker that says that it has none. Must be given.

        groups : array-like of shape (n_samples,), default=None
            The group of each row, labeled or not.

        Yields
        ------
        train : ndarray of shape (n_train,)
            Ascending indices of the training rows, unlabeled rows among them.

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
        unlabeled = is_unlabeled(y, self.unlabeled)
        all_groups = None if groups is None else as_array(groups)
        X, labels, groups = self._labeled_part(X, y, groups)
        if not unlabeled.any() and is_auto(self.unlabeled) and labels.dtype.kind in "iu":
            warn(
                "y holds integers without a -1, so every row counts as labeled. Set "
                "`unlabeled=None` if that is right; otherwise something has encoded y before it "
                "was split, as StackingClassifier does."
            )
        labeled, unlabeled = np.flatnonzero(~unlabeled), np.flatnonzero(unlabeled)
        ordered = self.time_ordered
        if is_auto(ordered):
            ordered = isinstance(self.cv, TimeSeriesSplit)
        for train, test in self._checked_cv(labels).split(X, labels, groups):
            joining = unlabeled
            if groups is not None:
                held_out = all_groups[labeled[test]].tolist()
                # A missing group is no group: None, NaN.
                held_out = {g for g in held_out if not is_missing(g)}
                joins = [group not in held_out for group in all_groups[unlabeled].tolist()]
                joining = unlabeled[joins]
            if ordered:
                end = labeled[min(np.max(train, initial=-1) + 1, np.min(test))]
                joining = joining[joining < end]
            yield np.sort(np.concatenate([labeled[train], joining])), labeled[test]

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
        X, labels, groups = self._labeled_part(X, y, groups)
        return self._checked_cv(labels).get_n_splits(X, labels, groups)

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
        """Check the parameters, and refuse an iterator as `cv`."""
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
        params = {"groups": groups}
        X, labels, params = labeled_part(X, as_array(y), params, unlabeled=self.unlabeled)
        return X, labels, params["groups"]

    def _checked_cv(self, labels):
        """Make a splitter of `cv`, with plain folds for numbers most of which are distinct."""
        classes = labels.dtype.kind not in "iuf" or len(np.unique(labels)) <= labels.size / 2
        return check_cv(self.cv, labels, classifier=classes)
