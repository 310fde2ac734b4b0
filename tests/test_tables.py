"""Table features: frames of all types in, codes out, and back; gaps are not learned."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm, rankdata
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, scale

from sklearn_ae import (
    Autoencoder,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    NativeColumns,
    SparseAutoencoder,
    TableFeatures,
)
from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit

N = 90
NOON = datetime.datetime(2020, 1, 1, 12)
VALUES = {
    "number": [1.5, None, -3.0],
    "text": ["a", None, ""],
    "flag": [True, None, False],
    "date": [NOON, None, datetime.datetime(2021, 6, 1)],
    "length": [datetime.timedelta(1), None, datetime.timedelta(2)],
    "day": [datetime.date(2020, 1, 1), None, datetime.date(2021, 6, 1)],
    "empty": [None] * 3,
    "constant": [7.0] * 3,
    "word": ["same"] * 3,
}


class Watching(DenoisingAutoencoder):
    """Keeps the rows that it is fitted on."""

    def fit(self, X, y=None):
        self.rows_ = X
        return super().fit(X)


def in_pandas():
    X = pd.DataFrame({name: pd.Series(values * 30) for name, values in VALUES.items()})
    zone = X["date"].dt.tz_localize("Europe/Oslo")
    return X.assign(
        float32=X["number"].astype("float32"),
        nullable=pd.array([1, None, 3] * 30, dtype="Int64"),
        boolean=X["flag"].astype("boolean"),
        category=X["text"].astype("category"),
        numbered=pd.Categorical([1, None, 3] * 30),
        zone=zone,
        nanoseconds=X["date"].astype("datetime64[ns]"),
        whole=[1, 2, 3] * 30,
        id=[f"row {k}" for k in range(N)],
    ).set_index("id", drop=False)


def in_polars():
    X = pl.DataFrame({name: values * 30 for name, values in VALUES.items()}, strict=False)
    return X.with_columns(
        nan=pl.Series([1.0, float("nan"), None] * 30),
        int8=pl.Series([1, None, 3] * 30, dtype=pl.Int8),
        category=pl.col("text").cast(pl.Categorical),
        enum=pl.col("text").cast(pl.Enum(["a", ""])),
        zone=pl.col("date").dt.replace_time_zone("Europe/Oslo"),
    )


def in_numpy():
    return np.array([VALUES["number"] * 30, VALUES["text"] * 30], dtype=object).T


def small(n_components=8, **params):
    settings = {"corruption": "swap", "corruption_level": 0.1, "max_epochs": 30, **params}
    return DenoisingAutoencoder(n_components, **settings)


def as_objects(X):
    if isinstance(X, pd.DataFrame):
        X = X.astype(object).to_numpy()
    return np.array(X.rows() if isinstance(X, pl.DataFrame) else X.tolist(), dtype=object)


def types_of(X):
    return X.dtype if isinstance(X, np.ndarray) else dict(zip(X.columns, X.dtypes, strict=True))


def is_gap(X):
    return pd.isna(as_objects(X))


@pytest.mark.parametrize("make", [in_pandas, in_polars, in_numpy])
def test_any_table_becomes_codes_and_comes_back_in_its_own_types(make):
    X, before = make(), make()
    tables = TableFeatures(small(), random_state=0).fit(X)
    assert np.isfinite(tables.transform(X)).all()
    known = ~is_gap(X)
    has_values = known.any(axis=0)
    for method in (tables.reconstruct, tables.impute):
        made = method(X)
        assert type(made) is type(X)
        assert types_of(made) == types_of(X)
        if isinstance(X, pd.DataFrame):
            pd.testing.assert_index_equal(made.index, X.index)
        values = as_objects(made)
        assert_array_equal(is_gap(made), np.broadcast_to(~has_values, values.shape))
    assert_array_equal(values[known], as_objects(X)[known])
    assert str(X) == str(before)
    assert_array_equal(clone(tables).fit(X).transform(X), tables.transform(X))


def test_numbers_become_normal_scores_categories_columns_and_gaps_marks():
    rng = np.random.RandomState(0)
    X = pd.DataFrame({"size": rng.lognormal(size=N), "age": rng.lognormal(size=N)})
    X["city"] = rng.choice(["Oslo", "Rome"], N)
    X.loc[:4, "age"] = np.nan
    X.loc[5:9, "city"] = None
    X.loc[10:12, "city"] = ["Bern", "Kyiv", "Lima"]
    tables = TableFeatures(Watching(3, max_epochs=1)).fit(X)
    Z, left_out = tables.vectorizer_.transform(X), tables.autoencoder_.rows_.mask
    assert_allclose(Z[:, 0], scale(norm.ppf((rankdata(X["size"]) - 0.5) / N)), atol=1e-12)
    assert_allclose(Z[:5, 1], Z[5:, 1].mean(), atol=1e-12)
    assert_array_equal(Z[:, 2], X["age"].isna())
    places = X["city"].replace(["Bern", "Kyiv", "Lima"], "rare").fillna("gap")
    assert_array_equal(Z[:, 3:], pd.get_dummies(places)[["Oslo", "Rome", "rare", "gap"]])
    expected = np.zeros(Z.shape, bool)
    expected[:5, 1] = expected[5:10, [3]] = expected[5:10, [4]] = expected[5:10, [5]] = True
    assert_array_equal(left_out, expected)


def test_passthrough_gives_the_columns_as_numbers_and_their_names():
    X = in_pandas()[["number", "text", "constant"]]
    columns = TableFeatures("passthrough").set_output(transform="pandas").fit(X)
    rows = columns.transform(X)
    assert_array_equal(rows, TableFeatures(small(), random_state=0).fit(X).vectorizer_.transform(X))
    assert list(rows) == list(columns.get_feature_names_out())
    assert {name.split("_")[0] for name in rows} >= {"number", "text", "missingindicator"}
    number = X["number"].fillna(X["number"].median())
    assert_allclose(columns.impute(X)["number"], number)
    X.loc[X.index[:3], "text"] = "a"
    assert columns.fit(X).impute(X)["text"].tolist() == X["text"].fillna("a").tolist()


def test_what_becomes_of_a_column_is_swapped_together():
    X = in_pandas()[["number", "text", "category", "constant"]]
    tables = TableFeatures(small()).fit(X)
    Z = torch.from_numpy(tables.vectorizer_.transform(X))
    swap = tables.autoencoder_.net_.recipe.corruption
    swapped = swap(Z, 0.5, torch.Generator().manual_seed(0))
    assert (swapped != Z).any(dim=1).float().mean() > 0.5
    for group in ([0, 1], [2, 3, 4], [5, 6, 7]):
        seen = {tuple(row) for row in Z[:, group].tolist()}
        assert len(seen) == 3
        assert {tuple(row) for row in swapped[:, group].tolist()} == seen


def test_equal_numbers_share_the_middle_of_their_ranks():
    X = np.repeat([0.0, 1.0, 5.0, 6.0, np.nan], [60, 10, 19, 1, 10])[:, None]
    scores = TableFeatures("passthrough").fit_transform(X)
    expected = np.repeat(norm.ppf([30 / 90, 65 / 90, 79.5 / 90, 89.5 / 90]), [60, 10, 19, 1])
    assert_allclose(scores[:90, 0], scale(expected), atol=1e-12)
    # What is in between or beyond.
    tables = TableFeatures("passthrough").fit(X)
    new = tables.transform([[0.5], [-9.0], [9.0], [np.nan]])
    middle = (scores[0] + scores[60]) / 2
    assert_allclose(new, [middle, scores[0], scores[89], scores[90]], atol=1e-12)
    assert_allclose(tables.reconstruct(X)[:90], X[:90], atol=1e-12)
    # Of many values a thousand are kept.
    many = np.random.RandomState(0).lognormal(size=(5000, 1))
    tables.fit(many)
    expected = scale(norm.ppf((rankdata(many) - 0.5) / 5000))
    assert_allclose(tables.transform(many)[:, 0], expected, atol=0.007)
    assert_allclose(tables.reconstruct(many), many, rtol=1e-9)


def test_what_becomes_of_a_column_is_taken_away_together():
    X = in_pandas()[["number", "text", "category", "constant"]]
    tables = TableFeatures(small(corruption="gaps")).fit(X)
    gaps = tables.autoencoder_.corruption
    assert gaps.groups == [[0, 1], [2, 3, 4], [5, 6, 7], [8]]
    nothing = X[:1].assign(number=np.nan, text=None, category=None, constant=np.nan)
    assert_array_equal(tables.vectorizer_.transform(nothing), [gaps.fill])
    numbers = make_column_transformer((StandardScaler(), ["constant"]))
    tables = TableFeatures(small(corruption="gaps"), vectorizer=numbers).fit(X)
    assert tables.autoencoder_.corruption.groups == [[0]]
    assert tables.autoencoder_.corruption.fill is None


@pytest.mark.parametrize("params", [{}, {"loss": "huber"}, {"early_stopping": True}], ids=str)
def test_what_is_masked_is_left_out_of_the_loss(params, X):
    masked = np.ma.array(X, mask=np.random.RandomState(1).uniform(size=X.shape) < 0.3)
    masked[:, 2] = np.ma.masked
    still = {"learning_rate": 1e-12, "max_epochs": 1, "batch_size": 7, "random_state": 0}
    ae = Autoencoder(6, **still, **params).fit(masked)
    errors = np.ma.array(ae.reconstruct(X), mask=masked.mask) - masked
    losses = 0.5 * errors**2
    if "loss" in params:
        losses = np.ma.where(np.abs(errors) < 1, losses, np.abs(errors) - 0.5)
    losses = losses.sum(axis=1).filled(0)
    train = held_out = ae.loss_curve_[0]
    if "early_stopping" in params:
        held_out = ae.validation_loss_curve_[0]
    assert_allclose(0.9 * train + 0.1 * held_out, losses.mean(), rtol=1e-5)


def test_gaps_are_filled_from_what_goes_with_them():
    rng = np.random.RandomState(0)
    size = rng.choice([-1, 1], 300) + 0.3 * rng.normal(size=300)
    X = pd.DataFrame({"size": size, "weight": np.exp(size), "side": np.where(size > 0, "r", "l")})
    hidden = X.copy()
    hidden.loc[:39, "weight"], hidden.loc[40:79, "side"] = np.nan, None
    ae = small(32, max_epochs=150, corruption_level=0.2)
    filled = TableFeatures(ae, random_state=0).fit(hidden).impute(hidden)
    assert (filled["side"] == X["side"])[40:80].mean() > 0.7
    errors = np.log(filled["weight"][:40]) - size[:40]
    assert errors.std() < 0.4 * size[:40].std()


def test_what_was_not_seen_in_fit_gives_finite_codes():
    X = in_pandas()
    tables = TableFeatures(small()).fit(X)
    new = X[:3].assign(
        text=["new", "b", None], number=1e30, constant=[1.0, np.nan, 8.0], empty=[1, "x", None],
        whole=np.nan,
    )  # fmt: skip
    assert np.isfinite(tables.transform(new)).all()
    assert_array_equal(tables.impute(new)["text"], ["new", "b", tables.impute(new)["text"].iloc[2]])


def empty_columns(library):
    """Yield columns of three gaps in types that hold no text, or not this one."""
    if library is pd:
        for dtype in ("float64", "Int64", "boolean", "datetime64[ns]", "string", object):
            yield pd.Series([None] * 3, dtype=dtype)
        yield pd.Series(pd.Categorical([None] * 3, categories=["c"]))
    else:
        for dtype in (pl.Float64, pl.Null, pl.Boolean, pl.String, pl.Enum(["c"])):
            yield pl.Series([None] * 3, dtype=dtype)


@pytest.mark.parametrize("library", [pd, pl])
def test_a_batch_whose_text_is_all_missing_is_filled_whatever_its_type(library):
    X = library.DataFrame({"text": ["long", "b", "b"] * 20, "number": range(60)})
    tables = TableFeatures(small(max_epochs=2), random_state=0).fit(X)
    for column in empty_columns(library):
        batch = library.DataFrame({"text": column, "number": [1, 2, 3]})
        filled = tables.impute(batch)
        assert {*filled["text"]} <= {"long", "b"}
        assert filled["number"].to_list() == [1, 2, 3]


@pytest.mark.parametrize("library", [pd, pl])
@pytest.mark.parametrize("kind", ["dates", "durations", "numbers"])
def test_a_batch_whose_dates_or_numbers_are_all_missing_is_filled(library, kind):
    days = pd.date_range("2020-01-02", periods=60)
    values = {"dates": days, "durations": days - days[0], "numbers": np.arange(60.0)}[kind]
    X = library.DataFrame({"column": values, "number": range(60)})
    tables = TableFeatures(small(max_epochs=2), random_state=0).fit(X)
    for column in empty_columns(library):
        batch = library.DataFrame({"column": column, "number": [1, 2, 3]})
        for filled in (tables.impute(batch), tables.reconstruct(batch)):
            for value in filled["column"].to_list():
                assert min(values) <= value <= max(values)


@pytest.mark.parametrize("library", [pd, pl])
def test_whole_numbers_that_a_batch_is_too_narrow_for(library):
    X = library.DataFrame({"large": range(1000, 1060), "small": range(60)})
    tables = TableFeatures(small(max_epochs=2), random_state=0).fit(X)
    columns = [library.Series([1, 2], dtype=library.Int8 if library is pl else np.int8)]
    if library is pd:
        columns += [pd.Series([1, None], dtype="Int8"), pd.Series([1, 2], dtype="int8[pyarrow]")]
    for column in columns:
        batch = library.DataFrame({"large": column, "small": column})
        found = tables.reconstruct(batch)
        assert all(1000 <= value <= 1060 for value in found["large"].to_list())
        assert found["small"].dtype == column.dtype


def test_arrays_of_text_come_back_untruncated():
    X = np.array([["b", "long"], ["b", "long"], ["a", "s"]] * 20)
    tables = TableFeatures(small(max_epochs=30), random_state=0).fit(X)
    found = tables.reconstruct(np.array([["b", "s"], ["b", "l"]]))
    assert found.dtype.kind == "U"
    assert set(found[:, 1]) <= {"long", "s"}
    assert_array_equal(tables.impute(np.full((1, 2), np.nan)), [["b", "long"]])
    flags = X == "b"
    assert TableFeatures(small(max_epochs=1)).fit(flags).reconstruct(flags).dtype == bool


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_global_choice_of_frames_reaches_the_codes_alone(library):
    X = in_pandas()[["number", "text"]]
    expected = TableFeatures(small(), random_state=0).fit(X).transform(X)
    with config_context(transform_output=library):
        tables = TableFeatures(small(), random_state=0).fit(X)
        codes = tables.transform(X)
        assert type(codes).__module__.startswith(library)
        assert_array_equal(codes, expected)
        assert isinstance(tables.impute(X), pd.DataFrame)


def test_a_category_is_read_as_one_whatever_else_a_batch_holds():
    X = pd.DataFrame({"mixed": pd.Series([1, "a", 2, "b"] * 10, dtype=object)})
    tables, native = TableFeatures(small(max_epochs=1)).fit(X), NativeColumns().fit(X)
    assert_array_equal(tables.transform(X.iloc[:1]), tables.transform(X)[:1])
    assert native.transform(X.iloc[:1])["mixed"].tolist() == ["1"]
    X = pd.DataFrame({"code": pd.Categorical([1, 2] * 20)})
    numbers = pd.DataFrame({"code": [1.0, np.nan]})
    rows = TableFeatures("passthrough").fit(X).transform(numbers)
    assert rows.tolist() == [[1, 0], [0, 0]]
    assert NativeColumns().fit(X).transform(numbers)["code"].tolist()[0] == "1"


def test_dates_with_a_time_zone_come_back_in_it():
    days = pd.date_range("2020", periods=39, tz="Europe/Oslo")
    for column in (
        pd.Series([*days.to_pydatetime(), None], dtype=object),
        pd.Series([*days, None]),
        pd.Series([*days, None]).astype("timestamp[ns, tz=Europe/Oslo][pyarrow]"),
    ):
        X = pd.DataFrame({"day": column})
        filled = TableFeatures(small(max_epochs=1)).fit(X).impute(X)["day"]
        assert filled.dtype == column.dtype
        assert (filled[:39] == column[:39]).all()
        assert filled[39].utcoffset() == datetime.timedelta(hours=1)


@pytest.mark.parametrize("library", [pd, pl])
@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"])
def test_dates_in_text_are_dates_and_come_back_as_text(library, form):
    days = pd.date_range("2020-01-02", periods=60, freq="30h")
    text = [None if k % 7 == 0 else day.strftime(form) for k, day in enumerate(days)]
    X = library.DataFrame({"day": text, "number": range(60)})
    dates = pd.DataFrame({"day": pd.to_datetime(pd.Series(text)), "number": range(60)})
    ae = small(max_epochs=2)
    tables = TableFeatures(ae, random_state=0).fit(X)
    same = TableFeatures(ae, random_state=0).fit(dates)
    assert_array_equal(tables.transform(X), same.transform(dates))
    filled = tables.impute(X)["day"].to_list()
    assert [day for k, day in enumerate(filled) if k % 7] == [day for day in text if day]
    assert all(len(day) == len(text[1]) and pd.Timestamp(day) for day in filled)
    assert_array_equal(
        NativeColumns().fit_transform(X)["day"], NativeColumns().fit_transform(dates)["day"]
    )
    # What is no day later is a gap, and stays.
    none = library.DataFrame({"day": ["2020-02-30", "soon"], "number": [1, 2]})
    gaps = library.DataFrame({"day": [None, None], "number": [1, 2]}, **text_schema(library))
    assert_array_equal(tables.transform(none), tables.transform(gaps))
    assert tables.impute(none)["day"].to_list() == ["2020-02-30", "soon"]
    blank = tables.impute(gaps)["day"]
    assert blank.dtype == gaps["day"].dtype
    assert all(len(day) == len(text[1]) for day in blank.to_list())


def text_schema(library):
    return {} if library is pd else {"schema_overrides": {"day": pl.String}}


def test_text_of_dates_that_are_none_or_differ_in_form():
    # One that is none in fit makes all of them text.
    X = pd.DataFrame({"a": ["2020-02-30", "2020-01-01"] * 5})
    names = TableFeatures("passthrough").fit(X).get_feature_names_out()
    assert names.tolist() == ["a_2020-01-01", "a_2020-02-30"]
    # The longest decides.
    X = pd.DataFrame({"a": ["2020-01-01", *["2020-01-02 12:30"] * 20]})
    found = TableFeatures(small(max_epochs=1)).fit(X).reconstruct(X)["a"]
    assert found.str.len().eq(16).all()
    # Categories stay categories.
    for column in (
        pd.Series(["2020-01-01", "2020-01-02"] * 9, dtype="category"),
        pl.Series(["2020-01-01", "2020-01-02"] * 9, dtype=pl.Categorical),
    ):
        rows = TableFeatures("passthrough").fit_transform(type(column)(column).to_frame())
        assert rows[:2].tolist() == [[1, 0], [0, 1]]
    text = np.array([["2020-01-01", "b"], ["2020-01-03", "a"]] * 9)
    found = TableFeatures(small(max_epochs=1)).fit(text).reconstruct(text)
    assert found.dtype.kind == "U"
    assert all(pd.Timestamp(str(day)).year in (2019, 2020) for day in found[:, 0])


def test_no_two_outputs_share_a_name():
    X = pd.DataFrame({"a": ["b_c", "d"] * 20, "a_b": ["c", "e"] * 20})
    names = TableFeatures("passthrough").fit(X).get_feature_names_out()
    assert names.tolist() == ["a_b_c", "a_d", "a_b_c_", "a_b_e"]


@pytest.mark.parametrize("cls", [SparseAutoencoder, DropoutAutoencoder, Autoencoder])
def test_each_autoencoder_learns_from_tables(cls):
    X = in_pandas()
    ae = cls(3, max_epochs=2, random_state=0)
    plain = TableFeatures("passthrough").fit(X)
    rows = np.ma.array(plain.transform(X), mask=~plain.vectorizer_.observed(X))
    assert_array_equal(TableFeatures(ae).fit_transform(X), clone(ae).fit(rows).transform(rows.data))


def test_a_default_autoencoder_has_no_parameters_to_set():
    tables = TableFeatures()
    with pytest.raises(ValueError, match=r"autoencoder__n_components can't be set.*TableFeatures"):
        tables.set_params(autoencoder__n_components=3)
    tables.set_params(autoencoder=DenoisingAutoencoder(), autoencoder__n_components=3)
    assert tables.autoencoder.n_components == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.assign(fresh=1), "unseen at fit time:\n- fresh"),
        (lambda X: X.drop(columns="date"), "missing:\n- date"),
        (lambda X: X[X.columns[::-1]], "same order"),
        (lambda X: X.assign(number="many"), "Column 'number' of X held numbers in fit.*many"),
        (lambda X: X.assign(number=np.inf), "Column 'number' of X contains infinity"),
        (lambda X: X.assign(number=X["date"]), "'number' of X held numbers in fit, .* dates"),
        (lambda X: X.assign(date=3), "'date' of X held dates in fit, and now holds numbers"),
        (lambda X: X.assign(date="2020"), "'date' of X held dates in fit, .* something else"),
        (lambda X: X[:0], "0 sample"),
    ],
)
def test_another_table_is_refused_by_the_names_of_its_columns(change, message):
    X = in_pandas()
    tables = TableFeatures(small(max_epochs=1)).fit(X)
    with pytest.raises(ValueError, match=message):
        tables.transform(change(X))


@pytest.mark.parametrize("make", [TableFeatures, NativeColumns])
def test_what_is_no_table_of_rows_is_refused(make):
    with pytest.raises(ValueError, match=f"0 sample.* required by {make.__name__}"):
        make().fit(in_pandas()[:0])
    with pytest.raises(TypeError, match=r"takes frames of pandas .* got Table of pyarrow"):
        make().fit(pyarrow.table({"a": [1.0, 2.0]}))


def test_a_table_without_values_is_refused():
    tables = TableFeatures()
    with pytest.raises(ValueError, match="X holds no value"):
        tables.fit(in_pandas()[["empty"]])
    assert not hasattr(tables, "n_features_in_")


def test_another_vectorizer_is_used_and_its_columns_are_swapped_by_name():
    X = in_pandas()[["number", "whole", "text", "flag"]].rename(columns={"flag": "text_b"})
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    vectorizer = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["text", "text_b"]), (numbers, ["number", "whole"])
    )
    tables = TableFeatures(small(), vectorizer=vectorizer, random_state=0).fit(X)
    assert not hasattr(vectorizer, "transformers_")
    by_hand = tables.autoencoder_.transform(clone(vectorizer).fit_transform(X))
    assert_array_equal(tables.transform(X), by_hand)
    groups = tables.autoencoder_.corruption.groups
    assert groups == [[0, 1, 2], [3, 4, 5], [6, 8], [7]]
    assert not hasattr(tables, "reconstruct")
    with pytest.raises(AttributeError) as error:
        tables.impute(X)
    assert "vectorizer=ColumnTransformer" in str(error.value.__cause__)


def test_the_default_autoencoder_takes_more_epochs_on_small_tables(monkeypatch):
    def stop(ae, X, y=None):
        raise RuntimeError(f"{ae.max_epochs} epochs")

    monkeypatch.setattr(Autoencoder, "fit", stop)
    for n_rows, n_epochs in ((20, 1000), (1470, 69), (50_000, 10)):
        with pytest.raises(RuntimeError, match=f"^{n_epochs} epochs"):
            TableFeatures().fit(np.arange(n_rows)[:, None])


def test_a_frozen_autoencoder_is_used_as_it_is_and_an_own_corruption_kept():
    X = in_pandas()
    tables = TableFeatures(small(corruption="gaussian", random_state=5)).fit(X)
    assert tables.autoencoder_.corruption == "gaussian"
    again = TableFeatures(FrozenEstimator(tables.autoencoder_)).fit(X)
    assert again.autoencoder_.estimator is tables.autoencoder_
    assert_array_equal(again.transform(X), tables.transform(X))


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_a_search_learns_from_unlabeled_rows(container):
    X = in_pandas()
    y = np.where(np.arange(N) < 60, np.arange(N) % 3 == 0, -1)
    tables = TableFeatures(small(max_epochs=2)).set_output(transform=container)
    pipe = make_pipeline(tables, LabeledOnly(LogisticRegression()))
    grid = {"tablefeatures__autoencoder__n_components": [3, 5]}
    search = GridSearchCV(pipe, grid, cv=SemiSupervisedSplit(3)).fit(X, y)
    assert set(search.predict(X)) <= {0, 1}
    names = list(search.best_estimator_[0].transform(X).columns)
    assert names == [f"tablefeatures_{k}" for k in range(len(names))]
    assert len(names) in (3, 5)
