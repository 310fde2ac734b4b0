"""Dead components and their remedy, and the warnings about data and about training.

Where a warning is not expected here, it is an error (see `filterwarnings` in pyproject.toml).
"""

from functools import partial
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, minmax_scale, scale
from torch import nn

from sklearn_ae import (
    Autoencoder,
    AutoencoderClassifier,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    PatchFeatures,
    SparseAutoencoder,
)
from sklearn_ae.modules import TopK


@pytest.fixture(scope="module")
def digits():
    return minmax_scale(load_digits().data).astype(np.float32)


# ------------------------------------------------------------------- dead components

MODULE = nn.Sequential(nn.Linear(64, 400), nn.Dropout(0.5), nn.ReLU())


@pytest.mark.parametrize(
    ("params", "convert"),
    [
        ({}, np.asarray),
        ({}, sparse.csr_array),
        ({"early_stopping": True}, sparse.csr_array),
        ({"encoder": MODULE}, np.asarray),
    ],
    ids=["dense", "csr", "early stopping", "module"],
)
def test_dead_components_are_those_that_never_fire(digits, params, convert):
    ae = SparseAutoencoder(400, alpha=1.5, max_epochs=15, random_state=0, **params)
    ae.fit(convert(digits))
    dead = (ae.transform(digits) == 0).all(axis=0)
    assert 0 < dead.sum() < 400
    assert_array_equal(ae.dead_components_, dead)
    # A pass counts its own rows.
    ae.partial_fit(convert(digits[:50]))
    more = (ae.transform(digits[:50]) == 0).all(axis=0)
    assert more.sum() > dead.sum()
    assert_array_equal(ae.dead_components_, more)


def test_what_is_never_zero_is_never_dead(digits):
    for activation in ("identity", "tanh", "sigmoid"):
        ae = Autoencoder(8, activation=activation, max_epochs=1, random_state=0).fit(digits)
        assert not ae.dead_components_.any()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("data", "params"),
    [
        ("digits", {}),
        ("digits", {"early_stopping": True}),
        ("breast cancer", {"hidden_layer_sizes": (96,)}),
    ],
)
def test_revive_gives_fewer_dead_components_and_a_smaller_error(digits, data, params):
    X = digits if data == "digits" else scale(load_breast_cancer().data)
    params = {"alpha": 0, "max_epochs": 20, "random_state": 0, **params}
    without, revived = (
        SparseAutoencoder(512, activation=TopK(8, revive=revive), **params).fit(X)
        for revive in (False, True)
    )
    assert 2 * revived.dead_components_.sum() < without.dead_components_.sum()
    assert revived.score(X) > without.score(X)
    assert ((revived.transform(X) > 0).sum(axis=1) <= 8).all()


@pytest.mark.filterwarnings("ignore")
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
    small = {"n_components": 128, "alpha": 0, "max_epochs": 4, "random_state": 0}
    ae = SparseAutoencoder(**{**small, "activation": TopK(8, revive=True), **params})
    codes = ae.fit_transform(digits)
    assert_array_equal(codes, ae.fit_transform(digits))
    assert np.isfinite(codes).all()
    # Where everything is reconstructed there is nothing to start a component from.
    assert np.isfinite(ae.fit_transform(np.zeros((20, 3)))).all()


# ------------------------------------------------------------------------- scale of X


def tables():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(300, 12))
    yield "a large column", X * np.r_[101 * 1.2, np.ones(11)], "1 of 12 columns .* above 30"
    yield "pixels to 255 in counts", 300 * rng.rand(300, 12) * 4, "12 of 12 columns"
    yield "one carries all", X * np.r_[50, np.ones(11)], "1 of 12 columns"
    yield "beside constants", np.c_[X[:, :2] * [40, 1], np.ones((300, 6))], "1 of 8 columns"


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize(("X", "message"), [t[1:] for t in tables()], ids=[t[0] for t in tables()])
def test_unscaled_columns_are_warned_about(convert, X, message):
    with pytest.warns(UserWarning, match=message) as record:
        Autoencoder(8, max_epochs=1).fit(convert(X))
    assert any(warning.filename == __file__ for warning in record)
    # A scaler stops it.
    make_pipeline(StandardScaler(), DenoisingAutoencoder(8, max_epochs=1)).fit(X)


RNG = partial(np.random.RandomState, 0)
SCALED = {
    "digits": lambda: minmax_scale(load_digits().data)[::3],
    "digits, standardized": lambda: scale(load_digits().data)[::3],
    "breast cancer": lambda: scale(load_breast_cancer().data),
    "iris": lambda: scale(load_iris().data),
    "one row": lambda: np.ones((1, 4)),
    "constant": lambda: np.ones((30, 4)),
    "one-hot": lambda: np.eye(5)[RNG().randint(5, size=200)],
    "rare": lambda: (RNG().rand(400, 200) < 0.004).astype(float),
    "empty rows first": lambda: np.r_[np.zeros((300, 60)), RNG().rand(600, 60) < 0.1].astype(float),
    "heavy tails": lambda: minmax_scale(
        np.c_[RNG().randint(2, size=2000), RNG().lognormal(sigma=2.5, size=(2000, 2))]
    ),
}


@pytest.mark.parametrize(
    ("cls", "name"),
    # The sparse one, whose penalty may silence codes, on all; the others on the hardest.
    [
        *product([SparseAutoencoder], SCALED),
        (DropoutAutoencoder, "heavy tails"),
        (DenoisingAutoencoder, "empty rows first"),
    ],
)
def test_no_warning_at_defaults_on_scaled_data(cls, name):
    X = SCALED[name]()
    cls(random_state=0).fit(X)
    if name != "one row":
        cls(random_state=0, max_epochs=60, early_stopping=True).fit(X)


# ------------------------------------------------------------------------------ codes


def test_a_penalty_that_silences_most_rows_is_warned_about(digits):
    with pytest.warns(UserWarning, match="codes are zero for 9. % of the rows .* Lower alpha"):
        SparseAutoencoder(32, alpha=16, max_epochs=90, random_state=0).fit(digits)


def test_constant_codes_are_warned_about(digits):
    strong = {"penalty": "kl", "activation": "sigmoid", "alpha": 1e7, "optimizer": "sgd"}
    ae = SparseAutoencoder(16, max_epochs=30, learning_rate=1e-7, random_state=0, **strong)
    with pytest.warns(UserWarning, match="about the same for every row .* Lower alpha"):
        ae.fit(digits * 1e-6)


def test_many_dead_components_are_warned_about(digits):
    ae = SparseAutoencoder(512, alpha=0, activation=TopK(1), max_epochs=9, random_state=0)
    with pytest.warns(UserWarning, match=r"of 512 components are zero .* revive=True"):
        ae.fit(digits)
    revived = clone(ae).set_params(activation__revive=True)
    clone(revived).set_params(max_epochs=20).fit(digits)
    # The remedy is named only where it applies.
    with pytest.warns(UserWarning, match="of 512 components are zero") as record:
        revived.set_params(tied_weights=True).fit(digits)
    assert not any("revive=True" in str(warning.message) for warning in record)


# ------------------------------------------------------------------------ convergence


@pytest.mark.parametrize(
    "estimator",
    [
        DenoisingAutoencoder(32),
        AutoencoderClassifier(DenoisingAutoencoder(16, max_epochs=1, random_state=0)),
    ],
    ids=["autoencoder", "classifier"],
)
def test_an_end_in_mid_fall_is_warned_about_under_early_stopping(digits, estimator):
    estimator = clone(estimator).set_params(max_epochs=3, random_state=0)
    estimator.fit(digits, load_digits().target)
    with pytest.warns(ConvergenceWarning, match=r"max_epochs=3 ended .* Raise max_epochs"):
        estimator.set_params(early_stopping=True).fit(digits, load_digits().target)


def test_the_diagram_and_the_names_show_what_was_learned(digits):
    y = load_digits().target
    ae = SparseAutoencoder(9, hidden_layer_sizes=(20,), max_epochs=1)
    assert "encoder:" not in ae._repr_html_()
    assert "encoder: 64 → 20 → 9, relu" in ae.fit(digits)._repr_html_()
    assert "decoder: 9 → 20 → 64" in ae._repr_html_()
    names = ae.set_params(features="all").fit(digits).get_feature_names_out()
    assert list(names[[0, 28]]) == ["sparseautoencoder_layer0_0", "sparseautoencoder_layer1_8"]
    ae.set_params(features="code").fit(digits)
    inner = SparseAutoencoder(4, max_epochs=1)
    patches = PatchFeatures((8, 8), inner, patch_size=3, pool=2).fit(digits)
    for shown in ("patches: 3 x 3, whitened", "encoder: 9 → 4, relu", "2 x 2 regions → 16"):
        assert shown in patches._repr_html_()
    # No warning at its defaults either.
    PatchFeatures(image_shape=(8, 8), patch_size=4, pool=2, random_state=0).fit(digits[:400])
    clf = AutoencoderClassifier(ae, head_hidden_layer_sizes=(5,), max_epochs=1).fit(digits, y)
    assert "head: 9 → 5 → 10" in clf._repr_html_()
    assert "encoder: 64" in make_pipeline(ae, clf)._repr_html_()
