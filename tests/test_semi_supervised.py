"""Unlabeled rows: which they are, who fits on the others, and how those are split."""

import pickle
import re
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
from sklearn.cluster import KMeans
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import BayesianRidge, LogisticRegression, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_param_validation, estimator_checks_generator
from xgboost import XGBClassifier

from sklearn_ae import Autoencoder, AutoencoderClassifier
from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit, is_unlabeled

N_ROWS = 120
# Scattered, so that a mix-up of positions and of labeled rows shows.
LABELED = np.sort(np.random.RandomState(0).permutation(N_ROWS)[:45])
IS_LABELED = np.isin(np.arange(N_ROWS), LABELED)
HIDDEN = np.flatnonzero(~IS_LABELED)
NAN = float("nan")
FOUR_ROWS = np.arange(4.0).reshape(-1, 1)
WEIGHT = np.random.RandomState(0).uniform(0.1, 5, N_ROWS)
# The group of the unlabeled rows is none.
GROUPS = np.where(IS_LABELED, np.arange(N_ROWS) // 10, 99)
TREE = LabeledOnly(DecisionTreeClassifier())
NETWORK = AutoencoderClassifier(Autoencoder(2, max_epochs=1), max_epochs=1)
XGB = XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1, random_state=0)


@pytest.fixture
def data():
    """X, all labels, and the labels with -1 where they are hidden."""
    X, y = make_classification(
        N_ROWS, 8, n_informative=5, n_classes=3, flip_y=0.2, class_sep=0.7, random_state=0
    )
    return X, y, np.where(IS_LABELED, y, -1)


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps what reaches fit."""

    def fit(self, X, y, sample_weight=None, **rest):
        self.X_, self.y_, self.sample_weight_, self.rest_ = X, y, sample_weight, rest
        return self


def common_checks(estimator, signs):
    """List what `parametrize_with_checks` runs; of old, that gives pytest a generator."""
    for given, check in estimator_checks_generator(estimator):
        name = check.func.__name__
        # Checks of the array API skip themselves. The classes of one check are -1 and 1.
        if "array_api" not in name and (name == "check_classifiers_classes") == signs:
            yield pytest.param(given, check, id=f"{estimator}-{name}-{check.keywords}")


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        *common_checks(LabeledOnly(LinearDiscriminantAnalysis()), signs=False),
        *common_checks(LabeledOnly(LinearDiscriminantAnalysis(), unlabeled=None), signs=True),
        *common_checks(LabeledOnly(Ridge()), signs=False),
    ],
)
def test_common_checks(estimator, check):
    check(estimator)


def test_parameters_are_validated():
    check_param_validation("LabeledOnly", LabeledOnly(LogisticRegression(), unlabeled=None))
    for bad in ({"unlabeled": [-1]}, {"cv": 1}, {"cv": "five"}):
        with pytest.raises(ValueError, match=f"The '{next(iter(bad))}' parameter of Semi"):
            next(SemiSupervisedSplit().set_params(**bad).split(np.zeros((4, 1)), [0, 1, 0, 1]))
    with pytest.raises(ValueError, match="'unlabeled' parameter"):
        is_unlabeled([0, 1], unlabeled=[1])


# The labels, the marker, the rows that it marks, and the type of the labels of the others.
MARKERS = {
    "int8": (np.array([2, 0, -1], dtype=np.int8), "auto", [2], np.int8),
    "unsigned": (np.array([2, 0, 255], dtype=np.uint8), "auto", [], np.uint8),
    "floats, whole": (np.array([-1.0, 1.0, NAN], dtype=np.float16), "auto", [2], np.int64),
    "floats, not whole": ([0.5, 1.0, NAN], "auto", [2], np.float64),
    "floats, literal -1": (np.array([-1.0, 0.5, 2.0]), -1, [0], np.float64),
    "floats, whole, all labeled": ([2.0, 0.0, 1.0], "auto", [], np.float64),
    "floats, huge": ([2.0, 1e300, NAN], "auto", [2], np.float64),
    "bools": (np.array([True, False, True]), "auto", [], np.bool_),
    "bools and None": ([True, False, None], "auto", [2], np.bool_),
    "strings": (["cat", "dog"], "auto", [], np.dtype("<U3")),
    "strings and -1": (["cat", "dog", -1], "auto", [2], object),
    "strings and NumPy's -1": (np.array(["cat", np.int64(-1)], object), "auto", [1], object),
    "strings, literal '-1'": (np.array(["cat", "-1"]), "-1", [1], np.dtype("<U3")),
    "strings, literal": (["cat", "?", "dog"], "?", [1], np.dtype("<U3")),
    "strings, literal NaN": (["cat", None, -1, NAN], NAN, [1, 3], object),
    "objects: ints": (np.array([0, -1, NAN, None], dtype=object), "auto", [1, 2, 3], np.int64),
    "objects: floats": (np.array([1.0, -1, NAN, None], dtype=object), "auto", [2, 3], np.int64),
    "pandas nullable ints": (pd.array([0, pd.NA, -1], dtype="Int64"), "auto", [1, 2], np.int64),
    "pandas nullable floats": (
        pd.Series([-1.0, pd.NA, 1.0], dtype="Float64"),
        "auto",
        [1],
        np.int64,
    ),
    "pandas nullable bools": (pd.Series([True, pd.NA], dtype="boolean"), "auto", [1], np.bool_),
    "pandas strings": (pd.Series(["a", pd.NA, "b"], dtype="string"), "auto", [1], object),
    "pandas objects": (pd.Series(["a", pd.NA, -1, None], dtype=object), "auto", [1, 2, 3], object),
    "pandas categories": (pd.Series([3, None, -1], dtype="category"), "auto", [1, 2], np.int64),
    "pandas, literal NA": (pd.Series([1, pd.NA, -1], dtype="Int64"), pd.NA, [1], np.int64),
    "polars ints": (pl.Series([0, None, -1]), "auto", [1, 2], np.int64),
    "polars floats": (pl.Series([-1.0, None, NAN, 1.0]), "auto", [1, 2], np.int64),
    "pandas frame": (pd.DataFrame({"y": [0, pd.NA]}, dtype="Int64"), "auto", [1], np.int64),
    "polars frame": (pl.DataFrame({"y": [0, None, -1]}), "auto", [1, 2], np.int64),
    "literal string among ints": ([1, 0, "?"], "?", [2], np.int64),
    "None": ([1, -1], None, [], np.int64),
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
        (np.zeros((2, 2, 2)), ValueError, "1d or 2d"),
        (sparse.csr_array(np.eye(2)), TypeError, "toarray"),
        ([[0, 1], [0, -1]], ValueError, "Row 1 of y"),
        ([[NAN, 1.5], [0, 1]], ValueError, "Row 0 of y"),
        (np.array(["a", -1]), ValueError, "the string '-1'.*unlabeled='-1'.*unlabeled=None"),
        (None, ValueError, "requires y to be passed"),
    ],
)
def test_markers_that_cannot_be_told(y, error, message):
    X, model, cv = np.zeros((2, 1)), LabeledOnly(LogisticRegression()), SemiSupervisedSplit(2)
    uses = [is_unlabeled, lambda y: model.fit(X, y), lambda y: next(cv.split(X, y))]
    for use in (*uses, lambda y: ms.cross_val_score(model, X, y, cv=cv)) if y is None else uses:
        with pytest.raises(error, match=message):
            use(y)


CONTAINERS = {
    "list": lambda X: X.tolist(),
    "tensor": torch.tensor,
    "csr": sparse.csr_array,
    "pandas": lambda X: pd.DataFrame(
        X, index=np.random.RandomState(1).permutation(len(X)), columns=list("abcdefgh")
    ),
    "pandas-dates": lambda X: pd.DataFrame(X, pd.to_datetime(["2024-02-01", "2024-01-01"] * 60)),
    "polars": lambda X: pl.DataFrame(X, schema=[f"c{i}" for i in range(X.shape[1])]),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_pass_through(data, name):
    X, y, few = data
    given = CONTAINERS[name](X)
    seen = LabeledOnly(Recorder()).fit(given, few).estimator_
    assert type(seen.X_) is type(given)
    values = seen.X_.toarray() if sparse.issparse(seen.X_) else np.asarray(seen.X_)
    assert_array_equal(values, np.asarray(X, dtype=values.dtype)[IS_LABELED])
    assert_array_equal(seen.y_, y[IS_LABELED])
    if hasattr(given, "columns"):
        assert list(seen.X_.columns) == list(given.columns)
    if isinstance(given, pd.DataFrame):
        assert seen.X_.index.equals(given.index[IS_LABELED])
    assert getattr(seen.X_, "dtype", None) == getattr(given, "dtype", None)
    # Nothing is cut, so nothing is copied.
    assert LabeledOnly(Recorder()).fit(given, y).estimator_.X_ is given


def test_sparse_formats_without_rows_to_choose_from(data):
    X, _, few = data
    for name in ("coo", "csc", "dok", "lil", "bsr"):
        seen = LabeledOnly(Recorder()).fit(sparse.coo_array(X).asformat(name), few).estimator_
        assert_array_equal(seen.X_.toarray(), X[IS_LABELED])


@pytest.mark.parametrize("estimator", [LinearDiscriminantAnalysis(), XGB])
def test_classifier_is_that_of_the_labeled_rows(data, estimator):
    X, y, few = data
    expected = clone(estimator).fit(X[IS_LABELED], y[IS_LABELED])
    # Classes from zero, as XGBoost wants them, whatever marks the others.
    for hidden in (few, np.where(few < 0, NAN, few)):
        model = LabeledOnly(estimator).fit(X, hidden)
        assert not hasattr(estimator, "n_features_in_")
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            assert hasattr(model, method) == hasattr(expected, method)
            if hasattr(model, method):
                assert_array_equal(getattr(model, method)(X), getattr(expected, method)(X))
        assert model.classes_.tolist() == [0, 1, 2]
        assert model.classes_.dtype.kind == "i"
        assert model.n_features_in_ == 8


def test_regressor_and_several_outputs(data):
    X, y, _ = data
    # -1 is a target among floats.
    target = np.column_stack([np.where(y == 0, -1.0, X @ np.arange(8)), y + 0.5])
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
    trees = clone(TREE).set_params(unlabeled=None).fit(X, np.column_stack([y - 1, y]))
    assert_array_equal(trees.classes_[0], [-1, 0, 1])


@pytest.mark.parametrize(
    ("model", "y", "unlabeled", "classes", "others"),
    [
        (TREE, [0, 1, -1, 1], None, [-1, 0, 1], "2 other numbers"),
        (TREE, [0, 0, -1, 0], None, [-1, 0], "1 other number,"),
        (TREE, [-1, -1, -1, -1], None, [-1], "0 other numbers"),
        (TREE, [0.0, 1.0, -1.0, NAN], "auto", [-1, 0, 1], "2 other numbers"),
        (TREE, pd.Series([0, 1, -1, 1], dtype="Int64"), None, [-1, 0, 1], "2 other numbers"),
        (NETWORK, [0, 0, -1, 0], None, [-1, 0], "1 other number,"),
        (TREE, [-1, 1, -1, 1], None, [-1, 1], None),
        (TREE, [-1.0, 1.0, -1.0, NAN], "auto", [-1, 1], None),
        (TREE, [-1, 0, 1, 9], 9, [-1, 0, 1], None),
        (TREE, [-1, 0, 1, 2], "auto", [0, 1, 2], None),
        (TREE, [-1, 1, -1, 1], -1, [1], None),
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
    for warning in caught:
        assert re.match(f"y holds -1 beside {others}.*Set `unlabeled=-1`", str(warning.message))


def test_signs_are_not_cut_to_one_class_without_a_word():
    y = [-1, 1, -1, 1]
    for signs in (y, pd.Series(y, dtype="Int64")):
        with pytest.raises(ValueError, match="`unlabeled=None` if -1 and 1 are the classes"):
            clone(TREE).fit(FOUR_ROWS, signs)
    # One class of other labels, and a regressor, are what the estimator makes of them.
    assert clone(TREE).fit(FOUR_ROWS, [-1, 0, -1, 0]).classes_.tolist() == [0]
    assert LabeledOnly(DummyRegressor()).fit(FOUR_ROWS, y).predict(FOUR_ROWS).tolist() == [1.0] * 4
    for ones in ([1, 1, 1, 1], [1.0, NAN, 1.0, NAN], [1, None, 1, None]):
        assert clone(TREE).fit(FOUR_ROWS, ones).classes_.tolist() == [1]


def test_warnings_name_the_users_line_however_deep_they_arise(data):
    X, y, few = data
    pipe = make_pipeline(StandardScaler(), LabeledOnly(GaussianNB(), unlabeled=None))
    search = ms.GridSearchCV(GaussianNB(), {}, cv=SemiSupervisedSplit(2))
    for use in (lambda: ms.cross_val_score(pipe, X, few, cv=2), lambda: search.fit(X, y)):
        with pytest.warns(UserWarning, match=r"y holds -1|without a -1") as caught:
            use()
        assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize(("y", "unlabeled"), [([-1] * 3, "auto"), (["?"] * 3, "?")])
def test_no_labeled_row(y, unlabeled):
    X, model = np.zeros((3, 1)), LabeledOnly(DummyClassifier(), unlabeled=unlabeled)
    cv, fitted = SemiSupervisedSplit(2, unlabeled=unlabeled), clone(model).fit(X, ["a", "b", "a"])
    for use in (model.fit, fitted.score, lambda X, y: next(cv.split(X, y)), cv.get_n_splits):
        with pytest.raises(ValueError, match=r"No row of y is labeled: all 3 .*unlabeled=") as info:
            use(X, y)
        assert ("-1 among integers" in str(info.value)) == (unlabeled == "auto")


def test_inconsistent_lengths(data):
    X, _, few = data
    model, cv = LabeledOnly(LogisticRegression()), SemiSupervisedSplit(ms.GroupKFold(2))
    for use in (
        lambda: model.fit(X, few[:-1]),
        # As many weights as labeled rows, which the estimator itself would take.
        lambda: model.fit(X, few, sample_weight=np.ones(len(LABELED))),
        lambda: next(cv.split(X, few, groups=[0, 1])),
    ):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            use()


def test_a_failed_fit_changes_nothing(data):
    X, _, few = data
    model = LabeledOnly(LogisticRegression())
    for use in (lambda: model.predict(X), lambda: model.score(X, few)):
        with pytest.raises(NotFittedError):
            use()
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, NAN), few)
    assert not hasattr(model, "estimator_")
    before = model.fit(X, few).predict_proba(X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, NAN), few)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), before)


@pytest.mark.parametrize(
    "estimator",
    [LinearSVC(), Ridge(), XGBClassifier(), KMeans(2), LinearDiscriminantAnalysis()],
    ids=lambda estimator: type(estimator).__name__,
)
def test_looks_like_its_estimator(estimator):
    model = LabeledOnly(estimator)
    predictions = ("predict", "predict_proba", "predict_log_proba", "decision_function", "score")
    transforms = ("transform", "fit_transform", "get_feature_names_out", "set_output")
    for method in (*predictions, *transforms):
        # fit_transform comes from fit and transform, so that it is there with transform.
        expected = hasattr(estimator, method.removeprefix("fit_"))
        assert hasattr(model, method) == expected, method
    expected = get_tags(estimator)
    expected.target_tags.required = True
    assert get_tags(model) == expected
    assert is_classifier(model) == is_classifier(estimator)


def test_methods_are_those_of_the_fitted_estimator(data):
    X, _, few = data
    model = LabeledOnly(LogisticRegression()).fit(X, few).set_params(estimator=LinearSVC())
    assert model.predict_proba(X).shape == (N_ROWS, 3)
    with pytest.raises(AttributeError, match="'LabeledOnly' has no attribute 'predict_proba'") as e:
        clone(model).predict_proba  # noqa: B018
    assert "LinearSVC" in str(e.value.__cause__)


def test_transformer(data):
    X, y, few = data
    frame = pd.DataFrame(X, columns=list("abcdefgh"), index=np.arange(len(X))[::-1])
    expected = LinearDiscriminantAnalysis().fit(X[IS_LABELED], y[IS_LABELED]).transform(X)
    model = LabeledOnly(LinearDiscriminantAnalysis()).set_output(transform="pandas")
    codes = model.fit_transform(frame, few)
    assert_allclose(codes, expected)
    assert codes.index.equals(frame.index)
    assert list(codes.columns) == list(model.get_feature_names_out())
    assert_array_equal(model.feature_names_in_, frame.columns)
    assert isinstance(model.set_output(transform="default").transform(frame), np.ndarray)


def test_score_counts_labeled_rows(data):
    X, y, few = data
    model = LabeledOnly(LogisticRegression()).fit(X, few)
    right = (model.predict(X) == y)[IS_LABELED]
    assert 0.3 < right.mean() < 1
    for hidden in (few, np.where(few < 0, NAN, few), [None if v < 0 else v for v in few]):
        assert model.score(X, hidden) == pytest.approx(right.mean())
    weighted = np.average(right, weights=WEIGHT[IS_LABELED])
    assert model.score(X, few, sample_weight=WEIGHT) == pytest.approx(weighted)
    assert model.score(X, y) == pytest.approx((model.predict(X) == y).mean())


def test_metadata_is_cut_to_the_labeled_rows(data):
    X, _, few = data
    given = {"series": pd.Series(WEIGHT), "scalar": 3, "other": [1, 2], "nothing": None}
    seen = LabeledOnly(Recorder()).fit(X, few, sample_weight=WEIGHT, **given).estimator_
    assert_array_equal(seen.sample_weight_, WEIGHT[IS_LABELED])
    assert_array_equal(seen.rest_.pop("series"), given.pop("series")[IS_LABELED])
    assert seen.rest_ == given


@pytest.mark.parametrize("routing", [False, True])
def test_weights_and_parameters_of_predict(data, routing):
    X, _, _ = data
    inner = BayesianRidge()
    codes = PCA(4, random_state=0).fit_transform(X)
    kept = codes[IS_LABELED], X[IS_LABELED, 0], WEIGHT[IS_LABELED]
    expected = BayesianRidge().fit(*kept)
    assert not np.allclose(expected.coef_, BayesianRidge().fit(*kept[:2]).coef_)
    pipe = Pipeline([("pca", PCA(4, random_state=0)), ("reg", LabeledOnly(inner))])
    target, name = np.where(IS_LABELED, X[:, 0], NAN), "sample_weight"
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            inner.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
            inner.set_predict_request(return_std=True)
        pipe.fit(X, target, **{name if routing else f"reg__{name}": WEIGHT})
        assert_allclose(pipe.predict(X, return_std=True), expected.predict(codes, return_std=True))
        assert_allclose(pipe.score(X, target, sample_weight=WEIGHT), expected.score(*kept))


@sklearn.config_context(enable_metadata_routing=True)
def test_routing_to_a_transformer_and_of_what_was_not_requested(data):
    X, _, few = data
    scale = StandardScaler(with_std=False).set_fit_request(sample_weight=True)
    pipe = make_pipeline(LabeledOnly(scale), PCA(2)).fit(X, few, sample_weight=WEIGHT)
    mean = np.average(X[IS_LABELED], axis=0, weights=WEIGHT[IS_LABELED])
    assert_allclose(pipe[0].transform(X), X - mean)
    silent = LogisticRegression().set_fit_request(sample_weight=False)
    with pytest.raises(ValueError, match=r"sample_weight.* not explicitly set"):
        LabeledOnly(LogisticRegression()).fit(X, few, sample_weight=WEIGHT)
    for model, name in ((LogisticRegression(), "bogus"), (silent, "sample_weight")):
        with pytest.raises(TypeError, match="unexpected"):
            LabeledOnly(model).fit(X, few, **{name: WEIGHT})


def parts(cv, X, y, groups=None):
    return [(train.tolist(), test.tolist()) for train, test in cv.split(X, y, groups)]


@pytest.mark.parametrize(
    "cv",
    [
        3,
        None,
        ms.ShuffleSplit(3, random_state=0),
        ms.PredefinedSplit(np.arange(45) % 4 - 1),
        ms.LeaveOneOut(),
        ms.LeaveOneGroupOut(),
        [(np.arange(30), np.arange(30, 45)), (np.arange(9, 45), np.arange(9))],
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_split_is_that_of_the_labeled_rows(data, cv):
    X, y, few = data
    # The int and None are written out, so that check_cv is not compared with itself.
    inner = ms.StratifiedKFold(cv or 5) if cv in (3, None) else cv
    groups = GROUPS if isinstance(cv, ms.LeaveOneGroupOut) else None
    of_labeled = LABELED, y[LABELED], None if groups is None else groups[LABELED]
    folds = inner if isinstance(cv, list) else list(inner.split(*of_labeled))
    expected = [(sorted([*LABELED[a], *HIDDEN]), LABELED[b].tolist()) for a, b in folds]
    splitter = SemiSupervisedSplit(cv)
    assert parts(splitter, X, few, groups) == expected
    assert splitter.get_n_splits(X, few, groups) == len(expected)


def test_split_of_containers_and_other_labels(data):
    X, y, few = data
    cv = SemiSupervisedSplit(3)
    expected = parts(cv, X, few)
    for container in ("pandas-dates", "polars", "list", "csr"):
        assert parts(cv, CONTAINERS[container](X), pd.Series(few, index=few)) == expected
    assert parts(cv, X, pl.Series(few)) == expected
    assert parts(cv, X, np.where(few < 0, None, np.array(["a", "b", "c"])[few])) == expected
    # Numbers that are no classes are not stratified.
    target = np.where(IS_LABELED, X[:, 0], NAN)
    tests = [test for _, test in parts(cv, X, target)]
    assert tests == [fold.tolist() for fold in np.array_split(LABELED, 3)]
    # Every row is labeled.
    expected = [(a.tolist(), b.tolist()) for a, b in ms.StratifiedKFold(3).split(X, y)]
    assert parts(clone(cv).set_params(unlabeled=None), X, y) == expected
    assert parts(cv, X, y.astype(float)) == expected
    with pytest.warns(UserWarning, match="without a -1, so every row counts as labeled"):
        assert parts(cv, X, y) == expected


def test_split_errors(data):
    X, _, few = data
    once = (pair for pair in [(np.arange(30), np.arange(30, 45))])
    for cv, n_rows, error, message in [
        (ms.KFold(46), N_ROWS, ValueError, "n_splits=46"),
        (40, N_ROWS, ValueError, "n_splits=40 cannot be greater"),
        (ms.KFold(3), 0, ValueError, "greater than the number of"),
        (ms.GroupKFold(3), N_ROWS, ValueError, "'groups' parameter should not be None"),
        (once, N_ROWS, TypeError, "only once"),
    ]:
        with pytest.raises(error, match=message):
            next(SemiSupervisedSplit(cv).split(X[:n_rows], np.where(few < 0, NAN, few)[:n_rows]))
    with pytest.raises(TypeError, match="only once"):
        SemiSupervisedSplit(once).get_n_splits()
    assert len(list(once)) == 1


def test_groups_are_requested_as_cv_requests_them(data):
    X, y, few = data
    model = LabeledOnly(LogisticRegression())
    expected = [
        LogisticRegression().fit(X[LABELED[a]], y[LABELED[a]]).score(X[LABELED[b]], y[LABELED[b]])
        for a, b in ms.GroupKFold(3).split(LABELED, groups=GROUPS[LABELED])
    ]
    with sklearn.config_context(enable_metadata_routing=True):
        renamed = ms.GroupKFold(3).set_split_request(groups="site")
        for cv, params in ((ms.GroupKFold(3), {"groups": GROUPS}), (renamed, {"site": GROUPS})):
            cv = SemiSupervisedSplit(cv)
            scores = ms.cross_val_score(model, X, few, cv=cv, params=params, error_score="raise")
            assert_allclose(scores, expected)
        with pytest.raises(TypeError, match="groups"):
            ms.cross_val_score(model, X, few, cv=SemiSupervisedSplit(3), params={"groups": GROUPS})
    search = ms.GridSearchCV(model, {}, cv=SemiSupervisedSplit(ms.GroupKFold(3)))
    assert search.fit(X, few, groups=GROUPS).best_score_ == pytest.approx(np.mean(expected))
    assert not hasattr(SemiSupervisedSplit(), "set_split_request")


def test_splitter_is_cloned_shown_and_set():
    cv = SemiSupervisedSplit(ms.KFold(4, shuffle=True, random_state=1), unlabeled="?")
    assert clone(cv).cv is not cv.cv
    assert repr(clone(cv)) == repr(cv)
    assert repr(cv).startswith("SemiSupervisedSplit(cv=KFold(n_splits=4")
    assert "unlabeled='?'" in repr(cv)
    search = ms.GridSearchCV(LabeledOnly(DummyClassifier()), {}, cv=cv)
    assert clone(search).set_params(cv__unlabeled=0).cv.unlabeled == 0
    assert "SemiSupervisedSplit" in search._repr_html_()
    assert cv.get_n_splits(FOUR_ROWS) == 4
    assert SemiSupervisedSplit().get_n_splits() == 5


def test_agrees_with_self_training_and_predefined_split(data):
    X, _, few = data
    fold = np.full(N_ROWS, -1)
    for k, (_, test) in enumerate(ms.KFold(4).split(LABELED)):
        fold[LABELED[test]] = k
    theirs, ours = ms.PredefinedSplit(fold), SemiSupervisedSplit(ms.KFold(4))
    assert parts(ours, X, few) == [(a.tolist(), b.tolist()) for a, b in theirs.split()]
    grid = {"last__estimator__max_depth": [1, 2], "pca__n_components": [2, 5]}
    results = []
    for last, cv in ((SelfTrainingClassifier(XGB, max_iter=0), theirs), (LabeledOnly(XGB), ours)):
        pipe = Pipeline([("scale", StandardScaler()), ("pca", PCA(random_state=0)), ("last", last)])
        search = ms.GridSearchCV(pipe, grid, cv=cv, error_score="raise").fit(X, few)
        results.append(search)
    expected, found = results
    assert len(set(expected.cv_results_["mean_test_score"])) > 1
    for name in (f"split{k}_test_score" for k in range(4)):
        assert_array_equal(found.cv_results_[name], expected.cv_results_[name])
    assert found.best_params_ == expected.best_params_
    assert_array_equal(found.predict_proba(X), expected.predict_proba(X))


@pytest.mark.parametrize(
    ("container", "marker", "kind", "scoring"),
    [
        ("list", -1, list, "accuracy"),
        ("polars", None, np.array, "accuracy"),
        ("pandas", pd.NA, lambda y: pd.Series(y, dtype="string"), None),
    ],
)
def test_union_of_features_and_codes_learns_from_all_rows(data, container, marker, kind, scoring):
    X, y, few = data
    given, union = CONTAINERS[container](X), make_union(StandardScaler(), PCA(3, random_state=0))
    # By hand: transformers fitted on all training rows, the last step on the labeled ones.
    expected = []
    for a, b in ms.StratifiedKFold(3).split(LABELED, y[LABELED]):
        step = clone(union).fit(X[np.sort(np.r_[LABELED[a], HIDDEN])])
        last = RidgeClassifier().fit(step.transform(X[LABELED[a]]), y[LABELED[a]])
        expected.append(last.score(step.transform(X[LABELED[b]]), y[LABELED[b]]))
    if container == "pandas":
        union.set_output(transform="pandas")
    pipe = make_pipeline(union, LabeledOnly(RidgeClassifier()))
    cv, labels = SemiSupervisedSplit(3), kind(np.array(["a", "b", "c", marker], object)[few])
    scores = ms.cross_val_score(pipe, given, labels, cv=cv, scoring=scoring, error_score="raise")
    assert_allclose(scores, expected)
    assert pipe.fit(given, labels).classes_.tolist() == ["a", "b", "c"]
    assert pipe[-1].n_features_in_ == 11
    if container == "pandas":
        assert pipe[-1].feature_names_in_[7:9].tolist() == ["standardscaler__h", "pca__pca0"]


def test_halving_search_over_the_last_steps_trees(data):
    X, _, few = data
    search = ms.HalvingGridSearchCV(
        Pipeline([("pca", PCA(3, random_state=0)), ("clf", LabeledOnly(XGB))]),
        {"clf__estimator__max_depth": [1, 2, 3]},
        resource="clf__estimator__n_estimators",
        min_resources=2,
        max_resources=6,
        cv=SemiSupervisedSplit(ms.StratifiedKFold(3, shuffle=True, random_state=0)),
        error_score="raise",
    ).fit(X, few)
    assert search.n_resources_ == [2, 6]
    # Every round has all rows: the second differs by its trees only.
    assert search.best_estimator_["clf"].estimator_.n_estimators == 6
    assert search.best_estimator_["pca"].n_samples_ == N_ROWS
    with pytest.raises(ValueError, match="must yield consistent folds"):
        search.set_params(cv=SemiSupervisedSplit(ms.KFold(3, shuffle=True))).fit(X, few)
    assert not hasattr(SemiSupervisedSplit(3), "shuffle")
    assert not hasattr(SemiSupervisedSplit(ms.LeaveOneOut()), "random_state")


def test_what_needs_a_partition_refuses(data):
    X, _, few = data
    cv, target = SemiSupervisedSplit(3), np.where(IS_LABELED, X[:, 0], NAN)
    stack = StackingRegressor([("a", LabeledOnly(Ridge()))], cv=cv)
    for use in (lambda: ms.cross_val_predict(TREE, X, few, cv=cv), lambda: stack.fit(X, target)):
        with pytest.raises(ValueError, match="only works for partitions"):
            use()
    stack = StackingClassifier([("a", LabeledOnly(GaussianNB()))], cv=cv)
    # It has made 0, 1, 2, 3 of -1, 0, 1, 2 before it splits.
    with pytest.warns(UserWarning, match="as StackingClassifier does"):
        stack.fit(X, few)
    assert -1 in stack.classes_
    # Told what the marker has become, it refuses too.
    stack.set_params(cv__unlabeled=0, a__unlabeled=0)
    with pytest.raises(ValueError, match="only works for partitions"):
        stack.fit(X, few)
