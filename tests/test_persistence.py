"""Files: every estimator comes back bit by bit, and what can't be is refused."""

import copy
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.torch import save_file
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn

from sklearn_ae import (
    Autoencoder,
    AutoencoderClassifier,
    AutoencoderRegressor,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    PatchFeatures,
    SparseAutoencoder,
    _persistence,
    load,
    save,
)
from sklearn_ae.augmentations import ShiftAndFlip
from sklearn_ae.corruptions import Masking, RegionBlanking, SwapNoise
from sklearn_ae.modules import ConvEncoder, TopK
from sklearn_ae.penalties import KLDivergence


def log_penalty(codes):
    return codes.square().log1p().sum(dim=-1).mean()


class Halved:
    def __call__(self, X, level, generator):
        return X / 2


def shared():
    layer = nn.Linear(6, 6)
    return nn.Sequential(layer, nn.ReLU(), layer)


SMALL = {"n_components": 6, "max_epochs": 2, "random_state": 0}
PATCHES = PatchFeatures(
    SparseAutoencoder(5, max_epochs=1), image_shape=(2, 3), patch_size=2, pool=1, random_state=0
)
CONV = DenoisingAutoencoder(
    **SMALL, encoder=ConvEncoder((2, 3), n_channels=(2,), pool=(1, 1)),
    corruption=RegionBlanking(image_shape=(2, 3)),
)  # fmt: skip
ESTIMATORS = {
    "plain": Autoencoder(**SMALL, hidden_layer_sizes=[4], activation="tanh", features="all"),
    "tied": Autoencoder(**SMALL, tied_weights=True),
    "double": Autoencoder(**SMALL, precision="float64", loss="huber"),
    "early": Autoencoder(**SMALL, early_stopping=True),
    "topk": SparseAutoencoder(**SMALL, activation=TopK(k=2), alpha=0.0),
    "kl": SparseAutoencoder(**SMALL, penalty=KLDivergence(rho=0.1), activation="sigmoid"),
    "csr": SparseAutoencoder(**SMALL, output="csr"),
    "dropout": DropoutAutoencoder(**SMALL),
    "mean": DenoisingAutoencoder(**SMALL, corruption=Masking(fill="mean")),
    "groups": DenoisingAutoencoder(**SMALL, corruption=SwapNoise(groups=[[0, 1], (2, 3)])),
    "conv": CONV,
    "patches": PATCHES,
    "frozen patches": PatchFeatures(
        FrozenEstimator(SparseAutoencoder(5, max_epochs=1).fit(np.eye(4))), image_shape=(2, 3),
        patch_size=2, pool=1, encoding="codes", random_state=0,
    ),
    "classifier": AutoencoderClassifier(
        SparseAutoencoder(**SMALL), head_hidden_layer_sizes=(4, 3), max_epochs=2, random_state=0,
        unlabeled=-1, class_weight={0: 1.0, 1: 2.0, 2: 0.5}, reconstruction_weight=0.5,
    ),
    "regressor": AutoencoderRegressor(PATCHES, max_epochs=2, random_state=0, unlabeled=np.nan),
    "augmented": AutoencoderClassifier(
        CONV, max_epochs=2, random_state=0, augmentation=ShiftAndFlip((2, 3), max_shift=1)
    ),
    "stacked": AutoencoderClassifier(
        make_pipeline(DenoisingAutoencoder(**SMALL), FrozenEstimator(DropoutAutoencoder(3).fit(
            np.eye(6)))), max_epochs=2, random_state=0,
    ),
}  # fmt: skip


@pytest.fixture
def data():
    rng = np.random.RandomState(0)
    return rng.uniform(size=(30, 6)).astype(np.float32), rng.randint(3, size=30)


def outputs(estimator, X):
    methods = ("transform", "reconstruct", "predict_proba", "predict")
    results = [getattr(estimator, name)(X) for name in methods if hasattr(estimator, name)]
    assert results
    return [r.toarray() if hasattr(r, "toarray") else r for r in results]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_round_trip(name, data, tmp_path):
    X, y = data
    fitted = clone(ESTIMATORS[name]).fit(X, y)
    save(fitted, tmp_path / "file")
    same = load(tmp_path / "file")
    assert type(same) is type(fitted)
    assert repr(same) == repr(fitted)
    for ours, theirs in zip(outputs(fitted, X), outputs(same, X), strict=True):
        assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    for attribute in ("n_iter_", "loss_curve_", "n_features_in_", "validation_loss_curve_"):
        assert getattr(same, attribute, None) == getattr(fitted, attribute, None)
    # What was loaded can be saved, copied and fitted like any other.
    save(same, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "file").read_bytes()
    assert_array_equal(outputs(pickle.loads(pickle.dumps(same)), X)[0], outputs(fitted, X)[0])
    assert_array_equal(outputs(clone(same).fit(X, y), X)[0], outputs(fitted, X)[0])


# What skops is to be told to trust, as the documentation lists it.
TRUSTED = ("sklearn_ae.", "skorch.", "torch.", "functools.partial", "sklearn.")


@pytest.mark.parametrize("name", ESTIMATORS)
def test_skops_brings_every_estimator_back(name, data):
    skops = pytest.importorskip("skops.io")
    X, y = data
    fitted = clone(ESTIMATORS[name]).fit(X, y)
    file = skops.dumps(fitted)
    unknown = skops.get_untrusted_types(data=file)
    assert all(kind.startswith(TRUSTED) for kind in unknown)
    same = skops.loads(file, trusted=unknown)
    for ours, theirs in zip(outputs(fitted, X), outputs(same, X), strict=True):
        assert_array_equal(ours, theirs)
    assert_array_equal(outputs(clone(same).fit(X, y), X)[0], outputs(fitted, X)[0])
    if hasattr(same, "net_") and hasattr(same.net_.corruption, "__dict__"):
        learned = [v for k, v in vars(same.net_.corruption).items() if k.endswith("_")]
        assert all(isinstance(value, torch.Tensor) for value in learned)


@pytest.mark.parametrize("name", ["plain", "patches", "classifier"])
def test_what_is_not_fitted_comes_back_not_fitted(name, tmp_path):
    save(ESTIMATORS[name], tmp_path / "file")
    assert repr(load(tmp_path / "file")) == repr(ESTIMATORS[name])
    assert not hasattr(load(tmp_path / "file"), "n_features_in_")


def test_training_goes_on(data, tmp_path):
    X, _ = data
    ae = DenoisingAutoencoder(**SMALL, corruption=Masking(fill="mean")).fit(X)
    save(ae, tmp_path / "file")
    same = load(tmp_path / "file").partial_fit(X)
    assert same.n_iter_ == 3
    assert len(same.loss_curve_) == 3
    assert not np.array_equal(same.transform(X), ae.transform(X))
    with pytest.raises(ValueError, match="n_components=7 differs"):
        load(tmp_path / "file").set_params(n_components=7).partial_fit(X)


def test_parameters_changed_after_the_fit(data, tmp_path):
    X, _ = data
    ae = Autoencoder(**SMALL).fit(X).set_params(n_components=9, activation="tanh")
    save(ae, tmp_path / "file")
    same = load(tmp_path / "file")
    assert same.n_components == 9
    assert_array_equal(same.transform(X), ae.transform(X))


def test_c16_shared_weights_stay_shared(data, tmp_path):
    X, _ = data
    tied = Autoencoder(50, tied_weights=True, max_epochs=1, random_state=0).fit(X)
    apart = Autoencoder(50, max_epochs=1, random_state=0).fit(X)
    user = Autoencoder(6, encoder=shared(), max_epochs=1, random_state=0).fit(X)
    for name, ae in {"tied": tied, "apart": apart, "user": user}.items():
        save(ae, tmp_path / name)
    n_bytes = {name: (tmp_path / name).stat().st_size for name in ("tied", "apart")}
    assert n_bytes["apart"] - n_bytes["tied"] > 0.9 * 50 * 6 * 4
    copies = {
        "file": load(tmp_path / "tied"), "pickle": pickle.loads(pickle.dumps(tied)),
        "copy": copy.deepcopy(tied),
    }  # fmt: skip
    for ae in copies.values():
        ae.partial_fit(X)
        module = ae.net_.module_
        assert module.encoder.layers[0].weight is module.decoder.layers[0].weight
        own = tied.net_.module_.encoder.layers[0].weight
        assert module.encoder.layers[0].weight.data_ptr() != own.data_ptr()
    same = load(tmp_path / "user", custom={"Sequential": shared}).partial_fit(X)
    assert same.net_.module_.encoder[0] is same.net_.module_.encoder[2]
    assert len(safe_tensors(tmp_path / "user")) < 9


def safe_tensors(path):
    with safe_open(path, framework="pt") as file:
        return list(file.keys())


def test_parts_of_one_s_own_come_from_the_caller(data, tmp_path):
    X, _ = data
    ae = Autoencoder(
        **SMALL, penalty=log_penalty, alpha=0.1, encoder=nn.Linear(6, 6), decoder=nn.Linear(6, 6)
    ).fit(X)
    save(ae, tmp_path / "file")
    with pytest.raises(ValueError, match=r"'log_penalty', which is not part.*custom="):
        load(tmp_path / "file", custom={"Linear": lambda: nn.Linear(6, 6)})
    custom = {"Linear": lambda: nn.Linear(6, 6), "log_penalty": log_penalty}
    same = load(tmp_path / "file", custom=custom)
    assert_array_equal(same.transform(X), ae.transform(X))
    assert_array_equal(clone(same).fit(X).transform(X), ae.transform(X))
    with pytest.raises(ValueError, match="do not fit the module Linear"):
        load(tmp_path / "file", custom={**custom, "Linear": lambda: nn.Linear(6, 5)})


@pytest.mark.parametrize(
    ("estimator", "error"),
    [
        (Autoencoder(random_state=np.random.RandomState(0)), "Autoencoder.random_state"),
        (Autoencoder(callbacks=[print]), "Autoencoder.callbacks"),
        (Autoencoder(alpha=0.1, penalty=lambda codes: codes.sum()), "Autoencoder.penalty"),
        (DenoisingAutoencoder(corruption=Halved()), "DenoisingAutoencoder.corruption"),
        (LogisticRegression(), "takes Autoencoder"),
        (make_pipeline(LogisticRegression()), "takes Autoencoder"),
    ],
)
def test_what_cannot_be_saved_is_named(estimator, error, tmp_path):
    with pytest.raises(TypeError, match=error.replace(".", r"\.")):
        save(estimator, tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_damage_is_found(data, tmp_path):
    X, _ = data
    path = tmp_path / "file"
    save(Autoencoder(**SMALL).fit(X), path)
    whole = path.read_bytes()
    for n_bytes in (0, 5, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(ValueError, match="damaged"):
            load(path)
    for place in (len(whole) - 3, whole.index(b"loss_curve_") + 30):
        changed = bytearray(whole)
        changed[place] = ord("7") if changed[place] != ord("7") else ord("8")
        path.write_bytes(changed)
        with pytest.raises(ValueError, match="damaged"):
            load(path)
    path.write_bytes(pickle.dumps(X))
    with pytest.raises(ValueError, match="damaged or no file of safetensors"):
        load(path)
    save_file({"x": torch.ones(2)}, path)
    with pytest.raises(ValueError, match="not written by"):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")


def rewritten(path, change):
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        content = json.loads(file.metadata()["sklearn_ae"])
    change(content)
    content["digest"] = _persistence._digest(content["estimator"], tensors)
    save_file(tensors, path, metadata={"sklearn_ae": json.dumps(content)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format=99), "format 99"),
        (lambda c: c["estimator"].update(name="os.system"), "'os.system', which this version"),
        (lambda c: c["estimator"]["params"].update(new=1), "does not fit this version's"),
        (lambda c: c["estimator"]["params"].update(penalty={"type": "part", "name": "x.L9"}),
         r"the part 'x\.L9'"),
        (lambda c: c["estimator"]["params"].update(penalty={"type": "pickle"}), "kind 'pickle'"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_an_error(change, message, data, tmp_path):
    path = tmp_path / "file"
    save(Autoencoder(**SMALL).fit(data[0]), path)
    rewritten(path, change)
    with pytest.raises(ValueError, match=message):
        load(path)


def test_another_version_warns(data, tmp_path):
    path = tmp_path / "file"
    save(Autoencoder(**SMALL).fit(data[0]), path)
    rewritten(path, lambda content: content.update(version="0.0.1"))
    with pytest.warns(InconsistentVersionWarning, match=r"0\.0\.1"):
        load(path)


def test_an_unwritable_place_leaves_what_was_there(data, tmp_path):
    with pytest.raises(FileNotFoundError):
        save(Autoencoder(**SMALL), tmp_path / "no" / "file")
    path = tmp_path / "file"
    save(Autoencoder(**SMALL), path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save(Autoencoder(callbacks=[print]), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_numbers_of_numpy_and_ranges_come_back_as_values(tmp_path):
    groups = [[0, 1], range(2, 4)]
    ae = DenoisingAutoencoder(
        np.int64(7), corruption=SwapNoise(groups=groups), learning_rate=np.float32(0.5),
        device=torch.device("cpu"), tol=np.inf,
    )  # fmt: skip
    save(ae, tmp_path / "file")
    same = load(tmp_path / "file")
    assert (same.n_components, same.learning_rate, same.device) == (7, 0.5, "cpu")
    assert same.tol == np.inf
    assert same.corruption.groups == [[0, 1], (2, 3)]


def test_a_new_process_predicts_the_same(data, tmp_path):
    X, y = data
    clf = clone(ESTIMATORS["classifier"]).fit(X, y)
    save(clf, tmp_path / "file")
    np.save(tmp_path / "X.npy", X)
    code = (
        "import sys, numpy as np; from sklearn_ae import load; "
        "np.save(sys.argv[1] + '/p.npy', load(sys.argv[1] + '/file').predict_proba("
        "np.load(sys.argv[1] + '/X.npy')))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert_array_equal(np.load(tmp_path / "p.npy"), clf.predict_proba(X))


def test_labels_of_every_kind(data, tmp_path):
    X, y = data
    for labels in (np.array(["a", "b", "ü"])[y], y > 0, np.array(["x", "y", "z"], object)[y]):
        clf = AutoencoderClassifier(Autoencoder(**SMALL), max_epochs=1, random_state=0)
        clf.fit(X, labels)
        save(clf, tmp_path / "file")
        same = load(tmp_path / "file")
        assert_array_equal(same.classes_, clf.classes_)
        assert same.classes_.dtype.kind == clf.classes_.dtype.kind
        assert_array_equal(same.predict(X), clf.predict(X))
