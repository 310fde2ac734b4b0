"""Patch features against a loop over positions in NumPy, and their bounds and errors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils import estimator_checks

from sklearn_ae import (
    Autoencoder,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    PatchFeatures,
    SparseAutoencoder,
)
from sklearn_ae.modules import ConvEncoder, TopK


class Watching(Autoencoder):
    """Keeps the patches that it is fitted on."""

    def fit(self, X, y=None):
        self.patches_ = X
        return super().fit(X)


def small(autoencoder=None, **params):
    if autoencoder is None:
        autoencoder = SparseAutoencoder(7, max_epochs=2)
    params = {"image_shape": (6, 8), "patch_size": 3, "pool": (2, 2), "random_state": 0, **params}
    return PatchFeatures(autoencoder=autoencoder, **params)


@pytest.fixture
def X():
    return np.random.RandomState(0).uniform(size=(20, 48)).astype(np.float32)


def by_hand(fitted, X):
    """Loop over images, positions and regions, as the definition says, in float64."""
    shape = fitted.image_shape if len(fitted.image_shape) == 3 else (*fitted.image_shape, 1)
    size = np.broadcast_to(fitted.patch_size, 2)
    pool = np.broadcast_to(fitted.pool, 2)
    positions = [range(0, shape[a] - size[a] + 1, fitted.stride) for a in (0, 1)]
    ae = fitted.autoencoder_
    layers = ae.net_.module_.encoder.layers
    rows = []
    for row in X.astype(np.float64):
        image = row.reshape(shape)
        maps = np.empty((len(positions[0]), len(positions[1]), ae.n_components))
        for i, r in enumerate(positions[0]):
            for j, c in enumerate(positions[1]):
                patch = image[r : r + size[0], c : c + size[1]].ravel()
                patch = (patch - patch.mean()) / np.sqrt(patch.var() + fitted.contrast_epsilon)
                a = (patch - fitted.mean_) @ fitted.whitening_
                for number, layer in enumerate(layers):
                    a = layer.weight.detach().numpy() @ a + layer.bias.detach().numpy()
                    if number < len(layers) - 1:
                        a = np.maximum(a, 0)
                if fitted.encoding == "threshold":
                    a = a - a.mean() - fitted.threshold * a.std()
                if isinstance(ae.activation, TopK) and fitted.encoding == "codes":
                    a[np.argsort(a)[: -ae.activation.k]] = 0
                maps[i, j] = np.maximum(a, 0)
        features = []
        for band in np.split(maps, _edges(len(maps), pool[0])):
            for cell in np.split(band, _edges(maps.shape[1], pool[1]), axis=1):
                reduce = np.mean if fitted.pooling == "mean" else np.max
                features.append(reduce(cell, axis=(0, 1)))
        rows.append(np.concatenate(features))
    return np.array(rows)


def _edges(n, n_regions):
    return [n * region // n_regions for region in range(1, n_regions)]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"threshold": 0.3, "pooling": "max"},
        {"stride": 2, "pool": (1, 2)},
        {"patch_size": (2, 4), "pool": 3},
        {"image_shape": (4, 4, 3), "pool": (2, 1), "encoding": "codes", "pooling": "max"},
        {"whiten": False, "contrast_epsilon": 0.1},
        {"autoencoder": DropoutAutoencoder(7, hidden_layer_sizes=(5,), max_epochs=2)},
        {"autoencoder": SparseAutoencoder(7, activation=TopK(k=2), alpha=0, max_epochs=1),
         "encoding": "codes"},
        {"autoencoder": Autoencoder(7, precision="float64", max_epochs=1)},
    ],
    ids=str,
)  # fmt: skip
def test_features_are_those_of_the_definition(params, X):
    fitted = small(**params).fit(X)
    features = fitted.transform(X[:5])
    expected = by_hand(fitted, X[:5])
    assert features.shape == expected.shape
    assert (expected > 0).mean() > 0.1
    exact = getattr(params.get("autoencoder"), "precision", "") == "float64"
    assert_allclose(features, expected, atol=1e-12 if exact else 2e-6)
    assert features.dtype == (np.float64 if exact else np.float32)


def test_whitened_patches_are_uncorrelated():
    X = load_digits().data / 16
    inner = Watching(5, max_epochs=1)
    patches = small(inner, image_shape=(8, 8), zca_epsilon=0.05).fit(X)
    whitened = patches.autoencoder_.patches_.astype(np.float64)
    assert len(whitened) == 1797 * 36
    covariance = np.cov(whitened.T, bias=True)
    # lambda / (lambda + epsilon) along the axes of the normalized patches, off which it is 0.
    original = np.linalg.inv(patches.whitening_.astype(np.float64))
    variances, axes = np.linalg.eigh(original @ original)
    expected = (axes * ((variances - 0.05) / variances)) @ axes.T
    assert_allclose(covariance, expected, atol=1e-3)
    assert_allclose(whitened.mean(axis=0), 0, atol=1e-5)


def test_patches_are_drawn_without_replacement(X):
    # 20 images of 4 x 6 positions.
    for n_patches, n_drawn in ((100, 100), (480, 480), (10**6, 480)):
        patches = small(Watching(3, max_epochs=1), n_patches=n_patches).fit(X)
        drawn = patches.autoencoder_.patches_
        assert len(drawn) == len(np.unique(drawn, axis=0)) == n_drawn


def test_equal_seeds_and_pieces_give_what_the_whole_gives(X):
    patches = small().fit(X)
    features = patches.transform(X)
    assert_array_equal(clone(patches).fit(X).transform(X), features)
    other = clone(patches).set_params(random_state=1).fit(X)
    assert not np.array_equal(other.transform(X), features)
    assert_allclose(np.vstack([patches.transform(x[None]) for x in X]), features, atol=1e-6)


def test_an_inner_seed_is_kept_and_what_is_frozen_used_as_it_is(X):
    inner = SparseAutoencoder(7, max_epochs=1, random_state=5)
    fitted = small(inner).fit(X).autoencoder_
    assert fitted.random_state == 5
    assert inner.random_state == 5
    assert not hasattr(inner, "net_")
    again = small(FrozenEstimator(fitted), random_state=3).fit(X[:10])
    assert again.autoencoder_.estimator is fitted
    assert again.transform(X).shape == (20, 28)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"image_shape": (6, 9)}, r"image_shape=\(6, 9\).*54 entries.*48 features"),
        ({"image_shape": (48,)}, r"\(height, width\)"),
        ({"image_shape": (6, 8.0)}, "positive integers"),
        ({"patch_size": 7}, r"patch_size=7 is larger than.*\(6, 8\)"),
        ({"patch_size": (3, 9)}, r"patch_size=\(3, 9\) is larger"),
        ({"patch_size": (3, 3, 3)}, "pair"),
        ({"pool": (5, 2)}, r"pool=\(5, 2\) is finer than the 4 x 6 positions"),
        ({"pool": (2, 2), "stride": 5}, "finer than the 1 x 2"),
        ({"encoding": "triangle"}, "encoding"),
        ({"contrast_epsilon": 0.0}, "contrast_epsilon"),
        ({"autoencoder": Autoencoder(encoder=ConvEncoder((3, 3)))}, "encoding='codes'"),
        (
            {"autoencoder": SparseAutoencoder(7, hidden_layer_sizes=(5,), features="all")},
            "features='all' does not go with PatchFeatures",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_training(params, message, X, monkeypatch):
    patches = small(**params)
    monkeypatch.setattr(Autoencoder, "fit", lambda *args: pytest.fail("trained"))
    with pytest.raises(ValueError, match=message):
        patches.fit(X)
    assert not hasattr(patches, "autoencoder_")
    assert not hasattr(patches, "n_features_in_")


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((10, 64)),
        load_digits().data[:50] * (255 / 16),
        load_digits().data[:1] / 16,
        np.full((10, 64), 1e5),
    ],
    ids=["black", "0..255", "one image", "large constant"],
)
def test_features_are_finite_without_a_warning(X):
    patches = small(SparseAutoencoder(8, max_epochs=2), image_shape=(8, 8))
    assert np.isfinite(patches.fit_transform(X)).all()


def test_too_few_patches_warn():
    X = np.random.RandomState(0).uniform(size=(3, 8 * 8 * 3))
    inner = SparseAutoencoder(8, max_epochs=1)
    patches = small(inner, image_shape=(8, 8, 3), patch_size=6, n_patches=20)
    with pytest.warns(UserWarning, match="20 patches of 108 values each are too few") as record:
        patches.fit(X)
    assert record[0].filename == __file__
    assert np.isfinite(patches.transform(X)).all()


# By the shape of image that the data of each check can be. check_parameters_default_constructible
# and check_fit2d_1feature can't apply: image_shape has no default, and one pixel is no image with
# contrast. Those of sparse matrices and of classifiers are not for dense images.
CHECKS = {
    (1, 2): """do_not_raise_errors_in_init_or_set_params estimator_cloneable estimator_repr fit1d
        estimators_fit_returns_self estimators_overwrite_params estimators_unfitted set_params
        fit_check_is_fitted fit_idempotent get_params_invariance mixin_order n_features_in
        no_attributes_set_in_init param_validation readonly_memmap_input transformers_unfitted
        valid_tag_types""",
    (1, 3): """dict_unchanged dont_overwrite_parameters estimators_nan_inf estimators_pickle
        f_contiguous_array_estimator fit2d_predict1d fit_score_takes_y pipeline_consistency
        methods_sample_order_invariance methods_subset_invariance transformer_data_not_an_array
        transformer_general transformer_get_feature_names_out transformer_preserve_dtypes""",
    (2, 2): "n_features_in_after_fitting positive_only_tag_during_fit",
    (2, 5): "dtype_object fit2d_1sample",
    (5, 1): "estimators_dtypes set_output_transform_pandas set_output_transform_polars",
}


@pytest.mark.filterwarnings("ignore:X (does not have valid|has) feature names:UserWarning")
@pytest.mark.filterwarnings("ignore:.*patches of.*are too few:UserWarning")
@pytest.mark.parametrize("shape", CHECKS, ids=str)
def test_scikit_learn_s_checks(shape):
    size = (1, 2) if shape[1] > 1 else 1
    for name in CHECKS[shape].split():
        inner = SparseAutoencoder(4, max_epochs=2, random_state=0)
        patches = small(inner, image_shape=shape, patch_size=size, pool=1, encoding="codes")
        getattr(estimator_checks, f"check_{name}")("PatchFeatures", patches)


def test_denoising_and_conv_encoders_work_inside_and_no_other_estimator(X):
    conv = ConvEncoder((4, 4), n_channels=(3,), pool=(1, 1))
    inner = DenoisingAutoencoder(6, encoder=conv, max_epochs=1)
    patches = small(inner, patch_size=4, pool=(1, 2), encoding="codes")
    frame = patches.set_output(transform="pandas").fit_transform(X)
    assert frame.shape == (20, 12)
    assert [frame.columns[k] for k in (0, 8)] == ["patchfeatures_r0c0_0", "patchfeatures_r0c1_2"]
    with pytest.raises(TypeError, match="'autoencoder' parameter of PatchFeatures"):
        small(LogisticRegression()).fit(X)
