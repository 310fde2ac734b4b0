"""What went wrong in other packages, as small inputs; the letters are their list's."""

import copy
import json
import os
import pickle
import subprocess
import sys
from contextlib import nullcontext

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, learning_curve
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler
from skorch.callbacks import Callback
from torch import nn
from xgboost import XGBClassifier

from sklearn_ae import (
    Autoencoder,
    DenoisingAutoencoder,
    DivergenceError,
    SparseAutoencoder,
)
from sklearn_ae._engine import _batches, _inference
from sklearn_ae._engine._net import ReconstructionNet
from sklearn_ae.corruptions import GaussianNoise, Masking, SwapNoise
from sklearn_ae.modules import TopK
from sklearn_ae.penalties import KLDivergence

# Data that are not scaled and runs that are too short are the point here.
pytestmark = [
    pytest.mark.filterwarnings("ignore:X is not scaled"),
    pytest.mark.filterwarnings("ignore:All .* codes are zero"),
    pytest.mark.filterwarnings("ignore:.*columns of X carry"),
    pytest.mark.filterwarnings("ignore:.*while the validation loss still fell"),
]


@pytest.fixture
def y(X):
    return (X[:, 0] > 0).astype(int)


def small_xgb():
    return XGBClassifier(n_estimators=3, max_depth=2, n_jobs=1, random_state=0)


def weights(estimator):
    """Return every weight and buffer of the network."""
    state = estimator.net_.module_.state_dict()
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in state.items()}


def assert_same_weights(one, other):
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    for name in one:
        assert_array_equal(one[name], other[name], err_msg=name)


# ------------------------------------------------------------------------------------- C1


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix, sparse.csr_array, pd.DataFrame])
def test_c1_codes_are_dense_and_zeros_are_values(make, X, y, convert):
    codes = make(n_components=20, activation=TopK(k=2)).fit_transform(convert(X))
    assert type(codes) is np.ndarray
    assert codes.flags.c_contiguous
    assert np.isfinite(codes).all()
    assert (codes == 0).mean() >= 0.9
    model = small_xgb().fit(codes, y)
    # To XGBoost, an absent entry is missing: a dense 0 must not be that.
    assert_array_equal(model.predict_proba(codes), model.predict_proba(codes.copy() + 0.0))


@pytest.mark.parametrize("entries", [1, 100, 2**22])
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array])
def test_c1_sparse_codes_are_canonical(make, X, convert, entries, monkeypatch):
    monkeypatch.setattr(_inference, "_MAX_ENTRIES", entries)
    estimator = make(n_components=20, activation=TopK(k=2)).fit(X)
    dense = estimator.transform(convert(X))
    codes = estimator.set_params(output="csr").transform(convert(X))
    assert codes.format == "csr"
    assert codes.dtype == np.float32
    assert codes.has_canonical_format
    assert codes.shape == dense.shape
    assert (codes.data != 0).all()
    assert codes.nnz == np.count_nonzero(dense) <= 2 * len(X)
    assert_array_equal(codes.toarray(), dense)
    assert_array_equal(estimator.inverse_transform(codes), estimator.inverse_transform(dense))


def test_c1_sparse_codes_of_zeros(make, X):
    estimator = make(output="csr", activation=lambda x: x * 0).fit(X)
    codes = estimator.transform(X)
    assert codes.nnz == 0
    assert codes.shape == (40, 6)


# ------------------------------------------------------------------------------------- C2


@pytest.mark.parametrize("output", ["default", "pandas", "polars"])
def test_c2_output_names_suit_xgboost(make, X, y, output):
    columns = ["a[0]", "x<5", "[b]", "c>1", "d,e", "f", "a[1]", "<"]
    frame = pd.DataFrame(X, columns=columns)
    estimator = make().set_output(transform=output)
    pipeline = make_pipeline(estimator, small_xgb()).fit(frame, y)
    assert pipeline.predict(frame).shape == (40,)
    names = list(estimator.get_feature_names_out())
    assert names == [f"{make.cls.__name__.lower()}{i}" for i in range(6)]
    assert list(estimator.get_feature_names_out(columns)) == names
    assert len(set(names)) == len(names)
    assert not set("[]<>") & set("".join(names))


# ------------------------------------------------------------------------------------- C3

INDEXES = {
    "scattered": lambda n: np.random.RandomState(3).permutation(n) * 3 + 5,
    "duplicated dates": lambda n: pd.DatetimeIndex(["2020-01-01", "2019-05-05"] * (n // 2)),
    "strings": lambda n: [f"row {i % 7}" for i in range(n)],
}


def unions(make):
    names = [f"c{i}" for i in range(8)]
    yield FeatureUnion(
        [("raw", FunctionTransformer(feature_names_out="one-to-one")), ("ae", make())]
    )
    yield ColumnTransformer([("ae", make(), names[:5])], remainder="passthrough")


@pytest.mark.parametrize("index", INDEXES)
def test_c3_pandas_keeps_its_index_and_order(make, X, index):
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(8)], index=INDEXES[index](len(X)))
    for union, plain in zip(unions(make), unions(make), strict=True):
        result = union.set_output(transform="pandas").fit_transform(frame)
        again = union.transform(frame)
        assert result.index.equals(frame.index)
        assert result.shape == (40, 14 if isinstance(union, FeatureUnion) else 9)
        assert not result.isna().any(axis=None)
        assert_array_equal(result.to_numpy(), again.to_numpy())
        assert_array_equal(result.to_numpy(), plain.fit_transform(frame))
    codes = make().set_output(transform="pandas").fit_transform(frame)
    assert codes.index.equals(frame.index)
    assert_array_equal(codes, make().fit_transform(frame))


def test_c3_polars_keeps_its_order(make, X):
    frame = pl.DataFrame(X, schema=[f"c{i}" for i in range(8)])
    for union, plain in zip(unions(make), unions(make), strict=True):
        result = union.set_output(transform="polars").fit_transform(frame)
        assert result.null_count().to_numpy().sum() == 0
        assert np.isfinite(result.to_numpy()).all()
        assert_array_equal(result.to_numpy(), plain.fit_transform(frame))


# ------------------------------------------------------------------------------------- C4


@pytest.mark.parametrize("container", ["pandas", "polars"])
@pytest.mark.parametrize("asked", ["set_output", "config"])
def test_c4_sparse_codes_and_a_frame(make, X, container, asked, monkeypatch):
    estimator = make(output="csr")
    fitted = make(output="csr").fit(X)
    if asked == "set_output":
        context = nullcontext()
        estimator.set_output(transform=container)
        fitted.set_output(transform=container)
    else:
        context = config_context(transform_output=container)
    monkeypatch.setattr(ReconstructionNet, "fit_loop", lambda *a, **k: pytest.fail("trained"))
    needles = rf"output='csr'.*{container}.*output='dense'"
    with context:
        for method in ("fit", "fit_transform", "partial_fit"):
            with pytest.raises(ValueError, match=needles):
                getattr(estimator, method)(X)
        with pytest.raises(ValueError, match=needles):
            fitted.transform(X)
    assert not hasattr(estimator, "net_")


# ------------------------------------------------------------------------------------- C5


@pytest.mark.parametrize("target", ["none", "strings", "integers"])
def test_c5_model_selection_without_a_target(make, X, y, target):
    y = {"none": None, "strings": np.array(["cat", "dog"])[y], "integers": y}[target]
    grid = {"n_components": [1, 6], "learning_rate": [0.01]}
    search = GridSearchCV(make(max_epochs=20), grid, cv=2, error_score="raise").fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert (scores < 0).all()
    # Higher is better: a wider code copies more.
    assert scores[1] > scores[0]
    assert search.best_params_["n_components"] == 6
    assert np.isfinite(cross_val_score(make(), X, y, cv=2, error_score="raise")).all()
    _, train, test = learning_curve(make(), X, y, cv=2, error_score="raise")
    assert np.isfinite(train).all()
    assert np.isfinite(test).all()
    assert search.score(X) == search.best_estimator_.score(X, y)


# ------------------------------------------------------------------------------------- C6

CACHED = '''
import json, sys
from pathlib import Path

import joblib
import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from torch import nn

import sklearn_ae as ae
from sklearn_ae._engine._net import ReconstructionNet
from sklearn_ae.corruptions import Masking, SwapNoise
from sklearn_ae.modules import TopK
from sklearn_ae.penalties import KLDivergence


def encoder(n_features_in, n_components):
    return nn.Sequential(nn.Linear(n_features_in, n_components), nn.ReLU())


SMALL = {"n_components": 5, "max_epochs": 2, "random_state": 0}
STEPS = {
    "plain": [ae.Autoencoder(**SMALL)],
    "sparse": [ae.SparseAutoencoder(**SMALL, alpha=0.1)],
    "dropout": [ae.DropoutAutoencoder(**SMALL)],
    "part": [ae.DenoisingAutoencoder(**SMALL, corruption=Masking(fill="mean"))],
    "groups": [ae.DenoisingAutoencoder(**SMALL, corruption=SwapNoise(groups=[[0, 1]]))],
    "penalty": [ae.SparseAutoencoder(
        **SMALL, penalty=KLDivergence(rho=0.1), activation="sigmoid")],
    "topk": [ae.SparseAutoencoder(**SMALL, activation=TopK(k=2))],
    "encoder": [ae.Autoencoder(**SMALL, encoder=encoder)],
}


class Epochs:
    """Counts the epochs of training while it is entered."""

    def __enter__(self):
        self.n, self.original = 0, ReconstructionNet.run_single_epoch

        def counted(net, iterator, training, *args, **kwargs):
            self.n += bool(training)
            return self.original(net, iterator, training, *args, **kwargs)

        ReconstructionNet.run_single_epoch = counted
        return self

    def __exit__(self, *_):
        ReconstructionNet.run_single_epoch = self.original


def data():
    X = np.random.RandomState(0).normal(size=(30, 8)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(int)


def epochs_of(steps, memory):
    X, y = data()
    steps = [(f"s{i}", step) for i, step in enumerate(steps)] + [("clf", LogisticRegression())]
    with Epochs() as epochs:
        Pipeline(steps, memory=memory).fit(X, y)
    return epochs.n


def all_epochs(folder, frozen):
    folder = str(folder)
    steps = {**STEPS, "frozen": [FrozenEstimator(frozen), ae.SparseAutoencoder(**SMALL)]}
    return {name: epochs_of(some, folder) for name, some in steps.items()}


if __name__ == "__main__":
    import c6_parts

    frozen = joblib.load(sys.argv[2])
    print(json.dumps(c6_parts.all_epochs(sys.argv[1], frozen)))
'''


@pytest.fixture
def c6(tmp_path, monkeypatch):
    """Import a module of parts that a new process can import too."""
    (tmp_path / "c6_parts.py").write_text(CACHED)
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__("c6_parts")
    yield module
    del sys.modules["c6_parts"]


def test_c6_a_cached_pipeline_trains_nothing(c6, tmp_path):
    X, _ = c6.data()
    frozen = Autoencoder(4, max_epochs=1, random_state=0).fit(X)
    frozen.transform(X)
    first = c6.all_epochs(tmp_path / "cache", frozen)
    assert set(first.values()) == {2}
    again = c6.all_epochs(tmp_path / "cache", pickle.loads(pickle.dumps(frozen)))
    assert set(again.values()) == {0}
    # A fit of the same parameters on the same data elsewhere is the same frozen step.
    anew = Autoencoder(4, max_epochs=1, random_state=0).fit(X)
    assert c6.all_epochs(tmp_path / "cache", anew)["frozen"] == 0
    joblib.dump(frozen, tmp_path / "frozen.joblib")
    process = subprocess.run(
        [sys.executable, str(tmp_path / "c6_parts.py"), "cache", "frozen.joblib"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout) == dict.fromkeys(first, 0)


def test_c6_a_changed_part_does_train(c6, tmp_path):
    small = c6.SMALL
    steps = [
        *[some[0] for some in c6.STEPS.values()],
        Autoencoder(**{**small, "random_state": 1}),
        SparseAutoencoder(**small, alpha=0.2),
        DenoisingAutoencoder(**small, corruption=Masking(fill="zero")),
        DenoisingAutoencoder(**small, corruption=GaussianNoise()),
        DenoisingAutoencoder(**small, corruption=SwapNoise(groups=[[0, 2]])),
        SparseAutoencoder(**small, penalty=KLDivergence(rho=0.2), activation="sigmoid"),
        SparseAutoencoder(**small, activation=TopK(k=3)),
        Autoencoder(**small, encoder=nn.Linear),
    ]
    for step in steps:
        assert c6.epochs_of([step], str(tmp_path)) == 2, step
    X, _ = c6.data()
    for frozen in (SparseAutoencoder(4, max_epochs=1).fit(X[:n]) for n in (10, 20)):
        assert c6.epochs_of([FrozenEstimator(frozen), steps[0]], str(tmp_path)) == 2


# ------------------------------------------------------------------------------------- C7


class WithBatchNorm(nn.Module):
    """Counts the rows that it sees in training."""

    def __init__(self, n_features_in, n_components):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features_in, n_components), nn.BatchNorm1d(n_components), nn.ReLU()
        )
        self.register_buffer("n_seen", torch.zeros((), dtype=torch.long))

    def forward(self, x):
        if self.training:
            self.n_seen += len(x)
        return self.layers(x)


@pytest.mark.parametrize("n_rows", [2, 127, 128, 129, 130, 256, 257])
@pytest.mark.parametrize("callbacks", [None, "some"])
def test_c7_batch_norm_and_a_last_row(make, n_rows, callbacks):
    X = np.random.RandomState(0).normal(size=(n_rows, 8))
    callbacks = None if callbacks is None else [Watching()]
    estimator = make(encoder=WithBatchNorm, batch_size=128, callbacks=callbacks).fit(X)
    assert estimator.net_.module_.encoder.n_seen == 2 * n_rows
    codes = estimator.transform(X)
    assert codes.shape == (n_rows, 6)
    # Statistics of the batch play no part here, so a single row gives the same.
    assert_allclose(estimator.transform(X[:1]), codes[:1], rtol=1e-5, atol=1e-6)


def test_c7_257_rows_in_3_folds(make):
    X = np.random.RandomState(0).normal(size=(257, 8))
    estimator = make(encoder=WithBatchNorm, batch_size=128)
    scores = cross_val_score(estimator, X, cv=3, error_score="raise")
    assert np.isfinite(scores).all()


def test_c7_early_stopping_with_batch_norm(make):
    X = np.random.RandomState(0).normal(size=(21, 8))
    for fraction in (0.04, 0.5, 0.9):
        make(encoder=WithBatchNorm, early_stopping=True, validation_fraction=fraction).fit(X)


def test_c7_one_row_says_why_it_can_not(make, X):
    estimator = make(encoder=WithBatchNorm).fit(X)
    codes, counts = estimator.transform(X), weights(estimator)
    for method in ("partial_fit", "fit"):
        with pytest.raises(ValueError, match=r"(?i)more than 1 (value|row)|one row|batch"):
            getattr(estimator, method)(X[:1])
        assert_array_equal(estimator.transform(X), codes)
        assert all(np.array_equal(weights(estimator)[name], counts[name]) for name in counts)
    with pytest.raises(ValueError, match=r"(?i)more than 1 (value|row)|one row|batch"):
        make(encoder=WithBatchNorm).partial_fit(X[:1])


# ------------------------------------------------------------------------------------- C8


class Watching(Callback):
    """Keeps the clean rows that the loss is computed against, over all epochs."""

    def __init__(self):
        self.targets = []

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            self.targets.append(batch[1].clone().numpy())


def destroy(X, level, generator):
    """Corrupt in place, and return the very same tensor."""
    X.fill_(-7)
    return X


def half_destroy(X, level, generator):
    X[:, ::2] = 99
    return X * 1


@pytest.mark.parametrize("corruption", [destroy, half_destroy])
@pytest.mark.parametrize("kind", ["array", "tensor", "memmap", "csr", "float64"])
def test_c8_corruptions_in_place(X, tmp_path, corruption, kind, monkeypatch):
    given = X.copy()
    if kind == "tensor":
        given = torch.from_numpy(given)
    elif kind == "memmap":
        np.save(tmp_path / "X.npy", X)
        given = np.load(tmp_path / "X.npy", mmap_mode="r+")
    elif kind == "csr":
        given = sparse.csr_array(given)
    elif kind == "float64":
        given = given.astype(np.float64)
    targets, inputs = [], []

    def recorded(self, y_pred, y_true, *args, **kwargs):
        targets.append(y_true.detach().clone().numpy())
        return get_loss(self, y_pred, y_true, *args, **kwargs)

    def corrupt(X, level, generator):
        inputs.append(X.clone().numpy())
        return corruption(X, level, generator)

    get_loss = ReconstructionNet.get_loss
    monkeypatch.setattr(ReconstructionNet, "get_loss", recorded)
    estimator = DenoisingAutoencoder(
        6, corruption=corrupt, max_epochs=3, batch_size=16, random_state=0
    ).fit(given)
    dense = given.toarray() if kind == "csr" else np.asarray(given)
    assert_array_equal(dense, X)
    if kind == "memmap":
        assert_array_equal(np.load(tmp_path / "X.npy"), X)
    # Each epoch has every clean row once, as input of the corruption and as target.
    n_batches = 3
    for epoch in range(3):
        part = slice(epoch * n_batches, (epoch + 1) * n_batches)
        for seen in (np.vstack(targets[part]), np.vstack(inputs[-9:][part])):
            assert_array_equal(seen[np.lexsort(seen.T)], X[np.lexsort(X.T)])
    estimator.partial_fit(given).transform(given)
    assert_array_equal(given.toarray() if kind == "csr" else np.asarray(given), X)


class WritesToItsInput(nn.Module):
    """An encoder that works in place."""

    def __init__(self, n_features_in, n_components):
        super().__init__()
        self.layer = nn.Linear(n_features_in, n_components)

    def forward(self, x):
        x.mul_(2)
        return self.layer(x)


@pytest.mark.parametrize("activation", [torch.relu_, torch.nn.functional.relu_])
def test_c8_modules_in_place(make, X, activation):
    given = X.copy()
    estimator = make(encoder=WritesToItsInput).fit(given)
    for method in ("transform", "reconstruct", "score_samples", "score", "partial_fit"):
        getattr(estimator, method)(given)
        assert_array_equal(given, X)
    assert_array_equal(estimator.transform(X), estimator.transform(torch.from_numpy(given)))
    clean = estimator.reconstruct(X)
    assert_allclose(
        estimator.score_samples(X), -((clean - X) ** 2).mean(axis=1), rtol=1e-5, atol=1e-6
    )
    make(activation=activation).fit(given)
    assert_array_equal(given, X)


class WritesToItsCodes(nn.Module):
    """A decoder that works in place."""

    def __init__(self, n_features_in, n_components):
        super().__init__()
        self.layer = nn.Linear(n_components, n_features_in)

    def forward(self, codes):
        with torch.no_grad():
            codes.data.clamp_(max=0)
        return self.layer(codes)


def test_c8_decoders_in_place(make, X):
    estimator = make(decoder=WritesToItsCodes).fit(X)
    codes = estimator.transform(X)
    kept = codes.copy()
    estimator.inverse_transform(codes)
    estimator.inverse_transform(torch.from_numpy(codes))
    assert_array_equal(codes, kept)


# ------------------------------------------------------------------------------------- C9


@pytest.mark.parametrize(
    "params", [{}, {"encoder": WithBatchNorm}, {"tied_weights": True}], ids=str
)
@pytest.mark.parametrize("start", ["fit", "partial_fit"])
def test_c9_looking_changes_nothing(make, X, params, start, tmp_path):
    A, B = X[:24], X[24:]
    looked, alone = (getattr(make(**params), start)(A) for _ in range(2))
    hashed = joblib.hash(looked)
    for method in ("transform", "reconstruct", "score_samples", "score"):
        getattr(looked, method)(X)
        assert not looked.net_.module_.training
    looked.inverse_transform(looked.transform(X))
    looked.get_feature_names_out()
    assert (getattr(looked, "components_", None) is None) == ("encoder" in params)
    joblib.dump(looked, tmp_path / "looked.joblib")
    clone(looked)
    copy.deepcopy(looked).partial_fit(B)
    repr(looked)
    with pytest.raises(ValueError, match="features"):
        looked.transform(X[:, 1:])
    assert joblib.hash(looked) == hashed
    assert looked.n_iter_ == alone.n_iter_
    looked.partial_fit(B)
    alone.partial_fit(B)
    assert_same_weights(looked, alone)
    assert looked.loss_curve_ == alone.loss_curve_


def test_c9_what_is_returned_is_no_view_of_the_weights(make, X):
    estimator = make().fit(X)
    codes = estimator.transform(X)
    estimator.components_[:] = 0
    estimator.transform(X)[:] = 0
    assert_array_equal(estimator.transform(X), codes)


# ------------------------------------------------------------------------------------- C10


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("batch_size", [16, 40], ids=["batches", "full batch"])
def test_c10_ten_roads_to_ten_epochs(make, X, optimizer, batch_size):
    params = {
        "learning_rate_schedule": "constant",
        "optimizer": optimizer,
        "batch_size": batch_size,
        "weight_decay": 0.01,
    }
    once = make(max_epochs=10, **params).fit(X)
    passes = make(**params)
    warm = make(max_epochs=1, warm_start=True, **params)
    pickled, saved = make(**params), make(max_epochs=1, warm_start=True, **params)
    for _ in range(10):
        passes.partial_fit(X)
        warm.fit(X)
        pickled = pickle.loads(pickle.dumps(pickled.partial_fit(X)))
        saved = copy.deepcopy(saved.fit(X))
    for other in (passes, warm, pickled, saved):
        assert other.n_iter_ == len(other.loss_curve_) == 10
        assert_allclose(other.loss_curve_, once.loss_curve_, rtol=1e-6)
        for name, weight in weights(once).items():
            assert_allclose(weights(other)[name], weight, rtol=1e-6, atol=1e-6, err_msg=name)


def test_c10_fit_then_passes(make, X):
    params = {"learning_rate_schedule": "constant"}
    once = make(max_epochs=5, **params).fit(X)
    mixed = make(max_epochs=2, **params).fit(X)
    mixed.partial_fit(X).partial_fit(X).partial_fit(X)
    for name, weight in weights(once).items():
        assert_allclose(weights(mixed)[name], weight, rtol=1e-6, atol=1e-6, err_msg=name)


def test_c10_the_state_matters(X):
    """The moments of Adam that a fit leaves are used: without them another step is taken."""
    estimator = Autoencoder(6, max_epochs=3, learning_rate_schedule="constant", random_state=0)
    with_state = copy.deepcopy(estimator.set_params(warm_start=True).fit(X)).partial_fit(X)
    without = copy.deepcopy(estimator.set_params(warm_start=False).fit(X)).partial_fit(X)
    assert np.abs(with_state.components_ - without.components_).max() > 1e-5


# ------------------------------------------------------------------------------------- C11


@pytest.fixture
def trained_encoder():
    torch_state = torch.get_rng_state()
    torch.manual_seed(5)
    encoder = nn.Sequential(nn.Linear(8, 9), nn.Dropout(0.2), nn.ReLU(), nn.Linear(9, 6))
    encoder[0].weight.requires_grad_(False)
    torch.set_rng_state(torch_state)
    return encoder


@pytest.mark.parametrize("backend", ["sequential", "threading"])
def test_c11_module_instance_in_cross_val_score(make, X, trained_encoder, backend):
    before = copy.deepcopy(trained_encoder.state_dict())
    flags = [p.requires_grad for p in trained_encoder.parameters()]
    estimator = make(encoder=trained_encoder, max_epochs=3)
    with joblib.parallel_backend(backend, n_jobs=3):
        first, second = (cross_val_score(estimator, X, cv=4, n_jobs=3) for _ in range(2))
    assert_array_equal(first, second)
    assert_array_equal(first, cross_val_score(estimator, X, cv=4))
    assert trained_encoder.training
    assert estimator.encoder is trained_encoder
    assert [p.requires_grad for p in trained_encoder.parameters()] == flags
    assert all(p.grad is None for p in trained_encoder.parameters())
    for name, weight in trained_encoder.state_dict().items():
        assert torch.equal(weight, before[name])


def test_c11_frozen_stays_frozen_and_the_rest_trains(make, X, trained_encoder):
    estimator = make(encoder=trained_encoder, weight_decay=0.1).fit(X)
    estimator = pickle.loads(pickle.dumps(estimator)).fit(X)
    fitted = estimator.net_.module_.encoder
    assert fitted is not trained_encoder
    assert torch.equal(fitted[0].weight, trained_encoder[0].weight)
    assert not fitted[0].weight.requires_grad
    assert not torch.equal(fitted[3].weight, trained_encoder[3].weight)


def test_c11_each_fit_starts_from_the_weights_of_the_instance(X, trained_encoder):
    tiny = {"optimizer": "sgd", "learning_rate": 1e-30, "max_epochs": 1}
    estimator = Autoencoder(6, encoder=trained_encoder, **tiny)
    for _ in range(2):
        codes = estimator.fit(X).transform(X)
        trained_encoder.eval()
        with torch.no_grad():
            assert_allclose(codes, trained_encoder(torch.tensor(X)).numpy(), rtol=1e-5, atol=1e-6)
        trained_encoder.train()
        estimator.set_params(learning_rate=0.1).fit(X)
        estimator.set_params(learning_rate=1e-30)


# ------------------------------------------------------------------------------------- C16


class Shared(nn.Module):
    """Uses one layer twice."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.second = self.first
        self.last = nn.Linear(8, 6)

    def forward(self, x):
        return self.last(self.second(torch.tanh(self.first(x))))


class Transposed(nn.Module):
    """Decodes with the weight of a layer that it was given."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, codes):
        return codes @ self.layer.weight


def shared_estimators():
    layer = nn.Linear(8, 6)
    return [
        {"tied_weights": True},
        {"tied_weights": True, "hidden_layer_sizes": (7, 5)},
        {"encoder": Shared()},
        {"encoder": layer, "decoder": Transposed(layer)},
    ]


def assert_still_tied(estimator, params):
    encoder, decoder = estimator.net_.module_.encoder, estimator.net_.module_.decoder
    if "tied_weights" in params:
        pairs = list(zip(encoder.layers, reversed(decoder.layers), strict=True))
    elif "decoder" in params:
        pairs = [(encoder, decoder.layer)]
    else:
        pairs = [(encoder.first, encoder.second)]
    assert pairs
    for one, other in pairs:
        assert one.weight is other.weight


COPIES = {
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("road", COPIES)
@pytest.mark.parametrize("params", shared_estimators(), ids=["tied", "deep tied", "shared", "pair"])
def test_c16_tied_weights_of_a_copy(make, X, road, params):
    estimator = make(**params, warm_start=True).fit(X)
    assert_still_tied(estimator, params)
    codes, before = estimator.transform(X), weights(estimator)
    other = COPIES[road](estimator)
    assert_array_equal(other.transform(X), codes)
    assert_still_tied(other, params)
    for train in (other.partial_fit, other.fit):
        train(X)
        assert_still_tied(other, params)
    assert not np.array_equal(other.transform(X), codes)
    # The copy shares nothing with the original.
    assert_array_equal(estimator.transform(X), codes)
    assert all(np.array_equal(weights(estimator)[name], before[name]) for name in before)
    memory = [{p.data_ptr() for p in each.net_.module_.parameters()} for each in (estimator, other)]
    assert not memory[0] & memory[1]
    twin = clone(other)
    assert_array_equal(twin.set_params(warm_start=False).fit(X).transform(X), codes)


def test_c16_a_tied_pickle_is_no_larger():
    X = np.random.RandomState(0).normal(size=(10, 300))
    tied, untied = (
        len(pickle.dumps(Autoencoder(200, tied_weights=tied, max_epochs=1).fit(X)))
        for tied in (True, False)
    )
    weight = 300 * 200 * 4
    assert weight < tied < 1.2 * weight
    assert 2 * weight < untied < 2.2 * weight


# ------------------------------------------------------------------------------------- C18

BIG = """
import numpy as np
from scipy import sparse
from sklearn.model_selection import GridSearchCV
from sklearn_ae import DenoisingAutoencoder
from sklearn_ae.corruptions import Masking, SwapNoise

if __name__ == "__main__":
    X = np.random.RandomState(0).random_sample((10_000, 60)).astype(np.float32)
    X[X < 0.5] = 0
    grid = {"corruption": [Masking(fill="mean"), SwapNoise()]}
    estimator = DenoisingAutoencoder(4, max_epochs=1, batch_size=1000, random_state=0)
    for given in (X, sparse.csr_array(X)):
        assert given.data.nbytes > 2**20
        scores = [
            GridSearchCV(estimator, grid, cv=2, n_jobs=n_jobs, error_score="raise", refit=False)
            .fit(given).cv_results_["mean_test_score"] for n_jobs in (1, 2)
        ]
        assert np.isfinite(scores).all()
        assert np.array_equal(*scores), scores
        print("equal")
"""


def test_c18_memory_maps_in_workers_under_warnings_as_errors(tmp_path):
    (tmp_path / "big.py").write_text(BIG)
    process = subprocess.run(
        [sys.executable, str(tmp_path / "big.py")],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            # A sandbox without semaphores makes joblib say that it works serially.
            "PYTHONWARNINGS": "error,ignore:::joblib._multiprocessing_helpers",
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == ["equal", "equal"]
    assert "arning" not in process.stderr, process.stderr


def test_c18_a_read_only_map_is_not_copied(make, tmp_path, monkeypatch):
    X = np.random.RandomState(0).random_sample((6000, 60)).astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert not mapped.flags.writeable
    shared = []

    def recorded(self, X, *args, **kwargs):
        init(self, X, *args, **kwargs)
        shared.append(np.shares_memory(np.asarray(self.X), mapped))

    init = _batches.Rows.__init__
    monkeypatch.setattr(_batches.Rows, "__init__", recorded)
    estimator = make(max_epochs=1, batch_size=1000, device="cpu").fit(mapped)
    assert shared[0]
    shared.clear()
    estimator.transform(mapped)
    assert all(shared)
    assert_array_equal(mapped, X)


@pytest.mark.parametrize(
    "corruption", ["gaussian", Masking(fill="mean"), "salt_and_pepper"], ids=str
)
def test_c18_read_only_csr(X, tmp_path, corruption):
    folder = tmp_path / "csr"
    joblib.dump(sparse.csr_array(np.where(X > 0, X, 0)), folder)
    mapped = joblib.load(folder, mmap_mode="r")
    assert not mapped.data.flags.writeable
    estimator = DenoisingAutoencoder(6, corruption=corruption, max_epochs=2, random_state=0)
    codes = estimator.fit_transform(mapped)
    assert_array_equal(codes, estimator.fit_transform(mapped.copy()))


# ------------------------------------------------------------------------------------- C20


@pytest.mark.parametrize(
    "params",
    [
        {"learning_rate": 1e30},
        {"learning_rate": 1e30, "optimizer": "sgd"},
        {"learning_rate": 1e30, "early_stopping": True},
        {"learning_rate": 1e30, "hidden_layer_sizes": (5,)},
        {"learning_rate": 1e30, "activation": "sigmoid", "loss": "huber"},
        {"learning_rate": 1e38, "max_epochs": 1, "batch_size": 40},
    ],
    ids=str,
)
def test_c20_divergence_is_an_error(make, X, y, params):
    """No NaN and no infinite code ever gets to the step behind."""
    pipeline = Pipeline([("ae", make(max_epochs=5).set_params(**params)), ("xgb", Never())])
    try:
        codes = pipeline["ae"].fit_transform(X)
    except ValueError as error:
        with pytest.raises(type(error)):
            pipeline.fit(X, y)
        return
    assert np.isfinite(codes).all()


class Never(LogisticRegression):
    """Must not be reached."""

    def fit(self, X, y):
        pytest.fail("trained on the codes of a diverged network")


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("callbacks", [False, True])
def test_c20_divergence_names_the_epoch(make, X, early_stopping, callbacks):
    estimator = make(
        learning_rate=1e25,
        optimizer="sgd",
        early_stopping=early_stopping,
        callbacks=[Watching()] if callbacks else None,
    )
    with pytest.raises(DivergenceError, match=r"epoch \d.*loss"):
        estimator.fit(X)
    assert not hasattr(estimator, "net_")


def test_c20_weights_that_overflow_in_the_last_step(make, X):
    """The loss of the only step is that before it, and finite."""
    estimator = make(learning_rate=1e38, optimizer="sgd", max_epochs=1, batch_size=40)
    with pytest.raises(DivergenceError, match=r"epoch 1 .* is not finite.*loss"):
        estimator.fit(100 * X)
    assert not hasattr(estimator, "net_")


def test_c20_codes_that_overflow_are_an_error(make, X):
    estimator = make(activation="identity", tied_weights=True).fit(5 * X)
    row = np.sign(estimator.components_[:1]) * np.float32(3e38)
    with pytest.raises(ValueError, match="not finite"):
        estimator.transform(row)


def test_c20_scaled_data_does_not_diverge(make, X, y):
    scaled = make_pipeline(MinMaxScaler(), make(max_epochs=20, learning_rate=0.1), small_xgb())
    assert np.isfinite(scaled.fit(X * 1e6, y).predict_proba(X * 1e6)).all()
