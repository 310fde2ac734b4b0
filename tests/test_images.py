"""The convolutional encoder, and the codes of every layer."""

import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits

from sklearn_ae import Autoencoder, DenoisingAutoencoder, SparseAutoencoder
from sklearn_ae.corruptions import RegionBlanking
from sklearn_ae.modules import ConvEncoder, TopK


def conv(image_shape=(5, 6), n_components=8, **params):
    encoder = ConvEncoder(image_shape, **{"n_channels": (3,), **params})
    return Autoencoder(n_components, encoder=encoder, max_epochs=1, random_state=0)


def images(*shape, n=12):
    return np.random.RandomState(0).uniform(size=(n, np.prod(shape))).astype(np.float32)


@pytest.mark.parametrize("shape", [(5, 6), (4, 9, 2)])
def test_codes_are_those_of_plain_convolutions(shape):
    X = images(*shape)
    ae = conv(shape).fit(X)
    module = ae.net_.module_.encoder
    maps = torch.from_numpy(X.reshape(len(X), *shape[:2], -1)).permute(0, 3, 1, 2)
    first, last = module.layers[0], module.last
    maps = F.conv2d(maps, first.weight, first.bias, stride=2, padding=1).relu()
    maps = F.conv2d(maps, last.weight, last.bias, padding=1).relu().detach().numpy()
    height, width = maps.shape[2:]
    for row in (0, 1):
        for column in (0, 1):
            # Regions of an odd map share their middle row or column.
            rows = slice(0, -(-height // 2)) if row == 0 else slice(height // 2, height)
            columns = slice(0, -(-width // 2)) if column == 0 else slice(width // 2, width)
            names = list(ae.get_feature_names_out())
            first_unit = names.index(f"autoencoder_r{row}c{column}_0")
            codes = ae.transform(X)[:, first_unit : first_unit + 2]
            assert_allclose(codes, maps[:, :, rows, columns].mean(axis=(2, 3)), atol=1e-6)


@pytest.mark.parametrize(
    ("height", "width", "n_channels"),
    [(1, 1, (2,)), (2, 9, (3, 4)), (3, 4, ()), (7, 1, (3, 4)), (8, 4, (2,))],
)
def test_any_height_and_width(height, width, n_channels):
    X = images(height, width)
    ae = conv((height, width), 5, n_channels=n_channels, pool=(1, 1)).fit(X)
    assert ae.transform(X).shape == (12, 5)
    assert_allclose(ae.inverse_transform(ae.transform(X)), ae.reconstruct(X), atol=1e-6)


def test_color_lies_last():
    # Red images and blue images differ in the channels that the first layer sees.
    X = np.zeros((40, 4, 4, 3), np.float32)
    X[:20, ..., 0] = X[20:, ..., 2] = 1
    ae = conv((4, 4, 3), 4).set_params(max_epochs=150, learning_rate=1e-2)
    given_back = ae.fit(X.reshape(40, -1)).reconstruct(X.reshape(40, -1)).reshape(X.shape)
    # Next to the border, where maps are padded, it is less exact.
    assert_allclose(given_back, X, atol=0.4)


def test_it_fills_blanked_regions():
    X = load_digits().data.astype(np.float32) / 16
    where = np.arange(64).reshape(8, 8)[2:5, 3:6].ravel()
    blanked, clean, by_the_mean = X[1500:].copy(), X[1500:, where], X[:1500, where].mean(axis=0)
    blanked[:, where] = 0
    encoder = ConvEncoder((8, 8), n_channels=(16, 16))
    parts = {"encoder": encoder, "corruption": RegionBlanking(image_shape=(8, 8))}
    params = {"corruption_level": 0.15, "max_epochs": 30, "learning_rate": 3e-3}
    errors = []
    for seed in range(3):
        ae = DenoisingAutoencoder(128, **parts, **params, random_state=seed).fit(X[:1500])
        errors.append(np.square(ae.reconstruct(blanked)[:, where] - clean).mean())
    assert np.mean(errors) < 0.9 * np.square(by_the_mean - clean).mean()


def test_copies_and_warm_starts():
    X = images(5, 6)
    ae = conv().fit(X)
    assert_array_equal(clone(ae).fit(X).transform(X), ae.transform(X))
    assert len(ae.set_params(warm_start=True).fit(X).loss_curve_) == 2
    again = pickle.loads(pickle.dumps(ae)).partial_fit(X)
    assert len(again.loss_curve_) == 3
    with pytest.raises(ValueError, match="encoder="):
        ae.set_params(encoder__n_channels=(4,)).partial_fit(X)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"image_shape": (5, 7)}, "35 entries an image, but X has 30 features"),
        ({"image_shape": (30,)}, r"\(height, width\)"),
        ({"pool": (4, 1)}, r"pool=\(4, 1\).*finer than the map of 3 x 3"),
        ({"pool": (3, 1)}, "n_components=8 is no multiple"),
        ({"pool": 0}, "pool"),
        ({"n_channels": (3, 0)}, "positive integers"),
        ({"n_channels": 3}, "n_channels"),
    ],
)
def test_what_does_not_fit_is_refused(params, message):
    ae = conv(**params)
    with pytest.raises((ValueError, TypeError), match=message):
        ae.fit(images(5, 6))
    assert not hasattr(ae, "net_")


@pytest.mark.parametrize(("cls", "output"), [(Autoencoder, "dense"), (SparseAutoencoder, "csr")])
def test_all_layers(cls, output):
    X = images(2, 4)
    params = {"hidden_layer_sizes": (5, 3), "features": "all", "max_epochs": 2, "random_state": 0}
    if output == "csr":
        params |= {"sparse_output": True, "activation": TopK(k=2), "alpha": 0.0}
    ae = cls(6, **params).fit(X)
    everything = ae.transform(X)
    everything = everything.toarray() if output == "csr" else everything
    names, prefix = list(ae.get_feature_names_out()), cls.__name__.lower()
    assert names[:2] == [f"{prefix}_layer0_0", f"{prefix}_layer0_1"]
    assert names[-1] == f"{prefix}_layer2_5"
    assert len(set(names)) == everything.shape[1] == 14
    layers = ae.net_.module_.encoder.layers
    first = np.maximum(X @ layers[0].weight.detach().numpy().T + layers[0].bias.detach().numpy(), 0)
    assert_allclose(everything[:, :5], first, atol=1e-6)
    alone = clone(ae).set_params(features="code").fit(X)
    code = alone.transform(X)
    assert_allclose(everything[:, 8:], code.toarray() if output == "csr" else code, atol=1e-6)
    assert_allclose(ae.inverse_transform(everything), alone.reconstruct(X), atol=1e-5)
    if output == "csr":
        assert ((everything[:, 8:] > 0).sum(axis=1) <= 2).all()


def test_where_all_layers_are_refused():
    with pytest.raises(ValueError, match="features='all'"):
        conv().set_params(features="all").fit(images(5, 6))
