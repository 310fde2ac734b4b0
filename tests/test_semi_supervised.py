"""Unlabeled rows: which they are, who fits on the others, and how those are split."""

import pickle
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone, is_classifier
from sklearn.cluster import KMeans
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier, StackingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import (
    BayesianRidge,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
)
from sklearn.metrics import accuracy_score, get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    PredefinedSplit,
    RandomizedSearchCV,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    check_param_validation,
    estimator_checks_generator,
)
from xgboost import XGBClassifier, XGBRegressor

from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit, is_unlabeled

N_ROWS = 120
# Scattered, so that a mix-up of positions and of labeled rows shows.
LABELED = np.random.RandomState(0).permutation(N_ROWS)[:45]
IS_LABELED = np.isin(np.arange(N_ROWS), LABELED)


@pytest.fixture
def data():
    """X, all labels, and the labels with -1 where they are hidden."""
    X, y = make_classification(
        N_ROWS, 8, n_informative=5, n_classes=3, flip_y=0.2, class_sep=0.7, random_state=0
    )
    return X, y, np.where(IS_LABELED, y, -1)


@pytest.fixture(params=[False, True], ids=["routing-off", "routing-on"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps what reaches fit and score."""

    def fit(self, X, y, sample_weight=None, **rest):
        self.X_, self.y_, self.sample_weight_, self.rest_ = X, y, sample_weight, rest
        self.classes_ = np.unique(y)
        return self

    def score(self, X, y, sample_weight=None):
        self.scored_ = X, y, sample_weight
        return 0.5


class TargetRecorder(RegressorMixin, BaseEstimator):
    """Keeps the target that reaches fit."""

    def fit(self, X, y):
        self.y_ = y
        return self


def xgb(**params):
    return XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1, random_state=0, **params)


# ------------------------------------------------------------------------------ common checks
def common_checks(estimator, *, leave_out=()):
    """List what `parametrize_with_checks` runs; of old, that gives pytest a generator."""
    return [
        pytest.param(given, check, id=f"{estimator}-{check.func.__name__}-{check.keywords}")
        for given, check in estimator_checks_generator(estimator)
        if check.func.__name__ not in leave_out
    ]


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        *common_checks(LabeledOnly(LogisticRegression(), unlabeled=None)),
        *common_checks(LabeledOnly(Ridge(), unlabeled=None)),
        *common_checks(LabeledOnly(LinearDiscriminantAnalysis(), unlabeled=None)),
        *common_checks(LabeledOnly(Ridge())),
        # The one check whose classes are -1 and 1.
        *common_checks(LabeledOnly(LogisticRegression()), leave_out=["check_classifiers_classes"]),
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


# ----------------------------------------------------------------------------------- markers
NAN = float("nan")
MARKERS = {
    "ints": ([2, 0, -1], "auto", [2]),
    "ints-array": (np.array([2, 0, -1], dtype=np.int8), "auto", [2]),
    "ints-unsigned": (np.array([2, 0, 255], dtype=np.uint8), "auto", []),
    "floats-nan": (np.array([0.0, 1.0, NAN]), "auto", [2]),
    "floats-nan-float16": (np.array([0.0, 1.0, NAN], dtype=np.float16), "auto", [2]),
    "floats-minus-one-is-a-target": (np.array([-1.0, 0.5, NAN]), "auto", [2]),
    "floats-minus-one-asked-for": (np.array([-1.0, 0.5, 2.0]), -1, [0]),
    "bools": (np.array([True, False, True]), "auto", []),
    "bools-and-none": ([True, False, None], "auto", [2]),
    "numpy-strings": (np.array(["cat", "dog"]), "auto", []),
    "list-cat-dog-minus-one": (["cat", "dog", -1], "auto", [2]),
    "objects-cat-dog-minus-one": (np.array(["cat", "dog", -1], dtype=object), "auto", [2]),
    "objects-numpy-minus-one": (np.array(["cat", np.int64(-1)], dtype=object), "auto", [1]),
    "objects-string-minus-one-asked-for": (["cat", "-1", -1], "-1", [1]),
    "strings-minus-one-asked-for": (np.array(["cat", "-1"]), "-1", [1]),
    "strings-minus-one-as-class": (np.array(["cat", "-1"]), None, []),
    "list-strings-nan": (["cat", "dog", NAN], "auto", [2]),
    "list-strings-none": (["cat", None], "auto", [1]),
    "list-ints-none": ([0, 1, None, -1], "auto", [2, 3]),
    "objects-ints-nan": (np.array([0, -1, NAN], dtype=object), "auto", [1, 2]),
    "objects-floats": (np.array([0.5, -1, NAN, None], dtype=object), "auto", [2, 3]),
    "objects-fractions": ([Fraction(1, 2), -1, None], "auto", [2]),
    "objects-decimals": ([Decimal(-1), Decimal(2), None], "auto", [2]),
    "pandas-ints": (pd.Series([0, 1, -1]), "auto", [2]),
    "pandas-nullable-ints": (pd.Series([0, pd.NA, -1], dtype="Int64"), "auto", [1, 2]),
    "pandas-nullable-array": (pd.array([0, pd.NA, -1], dtype="Int64"), "auto", [1, 2]),
    "pandas-nullable-floats": (pd.Series([-1.0, pd.NA], dtype="Float64"), "auto", [1]),
    "pandas-nullable-bools": (pd.Series([True, pd.NA], dtype="boolean"), "auto", [1]),
    "pandas-arrow-ints": (pd.Series([0, None, -1], dtype="int64[pyarrow]"), "auto", [1, 2]),
    "pandas-strings-na": (pd.Series(["a", pd.NA, "b"], dtype="string"), "auto", [1]),
    "pandas-strings": (pd.Series(["a", None, "b"]), "auto", [1]),
    "pandas-objects": (pd.Series(["a", pd.NA, -1, None], dtype=object), "auto", [1, 2, 3]),
    "pandas-categorical-na": (pd.Series(["a", None, "b"], dtype="category"), "auto", [1]),
    "pandas-categorical-ints": (pd.Series([0, None, -1], dtype="category"), "auto", [1, 2]),
    "pandas-frame": (pd.DataFrame({"y": pd.array([0, pd.NA, -1], "Int64")}), "auto", [1, 2]),
    "polars-ints-null": (pl.Series([0, None, -1]), "auto", [1, 2]),
    "polars-floats-null": (pl.Series([-1.0, None, NAN]), "auto", [1, 2]),
    "polars-strings-null": (pl.Series(["a", None]), "auto", [1]),
    "polars-categories-null": (pl.Series(["a", None], dtype=pl.Categorical), "auto", [1]),
    "polars-bools-null": (pl.Series([True, None]), "auto", [1]),
    "polars-frame": (pl.DataFrame({"y": [0, None, -1]}), "auto", [1, 2]),
    "literal-question-mark": (["cat", "?", "dog"], "?", [1]),
    "literal-question-mark-in-ints": ([0, 1, -1], "?", []),
    "literal-nan-in-ints": ([0, 1, -1], NAN, []),
    "literal-nan-in-objects": (["cat", None, -1, NAN], NAN, [1, 3]),
    "literal-na": (pd.Series([0, pd.NA, -1], dtype="Int64"), pd.NA, [1]),
    "literal-zero": ([0, 1, -1], 0, [0]),
    "literal-beside-na": (pd.Series([9, pd.NA, 0], dtype="Int64"), 9, [0]),
    "literal-float": (np.array([0.5, -9.5, NAN]), -9.5, [1]),
    "none-marks-nothing": ([0, 1, -1], None, []),
    "none-marks-nothing-objects": (["cat", None, -1], None, []),
    "column": ([[0], [-1], [1]], "auto", [1]),
    "two-outputs": ([[0, 2], [-1, -1], [1, 0]], "auto", [1]),
    "two-outputs-floats": ([[0.5, -1.0], [NAN, NAN]], "auto", [1]),
    "empty": ([], "auto", []),
}


@pytest.mark.parametrize(
    ("y", "unlabeled", "expected"),
    [pytest.param(*case, id=f"C12-{name}") for name, case in MARKERS.items()],
)
def test_markers(y, unlabeled, expected):
    rows = is_unlabeled(y, unlabeled)
    assert rows.dtype == bool
    assert rows.shape == (len(y),)
    assert np.flatnonzero(rows).tolist() == expected


@pytest.mark.parametrize(
    ("y", "unlabeled", "error", "message"),
    [
        pytest.param(None, "auto", ValueError, "requires y to be passed", id="none"),
        pytest.param(3, "auto", ValueError, "1d or 2d", id="scalar"),
        pytest.param(np.zeros((2, 2, 2)), "auto", ValueError, "1d or 2d", id="3d"),
        pytest.param(sparse.csr_array(np.eye(2)), "auto", TypeError, "toarray", id="sparse"),
        pytest.param([[0, 1], [0, -1]], "auto", ValueError, "Row 1 of y", id="partly-int"),
        pytest.param([[NAN, 1.5], [0, 1]], "auto", ValueError, "Row 0 of y", id="partly-nan"),
        pytest.param(np.array(["a", -1]), "auto", ValueError, "unlabeled='-1'", id="C12-str"),
        pytest.param(["a", "-1", None], "auto", ValueError, "unlabeled=None", id="C12-str-list"),
        pytest.param(pd.Series(["a", "-1"]), "auto", ValueError, "string '-1'", id="C12-str-pd"),
    ],
)
def test_markers_that_cannot_be_told(y, unlabeled, error, message):
    with pytest.raises(error, match=message):
        is_unlabeled(y, unlabeled)
    if y is not None:
        return
    for use in (
        lambda: LabeledOnly(LogisticRegression()).fit(np.zeros((2, 1)), y),
        lambda: next(SemiSupervisedSplit(2).split(np.zeros((2, 1)), y)),
        lambda: cross_val_score(
            LabeledOnly(LogisticRegression()), np.zeros((2, 1)), cv=SemiSupervisedSplit(2)
        ),
    ):
        with pytest.raises(error, match=message):
            use()


# ------------------------------------------------------------------------ what the estimator gets
LABELS = {
    "ints": ([2, 0, -1], "auto", np.int64, [2, 0]),
    "int8": (np.array([2, 0, -1], dtype=np.int8), "auto", np.int8, [2, 0]),
    "floats-whole": ([2.0, 0.0, NAN], "auto", np.int64, [2, 0]),
    "floats-whole-all-labeled": ([2.0, 0.0, 1.0], "auto", np.float64, [2.0, 0.0, 1.0]),
    "floats-huge": ([2.0, 1e300, NAN], "auto", np.float64, [2.0, 1e300]),
    "floats-not-whole": ([0.5, 1.0, NAN], "auto", np.float64, [0.5, 1.0]),
    "list-of-strings": (["cat", "dog"], "auto", np.dtype("<U3"), ["cat", "dog"]),
    "objects-ints": (np.array([1, 0, None], dtype=object), "auto", np.int64, [1, 0]),
    "objects-ints-all-labeled": (np.array([1, 0], dtype=object), "auto", np.int64, [1, 0]),
    "objects-bools": ([True, False, None], "auto", np.bool_, [True, False]),
    "objects-strings": (["cat", "dog", -1], "auto", np.object_, ["cat", "dog"]),
    "numbers-beside-a-string-marker": ([1, 0, "?"], "?", np.int64, [1, 0]),
    "numpy-strings": (np.array(["cat", "dog", "?"]), "?", np.dtype("<U3"), ["cat", "dog"]),
    "pandas-nullable": (pd.Series([1, 0, pd.NA], dtype="Int64"), "auto", np.int64, [1, 0]),
    "pandas-bools": (pd.Series([True, False, pd.NA], dtype="boolean"), "auto", bool, [True, False]),
    "pandas-strings": (pd.Series(["a", "b", pd.NA], dtype="string"), "auto", object, ["a", "b"]),
    "pandas-categories": (pd.Series([3, 5, None], dtype="category"), "auto", np.int64, [3, 5]),
    "polars": (pl.Series([1, 0, None]), "auto", np.int64, [1, 0]),
    "column": ([[1], [0], [-1]], "auto", np.int64, [[1], [0]]),
}


@pytest.mark.parametrize(
    ("y", "unlabeled", "dtype", "expected"),
    [pytest.param(*case, id=f"C12-{name}") for name, case in LABELS.items()],
)
def test_type_of_labels(y, unlabeled, dtype, expected):
    X = np.arange(len(y)).reshape(-1, 1)
    seen = LabeledOnly(Recorder(), unlabeled=unlabeled).fit(X, y).estimator_
    assert seen.y_.dtype == dtype
    assert seen.y_.tolist() == expected
    assert seen.X_.ravel().tolist() == list(range(len(expected)))
    assert -1 not in seen.classes_.tolist()
    assert "-1" not in seen.classes_.tolist()


def test_whole_targets_of_a_regressor_stay_floats():
    seen = LabeledOnly(TargetRecorder()).fit(np.zeros((3, 1)), [2.0, NAN, 0.0]).estimator_
    assert seen.y_.dtype == np.float64
    assert seen.y_.tolist() == [2.0, 0.0]


@pytest.mark.parametrize(
    "y",
    [
        pytest.param(lambda y: np.where(y < 0, NAN, y), id="C12-floats-nan"),
        pytest.param(lambda y: [None if v < 0 else v for v in y], id="C12-objects-none"),
        pytest.param(
            lambda y: pd.Series(y, dtype="Int64").mask(y < 0, pd.NA), id="C12-pandas-nullable"
        ),
        pytest.param(lambda y: pl.Series(y.tolist()).replace(-1, None), id="C12-polars-null"),
    ],
)
def test_xgboost_gets_classes_from_zero(data, y):
    X, _, few = data
    expected = xgb().fit(X[IS_LABELED], few[IS_LABELED])
    model = LabeledOnly(xgb()).fit(X, y(few))
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.classes_.dtype.kind == "i"
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


CONTAINERS = {
    "list": lambda X: X.tolist(),
    "float32": lambda X: X.astype(np.float32),
    "csr": sparse.csr_array,
    "csr-matrix": sparse.csr_matrix,
    "pandas": lambda X: pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])]),
    "C3-pandas-shuffled-index": lambda X: pd.DataFrame(
        X, index=np.random.RandomState(1).permutation(len(X)), columns=list("abcdefgh")
    ),
    "C3-pandas-duplicated-dates": lambda X: pd.DataFrame(
        X, index=pd.to_datetime(["2024-02-01", "2024-01-01"] * (len(X) // 2))
    ),
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
    if hasattr(given, "index") and name != "list":
        assert seen.X_.index.equals(given.index[IS_LABELED])
    assert getattr(seen.X_, "dtype", None) == getattr(given, "dtype", None)
    # Nothing is cut, so nothing is copied.
    assert LabeledOnly(Recorder()).fit(given, y).estimator_.X_ is given


@pytest.mark.parametrize("format", ["coo", "csc", "dok", "lil", "dia", "bsr"])
def test_other_sparse_formats(data, format):
    _, _, few = data
    X = np.diag(np.arange(N_ROWS) + 1.0)
    given = sparse.coo_array(X).asformat(format)
    seen = LabeledOnly(Recorder()).fit(given, few).estimator_
    assert_array_equal(seen.X_.toarray(), X[IS_LABELED])
    assert LabeledOnly(Recorder()).fit(given, np.abs(few)).estimator_.X_ is given


def test_tensors(data):
    torch = pytest.importorskip("torch")
    X, _, few = data
    seen = LabeledOnly(Recorder()).fit(torch.tensor(X), torch.tensor(few)).estimator_
    assert isinstance(seen.X_, torch.Tensor)
    assert_array_equal(seen.X_.numpy(), X[IS_LABELED])
    assert_array_equal(seen.y_, few[IS_LABELED])


@pytest.mark.parametrize("estimator", [LogisticRegression(), LinearDiscriminantAnalysis(), xgb()])
def test_classifier_is_that_of_the_labeled_rows(data, estimator):
    X, y, few = data
    expected = clone(estimator).fit(X[IS_LABELED], y[IS_LABELED])
    model = LabeledOnly(estimator).fit(X, few)
    assert model.estimator_ is not estimator
    assert not hasattr(estimator, "classes_")
    assert_array_equal(model.predict(X), expected.predict(X))
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    for method in ("predict_log_proba", "decision_function"):
        assert hasattr(model, method) == hasattr(expected, method)
        if hasattr(model, method):
            assert_array_equal(getattr(model, method)(X), getattr(expected, method)(X))
    assert_array_equal(model.classes_, [0, 1, 2])
    assert model.n_features_in_ == 8


@pytest.mark.parametrize("estimator", [Ridge(), XGBRegressor(n_estimators=5, n_jobs=1)])
def test_regressor_is_that_of_the_labeled_rows(data, estimator):
    X, y, _ = data
    # -1 is a target among floats.
    target = np.where(y == 0, -1.0, X @ np.arange(8))
    model = LabeledOnly(estimator).fit(X, np.where(IS_LABELED, target, NAN))
    expected = clone(estimator).fit(X[IS_LABELED], target[IS_LABELED])
    assert_array_equal(model.predict(X), expected.predict(X))
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model, "classes_")


def test_several_outputs(data):
    X, y, _ = data
    Y = np.column_stack([X @ np.arange(8), y + 0.5])
    hidden = np.where(IS_LABELED[:, np.newaxis], Y, NAN)
    model = LabeledOnly(LinearRegression()).fit(X, hidden)
    expected = LinearRegression().fit(X[IS_LABELED], Y[IS_LABELED])
    assert_array_equal(model.predict(X), expected.predict(X))
    assert model.score(X, hidden) == expected.score(X[IS_LABELED], Y[IS_LABELED])
    # Several outputs with a -1 among their classes are none of the warning's business.
    labels = np.column_stack([y - 1, y])
    trees = LabeledOnly(DecisionTreeClassifier(), unlabeled=None).fit(X, labels)
    assert_array_equal(trees.classes_[0], [-1, 0, 1])


# ------------------------------------------------------------------- -1 that nothing explains
@pytest.mark.parametrize(
    ("y", "unlabeled"),
    [
        pytest.param([0, 1, -1, 1], None, id="C12-ints-none"),
        pytest.param([0.0, 1.0, -1.0, 1.0], None, id="C12-floats-none"),
        pytest.param([0.0, 1.0, -1.0, 1.0], "auto", id="C12-floats-auto"),
        pytest.param([0.0, 1.0, -1.0, NAN], "auto", id="C12-floats-nan-auto"),
        pytest.param(pd.Series([0, 1, -1, 1], dtype="Int64"), None, id="C12-pandas-nullable"),
    ],
)
def test_minus_one_beside_others_warns(y, unlabeled):
    with pytest.warns(UserWarning, match="set `unlabeled=-1`|Set `unlabeled=-1`") as caught:
        LabeledOnly(GaussianNB(), unlabeled=unlabeled).fit(np.arange(4).reshape(-1, 1), y)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("y", "unlabeled", "classes"),
    [
        pytest.param([-1, 1, -1, 1], None, [-1, 1], id="C12-signs"),
        pytest.param([-1.0, 1.0, -1.0, 1.0], None, [-1, 1], id="C12-signs-floats"),
        pytest.param([-1.0, 1.0, -1.0, 1.0], "auto", [-1, 1], id="C12-signs-floats-auto"),
        pytest.param([-1.0, 1.0, -1.0, NAN], "auto", [-1, 1], id="C12-signs-nan"),
        pytest.param([-1, 1, None, 1], NAN, [-1, 1], id="C12-signs-literal-nan"),
        pytest.param([-1, 0, 1, 9], 9, [-1, 0, 1], id="C12-other-marker"),
        pytest.param([-1, 0, 1, 2], "auto", [0, 1, 2], id="C12-auto"),
        pytest.param([-1.0, 0.0, 1.0, 1.0], -1, [0, 1], id="C12-asked-for"),
        pytest.param(["-1", "1", "0", "1"], None, ["-1", "0", "1"], id="C12-strings"),
        pytest.param([True, False, True, False], "auto", [False, True], id="C12-bools"),
        pytest.param([-1, 1, -1, 1], -1, [1], id="C12-signs-asked-for"),
    ],
)
def test_minus_one_that_is_explained_does_not_warn(y, unlabeled, classes):
    X = np.arange(4).reshape(-1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LabeledOnly(DecisionTreeClassifier(), unlabeled=unlabeled).fit(X, y)
        assert_array_equal(model.classes_, classes)
        model.score(X, y)


def test_C12_signs_are_not_cut_to_one_class_without_a_word():
    X, y = np.arange(4).reshape(-1, 1), [-1, 1, -1, 1]
    for signs in (y, pd.Series(y, dtype="Int64")):
        with pytest.raises(ValueError, match="`unlabeled=None` if -1 and 1 are the classes"):
            LabeledOnly(DecisionTreeClassifier()).fit(X, signs)
    # One class of other labels, and a regressor, are what the estimator makes of them.
    assert LabeledOnly(DecisionTreeClassifier()).fit(X, [-1, 0, -1, 0]).classes_.tolist() == [0]
    assert LabeledOnly(DummyRegressor()).fit(X, y).predict(X).tolist() == [1.0] * 4
    for ones in ([1, 1, 1, 1], [1.0, NAN, 1.0, NAN], [1, None, 1, None]):
        assert LabeledOnly(DecisionTreeClassifier()).fit(X, ones).classes_.tolist() == [1]


# --------------------------------------------------------------------------- errors, life cycle
@pytest.mark.parametrize(
    ("y", "unlabeled"),
    [([-1, -1, -1], "auto"), ([NAN] * 3, "auto"), ([None] * 3, "auto"), (["?"] * 3, "?")],
)
def test_no_labeled_row(y, unlabeled):
    X = np.zeros((3, 1))
    for use in (
        lambda: LabeledOnly(DummyClassifier(), unlabeled=unlabeled).fit(X, y),
        lambda: (
            LabeledOnly(DummyClassifier(), unlabeled=unlabeled).fit(X, ["a", "b", "a"]).score(X, y)
        ),
        lambda: next(SemiSupervisedSplit(2, unlabeled=unlabeled).split(X, y)),
        lambda: SemiSupervisedSplit(2, unlabeled=unlabeled).get_n_splits(X, y),
    ):
        with pytest.raises(ValueError, match=r"No row of y is labeled: all 3 .*unlabeled=") as info:
            use()
        assert ("-1 among integers" in str(info.value)) == (unlabeled == "auto")


def test_inconsistent_lengths(data):
    X, _, few = data
    model = LabeledOnly(LogisticRegression())
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, few[:-1])
    # As many weights as labeled rows, which the estimator itself would take.
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, few, sample_weight=np.ones(len(LABELED)))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        next(SemiSupervisedSplit(GroupKFold(2)).split(X, few, groups=[0, 1]))


def test_a_failed_fit_changes_nothing(data):
    X, _, few = data
    model = LabeledOnly(LogisticRegression())
    for method in ("predict", "predict_proba", "score"):
        with pytest.raises(NotFittedError):
            getattr(model, method)(*((X, few) if method == "score" else (X,)))
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, NAN), few)
    assert not hasattr(model, "estimator_")
    assert not hasattr(model, "n_features_in_")
    before = model.fit(X, few).predict_proba(X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, NAN), few)
    assert_array_equal(model.predict_proba(X), before)
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), before)


# --------------------------------------------------------------------------------- delegation
@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        LinearSVC(),
        Ridge(),
        HistGradientBoostingClassifier(),
        XGBClassifier(),
        make_pipeline(StandardScaler(with_mean=False), LogisticRegression()),
        KMeans(2),
        LinearDiscriminantAnalysis(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_looks_like_its_estimator(estimator):
    model = LabeledOnly(estimator)
    for method in (
        "predict",
        "predict_proba",
        "predict_log_proba",
        "decision_function",
        "transform",
        "fit_transform",
        "score",
        "get_feature_names_out",
        "set_output",
    ):
        # fit_transform comes from fit and transform, so that it is there with transform.
        expected = hasattr(estimator, method.removeprefix("fit_"))
        assert hasattr(model, method) == expected, method
    expected = get_tags(estimator)
    expected.target_tags.required = True
    assert get_tags(model) == expected
    assert is_classifier(model) == is_classifier(estimator)


def test_missing_method_is_the_estimators_error():
    with pytest.raises(AttributeError, match="'LabeledOnly' has no attribute 'predict_proba'") as e:
        LabeledOnly(LinearSVC()).predict_proba  # noqa: B018
    assert "LinearSVC" in str(e.value.__cause__)


def test_methods_are_those_of_the_fitted_estimator(data):
    X, _, few = data
    model = LabeledOnly(LogisticRegression()).fit(X, few).set_params(estimator=LinearSVC())
    assert model.predict_proba(X).shape == (N_ROWS, 3)
    assert not hasattr(clone(model), "predict_proba")


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
    # In the middle of a pipeline, which asks for fit_transform, the last step on the codes.
    pipe = make_pipeline(clone(model), LabeledOnly(LogisticRegression())).fit(frame, few)
    last = LogisticRegression().fit(expected[IS_LABELED], y[IS_LABELED])
    assert_allclose(pipe.predict_proba(frame), last.predict_proba(expected))


# ---------------------------------------------------------------------------------- score
def test_score_counts_labeled_rows(data):
    X, y, few = data
    weight = np.random.RandomState(0).uniform(0.5, 2, N_ROWS)
    model = LabeledOnly(LogisticRegression()).fit(X, few)
    right = (model.predict(X) == y)[IS_LABELED]
    assert 0.3 < right.mean() < 1
    assert model.score(X, few) == pytest.approx(right.mean())
    assert model.score(X, few, sample_weight=weight) == pytest.approx(
        np.average(right, weights=weight[IS_LABELED])
    )
    assert model.score(X, y) == pytest.approx((model.predict(X) == y).mean())
    assert model.score(X, np.where(few < 0, NAN, few)) == pytest.approx(right.mean())
    assert model.score(X, [None if v < 0 else v for v in few]) == pytest.approx(right.mean())


# ------------------------------------------------------------------------- weights and metadata
def test_metadata_is_cut_to_the_labeled_rows(data):
    X, y, few = data
    weight, series = np.arange(N_ROWS) + 1.0, pd.Series(np.arange(N_ROWS)[::-1])
    seen = (
        LabeledOnly(Recorder())
        .fit(X, few, sample_weight=weight, series=series, scalar=3, other=[1, 2], nothing=None)
        .estimator_
    )
    assert_array_equal(seen.sample_weight_, weight[IS_LABELED])
    assert_array_equal(seen.rest_.pop("series"), series[IS_LABELED])
    assert seen.rest_ == {"scalar": 3, "other": [1, 2], "nothing": None}
    # Nothing to cut.
    assert (
        LabeledOnly(Recorder()).fit(X, y, sample_weight=weight).estimator_.sample_weight_ is weight
    )


def test_weights(data, routing):
    X, y, few = data
    weight = np.random.RandomState(0).uniform(0.1, 5, N_ROWS)
    inner = LogisticRegression()
    if routing:
        inner.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    codes = PCA(4, random_state=0).fit_transform(X)
    kept = codes[IS_LABELED], y[IS_LABELED], weight[IS_LABELED]
    expected = LogisticRegression().fit(*kept)
    assert not np.allclose(expected.coef_, LogisticRegression().fit(*kept[:2]).coef_)
    pipe = Pipeline([("pca", PCA(4, random_state=0)), ("clf", LabeledOnly(inner))])
    name = "sample_weight" if routing else "clf__sample_weight"
    pipe.fit(X, few, **{name: weight})
    assert_allclose(pipe[-1].estimator_.coef_, expected.coef_)
    assert_allclose(pipe.score(X, few, sample_weight=weight), expected.score(*kept))


def test_parameters_of_predict(data, routing):
    X, _, _ = data
    target = np.where(IS_LABELED, X[:, 0] + X[:, 1] ** 2, NAN)
    inner = BayesianRidge()
    if routing:
        inner.set_predict_request(return_std=True)
    mean, std = LabeledOnly(inner).fit(X, target).predict(X, return_std=True)
    expected = BayesianRidge().fit(X[IS_LABELED], target[IS_LABELED])
    assert_array_equal(mean, expected.predict(X))
    assert_array_equal(std, expected.predict(X, return_std=True)[1])


def test_weights_of_a_transformer(data):
    X, _, few = data
    weight = np.random.RandomState(0).uniform(0.1, 5, N_ROWS)
    mean = np.average(X[IS_LABELED], axis=0, weights=weight[IS_LABELED])
    with sklearn.config_context(enable_metadata_routing=True):
        scale = StandardScaler(with_std=False).set_fit_request(sample_weight=True)
        pipe = make_pipeline(LabeledOnly(scale), PCA(2)).fit(X, few, sample_weight=weight)
    assert_allclose(pipe[0].transform(X), X - mean)


def test_routing_refuses_what_was_not_requested(data):
    X, _, few = data
    weight = np.ones(N_ROWS)
    with sklearn.config_context(enable_metadata_routing=True):
        with pytest.raises(ValueError, match=r"sample_weight.* not explicitly set"):
            LabeledOnly(LogisticRegression()).fit(X, few, sample_weight=weight)
        with pytest.raises(TypeError, match="unexpected"):
            LabeledOnly(LogisticRegression()).fit(X, few, bogus=weight)
        silent = LogisticRegression().set_fit_request(sample_weight=False)
        with pytest.raises(TypeError, match="unexpected"):
            LabeledOnly(silent).fit(X, few, sample_weight=weight)


def test_weights_in_a_search_with_routing(data):
    X, y, few = data
    weight = np.random.RandomState(0).uniform(0.1, 5, N_ROWS)
    folds = list(StratifiedKFold(3).split(X[IS_LABELED], y[IS_LABELED]))
    Xl, yl, wl = X[IS_LABELED], y[IS_LABELED], weight[IS_LABELED]
    expected = [
        LogisticRegression().fit(Xl[a], yl[a], wl[a]).score(Xl[b], yl[b], wl[b]) for a, b in folds
    ]
    with sklearn.config_context(enable_metadata_routing=True):
        # Without a scorer, scikit-learn 1.6 asks no router, Pipeline included, for its `score`.
        scores = cross_validate(
            LabeledOnly(LogisticRegression().set_fit_request(sample_weight=True)),
            X,
            few,
            scoring=get_scorer("accuracy").set_score_request(sample_weight=True),
            cv=SemiSupervisedSplit(3),
            params={"sample_weight": weight},
            error_score="raise",
        )
    assert_allclose(scores["test_score"], expected)


# ------------------------------------------------------------------------------------- splitter
def parts(cv, X, y, groups=None):
    return [(train.tolist(), test.tolist()) for train, test in cv.split(X, y, groups)]


@pytest.mark.parametrize(
    "cv",
    [
        3,
        None,
        KFold(4, shuffle=True, random_state=0),
        StratifiedKFold(3),
        ShuffleSplit(3, random_state=0),
        PredefinedSplit(np.arange(45) % 4 - 1),
        LeaveOneOut(),
        [(np.arange(30), np.arange(30, 45)), (np.arange(9, 45), np.arange(9))],
    ],
    ids=lambda cv: type(cv).__name__,
)
def test_split_is_that_of_the_labeled_rows(data, cv):
    X, y, few = data
    labeled, hidden = np.flatnonzero(IS_LABELED), np.flatnonzero(~IS_LABELED)
    # The int and None are written out, so that check_cv is not compared with itself.
    inner = StratifiedKFold(cv or 5) if cv in (3, None) else cv
    folds = inner if isinstance(cv, list) else list(inner.split(labeled, y[labeled]))
    expected = [
        (sorted([*labeled[train], *hidden]), labeled[test].tolist()) for train, test in folds
    ]
    splitter = SemiSupervisedSplit(cv)
    assert parts(splitter, X, few) == expected
    assert splitter.get_n_splits(X, few) == len(expected)
    assert set(hidden).isdisjoint(i for _, test in expected for i in test)


def test_an_int_stratifies_classes_only(data):
    X, y, few = data
    for labels in (few, np.where(few < 0, None, np.array(["a", "b", "c"])[few])):
        for _, test in SemiSupervisedSplit(5).split(X, labels):
            counts = np.bincount(y[test], minlength=3)
            assert np.abs(counts - np.bincount(y[IS_LABELED]) / 5).max() < 1
    target = np.where(IS_LABELED, X[:, 0], NAN)
    labeled = np.flatnonzero(IS_LABELED)
    assert [test for _, test in parts(SemiSupervisedSplit(5), X, target)] == [
        fold.tolist() for fold in np.array_split(labeled, 5)
    ]


@pytest.mark.parametrize("container", ["C3-pandas-duplicated-dates", "polars", "list", "csr"])
def test_split_of_containers(data, container):
    X, _, few = data
    wrapped = CONTAINERS[container](X)
    expected = parts(SemiSupervisedSplit(3), X, few)
    assert parts(SemiSupervisedSplit(3), wrapped, pd.Series(few, index=few)) == expected
    assert parts(SemiSupervisedSplit(3), wrapped, pl.Series(few)) == expected


def test_split_without_unlabeled_rows(data):
    X, y, _ = data
    expected = [(a.tolist(), b.tolist()) for a, b in StratifiedKFold(3).split(X, y)]
    assert parts(SemiSupervisedSplit(3, unlabeled=None), X, y) == expected
    assert parts(SemiSupervisedSplit(3), X, y.astype(float)) == expected
    assert parts(SemiSupervisedSplit(3), X, np.array(list("abc"))[y]) == expected
    with pytest.warns(UserWarning, match="without a -1, so every row counts as labeled") as caught:
        assert parts(SemiSupervisedSplit(3), X, y) == expected
    assert caught[0].filename == __file__
    signs = np.where(y, 1, -1)
    assert parts(SemiSupervisedSplit(3, unlabeled=None), X, signs) == [
        (a.tolist(), b.tolist()) for a, b in StratifiedKFold(3).split(X, signs)
    ]


def test_split_errors(data):
    X, _, few = data
    with pytest.raises(ValueError, match="n_splits=46"):
        next(SemiSupervisedSplit(KFold(46)).split(X, few))
    with pytest.raises(ValueError, match="n_splits=40 cannot be greater"):
        next(SemiSupervisedSplit(40).split(X, few))
    once = (pair for pair in [(np.arange(30), np.arange(30, 45))])
    with pytest.raises(TypeError, match="only once"):
        next(SemiSupervisedSplit(once).split(X, few))
    with pytest.raises(TypeError, match="only once"):
        SemiSupervisedSplit(once).get_n_splits()
    assert len(list(once)) == 1
    with pytest.raises(ValueError, match="greater than the number of"):
        next(SemiSupervisedSplit(KFold(3)).split(X[:0], few[:0].astype(float)))
    with pytest.raises(ValueError, match="'groups' parameter should not be None"):
        next(SemiSupervisedSplit(GroupKFold(3)).split(X, few))


def test_number_of_splits(data):
    X, _, few = data
    groups = np.where(IS_LABELED, np.arange(N_ROWS) % 4, 99)
    assert SemiSupervisedSplit().get_n_splits() == 5
    assert SemiSupervisedSplit(KFold(7)).get_n_splits(X) == 7
    assert SemiSupervisedSplit(LeaveOneOut()).get_n_splits(X, few) == len(LABELED)
    # The group of the unlabeled rows is none.
    assert SemiSupervisedSplit(LeaveOneGroupOut()).get_n_splits(X, few, groups) == 4


def test_groups(data, routing):
    X, y, few = data
    groups = np.arange(N_ROWS) // 10
    cv = SemiSupervisedSplit(GroupKFold(3))
    for train, test in cv.split(X, few, groups):
        labeled_train = np.intersect1d(train, LABELED)
        assert set(groups[test]).isdisjoint(groups[labeled_train])
        assert len(labeled_train) + len(test) == len(LABELED)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LabeledOnly(LogisticRegression())),
        {"labeledonly__estimator__C": [0.01, 1]},
        cv=cv,
        error_score="raise",
    ).fit(X, few, groups=groups)
    scaled, labeled = StandardScaler(), np.flatnonzero(IS_LABELED)
    expected = []
    for a, b in GroupKFold(3).split(labeled, groups=groups[labeled]):
        a, b = labeled[a], labeled[b]
        scaled.fit(X[np.union1d(a, np.flatnonzero(~IS_LABELED))])
        fitted = LogisticRegression(C=1).fit(scaled.transform(X[a]), y[a])
        expected.append(accuracy_score(y[b], fitted.predict(scaled.transform(X[b]))))
    found = [search.cv_results_[f"split{i}_test_score"][1] for i in range(3)]
    assert_allclose(found, expected)


def test_groups_are_requested_as_cv_requests_them(data):
    X, _, few = data
    model, groups = LabeledOnly(LogisticRegression()), np.arange(N_ROWS) // 10
    with sklearn.config_context(enable_metadata_routing=True):
        renamed = GroupKFold(3).set_split_request(groups="site")
        scores = [
            cross_val_score(
                model, X, few, cv=SemiSupervisedSplit(cv), params=params, error_score="raise"
            )
            for cv, params in ((GroupKFold(3), {"groups": groups}), (renamed, {"site": groups}))
        ]
        assert_array_equal(*scores)
        with pytest.raises(TypeError, match="groups"):
            cross_val_score(model, X, few, cv=SemiSupervisedSplit(3), params={"groups": groups})
    assert not hasattr(SemiSupervisedSplit(), "set_split_request")


def test_splitter_is_cloned_shown_and_set():
    cv = SemiSupervisedSplit(KFold(4, shuffle=True, random_state=1), unlabeled="?")
    copy = clone(cv)
    assert repr(copy) == repr(cv)
    assert repr(cv).startswith("SemiSupervisedSplit(cv=KFold(n_splits=4")
    assert "unlabeled='?'" in repr(cv)
    assert copy.cv is not cv.cv
    search = GridSearchCV(LabeledOnly(DummyClassifier()), {}, cv=cv)
    assert clone(search).set_params(cv__unlabeled=0).cv.unlabeled == 0
    assert "SemiSupervisedSplit" in search._repr_html_()


# ------------------------------------------------------------ scikit-learn's own pieces, searches
def test_agrees_with_self_training_and_predefined_split(data):
    X, _, few = data
    fold = np.full(N_ROWS, -1)
    for k, (_, test) in enumerate(KFold(4).split(LABELED)):
        fold[np.flatnonzero(IS_LABELED)[test]] = k
    theirs, ours = PredefinedSplit(fold), SemiSupervisedSplit(KFold(4))
    assert parts(ours, X, few) == [(a.tolist(), b.tolist()) for a, b in theirs.split()]
    # Rows that reach the last step, in each of the folds.
    grid = {"last__estimator__max_depth": [1, 2], "pca__n_components": [2, 5]}
    results = []
    for last, cv in (
        (SelfTrainingClassifier(xgb(), max_iter=0), theirs),
        (LabeledOnly(xgb()), ours),
    ):
        pipe = Pipeline([("scale", StandardScaler()), ("pca", PCA(random_state=0)), ("last", last)])
        search = GridSearchCV(pipe, grid, cv=cv, error_score="raise").fit(X, few)
        results.append((search, search.predict_proba(X)))
    (expected, expected_proba), (found, found_proba) = results
    assert len(set(expected.cv_results_["mean_test_score"])) > 1
    for k in range(4):
        name = f"split{k}_test_score"
        assert_array_equal(found.cv_results_[name], expected.cv_results_[name])
    assert found.best_params_ == expected.best_params_
    assert_array_equal(found_proba, expected_proba)


def by_hand(X, y, transformer, last, folds=3):
    """Scores of a transformer fitted on all training rows, a last step on the labeled ones."""
    labeled, hidden = np.flatnonzero(IS_LABELED), np.flatnonzero(~IS_LABELED)
    scores = []
    for a, b in StratifiedKFold(folds).split(labeled, y[labeled]):
        step = clone(transformer).fit(X[np.sort(np.r_[labeled[a], hidden])])
        fitted = clone(last).fit(step.transform(X[labeled[a]]), y[labeled[a]])
        scores.append(np.mean(fitted.predict(step.transform(X[labeled[b]])) == y[labeled[b]]))
    return scores


def steps(last, container="default"):
    pca = PCA(3, random_state=0).set_output(transform=container)
    return Pipeline([("pca", pca), ("clf", LabeledOnly(last))])


@pytest.mark.parametrize("container", ["default", "pandas", "polars"])
def test_cross_val_score(data, routing, container):
    X, y, few = data
    expected = by_hand(X, y, PCA(3, random_state=0), xgb())
    given = X if container == "default" else CONTAINERS[container](X)
    pipe = steps(xgb(), container if container == "pandas" else "default")
    scores = cross_val_score(pipe, given, few, cv=SemiSupervisedSplit(3), error_score="raise")
    assert_array_equal(scores, expected)


@pytest.mark.parametrize("scoring", [None, "accuracy"])
@pytest.mark.parametrize(
    "names",
    [
        pytest.param(lambda y: ["abc"[v] if v >= 0 else -1 for v in y], id="C5-C12-list"),
        pytest.param(
            lambda y: np.array([None if v < 0 else "abc"[v] for v in y], dtype=object),
            id="C5-C12-none",
        ),
        pytest.param(
            lambda y: pd.Series([pd.NA if v < 0 else "abc"[v] for v in y], index=y, dtype="string"),
            id="C5-C12-pandas",
        ),
    ],
)
def test_string_labels(data, names, scoring):
    X, y, few = data
    expected = by_hand(X, y, PCA(3, random_state=0), LogisticRegression())
    pipe = steps(LogisticRegression())
    scores = cross_val_score(
        pipe, X, names(few), cv=SemiSupervisedSplit(3), scoring=scoring, error_score="raise"
    )
    assert_allclose(scores, expected)
    assert pipe.fit(X, names(few)).classes_.tolist() == ["a", "b", "c"]


def test_grid_search(data, routing):
    X, y, few = data
    search = GridSearchCV(
        steps(xgb()),
        {"pca__n_components": [1, 3], "clf__estimator__max_depth": [1, 3]},
        cv=SemiSupervisedSplit(3),
        scoring=["accuracy", "roc_auc_ovr"],
        refit="accuracy",
        error_score="raise",
    ).fit(X, few)
    expected = [
        np.mean(by_hand(X, y, PCA(k, random_state=0), xgb().set_params(max_depth=depth)))
        for depth in (1, 3)
        for k in (1, 3)
    ]
    assert_allclose(search.cv_results_["mean_test_accuracy"], expected)
    assert len(set(expected)) > 1
    assert np.isfinite(search.cv_results_["mean_test_roc_auc_ovr"]).all()
    assert search.classes_.tolist() == [0, 1, 2]


def test_randomized_search(data, routing):
    X, y, few = data
    search = RandomizedSearchCV(
        steps(xgb()),
        {"pca__n_components": [1, 2, 3, 4, 5]},
        n_iter=2,
        cv=SemiSupervisedSplit(3),
        random_state=0,
        error_score="raise",
    ).fit(X, few)
    for params, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        pca = PCA(params["pca__n_components"], random_state=0)
        assert score == pytest.approx(np.mean(by_hand(X, y, pca, xgb())))


def test_halving_search_over_the_last_steps_trees(data, routing):
    X, y, few = data
    search = HalvingGridSearchCV(
        steps(xgb()),
        {"clf__estimator__max_depth": [1, 2, 3]},
        resource="clf__estimator__n_estimators",
        min_resources=2,
        max_resources=6,
        factor=3,
        cv=SemiSupervisedSplit(StratifiedKFold(3, shuffle=True, random_state=0)),
        error_score="raise",
    ).fit(X, few)
    assert search.n_resources_ == [2, 6]
    # Every round has all rows: that of the second differs by its trees only.
    best = search.best_estimator_
    assert best.get_params()["clf__estimator__n_estimators"] == 6
    codes = PCA(3, random_state=0).fit_transform(X)
    depth = search.best_params_["clf__estimator__max_depth"]
    expected = xgb().set_params(n_estimators=6, max_depth=depth)
    expected.fit(codes[IS_LABELED], y[IS_LABELED])
    assert_array_equal(best.predict_proba(X), expected.predict_proba(codes))


def test_halving_search_refuses_folds_that_change(data):
    X, _, few = data
    search = HalvingGridSearchCV(
        steps(xgb()),
        {"pca__n_components": [1, 2]},
        resource="clf__estimator__n_estimators",
        max_resources=6,
        cv=SemiSupervisedSplit(KFold(3, shuffle=True)),
    )
    with pytest.raises(ValueError, match="must yield consistent folds"):
        search.fit(X, few)


def test_folds_are_known_to_be_constant_or_not():
    assert SemiSupervisedSplit(KFold(3)).shuffle is False
    assert SemiSupervisedSplit(KFold(3, shuffle=True, random_state=4)).random_state == 4
    # scikit-learn looks whether a splitter has them.
    assert not hasattr(SemiSupervisedSplit(3), "shuffle")
    assert not hasattr(SemiSupervisedSplit(LeaveOneOut()), "random_state")


def test_nested_search(data, routing):
    X, y, few = data
    search = GridSearchCV(
        steps(xgb()), {"pca__n_components": [1, 4]}, cv=SemiSupervisedSplit(2), error_score="raise"
    )
    scores = cross_val_score(search, X, few, cv=SemiSupervisedSplit(3), error_score="raise")
    labeled, expected = np.flatnonzero(IS_LABELED), []
    for a, b in StratifiedKFold(3).split(labeled, y[labeled]):
        rows = np.setdiff1d(np.arange(N_ROWS), labeled[b])
        best = clone(search).fit(X[rows], few[rows]).best_params_["pca__n_components"]
        pca = PCA(best, random_state=0).fit(X[rows])
        last = xgb().fit(pca.transform(X[labeled[a]]), y[labeled[a]])
        expected.append(np.mean(last.predict(pca.transform(X[labeled[b]])) == y[labeled[b]]))
    assert_allclose(scores, expected)


@pytest.mark.parametrize("container", ["default", "pandas", "C3-pandas-shuffled-index", "polars"])
def test_C3_union_of_raw_features_and_codes(data, routing, container):
    X, y, few = data
    union = make_union(StandardScaler(), PCA(3, random_state=0))
    last = RidgeClassifier()
    expected = by_hand(X, y, clone(union), last)
    given = X if container == "default" else CONTAINERS[container](X)
    if "pandas" in container:
        union.set_output(transform="pandas")
    pipe = make_pipeline(union, LabeledOnly(last))
    scores = cross_val_score(pipe, given, few, cv=SemiSupervisedSplit(3), error_score="raise")
    assert_allclose(scores, expected)
    pipe.fit(given, few)
    assert pipe[-1].n_features_in_ == 11
    if "pandas" in container:
        assert_array_equal(
            pipe[-1].feature_names_in_,
            [f"standardscaler__{name}" for name in given.columns]
            + [f"pca__pca{i}" for i in range(3)],
        )


# ------------------------------------------------------------------------------ documented limits
def test_C12_scorers_of_numbers_in_an_object_array(data):
    X, _, few = data
    model, cv = LabeledOnly(LinearDiscriminantAnalysis()), SemiSupervisedSplit(3)
    expected = cross_val_score(model, X, few, cv=cv, scoring="accuracy", error_score="raise")
    objects = np.array([None if v < 0 else v for v in few], dtype=object)
    assert_array_equal(cross_val_score(model, X, objects, cv=cv, error_score="raise"), expected)
    for typed in (np.where(few < 0, NAN, few), pd.Series(objects).astype("Int64")):
        scores = cross_val_score(model, X, typed, cv=cv, scoring="accuracy", error_score="raise")
        assert_array_equal(scores, expected)
    model.fit(X, objects)
    with pytest.raises(ValueError, match="unknown"):
        get_scorer("accuracy")(model, X[IS_LABELED], objects[IS_LABELED])


def test_what_needs_a_partition_refuses(data):
    X, _, few = data
    cv, target = SemiSupervisedSplit(3), np.where(IS_LABELED, X[:, 0], NAN)
    with pytest.raises(ValueError, match="only works for partitions"):
        cross_val_predict(LabeledOnly(LogisticRegression()), X, few, cv=cv)
    with pytest.raises(ValueError, match="only works for partitions"):
        StackingRegressor([("a", LabeledOnly(Ridge()))], cv=cv).fit(X, target)
    stack = StackingClassifier([("a", LabeledOnly(GaussianNB()))], cv=cv)
    # It has made 0, 1, 2, 3 of -1, 0, 1, 2 before it splits.
    with pytest.warns(UserWarning, match="as StackingClassifier does"):
        stack.fit(X, few)
    assert -1 in stack.classes_
    with pytest.raises(ValueError, match="Unknown label type"):
        stack.fit(X, np.array([None if v < 0 else v for v in few], dtype=object))
    # Told what the marker has become, it refuses too.
    stack.set_params(cv__unlabeled=0, a__unlabeled=0)
    with pytest.raises(ValueError, match="only works for partitions"):
        stack.fit(X, few)
