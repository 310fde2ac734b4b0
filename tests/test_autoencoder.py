"""The behavior of the estimators, against hand-written NumPy and torch."""

import copy
import inspect
import io
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, EarlyStopping, EpochScoring
from torch import nn

from sklearn_ae import (
    Autoencoder,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    SparseAutoencoder,
)
from sklearn_ae._engine import _inference
from sklearn_ae._engine._net import ReconstructionNet
from sklearn_ae.corruptions import GaussianNoise, Masking
from sklearn_ae.modules import TopK
from sklearn_ae.penalties import KLDivergence

STILL = {"optimizer": "sgd", "learning_rate": 1e-30, "learning_rate_schedule": "constant"}


@pytest.fixture
def X01(X):
    return (X - X.min()) / (X.max() - X.min())


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "identity": lambda x: x,
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "silu": lambda x: x * sigmoid(x),
    "softplus": lambda x: np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0),
}

LOSSES = {
    "squared_error": lambda out, X: 0.5 * (out - X) ** 2,
    "binary_cross_entropy": lambda out, X: np.log1p(np.exp(out)) - X * out,
    "huber": lambda out, X: np.where(
        np.abs(out - X) < 1, 0.5 * (out - X) ** 2, np.abs(out - X) - 0.5
    ),
}

PENALTIES = {
    "l1": lambda H: np.abs(H).sum(axis=1).mean(),
    "l2": lambda H: 0.5 * (H**2).sum(axis=1).mean(),
    "kl": lambda H: np.sum(
        0.05 * np.log(0.05 / H.mean(axis=0)) + 0.95 * np.log(0.95 / (1 - H.mean(axis=0)))
    ),
}


def layers(part):
    return [
        (layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy())
        for layer in part.layers
    ]


def forward(estimator, X, activation="relu"):
    """Compute codes and output of the built-in network from its weights."""
    act = ACTIVATIONS[activation]
    H = np.asarray(X, dtype=np.float64)
    for weight, bias in layers(estimator.net_.module_.encoder):
        H = act(H @ weight.T + bias)
    out = H
    decoder = layers(estimator.net_.module_.decoder)
    for weight, bias in decoder[:-1]:
        out = act(out @ weight + bias)
    weight, bias = decoder[-1]
    return H, out @ weight + bias


# -------------------------------------------------------------------------------- looking


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(), (7, 5)], ids=["one layer", "deep"])
@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_codes_and_reconstructions_by_hand(make, X, activation, hidden, tied):
    estimator = make(activation=activation, hidden_layer_sizes=hidden, tied_weights=tied).fit(X)
    codes, out = forward(estimator, X, activation)
    assert_allclose(estimator.transform(X), codes, rtol=1e-4, atol=1e-5)
    assert_allclose(estimator.inverse_transform(codes), out, rtol=1e-4, atol=1e-5)
    assert_allclose(estimator.reconstruct(X), out, rtol=1e-4, atol=1e-5)
    shapes = [weight.shape for weight, _ in layers(estimator.net_.module_.encoder)]
    sizes = [8, *hidden, 6]
    assert shapes == [(n_out, n_in) for n_in, n_out in pairwise(sizes)]
    assert [weight.shape for weight, _ in layers(estimator.net_.module_.decoder)] == shapes[::-1]


@pytest.mark.parametrize("loss", LOSSES)
def test_scores_by_hand(make, X01, loss):
    """The score is minus the mean squared error, whatever the loss is."""
    estimator = make(loss=loss).fit(X01)
    _, out = forward(estimator, X01)
    out = sigmoid(out) if loss == "binary_cross_entropy" else out
    assert_allclose(estimator.reconstruct(X01), out, rtol=1e-4, atol=1e-5)
    expected = -((out - X01) ** 2).mean(axis=1)
    assert_allclose(estimator.score_samples(X01), expected, rtol=1e-4, atol=1e-6)
    assert_allclose(estimator.score(X01), expected.mean(), rtol=1e-4)
    assert isinstance(estimator.score(X01), float)
    assert estimator.score(X01) == estimator.score(X01, y=["any"] * 40)
    assert_allclose(
        estimator.reconstruct(X01), estimator.inverse_transform(estimator.transform(X01)), rtol=1e-5
    )


def test_components(make, X):
    estimator = make().fit(X)
    assert estimator.components_.shape == (6, 8)
    weight, bias = layers(estimator.net_.module_.encoder)[0]
    assert_array_equal(estimator.components_, weight.astype(np.float32))
    expected = np.maximum(X @ estimator.components_.T + bias, 0)
    assert_allclose(estimator.transform(X), expected, rtol=1e-4, atol=1e-5)
    for params in ({"hidden_layer_sizes": (5,)}, {"encoder": nn.Linear}):
        other = make(**params).fit(X)
        assert not hasattr(other, "components_")
        with pytest.raises(AttributeError, match="one dense layer"):
            _ = other.components_


def test_dtypes(make, X):
    for dtype in (np.float32, np.float64, np.float16, int):
        estimator = make().fit(X.astype(dtype))
        assert estimator.transform(X.astype(dtype)).dtype == np.float32
        assert estimator.inverse_transform(np.ones((2, 6), dtype)).dtype == np.float32
    double = make(precision="float64").fit(X)
    for result in (
        double.transform(X),
        double.reconstruct(X),
        double.score_samples(X),
        double.components_,
    ):
        assert result.dtype == np.float64


def test_attributes_after_fit(make, X):
    estimator = make(max_epochs=3)
    assert estimator.fit(X) is estimator
    assert estimator.n_features_in_ == 8
    assert not hasattr(estimator, "feature_names_in_")
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 3
    assert all(type(loss) is float for loss in estimator.loss_curve_)
    assert estimator.validation_loss_curve_ is None
    assert isinstance(estimator.net_, ReconstructionNet)
    name = make.cls.__name__.lower()
    assert list(estimator.get_feature_names_out()) == [f"{name}{i}" for i in range(6)]


def test_loss_falls(make, X):
    curve = make(max_epochs=60, learning_rate=0.01, n_components=20).fit(X).loss_curve_
    assert curve[-1] < 0.8 * curve[0]


def test_transform_in_batches(make, X, monkeypatch):
    estimator = make().fit(X)
    whole = [estimator.transform(X), estimator.reconstruct(X), estimator.score_samples(X)]
    codes = whole[0]
    whole.append(estimator.inverse_transform(codes))
    monkeypatch.setattr(_inference, "_MAX_ENTRIES", 8 * 7)
    pieces = [estimator.transform(X), estimator.reconstruct(X), estimator.score_samples(X)]
    pieces.append(estimator.inverse_transform(codes))
    for piece, result in zip(pieces, whole, strict=True):
        assert_allclose(piece, result, rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------------------- training


def objective_by_hand(estimator, X, activation, loss, penalty, alpha):
    codes, out = forward(estimator, X, activation)
    return LOSSES[loss](out, X).sum(axis=1).mean() + alpha * PENALTIES[penalty](codes)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("alpha", [0, 0.7])
@pytest.mark.parametrize("batch_size", [7, 40])
def test_loss_curve_by_hand(X01, loss, penalty, alpha, batch_size):
    """With a learning rate of nothing, each epoch's loss is that of the network itself."""
    if penalty == "kl" and batch_size < 40:
        batch_size = 40  # The mean activation of KL is that of a batch.
    X = 4 * X01 if loss != "binary_cross_entropy" else X01
    activation = "sigmoid" if penalty == "kl" else "tanh"
    estimator = SparseAutoencoder(
        6,
        loss=loss,
        penalty=penalty,
        alpha=alpha,
        activation=activation,
        batch_size=batch_size,
        max_epochs=2,
        random_state=0,
        **STILL,
    ).fit(X)
    expected = objective_by_hand(estimator, X, activation, loss, penalty, alpha)
    assert_allclose(estimator.loss_curve_, [expected] * 2, rtol=1e-5)


@pytest.mark.parametrize("callbacks", [None, "some"])
def test_alpha_does_not_depend_on_batch_size_or_number_of_rows(X, callbacks):
    callbacks = callbacks and [Callback()]
    curves = [
        SparseAutoencoder(
            20, alpha=3, batch_size=batch_size, max_epochs=1, random_state=0, callbacks=callbacks
        )
        .set_params(**STILL)
        .fit(rows)
        .loss_curve_
        for batch_size in (3, 16, 39, 40, 1000)
        for rows in (X, np.tile(X, (3, 1)))
    ]
    assert_allclose(curves, np.full_like(curves, curves[0][0]), rtol=1e-5)


def test_validation_loss_by_hand(X, monkeypatch):
    """Neither corruption nor dropout touches the rows held out."""
    held = []

    def recorded(self, *args, **kwargs):
        parts = split(self, *args, **kwargs)
        held.extend(part.take(slice(None)).numpy().copy() for part in parts)
        return parts

    split = ReconstructionNet.get_split_datasets
    monkeypatch.setattr(ReconstructionNet, "get_split_datasets", recorded)
    params = {
        "early_stopping": True,
        "validation_fraction": 0.33,
        "max_epochs": 2,
        "random_state": 0,
        "alpha": 0.3,
        "dropout": 0.5,
        "corruption_level": 0.5,
    }
    estimator = Autoencoder(6, **params, **STILL).fit(X)
    train, valid = held
    assert len(valid) == 14
    assert len(train) == 26
    both = np.vstack(held)
    assert_array_equal(both[np.lexsort(both.T)], X[np.lexsort(X.T)])
    expected = objective_by_hand(estimator, valid, "relu", "squared_error", "l1", 0.3)
    assert_allclose(estimator.validation_loss_curve_, [expected] * 2, rtol=1e-5)
    plain = objective_by_hand(estimator, train, "relu", "squared_error", "l1", 0.3)
    assert all(loss > 1.05 * plain for loss in estimator.loss_curve_)


def test_dropout_in_expectation():
    """Dropped and rescaled codes add half their variance times the atoms; the penalty is of all."""
    X = np.random.RandomState(0).normal(size=(20_000, 8))
    params = {"alpha": 2, "penalty": "l2", "max_epochs": 1, "random_state": 0, **STILL}
    plain = Autoencoder(6, **params).fit(X)
    dropped = Autoencoder(6, dropout=0.3, **params).fit(X)
    codes, _ = forward(plain, X)
    norms = (layers(plain.net_.module_.decoder)[0][0] ** 2).sum(axis=1)
    extra = 0.5 * (codes**2 * norms).sum(axis=1).mean() * 0.3 / 0.7
    assert extra > 0.05 * plain.loss_curve_[0]
    assert_allclose(dropped.loss_curve_[0] - plain.loss_curve_[0], extra, rtol=0.05)


def test_corruption_in_expectation():
    """Gaussian noise at the input of a linear network, against the clean target."""
    X = np.random.RandomState(0).normal(size=(20_000, 8))
    params = {"max_epochs": 1, "activation": "identity", "random_state": 0, **STILL}
    plain = Autoencoder(6, **params).fit(X)
    noisy = DenoisingAutoencoder(6, corruption="gaussian", corruption_level=0.5, **params).fit(X)
    encoder, decoder = (
        layers(part)[0][0] for part in (plain.net_.module_.encoder, plain.net_.module_.decoder)
    )
    extra = 0.5 * 0.5**2 * ((encoder.T @ decoder) ** 2).sum()
    assert extra > 0.01 * plain.loss_curve_[0]
    assert_allclose(noisy.loss_curve_[0] - plain.loss_curve_[0], extra, rtol=0.05)


def new_parts(n_hidden=6, activation=None, dtype=torch.float32):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        encoder = nn.Sequential(nn.Linear(8, n_hidden), activation or nn.ReLU())
        decoder = nn.Linear(n_hidden, 8)
    return encoder.to(dtype), decoder.to(dtype)


TORCH_LOSSES = {
    "squared_error": lambda out, x: 0.5 * (out - x).square().sum(dim=1).mean(),
    "binary_cross_entropy": lambda out, x: nn.BCEWithLogitsLoss(reduction="sum")(out, x) / len(x),
    "huber": lambda out, x: nn.HuberLoss(reduction="sum")(out, x) / len(x),
}

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


def train_by_hand(
    encoder,
    decoder,
    X,
    *,
    loss="squared_error",
    alpha=0.0,
    optimizer="adam",
    learning_rate=1e-3,
    learning_rate_schedule="linear",
    weight_decay=0.0,
    max_epochs=10,
    unit_norm=False,
):
    """Train with the whole X as one batch, in a plain loop."""
    encoder, decoder = copy.deepcopy((encoder, decoder))
    x = torch.as_tensor(X, dtype=next(encoder.parameters()).dtype)
    parameters = list(dict.fromkeys([*encoder.parameters(), *decoder.parameters()]))
    steps = OPTIMIZERS[optimizer](parameters, lr=learning_rate, weight_decay=weight_decay)
    curve = []
    for epoch in range(max_epochs):
        if learning_rate_schedule == "linear":
            steps.param_groups[0]["lr"] = learning_rate * (1 - epoch / max_epochs)
        codes = encoder(x)
        objective = TORCH_LOSSES[loss](decoder(codes), x)
        objective = objective + alpha * codes.abs().sum(dim=1).mean()
        steps.zero_grad()
        objective.backward()
        steps.step()
        if unit_norm:
            with torch.no_grad():
                for layer in decoder.layers:
                    layer.weight /= layer.weight.norm(dim=1, keepdim=True)
        curve.append(objective.item())
    return encoder, decoder, curve


def assert_trained_like(estimator, encoder, decoder, curve, tolerance):
    assert_allclose(estimator.loss_curve_, curve, rtol=10 * tolerance)
    module = estimator.net_.module_
    for mine, other in ((module.encoder, encoder), (module.decoder, decoder)):
        pairs = list(zip(mine.parameters(), other.parameters(), strict=True))
        assert pairs
        for actual, desired in pairs:
            assert_allclose(
                actual.detach().numpy(), desired.detach().numpy(), rtol=tolerance, atol=tolerance
            )


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"learning_rate_schedule": "constant"},
        {"optimizer": "sgd", "learning_rate": 0.01},
        {"optimizer": "adamw", "weight_decay": 0.5, "learning_rate": 0.01},
        {"optimizer": "adam", "weight_decay": 0.5, "learning_rate": 0.01},
        {"optimizer": "sgd", "weight_decay": 0.5, "learning_rate_schedule": "constant"},
        {"alpha": 0.3},
        {"alpha": 0.3, "loss": "huber", "learning_rate": 0.01},
        {"loss": "binary_cross_entropy", "learning_rate": 0.01},
    ],
    ids=str,
)
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("callbacks", [None, "some"])
def test_fit_is_a_plain_torch_loop(X01, params, precision, callbacks):
    X = X01.astype(precision)
    encoder, decoder = new_parts(dtype=getattr(torch, precision))
    estimator = Autoencoder(
        6,
        encoder=encoder,
        decoder=decoder,
        max_epochs=10,
        batch_size=40,
        precision=precision,
        callbacks=callbacks and [Callback()],
        **params,
    ).fit(X)
    expected = train_by_hand(encoder, decoder, X, **params)
    assert_trained_like(estimator, *expected, 1e-5 if precision == "float32" else 1e-9)
    assert not torch.equal(expected[0][0].weight, encoder[0].weight)


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("hidden", [(), (7,)], ids=["one layer", "deep"])
def test_fit_of_the_built_in_parts_is_a_plain_torch_loop(X, tied, alpha, hidden):
    """Under the L1 penalty with the atoms brought back to unit norm after each step."""
    params = {"tied_weights": tied, "alpha": alpha, "hidden_layer_sizes": hidden}
    params |= {"precision": "float64", "random_state": 0, "batch_size": 40}
    start = Autoencoder(6, max_epochs=1, **params, **STILL).fit(X).net_.module_
    estimator = Autoencoder(6, max_epochs=8, learning_rate=0.01, **params).fit(X)
    expected = train_by_hand(
        start.encoder,
        start.decoder,
        X,
        alpha=alpha,
        learning_rate=0.01,
        max_epochs=8,
        unit_norm=alpha > 0,
    )
    assert_trained_like(estimator, *expected, 1e-8)


@pytest.mark.parametrize("penalty", ["l1", "l2", "kl"])
@pytest.mark.parametrize("alpha", [0, 0.5])
@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("hidden", [(), (5,)], ids=["one layer", "deep"])
def test_unit_norm_of_the_atoms(X, penalty, alpha, tied, hidden):
    estimator = SparseAutoencoder(
        6,
        penalty=penalty,
        alpha=alpha,
        activation="sigmoid",
        tied_weights=tied,
        hidden_layer_sizes=hidden,
        max_epochs=5,
        learning_rate=0.1,
        random_state=0,
    ).fit(X)
    norms = [np.linalg.norm(w, axis=1) for w, _ in layers(estimator.net_.module_.decoder)]
    at_unit_norm = all(np.allclose(norm, 1, atol=1e-5) for norm in norms)
    assert at_unit_norm == (alpha > 0 and penalty != "kl")


def test_unit_norm_of_a_decoder_of_the_users(X):
    class Normalized(nn.Linear):
        def __init__(self, n_features_in, n_components):
            super().__init__(n_components, n_features_in)

        def normalize_atoms(self):
            with torch.no_grad():
                self.weight /= self.weight.norm(dim=0)

    norms = [
        np.linalg.norm(
            SparseAutoencoder(6, decoder=decoder, max_epochs=3, learning_rate=0.1)
            .fit(X)
            .net_.module_.decoder.weight.detach()
            .numpy(),
            axis=0,
        )
        for decoder in (Normalized, lambda n_features, n_codes: nn.Linear(n_codes, n_features))
    ]
    assert_allclose(norms[0], 1, rtol=1e-5)
    assert np.abs(norms[1] - 1).max() > 0.1


def test_learning_rate_falls_to_zero_by_step(X, monkeypatch):
    rates = []

    def recorded(self, *args, **kwargs):
        result = step(self, *args, **kwargs)
        rates.append(self.optimizer_.param_groups[0]["lr"])
        return result

    step = ReconstructionNet.train_step
    monkeypatch.setattr(ReconstructionNet, "train_step", recorded)
    estimator = Autoencoder(6, max_epochs=4, batch_size=10, learning_rate=0.2).fit(X)
    assert_allclose(rates, 0.2 * (1 - np.arange(16) / 16))
    rates.clear()
    estimator.partial_fit(X)
    assert_allclose(rates, [0.2] * 4)
    rates.clear()
    estimator.set_params(learning_rate_schedule="constant", learning_rate=0.1).fit(X)
    assert_allclose(rates, [0.1] * 16)


@pytest.mark.parametrize("callbacks", [None, "some"])
def test_early_stopping_restores_the_best_weights(X, monkeypatch, callbacks):
    held = []

    def recorded(self, *args, **kwargs):
        parts = split(self, *args, **kwargs)
        held[:] = [part.take(slice(None)).numpy().copy() for part in parts]
        return parts

    split = ReconstructionNet.get_split_datasets
    monkeypatch.setattr(ReconstructionNet, "get_split_datasets", recorded)
    rng = np.random.RandomState(0)
    X = rng.normal(size=(60, 8))
    estimator = Autoencoder(
        30,
        early_stopping=True,
        validation_fraction=0.5,
        learning_rate=0.1,
        max_epochs=300,
        n_iter_no_change=4,
        tol=0,
        random_state=0,
        callbacks=callbacks and [Callback()],
    ).fit(X)
    curve = estimator.validation_loss_curve_
    best = int(np.argmin(curve))
    # It stopped, four epochs after the best one, and not at the best weights by luck.
    assert estimator.n_iter_ == len(curve) == len(estimator.loss_curve_) == best + 5
    assert curve[-1] > 1.01 * curve[best]
    actual = objective_by_hand(estimator, held[1], "relu", "squared_error", "l1", 0)
    assert_allclose(actual, curve[best], rtol=1e-5)


def test_early_stopping_restores_at_the_last_epoch_too(X, monkeypatch):
    params = {"validation_fraction": 0.5, "learning_rate": 0.1, "random_state": 0, "tol": 0}
    estimator = Autoencoder(30, early_stopping=True, max_epochs=300, n_iter_no_change=4, **params)
    best = int(np.argmin(estimator.fit(X).validation_loss_curve_))
    assert best + 1 < estimator.n_iter_
    constant = {"learning_rate_schedule": "constant"}
    estimator.set_params(**constant).fit(X)
    codes, best = estimator.transform(X), int(np.argmin(estimator.validation_loss_curve_))
    # Cut off two epochs after the best one, patience is not used up.
    short = clone(estimator).set_params(max_epochs=best + 3).fit(X)
    assert short.n_iter_ == best + 3
    assert_array_equal(short.transform(X), codes)


def test_tol_is_relative(X):
    params = {
        "early_stopping": True,
        "max_epochs": 40,
        "n_iter_no_change": 3,
        "random_state": 0,
        "validation_fraction": 0.5,
    }
    epochs = [
        Autoencoder(6, tol=tol, **params).fit(scale * X).n_iter_
        for tol in (0, 0.5)
        for scale in (1, 1e-3, 30)
    ]
    assert epochs[0] == 40
    assert epochs[3:] == [4] * 3


def test_warm_start(make, X):
    estimator = make(max_epochs=3, warm_start=True).fit(X)
    first = list(estimator.loss_curve_)
    net = estimator.net_
    estimator.fit(X)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 6
    assert estimator.loss_curve_[:3] == first
    assert estimator.net_ is not net
    assert_array_equal(make(max_epochs=3).fit(X).loss_curve_, first)
    estimator.set_params(warm_start=False).fit(X)
    assert estimator.loss_curve_ == first


def test_warm_start_takes_new_settings(X):
    estimator = SparseAutoencoder(6, max_epochs=2, warm_start=True, random_state=0).fit(X)
    before = estimator.components_
    estimator.set_params(**STILL, alpha=2.0).fit(X)
    assert_allclose(estimator.components_, before, rtol=1e-6)
    expected = objective_by_hand(estimator, X, "relu", "squared_error", "l1", 2.0)
    assert_allclose(estimator.loss_curve_[-2:], [expected] * 2, rtol=1e-5)


# ---------------------------------------------------------------------------------- parts


class Affine(nn.Module):
    """Encoder by a class: a class is a callable that makes a module."""

    def __init__(self, n_features_in, n_components):
        super().__init__()
        self.layer = nn.Linear(n_features_in, n_components)

    def forward(self, x):
        return self.layer(x)


def test_parts_by_callables(make, X):
    asked = []

    def encoder(n_features_in, n_components):
        asked.append((n_features_in, n_components))
        return nn.Linear(n_features_in, n_components)

    def decoder(n_features_in, n_components):
        asked.append((n_features_in, n_components))
        return nn.Linear(n_components, n_features_in)

    estimator = make(encoder=encoder, decoder=decoder).fit(X)
    assert asked == [(8, 6), (8, 6)]
    with torch.no_grad():
        expected = estimator.net_.module_.encoder(torch.tensor(X)).numpy()
    assert_allclose(estimator.transform(X), expected, rtol=1e-5, atol=1e-6)
    # What a callable draws is decided by random_state alone.
    assert_array_equal(make(encoder=Affine).fit_transform(X), make(encoder=Affine).fit_transform(X))
    codes = [make(encoder=Affine, random_state=seed).fit_transform(X) for seed in (0, 1)]
    assert not np.array_equal(*codes)


def test_a_module_is_where_training_starts(X):
    encoder, decoder = new_parts()
    before = copy.deepcopy((encoder.state_dict(), decoder.state_dict()))
    estimator = Autoencoder(6, encoder=encoder, decoder=decoder, max_epochs=1, **STILL)
    codes = estimator.fit_transform(X)
    with torch.no_grad():
        assert_allclose(codes, encoder(torch.tensor(X)).numpy(), rtol=1e-5, atol=1e-6)
    estimator.set_params(optimizer="adam", learning_rate=0.1, max_epochs=3).fit(X).partial_fit(X)
    assert not np.allclose(estimator.transform(X), codes)
    for part, state in zip((encoder, decoder), before, strict=True):
        assert all(torch.equal(part.state_dict()[name], state[name]) for name in state)
        assert all(p.grad is None for p in part.parameters())
    assert estimator.encoder is encoder


def test_a_module_of_float64_trains_in_the_precision_of_the_estimator(X):
    encoder, decoder = new_parts(dtype=torch.float64)
    estimator = Autoencoder(6, encoder=encoder, decoder=decoder, max_epochs=1).fit(X)
    assert estimator.transform(X).dtype == np.float32
    assert encoder[0].weight.dtype == torch.float64


class Transposed(nn.Module):
    """Decodes with the weight of the layer that it is given."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, codes):
        return codes @ self.layer.weight


def test_shared_layers_stay_tied(X):
    layer = nn.Linear(8, 6)
    estimator = Autoencoder(6, encoder=layer, decoder=Transposed(layer), max_epochs=3)
    for each in (estimator, clone(estimator), clone(clone(estimator))):
        module = each.fit(X).partial_fit(X).net_.module_
        assert module.decoder.layer is module.encoder
        assert module.encoder is not layer
    expected = estimator.transform(X) @ module.encoder.weight.detach().numpy()
    assert_allclose(estimator.reconstruct(X), expected, rtol=1e-4, atol=1e-5)


def test_tied_weights(make, X):
    estimator = make(tied_weights=True, hidden_layer_sizes=(7,)).fit(X)
    encoder, decoder = estimator.net_.module_.encoder, estimator.net_.module_.decoder
    assert [layer.weight for layer in decoder.layers] == [
        layer.weight for layer in reversed(encoder.layers)
    ]
    assert decoder.layers[0].weight is encoder.layers[1].weight
    assert decoder.layers[1].weight is encoder.layers[0].weight


def test_frozen_weights_stay(make, X):
    encoder, decoder = new_parts()
    encoder[0].weight.requires_grad_(False)
    estimator = make(encoder=encoder, decoder=decoder, weight_decay=0.1, max_epochs=3).fit(X)
    estimator.partial_fit(X)
    trained = estimator.net_.module_.encoder[0]
    assert torch.equal(trained.weight, encoder[0].weight)
    assert not torch.equal(trained.bias, encoder[0].bias)
    assert not trained.weight.requires_grad


def test_a_custom_decoder_gives_logits_under_cross_entropy(X01):
    _, decoder = new_parts()
    estimator = Autoencoder(6, decoder=decoder, loss="binary_cross_entropy").fit(X01)
    codes = torch.tensor(estimator.transform(X01))
    with torch.no_grad():
        logits = estimator.net_.module_.decoder(codes).numpy()
    assert_allclose(estimator.inverse_transform(codes.numpy()), sigmoid(logits), rtol=1e-4)
    assert_allclose(estimator.reconstruct(X01), sigmoid(logits), rtol=1e-4)


def test_topk_has_relu_in_the_hidden_layers(make, X):
    estimator = make(hidden_layer_sizes=(30,), activation=TopK(k=2)).fit(X)
    codes = estimator.transform(X)
    assert ((codes > 0).sum(axis=1) <= 2).all()
    assert (codes > 0).sum(axis=1).max() == 2
    (weight, bias), (last, last_bias) = layers(estimator.net_.module_.encoder)
    dense = np.maximum(X @ weight.T + bias, 0) @ last.T + last_bias
    kept = np.where(dense >= np.sort(dense, axis=1)[:, [-2]], np.maximum(dense, 0), 0)
    assert_allclose(codes, kept, rtol=1e-4, atol=1e-5)


def test_parts_are_never_changed(X):
    corruption, penalty = Masking(fill="mean"), KLDivergence(rho=0.1)
    Autoencoder(
        6,
        corruption=corruption,
        corruption_level=0.3,
        penalty=penalty,
        alpha=0.1,
        activation="sigmoid",
        max_epochs=1,
    ).fit(X)
    assert vars(corruption) == {"fill": "mean"}
    assert vars(penalty) == {"rho": 0.1}


def test_grid_over_a_part_of_a_part(X):
    grid = {"penalty__rho": [0.05, 0.3], "penalty": [KLDivergence()]}
    estimator = SparseAutoencoder(6, activation="sigmoid", max_epochs=1, random_state=0)
    search = GridSearchCV(estimator, grid, cv=2, error_score="raise").fit(X)
    assert len(search.cv_results_["params"]) == 2


# Cloning a callback doesn't copy this.
LOG = []


class Counting(Callback):
    """Logs what it is notified of."""

    def __init__(self):
        self.n_epochs = 0

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs += 1
        LOG.append(("epoch", self.n_epochs))

    def on_batch_end(self, net, training=False, **kwargs):
        LOG.append(("batch", training))


@pytest.mark.parametrize("named", [False, True])
def test_callbacks_act_and_are_cloned(make, X, named):
    LOG.clear()
    callback = Counting()
    estimator = make(callbacks=[("mine", callback) if named else callback]).fit(X)
    assert LOG.count(("epoch", 1)) == LOG.count(("epoch", 2)) == 1
    assert LOG.count(("batch", True)) == 2 * 3
    assert callback.n_epochs == 0
    LOG.clear()
    estimator.fit(X)
    assert LOG.count(("epoch", 1)) == 1
    # A callback that only looks changes nothing.
    assert_array_equal(estimator.transform(X), make().fit_transform(X))
    assert_allclose(estimator.loss_curve_, make().fit(X).loss_curve_, rtol=1e-6)


def test_callbacks_of_skorch_act(X):
    stop = EarlyStopping(monitor="train_loss", patience=2, threshold=0.9)
    estimator = Autoencoder(6, max_epochs=50, callbacks=[stop], random_state=0).fit(X)
    assert estimator.n_iter_ < 50
    scoring = EpochScoring(lambda net, X, y: 7.0, name="seven", use_caching=False)
    estimator = Autoencoder(6, max_epochs=2, callbacks=[scoring], early_stopping=True).fit(X)
    assert estimator.net_.history[:, "seven"] == [7.0, 7.0]


# --------------------------------------------------------------------------- randomness


class Dropping(nn.Module):
    """Draws its masks from torch's global generator, as modules do."""

    def __init__(self, n_features_in, n_components):
        super().__init__()
        self.layer = nn.Linear(n_features_in, n_components)

    def forward(self, x):
        return nn.functional.dropout(self.layer(x), 0.5, training=self.training)


SEEDED = {
    "plain": Autoencoder(),
    "sparse": SparseAutoencoder(hidden_layer_sizes=(7,), tied_weights=True),
    "topk": SparseAutoencoder(activation=TopK(k=2)),
    "dropout": DropoutAutoencoder(),
    "masking": DenoisingAutoencoder(),
    "masking mean": DenoisingAutoencoder(corruption=Masking(fill="mean")),
    "gaussian": DenoisingAutoencoder(corruption=GaussianNoise()),
    "salt_and_pepper": DenoisingAutoencoder(corruption="salt_and_pepper"),
    "swap": DenoisingAutoencoder(corruption="swap", early_stopping=True),
    "user's module": Autoencoder(encoder=Dropping),
    "float64": Autoencoder(precision="float64"),
}


@pytest.mark.parametrize("name", SEEDED)
def test_same_seed_same_bits_in_four_threads_at_once(X, name):
    estimator = clone(SEEDED[name]).set_params(
        n_components=6, max_epochs=6, batch_size=8, random_state=0
    )

    def codes(_):
        return clone(estimator).fit(X.copy()).partial_fit(X.copy()).transform(X.copy())

    expected = codes(0)
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(codes, range(8)):
            assert_array_equal(result, expected)
    other = estimator.set_params(random_state=1)
    assert not np.array_equal(codes(0), expected), other


def test_different_seeds_at_once_do_not_mix(X):
    def codes(seed):
        estimator = Autoencoder(6, encoder=Dropping, max_epochs=4, random_state=seed)
        return estimator.fit_transform(X)

    expected = [codes(seed) for seed in range(6)]
    with ThreadPoolExecutor(4) as pool:
        assert_array_equal(list(pool.map(codes, range(6))), expected)


def test_the_seed_decides_order_dropout_and_corruption(X):
    """Where the initial weights are given, nothing else is left for it to decide."""
    encoder, decoder = new_parts()
    for strength in ({}, {"dropout": 0.3}, {"corruption_level": 0.3}):
        batch_size = 40 if strength else 8
        codes = [
            Autoencoder(
                6,
                encoder=encoder,
                decoder=decoder,
                batch_size=batch_size,
                max_epochs=2,
                random_state=seed,
                **strength,
            ).fit_transform(X)
            for seed in (0, 0, 1)
        ]
        assert_array_equal(codes[0], codes[1])
        assert np.abs(codes[0] - codes[2]).max() > 1e-4, strength


@pytest.mark.parametrize("name", SEEDED)
def test_global_generators_are_untouched(X, name):
    estimator = clone(SEEDED[name]).set_params(n_components=6, max_epochs=2, random_state=0)
    states = []
    for _ in range(2):
        states.append(
            (
                torch.get_rng_state().numpy().tobytes(),
                str(np.random.get_state()),  # noqa: NPY002
                str(random.getstate()),
            )
        )
        estimator.fit(X).partial_fit(X).score(X)
    assert states[0] == states[1]


def test_passes_of_a_module_that_draws(X):
    """Ten passes draw ten masks, those of one fit of ten epochs."""
    params = {"encoder": Dropping, "learning_rate_schedule": "constant", "random_state": 0}
    once = Autoencoder(6, max_epochs=4, **params).fit(X)
    passes = Autoencoder(6, **params)
    for _ in range(4):
        passes = pickle.loads(pickle.dumps(passes.partial_fit(X)))
    assert_allclose(passes.loss_curve_, once.loss_curve_, rtol=1e-5)
    assert_allclose(passes.transform(X), once.transform(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(40, 8), (200, 64), (50, 65), (20, 500)], ids=str)
def test_codes_do_not_depend_on_the_address(shape):
    X = np.random.RandomState(0).normal(size=shape).astype(np.float32)
    estimator = Autoencoder(7, max_epochs=1, random_state=0).fit(X)
    memory = np.empty(X.nbytes + 64, np.uint8)
    expected = None
    for offset in range(0, 64, 4):
        moved = memory[offset : offset + X.nbytes].view(np.float32).reshape(shape)
        moved[:] = X
        fitted = clone(estimator).fit(moved)
        results = [
            estimator.transform(moved),
            fitted.transform(X),
            estimator.reconstruct(moved),
            estimator.score_samples(moved),
        ]
        expected = expected or results
        for result, first in zip(results, expected, strict=True):
            assert_array_equal(result, first)


def test_grid_search_in_processes_gives_equal_scores(X):
    grid = {"corruption_level": [0.1, 0.5], "n_components": [3, 6]}
    estimator = DenoisingAutoencoder(max_epochs=3, batch_size=8, random_state=0)
    searches = [
        GridSearchCV(estimator, grid, cv=3, n_jobs=n_jobs, error_score="raise").fit(X)
        for n_jobs in (1, 2)
    ]
    for key in searches[0].cv_results_:
        if key.endswith("_score"):
            assert_array_equal(*[search.cv_results_[key] for search in searches])
    assert_array_equal(*[search.transform(X) for search in searches])


# ------------------------------------------------------------------------------- pickling


def by_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


ROADS = {
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "joblib": by_joblib,
    "cloudpickle": lambda estimator: pickle.loads(cloudpickle.dumps(estimator)),
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("name", SEEDED)
@pytest.mark.parametrize("trained", ["fit", "warm", "partial_fit", "unfitted"])
def test_a_copy_hashes_like_the_original(X, road, name, trained):
    estimator = clone(SEEDED[name]).set_params(
        n_components=6, max_epochs=2, random_state=0, warm_start=trained == "warm"
    )
    if trained != "unfitted":
        estimator.fit(X)
    if trained == "partial_fit":
        estimator.partial_fit(X)
    other = ROADS[road](estimator)
    assert joblib.hash(other) == joblib.hash(estimator)
    assert joblib.hash(ROADS[road](other)) == joblib.hash(estimator)
    if trained != "unfitted":
        assert_array_equal(other.transform(X), estimator.transform(X))
        other.partial_fit(X)
        assert joblib.hash(other) != joblib.hash(estimator)


def test_another_fit_has_another_hash(make, X):
    estimator = make().fit(X)
    assert joblib.hash(make(random_state=1).fit(X)) != joblib.hash(estimator)
    assert joblib.hash(make().fit(X[1:])) != joblib.hash(estimator)


def test_the_optimizer_is_in_a_pickle_only_where_it_is_needed():
    X = np.random.RandomState(0).normal(size=(20, 200))
    sizes = {}
    for name in ("fit", "warm", "partial_fit"):
        estimator = Autoencoder(150, max_epochs=1, warm_start=name == "warm").fit(X)
        if name == "partial_fit":
            estimator.partial_fit(X)
        sizes[name] = len(pickle.dumps(estimator)) / (2 * 150 * 200 * 4)
    assert sizes["fit"] < 1.2
    assert sizes["warm"] > 2.9
    assert sizes["partial_fit"] > 2.9


def test_a_pickle_holds_no_torch_storage(X):
    module = Autoencoder(6, encoder=nn.Linear(8, 6), warm_start=True)
    for estimator in [*SEEDED.values(), module]:
        data = pickle.dumps(clone(estimator).set_params(n_components=6, max_epochs=1).fit(X))
        assert b"torch.storage" not in data
        assert b"_rebuild_tensor" not in data


# ------------------------------------------------------------------------------ containers


def test_sparse_input_equals_dense(make, X):
    thin = np.where(np.abs(X) > 1, X, 0)
    for convert in (sparse.csr_matrix, sparse.csr_array):
        given = convert(thin)
        estimator, dense = make().fit(given), make().fit(thin)
        assert_allclose(estimator.loss_curve_, dense.loss_curve_, rtol=1e-5)
        for method in ("transform", "reconstruct", "score_samples", "score"):
            expected = getattr(dense, method)(thin)
            assert_allclose(getattr(estimator, method)(given), expected, rtol=1e-4, atol=1e-5)
        codes = sparse.csr_array(dense.transform(thin))
        assert_array_equal(dense.inverse_transform(codes), dense.inverse_transform(codes.toarray()))


@pytest.mark.parametrize(
    "convert",
    [
        torch.from_numpy,
        lambda X: torch.from_numpy(X).requires_grad_(),
        lambda X: torch.from_numpy(np.ascontiguousarray(X.T)).T,
        lambda X: torch.from_numpy(X).double(),
        lambda X: nn.Parameter(torch.from_numpy(X)),
    ],
    ids=["tensor", "with gradient", "transposed", "double", "parameter"],
)
def test_torch_tensors(make, X, convert):
    given, before = convert(X.copy()), X.copy()
    estimator, expected = make().fit(given), make().fit(X)
    codes = estimator.transform(given)
    assert type(codes) is np.ndarray
    assert codes.dtype == np.float32
    assert_allclose(codes, expected.transform(X), rtol=1e-5, atol=1e-6)
    assert_allclose(
        estimator.inverse_transform(torch.from_numpy(codes)), expected.reconstruct(X), atol=1e-5
    )
    assert_array_equal(given.detach().numpy(), before)


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_frames_and_set_output(make, X, library):
    names = list("abcdefgh")
    frame = library.DataFrame(dict(zip(names, X.T, strict=True)))
    estimator = make().set_output(transform=library.__name__)
    codes = estimator.fit_transform(frame)
    assert isinstance(codes, library.DataFrame)
    assert list(codes.columns) == list(estimator.get_feature_names_out())
    assert list(estimator.feature_names_in_) == names
    assert list(estimator.get_feature_names_out(names)) == list(codes.columns)
    with pytest.raises(ValueError, match="input_features"):
        estimator.get_feature_names_out(names[::-1])
    assert_allclose(codes.to_numpy(), make().fit_transform(X), rtol=1e-5, atol=1e-6)
    assert type(estimator.inverse_transform(codes.to_numpy())) is np.ndarray
    assert clone(estimator).fit_transform(frame).shape == (40, 6)


def test_device_names(make, X):
    codes = make(device="cpu").fit_transform(X)
    assert_array_equal(make(device=torch.device("cpu")).fit_transform(X), codes)
    if not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        assert_array_equal(make(device="auto").fit_transform(X), codes)


# ------------------------------------------------------------------------------- the classes


def test_each_class_shows_only_its_own_knobs():
    knobs = {
        Autoencoder: {"penalty", "alpha", "dropout", "corruption", "corruption_level"},
        SparseAutoencoder: {"penalty", "alpha"},
        DropoutAutoencoder: {"dropout"},
        DenoisingAutoencoder: {"corruption", "corruption_level"},
    }
    every = knobs[Autoencoder]
    shared = set(Autoencoder().get_params()) - every
    for cls, own in knobs.items():
        assert set(cls().get_params()) == shared | own
        assert set(cls._parameter_constraints) == shared | own
        for hidden in every - own:
            with pytest.raises(ValueError, match=f"Invalid parameter '{hidden}'"):
                cls().set_params(**{hidden: 0.1})
            with pytest.raises(TypeError, match=hidden):
                cls(**{hidden: 0.1})
        for name in shared:
            default = inspect.signature(cls).parameters[name].default
            assert default == inspect.signature(Autoencoder).parameters[name].default


def test_the_plain_one_with_a_strength_is_the_variant(X):
    small = {"n_components": 6, "max_epochs": 3, "random_state": 0}
    pairs = [
        (SparseAutoencoder(alpha=0.2, **small), {"alpha": 0.2}),
        (DropoutAutoencoder(dropout=0.2, **small), {"dropout": 0.2}),
        (DenoisingAutoencoder(corruption_level=0.2, **small), {"corruption_level": 0.2}),
    ]
    for variant, strength in pairs:
        plain = Autoencoder(**small, **strength).fit(X)
        assert_array_equal(variant.fit_transform(X), plain.transform(X))
        assert not np.array_equal(Autoencoder(**small).fit_transform(X), plain.transform(X))


def test_every_strength_is_off_by_default(X):
    small = {"n_components": 6, "max_epochs": 2, "random_state": 0}
    expected = Autoencoder(**small).fit(X)
    for off in (
        SparseAutoencoder(alpha=0, **small),
        DropoutAutoencoder(dropout=0, **small),
        DenoisingAutoencoder(corruption_level=0, **small),
    ):
        assert off.fit(X).loss_curve_ == expected.loss_curve_
    for cls in (SparseAutoencoder, DropoutAutoencoder, DenoisingAutoencoder):
        assert cls(**small).fit(X).loss_curve_ != expected.loss_curve_


def test_the_first_parameter_is_the_width(make, X):
    assert make.cls(3, max_epochs=1).fit_transform(X).shape == (40, 3)
    assert make.cls(200, max_epochs=1).fit_transform(X).shape == (40, 200)
    with pytest.raises(TypeError):
        make.cls(3, (5,))


def test_unfitted_has_no_results(make):
    with pytest.raises(NotFittedError):
        make().get_feature_names_out()
    for name in ("net_", "components_", "n_iter_", "loss_curve_", "n_features_in_"):
        assert not hasattr(make(), name)
