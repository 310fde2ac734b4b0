"""Unlabeled rows: which they are, who fits on the others, and how those are split."""

import functools
import itertools
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import sklearn.model_selection as ms
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone, is_classifier
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import BayesianRidge, LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import get_scorer, make_scorer
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import check_param_validation, estimator_checks_generator
from xgboost import XGBClassifier

from sklearn_ae import Autoencoder, AutoencoderClassifier
from sklearn_ae.semi_supervised import (
    LabeledOnly,
    SemiSupervisedSplit,
    is_unlabeled,
    labeled_scorer,
)

N_ROWS = 120
# Scattered, so that a mix-up of positions and of labeled rows shows.
LABELED = np.sort(np.random.RandomState(0).permutation(N_ROWS)[:45])
IS_LABELED = np.isin(np.arange(N_ROWS), LABELED)
HIDDEN = np.flatnonzero(~IS_LABELED)
X, LABELS = make_classification(N_ROWS, 8, n_informative=5, n_classes=3, random_state=0)
FEW = np.where(IS_LABELED, LABELS, -1)
KEPT = X[IS_LABELED], LABELS[IS_LABELED]
TEXTS = np.array(["ant", "bee", "cat", None], object)
NAN = float("nan")
BINARY = np.minimum(FEW, 1)
TARGET = np.where(IS_LABELED, X[:, 0], NAN)
FOUR_ROWS = np.arange(4.0).reshape(-1, 1)
WEIGHT = np.random.RandomState(0).uniform(0.1, 5, N_ROWS)
# The group of the unlabeled rows is none.
GROUPS = np.where(IS_LABELED, np.arange(N_ROWS) // 10, 99)
LDA = LinearDiscriminantAnalysis()
TREE = LabeledOnly(DecisionTreeClassifier(random_state=0))
LINE = LabeledOnly(Ridge(alpha=1e-9))
NETWORK = AutoencoderClassifier(Autoencoder(2, max_epochs=1), max_epochs=1)
XGB = XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1, random_state=0)


class Recorder(ClassifierMixin, BaseEstimator):
    def fit(self, X, y, sample_weight=None, **rest):
        self.X_, self.y_, self.sample_weight_, self.rest_ = X, y, sample_weight, rest
        return self


class FromZero(LinearDiscriminantAnalysis):
    # Takes the classes 0, 1, ... only, as XGBoost does.
    def fit(self, X, y):
        if super().fit(X, y).classes_.tolist() != list(range(len(self.classes_))):
            raise ValueError("Invalid classes")
        return self


def common_checks():
    """List what `parametrize_with_checks` runs; of old, that gives pytest a generator."""
    for inner, unlabeled in itertools.product((LDA, FromZero(), Ridge()), ("auto", None)):
        for model, check in estimator_checks_generator(LabeledOnly(inner, unlabeled=unlabeled)):
            name = check.func.__name__
            # Checks of the array API skip themselves. The classes of one check are -1 and 1.
            if "array_api" not in name and ("classifiers_classes" in name) == (unlabeled is None):
                yield pytest.param(model, check, id=f"{model}-{name}-{check.keywords}")


@pytest.mark.parametrize(("estimator", "check"), list(common_checks()))
def test_common_checks(estimator, check):
    check(estimator)


def test_parameters_are_validated():
    check_param_validation("LabeledOnly", LabeledOnly(LogisticRegression(), unlabeled=None))
    for bad in ({"unlabeled": [-1]}, {"cv": 1}, {"cv": "five"}, {"time_ordered": "no"}):
        with pytest.raises(ValueError, match=f"The '{next(iter(bad))}' parameter of Semi"):
            next(SemiSupervisedSplit().set_params(**bad).split(np.zeros((4, 1)), [0, 1, 0, 1]))
    uses = {"unlabeled": lambda bad: is_unlabeled([0, 1], unlabeled=bad), "scoring": labeled_scorer}
    for name, use in uses.items():
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            use(3j)


# The labels, the marker, the rows that it marks, and the type of the labels of the others.
MARKERS = {
    "int8": (np.array([2, 0, -1], dtype=np.int8), "auto", [2], np.int8),
    "unsigned": (np.array([2, 0, 255], dtype=np.uint8), "auto", [], np.uint8),
    "floats, whole": (np.array([-1.0, 1.0, NAN], dtype=np.float16), "auto", [2], np.int64),
    "floats, not whole": ([0.5, 1.0, NAN], "auto", [2], np.float64),
    "floats, literal -1": (np.array([-1.0, 0.5, 2.0]), -1, [0], np.float64),
    "floats, whole, all labeled": ([2.0, 0.0, 1.0], "auto", [], np.float64),
    "floats, huge": ([2.0, 1e300, NAN], "auto", [2], np.float64),
    "strings and -1": (["cat", "dog", -1], "auto", [2], object),
    "strings and NumPy's -1": (np.array(["cat", np.int64(-1)], object), "auto", [1], object),
    "strings, literal '-1'": (np.array(["cat", "-1"]), "-1", [1], np.dtype("<U3")),
    "strings, literal NaN": (["cat", None, -1, NAN], NAN, [1, 3], object),
    "objects: ints": (np.array([0, -1, NAN, None], dtype=object), "auto", [1, 2, 3], np.int64),
    "objects: floats": (np.array([1.0, -1, NAN, None], dtype=object), "auto", [2, 3], np.int64),
    "pandas ints": (pd.array([0, pd.NA, -1], dtype="Int64"), "auto", [1, 2], np.int64),
    "pandas floats": (pd.array([-1.0, pd.NA, 1.0], dtype="Float64"), "auto", [1], np.int64),
    "pandas bools": (pd.Series([True, pd.NA], dtype="boolean"), "auto", [1], np.bool_),
    "pandas objects": (pd.Series(["a", pd.NA, -1, None], dtype=object), "auto", [1, 2, 3], object),
    "pandas categories": (pd.Series([3, None, -1], dtype="category"), "auto", [1, 2], np.int64),
    "pandas, literal NA": (pd.Series([1, pd.NA, -1], dtype="Int64"), pd.NA, [1], np.int64),
    "polars ints": (pl.Series([0, None, -1]), "auto", [1, 2], np.int64),
    "pandas frame": (pd.DataFrame({"y": [0, pd.NA]}, dtype="Int64"), "auto", [1], np.int64),
    "polars frame": (pl.DataFrame({"y": [0, None, -1]}), "auto", [1, 2], np.int64),
    "empty": ([], "auto", [], np.float64),
    "column": ([[0], [-1], [1]], "auto", [1], np.int64),
    "two outputs": ([[0, 2], [-1, -1], [1, 0]], "auto", [1], np.int64),
}


@pytest.mark.parametrize(("y", "unlabeled", "marked", "dtype"), MARKERS.values(), ids=MARKERS)
def test_marked_rows_and_labels_of_the_others(y, unlabeled, marked, dtype):
    rows = is_unlabeled(y, unlabeled)
    assert (rows.dtype, rows.shape) == (bool, (len(y),))
    assert np.flatnonzero(rows).tolist() == marked
    seen = LabeledOnly(Recorder(), unlabeled=unlabeled).fit(np.arange(len(y)), y).estimator_
    labeled = [i for i in range(len(y)) if i not in marked]
    assert seen.X_.tolist() == labeled
    assert seen.y_.tolist() == np.asarray(y, dtype=object)[labeled].tolist()
    assert seen.y_.dtype == dtype


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (3, ValueError, "1d or 2d"),
        (sparse.csr_array(np.eye(2)), TypeError, "toarray"),
        ([[0, 1], [0, -1]], ValueError, "Row 1 of y"),
        ([[NAN, 1.5], [0, 1]], ValueError, "Row 0 of y"),
        (np.array(["a", -1]), ValueError, "the string '-1'.*unlabeled='-1'.*unlabeled=None"),
        (None, ValueError, "requires y to be passed"),
    ],
)
def test_markers_that_cannot_be_told(y, error, message):
    X, model, cv = np.zeros((2, 1)), LabeledOnly(LogisticRegression()), SemiSupervisedSplit(2)
    for use in (is_unlabeled, lambda y: model.fit(X, y), lambda y: next(cv.split(X, y))):
        with pytest.raises(error, match=message):
            use(y)


CONTAINERS = {
    "list": lambda X: X.tolist(),
    "tensor": torch.tensor,
    "csr": sparse.csr_array,
    "coo": sparse.coo_array,
    "pandas": lambda X: pd.DataFrame(X, index=np.argsort(X[:, 0]), columns=list("abcdefgh")),
    "pandas-dates": lambda X: pd.DataFrame(X, pd.to_datetime(["2024-02-01", "2024-01-01"] * 60)),
    "polars": lambda X: pl.DataFrame(X, schema=[f"c{i}" for i in range(X.shape[1])]),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_pass_through(name):
    given = CONTAINERS[name](X)
    seen = LabeledOnly(Recorder()).fit(given, FEW).estimator_
    assert type(seen.X_) is (sparse.csr_array if name == "coo" else type(given))
    values = seen.X_.toarray() if sparse.issparse(seen.X_) else np.asarray(seen.X_)
    assert_array_equal(values, np.asarray(X, dtype=values.dtype)[IS_LABELED])
    assert_array_equal(seen.y_, LABELS[IS_LABELED])
    if hasattr(given, "columns"):
        assert list(seen.X_.columns) == list(given.columns)
    if isinstance(given, pd.DataFrame):
        assert seen.X_.index.equals(given.index[IS_LABELED])
    assert getattr(seen.X_, "dtype", None) == getattr(given, "dtype", None)
    # Nothing is cut, so nothing is copied.
    assert LabeledOnly(Recorder()).fit(given, LABELS).estimator_.X_ is given


@pytest.mark.parametrize("estimator", [LDA, XGB])
def test_classifier_is_that_of_the_labeled_rows(estimator):
    expected = clone(estimator).fit(*KEPT)
    # Classes from zero, as XGBoost wants them, whatever marks the others; other numbers; text.
    for hidden in (FEW, np.where(FEW < 0, NAN, FEW), np.array([1, 5, 7, -1])[FEW], TEXTS[FEW]):
        model = LabeledOnly(estimator).fit(X, hidden)
        names = np.unique(hidden[IS_LABELED])
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            assert hasattr(model, method) == hasattr(expected, method)
            if hasattr(model, method):
                theirs = getattr(expected, method)(X)
                theirs = names[theirs.astype(int)] if method == "predict" else theirs
                assert_array_equal(getattr(model, method)(X), theirs)
        assert model.classes_.tolist() == names.tolist()
        assert model.classes_.dtype.kind != "f"
        assert model.score(X, hidden) == expected.score(*KEPT)
    assert model.n_features_in_ == 8
    assert not hasattr(estimator, "n_features_in_")


def test_labels_of_a_classifier_that_wants_numbers():
    watched = {"eval_set": [(X, TEXTS[LABELS])], "verbose": False}
    booster = LabeledOnly(XGB).fit(X, TEXTS[FEW], **watched).estimator_
    expected = clone(XGB).fit(*KEPT, eval_set=[(X, LABELS)], verbose=False)
    assert booster.evals_result() == expected.evals_result()
    # A class without a labeled row is wrong wherever it is scored, and can't be watched.
    two = LabeledOnly(XGB).fit(X, np.where(FEW == 1, None, TEXTS[FEW]))
    assert two.classes_.tolist() == ["ant", "cat"]
    assert two.score(X, TEXTS[FEW]) == (two.predict(X) == TEXTS[FEW])[IS_LABELED].mean()
    with pytest.raises(ValueError, match=r"eval_set has a label .*\['ant', 'cat'\]"):
        LabeledOnly(XGB).fit(X, np.where(FEW == 1, None, TEXTS[FEW]), **watched)
    # What takes text gets text.
    aware = LogisticRegression(class_weight={"ant": 9, "bee": 1, "cat": 1})
    assert LabeledOnly(aware).fit(X, TEXTS[FEW]).estimator_.classes_.tolist() == TEXTS[:3].tolist()
    grid, cv = {"labeledonly__estimator__max_depth": [1, 3]}, SemiSupervisedSplit(3)
    search = ms.GridSearchCV(make_pipeline(LabeledOnly(XGB)), grid, cv=cv, scoring="roc_auc")
    found = search.fit(X, TEXTS[BINARY]).cv_results_["mean_test_score"]
    assert_array_equal(found, clone(search).fit(X, BINARY).cv_results_["mean_test_score"])


def test_regressor_and_several_outputs():
    # -1 is a target among floats.
    target = np.column_stack([np.where(LABELS == 0, -1.0, X @ np.arange(8)), LABELS + 0.5])
    for Y in (target, target[:, 0]):
        hidden = np.where(IS_LABELED, Y.T, NAN).T
        model = LabeledOnly(Ridge()).fit(X, hidden)
        expected = Ridge().fit(X[IS_LABELED], Y[IS_LABELED])
        assert_array_equal(model.predict(X), expected.predict(X))
        assert model.score(X, hidden) == expected.score(X[IS_LABELED], Y[IS_LABELED])
        assert not hasattr(model, "classes_")
    # Whole targets stay floats.
    recorder = type("TargetRecorder", (RegressorMixin, Recorder), {})()
    assert LabeledOnly(recorder).fit(X, hidden.round()).estimator_.y_.dtype == np.float64
    # Several outputs with a -1 among their classes are none of the warning's business.
    trees = clone(TREE).set_params(unlabeled=None).fit(X, np.column_stack([LABELS - 1, LABELS]))
    assert_array_equal(trees.classes_[0], [-1, 0, 1])


@pytest.mark.parametrize(
    ("model", "y", "unlabeled", "classes", "others"),
    [
        (TREE, [0, 1, -1, 1], None, [-1, 0, 1], "2 other numbers"),
        (TREE, [0.0, 1.0, -1.0, NAN], "auto", [-1, 0, 1], "2 other numbers"),
        (TREE, pd.Series([0, 1, -1, 1], dtype="Int64"), None, [-1, 0, 1], "2 other numbers"),
        (NETWORK, [0, 0, -1, 0], None, [-1, 0], "1 other number,"),
        (TREE, [-1, 1, -1, 1], None, [-1, 1], None),
        (TREE, [-1.0, 1.0, -1.0, NAN], "auto", [-1, 1], None),
        (TREE, [-1, 0, 1, 9], 9, [-1, 0, 1], None),
        (TREE, ["-1", "1", "0", "1"], None, ["-1", "0", "1"], None),
        (NETWORK, [-1, 1, -1, 1], None, [-1, 1], None),
        (NETWORK, [-1, 0, 1, 1], -1, [0, 1], None),
    ],
)
def test_minus_one_that_nothing_explains_warns(model, y, unlabeled, classes, others):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = clone(model).set_params(unlabeled=unlabeled).fit(FOUR_ROWS, y)
    assert fitted.classes_.tolist() == classes
    assert [warning.filename for warning in caught] == [__file__] * (others is not None)
    assert all(str(warning.message).startswith(f"y holds -1 beside {others}") for warning in caught)


def test_signs_are_not_cut_to_one_class_without_a_word():
    y = [-1, 1, -1, 1]
    for signs in (y, pd.Series(y, dtype="Int64")):
        with pytest.raises(ValueError, match="`unlabeled=None` if -1 and 1 are the classes"):
            clone(TREE).fit(FOUR_ROWS, signs)
    # One class of other labels, and a regressor, are what the estimator makes of them.
    assert LabeledOnly(Ridge()).fit(FOUR_ROWS, y).predict(FOUR_ROWS).tolist() == [1.0] * 4
    for one_class in ([1, 1, 1, 1], [1.0, NAN, 1.0, NAN], [1, None, 1, None], [-1, 0, -1, 0]):
        assert len(clone(TREE).fit(FOUR_ROWS, one_class).classes_) == 1


@pytest.mark.parametrize(("y", "unlabeled"), [([-1] * 3, "auto"), (["?"] * 3, "?")])
def test_no_labeled_row(y, unlabeled):
    X, model = np.zeros((3, 1)), clone(TREE).set_params(unlabeled=unlabeled)
    cv, fitted = SemiSupervisedSplit(2, unlabeled=unlabeled), clone(model).fit(X, ["a", "b", "a"])
    for use in (model.fit, fitted.score, lambda X, y: next(cv.split(X, y)), cv.get_n_splits):
        with pytest.raises(ValueError, match=r"No row of y is labeled: all 3 .*unlabeled=") as info:
            use(X, y)
        assert ("-1 among integers" in str(info.value)) == (unlabeled == "auto")


def test_inconsistent_lengths():
    model, cv = LabeledOnly(LogisticRegression()), SemiSupervisedSplit(ms.GroupKFold(2))
    # As many weights as labeled rows the estimator itself would take.
    weights = np.ones(len(LABELED))
    uses = [lambda: model.fit(X, FEW[:-1]), lambda: model.fit(X, FEW, sample_weight=weights)]
    for use in (*uses, lambda: next(cv.split(X, FEW, groups=[0, 1]))):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            use()


def test_a_failed_fit_changes_nothing():
    model = LabeledOnly(LogisticRegression())
    for use in (lambda: model.predict(X), lambda: model.score(X, FEW)):
        with pytest.raises(sklearn.exceptions.NotFittedError):
            use()
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, NAN), FEW)
    assert not hasattr(model, "estimator_")
    before = model.fit(X, FEW).predict_proba(X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, NAN), FEW)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), before)


@pytest.mark.parametrize("estimator", [RidgeClassifier(), Ridge(), XGB, StandardScaler(), LDA])
def test_looks_like_its_estimator(estimator):
    model = LabeledOnly(estimator)
    methods = (
        "predict predict_proba predict_log_proba decision_function score transform fit_transform"
    )
    for method in (*methods.split(), "get_feature_names_out", "set_output"):
        # fit_transform comes from fit and transform, so that it is there with transform.
        expected = hasattr(estimator, method.removeprefix("fit_"))
        assert hasattr(model, method) == expected, method
    expected = sklearn.utils.get_tags(estimator)
    expected.target_tags.required = True
    assert sklearn.utils.get_tags(model) == expected
    assert is_classifier(model) == is_classifier(estimator)


def test_methods_are_those_of_the_fitted_estimator():
    model = LabeledOnly(LogisticRegression()).fit(X, FEW).set_params(estimator=RidgeClassifier())
    assert model.predict_proba(X).shape == (N_ROWS, 3)
    with pytest.raises(AttributeError, match="'LabeledOnly' has no attribute 'predict_proba'") as e:
        clone(model).predict_proba  # noqa: B018
    assert "RidgeClassifier" in str(e.value.__cause__)


def test_transformer():
    frame = pd.DataFrame(X, columns=list("abcdefgh"), index=np.arange(len(X))[::-1])
    model = LabeledOnly(clone(LDA)).set_output(transform="pandas")
    codes = model.fit_transform(frame, FEW)
    assert_allclose(codes, clone(LDA).fit(*KEPT).transform(X))
    assert codes.index.equals(frame.index)
    assert list(codes.columns) == list(model.get_feature_names_out())
    assert_array_equal(model.feature_names_in_, frame.columns)
    assert isinstance(model.set_output(transform="default").transform(frame), np.ndarray)


def accuracy_by_hand(estimator, X, y, sample_weight=None):
    return np.average(estimator.predict(X) == y, weights=sample_weight)


@pytest.mark.parametrize("scoring", [None, "accuracy", accuracy_by_hand])
def test_score_counts_labeled_rows(scoring):
    model = LabeledOnly(LogisticRegression()).fit(X, FEW)
    right = (model.predict(X) == LABELS)[IS_LABELED]
    assert 0.3 < right.mean() < 1
    score = functools.partial(labeled_scorer(scoring), model) if scoring else model.score
    for hidden in (FEW, np.where(FEW < 0, NAN, FEW), [None if v < 0 else v for v in FEW]):
        assert score(X, hidden) == pytest.approx(right.mean())
    weighted = np.average(right, weights=WEIGHT[IS_LABELED])
    assert score(X, FEW, sample_weight=WEIGHT) == pytest.approx(weighted)
    assert score(X, LABELS) == pytest.approx((model.predict(X) == LABELS).mean())


def test_training_scores_count_labeled_rows():
    given = {"cv": SemiSupervisedSplit(3), "error_score": "raise"}
    both = {"return_train_score": True, **given}
    scoring = {name: labeled_scorer(name) for name in ("accuracy", "f1", "roc_auc")}
    # A tree knows the labels that it was trained on, a line those that it was made of.
    for model, y, scorers in (TREE, BINARY, scoring), (LINE, TARGET, {"r2": labeled_scorer("r2")}):
        found = ms.cross_validate(model, X, y, scoring=scorers, **both)
        for name in scorers:
            assert_allclose(found[f"train_{name}"], 1)
            expected = ms.cross_val_score(model, X, y, scoring=name, **given)
            assert_allclose(found[f"test_{name}"], expected)
    grid = {"estimator__max_depth": [1, None]}
    several = labeled_scorer(["accuracy", "f1"])
    search = clone(ms.GridSearchCV(TREE, grid, scoring=several, refit="f1", **both)).fit(X, BINARY)
    axis = dict(zip(("param_name", "param_range"), *grid.items(), strict=True))
    curves = ms.validation_curve(TREE, X, BINARY, scoring=scoring["f1"], **axis, **given)
    for part, curve in zip(("train", "test"), curves, strict=True):
        assert_allclose(search.cv_results_[f"mean_{part}_f1"], curve.mean(axis=1))
    by_hand = labeled_scorer(accuracy_by_hand)
    _, train, _ = ms.learning_curve(TREE, X, FEW, scoring=by_hand, train_sizes=[0.5, 1.0], **given)
    assert_allclose(train, 1)
    # Whether weights go to scorers depends on the version of scikit-learn.
    scores = [
        ms.GridSearchCV(TREE, {}, scoring=s, **given).fit(X, FEW, sample_weight=WEIGHT).best_score_
        for s in ("accuracy", labeled_scorer("accuracy"), by_hand)
    ]
    assert_allclose(scores, scores[0])


@sklearn.config_context(enable_metadata_routing=True)
def test_labeled_scorers_request_what_their_scorers_do():
    tree = LabeledOnly(DecisionTreeClassifier(random_state=0).set_fit_request(sample_weight=False))
    given = {"params": {"sample_weight": WEIGHT}, "cv": SemiSupervisedSplit(3)}
    plain = get_scorer("accuracy").set_score_request(sample_weight=True)
    expected = ms.cross_val_score(tree, X, FEW, scoring=plain, **given)
    named = labeled_scorer("accuracy")
    # Before scikit-learn 1.9 it is a TypeError of other words.
    with pytest.raises((ValueError, TypeError), match="sample_weight"):
        ms.cross_val_score(tree, X, FEW, scoring=named, **given)
    for scorer in (named.set_score_request(sample_weight=True), labeled_scorer(plain)):
        found = ms.cross_validate(tree, X, FEW, scoring=scorer, return_train_score=True, **given)
        assert_allclose(found["test_score"], expected)
        assert_allclose(found["train_score"], 1)
    amount = make_scorer(lambda y, predicted, amount: amount.sum()).set_score_request(amount=True)
    scorer = labeled_scorer(amount, sample_properties=["amount"])
    assert scorer(tree.fit(X, FEW), X, FEW, amount=WEIGHT) == WEIGHT[IS_LABELED].sum()


def test_only_what_is_known_to_be_per_row_is_cut():
    # As many entries as rows, and not one a row.
    whole = {"eval_set": [(X, LABELS)] * N_ROWS, "feature_weights": WEIGHT, "groups": None}
    rows = {"base_margin": WEIGHT, "step__sample_weight": WEIGHT.tolist(), "step__groups": GROUPS}
    model = LabeledOnly(Recorder(), sample_properties=["base_margin"])
    given = {"sample_weight": pd.Series(WEIGHT), "step__base_margin": np.c_[WEIGHT, WEIGHT], **rows}
    seen = model.fit(X, FEW, **given, **whole).estimator_
    assert_array_equal(seen.sample_weight_, WEIGHT[IS_LABELED])
    for name in (*rows, "step__base_margin"):
        assert_array_equal(seen.rest_.pop(name), np.asarray(given[name])[IS_LABELED])
    assert seen.rest_ == whole


@pytest.mark.parametrize("routing", [False, True])
def test_weights_and_parameters_of_predict(routing):
    inner = BayesianRidge()
    codes = PCA(4, random_state=0).fit_transform(X)
    kept = codes[IS_LABELED], X[IS_LABELED, 0], WEIGHT[IS_LABELED]
    expected = BayesianRidge().fit(*kept)
    assert not np.allclose(expected.coef_, BayesianRidge().fit(*kept[:2]).coef_)
    pipe = Pipeline([("pca", PCA(4, random_state=0)), ("reg", LabeledOnly(inner))])
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            inner.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
            inner.set_predict_request(return_std=True)
        pipe.fit(X, TARGET, **{"sample_weight" if routing else "reg__sample_weight": WEIGHT})
        assert_allclose(pipe.predict(X, return_std=True), expected.predict(codes, return_std=True))
        assert_allclose(pipe.score(X, TARGET, sample_weight=WEIGHT), expected.score(*kept))


@sklearn.config_context(enable_metadata_routing=True)
def test_routing_to_a_transformer_and_of_what_was_not_requested():
    scale = StandardScaler(with_std=False).set_fit_request(sample_weight=True)
    pipe = make_pipeline(LabeledOnly(scale), PCA(2)).fit(X, FEW, sample_weight=WEIGHT)
    mean = np.average(X[IS_LABELED], axis=0, weights=WEIGHT[IS_LABELED])
    assert_allclose(pipe[0].transform(X), X - mean)
    silent = LogisticRegression().set_fit_request(sample_weight=False)
    with pytest.raises(ValueError, match=r"sample_weight.* not explicitly set"):
        LabeledOnly(LogisticRegression()).fit(X, FEW, sample_weight=WEIGHT)
    for model, name in ((LogisticRegression(), "bogus"), (silent, "sample_weight")):
        with pytest.raises(TypeError, match="unexpected"):
            LabeledOnly(model).fit(X, FEW, **{name: WEIGHT})


def parts(cv, X, y):
    return [(train.tolist(), test.tolist()) for train, test in cv.split(X, y)]


SPLITTERS = [
    3, None, ms.ShuffleSplit(3, random_state=0), ms.PredefinedSplit(np.arange(45) % 4 - 1),
    ms.LeaveOneOut(), [(np.arange(30), np.arange(30, 45)), (np.arange(9, 45), np.arange(9))],
]  # fmt: skip


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
def test_split_is_that_of_the_labeled_rows(cv):
    # The int and None are written out, so that check_cv is not compared with itself.
    inner = ms.StratifiedKFold(cv or 5) if cv in (3, None) else cv
    folds = inner if isinstance(cv, list) else list(inner.split(*KEPT))
    expected = [(sorted([*LABELED[a], *HIDDEN]), LABELED[b].tolist()) for a, b in folds]
    splitter = SemiSupervisedSplit(cv)
    assert parts(splitter, X, FEW) == expected
    assert splitter.get_n_splits(X, FEW) == len(expected)


def test_unlabeled_rows_of_test_groups_stay_out():
    groups = (np.arange(N_ROWS) // 10).astype(object)
    groups[HIDDEN[::9]] = pd.NA
    assert SemiSupervisedSplit(ms.LeaveOneGroupOut()).get_n_splits(X, FEW, groups) == 12
    none = groups.copy()
    none[np.flatnonzero(FEW >= 0)[0]] = pd.NA
    with pytest.warns(UserWarning, match="groups parameter is ignored"):
        assert len([*SemiSupervisedSplit(ms.KFold(3)).split(X, FEW, none)]) == 3
    for cv in (ms.GroupKFold(3), ms.LeaveOneGroupOut(), SPLITTERS[-1]):
        for given in (groups, pd.Series(groups, dtype="Int64")):
            for train, test in SemiSupervisedSplit(cv).split(X, FEW, given):
                expected = [row for row in HIDDEN if groups[row] not in set(groups[test])]
                assert [row for row in train if row in HIDDEN] == expected
                assert 9 < len(expected) < len(HIDDEN)


@pytest.mark.parametrize("gap", [0, 4])
def test_unlabeled_rows_of_the_future_stay_out(gap):
    cv = ms.TimeSeriesSplit(3, gap=gap)
    folds = list(cv.split(LABELED))
    expected = [(list(range(LABELED[a[-1] + 1])), LABELED[b].tolist()) for a, b in folds]
    assert parts(SemiSupervisedSplit(cv), X, FEW) == expected
    assert parts(SemiSupervisedSplit(folds, time_ordered=True), X, FEW) == expected
    for splitter in (SemiSupervisedSplit(folds), SemiSupervisedSplit(cv, time_ordered=False)):
        assert all(np.isin(HIDDEN, train).all() for train, _ in splitter.split(X, FEW))
    # The rows of a fold in the middle have a future that is labeled.
    for train, test in SemiSupervisedSplit(ms.KFold(3), time_ordered=True).split(X, FEW):
        assert train[~IS_LABELED[train]].tolist() == [row for row in HIDDEN if row < test[0]]


def test_split_of_containers_and_other_labels():
    cv = SemiSupervisedSplit(3)
    expected = parts(cv, X, FEW)
    for container in ("pandas-dates", "polars", "list", "csr"):
        assert parts(cv, CONTAINERS[container](X), pd.Series(FEW, index=FEW)) == expected
    assert parts(cv, X, pl.Series(FEW)) == expected
    assert parts(cv, X, np.where(FEW < 0, None, TEXTS[FEW])) == expected
    # Numbers that are no classes are not stratified.
    for target in (X[:, 0], (100 * X[:, 0]).round(), np.arange(N_ROWS) // 4):
        tests = [test for _, test in parts(cv, X, np.where(IS_LABELED, target, NAN))]
        assert tests == [fold.tolist() for fold in np.array_split(LABELED, 3)]
    # Every row is labeled.
    expected = [(a.tolist(), b.tolist()) for a, b in ms.StratifiedKFold(3).split(X, LABELS)]
    assert parts(clone(cv).set_params(unlabeled=None), X, LABELS) == expected
    assert parts(cv, X, LABELS.astype(float)) == expected
    with pytest.warns(UserWarning, match="without a -1, so every row counts as labeled"):
        assert parts(cv, X, LABELS) == expected


def test_split_errors():
    once = (pair for pair in [(np.arange(30), np.arange(30, 45))])
    for cv, n_rows, error, message in [
        (ms.KFold(46), N_ROWS, ValueError, "n_splits=46"),
        (40, N_ROWS, ValueError, "n_splits=40 cannot be greater"),
        (ms.KFold(3), 0, ValueError, "greater than the number of"),
        (ms.GroupKFold(3), N_ROWS, ValueError, "'groups' parameter should not be None"),
        (once, N_ROWS, TypeError, "only once"),
    ]:
        with pytest.raises(error, match=message):
            next(SemiSupervisedSplit(cv).split(X[:n_rows], np.where(FEW < 0, NAN, FEW)[:n_rows]))
    with pytest.raises(TypeError, match="only once"):
        SemiSupervisedSplit(once).get_n_splits()
    assert len(list(once)) == 1


def test_groups_are_requested_as_cv_requests_them():
    model = LabeledOnly(LogisticRegression())
    expected = [
        LogisticRegression().fit(*(z[a] for z in KEPT)).score(*(z[b] for z in KEPT))
        for a, b in ms.GroupKFold(3).split(LABELED, groups=GROUPS[LABELED])
    ]
    with sklearn.config_context(enable_metadata_routing=True):
        renamed = ms.GroupKFold(3).set_split_request(groups="site")
        for cv, params in ((ms.GroupKFold(3), {"groups": GROUPS}), (renamed, {"site": GROUPS})):
            scores = ms.cross_val_score(model, X, FEW, cv=SemiSupervisedSplit(cv), params=params)
            assert_allclose(scores, expected)
        with pytest.raises(TypeError, match="groups"):
            ms.cross_val_score(model, X, FEW, cv=SemiSupervisedSplit(3), params={"groups": GROUPS})
    search = ms.GridSearchCV(model, {}, cv=SemiSupervisedSplit(ms.GroupKFold(3)))
    assert search.fit(X, FEW, groups=GROUPS).best_score_ == pytest.approx(np.mean(expected))
    assert not hasattr(SemiSupervisedSplit(), "set_split_request")


def test_splitter_is_cloned_shown_and_set():
    cv = SemiSupervisedSplit(ms.KFold(4, shuffle=True, random_state=1), unlabeled="?")
    assert clone(cv).cv is not cv.cv
    assert "unlabeled='?'" in repr(clone(cv))
    search = ms.GridSearchCV(TREE, {}, cv=cv)
    assert clone(search).set_params(cv__unlabeled=0).cv.unlabeled == 0
    assert cv.get_n_splits(FOUR_ROWS) == 4
    assert SemiSupervisedSplit().get_n_splits() == 5


@pytest.mark.parametrize("container", ["list", "polars", "pandas"])
def test_union_of_features_and_codes_learns_from_all_rows(container):
    given, union = CONTAINERS[container](X), make_union(StandardScaler(), PCA(3, random_state=0))
    labels, scoring = TEXTS[FEW], "accuracy"
    if container == "list":
        labels = np.where(FEW < 0, -1, labels).tolist()
    # By hand: transformers fitted on all training rows, the last step on the labeled ones.
    expected = []
    for a, b in ms.StratifiedKFold(3).split(LABELED, LABELS[LABELED]):
        step = clone(union).fit(X[np.sort(np.r_[LABELED[a], HIDDEN])])
        last = RidgeClassifier().fit(step.transform(X[LABELED[a]]), LABELS[LABELED[a]])
        expected.append(last.score(step.transform(X[LABELED[b]]), LABELS[LABELED[b]]))
    if container == "pandas":
        union.set_output(transform="pandas")
        labels, scoring = pd.Series(labels, dtype="string"), None
    pipe = make_pipeline(union, LabeledOnly(RidgeClassifier()))
    given = {"X": given, "y": labels, "cv": SemiSupervisedSplit(3), "error_score": "raise"}
    assert_allclose(ms.cross_val_score(pipe, scoring=scoring, **given), expected)
    assert pipe.fit(given["X"], labels).classes_.tolist() == ["ant", "bee", "cat"]
    assert pipe[-1].n_features_in_ == 11


def test_halving_search_over_the_last_steps_trees():
    search = ms.HalvingGridSearchCV(
        LabeledOnly(XGB), {"estimator__max_depth": [1, 2, 3]}, resource="estimator__n_estimators",
        cv=SemiSupervisedSplit(ms.StratifiedKFold(3, shuffle=True, random_state=0)),
        min_resources=2, max_resources=6, error_score="raise",
    ).fit(X, FEW)  # fmt: skip
    assert search.n_resources_ == [2, 6]
    assert search.best_estimator_.estimator_.n_estimators == 6
    with pytest.raises(ValueError, match="must yield consistent folds"):
        search.set_params(cv=SemiSupervisedSplit(ms.KFold(3, shuffle=True))).fit(X, FEW)
    assert not any(hasattr(SemiSupervisedSplit(3), name) for name in ("shuffle", "random_state"))


def test_what_needs_a_partition_refuses():
    cv = SemiSupervisedSplit(3)
    stack = StackingRegressor([("a", LabeledOnly(Ridge()))], cv=cv)
    for use in (lambda: ms.cross_val_predict(TREE, X, FEW, cv=cv), lambda: stack.fit(X, TARGET)):
        with pytest.raises(ValueError, match="only works for partitions"):
            use()
    stack = StackingClassifier([("a", TREE)], cv=cv)
    # It has made 0, 1, 2, 3 of -1, 0, 1, 2 before it splits.
    with pytest.warns(UserWarning, match="as StackingClassifier does") as caught:
        stack.fit(X, FEW)
    assert caught[0].filename == __file__
    assert -1 in stack.classes_
    # Told what the marker has become, it refuses too.
    stack.set_params(cv__unlabeled=0, a__unlabeled=0)
    with pytest.raises(ValueError, match="only works for partitions"):
        stack.fit(X, FEW)


def test_xgboost_takes_labels_of_any_kind():
    for labels in (np.array([5.0, 7.0] * 25), np.array(["no", "yes"] * 25), np.arange(50) % 2 + 3):
        points = np.c_[np.arange(50) % 2, np.arange(50)]
        model = LabeledOnly(XGBClassifier(n_estimators=5, n_jobs=1)).fit(points, labels)
        assert_array_equal(model.predict(points), labels)
        # What is asked for in place of classes is passed on.
        margins = model.predict(points, output_margin=True)
        assert_array_equal(margins > 0, labels == model.classes_[1])
