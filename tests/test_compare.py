"""Paired comparisons on the labeled rows of one data set."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import t
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ShuffleSplit,
    StratifiedShuffleSplit,
    cross_val_score,
)
from sklearn.neighbors import KNeighborsClassifier

from sklearn_ae.plotting import ComparisonDisplay
from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit, compare

X, TRUTH = make_classification(300, flip_y=0.2, random_state=0)
Y = np.where(np.arange(300) % 3 == 0, TRUTH, -1)


class Guess(ClassifierMixin, BaseEstimator):
    """As good as any other of its kind: right on a share of the rows that its seed draws."""

    def __init__(self, seed=0):
        self.seed = seed

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        seen = np.random.RandomState(self.seed).rand(1000) < 0.75
        return np.where(seen[X[:, 0].astype(int)], X[:, 1], 1 - X[:, 1]).astype(int)


def test_gains_and_errors_are_those_of_the_formula():
    models = {
        "linear": LabeledOnly(LogisticRegression()),
        "chance": LabeledOnly(DummyClassifier(strategy="stratified", random_state=0)),
    }
    found = compare(models, X, Y)
    labeled = np.flatnonzero(Y >= 0)
    splits = list(
        StratifiedShuffleSplit(10, test_size=0.2, random_state=0).split(X[labeled], Y[labeled])
    )
    expected = np.array(
        [
            [
                model.fit(X[labeled[train]], Y[labeled[train]]).score(
                    X[labeled[test]], Y[labeled[test]]
                )
                for train, test in splits
            ]
            for model in models.values()
        ]
    )
    assert_array_equal(found.scores, expected)
    gain = expected[1] - expected[0]
    error = np.sqrt(gain.var(ddof=1) * (1 / 10 + 20 / 80))
    assert_allclose(found.gains, [0, gain.mean()])
    assert_allclose(found.standard_errors, [0, error])
    assert_allclose(found.margins, [0, t.ppf(0.975, 9) * error])
    assert found.verdicts == ["no difference", "worse"]
    assert found.best == "linear"
    assert found.n_labeled == 100
    assert f"chance  {expected[1].mean():.3f}  {gain.mean():+.3f} ± {error:.3f}  worse" in str(
        found
    )


def test_equal_models_are_said_to_be_equal():
    rng = np.random.RandomState(0)
    verdicts = []
    for draw in range(40):
        rows = rng.permutation(1000)[:200]
        rows = np.column_stack([rows, rng.randint(0, 2, 200)])
        models = {"a": Guess(2 * draw), "b": Guess(2 * draw + 1)}
        verdicts += compare(models, rows, rows[:, 1]).verdicts[1:]
    assert verdicts.count("no difference") >= 36


def test_splits_are_the_same_for_all_even_of_a_splitter_without_a_seed():
    model = KNeighborsClassifier(1)
    found = compare({"a": model, "b": model}, X, TRUTH, cv=ShuffleSplit(5), scoring="roc_auc")
    assert_array_equal(found.scores[0], found.scores[1])
    assert found.scoring == "roc_auc"
    assert found.best == "a"
    assert compare({"a": model, "b": model}, X, TRUTH, cv=KFold(4)).scores.shape == (2, 4)
    with_own = compare(
        {"a": LabeledOnly(model), "b": LabeledOnly(model)}, X, Y, cv=SemiSupervisedSplit(3)
    )
    assert with_own.scores.shape == (2, 3)


def test_regression_and_several_models():
    y = np.where(np.arange(300) % 2, X[:, 0] + X[:, 1], np.nan)
    models = {"mean": DummyRegressor(), "ridge": Ridge(), "weak": Ridge(1e6)}
    found = compare({name: LabeledOnly(model) for name, model in models.items()}, X, y)
    assert found.verdicts[1] == "better"
    assert found.best == "ridge"
    assert_allclose(found.margins[1:], t.ppf(1 - 0.025 / 2, 9) * found.standard_errors[1:])


def test_one_score_for_all_whatever_they_are_tuned_by():
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, scoring="neg_log_loss")
    models = {"linear": LogisticRegression(), "search": search}
    found = compare(models, X, TRUTH, cv=3)
    assert found.scoring == "accuracy"
    assert_array_equal(found.scores[0], found.scores[1])
    ridge = {"a": Ridge(), "b": GridSearchCV(Ridge(), {"alpha": [1.0]}, scoring="neg_max_error")}
    found = compare(ridge, X, X[:, 0], cv=3)
    assert found.scoring == "r2"
    assert_array_equal(found.scores[0], found.scores[1])
    assert found != compare(ridge, X, X[:, 0], cv=3)


def test_classes_of_one_label_are_compared_too():
    y = TRUTH.copy()
    y[0] = 2
    found = compare({"a": DummyClassifier(), "b": DummyClassifier()}, X, y)
    assert found.verdicts == ["no difference"] * 2


def test_an_error_says_whose_it_is():
    models = {"linear": LogisticRegression(), "wrong": LogisticRegression(solver="none")}
    with pytest.raises(ValueError, match="solver") as caught:
        compare(models, X, TRUTH)
    assert "raised by 'wrong'" in caught.value.__notes__[0]


def test_several_outputs_are_scored_by_the_estimators():
    y = np.column_stack([TRUTH, X[:, 0] > 0.5]).astype(int)
    models = {"a": KNeighborsClassifier(1), "b": KNeighborsClassifier(1)}
    found = compare(models, X, y, cv=3)
    assert found.scoring == "score"
    assert_array_equal(found.scores[0], cross_val_score(models["a"], X, y, cv=KFold(3)))


def test_the_marker_is_that_of_the_splits():
    model = LogisticRegression()
    marked = np.where(Y < 0, -99, TRUTH)
    cv = SemiSupervisedSplit(3, unlabeled=-99)
    models = {name: LabeledOnly(model, unlabeled=-99) for name in "ab"}
    assert compare(models, X, marked, cv=cv).n_labeled == (Y >= 0).sum()


def test_a_score_that_is_nan_is_refused():
    models = {"a": DummyClassifier(), "b": DummyClassifier()}
    with pytest.raises(
        ValueError, match=r"score of 'a' is NaN on 1 of 3 splits.* may lack a class"
    ):
        compare(models, X, TRUTH, cv=KFold(3), scoring=first_is_nan())


def first_is_nan():
    scores = iter([np.nan, 1.0, 1.0] * 2)
    return lambda estimator, X, y: next(scores)


def test_unequal_searches_are_told():
    small = GridSearchCV(Ridge(), {"alpha": [1, 2]})
    large = GridSearchCV(Ridge(), {"alpha": [1, 2, 3]})
    with pytest.warns(UserWarning, match="small tries 2, large tries 3"):
        compare({"small": small, "large": large}, X, X[:, 0], cv=3)
    compare({"small": small, "same": GridSearchCV(Ridge(), {"alpha": [3, 4]})}, X, X[:, 0], cv=3)


@pytest.mark.parametrize(
    ("estimators", "cv", "message"),
    [
        ({"one": Ridge()}, 3, "must be two or more"),
        ({"a": Ridge(), "b": Ridge()}, ShuffleSplit(1), "makes 1 split"),
    ],
)
def test_what_cannot_be_compared_is_refused(estimators, cv, message):
    with pytest.raises(ValueError, match=message):
        compare(estimators, X, X[:, 0], cv=cv)


def test_the_display_shows_gains_and_margins():
    models = {
        "chance": DummyClassifier(),
        "linear": LogisticRegression(),
        "same": DummyClassifier(),
    }
    display = ComparisonDisplay.from_estimators(models, X, TRUTH)
    found = display.comparison
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["linear", "same"]
    segments = [bar.get_segments()[0][:, 0] for bar in display.ax_.collections]
    assert_allclose(segments[0], found.gains[1] + found.margins[1] * np.array([-1, 1]))
    plt.close(display.figure_)
    _, ax = plt.subplots()
    assert ComparisonDisplay(found).plot(ax).ax_ is ax
    plt.close(ax.figure)
