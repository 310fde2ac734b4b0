"""Scorers that count labeled rows only."""

from __future__ import annotations

from inspect import signature

from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.utils.metadata_routing import get_routing_for_object

from sklearn_ae._sklearn._compat import MissingValues, StrOptions, validate_params
from sklearn_ae.semi_supervised._labels import as_array, labeled_part


@validate_params(
    {
        "scoring": [StrOptions(set(get_scorer_names())), callable, list, tuple, set, dict],
        "unlabeled": [MissingValues()],
        "sample_properties": [list, tuple],
    },
    prefer_skip_nested_validation=True,
)
def labeled_scorer(scoring, *, unlabeled="auto", sample_properties=()):
    """Make a scorer that leaves out the unlabeled rows.

    For scores of parts that hold unlabeled rows, such as the training parts of
    :class:`SemiSupervisedSplit`: scikit-learn's own scorers count each as wrong, or fail.
    :meth:`LabeledOnly.score` needs no such scorer.

    Parameters
    ----------
    scoring : str, callable, list, tuple, set or dict
        The scorer, or several, as for :func:`~sklearn.metrics.check_scoring`. Several make a
        scorer that gives a dict of scores. As a value of the dict that a search takes for
        `scoring`, a labeled scorer stands for one score.

    unlabeled : "auto", int, float, str, NaN, `pandas.NA` or None, default="auto"
        What `y` holds where there is no label, as for :class:`LabeledOnly`;
        :func:`is_unlabeled` has the details.

    sample_properties : list or tuple of str, default=()
        Metadata of the scorer, beside `sample_weight`, that have an entry for each row of X. They
        are cut to the labeled rows.

    Returns
    -------
    scorer : callable
        A scorer with the signature `scorer(estimator, X, y, **metadata)`. It raises a `ValueError`
        if no row is labeled. With metadata routing, it requests what `scoring` requests;
        `scorer.set_score_request(sample_weight=True)` sets that.

    See Also
    --------
    SemiSupervisedSplit : Cross-validation whose test parts are labeled.
    LabeledOnly : Its `score` counts labeled rows only.
    sklearn.metrics.make_scorer : Make a scorer from a metric.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_validate
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit, labeled_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> few = np.where(np.arange(150) % 3 == 0, y, -1)
    >>> tree = LabeledOnly(DecisionTreeClassifier(random_state=0))
    >>> for scoring in "accuracy", labeled_scorer("accuracy"):
    ...     scores = cross_validate(
    ...         tree, X, few, cv=SemiSupervisedSplit(3), scoring=scoring, return_train_score=True
    ...     )
    ...     print(scores["train_score"].round(2))
    [0.25 0.25 0.25]
    [1. 1. 1.]
    """
    return LabeledScorer(check_scoring(scoring=scoring), unlabeled, sample_properties)


class LabeledScorer:
    """A scorer of scikit-learn's, or of the user's, that is given the labeled rows."""

    def __init__(self, scorer, unlabeled, sample_properties):
        self._scorer = scorer
        self._cut = {"unlabeled": unlabeled, "sample_properties": sample_properties}

    def __call__(self, estimator, X, y, **params):
        X, labels, params = labeled_part(X, as_array(y), params, **self._cut)
        return self._scorer(estimator, X, labels, **params)

    def __repr__(self):
        return f"labeled_scorer({self._scorer!r})"

    def set_score_request(self, **kwargs):
        """Set the metadata that the scorer requests."""
        self._scorer.set_score_request(**kwargs)
        return self

    def get_metadata_routing(self):
        """Get the metadata that the scorer requests."""
        return get_routing_for_object(self._scorer)

    def _accept_sample_weight(self):
        """Tell scikit-learn's searches whether the scorer takes weights."""
        accepts = getattr(self._scorer, "_accept_sample_weight", None)
        return accepts() if accepts else "sample_weight" in signature(self._scorer).parameters
