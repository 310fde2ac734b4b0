"""Another device, simulated: nothing is mixed, no batch is waited for, the CPU gives the same."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy import sparse
from simulated_device import simulated
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

import sklearn_ae as ae
from sklearn_ae._compute import _rows
from sklearn_ae._compute._inference import apply_in_batches
from sklearn_ae._compute._runtime import resolve_device
from sklearn_ae.augmentations import ShiftAndFlip
from sklearn_ae.corruptions import Gaps, Masking, RegionBlanking, SwapNoise
from sklearn_ae.modules import ConvEncoder, TopK

pytestmark = pytest.mark.filterwarnings("ignore:(All .* codes|.* components are zero|max_epochs)")
X = np.random.RandomState(0).random_sample((48, 36)).astype(np.float32)
X_sparse, Y, SHAPE = sparse.csr_array(X * (X > 0.7)), np.arange(48) % 3, (6, 6)
SMALL = {"max_epochs": 2, "batch_size": 16, "random_state": 0}


@pytest.fixture
def auto_is_the_cpu():
    """Not here."""


def small(cls=ae.Autoencoder, **params):
    return cls(8, **SMALL | params)


def patches(**params):
    return ae.PatchFeatures(SHAPE, small(), patch_size=3, n_patches=99, random_state=0, **params)


def tuned(autoencoder, cls=ae.AutoencoderClassifier, **params):
    return cls(autoencoder, **SMALL | params)


NAMED = ("masking", "swap", "gaussian", "salt_and_pepper")
CORRUPTIONS = [*NAMED, Masking("mean"), SwapNoise([[0, 1]]), Gaps([[0, 1]], [0.0] * 36)]
CORRUPTIONS += [RegionBlanking(SHAPE)]
NOISY = {str(c): small(ae.DenoisingAutoencoder, corruption=c) for c in CORRUPTIONS}
AUGMENTED = {"augmentation": ShiftAndFlip(SHAPE), "reconstruction_weight": 0.5}
# Masks are not drawn as on the CPU.
MASKED = [
    "many revived",
    "dropout",
    "masking",
    "swap",
    str(CORRUPTIONS[4]),
    str(CORRUPTIONS[5]),
    str(CORRUPTIONS[6]),
    "noisy",
]
ALL = NOISY | {
    "plain": small(), "deep": small(hidden_layer_sizes=(9,), features="all"),
    "dropout": small(ae.DropoutAutoencoder), "L1": small(ae.SparseAutoencoder),
    "tied": small(tied_weights=True), "sgd": small(optimizer="sgd"), "huber": small(loss="huber"),
    "L2": small(penalty="l2", alpha=0.1), "TopK": small(activation=TopK(3)),
    "KL": small(penalty="kl", alpha=0.1, activation="sigmoid"),
    "cross-entropy": small(loss="binary_cross_entropy"), "bfloat16": small(precision="bfloat16"),
    "sparse codes": small(sparse_output=True), "early": small(early_stopping=True),
    "revived": small(activation=TopK(1, revive=True), learning_rate=0.1, max_epochs=6, verbose=1),
    "many revived": small(activation=TopK(1, revive=True)).set_params(n_components=200),
    "convolutions": small(encoder=ConvEncoder(SHAPE, n_channels=(4,))),
    **{f"patches {p}": patches(**p) for p in ({}, {"pooling": "max"}, {"encoding": "codes"})},
    "noisy": tuned(NOISY["swap"], keep_corruption=True, **AUGMENTED),
    "classifier": tuned(small(), early_stopping=True, validation_fraction=0.3, **AUGMENTED),
    "regressor": tuned(small(), ae.AutoencoderRegressor, head_hidden_layer_sizes=(5,)),
    "of patches": tuned(patches(), freeze_epochs=1, encoder_learning_rate=1e-4),
}  # fmt: skip


def on(device, estimator):
    names = [n for n in estimator.get_params() if n.split("__")[-1] == "device"]
    return clone(estimator).set_params(**dict.fromkeys(names, device))


def looks(estimator):
    names = ("transform", "score_samples", "predict_proba", "predict")
    found = [getattr(estimator, name)(X) for name in names if hasattr(estimator, name)]
    return [look.toarray() if sparse.issparse(look) else look for look in found]


def assert_alike(found, expected):
    for look, other in zip(found, expected, strict=True):
        assert_allclose(look, other, rtol=1e-4, atol=1e-5)


def go_on(estimator):
    """Use a pickle of a copy further, with sparse rows where they are taken."""
    again = pickle.loads(pickle.dumps(copy.deepcopy(estimator)))
    assert_alike(looks(again), looks(estimator))
    if hasattr(again, "partial_fit"):
        again.partial_fit(X_sparse).set_params(warm_start=True).fit(X)
        again.inverse_transform(again.transform(X_sparse))
    ae.to_torch(again)


ON_MPS = [*MASKED, "plain", "cross-entropy", "convolutions", "patches {}", "regressor"]


@pytest.mark.parametrize(
    ("kind", "name"), [*(("cuda", name) for name in ALL), *(("mps", name) for name in ON_MPS)]
)
def test_nothing_is_mixed_and_the_cpu_gives_the_same(kind, name):
    with simulated(kind):
        estimator = on(kind, ALL[name]).fit(X, Y)
        assert {p.device.type for p in estimator._trained.module.parameters()} == {kind}
        found, _ = looks(estimator), go_on(estimator)
        pickled = pickle.dumps(estimator)
    assert_alike(looks(pickle.loads(pickled)), found)
    if name not in MASKED:
        assert_alike(looks(on("cpu", ALL[name]).fit(X, Y)), found)


@pytest.mark.parametrize("name", ALL)
def test_every_tensor_says_where_it_is(name):
    torch.set_default_device("meta")  # What is made without a device has no data.
    try:
        go_on(on("cpu", ALL[name]).fit(X, Y))
    finally:
        torch.set_default_device(None)


@pytest.mark.parametrize("fits", [True, False], ids=["fits", "streamed"])
@pytest.mark.parametrize("given", [X, X_sparse], ids=["dense", "sparse"])
@pytest.mark.parametrize("name", ["L1", "early", *MASKED[1:], "salt_and_pepper", "classifier"])
def test_the_host_waits_for_no_batch(name, given, fits, monkeypatch):
    monkeypatch.setattr(_rows, "fits", lambda n_bytes, device: fits)
    waits = {}
    for size, max_epochs in [(4, 1), (4, 2), (16, 1), (16, 2)]:
        estimator = on("cuda", ALL[name]).set_params(batch_size=size, max_epochs=max_epochs)
        with simulated() as device:
            estimator.fit(given, Y)
        waits[size, max_epochs] = device.waits
    assert waits[4, 2] - waits[4, 1] == waits[16, 2] - waits[16, 1] != {}


class Brighter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("by", torch.full((36,), 0.01))

    def forward(self, x, *_):
        return x + self.by


def test_parts_with_a_state_follow_to_the_device():
    with simulated():
        inner = on("cuda", NOISY["masking"]).set_params(corruption=Brighter()).fit(X)
        frozen, by = FrozenEstimator(pickle.loads(pickle.dumps(inner))), torch.ones(36).to("cuda")
        for augmentation in (Brighter(), Brighter().to("cuda"), lambda x, _: x + by):
            tuned(frozen, keep_corruption=True, augmentation=augmentation).fit(X, Y)


def test_which_device_it_is(monkeypatch):
    with simulated():
        assert resolve_device("cuda") == resolve_device("auto") == torch.device("cuda", 0)
    with simulated("mps"):
        assert resolve_device("auto").type == "cpu"
        assert small(device="mps").fit(X).net_.optimizer_.defaults["fused"] is None
        with pytest.raises(ValueError, match=r"precision='float64' .* device='mps'"):
            small(device="mps", precision="float64").fit(X)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("asked"))
    small(device="cpu").fit(X).transform(X)


def test_a_device_takes_rows_in_few_pieces():
    starts, wide = [], np.asfortranarray(np.zeros((64, 70_000), np.float32))
    with simulated() as device:
        rows = _rows.Rows(wide, torch.device("cuda", 0))
        assert rows.X.is_contiguous()
        before = device.waits.total()
        apply_in_batches(
            lambda x: x[:, :1], torch.nn.Identity(), rows, 1, lambda *r: starts.append(r)
        )
        assert device.waits.total() - before == len(starts) == 1
