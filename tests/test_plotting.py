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
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from torch import nn

from sklearn_ae import Autoencoder, DenoisingAutoencoder, PatchFeatures, SparseAutoencoder
from sklearn_ae import plotting as p
from sklearn_ae.corruptions import Corruption, Masking

SHAPE = (3, 4)
NEED_SHAPE = [p.FeatureExamplesDisplay, p.FiltersDisplay, p.ReconstructionDisplay]
DISPLAYS = [p.LossCurveDisplay, p.CodeSparsityDisplay, *NEED_SHAPE]
each_display = pytest.mark.parametrize("cls", DISPLAYS)


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


def with_dead(X):
    """Fit, and let two units fire on no row, of which one has the largest norm."""
    fitted = small().fit(X)
    layer = fitted.net_.module_.encoder.layers[0]
    with torch.no_grad():
        layer.bias[[1, 4]] = -100
        layer.weight[1] = 9
    return fitted


def patch_features(X, shape=SHAPE, **params):
    params = {"patch_size": 2, "pool": (1, 2), "random_state": 0, **params}
    return PatchFeatures(autoencoder=small(), image_shape=shape, **params).fit(X)


def show(cls, estimator, X=None, image_shape=SHAPE, **kwargs):
    if cls in NEED_SHAPE:
        kwargs["image_shape"] = image_shape
    if cls is not p.LossCurveDisplay:
        kwargs["X"] = X
    return cls.from_estimator(estimator, **kwargs)


def tiles(ax, n_rows, n_columns, shape=SHAPE):
    """Cut a drawn picture into its images again, as flat rows."""
    (picture,) = ax.images
    data = np.ma.filled(picture.get_array(), np.nan)
    down, across = shape[0] + 1, shape[1] + 1
    assert data.shape[:2] == (n_rows * down - 1, n_columns * across - 1)
    corners = [(r * down, c * across) for r in range(n_rows) for c in range(n_columns)]
    return np.array([data[r : r + shape[0], c : c + shape[1]].ravel() for r, c in corners])


def titles(axes):
    return [ax.get_title() for ax in axes]


def heights(ax):
    return [bar.get_height() for bar in ax.patches]


def by_scale(filters):
    return filters / np.abs(filters).max(axis=1, keepdims=True)


def weights(part):
    return part.layers[-1].weight.detach().numpy()


def test_loss_curve(X):
    fitted = small(max_epochs=3).fit(X)
    display = show(p.LossCurveDisplay, fitted)
    assert_array_equal(display.line_.get_data(), [[1, 2, 3], fitted.loss_curve_])
    assert display.ax_.get_legend() is display.validation_line_ is display.penalty_line_ is None
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("epoch", "loss")
    assert display.figure_ is display.ax_.figure
    fitted = small(SparseAutoencoder, early_stopping=True, validation_fraction=0.3).fit(X)
    display = show(p.LossCurveDisplay, fitted, ax=display.ax_, name="plain")
    assert_array_equal(display.validation_line_.get_ydata(), fitted.validation_loss_curve_)
    assert_array_equal(display.penalty_line_.get_ydata(), fitted.penalty_curve_)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()][1:]
    assert labels == ["plain, training", "plain, validation", "plain, penalty in it"]
    assert len(plt.get_fignums()) == 1
    # Of patches it is that of the autoencoder inside.
    patches = patch_features(X)
    display = show(p.LossCurveDisplay, FrozenEstimator(patches))
    assert_array_equal(display.loss, patches.autoencoder_.loss_curve_)


def test_filters_are_sorted_by_use_and_dead_ones_framed(X):
    fitted = with_dead(X)
    display = show(p.FiltersDisplay, fitted, X)
    codes = fitted.transform(X).astype(np.float64)
    order = sorted(range(7), key=lambda k: (-codes[:, k].mean(), k))
    assert_array_equal(display.order_, order)
    dead = set(np.flatnonzero((codes == 0).all(axis=0)))
    assert {1, 4} <= dead
    # Seven filters are three in a row.
    drawn = tiles(display.ax_, 3, 3)
    assert_allclose(drawn[:7], by_scale(fitted.components_[order]), rtol=1e-6)
    assert np.isnan(drawn[7:]).all()
    assert display.ax_.images[0].get_clim() == (-1, 1)
    assert display.ax_.get_title() == f"7 filters, {len(dead)} dead"
    places = [order.index(k) for k in dead]
    frames = {(place % 3 * 5 - 0.5, place // 3 * 4 - 0.5, 4, 3) for place in places}
    patches = display.ax_.patches
    assert {(*f.get_xy(), f.get_width(), f.get_height()) for f in patches} == frames
    assert {frame.get_edgecolor() for frame in patches} == {(1, 0, 0, 1)}
    # Without data they are sorted by norm.
    display = show(p.FiltersDisplay, fitted, max_filters=4)
    order = np.argsort(-np.linalg.norm(fitted.components_, axis=1))[:4]
    assert_array_equal(display.order_, order)
    assert order[0] == 1
    assert display.ax_.get_title() == "4 of 7 filters"
    assert not display.ax_.patches
    assert_allclose(tiles(display.ax_, 2, 2), by_scale(fitted.components_[order]), rtol=1e-6)


def test_decoder_filters_also_behind_a_deep_encoder(X):
    deep = nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 7))
    for fitted in [small().fit(X), small(encoder=deep).fit(X), small(tied_weights=True).fit(X)]:
        display = show(p.FiltersDisplay, fitted, X, part="decoder")
        atoms = weights(fitted.net_.module_.decoder)
        assert atoms.shape == (7, 12)
        drawn = tiles(display.ax_, 3, 3)[:7]
        assert_allclose(drawn, by_scale(atoms[display.order_]), rtol=1e-6)


def test_color_filters_fill_the_range_and_constant_ones_are_drawn(X):
    fitted = small().fit(X)
    display = show(p.FiltersDisplay, fitted, X, (2, 2, 3))
    w = fitted.components_[display.order_]
    low, high = w.min(axis=1, keepdims=True), w.max(axis=1, keepdims=True)
    drawn = tiles(display.ax_, 3, 3, (2, 2, 3))[:7]
    assert_allclose(drawn, (w - low) / (high - low), atol=1e-6)
    # What lies between is white.
    assert_array_equal(np.asarray(display.ax_.images[0].get_array())[2], 1)
    display = p.FiltersDisplay(filters=np.zeros((2, 4)), image_shape=(2, 2), dead=np.array([0, 1]))
    assert_array_equal(tiles(display.plot().ax_, 1, 2, (2, 2)), np.zeros((2, 4)))
    assert len(display.ax_.patches) == 1


def test_filters_of_patches_are_in_pixels(X):
    fitted = patch_features(X, (2, 2, 3), patch_size=(2, 1))
    display = p.FiltersDisplay.from_estimator(fitted, X)
    assert display.image_shape == (2, 1, 3)
    # What a normalized patch is multiplied by: shift each pixel and see what the unit sees.
    module = fitted.autoencoder_.net_.module_
    responses = (np.eye(6, dtype=np.float32) @ fitted.whitening_) @ weights(module.encoder).T
    assert_allclose(display.filters, responses.T, rtol=1e-4, atol=1e-6)
    per_region = fitted.transform(X).reshape(30, 2, 7)
    assert_allclose(display.use, per_region.mean(axis=(0, 1)), rtol=1e-5)
    assert_array_equal(display.dead, (per_region == 0).all(axis=(0, 1)))
    # Those of the decoder undo the whitening.
    whitened = p.FiltersDisplay.from_estimator(fitted, part="decoder").filters @ fitted.whitening_
    assert_allclose(whitened, weights(module.decoder), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("loss", ["squared_error", "binary_cross_entropy"])
def test_reconstruction_without_corruption(X, loss):
    fitted = small(loss=loss).fit(X)
    display = show(p.ReconstructionDisplay, fitted, X, rows=[3, 0])
    assert titles(display.axes_) == ["clean", "reconstructed", "error"]
    seen = X[[3, 0]]
    again = fitted.reconstruct(seen)
    for ax, images in zip(display.axes_, [seen, again, np.abs(again - seen)], strict=True):
        assert_array_equal(tiles(ax, 2, 1), images)
    scale = (seen.min(), seen.max())
    limits = [ax.images[0].get_clim() for ax in display.axes_]
    assert limits == [scale, scale, (0, np.abs(again - seen).max())]


@pytest.mark.parametrize("corruption", ["masking", "swap"])
def test_reconstruction_is_that_of_the_corrupted(X, corruption):
    fitted = small(DenoisingAutoencoder, corruption=corruption, corruption_level=0.4).fit(X)
    display = show(p.ReconstructionDisplay, fitted, X)
    assert titles(display.axes_) == ["clean", "corrupted", "reconstructed", "error"]
    clean, corrupted, again, error = (tiles(ax, 5, 1) for ax in display.axes_)
    assert_array_equal(clean, X[:5])
    assert_array_equal(again, fitted.reconstruct(corrupted))
    assert_allclose(error, np.abs(again - clean), atol=1e-6)
    changed = corrupted != clean
    assert 0.2 < changed.mean() < 0.6
    donors = np.zeros((1, 12)) if corruption == "masking" else clean
    assert all(np.isin(corrupted[changed[:, k], k], donors[:, k]).all() for k in range(12))
    assert_array_equal(show(p.ReconstructionDisplay, fitted, X).corrupted, corrupted)
    other = show(p.ReconstructionDisplay, fitted, X, random_state=1)
    assert (other.corrupted != corrupted).any()


def test_color_reconstruction_is_on_the_scale_of_the_clean_images():
    shape, clean, far = (2, 2, 3), np.linspace(2, 4, 24).reshape(2, 12), np.full((2, 12), 9.0)
    display = p.ReconstructionDisplay(clean=clean, reconstructed=far, image_shape=shape).plot()
    drawn = [tiles(ax, 2, 1, shape) for ax in display.axes_]
    assert_allclose(drawn, [(clean - 2) / 2, np.ones((2, 12)), (9 - clean) / 7])


@pytest.mark.parametrize("output", ["dense", "csr"])
def test_code_sparsity(X, output):
    fitted = with_dead(X)
    fires = fitted.transform(X) != 0
    display = show(p.CodeSparsityDisplay, fitted.set_params(sparse_output=output == "csr"), X)
    assert_array_equal(display.frequency, fires.mean(axis=0))
    assert_array_equal(display.n_active, fires.sum(axis=1))
    of_features, of_rows = display.axes_
    edges = np.linspace(0, fires.mean(axis=0).max(), 31)
    assert_array_equal(heights(of_features), np.histogram(fires.mean(axis=0), edges)[0])
    # One bar for each number of features.
    middles = [round(bar.get_x() + bar.get_width() / 2) for bar in of_rows.patches]
    counts = dict(zip(*np.unique(fires.sum(axis=1), return_counts=True), strict=True))
    assert {k: v for k, v in zip(middles, heights(of_rows), strict=True) if v} == counts
    assert titles(display.axes_) == [
        f"{(~fires.any(axis=0)).sum()} of 7 features are dead",
        f"{fires.sum(axis=1).mean():.3g} of 7 features fire on average",
    ]
    assert [ax.get_ylabel() for ax in display.axes_] == ["features", "rows"]


def test_code_sparsity_of_pipelines_and_of_nothing_that_fires(X):
    pipe = make_pipeline(MinMaxScaler(), small(n_components=100)).fit(X)
    display = show(p.CodeSparsityDisplay, pipe, X, n_bins=5)
    assert len(display.axes_[1].patches) <= 5
    assert [sum(heights(ax)) for ax in display.axes_] == [100, 30]
    display = p.CodeSparsityDisplay(frequency=np.zeros(3), n_active=np.zeros(5, dtype=int)).plot()
    assert display.axes_[0].get_title() == "3 of 3 features are dead"
    assert heights(display.axes_[1]) == [5]


@pytest.mark.parametrize("output", ["dense", "csr"])
def test_feature_examples(X, output):
    fitted = with_dead(X)
    codes = fitted.transform(X)
    fitted.set_params(sparse_output=output == "csr")
    display = show(p.FeatureExamplesDisplay, fitted, X, features=[4, 2, 0], n_examples=6)
    of_filters, of_examples = display.axes_
    assert_allclose(tiles(of_filters, 3, 1), by_scale(fitted.components_[[4, 2, 0]]), rtol=1e-6)
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


def test_feature_examples_by_default_and_without_filters(X):
    deep = small(SparseAutoencoder, hidden_layer_sizes=(5,), features="all").fit(X)
    display = show(p.FeatureExamplesDisplay, deep, X, n_examples=2)
    use = deep.transform(X).mean(axis=0, dtype=np.float64)
    assert_array_equal(display.features, np.argsort(-use, kind="stable")[:8])
    assert display.examples.shape == (8, 2, 12)
    assert display.filters is None
    assert len(display.axes_) == 1
    display = p.FeatureExamplesDisplay.from_estimator(patch_features(X), X, n_examples=3)
    assert display.image_shape == (3, 4, 1)
    assert tiles(display.axes_[0], 8, 3).shape == (24, 12)


class Counting(Corruption):
    """Keeps a state, and draws from the global generator, which it should not."""

    calls_ = 0

    def __call__(self, X, level, generator):
        self.calls_ += 1
        return X + level * torch.rand(X.shape)


@each_display
def test_looking_changes_nothing(X, cls):
    noisy = small(DenoisingAutoencoder, corruption=Masking("mean"), corruption_level=0.3).fit(X)
    looked_at = [(noisy, SHAPE), (patch_features(X), None)]
    if cls is p.ReconstructionDisplay:
        looked_at[1] = (clone(noisy).set_params(corruption=Counting()).fit(X), SHAPE)
    for fitted, shape in looked_at:
        before, rows = pickle.dumps(fitted), X.copy()
        states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        show(cls, fitted, X, shape)
        assert pickle.dumps(fitted) == before
        assert_array_equal(X, rows)
        assert torch.equal(torch.get_rng_state(), states[0])
        assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002


KINDS = {
    "frame": lambda X: pd.DataFrame(X, columns=[f"pixel{k}" for k in range(12)]),
    "csr": sparse.csr_matrix, "coo": sparse.coo_matrix, "tensor": torch.from_numpy,
    "list": np.ndarray.tolist, "double": lambda X: X.astype(np.float64),
}  # fmt: skip


SHOWN = [(cls, "frame") for cls in DISPLAYS[1:]] + [(p.ReconstructionDisplay, "csr")]
# This one reads both the codes and the rows of X.
SHOWN += [(p.FeatureExamplesDisplay, kind) for kind in KINDS if kind != "frame"]


@pytest.mark.parametrize(("cls", "kind"), SHOWN)
def test_any_kind_of_X(X, cls, kind):
    X = X * (X > 0.3)
    given = KINDS[kind](X)
    fitted = small(DenoisingAutoencoder).fit(given)
    if kind == "frame":
        fitted.set_output(transform="pandas")
    drawn = show(cls, fitted, given)
    for name, value in vars(show(cls, small(DenoisingAutoencoder).fit(X), X)).items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            assert_allclose(getattr(drawn, name), value, rtol=1e-4, atol=1e-5)


REFUSED = [
    *[(cls, "unfitted", {}, NotFittedError, "not fitted") for cls in DISPLAYS],
    *[(cls, "small", {"X": np.ones((3, 11))}, ValueError, "X has 11 feat") for cls in DISPLAYS[1:]],
    *[(cls, "pipe", {}, TypeError, f"{cls.__name__} takes a fitted Auto") for cls in NEED_SHAPE],
    *[(cls, "small", {"image_shape": (3, 5)}, ValueError,
       r"image_shape=\(3, 5\) makes 15 entries an image, but a .* has 12") for cls in NEED_SHAPE],
    *[(p.FiltersDisplay, "small", {"image_shape": shape}, ValueError, message)
      for shape, message in [((3, 2, 2), "has 2 channels; images of 1 or 3"), (12, "must be"),
                             (None, "must be"), ((12,), "must be"), ((-3, -4), "must be")]],
    (p.FiltersDisplay, "deep", {}, AttributeError, "components_ exists only for"),
    (p.FiltersDisplay, "deep", {"part": "decoder"}, AttributeError, "one built-in dense layer"),
    (p.FiltersDisplay, "own", {"part": "decoder"}, AttributeError, "one built-in dense layer"),
    (p.FiltersDisplay, "own", {"part": "both"}, ValueError, "part='both' must be"),
    (p.FiltersDisplay, "own", {"max_filters": 0}, ValueError, "max_filters=0 must be a positive"),
    (p.LossCurveDisplay, "scaler", {}, AttributeError, "loss_curve_, which MinMaxScaler"),
    (p.CodeSparsityDisplay, "logistic", {}, AttributeError, "needs a transformer, got LogisticReg"),
    (p.ReconstructionDisplay, "patches", {}, TypeError, "takes a fitted Autoencoder, got"),
    (p.ReconstructionDisplay, "small", {"rows": [30]}, ValueError,
     r"rows=\[30\] must be integers from 0 to 29"),
    *[(p.FeatureExamplesDisplay, "small", {"features": features}, ValueError,
       "must be integers from 0 to 6, as there are 7") for features in ([7], [-1], [0.5], [])],
]  # fmt: skip


@pytest.mark.parametrize(("cls", "name", "params", "error", "message"), REFUSED)
def test_what_is_refused(X, cls, name, params, error, message):
    make = {
        "unfitted": small,
        "small": lambda: small().fit(X),
        "deep": lambda: small(hidden_layer_sizes=(5,)).fit(X),
        "own": lambda: small(decoder=nn.Linear(7, 12)).fit(X),
        "pipe": lambda: make_pipeline(MinMaxScaler(), small()).fit(X),
        "scaler": lambda: MinMaxScaler().fit(X),
        "logistic": LogisticRegression,
        "patches": lambda: patch_features(X),
    }
    with pytest.raises(error, match=message):
        show(cls, make[name](), **{"X": X, **params})
    assert not plt.get_fignums()


@each_display
def test_displays_draw_again_on_given_axes_and_not_without_matplotlib(X, cls, monkeypatch):
    fitted = FrozenEstimator(small(DenoisingAutoencoder).fit(X))
    display = show(cls, fitted, X)
    first = display.figure_
    assert display.plot() is display
    assert display.figure_ is not first
    display.figure_.canvas.draw()
    key = "ax" if hasattr(display, "ax_") else "axes"
    axes = np.ravel(getattr(display, f"{key}_"))
    drawn = show(cls, fitted, X, **{key: axes})
    assert drawn.figure_ is display.figure_
    assert_array_equal(np.ravel(getattr(drawn, f"{key}_")), axes)
    assert len(plt.get_fignums()) == 2
    with pytest.raises(ValueError, match=f"axes must hold {len(axes)} axes, got 5"):
        display.plot([axes[0]] * 5)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw, name in [(lambda: show(cls, small(), X), "from_estimator"), (display.plot, "plot")]:
        with pytest.raises(ImportError, match=f"{cls.__name__}.{name} requires matplotlib"):
            draw()


def test_importing_displays_does_not_import_matplotlib():
    code = "import sys, sklearn_ae.plotting; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
