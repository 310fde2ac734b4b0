"""Columns for trees, and the vote of trees on them and of linear models on codes and columns."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier, XGBRegressor

from sklearn_ae import DenoisingAutoencoder, NativeColumns, TableFeatures, make_table_vote
from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit

N = 240


def table(container="pandas"):
    rng = np.random.RandomState(0)
    size = rng.lognormal(size=N)
    frame = {
        "size": np.where(rng.rand(N) < 0.1, np.nan, size),
        "city": [None if u < 0.1 else "Oslo" if u < 0.5 else "Rome" for u in rng.rand(N)],
        "day": np.datetime64("2020-01-01") + rng.randint(0, 100, N),
        "open": rng.rand(N) < 0.5,
    }
    target = size + (np.array(frame["city"]) == "Oslo") > 1.5
    labels = np.where(target, "large", "small").astype(object)
    labels[N // 2 :] = None
    return (pd.DataFrame if container == "pandas" else pl.DataFrame)(frame), labels


def codes(**params):
    return TableFeatures(DenoisingAutoencoder(8, corruption="swap", max_epochs=5), **params)


TREES = {
    "xgboost": XGBClassifier(n_estimators=10, n_jobs=1),
    "hist": HistGradientBoostingClassifier(max_iter=10),
}


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_columns_keep_their_values_in_the_types_that_trees_take(container):
    X, _ = table(container)
    native = NativeColumns().fit_transform(X)
    assert [dtype.kind for dtype in native.dtypes] == ["f", "O", "f", "O"]
    assert_array_equal(native["size"], table()[0]["size"])
    assert_array_equal(native["city"].isna(), table()[0]["city"].isna())
    assert native["city"].dropna().tolist() == table()[0]["city"].dropna().tolist()
    days = native["day"].diff().dropna() / (24 * 3600 * 1e6)
    assert_array_equal(days, table()[0]["day"].diff().dropna().dt.days)
    assert native["open"].cat.categories.tolist() == ["False", "True"]


def test_columns_without_a_value_stay_empty():
    for empty in (np.nan, None):
        X = pd.DataFrame({"a": [empty] * 3, "b": [1, 2, 3]})
        native = NativeColumns().fit(X)
        assert native.transform(X.assign(a="text"))["a"].isna().all()
        assert native.transform(X)["a"].dtype == float


def test_columns_of_later_tables_have_the_categories_of_fit():
    X, _ = table()
    later = X.iloc[:3].assign(city=["Lima", "Rome", None], open=None)
    native = NativeColumns().fit(X).transform(later)
    assert native["city"].isna().tolist() == [True, False, True]
    assert (native.dtypes == NativeColumns().fit_transform(X).dtypes).all()
    with pytest.raises(ValueError, match="'size' of X held numbers in fit"):
        NativeColumns().fit(X).transform(X.assign(size="large"))
    many = pd.DataFrame({"id": [f"row {k // 2}" for k in range(600)] + ["most"] * 3})
    native = NativeColumns().fit(many)
    assert len(native.categories_[0]) == 254
    assert "most" in native.categories_[0]
    HistGradientBoostingClassifier().fit(native.transform(many), np.arange(603) % 2)


@pytest.mark.parametrize("container", ["pandas", "polars"])
@pytest.mark.parametrize("trees", TREES)
def test_it_is_the_mean_of_its_members(trees, container):
    X, y = table(container)
    features, trees = codes(random_state=0), TREES[trees]
    vote = make_table_vote(trees, features).fit(X, y)
    labeled, rest = slice(N // 2), slice(N // 2, None)
    native = NativeColumns().fit_transform(X)
    if isinstance(trees, XGBClassifier):
        trees = clone(trees).set_params(enable_categorical=True)
    expected = LabeledOnly(trees).fit(native, y).predict_proba(native[rest])
    guesses, likelihoods = [], []
    for made in (features, TableFeatures("passthrough")):
        Z = pd.DataFrame(clone(made).fit_transform(X))
        linear = clone(vote["vote"].estimator.named_estimators["codes"]["model"])
        linear = make_pipeline(StandardScaler(), linear).fit(Z[labeled], y[labeled])
        guesses.append(linear.predict_proba(Z[rest]))
        likelihoods.append(linear[-1].best_score_)
    weights = np.exp(10 * (np.array(likelihoods) - max(likelihoods)))
    assert weights.min() < 0.99
    expected = (expected + np.tensordot(weights, guesses, 1)) / (1 + weights.sum())
    assert_allclose(vote.predict_proba(X[rest]), expected, atol=1e-5)
    assert_array_equal(vote.classes_, ["large", "small"])
    assert set(vote.predict(X)) == {"large", "small"}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.parametrize("n_rare", [1, 2, 3])
def test_a_class_may_have_a_few_labels_only(n_rare):
    X, _ = table()
    y = np.full(N, None, dtype=object)
    y[:40], y[:n_rare] = "often", "seldom"
    proba = make_table_vote(TREES["xgboost"], codes()).fit(X, y).predict_proba(X)
    assert np.isfinite(proba).all()
    # No class has a row for each of five folds.
    y[:40] = [f"class {k % 16}" for k in range(40)]
    proba = make_table_vote(TREES["xgboost"], codes()).fit(X, y).predict_proba(X)
    assert proba.shape == (N, 16)


def test_parts_are_set_and_searched_by_name():
    X, y = table()
    vote = make_table_vote(TREES["xgboost"], codes(), columns=False, weights=[2, 1])
    grid = {
        "vote__estimator__trees__model__max_depth": [2],
        "vote__estimator__weights": [[1, 1], [3, 1]],
        "features__codes__autoencoder__n_components": [4],
    }
    search = GridSearchCV(vote, grid, cv=SemiSupervisedSplit(3)).fit(X, y)
    best = search.best_estimator_
    assert best["vote"].estimator_.estimators_[0]["model"].max_depth == 2
    assert len(best["vote"].estimator_.estimators_) == 2
    assert best["features"].named_transformers_["codes"].autoencoder_.n_components == 4
    assert search.best_score_ > 0.7


def test_the_vote_does_without_codes():
    X, y = table()
    vote = make_table_vote(TREES["hist"], codes())
    vote.set_params(features__codes="drop", vote__estimator__codes="drop").fit(X, y)
    assert len(vote.named_steps["vote"].estimator_.estimators_) == 2
    assert_allclose(vote.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_handful_of_labels_is_enough(n):
    X, y = table()
    few = np.full(len(y), None)
    for label in ("large", "small"):
        few[np.flatnonzero(y == label)[: n // 2]] = label
    few[np.flatnonzero(y == "small")[n - n // 2 - 1]] = "small"
    assert (few != None).sum() == n  # noqa: E711
    vote = make_table_vote(TREES["xgboost"], codes(random_state=0)).fit(X, few)
    assert vote.classes_.tolist() == ["large", "small"]


def test_searches_of_trees_get_categories_and_members_need_probabilities():
    X, y = table()
    search = GridSearchCV(XGBClassifier(n_estimators=3, n_jobs=1), {"max_depth": [1, 2]}, cv=2)
    make_table_vote(search, codes()).fit(X, y)
    assert not search.estimator.enable_categorical
    with pytest.raises(TypeError, match=r"linear=RidgeClassifier\(\) must have predict_proba"):
        make_table_vote(TREES["hist"], linear=RidgeClassifier())
    with pytest.raises(TypeError, match=r"trees=RidgeClassifier\(\) must have predict_proba"):
        make_table_vote(RidgeClassifier())


def test_one_class_is_refused_before_any_search():
    X, y = table()
    with pytest.raises(ValueError, match="one class; a vote needs two"):
        make_table_vote(TREES["hist"], codes()).fit(X, np.where(y == "large", y, None))


def test_a_regressor_votes_by_the_mean():
    X, _ = table()
    y = X["size"].fillna(1.0).to_numpy().copy()
    y[N // 2 :] = np.nan
    for trees in (XGBRegressor(n_estimators=10, n_jobs=1), HistGradientBoostingRegressor()):
        vote = make_table_vote(trees, codes(random_state=0))
        assert cross_val_score(vote, X, y, cv=SemiSupervisedSplit(3)).mean() > 0.3


def test_what_neither_classifies_nor_regresses_is_refused():
    with pytest.raises(TypeError, match=r"trees=KMeans\(\) must be a classifier or a regressor"):
        make_table_vote(KMeans())
