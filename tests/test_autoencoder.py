"""The behavior of the estimators, against hand-written NumPy and torch."""

import copy
import io
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, pairwise, product

import cloudpickle
import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

from sklearn_ae import Autoencoder, DenoisingAutoencoder, DropoutAutoencoder, SparseAutoencoder
from sklearn_ae._training._net import ReconstructionNet
from sklearn_ae.corruptions import GaussianNoise, Masking
from sklearn_ae.modules import TopK

STILL = {"optimizer": "sgd", "learning_rate": 1e-30, "learning_rate_schedule": "constant"}


def small(cls=Autoencoder, **params):
    return cls(**{"n_components": 6, "max_epochs": 2, "random_state": 0, **params})


@pytest.fixture
def X01(X):
    return (X - X.min()) / (X.max() - X.min())


@pytest.fixture
def held(monkeypatch):
    """Return, of each training, the rows that it trained on and those that it held out."""
    splits = []

    def recorded(self, *args, **kwargs):
        both = split(self, *args, **kwargs)
        splits.append([part.take(slice(None)).numpy().copy() for part in both])
        return both

    split = ReconstructionNet.get_split_datasets
    monkeypatch.setattr(ReconstructionNet, "get_split_datasets", recorded)
    return splits


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": expit,
    "tanh": np.tanh,
    "identity": lambda x: x,
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "silu": lambda x: x * expit(x),
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


SHAPES = [((), False), ((7, 5), True), ((), True), ((7, 5), False)]


@pytest.mark.parametrize(("activation", "shape"), list(zip(ACTIVATIONS, cycle(SHAPES))), ids=str)
def test_codes_and_reconstructions_by_hand(X, activation, shape):
    hidden, tied = shape
    estimator = small(activation=activation, hidden_layer_sizes=hidden, tied_weights=tied).fit(X)
    codes, out = forward(estimator, X, activation)
    assert_allclose(estimator.transform(X), codes, rtol=1e-4, atol=1e-5)
    assert_allclose(estimator.inverse_transform(codes), out, rtol=1e-4, atol=1e-5)
    assert_allclose(estimator.reconstruct(X), out, rtol=1e-4, atol=1e-5)
    encoder, decoder = estimator.net_.module_.encoder, estimator.net_.module_.decoder
    shapes = [weight.shape for weight, _ in layers(encoder)]
    assert shapes == [(n_out, n_in) for n_in, n_out in pairwise([8, *hidden, 6])]
    assert [weight.shape for weight, _ in layers(decoder)] == shapes[::-1]
    for mine, other in zip(encoder.layers, reversed(decoder.layers), strict=True):
        assert (mine.weight is other.weight) == tied


@pytest.mark.parametrize("loss", LOSSES)
def test_scores_by_hand(X01, loss):
    """The score is minus the mean squared error, whatever the loss is."""
    estimator = small(loss=loss).fit(X01)
    _, out = forward(estimator, X01)
    out = expit(out) if loss == "binary_cross_entropy" else out
    assert_allclose(estimator.reconstruct(X01), out, rtol=1e-4, atol=1e-5)
    expected = -((out - X01) ** 2).mean(axis=1)
    assert_allclose(estimator.score_samples(X01), expected, rtol=1e-4, atol=1e-6)
    assert_allclose(estimator.score(X01), expected.mean(), rtol=1e-4)
    assert isinstance(estimator.score(X01), float)
    assert estimator.score(X01) == estimator.score(X01, y=["any"] * 40)
    assert_allclose(
        estimator.reconstruct(X01), estimator.inverse_transform(estimator.transform(X01)), rtol=1e-5
    )


def test_components(X):
    estimator = small().fit(X)
    ((weight, _),) = layers(estimator.net_.module_.encoder)
    assert weight.shape == (6, 8)
    assert_array_equal(estimator.components_, weight.astype(np.float32))
    for params in ({"hidden_layer_sizes": (5,)}, {"encoder": nn.Linear}):
        with pytest.raises(AttributeError, match="one dense layer"):
            _ = small(**params).fit(X).components_


def test_attributes_after_fit(make, X):
    estimator = make(max_epochs=3)
    assert estimator.fit(X) is estimator
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 3
    assert all(type(loss) is float for loss in estimator.loss_curve_)
    assert estimator.validation_loss_curve_ is None
    assert isinstance(estimator.net_, ReconstructionNet)
    name = make.cls.__name__.lower()
    assert list(estimator.get_feature_names_out()) == [f"{name}{i}" for i in range(6)]
    curve = make(max_epochs=60, learning_rate=0.01, n_components=20).fit(X).loss_curve_
    assert curve[-1] < 0.8 * curve[0]
    # The first parameter is the width, and the only one by position.
    assert make.cls(200, max_epochs=1).fit_transform(X).shape == (40, 200)
    with pytest.raises(TypeError):
        make.cls(3, (5,))


def objective_by_hand(estimator, X, activation, loss, penalty, alpha):
    codes, out = forward(estimator, X, activation)
    return LOSSES[loss](out, X).sum(axis=1).mean() + alpha * PENALTIES[penalty](codes)


@pytest.mark.parametrize(
    ("loss", "penalty", "alpha", "batch_size"),
    [
        ("squared_error", "l1", 0.7, 7),
        ("squared_error", "l2", 0.7, 40),
        ("binary_cross_entropy", "l2", 0.7, 7),
        ("huber", "l1", 0.7, 40),
        # The mean activation of KL is that of a batch.
        ("huber", "kl", 0.7, 40),
    ],
)
def test_loss_curve_by_hand(X01, loss, penalty, alpha, batch_size):
    """With a learning rate of nothing, each epoch's loss is that of the network itself."""
    X = 4 * X01 if loss != "binary_cross_entropy" else X01
    activation = "sigmoid" if penalty == "kl" else "tanh"
    params = {"loss": loss, "penalty": penalty, "alpha": alpha, "activation": activation}
    estimator = small(SparseAutoencoder, batch_size=batch_size, **params, **STILL).fit(X)
    expected = objective_by_hand(estimator, X, activation, loss, penalty, alpha)
    assert_allclose(estimator.loss_curve_, [expected] * 2, rtol=1e-5)


def test_validation_loss_by_hand(X, held):
    """Neither corruption nor dropout touches the rows held out."""
    stop = {"early_stopping": True, "validation_fraction": 0.33}
    estimator = small(alpha=0.3, dropout=0.5, corruption_level=0.5, **stop, **STILL).fit(X)
    ((train, valid),) = held
    assert len(valid) == 14
    assert len(train) == 26
    both = np.vstack([train, valid])
    assert_array_equal(both[np.lexsort(both.T)], X[np.lexsort(X.T)])
    expected = objective_by_hand(estimator, valid, "relu", "squared_error", "l1", 0.3)
    assert_allclose(estimator.validation_loss_curve_, [expected] * 2, rtol=1e-5)
    plain = objective_by_hand(estimator, train, "relu", "squared_error", "l1", 0.3)
    assert all(loss > 1.05 * plain for loss in estimator.loss_curve_)


def test_dropout_in_expectation():
    """Dropped and rescaled codes add half their variance times the atoms; the penalty is of all."""
    X = np.random.RandomState(0).normal(size=(20_000, 8))
    params = {"alpha": 2, "penalty": "l2", **STILL}
    plain, dropped = (small(dropout=dropout, **params).fit(X) for dropout in (0, 0.3))
    codes, _ = forward(plain, X)
    norms = (layers(plain.net_.module_.decoder)[0][0] ** 2).sum(axis=1)
    extra = 0.5 * (codes**2 * norms).sum(axis=1).mean() * 0.3 / 0.7
    assert extra > 0.05 * plain.loss_curve_[0]
    assert_allclose(dropped.loss_curve_[0] - plain.loss_curve_[0], extra, rtol=0.05)


def new_parts(dtype=torch.float32):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        encoder, decoder = nn.Sequential(nn.Linear(8, 6), nn.ReLU()), nn.Linear(6, 8)
    return encoder.to(dtype), decoder.to(dtype)


TORCH_LOSSES = {
    "squared_error": lambda out, x: 0.5 * (out - x).square().sum(dim=1).mean(),
    "binary_cross_entropy": lambda out, x: nn.BCEWithLogitsLoss(reduction="sum")(out, x) / len(x),
    "huber": lambda out, x: nn.HuberLoss(reduction="sum")(out, x) / len(x),
}

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


def train_by_hand(
    encoder, decoder, X, *, loss="squared_error", alpha=0.0, optimizer="adam", learning_rate=1e-3,
    learning_rate_schedule="linear", weight_decay=0.0, max_epochs=10, unit_norm=False, center=0.0,
):  # fmt: skip
    """Train with the whole X as one batch, in a plain loop, a center taken off the input."""
    encoder, decoder = copy.deepcopy((encoder, decoder))
    x = torch.as_tensor(X, dtype=next(encoder.parameters()).dtype)
    parameters = list(dict.fromkeys([*encoder.parameters(), *decoder.parameters()]))
    steps = OPTIMIZERS[optimizer](parameters, lr=learning_rate, weight_decay=weight_decay)
    curve = []
    for epoch in range(max_epochs):
        if learning_rate_schedule == "linear":
            steps.param_groups[0]["lr"] = learning_rate * (1 - epoch / max_epochs)
        codes = encoder(x - center)
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
    ("params", "precision", "callbacks"),
    [
        ({}, "float32", "some"),
        ({"learning_rate_schedule": "constant"}, "float64", None),
        ({"optimizer": "sgd", "learning_rate": 0.01}, "float64", "some"),
        ({"optimizer": "adamw", "weight_decay": 0.5, "learning_rate": 0.01}, "float64", None),
        ({"optimizer": "adam", "weight_decay": 0.5, "learning_rate": 0.01}, "float64", "some"),
        ({"optimizer": "sgd", "weight_decay": 0.5}, "float64", None),
        ({"alpha": 0.3}, "float64", "some"),
        ({"alpha": 0.3, "loss": "huber", "learning_rate": 0.01}, "float64", None),
        ({"loss": "binary_cross_entropy", "learning_rate": 0.01}, "float64", None),
    ],
    ids=str,
)
def test_fit_is_a_plain_torch_loop(X01, params, precision, callbacks):
    X = X01.astype(precision)
    encoder, decoder = new_parts(dtype=getattr(torch, precision))
    given = {"encoder": encoder, "decoder": decoder, "callbacks": callbacks and [Callback()]}
    estimator = small(max_epochs=10, precision=precision, **given, **params).fit(X)
    expected = train_by_hand(encoder, decoder, X, **params)
    assert_trained_like(estimator, *expected, 1e-5 if precision == "float32" else 1e-9)
    for look in (estimator.transform, estimator.reconstruct, estimator.score_samples):
        assert look(X).dtype == precision
    assert not torch.equal(expected[0][0].weight, encoder[0].weight)


@pytest.mark.parametrize(
    ("tied", "alpha", "hidden"),
    [(False, 0.0, ()), (True, 0.0, (7,)), (False, 0.3, (7,)), (True, 0.3, ())],
)
def test_fit_of_the_built_in_parts_is_a_plain_torch_loop(X, tied, alpha, hidden):
    """Under the L1 penalty with the atoms brought back to unit norm after each step."""
    params = {"tied_weights": tied, "alpha": alpha, "hidden_layer_sizes": hidden}
    start = small(precision="float64", **params, **STILL).fit(X).net_.module_
    estimator = small(max_epochs=8, learning_rate=0.01, precision="float64", **params).fit(X)
    by_hand = {"alpha": alpha, "learning_rate": 0.01, "max_epochs": 8, "unit_norm": alpha > 0}
    # The built-in encoder is trained around the mean of the data, and is a plain one afterwards.
    center = torch.from_numpy(X.mean(axis=0, dtype=np.float64))
    with torch.no_grad():
        start.encoder.layers[0].bias += start.encoder.layers[0].weight @ center
    expected = train_by_hand(start.encoder, start.decoder, X, center=center, **by_hand)
    with torch.no_grad():
        expected[0].layers[0].bias -= expected[0].layers[0].weight @ center
    assert_trained_like(estimator, *expected, 1e-7)
    assert hidden or estimator.components_.dtype == np.float64


def test_unit_norm_of_a_decoder_of_the_users(X):
    class Normalized(nn.Linear):
        def normalize_atoms(self):
            with torch.no_grad():
                self.weight /= self.weight.norm(dim=0)

    def norms(cls):
        params = {"decoder": lambda d, k: cls(k, d), "max_epochs": 3, "learning_rate": 0.1}
        module = small(SparseAutoencoder, **params).fit(X).net_.module_
        return module.decoder.weight.detach().norm(dim=0).numpy()

    assert_allclose(norms(Normalized), 1, rtol=1e-5)
    assert np.abs(norms(nn.Linear) - 1).max() > 0.1


def test_learning_rate_falls_to_zero_by_step(X):
    rates = []

    class Rates(Callback):
        def on_batch_end(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    params = {"max_epochs": 4, "batch_size": 10, "learning_rate": 0.2, "callbacks": [Rates()]}
    estimator = small(**params).fit(X).partial_fit(X)
    estimator.set_params(learning_rate_schedule="constant", learning_rate=0.1).fit(X)
    assert_allclose(rates, np.r_[0.2 * (1 - np.arange(16) / 16), [0.2] * 4, [0.1] * 16])


@pytest.mark.parametrize("callbacks", [None, "some"])
def test_early_stopping_restores_the_best_weights(held, callbacks):
    X = np.random.RandomState(0).normal(size=(60, 8))
    stop = {"early_stopping": True, "validation_fraction": 0.5, "n_iter_no_change": 4, "tol": 0}
    steps = {"learning_rate": 0.1, "learning_rate_schedule": "constant"}
    callbacks = callbacks and [Callback()]
    estimator = small(n_components=30, max_epochs=300, callbacks=callbacks, **stop, **steps).fit(X)
    curve = estimator.validation_loss_curve_
    best = int(np.argmin(curve))
    # It stopped, four epochs after the best one, and not at the best weights by luck.
    assert estimator.n_iter_ == len(curve) == len(estimator.loss_curve_) == best + 5
    assert curve[-1] > 1.01 * curve[best]
    actual = objective_by_hand(estimator, held[0][1], "relu", "squared_error", "l1", 0)
    assert_allclose(actual, curve[best], rtol=1e-5)
    # Cut off two epochs after the best one, patience is not used up.
    short = clone(estimator).set_params(max_epochs=best + 3).fit(X)
    assert short.n_iter_ == best + 3
    assert_array_equal(short.transform(X), estimator.transform(X))


def test_tol_is_in_units_of_the_loss(X):
    params = {"early_stopping": True, "validation_fraction": 0.5, "n_iter_no_change": 3}
    fits = [small(tol=tol, max_epochs=40, **params).fit(X) for tol in (0, 0.05, 1e3)]
    assert [ae.n_iter_ for ae in fits[::2]] == [40, 4]
    curve = fits[1].validation_loss_curve_
    # By hand: the third epoch in a row that is not better than the last better one by tol.
    best, waited = np.inf, 0
    while waited < 3:
        loss = curve.pop(0)
        best, waited = (loss, 0) if loss < best - 0.05 else (best, waited + 1)
    assert 4 < fits[1].n_iter_ < 40
    assert not curve


def test_warm_start_keeps_the_rows_held_out_and_the_best_weights(X, held):
    ae = small(early_stopping=True, warm_start=True, max_epochs=30).fit(X)
    codes, best = ae.transform(X), min(ae.validation_loss_curve_)
    # Steps so large that nothing after the start is any good.
    ae.set_params(optimizer="sgd", learning_rate=0.5, max_epochs=4).fit(X)
    assert min(ae.validation_loss_curve_[-ae.n_iter_ :]) > best
    assert_array_equal(ae.transform(X), codes)
    for train, valid in held:
        assert_array_equal(train, held[0][0])
        assert_array_equal(valid, held[0][1])
    assert len(held) > 1


def test_warm_start(X):
    estimator = small(SparseAutoencoder, warm_start=True).fit(X)
    first, net = list(estimator.loss_curve_), estimator.net_
    before = estimator.fit(X).components_
    assert (estimator.n_iter_, len(estimator.loss_curve_)) == (2, 4)
    assert estimator.partial_fit(X).n_iter_ == 3
    estimator = small(SparseAutoencoder, warm_start=True).fit(X).fit(X)
    assert estimator.loss_curve_[:2] == first
    assert estimator.net_ is not net
    # It takes new settings.
    estimator.set_params(**STILL, alpha=2.0).fit(X)
    assert_allclose(estimator.components_, before, rtol=1e-6)
    expected = objective_by_hand(estimator, X, "relu", "squared_error", "l1", 2.0)
    assert_allclose(estimator.loss_curve_[-2:], [expected] * 2, rtol=1e-5)
    again = small(SparseAutoencoder, warm_start=True).fit(X).set_params(warm_start=False)
    assert again.fit(X).loss_curve_ == small(SparseAutoencoder).fit(X).loss_curve_ == first


def test_parts_by_callables(X):
    asked = []

    def part(*sizes):
        asked.append(sizes)
        return nn.Linear(*(sizes if len(asked) == 1 else sizes[::-1]))

    estimator = small(encoder=part, decoder=part).fit(X)
    assert asked == [(8, 6), (8, 6)]
    with torch.no_grad():
        expected = estimator.net_.module_.encoder(torch.tensor(X)).numpy()
    assert_allclose(estimator.transform(X), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_module_is_where_training_starts(X, dtype):
    """In the precision of the estimator; and what the module freezes stays."""
    encoder, decoder = new_parts(dtype)
    encoder[0].bias.requires_grad_(False)
    before = copy.deepcopy((encoder.state_dict(), decoder.state_dict()))
    estimator = small(encoder=encoder, decoder=decoder, **STILL)
    codes = estimator.fit_transform(X)
    assert codes.dtype == np.float32
    with torch.no_grad():
        expected = encoder(torch.tensor(X, dtype=dtype)).numpy()
    assert_allclose(codes, expected, rtol=1e-5, atol=1e-6)
    estimator.set_params(optimizer="adam", learning_rate=0.1, weight_decay=0.1, max_epochs=3)
    trained = estimator.fit(X).partial_fit(X).net_.module_.encoder[0]
    assert not np.allclose(estimator.transform(X), codes)
    assert not torch.equal(trained.weight, encoder[0].weight.float())
    assert torch.equal(trained.bias, encoder[0].bias.float())
    assert not trained.bias.requires_grad
    for part, state in zip((encoder, decoder), before, strict=True):
        assert all(torch.equal(part.state_dict()[name], state[name]) for name in state)
        assert all(p.grad is None for p in part.parameters())
    assert estimator.encoder is encoder
    assert encoder.training


def test_a_custom_decoder_gives_logits_under_cross_entropy(X01):
    _, decoder = new_parts()
    estimator = small(decoder=decoder, loss="binary_cross_entropy").fit(X01)
    codes = torch.tensor(estimator.transform(X01))
    with torch.no_grad():
        logits = estimator.net_.module_.decoder(codes).numpy()
    assert_allclose(estimator.inverse_transform(codes.numpy()), expit(logits), rtol=1e-4)
    assert_allclose(estimator.reconstruct(X01), expit(logits), rtol=1e-4)


class Dropping(nn.Sequential):
    """Draws its masks from torch's global generator, as modules do."""

    def __init__(self, n_features_in, n_components):
        super().__init__(nn.Linear(n_features_in, n_components), nn.Dropout(0.5))


class Draws(Callback):
    def on_epoch_end(self, net, **kwargs):
        torch.rand(3)


def linear_decoder(n_features_in, n_components):
    return nn.Linear(n_components, n_features_in)


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
    "user's class": Autoencoder(encoder=Dropping),
    "user's module": SparseAutoencoder(encoder=nn.Linear(8, 6)),
    "float64": Autoencoder(precision="float64"),
    "both parts": Autoencoder(
        encoder=nn.Linear, decoder=linear_decoder, loss="binary_cross_entropy"
    ),
    "random activation": Autoencoder(activation=nn.functional.rrelu),
    "callback": Autoencoder(callbacks=[Draws()]),
}


def global_states():
    states = torch.get_rng_state().numpy().tobytes(), np.random.get_state()  # noqa: NPY002
    return str([*states, random.getstate()])


@pytest.mark.filterwarnings("ignore:max_epochs=3 ended training while")
@pytest.mark.parametrize("name", SEEDED)
def test_same_seed_same_bits_in_four_threads_at_once(X01, name):
    """Whatever another thread draws; and global generators are neither used nor changed."""
    params = {"n_components": 6, "max_epochs": 3, "batch_size": 8}

    def codes(seed):
        estimator = clone(SEEDED[name]).set_params(random_state=seed, **params)
        codes = estimator.fit(X01.copy()).partial_fit(X01.copy()).transform(X01.copy())
        estimator.score(X01)
        return codes

    expected = [codes(0), codes(1)]
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    before = global_states()
    with ThreadPoolExecutor(4) as pool:
        assert_array_equal(list(pool.map(codes, [0, 1] * 2)), expected * 2)
    assert not np.array_equal(*expected)
    assert global_states() == before


def test_the_seed_decides_order_dropout_and_corruption(X):
    """Where the initial weights are given, nothing else is left for it to decide."""
    encoder, decoder = new_parts()
    for strength in ({}, {"dropout": 0.3}, {"corruption_level": 0.3}):
        batch_size = 40 if strength else 8
        params = {"encoder": encoder, "decoder": decoder, "batch_size": batch_size, **strength}
        codes = [small(random_state=seed, **params).fit_transform(X) for seed in (0, 0, 1)]
        assert_array_equal(codes[0], codes[1])
        assert np.abs(codes[0] - codes[2]).max() > 1e-4, strength


def test_passes_of_a_module_draw_new_masks(X):
    drawn = []

    class Recording(nn.Linear):
        def forward(self, x):
            if self.training:
                drawn.append(torch.rand(()).item())
            return super().forward(x)

    for _ in range(2):
        estimator = small(encoder=Recording, batch_size=40)
        for _ in range(3):
            estimator.partial_fit(X)
    assert len(set(drawn[:3])) == 3
    assert drawn[3:] == drawn[:3]


@pytest.mark.parametrize("shape", [(48, 8), (200, 64), (50, 65), (20, 500)], ids=str)
def test_codes_do_not_depend_on_the_address(shape):
    X = np.random.RandomState(0).normal(size=shape).astype(np.float32)
    estimator = Autoencoder(7, max_epochs=1, random_state=0).fit(X)
    memory = np.empty(X.nbytes + 64, np.uint8)
    expected = None
    for offset in (0, 4, 8, 20, 32, 60):
        moved = memory[offset : offset + X.nbytes].view(np.float32).reshape(shape)
        moved[:] = X
        looks = (estimator.transform, estimator.reconstruct, estimator.score_samples)
        results = [clone(estimator).fit(moved).transform(X), *(look(moved) for look in looks)]
        expected = expected or results
        for result, first in zip(results, expected, strict=True):
            assert_array_equal(result, first)


def by_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


ROADS = {
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "protocol 4": lambda estimator: pickle.loads(pickle.dumps(estimator, protocol=4)),
    "joblib": by_joblib,
    "cloudpickle": lambda estimator: pickle.loads(cloudpickle.dumps(estimator)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


LAYER = nn.Linear(6, 6)
TWICE = nn.Sequential(nn.Linear(8, 6), LAYER, nn.Tanh(), LAYER)
COPIED = SEEDED | {
    "batch norm": Autoencoder(encoder=nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6))),
    "layer twice": Autoencoder(encoder=TWICE),
    "layer in both": Autoencoder(encoder=TWICE, decoder=nn.Sequential(LAYER, nn.Linear(6, 8))),
}


def n_weights(estimator):
    """Count the weights, each once that is in several places."""
    return sum(parameter.numel() for parameter in estimator.net_.module_.parameters())


WAYS = product(ROADS, ("fit", "warm", "partial_fit", "unfitted"))


@pytest.mark.parametrize(("name", "way"), list(zip(cycle(COPIED), WAYS)), ids=str)
def test_copies_and_copies_of_copies(X01, name, way):
    road, trained = way
    estimator = clone(COPIED[name]).set_params(
        n_components=6, max_epochs=2, random_state=0, warm_start=trained == "warm"
    )
    if trained != "unfitted":
        estimator.fit(X01)
    if trained == "partial_fit":
        estimator.partial_fit(X01)
    data = pickle.dumps(estimator)
    assert b"torch.storage" not in data
    assert b"_rebuild_tensor" not in data
    hashed, other = joblib.hash(estimator), ROADS[road](estimator)
    assert joblib.hash(other) == joblib.hash(ROADS[road](other)) == hashed
    assert joblib.hash(clone(other)) == joblib.hash(clone(estimator))
    if trained == "unfitted":
        assert_array_equal(other.fit_transform(X01), estimator.fit_transform(X01))
        return
    codes = estimator.transform(X01)
    for method in ("transform", "reconstruct", "score_samples", "score"):
        assert_array_equal(getattr(other, method)(X01), getattr(estimator, method)(X01))
    assert_array_equal(other.inverse_transform(codes), estimator.inverse_transform(codes))
    assert other.loss_curve_ == estimator.loss_curve_
    # It trains on, and the original does not change.
    other.partial_fit(X01)
    assert n_weights(other) == n_weights(estimator)
    for another in (other, clone(estimator).fit(X01[1:])):
        assert joblib.hash(another) != hashed
    assert not np.array_equal(other.transform(X01), codes)
    assert_array_equal(estimator.transform(X01), codes)
    assert joblib.hash(estimator) == hashed


def test_weights_in_several_places_are_one(X):
    square = nn.Linear(8, 8)
    same = small(n_components=8, encoder=square, decoder=square)
    for estimator, expected in [
        (same, 8 * 8 + 8),
        (small(encoder=TWICE, decoder=nn.Sequential(LAYER, nn.Linear(6, 8))), 54 + 42 + 56),
        (small(hidden_layer_sizes=(7,), tied_weights=True), 8 * 7 + 7 * 6 + 7 + 6 + 7 + 8),
    ]:
        for each in (estimator, clone(clone(estimator))):
            assert n_weights(each.fit(X).partial_fit(X)) == expected


def test_a_pickle_holds_each_weight_once_and_the_optimizer_where_it_is_needed():
    X = np.random.RandomState(0).normal(size=(20, 200))

    def fitted(**params):
        return Autoencoder(150, max_epochs=1, **params).fit(X)

    def size(estimator):
        return len(pickle.dumps(estimator)) / (2 * 150 * 200 * 4)

    assert 0.5 < size(fitted(tied_weights=True)) < 0.6
    assert 1 < size(fitted()) < 1.1
    assert size(fitted(warm_start=True)) > 2.9
    assert size(fitted().partial_fit(X)) > 2.9


@pytest.mark.parametrize(
    ("cls", "strength"),
    [
        (SparseAutoencoder, "alpha"),
        (DropoutAutoencoder, "dropout"),
        (DenoisingAutoencoder, "corruption_level"),
    ],
)
def test_the_plain_one_with_a_strength_is_the_variant(X, cls, strength):
    """Every strength is off in the plain one by default, and on in its variant."""
    on = {strength: 0.2}
    runs = [(Autoencoder, {}), (cls, {strength: 0}), (Autoencoder, on), (cls, on), (cls, {})]
    fits = [small(each, **params).fit(X) for each, params in runs]
    curves = [fitted.loss_curve_ for fitted in fits]
    assert curves[0] == curves[1] != curves[2] == curves[3]
    assert curves[0] != curves[4]
    assert_array_equal(fits[2].transform(X), fits[3].transform(X))
