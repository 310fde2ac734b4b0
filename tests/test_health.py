"""Dead components and their remedy, and the warnings about data and about training."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import minmax_scale, scale

from sklearn_ae import (
    Autoencoder,
    AutoencoderClassifier,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    PatchFeatures,
    SparseAutoencoder,
)
from sklearn_ae.modules import TopK

THREE = [SparseAutoencoder, DropoutAutoencoder, DenoisingAutoencoder]


@pytest.fixture(scope="module")
def digits():
    return minmax_scale(load_digits().data).astype(np.float32)


# ------------------------------------------------------------------- dead components


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"encoder": "module"}])
def test_dead_components_are_those_that_never_fire(digits, convert, params):
    if "encoder" in params:
        from torch import nn

        params = {"encoder": nn.Sequential(nn.Linear(64, 96), nn.Dropout(0.5), nn.ReLU())}
    ae = SparseAutoencoder(96, alpha=0.4, max_epochs=15, random_state=0, **params)
    ae.fit(convert(digits))
    dead = (ae.transform(digits) == 0).all(axis=0)
    assert 0 < dead.sum() < 96
    assert_array_equal(ae.dead_components_, dead)


def test_partial_fit_counts_the_rows_of_its_pass(digits):
    ae = SparseAutoencoder(96, alpha=1.0, max_epochs=15, random_state=0).fit(digits)
    ae.partial_fit(digits[:50])
    dead = (ae.transform(digits[:50]) == 0).all(axis=0)
    assert_array_equal(ae.dead_components_, dead)


@pytest.mark.parametrize("activation", ["identity", "tanh", "sigmoid"])
def test_what_is_never_zero_is_never_dead(digits, activation):
    ae = Autoencoder(8, activation=activation, max_epochs=1, random_state=0).fit(digits)
    assert not ae.dead_components_.any()


@pytest.mark.parametrize("data", ["digits", "breast cancer"])
@pytest.mark.parametrize("params", [{}, {"hidden_layer_sizes": (96,)}, {"early_stopping": True}])
def test_revive_gives_fewer_dead_components_and_a_smaller_error(digits, data, params):
    X = digits if data == "digits" else scale(load_breast_cancer().data)
    fitted = {
        revive: SparseAutoencoder(
            512, alpha=0, activation=TopK(8, revive=revive), max_epochs=20, random_state=0, **params
        )
        for revive in (False, True)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        without, revived = (fitted[revive].fit(X) for revive in (False, True))
    assert 2 * revived.dead_components_.sum() < without.dead_components_.sum()
    assert revived.score(X) > without.score(X)
    assert ((revived.transform(X) > 0).sum(axis=1) <= 8).all()


@pytest.mark.parametrize(
    "params",
    [
        {"tied_weights": True},
        {"callbacks": []},
        {"loss": "binary_cross_entropy"},
        {"precision": "float64"},
        {"precision": "bfloat16"},
        {"alpha": 0.05},
        {"optimizer": "sgd"},
        {"batch_size": 5000, "max_epochs": 3},
    ],
    ids=str,
)
def test_revive_goes_with_the_other_parameters(digits, params):
    ae = SparseAutoencoder(
        **{
            "n_components": 128,
            "alpha": 0,
            "activation": TopK(8, revive=True),
            "max_epochs": 4,
            "random_state": 0,
            **params,
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        codes = ae.fit_transform(digits)
        again = ae.fit_transform(digits)
    assert_array_equal(codes, again)
    assert np.isfinite(codes).all()


def test_revive_where_everything_is_reconstructed():
    X = np.zeros((20, 3))
    ae = Autoencoder(8, activation=TopK(2, revive=True), max_epochs=4, random_state=0)
    ae.fit(X)
    assert np.isfinite(ae.transform(X)).all()


# ------------------------------------------------------------------------- scale of X


def tables():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(300, 12))
    yield "a large column", X * np.r_[101 * 1.2, np.ones(11)], "1 of 12 columns .* above 100"
    yield "pixels to 255 in counts", 300 * rng.rand(300, 12) * 4, "12 of 12 columns"
    yield "one carries all", X * np.r_[50, np.ones(11)], "1 of 12 columns of X carry 99"
    yield "beside constants", np.c_[X[:, :2] * [40, 1], np.ones((300, 6))], "1 of 8 columns"


@pytest.mark.parametrize("cls", [Autoencoder, *THREE])
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize(("X", "message"), [t[1:] for t in tables()], ids=[t[0] for t in tables()])
def test_unscaled_columns_are_warned_about(cls, convert, X, message):
    with pytest.warns(UserWarning, match=message) as record:
        cls(8, max_epochs=1).fit(convert(X))
    assert any(warning.filename == __file__ for warning in record)


def test_a_scaler_stops_the_warning():
    from sklearn.preprocessing import StandardScaler

    for _, X, _ in tables():
        make_pipeline(StandardScaler(), DenoisingAutoencoder(8, max_epochs=1)).fit(X)


SCALED = {
    "digits": lambda: minmax_scale(load_digits().data)[::3],
    "digits, standardized": lambda: scale(load_digits().data)[::3],
    "breast cancer": lambda: scale(load_breast_cancer().data),
    "wine": lambda: minmax_scale(load_wine().data),
    "iris": lambda: scale(load_iris().data),
    "one row": lambda: np.ones((1, 4)),
    "constant": lambda: np.ones((30, 4)),
    "one-hot": lambda: np.eye(5)[np.random.RandomState(0).randint(5, size=200)],
    "rare": lambda: (np.random.RandomState(0).rand(400, 200) < 0.004).astype(float),
    "empty rows first": lambda: np.r_[
        np.zeros((300, 60)), (np.random.RandomState(0).rand(600, 60) < 0.1).astype(float)
    ],
    "heavy tails": lambda: minmax_scale(
        np.c_[
            np.random.RandomState(0).randint(2, size=2000),
            np.random.RandomState(0).lognormal(sigma=2.5, size=(2000, 2)),
        ]
    ),
}


@pytest.mark.parametrize("cls", THREE)
@pytest.mark.parametrize("name", SCALED)
def test_no_warning_at_defaults_on_scaled_data(cls, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cls(random_state=0).fit(SCALED[name]())
        if name != "one row":
            cls(random_state=0, max_epochs=60, early_stopping=True).fit(SCALED[name]())


# ------------------------------------------------------------------------------ codes


def test_all_dead_codes_are_warned_about(digits):
    with pytest.warns(UserWarning, match="All 6 codes are zero for every row .* Lower alpha"):
        ae = SparseAutoencoder(6, alpha=1e3, max_epochs=300, random_state=0).fit(digits)
    assert not ae.transform(digits).any()


@pytest.mark.parametrize("alpha", [10, 1e3])
def test_a_penalty_that_silences_most_rows_is_warned_about(digits, alpha):
    with pytest.warns(UserWarning, match="codes are zero for 9. % of the rows .* Lower alpha"):
        SparseAutoencoder(32, alpha=alpha, max_epochs=30, random_state=0).fit(digits)


def test_constant_codes_are_warned_about(digits):
    strong = {"penalty": "kl", "activation": "sigmoid", "alpha": 1e7, "optimizer": "sgd"}
    with pytest.warns(UserWarning, match="about the same for every row .* Lower alpha"):
        SparseAutoencoder(16, random_state=0, max_epochs=30, learning_rate=1e-7, **strong).fit(
            digits * 1e-6
        )


def test_many_dead_components_are_warned_about(digits):
    ae = SparseAutoencoder(512, alpha=0, activation=TopK(4), max_epochs=9, random_state=0)
    with pytest.warns(UserWarning, match=r"of 512 components are zero .* revive=True"):
        ae.fit(digits)
    ae.set_params(activation__revive=True, max_epochs=20).fit(digits)


def test_the_remedy_is_named_only_where_it_applies(digits):
    tied = {"tied_weights": True, "alpha": 0, "max_epochs": 9, "random_state": 0}
    with pytest.warns(UserWarning, match="of 512 components are zero") as record:
        SparseAutoencoder(512, activation=TopK(4, revive=True), **tied).fit(digits)
    assert not any("revive=True" in str(warning.message) for warning in record)


# ------------------------------------------------------------------------ convergence


def unfinished(cls):
    if cls is AutoencoderClassifier:
        inner = DenoisingAutoencoder(16, max_epochs=1, random_state=0)
        return cls(inner, max_epochs=3, early_stopping=True, random_state=0)
    return cls(32, max_epochs=3, early_stopping=True, random_state=0)


@pytest.mark.parametrize("cls", [*THREE, AutoencoderClassifier])
def test_an_end_in_mid_fall_is_warned_about(digits, cls):
    y = load_digits().target
    with pytest.warns(ConvergenceWarning, match=r"max_epochs=3 ended .* Raise max_epochs"):
        unfinished(cls).fit(digits, y)


@pytest.mark.parametrize("cls", [*THREE, AutoencoderClassifier])
def test_no_convergence_warning_without_early_stopping(digits, cls):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unfinished(cls).set_params(early_stopping=False).fit(digits, load_digits().target)


def test_patches_do_not_warn(digits):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PatchFeatures(image_shape=(8, 8), patch_size=4, pool=2, random_state=0).fit(digits[:400])


# ------------------------------------------------------------- names, grids, diagrams


@pytest.mark.parametrize("make", [
    lambda **p: SparseAutoencoder(4, max_epochs=1, **p),
    lambda **p: SparseAutoencoder(4, hidden_layer_sizes=(3,), features="all", max_epochs=1, **p),
    lambda **p: PatchFeatures(
        SparseAutoencoder(4, max_epochs=1), image_shape=(8, 8), patch_size=3, pool=2, **p
    ),
])  # fmt: skip
def test_names_begin_with_the_prefix(digits, make):
    plain = make().fit(digits[:50]).get_feature_names_out()
    named = make(prefix="edge ").fit(digits[:50]).get_feature_names_out()
    start = len("patchfeatures" if "patch" in plain[0] else "sparseautoencoder")
    assert list(named) == [f"edge {name[start:]}" for name in plain]
    assert len(set(named)) == len(named)


@pytest.mark.parametrize("prefix", ["a[", "]", "x<"])
@pytest.mark.parametrize("cls", [*THREE, PatchFeatures])
def test_c2_a_prefix_that_xgboost_refuses_is_refused_at_once(digits, cls, prefix, monkeypatch):
    monkeypatch.setattr("sklearn_ae._engine._training.train", None)
    params = {"image_shape": (8, 8)} if cls is PatchFeatures else {}
    with pytest.raises(ValueError, match="prefix="):
        cls(prefix=prefix, **params).fit(digits)


@pytest.mark.parametrize("cls", [Autoencoder, *THREE])
@pytest.mark.parametrize("n_features", [1, 13, 784, 20_000])
def test_suggested_grids_are_valid(cls, n_features):
    from sklearn.model_selection import ParameterGrid

    grid = cls.suggested_grid(n_features, prefix="ae__")
    for params in ParameterGrid(grid):
        ae = cls(**{name.removeprefix("ae__"): value for name, value in params.items()})
        ae._validate_params()
    assert len(ParameterGrid(grid)) <= 12
    assert all(len(set(values)) == len(values) for values in grid.values())
    grid["ae__n_components"].append(0)
    assert 0 not in cls.suggested_grid(n_features, prefix="ae__")["ae__n_components"]


def test_a_prefix_of_a_grid_ends_in_underscores():
    with pytest.raises(ValueError, match="must end in '__', as in 'codes__'"):
        SparseAutoencoder.suggested_grid(64, prefix="codes")


@pytest.mark.parametrize("n_features", [0, 2.5, True, "64"])
def test_a_suggested_grid_wants_a_number_of_features(n_features):
    with pytest.raises(ValueError, match="n_features="):
        SparseAutoencoder.suggested_grid(n_features)


def test_a_suggested_grid_in_halving(digits):
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import HalvingGridSearchCV

    pipe = make_pipeline(DropoutAutoencoder(max_epochs=1), LogisticRegression(max_iter=1000))
    grid = DropoutAutoencoder.suggested_grid(8, prefix="dropoutautoencoder__")
    search = HalvingGridSearchCV(
        pipe, grid, cv=2, factor=5, resource="dropoutautoencoder__max_epochs", max_resources=5
    )
    search.fit(digits[:120, :8], load_digits().target[:120] > 4)
    assert search.best_params_["dropoutautoencoder__dropout"] in grid["dropoutautoencoder__dropout"]


def test_the_diagram_shows_what_was_learned(digits):
    y = load_digits().target
    ae = SparseAutoencoder(9, hidden_layer_sizes=(20,), max_epochs=1)
    assert "encoder:" not in ae._repr_html_()
    assert "encoder: 64 → 20 → 9, relu" in ae.fit(digits)._repr_html_()
    assert "decoder: 9 → 20 → 64" in ae._repr_html_()
    patches = PatchFeatures(
        SparseAutoencoder(4, max_epochs=1), image_shape=(8, 8), patch_size=3, pool=2
    ).fit(digits)
    for shown in ("patches: 3 x 3, whitened", "encoder: 9 → 4, relu", "2 x 2 regions → 16"):
        assert shown in patches._repr_html_()
    clf = AutoencoderClassifier(ae, head_hidden_layer_sizes=(5,), max_epochs=1).fit(digits, y)
    assert "head: 9 → 5 → 10" in clf._repr_html_()
    assert "encoder: 64" in make_pipeline(ae, clf)._repr_html_()
