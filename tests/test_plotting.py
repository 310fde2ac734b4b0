"""Displays by content: what is in the artists, against a computation without them."""

import pickle
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from torch import nn

from sklearn_ae import Autoencoder, DenoisingAutoencoder, PatchFeatures, SparseAutoencoder
from sklearn_ae.corruptions import Corruption, Masking
from sklearn_ae.plotting import (
    CodeSparsityDisplay,
    FeatureExamplesDisplay,
    FiltersDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
)

SHAPE = (3, 4)
NEED_X = [CodeSparsityDisplay, FeatureExamplesDisplay, FiltersDisplay, ReconstructionDisplay]
NEED_SHAPE = [FeatureExamplesDisplay, FiltersDisplay, ReconstructionDisplay]


@pytest.fixture(autouse=True)
def figures():
    mpl.use("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def X():
    return np.random.RandomState(0).uniform(size=(30, 12)).astype(np.float32)


def small(cls=Autoencoder, **params):
    return cls(**{"n_components": 7, "max_epochs": 2, "random_state": 0, **params})


def with_dead(X, dead=(1, 4)):
    """Fit, and let some units fire on no row."""
    fitted = small().fit(X)
    with torch.no_grad():
        layer = fitted.net_.module_.encoder.layers[0]
        layer.weight[list(dead)] = 0.25
        layer.bias[list(dead)] = -100
        # Bigger than all others, but dead: last by use, first by norm.
        layer.weight[dead[0]] = 9
    return fitted


def patch_features(X, shape=SHAPE, **params):
    params = {"patch_size": 2, "pool": (1, 2), "random_state": 0, **params}
    return PatchFeatures(small(), image_shape=shape, **params).fit(X)


def tiles(ax, n_rows, n_columns, shape=SHAPE):
    """Cut a drawn picture into its images again; gaps must be empty."""
    (picture,) = ax.images
    data = np.ma.filled(picture.get_array(), np.nan)
    gap = 1
    assert data.shape[:2] == (
        n_rows * (shape[0] + gap) - gap,
        n_columns * (shape[1] + gap) - gap,
    )
    return np.array(
        [
            data[r : r + shape[0], c : c + shape[1]]
            for r in range(0, data.shape[0], shape[0] + gap)
            for c in range(0, data.shape[1], shape[1] + gap)
        ]
    )


def by_scale(filters):
    return filters / np.abs(filters).max(axis=1, keepdims=True)


def show(cls, estimator, X, image_shape=SHAPE, **kwargs):
    if cls in NEED_SHAPE:
        kwargs["image_shape"] = image_shape
    if cls in NEED_X:
        kwargs["X"] = X
    return cls.from_estimator(estimator, **kwargs)


# Loss curves


def test_loss_curve(X):
    fitted = small(max_epochs=3).fit(X)
    display = LossCurveDisplay.from_estimator(fitted)
    (line,) = display.ax_.lines
    assert line is display.line_
    assert display.validation_line_ is None
    assert_array_equal(line.get_xdata(), [1, 2, 3])
    assert_array_equal(line.get_ydata(), fitted.loss_curve_)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("epoch", "loss")
    assert display.ax_.get_legend() is None
    assert display.figure_ is display.ax_.figure


def test_loss_curve_with_validation_on_given_axes(X):
    fitted = small(early_stopping=True, validation_fraction=0.3).fit(X)
    _, ax = plt.subplots()
    display = LossCurveDisplay.from_estimator(fitted, ax=ax, name="plain")
    assert display.ax_ is ax
    assert_array_equal(display.validation_line_.get_ydata(), fitted.validation_loss_curve_)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["plain, training", "plain, validation"]
    assert len(plt.get_fignums()) == 1


def test_loss_curve_of_patches_is_that_of_the_autoencoder_inside(X):
    fitted = patch_features(X)
    display = LossCurveDisplay.from_estimator(FrozenEstimator(fitted))
    assert_array_equal(display.loss, fitted.autoencoder_.loss_curve_)


def test_loss_curve_needs_one(X):
    with pytest.raises(AttributeError, match="loss_curve_, which MinMaxScaler"):
        LossCurveDisplay.from_estimator(MinMaxScaler().fit(X))


# Filters


def test_encoder_filters_are_sorted_by_use_and_dead_ones_framed(X):
    fitted = with_dead(X)
    display = FiltersDisplay.from_estimator(fitted, X, image_shape=SHAPE)
    codes = fitted.transform(X).astype(np.float64)
    order = sorted(range(7), key=lambda k: (-codes[:, k].mean(), k))
    assert_array_equal(display.order_, order)
    dead = set(np.flatnonzero((codes == 0).all(axis=0)))
    assert {1, 4} <= dead
    # Seven filters are three in a row.
    drawn = tiles(display.ax_, 3, 3)
    assert_allclose(drawn[:7].reshape(7, 12), by_scale(fitted.components_[order]), rtol=1e-6)
    assert np.isnan(drawn[7:]).all()
    assert display.ax_.images[0].get_clim() == (-1, 1)
    assert display.ax_.get_title() == f"7 filters, {len(dead)} dead"
    places = [order.index(k) for k in dead]
    corners = {(place % 3 * 5 - 0.5, place // 3 * 4 - 0.5) for place in places}
    assert {frame.get_xy() for frame in display.ax_.patches} == corners
    for frame in display.ax_.patches:
        assert (frame.get_width(), frame.get_height()) == (4, 3)
        assert frame.get_edgecolor() == (1, 0, 0, 1)


def test_filters_without_data_are_sorted_by_norm(X):
    fitted = with_dead(X)
    display = FiltersDisplay.from_estimator(fitted, image_shape=SHAPE, max_filters=4)
    order = np.argsort(-np.linalg.norm(fitted.components_, axis=1))[:4]
    assert_array_equal(display.order_, order)
    assert order[0] == 1
    assert display.ax_.get_title() == "4 of 7 filters"
    assert not display.ax_.patches
    assert tiles(display.ax_, 2, 2).shape == (4, 3, 4)


def test_decoder_filters_also_behind_a_deep_encoder(X):
    deep = nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 7))
    for fitted in [small().fit(X), small(encoder=deep).fit(X), small(tied_weights=True).fit(X)]:
        display = FiltersDisplay.from_estimator(fitted, X, image_shape=SHAPE, part="decoder")
        atoms = fitted.net_.module_.decoder.layers[-1].weight.detach().numpy()
        assert atoms.shape == (7, 12)
        drawn = tiles(display.ax_, 3, 3)[:7].reshape(7, 12)
        assert_allclose(drawn, by_scale(atoms[display.order_]), rtol=1e-6)


def test_color_filters_fill_the_range(X):
    fitted = small().fit(X)
    display = FiltersDisplay.from_estimator(fitted, X, image_shape=(2, 2, 3))
    drawn = tiles(display.ax_, 3, 3, (2, 2, 3))[:7].reshape(7, 12)
    w = fitted.components_[display.order_]
    low, high = w.min(axis=1, keepdims=True), w.max(axis=1, keepdims=True)
    assert_allclose(drawn, (w - low) / (high - low), atol=1e-6)
    # What lies between is white.
    assert_array_equal(np.asarray(display.ax_.images[0].get_array())[2], 1)


@pytest.mark.parametrize("shape", [SHAPE, (2, 2, 3)])
def test_filters_of_patches_are_in_pixels(X, shape):
    fitted = patch_features(X, shape, patch_size=(2, 1))
    display = FiltersDisplay.from_estimator(fitted, X)
    n_channels = (*shape, 1)[2]
    assert display.image_shape == (2, 1, n_channels)
    # What a normalized patch is multiplied by: shift each pixel and see what the unit sees.
    inner = fitted.autoencoder_
    layer = inner.net_.module_.encoder.layers[0].weight.detach().numpy()
    pixels = np.eye(2 * n_channels, dtype=np.float32)
    responses = (pixels @ fitted.whitening_) @ layer.T
    assert_allclose(display.filters, responses.T, rtol=1e-4, atol=1e-6)
    per_region = fitted.transform(X).reshape(30, 2, 7)
    assert_allclose(display.use, per_region.mean(axis=(0, 1)), rtol=1e-5)
    assert_array_equal(display.dead, (per_region == 0).all(axis=(0, 1)))


def test_decoder_filters_of_patches_undo_the_whitening(X):
    fitted = patch_features(X)
    display = FiltersDisplay.from_estimator(fitted, part="decoder")
    atoms = fitted.autoencoder_.net_.module_.decoder.layers[-1].weight.detach().numpy()
    assert_allclose(display.filters @ fitted.whitening_, atoms, rtol=1e-3, atol=1e-5)


def test_filters_by_hand_and_constant_ones():
    display = FiltersDisplay(filters=np.zeros((2, 4)), image_shape=(2, 2), dead=np.array([0, 1]))
    display.plot()
    assert_array_equal(tiles(display.ax_, 1, 2, (2, 2)), np.zeros((2, 2, 2)))
    assert len(display.ax_.patches) == 1


def test_filters_need_the_part(X):
    deep = small(hidden_layer_sizes=(5,)).fit(X)
    with pytest.raises(AttributeError, match="components_ exists only for"):
        FiltersDisplay.from_estimator(deep, image_shape=SHAPE)
    with pytest.raises(AttributeError, match="one built-in dense layer"):
        FiltersDisplay.from_estimator(deep, image_shape=SHAPE, part="decoder")
    own = small(decoder=nn.Linear(7, 12)).fit(X)
    with pytest.raises(AttributeError, match="one built-in dense layer"):
        FiltersDisplay.from_estimator(own, image_shape=SHAPE, part="decoder")
    with pytest.raises(ValueError, match="part='both' must be"):
        FiltersDisplay.from_estimator(own, image_shape=SHAPE, part="both")
    with pytest.raises(ValueError, match="max_filters=0 must be a positive"):
        FiltersDisplay.from_estimator(own, image_shape=SHAPE, max_filters=0)


# Reconstructions


def test_reconstruction_without_corruption(X):
    fitted = small().fit(X)
    display = ReconstructionDisplay.from_estimator(fitted, X, image_shape=SHAPE, rows=[3, 0])
    titles = [ax.get_title() for ax in display.axes_]
    assert titles == ["clean", "reconstructed", "error"]
    seen = X[[3, 0]]
    again = fitted.reconstruct(seen)
    for ax, images in zip(display.axes_, [seen, again, np.abs(again - seen)], strict=True):
        assert_array_equal(tiles(ax, 2, 1).reshape(2, 12), images)
    assert display.axes_[0].images[0].get_clim() == (seen.min(), seen.max())
    assert display.axes_[1].images[0].get_clim() == (seen.min(), seen.max())
    assert display.axes_[2].images[0].get_clim() == (0, np.abs(again - seen).max())


@pytest.mark.parametrize("corruption", ["masking", "salt_and_pepper", "swap", "gaussian"])
def test_reconstruction_is_that_of_the_corrupted(X, corruption):
    fitted = small(DenoisingAutoencoder, corruption=corruption, corruption_level=0.4).fit(X)
    display = ReconstructionDisplay.from_estimator(fitted, X, image_shape=SHAPE)
    titles = [ax.get_title() for ax in display.axes_]
    assert titles == ["clean", "corrupted", "reconstructed", "error"]
    clean, corrupted, again, error = (tiles(ax, 5, 1).reshape(5, 12) for ax in display.axes_)
    assert_array_equal(clean, X[:5])
    assert_array_equal(again, fitted.reconstruct(corrupted))
    assert_allclose(error, np.abs(again - clean), atol=1e-6)
    changed = corrupted != clean
    assert changed.any()
    if corruption == "masking":
        assert_array_equal(corrupted[changed], 0)
        assert 0.2 < changed.mean() < 0.6
    if corruption == "salt_and_pepper":
        extreme = (corrupted == X.min(axis=0)) | (corrupted == X.max(axis=0))
        assert extreme[changed].all()
    if corruption == "swap":
        assert all(np.isin(corrupted[:, k], clean[:, k]).all() for k in range(12))
    same = ReconstructionDisplay.from_estimator(fitted, X, image_shape=SHAPE)
    assert_array_equal(same.corrupted, corrupted)
    other = ReconstructionDisplay.from_estimator(fitted, X, image_shape=SHAPE, random_state=1)
    assert (other.corrupted != corrupted).any()


def test_color_reconstruction_is_on_the_scale_of_the_clean_images():
    clean = np.linspace(2, 4, 24).reshape(2, 12)
    display = ReconstructionDisplay(
        clean=clean, reconstructed=np.full((2, 12), 9.0), image_shape=(2, 2, 3)
    ).plot()
    first, second, error = (tiles(ax, 2, 1, (2, 2, 3)).reshape(2, 12) for ax in display.axes_)
    assert_allclose(first, (clean - 2) / 2)
    assert_array_equal(second, 1)
    assert_allclose(error, (9 - clean) / 7)


def test_reconstruction_under_cross_entropy_is_not_logits(X):
    fitted = small(loss="binary_cross_entropy").fit(X)
    display = ReconstructionDisplay.from_estimator(fitted, X, image_shape=SHAPE)
    assert_array_equal(display.reconstructed, fitted.reconstruct(X[:5]))


def test_reconstruction_refuses_rows_and_patches(X):
    with pytest.raises(ValueError, match=r"rows=\[30\] must be integers from 0 to 29"):
        ReconstructionDisplay.from_estimator(small().fit(X), X, image_shape=SHAPE, rows=[30])
    with pytest.raises(TypeError, match="ReconstructionDisplay takes a fitted Autoencoder, got"):
        ReconstructionDisplay.from_estimator(patch_features(X), X, image_shape=SHAPE)


# Sparsity of codes


@pytest.mark.parametrize("output", ["dense", "csr"])
def test_code_sparsity(X, output):
    fitted = with_dead(X).set_params(output=output)
    display = CodeSparsityDisplay.from_estimator(fitted, X)
    codes = fitted.transform(X)
    fires = (codes.toarray() if output == "csr" else codes) != 0
    assert_array_equal(display.frequency, fires.mean(axis=0))
    assert_array_equal(display.n_active, fires.sum(axis=1))
    of_features, of_rows = display.axes_
    n_dead = (~fires.any(axis=0)).sum()
    assert of_features.get_title() == f"{n_dead} of 7 features are dead"
    heights = [bar.get_height() for bar in of_features.patches]
    edges = np.linspace(0, fires.mean(axis=0).max(), 31)
    assert_array_equal(heights, np.histogram(fires.mean(axis=0), edges)[0])
    # One bar for each number of features.
    counts = {round(bar.get_x() + bar.get_width() / 2): bar.get_height() for bar in of_rows.patches}
    numbers, expected = np.unique(fires.sum(axis=1), return_counts=True)
    assert {k: v for k, v in counts.items() if v} == dict(zip(numbers, expected, strict=True))
    assert of_rows.get_title() == f"{fires.sum(axis=1).mean():.3g} of 7 features fire on average"
    assert [ax.get_ylabel() for ax in display.axes_] == ["features", "rows"]


def test_code_sparsity_of_a_pipeline_and_of_many_codes(X):
    pipe = make_pipeline(MinMaxScaler(), small(n_components=100)).fit(X)
    display = CodeSparsityDisplay.from_estimator(pipe, X, n_bins=5)
    assert len(display.axes_[1].patches) <= 5
    assert sum(bar.get_height() for bar in display.axes_[1].patches) == 30
    assert sum(bar.get_height() for bar in display.axes_[0].patches) == 100


def test_code_sparsity_of_nothing_that_fires():
    display = CodeSparsityDisplay(frequency=np.zeros(3), n_active=np.zeros(5, dtype=int)).plot()
    assert display.axes_[0].get_title() == "3 of 3 features are dead"
    assert [bar.get_height() for bar in display.axes_[1].patches] == [5]


def test_code_sparsity_needs_a_transformer(X):
    with pytest.raises(AttributeError, match="needs a transformer, got LogisticRegression"):
        CodeSparsityDisplay.from_estimator(LogisticRegression(), X)


# Examples of features


@pytest.mark.parametrize("output", ["dense", "csr"])
def test_feature_examples(X, output):
    fitted = with_dead(X).set_params(output=output)
    display = FeatureExamplesDisplay.from_estimator(
        fitted, X, image_shape=SHAPE, features=[4, 2, 0], n_examples=6
    )
    codes = fitted.set_params(output="dense").transform(X)
    of_filters, of_examples = display.axes_
    w = fitted.components_[[4, 2, 0]]
    assert_allclose(tiles(of_filters, 3, 1).reshape(3, 12), by_scale(w), rtol=1e-6)
    drawn = tiles(of_examples, 3, 6).reshape(3, 6, 12)
    assert np.isnan(drawn[0]).all()  # It is dead.
    for images, values, k in zip(drawn[1:], display.codes[1:], [2, 0], strict=True):
        order = sorted(np.flatnonzero(codes[:, k]), key=lambda row: (-codes[row, k], row))[:6]
        assert order
        assert_array_equal(images[: len(order)], X[order])
        assert_array_equal(values[: len(order)], codes[order, k])
        assert np.isnan(images[len(order) :]).all()
    assert [label.get_text() for label in of_filters.get_yticklabels()] == ["4", "2", "0"]
    assert_array_equal(of_filters.get_yticks(), [1, 5, 9])
    assert of_examples.get_title() == "fires most on"


def test_feature_examples_default_to_the_most_used_ones(X):
    fitted = small(SparseAutoencoder, n_components=20).fit(X)
    display = FeatureExamplesDisplay.from_estimator(fitted, X, image_shape=SHAPE, n_examples=2)
    use = fitted.transform(X).mean(axis=0, dtype=np.float64)
    assert_array_equal(display.features, np.argsort(-use, kind="stable")[:8])
    assert display.examples.shape == (8, 2, 12)


def test_feature_examples_without_filters(X):
    deep = small(hidden_layer_sizes=(5,), features="all").fit(X)
    display = FeatureExamplesDisplay.from_estimator(deep, X, image_shape=SHAPE, features=[11])
    assert display.filters is None
    assert len(display.axes_) == 1
    display = FeatureExamplesDisplay.from_estimator(patch_features(X), X, n_examples=3)
    assert display.image_shape == (3, 4, 1)
    assert tiles(display.axes_[0], 8, 3).shape == (24, 3, 4)


@pytest.mark.parametrize("features", [[7], [-1], [0.5], [], ["a"]])
def test_feature_examples_refuse_features(X, features):
    with pytest.raises(ValueError, match="must be integers from 0 to 6, as there are 7"):
        FeatureExamplesDisplay.from_estimator(
            small().fit(X), X, image_shape=SHAPE, features=features
        )


# All of them


class Counting(Corruption):
    """Keeps a state, and draws from the global generator, which it should not."""

    def __init__(self):
        self.calls_ = 0

    def __call__(self, X, level, generator):
        self.calls_ += 1
        return X + level * torch.rand(X.shape)


@pytest.mark.parametrize("display", [LossCurveDisplay, *NEED_X])
@pytest.mark.parametrize("corruption", [Masking("mean"), Counting()], ids=["Masking", "Counting"])
def test_looking_changes_nothing(X, display, corruption):
    fitted = small(DenoisingAutoencoder, corruption=corruption, corruption_level=0.3).fit(X)
    X, before, rows = X.copy(), pickle.dumps(fitted), X.copy()
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    show(display, fitted, X)
    assert pickle.dumps(fitted) == before
    assert_array_equal(X, rows)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002


@pytest.mark.parametrize("display", [FeatureExamplesDisplay, FiltersDisplay, CodeSparsityDisplay])
def test_looking_at_patches_changes_nothing(X, display):
    fitted = patch_features(X)
    before = pickle.dumps(fitted)
    show(display, fitted, X, image_shape=None)
    assert pickle.dumps(fitted) == before


@pytest.mark.parametrize("container", ["frame", "csr", "coo", "tensor", "list", "double"])
@pytest.mark.parametrize("display", NEED_X)
def test_any_kind_of_X(X, display, container):
    X = X * (X > 0.3)
    kinds = {
        "frame": lambda: pd.DataFrame(X, columns=[f"pixel{k}" for k in range(12)]),
        "csr": lambda: sparse.csr_matrix(X),
        "coo": lambda: sparse.coo_matrix(X),
        "tensor": lambda: torch.from_numpy(X),
        "list": X.tolist,
        "double": lambda: X.astype(np.float64),
    }
    kind = kinds[container]()
    fitted = small(DenoisingAutoencoder).fit(kind)
    if container == "frame":
        fitted.set_output(transform="pandas")
    drawn = show(display, fitted, kind)
    plain = show(display, small(DenoisingAutoencoder).fit(X), X)
    for name, value in vars(plain).items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            assert_allclose(getattr(drawn, name), value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("display", [LossCurveDisplay, *NEED_X])
def test_not_fitted(X, display):
    with pytest.raises(NotFittedError):
        show(display, small(), X)
    assert not plt.get_fignums()


@pytest.mark.parametrize("display", NEED_SHAPE)
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 5), r"image_shape=\(3, 5\) makes 15 entries an image, but a .* has 12"),
        ((3, 2, 2), "has 2 channels; images of 1 or 3"),
        (12, "must be"),
        (None, "must be"),
        ((12,), "must be"),
        ((3, 4.0), "must be"),
        ((-3, -4), "must be"),
    ],
)
def test_image_shape_that_does_not_fit(X, display, shape, message):
    with pytest.raises(ValueError, match=message):
        show(display, small().fit(X), X, image_shape=shape)
    assert not plt.get_fignums()


@pytest.mark.parametrize("display", NEED_SHAPE)
def test_kind_of_estimator(X, display):
    pipe = make_pipeline(MinMaxScaler(), small()).fit(X)
    with pytest.raises(TypeError, match=f"{display.__name__} takes a fitted Autoencoder"):
        show(display, pipe, X)


@pytest.mark.parametrize("display", NEED_X)
def test_wrong_number_of_features(X, display):
    with pytest.raises(ValueError, match="X has 11 features, but"):
        show(display, small().fit(X), X[:, :11])
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    "display", [CodeSparsityDisplay, FeatureExamplesDisplay, ReconstructionDisplay]
)
def test_given_axes(X, display):
    n_axes = 3 if display is ReconstructionDisplay else 2
    figure, axes = plt.subplots(1, n_axes)
    drawn = show(display, small().fit(X), X, axes=axes)
    assert drawn.figure_ is figure
    assert list(drawn.axes_) == list(axes)
    assert len(plt.get_fignums()) == 1
    with pytest.raises(ValueError, match=f"axes must hold {n_axes} axes, got 1"):
        show(display, small().fit(X), X, axes=axes[:1])


def test_frozen_estimators_are_looked_into(X):
    fitted = small().fit(X)
    for display in [LossCurveDisplay, *NEED_X]:
        show(display, FrozenEstimator(fitted), X)


def test_displays_draw_again_and_render(X):
    fitted = small(DenoisingAutoencoder).fit(X)
    for cls in [LossCurveDisplay, *NEED_X]:
        display = show(cls, fitted, X)
        first = display.figure_
        assert display.plot() is display
        assert display.figure_ is not first
        display.figure_.canvas.draw()


def test_importing_displays_does_not_import_matplotlib():
    code = "import sys, sklearn_ae.plotting; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("display", [LossCurveDisplay, *NEED_X])
def test_without_matplotlib(X, display, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=f"{display.__name__}.from_estimator requires matplotlib"):
        show(display, small(), X)
