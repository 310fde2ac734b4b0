"""Paired comparison of estimators on the labeled rows of one data set."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from scipy.stats import t as student_t
from sklearn.base import is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import (
    ParameterGrid,
    ShuffleSplit,
    StratifiedShuffleSplit,
    cross_val_score,
)
from sklearn.utils import get_tags

from sklearn_ae._sklearn._compat import MissingValues, validate_params
from sklearn_ae._sklearn._warnings import warn
from sklearn_ae.semi_supervised._labeled_only import LabeledOnly
from sklearn_ae.semi_supervised._labels import as_array, is_auto, is_unlabeled
from sklearn_ae.semi_supervised._scorer import labeled_scorer
from sklearn_ae.semi_supervised._split import SemiSupervisedSplit

# What all differences of a comparison together are wrong by chance at most this often.
_LEVEL = 0.05
# The share of the labeled rows that scores, where no cv is given.
_TEST_SIZE = 0.2
_SCORING = {"classifier": "accuracy", "regressor": "r2"}


@dataclass(frozen=True, eq=False)
class Comparison:
    """What :func:`compare` found.

    Printed, it is a table: the score of each estimator, what it gains over the first, the standard
    error of that, whether it is a difference, and what it has to exceed to be one.

    Parameters
    ----------
    names : list of str
        The names of the estimators. The first is what the others are compared with.

    scores : ndarray of shape (n_estimators, n_splits)
        The score of each estimator on the test part of each split.

    gains : ndarray of shape (n_estimators,)
        Mean difference of the scores from those of the first.

    standard_errors : ndarray of shape (n_estimators,)
        Standard errors of `gains`, corrected for training parts that overlap.

    margins : ndarray of shape (n_estimators,)
        What a gain has to exceed to count: two standard errors and more, the more the fewer splits
        and the more estimators there are.

    scoring : str
        The name of the score.

    n_labeled : int
        Number of labeled rows.

    See Also
    --------
    compare : Makes it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ae.semi_supervised import Comparison
    >>> found = Comparison(
    ...     names=["linear", "vote"],
    ...     scores=np.array([[0.75, 0.8], [0.85, 0.8]]),
    ...     gains=np.array([0.0, 0.05]),
    ...     standard_errors=np.array([0.0, 0.05]),
    ...     margins=np.array([0.0, 0.1]),
    ...     scoring="accuracy",
    ...     n_labeled=200,
    ... )
    >>> print(found)
    accuracy on 2 splits of 200 labeled rows, differences from linear:
      linear  0.775
      vote    0.825  +0.050 ± 0.050  no difference  (chance alone: ±0.100)
    """

    names: list[str]
    scores: np.ndarray
    gains: np.ndarray
    standard_errors: np.ndarray
    margins: np.ndarray
    scoring: str
    n_labeled: int

    @property
    def verdicts(self):
        """What to say of each: ``"better"``, ``"worse"`` or ``"no difference"``."""
        return [
            "no difference" if abs(gain) <= margin else "better" if gain > 0 else "worse"
            for gain, margin in zip(self.gains, self.margins, strict=True)
        ]

    @property
    def best(self):
        """The name to keep: the highest score among those that are better, or else the first."""
        means = self.scores.mean(axis=1)
        eligible = [i for i, word in enumerate(self.verdicts) if word == "better"]
        return self.names[max(eligible, key=means.__getitem__, default=0)]

    def __str__(self):
        width = max(map(len, self.names))
        lines = [
            f"{self.scoring} on {self.scores.shape[1]} splits of {self.n_labeled} labeled rows, "
            f"differences from {self.names[0]}:"
        ]
        for i, name in enumerate(self.names):
            line = f"  {name:{width}s}  {self.scores[i].mean():.3f}"
            if i:
                line += f"  {self.gains[i]:+.3f} ± {self.standard_errors[i]:.3f}"
                line += f"  {self.verdicts[i]:13s}  (chance alone: ±{self.margins[i]:.3f})"
            lines.append(line)
        return "\n".join(lines)


@validate_params(
    {
        "estimators": [dict],
        "X": "no_validation",
        "y": "no_validation",
        "groups": "no_validation",
        "cv": ["cv_object"],
        "scoring": [str, callable, None],
        "unlabeled": [MissingValues()],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def compare(estimators, X, y, *, groups=None, cv=None, scoring=None, unlabeled="auto", n_jobs=None):
    """Compare estimators on the labeled rows of a data set, and say whether they differ.

    Every estimator is fitted and scored on the same splits, so that differences are paired. Splits
    share training rows, which makes the usual standard error too small; it is corrected as
    proposed in [1]_: the variance of the differences times ``1 / n_splits + n_test / n_train``.
    A difference counts if it exceeds what chance makes of equal estimators in 5 % of comparisons,
    by Student's t with ``n_splits - 1`` degrees of freedom, and for several estimators by the rule
    of Bonferroni.

    Parameters
    ----------
    estimators : dict of str to estimator
        What is compared, by name. The first is the one that the others are compared with. What is
        tuned goes in as a search, such as :class:`~sklearn.model_selection.GridSearchCV`, which is
        then fitted anew on each training part.

    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Labeled and unlabeled rows.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The label of each row, or the marker that says that it has none.

    groups : array-like of shape (n_samples,), default=None
        The group of each row, for a `cv` that uses groups.

    cv : int, cross-validation generator, iterable or None, default=None
        How the labeled rows are split, as for :class:`SemiSupervisedSplit`; None splits them ten
        times, a fifth of them to test, stratified if the first estimator is a classifier and every
        class has two labels and the test parts room for all of them.

    scoring : str, callable or None, default=None
        The score, as for :func:`~sklearn.model_selection.cross_val_score`; None is the accuracy of
        classifiers and R² of regressors, whatever a search among them is tuned by, and the `score`
        of other estimators.

    unlabeled : "auto", int, float, str, NaN, `pandas.NA` or None, default="auto"
        What `y` holds where there is no label, as for :class:`LabeledOnly`;
        :func:`is_unlabeled` has the details. With "auto" that of `cv` holds, if it is a
        :class:`SemiSupervisedSplit`.

    n_jobs : int or None, default=None
        Number of jobs that fit the splits of one estimator side by side.

    Returns
    -------
    comparison : Comparison
        Scores, gains, their standard errors and verdicts; `print` shows them as a table, and
        :class:`sklearn_ae.plotting.ComparisonDisplay` as a plot.

    Raises
    ------
    ValueError
        If there are fewer than two estimators or fewer than two splits, if a score is NaN, as of
        ROC AUC where a test part has one class, and where :class:`SemiSupervisedSplit` raises.

    Warns
    -----
    UserWarning
        If searches among the estimators try different numbers of candidates: the one that tries
        more has an advantage of its own.

    See Also
    --------
    sklearn_ae.plotting.ComparisonDisplay : The gains as a plot.
    SemiSupervisedSplit : The splits.

    References
    ----------
    .. [1] Nadeau, C. and Bengio, Y. (2003). Inference for the generalization error. Machine
       Learning 52.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ae.semi_supervised import LabeledOnly, compare
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> few = np.where(np.arange(len(y)) % 3 == 0, y, -1)
    >>> linear = make_pipeline(StandardScaler(), LabeledOnly(LogisticRegression()))
    >>> again = make_pipeline(StandardScaler(), LabeledOnly(LogisticRegression(C=0.9)))
    >>> chance = LabeledOnly(DummyClassifier())
    >>> found = compare({"linear": linear, "again": again, "chance": chance}, X, few)
    >>> found.verdicts
    ['no difference', 'no difference', 'worse']
    >>> found.best
    'linear'
    """
    if len(estimators) < 2:
        raise ValueError(f"estimators={list(estimators)!r} must be two or more, to be compared.")
    names, first = list(estimators), next(iter(estimators.values()))
    _check_candidates(estimators)
    if isinstance(cv, SemiSupervisedSplit) and is_auto(unlabeled):
        unlabeled = cv.unlabeled
    labels = as_array(y)
    if scoring is None and labels.ndim == 1:
        scoring = _SCORING.get(get_tags(first).estimator_type)
    labeled = ~is_unlabeled(labels, unlabeled)
    if cv is None:
        stratifies = is_classifier(first) and _has_each_twice(labels[labeled])
        kind = StratifiedShuffleSplit if stratifies else ShuffleSplit
        cv = kind(10, test_size=_TEST_SIZE, random_state=0)
    if not isinstance(cv, SemiSupervisedSplit):
        # Integers without a -1 are no mistake here.
        cv = SemiSupervisedSplit(cv, unlabeled=None if labeled.all() else unlabeled)
    # Drawn once: a splitter without a random state would draw other rows for each estimator.
    splits = list(cv.split(X, y, groups))
    if len(splits) < 2:
        raise ValueError(f"cv={cv.cv!r} makes {len(splits)} split: a standard error needs two.")
    scorer = scoring and labeled_scorer(scoring, unlabeled=unlabeled)
    settings = {"cv": splits, "scoring": scorer, "n_jobs": n_jobs, "error_score": "raise"}
    scores = np.empty((len(names), len(splits)))
    for row, (name, estimator) in zip(scores, estimators.items(), strict=True):
        try:
            row[:] = cross_val_score(estimator, X, y, **settings)
        except Exception as error:
            error.add_note(f"It was raised by {name!r} of estimators={names!r}.")
            raise
    _check_scores(names, scores, scoring)
    gains = scores - scores[0]
    ratio = np.mean([len(test) / labeled[train].sum() for train, test in splits])
    errors = np.sqrt(gains.var(axis=1, ddof=1) * (1 / len(splits) + ratio))
    quantile = student_t.ppf(1 - _LEVEL / 2 / (len(names) - 1), len(splits) - 1)
    return Comparison(
        names=names,
        scores=scores,
        gains=gains.mean(axis=1),
        standard_errors=errors,
        margins=quantile * errors,
        scoring=_name_of_score(scoring, first),
        n_labeled=int(labeled.sum()),
    )


def _has_each_twice(labels):
    """Whether each class can be in the training and the test part of a stratified split."""
    counts = Counter(labels.tolist()) if labels.ndim == 1 else {}
    room = math.ceil(_TEST_SIZE * len(labels))
    return bool(counts) and min(counts.values()) > 1 and len(counts) <= room


def _check_scores(names, scores, scoring):
    """Refuse scores that are NaN."""
    for name, row in zip(names, scores, strict=True):
        if np.isnan(row).any():
            raise ValueError(
                f"The score of {name!r} is NaN on {np.isnan(row).sum()} of {len(row)} splits, "
                f"scoring={scoring!r}: its test rows may lack a class. Give a cv of fewer or "
                "stratified splits, or another score."
            )


def _name_of_score(scoring, estimator):
    if scoring is None:
        return "score"
    if isinstance(scoring, str):
        return scoring
    return getattr(scoring, "__name__", repr(check_scoring(estimator, scoring)))


def _check_candidates(estimators):
    """Warn of searches that try different numbers of candidates."""
    counts = {name: _n_candidates(estimator) for name, estimator in estimators.items()}
    counts = {name: count for name, count in counts.items() if count}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{name} tries {count}" for name, count in counts.items())
        warn(
            "The estimators are searches that try different numbers of candidates, and who tries "
            f"more has an advantage of its own: {said}."
        )


def _n_candidates(estimator):
    """Count what a search tries, also as the last step of a pipeline; 0 if it is none."""
    if hasattr(estimator, "steps"):
        return _n_candidates(estimator.steps[-1][1])
    if isinstance(estimator, LabeledOnly):
        return _n_candidates(estimator.estimator)
    if hasattr(estimator, "param_grid"):
        return len(ParameterGrid(estimator.param_grid))
    return getattr(estimator, "n_iter", 0) if hasattr(estimator, "param_distributions") else 0
