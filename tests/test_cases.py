"""What went wrong in other packages, as small inputs."""

import copy
import importlib
import json
import os
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, learning_curve
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback
from torch import nn

from sklearn_ae import Autoencoder, DenoisingAutoencoder, DivergenceError
from sklearn_ae._compute import _inference
from sklearn_ae.modules import TopK

# Data that are not scaled and runs that are too short are the point here.
pytestmark = pytest.mark.filterwarnings(
    "ignore:(X is not scaled|All .* codes are zero|.*columns of X carry|.*while the validation)"
)

LOOKS = ["transform", "reconstruct", "score_samples", "score"]


def small(cls=Autoencoder, **params):
    return cls(**{"n_components": 6, "max_epochs": 2, "batch_size": 16, "random_state": 0} | params)


def assert_same_weights(one, other, rtol=0, atol=0):
    one, other = (estimator.net_.module_.state_dict() for estimator in (one, other))
    assert one.keys() == other.keys()
    for name in one:
        assert_allclose(one[name], other[name], rtol, atol, err_msg=name)


def in_new_process(path, script, **env):
    path.write_text(script)
    process = subprocess.run(
        [sys.executable, str(path)],
        cwd=path.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process


@pytest.mark.parametrize("convert", [sparse.csr_array, pd.DataFrame])
def test_codes_are_dense_and_sparse_ones_are_canonical(X, convert, monkeypatch):
    # So many rows do not go through the network at once.
    monkeypatch.setattr(_inference, "_MAX_ENTRIES", 20 * 7)
    given = convert(X)
    estimator = small(n_components=20, activation=TopK(k=2)).fit(given)
    dense = estimator.transform(given)
    assert type(dense) is np.ndarray
    assert dense.flags.c_contiguous
    assert np.isfinite(dense).all()
    assert (dense == 0).mean() >= 0.9
    codes = estimator.set_params(sparse_output=True).transform(given)
    assert (codes.format, codes.dtype, codes.shape) == ("csr", np.float32, dense.shape)
    assert codes.has_canonical_format
    assert (codes.data != 0).all()
    assert codes.nnz == np.count_nonzero(dense) <= 2 * len(X)
    assert_array_equal(codes.toarray(), dense)
    assert_array_equal(estimator.inverse_transform(codes), estimator.inverse_transform(dense))
    dead = small(sparse_output=True, max_epochs=20, activation=lambda x: x * 0)
    with pytest.warns(UserWarning, match="All 6 codes are zero for every row of X"):
        zeros = dead.fit_transform(given)
    assert (zeros.nnz, zeros.shape) == (0, (40, 6))


def unions():
    raw = FunctionTransformer(feature_names_out="one-to-one")
    yield FeatureUnion([("raw", raw), ("ae", small())])
    yield ColumnTransformer([("ae", small(), list("abcde"))], remainder="passthrough")


@pytest.mark.parametrize(
    "index",
    [
        np.random.RandomState(3).permutation(40) * 3 + 5,
        pd.DatetimeIndex(["2020-01-01", "2019-05-05"] * 20),
        None,
    ],
    ids=["scattered", "duplicated dates", "polars"],
)
def test_frames_keep_their_index_and_order(X, index):
    library = "polars" if index is None else "pandas"
    frame = pd.DataFrame(X, columns=list("abcdefgh"), index=index)
    if library == "polars":
        frame = pl.from_pandas(frame)
    for union, plain in zip([*unions(), small()], [*unions(), small()], strict=True):
        result = union.set_output(transform=library).fit_transform(frame)
        assert library == "polars" or result.index.equals(frame.index)
        assert list(result.columns) == list(union.get_feature_names_out())
        assert list(union.feature_names_in_) == list("abcdefgh")
        assert np.isfinite(result.to_numpy()).all()
        assert_array_equal(result.to_numpy(), union.transform(frame).to_numpy())
        assert_array_equal(result.to_numpy(), plain.fit_transform(frame))
    # The last of them is an autoencoder alone.
    assert type(result) is type(frame)
    assert type(union.inverse_transform(result.to_numpy())) is np.ndarray


@pytest.mark.parametrize("target", [None, np.array(["cat", "dog"]), np.arange(2)], ids=str)
def test_model_selection_without_a_target(X, target):
    y = None if target is None else target[(X[:, 0] > 0).astype(int)]
    grid = {"n_components": [1, 6], "learning_rate": [0.01]}
    search = GridSearchCV(small(max_epochs=20), grid, cv=2, error_score="raise").fit(X, y)
    # Higher is better: a wider code copies more.
    assert -np.inf < search.cv_results_["mean_test_score"][0] < search.best_score_ < 0
    assert search.best_params_["n_components"] == 6
    assert search.score(X) == search.best_estimator_.score(X, y)
    for scores in learning_curve(small(), X, y, cv=2, error_score="raise")[1:]:
        assert np.isfinite(scores).all()


CACHED = """
import numpy as np
import sklearn_ae as ae
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn_ae.corruptions import GaussianNoise, Masking, SwapNoise
from sklearn_ae.modules import TopK
from sklearn_ae.penalties import KLDivergence
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

def encoder(n_features_in, n_components):
    return nn.Sequential(nn.Linear(n_features_in, n_components), nn.ReLU())

small = {"n_components": 5, "max_epochs": 2, "random_state": 0}
X = np.random.RandomState(0).normal(size=(30, 8)).astype(np.float32)
corruptions = [Masking(fill="mean"), Masking(fill="zero"), GaussianNoise(), "swap"]
corruptions += [SwapNoise(groups=[[0, 1]]), SwapNoise(groups=[[0, 2]])]
penalties = [KLDivergence(rho=0.1), KLDivergence(rho=0.2)]
steps = [
    *[[ae.Autoencoder(**{**small, "random_state": seed})] for seed in (0, 1)],
    *[[ae.Autoencoder(**small, encoder=made)] for made in (encoder, nn.Linear)],
    *[[ae.SparseAutoencoder(**small, alpha=alpha)] for alpha in (0.1, 0.2)],
    *[[ae.SparseAutoencoder(**small, activation=TopK(k=k))] for k in (2, 3)],
    *[[ae.SparseAutoencoder(**small, penalty=p, activation="sigmoid")] for p in penalties],
    [ae.DropoutAutoencoder(**small)],
    *[[ae.DenoisingAutoencoder(**small, corruption=part)] for part in corruptions],
]
for n in (10, 20):
    frozen = ae.Autoencoder(**small).fit(X[:n])
    frozen.transform(X)
    steps.append([FrozenEstimator(frozen), ae.SparseAutoencoder(**small)])
taken = []
hook = register_optimizer_step_pre_hook(lambda *_: taken.append(1))
for some in steps:
    named = [(str(i), step) for i, step in enumerate(some)] + [("clf", LogisticRegression())]
    taken.append(0)
    Pipeline(named, memory="cache").fit(X, X[:, 0] > 0)
hook.remove()
"""


def test_a_cached_pipeline_trains_what_is_new_and_nothing_else(tmp_path, monkeypatch):
    """Each step trains for two epochs of one batch, and is found again by a new process."""
    (tmp_path / "cached.py").write_text(CACHED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cached", raising=False)
    first = importlib.import_module("cached").taken
    n_steps = first.count(0)
    assert n_steps == 19
    assert first == [0, 1, 1] * n_steps
    process = in_new_process(tmp_path / "again.py", "import cached; print(cached.taken)")
    assert json.loads(process.stdout) == [0] * n_steps


class WithBatchNorm(nn.Sequential):
    """Counts the rows that it sees in training."""

    def __init__(self, n_features_in, n_components):
        super().__init__(nn.Linear(n_features_in, n_components), nn.BatchNorm1d(n_components))
        self.register_buffer("n_seen", torch.zeros((), dtype=torch.long))

    def forward(self, x):
        self.n_seen += len(x) * self.training
        return super().forward(x)


@pytest.mark.parametrize(
    ("n_rows", "callbacks"),
    [*[(n, None) for n in (2, 15, 16, 17, 33)], (17, [Callback()]), (32, [Callback()])],
)
def test_batch_norm_and_a_last_row(n_rows, callbacks):
    X = np.random.RandomState(0).normal(size=(n_rows, 8))
    estimator = small(encoder=WithBatchNorm, callbacks=callbacks).fit(X)
    assert estimator.net_.module_.encoder.n_seen == 2 * n_rows
    codes = estimator.transform(X)
    assert codes.shape == (n_rows, 6)
    # Statistics of the batch play no part here, so a single row gives the same.
    assert_allclose(estimator.transform(X[:1]), codes[:1], rtol=1e-5, atol=1e-6)


def test_batch_norm_under_early_stopping(X):
    for fraction in (0.04, 0.5, 0.9):
        params = {"early_stopping": True, "validation_fraction": fraction}
        assert np.isfinite(small(encoder=WithBatchNorm, **params).fit_transform(X[:21])).all()


def test_batch_norm_of_one_row_says_why_it_can_not(X):
    estimator = small(encoder=WithBatchNorm).fit(X)
    before = copy.deepcopy(estimator)
    for method in (small(encoder=WithBatchNorm).partial_fit, estimator.partial_fit, estimator.fit):
        with pytest.raises(ValueError, match=r"(?i)more than 1 (value|row)|one row|batch"):
            method(X[:1])
        assert_array_equal(estimator.transform(X), before.transform(X))
        assert_same_weights(estimator, before)


def mapped(X, path, mode):
    np.save(path, X)
    return np.load(path, mmap_mode=mode)


@pytest.mark.parametrize("corruption", [lambda X: X.fill_(-7), lambda X: X.mul_(2) * 1])
def test_corruptions_in_place(X, tmp_path, corruption):
    given, inputs = mapped(X, tmp_path / "X.npy", "r+"), []

    def corrupt(X, level, generator):
        inputs.append(X.clone().numpy())
        return corruption(X)

    # Weights that hardly change, so the loss of every epoch is that of the fitted network.
    params = {"optimizer": "sgd", "learning_rate": 1e-30, "max_epochs": 3}
    estimator = small(DenoisingAutoencoder, corruption=corrupt, **params).fit(given)
    assert_array_equal(np.load(tmp_path / "X.npy"), X)
    # Each epoch has every clean row once, as input of the corruption and as target.
    for epoch in range(3):
        seen = np.vstack(inputs[-9:][3 * epoch : 3 * epoch + 3])
        assert_array_equal(seen[np.lexsort(seen.T)], X[np.lexsort(X.T)])
    reconstructed = estimator.reconstruct(corruption(torch.tensor(X)).numpy())
    loss = 0.5 * ((reconstructed - X) ** 2).sum(axis=1).mean()
    assert_allclose(estimator.loss_curve_, [loss] * 3, rtol=1e-5)


class WritesToItsInput(nn.Linear):
    """A module that works in place."""

    def forward(self, x):
        x.data.mul_(2)
        return super().forward(x)


def test_modules_in_place(X):
    given = X.copy()
    estimator = small(encoder=WritesToItsInput).fit(given)
    for method in [*LOOKS, "partial_fit"]:
        getattr(estimator, method)(given)
        assert_array_equal(given, X)
    assert_array_equal(estimator.transform(X), estimator.transform(torch.from_numpy(given)))
    errors = ((estimator.reconstruct(X) - X) ** 2).mean(axis=1)
    assert_allclose(estimator.score_samples(X), -errors, rtol=1e-5, atol=1e-6)
    for activation in (torch.relu_, torch.nn.functional.relu_):
        small(activation=activation).fit(given)
        assert_array_equal(given, X)
    estimator = small(decoder=lambda n_features, n: WritesToItsInput(n, n_features)).fit(X)
    codes = estimator.transform(X)
    kept = codes.copy()
    estimator.inverse_transform(codes)
    estimator.inverse_transform(torch.from_numpy(codes))
    assert_array_equal(codes, kept)


@pytest.mark.parametrize(
    ("start", "params"),
    [("fit", {}), ("partial_fit", {"tied_weights": True}), ("fit", {"encoder": WithBatchNorm})],
    ids=["plain", "tied", "batch norm"],
)
def test_looking_changes_nothing(X, start, params):
    A, B = X[:24], X[24:]
    looked, alone = (getattr(small(**params), start)(A) for _ in range(2))
    hashed = joblib.hash(looked)
    for method in LOOKS:
        getattr(looked, method)(X)
        assert not looked.net_.module_.training
    looked.inverse_transform(looked.transform(X))
    looked.get_feature_names_out()
    assert (getattr(looked, "components_", None) is None) == ("encoder" in params)
    copy.deepcopy(looked).partial_fit(B)
    with pytest.raises(ValueError, match="features"):
        looked.transform(X[:, 1:])
    assert joblib.hash(looked) == hashed
    assert looked.n_iter_ == alone.n_iter_
    assert_same_weights(looked.partial_fit(B), alone.partial_fit(B))
    assert looked.loss_curve_ == alone.loss_curve_
    if "encoder" not in params:
        # What is returned is no view of the weights.
        codes = looked.transform(X)
        looked.components_[:] = 0
        looked.transform(X)[:] = 0
        assert_array_equal(looked.transform(X), codes)


@pytest.mark.parametrize(("optimizer", "batch_size"), [("adam", 16), ("adamw", 40), ("sgd", 16)])
def test_ten_roads_to_ten_epochs(X, optimizer, batch_size):
    def make(**params):
        params = {"learning_rate_schedule": "constant", "weight_decay": 0.01, **params}
        params |= {"dropout": 0.2, "corruption_level": 0.2, "batch_size": batch_size}
        return small(optimizer=optimizer, **params)

    once, mixed = make(max_epochs=10).fit(X), make(max_epochs=7).fit(X)
    passes, warm = make(), make(max_epochs=1, warm_start=True)
    pickled, copied = make(), make(max_epochs=1, warm_start=True)
    for i in range(10):
        passes.partial_fit(X)
        warm.fit(X)
        pickled = pickle.loads(pickle.dumps(pickled.partial_fit(X)))
        copied = copy.deepcopy(copied.fit(X))
        if i < 3:
            mixed.partial_fit(X)
    for other in (passes, warm, pickled, copied, mixed):
        assert len(other.loss_curve_) == 10
        assert_allclose(other.loss_curve_, once.loss_curve_, rtol=1e-6)
        assert_same_weights(other, once, rtol=1e-6, atol=1e-6)


STRICT = """
import sys
import sklearn_ae.plotting
from sklearn_ae import Autoencoder, DenoisingAutoencoder, DropoutAutoencoder, SparseAutoencoder

heavy = {"skorch", "matplotlib", "xgboost", "dask", "torch._dynamo"} & set(sys.modules)

import numpy as np
from scipy import sparse
from sklearn.model_selection import GridSearchCV
from sklearn_ae.corruptions import Masking, SwapNoise

if __name__ == "__main__":
    print("heavy imports:", *heavy)
    X = np.random.RandomState(0).random_sample((10_000, 60)).astype(np.float32)
    X[X < 0.5] = 0
    for cls in (Autoencoder, SparseAutoencoder, DropoutAutoencoder, DenoisingAutoencoder):
        default = cls().fit(X[:60])
        print(default.transform(X[:60]).shape[1], np.isfinite(default.score(X[:60])))
    # More than a mebibyte, so workers get it as a memory map.
    grid = {"corruption": [Masking(fill="mean"), SwapNoise()], "n_components": [3, 6]}
    estimator = DenoisingAutoencoder(max_epochs=1, batch_size=1000, random_state=0)
    for given in (X, sparse.csr_array(X)):
        assert given.data.nbytes > 2**20
        one, two = (
            GridSearchCV(estimator, grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(given)
            for n_jobs in (1, 2)
        )
        for key in (key for key in one.cv_results_ if key.endswith("_score")):
            assert np.isfinite(one.cv_results_[key]).all(), key
            assert np.array_equal(one.cv_results_[key], two.cv_results_[key]), key
        assert np.array_equal(one.transform(given), two.transform(given))
"""


def test_defaults_and_workers_under_warnings_as_errors(tmp_path):
    """In a new process, the imports included: none of an option that takes long to import."""
    # A sandbox without semaphores makes joblib say that it works serially.
    ignored = "ignore:::joblib._multiprocessing_helpers"
    strict = f"error,error:::sklearn_ae,error:::sklearn,{ignored}"
    path = tmp_path / "strict.py"
    process = in_new_process(path, STRICT, PYTHONWARNINGS=strict, OMP_NUM_THREADS="1")
    assert process.stderr == ""
    assert process.stdout.split("\n") == ["heavy imports:", *["256 True"] * 4, ""]


def test_a_read_only_map_is_not_copied(tmp_path):
    X = np.random.RandomState(0).random_sample((6000, 60)).astype(np.float32)
    given = mapped(X, tmp_path / "X.npy", "r")
    assert not given.flags.writeable
    shared = []

    def record(module, inputs):
        shared.append(np.shares_memory(inputs[0].detach().numpy(), given))

    with nn.modules.module.register_module_forward_pre_hook(record):
        estimator = small(max_epochs=1, batch_size=1000, device="cpu").fit(given)
        # Batches in order are slices of the data: the codes that end a fit are of the map itself.
        assert any(shared)
        shared.clear()
        estimator.transform(given)
        assert shared[0]
    assert_array_equal(given, X)


@pytest.mark.parametrize(
    "params",
    [
        *[{"optimizer": "sgd"}, {"early_stopping": True}, {"hidden_layer_sizes": (5,)}],
        {"encoder": nn.Sequential(nn.Linear(8, 6), nn.Dropout(0.5))},
        *[{"callbacks": [Callback()], "early_stopping": early} for early in (False, True)],
        # The loss of the only step is that before it, and finite.
        {"learning_rate": 1e38, "max_epochs": 1, "batch_size": 40},
    ],
    ids=", ".join,
)
def test_divergence_is_an_error_that_names_the_epoch(X, params):
    estimator = small(**{"max_epochs": 5, "learning_rate": 1e30, **params})
    message = r"epoch 1: the train loss is (nan|inf)"
    before = torch.get_rng_state(), str(np.random.get_state())  # noqa: NPY002
    if params.get("max_epochs") == 1:
        message = r"after epoch 1 .*weight is not finite.*loss"
    with pytest.raises(DivergenceError, match=message):
        make_pipeline(estimator, FunctionTransformer(lambda codes: pytest.fail("got"))).fit(100 * X)
    assert not hasattr(estimator, "net_")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert str(np.random.get_state()) == before[1]  # noqa: NPY002
