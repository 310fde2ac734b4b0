"""Bare modules and ONNX against the estimators that they come from."""

import warnings

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
    SparseAutoencoder(5, max_epochs=1), image_shape=(4, 6), patch_size=3, pool=(2, 2),
    random_state=0,
)  # fmt: skip
ESTIMATORS = {
    "plain": Autoencoder(**SMALL, hidden_layer_sizes=(7,), activation="tanh"),
    "all": Autoencoder(**SMALL, hidden_layer_sizes=(7,), features="all"),
    "double": Autoencoder(**SMALL, precision="float64"),
    "topk": SparseAutoencoder(**SMALL, activation=TopK(k=2), alpha=0),
    "logits": DropoutAutoencoder(**SMALL, loss="binary_cross_entropy", tied_weights=True),
    "conv": DenoisingAutoencoder(**SMALL, encoder=ConvEncoder((4, 6), n_channels=(3,), pool=1)),
    "conv, uneven": DenoisingAutoencoder(
        n_components=12, max_epochs=1, random_state=0,
        encoder=ConvEncoder((4, 6), n_channels=(3,), pool=2)),
    "patches": PATCHES,
    "own codes": clone(PATCHES).set_params(encoding="codes", pooling="max"),
    "classifier": AutoencoderClassifier(Autoencoder(**SMALL), max_epochs=2, random_state=0),
    "patch classifier": AutoencoderClassifier(PATCHES, max_epochs=2, random_state=0),
    "regressor": AutoencoderRegressor(Autoencoder(**SMALL), max_epochs=2, random_state=0),
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
def test_modules_give_what_the_estimators_give(name, data):
    X, y = data
    fitted = clone(ESTIMATORS[name]).fit(X, y)
    for part, expected in parts(fitted, X):
        module = to_torch(fitted, part)
        assert not module.training
        assert_allclose(module(torch.from_numpy(X)).detach(), expected, rtol=1e-5, atol=1e-6)
        for parameter in module.parameters():
            assert all(p is not parameter for p in _weights(fitted))


def _weights(fitted):
    net = fitted.autoencoder_.net_ if isinstance(fitted, PatchFeatures) else fitted.net_
    return list(net.module_.parameters())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_onnx_gives_what_the_estimators_give(name, data, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    pytest.importorskip("onnxscript", reason="needs onnxscript")
    X, y = data
    fitted = clone(ESTIMATORS[name]).fit(X, y)
    dtype = np.float64 if name == "double" else np.float32
    for part, expected in parts(fitted, X):
        to_onnx(fitted, tmp_path / "file.onnx", part)
        session = onnxruntime.InferenceSession(tmp_path / "file.onnx")
        for n_rows in (20, 1):
            (output,) = session.run(None, {"X": X[:n_rows].astype(dtype)})
            assert_allclose(output, expected[:n_rows], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "scaler",
    [
        StandardScaler(),
        StandardScaler(with_mean=False),
        StandardScaler(with_std=False),
        MinMaxScaler(),
        MinMaxScaler(clip=True),
        MinMaxScaler(feature_range=(-1, 2)),
        MaxAbsScaler(),
        RobustScaler(),
        RobustScaler(with_centering=False, with_scaling=False),
    ],
    ids=str,
)
def test_c17_a_scaler_in_front(scaler):
    rng = np.random.RandomState(0)
    deviations = np.array([1e-2, 1e-1, 1.0, 10.0, 1e2])
    X = 1e3 + rng.normal(size=(200, 5)) * deviations
    ae = Autoencoder(8, max_epochs=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe = make_pipeline(FrozenEstimator(scaler.fit(X)), ae).fit(X)
    fresh = X + rng.normal(size=X.shape) * deviations
    codes = pipe.transform(fresh)
    module = to_torch(pipe)
    assert_allclose(
        module(torch.from_numpy(fresh)).detach(), codes, rtol=1e-5, atol=1e-5 * np.abs(codes).max()
    )
    expected = ae_output = pipe[-1].reconstruct(scaler.transform(fresh))
    expected = scaler.inverse_transform(ae_output.astype(np.float64))
    given = to_torch(pipe, "autoencoder")(torch.from_numpy(fresh)).detach().numpy()
    scale = np.maximum(deviations, 0) if scaler.get_params().get("with_std", True) else 1e3
    assert (
        (np.abs(given - expected) / scale).max() < 1e-4
        if np.isscalar(scale)
        else ((np.abs(given - expected) / scale).max() < 1e-5)
    )


def test_a_scaler_in_onnx(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    pytest.importorskip("onnxscript", reason="needs onnxscript")
    X = 1e3 + np.random.RandomState(0).normal(size=(50, 4)) * 0.01
    pipe = make_pipeline(StandardScaler(), SparseAutoencoder(8, max_epochs=2, random_state=0))
    to_onnx(pipe.fit(X), tmp_path / "file.onnx")
    (codes,) = onnxruntime.InferenceSession(tmp_path / "file.onnx").run(None, {"X": X})
    assert_allclose(codes, pipe.transform(X), atol=1e-5)


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
