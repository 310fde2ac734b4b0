"""Bare modules and ONNX against the estimators that they come from."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from torch import nn

from sklearn_ae import (
    Autoencoder,
    AutoencoderClassifier,
    AutoencoderRegressor,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    PatchFeatures,
    SparseAutoencoder,
    to_onnx,
    to_torch,
)
from sklearn_ae.modules import ConvEncoder, TopK

SMALL = {"n_components": 6, "max_epochs": 2, "random_state": 0}
PATCHES = PatchFeatures(
    autoencoder=SparseAutoencoder(5, max_epochs=1), image_shape=(4, 6), patch_size=3, pool=(2, 2),
    random_state=0,
)  # fmt: skip
HIDDEN = {**SMALL, "hidden_layer_sizes": (7,)}
CONV = ConvEncoder((4, 6), n_channels=(3,), pool=2)
# Every estimator, and the part of it that is written as ONNX.
ESTIMATORS = {
    "plain": (Autoencoder(**HIDDEN, activation="tanh"), "autoencoder"),
    "all, double": (Autoencoder(**HIDDEN, features="all", precision="float64"), "encoder"),
    "topk": (SparseAutoencoder(**SMALL, activation=TopK(k=2), alpha=0), "encoder"),
    "logits": (
        DropoutAutoencoder(**SMALL, loss="binary_cross_entropy", tied_weights=True), "autoencoder",
    ),
    "conv": (DenoisingAutoencoder(**{**SMALL, "n_components": 12}, encoder=CONV), "autoencoder"),
    "own codes": (clone(PATCHES).set_params(encoding="codes", pooling="max"), "encoder"),
    "patch classifier": (AutoencoderClassifier(PATCHES, max_epochs=2, random_state=0), "model"),
    "regressor": (
        AutoencoderRegressor(Autoencoder(**SMALL), max_epochs=2, random_state=0), "model",
    ),
}  # fmt: skip


@pytest.fixture
def data():
    rng = np.random.RandomState(0)
    return rng.uniform(size=(20, 24)).astype(np.float32), rng.randint(3, size=20)


def parts(estimator, X):
    """Yield every part by name, with what the estimator itself gives."""
    if hasattr(estimator, "transform"):
        yield "encoder", estimator.transform(X)
    if hasattr(estimator, "reconstruct"):
        yield "autoencoder", estimator.reconstruct(X)
    if isinstance(estimator, AutoencoderClassifier):
        yield "model", estimator.predict_proba(X)
    if isinstance(estimator, AutoencoderRegressor):
        yield "model", estimator.predict(X)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_modules_and_onnx_give_what_the_estimators_give(name, data, tmp_path):
    X, y = data
    estimator, written = ESTIMATORS[name]
    fitted = clone(estimator).fit(X, y)
    net = fitted.autoencoder_.net_ if isinstance(fitted, PatchFeatures) else fitted.net_
    for part, expected in parts(fitted, X):
        module = to_torch(fitted, part)
        assert not module.training
        assert_allclose(module(torch.from_numpy(X)).detach(), expected, rtol=1e-5, atol=1e-6)
        assert not set(module.parameters()) & set(net.module_.parameters())
    expected = dict(parts(fitted, X))[written]
    run = session(fitted, tmp_path, written)
    given = X.astype(np.float64 if "double" in name else np.float32)
    for n_rows in (20, 1):
        assert_allclose(run(given[:n_rows]), expected[:n_rows], rtol=1e-5, atol=1e-5)


def session(fitted, folder, part="encoder"):
    """Write a part to a file, and return what computes it from there."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    pytest.importorskip("onnxscript", reason="needs onnxscript")
    to_onnx(fitted, folder / "file.onnx", part)
    inference = onnxruntime.InferenceSession(folder / "file.onnx")
    return lambda X: inference.run(None, {"X": X})[0]


@pytest.mark.parametrize(
    "scaler",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        MinMaxScaler(clip=True),
        MinMaxScaler(feature_range=(-1, 2)),
        MaxAbsScaler(),
        RobustScaler(),
        RobustScaler(with_centering=False, with_scaling=False),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:X is not scaled")
def test_a_scaler_in_front(scaler):
    rng = np.random.RandomState(0)
    deviations = np.array([1e-2, 1e-1, 1.0, 10.0, 1e2])
    X = 1e3 + rng.normal(size=(200, 5)) * deviations
    ae = Autoencoder(8, max_epochs=3, random_state=0)
    pipe = make_pipeline(FrozenEstimator(scaler.fit(X)), ae).fit(X)
    fresh = X + rng.normal(size=X.shape) * deviations
    codes, given = pipe.transform(fresh), torch.from_numpy(fresh)
    # Of inputs far from 0, which some of these scalers leave, float32 knows no more.
    known = 4 * np.finfo(np.float32).eps * np.abs(scaler.transform(fresh)).max()
    atol = max(1e-5 * np.abs(codes).max(), known)
    assert_allclose(to_torch(pipe)(given).detach(), codes, rtol=1e-5, atol=atol)
    again = pipe[-1].reconstruct(scaler.transform(fresh)).astype(np.float64)
    output = to_torch(pipe, "autoencoder")(given).detach().numpy()
    error = np.abs(output - scaler.inverse_transform(again))
    if scaler.get_params().get("with_std", True):
        ends = scaler.inverse_transform(np.repeat([[0.0], [1.0]], 5, axis=1))
        assert (error <= 1e-5 * deviations + known * (ends[1] - ends[0])).all()
    else:
        assert error.max() / 1e3 < 1e-4


def test_a_scaler_in_onnx(tmp_path):
    X = 1e3 + np.random.RandomState(0).normal(size=(50, 4)) * 0.01
    pipe = make_pipeline(StandardScaler(), SparseAutoencoder(8, max_epochs=2, random_state=0))
    run = session(pipe.fit(X), tmp_path)
    assert_allclose(run(X), pipe.transform(X), atol=1e-5)


def test_what_cannot_be_exported_is_named(data):
    X, y = data
    ae = Autoencoder(**SMALL)
    with pytest.raises(TypeError, match=r"PCA\(\) can't be part"):
        to_torch(make_pipeline(PCA(), ae).fit(X))
    with pytest.raises(TypeError, match="last step must be"):
        to_torch(StandardScaler().fit(X))
    with pytest.raises(ValueError, match="part='model' is not a part of Autoencoder"):
        to_torch(ae.fit(X), "model")
    with pytest.raises(ValueError, match="part='autoencoder' is not a part of PatchFeatures"):
        to_torch(clone(PATCHES).fit(X), "autoencoder")
    with pytest.raises(ValueError, match="not fitted"):
        to_torch(Autoencoder())
    clf = AutoencoderClassifier(encoder=nn.Linear(24, 3), max_epochs=1).fit(X, y)
    assert to_torch(clf)(torch.from_numpy(X)).shape == (20, 3)
