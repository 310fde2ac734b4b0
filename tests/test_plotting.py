"""Displays by content: what is in the artists, against a computation without them."""

import pickle
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
OF_TABLES = NEED_SHAPE[:2]
CASES = [*((cls, SHAPE) for cls in DISPLAYS), *((cls, None) for cls in OF_TABLES)]
each_display = pytest.mark.parametrize(("cls", "shape"), CASES)

SHORT = [*"abcdefghijk", "a name of more… thirty letters"]


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
        layer.bias[[1, 4]], layer.weight[1] = -100, 9
    return fitted


def patch_features(X, shape=SHAPE, **params):
    params = {"patch_size": 2, "pool": (1, 2), "random_state": 0, **params}
    return PatchFeatures(autoencoder=small(), image_shape=shape, **params).fit(X)


def show(cls, estimator, X=None, image_shape=SHAPE, **kwargs):
    kwargs |= {"image_shape": image_shape} if cls in NEED_SHAPE else {}
    kwargs |= {} if cls is p.LossCurveDisplay else {"X": X}
    return cls.from_estimator(estimator, **kwargs)


def tiles(ax, n_rows, n_columns, shape=SHAPE):
    """Cut a drawn picture into its images again, as flat rows."""
    (picture,) = ax.images
    data = np.ma.filled(picture.get_array(), np.nan)
    down, across = shape[0] + 1, shape[1] + 1
    assert data.shape[:2] == (n_rows * down - 1, n_columns * across - 1)
    corners = [(r * down, c * across) for r in range(n_rows) for c in range(n_columns)]
    return np.array([data[r : r + shape[0], c : c + shape[1]].ravel() for r, c in corners])


def texts(labels):
    return [label.get_text() for label in labels]


def by_scale(filters):
    return filters / np.abs(filters).max(axis=1, keepdims=True)


def test_loss_curve(X):
    fitted = small(max_epochs=3).fit(X)
    display = show(p.LossCurveDisplay, fitted)
    assert_array_equal(display.line_.get_data(), [[1, 2, 3], fitted.loss_curve_])
    assert display.ax_.get_legend() is display.validation_line_ is display.penalty_line_ is None
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("epoch", "loss")
    fitted = small(SparseAutoencoder, early_stopping=True, validation_fraction=0.3).fit(X)
    display = show(p.LossCurveDisplay, fitted, ax=display.ax_, name="plain")
    assert_array_equal(display.validation_line_.get_ydata(), fitted.validation_loss_curve_)
    assert_array_equal(display.penalty_line_.get_ydata(), fitted.penalty_curve_)
    labels = ["training", "plain, training", "plain, validation", "plain, penalty in it"]
    assert texts(display.ax_.get_legend().get_texts()) == labels
    # Of patches it is that of the autoencoder inside.
    patches = FrozenEstimator(patch_features(X))
    assert_array_equal(show(p.LossCurveDisplay, patches).loss, patches.autoencoder_.loss_curve_)


def test_filters_are_sorted_by_use_and_dead_ones_framed(X):
    fitted = with_dead(X)
    display = show(p.FiltersDisplay, fitted, X)
    codes = fitted.transform(X).astype(np.float64)
    order = sorted(range(7), key=lambda k: (-codes[:, k].mean(), k))
    assert_array_equal(display.order_, order)
    dead = set(np.flatnonzero((codes == 0).all(axis=0)))
    assert {1, 4} <= dead
    # Seven filters are three in a row.
    drawn = np.vstack([by_scale(fitted.components_[order]), np.full((2, 12), np.nan)])
    assert_allclose(tiles(display.ax_, 3, 3), drawn, rtol=1e-6)
    assert display.ax_.images[0].get_clim() == (-1, 1)
    assert display.ax_.get_title() == f"7 filters\ndead: {len(dead)} of the 7"
    assert texts(display.ax_.get_legend().get_texts()) == ["dead: fires on no row"]
    places = [order.index(k) for k in dead]
    frames = {(place % 3 * 5 - 0.5, place // 3 * 4 - 0.5, 4, 3) for place in places}
    assert {(*f.get_xy(), f.get_width(), f.get_height()) for f in display.ax_.patches} == frames
    red = [*display.ax_.patches, *display.ax_.get_legend().get_patches()]
    assert {frame.get_edgecolor() for frame in red} == {(1, 0, 0, 1)}
    assert show(p.FiltersDisplay, fitted, X, max_filters=2).ax_.get_legend() is None
    # Without data they are sorted by norm.
    display = show(p.FiltersDisplay, fitted, max_filters=4)
    norms = np.linalg.norm(fitted.components_, axis=1)
    assert_array_equal(display.order_, np.argsort(-norms)[:4])
    assert (display.ax_.get_title(), *display.ax_.patches) == ("4 largest of 7 filters",)


def test_decoder_filters_also_behind_a_deep_encoder(X):
    deep = nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 7))
    for fitted in [small().fit(X), small(encoder=deep).fit(X), small(tied_weights=True).fit(X)]:
        display = show(p.FiltersDisplay, fitted, X, part="decoder")
        atoms = fitted.net_.module_.decoder.layers[-1].weight.detach().numpy()[display.order_]
        assert_allclose(tiles(display.ax_, 3, 3)[:7], by_scale(atoms), rtol=1e-6)


def test_colors_fill_the_range_and_what_is_constant_is_drawn(X):
    display, shape = show(p.FiltersDisplay, small().fit(X), X, (2, 2, 3)), (2, 2, 3)
    w = display.filters[display.order_]
    low, high = w.min(axis=1, keepdims=True), w.max(axis=1, keepdims=True)
    assert_allclose(tiles(display.ax_, 3, 3, shape)[:7], (w - low) / (high - low), atol=1e-6)
    # What lies between is white.
    assert_array_equal(np.asarray(display.ax_.images[0].get_array())[2], 1)
    display = p.FiltersDisplay(filters=np.zeros((2, 4)), image_shape=(2, 2), dead=np.array([0, 1]))
    assert_array_equal(tiles(display.plot().ax_, 1, 2, (2, 2)), np.zeros((2, 4)))
    assert len(display.ax_.patches) == 1
    # Reconstructions are on the scale of the clean images.
    clean, far = np.linspace(2, 4, 24).reshape(2, 12), np.full((2, 12), 9.0)
    display = p.ReconstructionDisplay(clean=clean, reconstructed=far, image_shape=shape).plot()
    drawn = [tiles(ax, 2, 1, shape) for ax in display.axes_]
    assert_allclose(drawn, [(clean - 2) / 2, np.ones((2, 12)), (9 - clean) / 7])


def test_filters_of_patches_are_in_pixels(X):
    fitted = patch_features(X, (2, 2, 3), patch_size=(2, 1))
    display = p.FiltersDisplay.from_estimator(fitted, X)
    assert display.image_shape == (2, 1, 3)
    # What a normalized patch is multiplied by: shift each pixel and see what the unit sees.
    responses = np.eye(6, dtype="f") @ fitted.whitening_ @ fitted.autoencoder_.components_.T
    assert_allclose(display.filters, responses.T, rtol=1e-4, atol=1e-6)
    per_region = fitted.transform(X).reshape(30, 2, 7)
    assert_allclose(display.use, per_region.mean(axis=(0, 1)), rtol=1e-5)
    assert_array_equal(display.dead, (per_region == 0).all(axis=(0, 1)))
    # Those of the decoder undo the whitening.
    whitened = p.FiltersDisplay.from_estimator(fitted, part="decoder").filters @ fitted.whitening_
    atoms = fitted.autoencoder_.net_.module_.decoder.layers[0].weight.detach()
    assert_allclose(whitened, atoms, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("loss", ["squared_error", "binary_cross_entropy"])
@pytest.mark.parametrize("corruption", [None, "masking", "swap"])
def test_reconstruction(X, corruption, loss):
    kind, level = corruption or "masking", 0.4 * bool(corruption)
    fitted = small(loss=loss, corruption=kind, corruption_level=level).fit(X)
    display = show(p.ReconstructionDisplay, fitted, X, rows=[3, 0, 4, 1, 2])
    titles = ["clean", *["corrupted"] * bool(corruption), "reconstructed", "error"]
    assert texts(ax.title for ax in display.axes_) == titles
    clean, *corrupted, again, error = (tiles(ax, 5, 1) for ax in display.axes_)
    seen = corrupted[0] if corruption else clean
    assert_array_equal(clean, X[[3, 0, 4, 1, 2]])
    assert_array_equal(again, fitted.reconstruct(seen))
    assert_allclose(error, np.abs(again - clean), atol=1e-6)
    limits = [ax.images[0].get_clim() for ax in display.axes_]
    assert limits == [(clean.min(), clean.max())] * (len(limits) - 1) + [(0, error.max())]
    changed = seen != clean
    assert 0.2 < changed.mean() < 0.6 or not corruption
    donors = clean if corruption == "swap" else np.zeros((1, 12))
    assert all(np.isin(seen[changed[:, k], k], donors[:, k]).all() for k in range(12))
    for random_state in (0, 1) if corruption else ():
        other = show(p.ReconstructionDisplay, fitted, clean, random_state=random_state)
        assert np.array_equal(other.corrupted, seen) == (random_state == 0)


@pytest.mark.parametrize("output", ["dense", "csr"])
def test_code_sparsity(X, output):
    fitted = with_dead(X)
    fires = fitted.transform(X) != 0
    display = show(p.CodeSparsityDisplay, fitted.set_params(sparse_output=output == "csr"), X)
    assert_array_equal(display.frequency, fires.mean(axis=0))
    assert_array_equal(display.n_active, fires.sum(axis=1))
    of_features, of_rows = display.axes_
    counts = np.histogram(fires.mean(axis=0), np.linspace(0, fires.mean(axis=0).max(), 31))[0]
    assert_array_equal(of_features.containers[0].datavalues, counts)
    # One bar for each number of features.
    middles = [round(bar.get_x() + bar.get_width() / 2) for bar in of_rows.patches]
    numbers = np.repeat(middles, of_rows.containers[0].datavalues.astype(int))
    assert_array_equal(numbers, np.sort(fires.sum(axis=1)))
    assert texts(ax.title for ax in display.axes_) == [
        f"{(~fires.any(axis=0)).sum()} of 7 features are dead",
        f"{fires.sum(axis=1).mean():.3g} of 7 features fire on average",
    ]
    assert [ax.get_ylabel() for ax in display.axes_] == ["features", "rows"]
    # Of a pipeline, and where nothing fires.
    pipe = make_pipeline(MinMaxScaler(), small(n_components=100)).fit(X)
    display = show(p.CodeSparsityDisplay, pipe, X, n_bins=5)
    assert len(display.axes_[1].patches) <= 5
    assert [sum(ax.containers[0].datavalues) for ax in display.axes_] == [100, 30]
    display = p.CodeSparsityDisplay(frequency=np.zeros(3), n_active=np.zeros(5, dtype=int)).plot()
    assert display.axes_[0].get_title() == "3 of 3 features are dead"
    assert display.axes_[1].containers[0].datavalues == [5]


@pytest.mark.parametrize("output", ["dense", "csr"])
def test_feature_examples(X, output):
    fitted = with_dead(X)
    codes = fitted.transform(X)
    fitted.set_params(sparse_output=output == "csr")
    display = show(p.FeatureExamplesDisplay, fitted, X, features=[4, 2, 0], n_examples=6)
    left, right = display.axes_
    assert_allclose(tiles(left, 3, 1), by_scale(fitted.components_[[4, 2, 0]]), rtol=1e-6)
    drawn = tiles(right, 3, 6).reshape(3, 6, 12)
    for images, values, k in zip(drawn, display.codes, [4, 2, 0], strict=True):
        order = sorted(np.flatnonzero(codes[:, k]), key=lambda row: (-codes[row, k], row))[:6]
        n_missing = 6 - len(order)
        assert (n_missing == 6) == (k == 4)  # It is dead.
        assert_array_equal(images, np.vstack([X[order], np.full((n_missing, 12), np.nan)]))
        assert_array_equal(values, [*codes[order, k], *[0] * n_missing])
    assert (texts(left.get_yticklabels()), [*left.get_yticks()]) == (["4", "2", "0"], [1, 5, 9])
    assert right.get_title() == "fires most on"


def test_feature_examples_by_default_and_without_filters(X):
    deep = small(SparseAutoencoder, hidden_layer_sizes=(5,), features="all").fit(X)
    display = show(p.FeatureExamplesDisplay, deep, X, n_examples=2)
    use = deep.transform(X).mean(axis=0, dtype=np.float64)
    assert_array_equal(display.features, np.argsort(-use, kind="stable")[:8])
    assert (display.examples.shape, display.filters, len(display.axes_)) == ((8, 2, 12), None, 1)
    display = p.FeatureExamplesDisplay.from_estimator(patch_features(X), X, n_examples=3)
    assert (display.image_shape, len(tiles(display.axes_[0], 8, 3))) == ((3, 4, 1), 24)


@pytest.fixture(scope="module")
def table(X):
    """Return columns of several scales, one of them constant, of which the last has a long name."""
    data = X * np.logspace(-2, 2, 12) + np.arange(12)
    data[:, 5] = 3
    return pd.DataFrame(data, columns=[*SHORT[:-1], "a name of more than thirty letters"])


def test_filters_of_a_table_are_its_largest_weights(X, table):
    fitted = with_dead(table)
    ax = p.FiltersDisplay.from_estimator(fitted, table, max_filters=7, max_columns=3).ax_
    widths = {bar.get_y() + bar.get_height() / 2: bar.get_width() for bar in ax.patches}
    rows = sorted(zip(ax.get_yticks(), texts(ax.get_yticklabels()), strict=True))
    codes, expected = fitted.transform(table), []
    for k in np.argsort(-codes.mean(axis=0, dtype=np.float64), kind="stable"):
        weights = dict(zip(SHORT, fitted.components_[k], strict=True))
        largest = sorted(weights, key=lambda name, w=weights: -abs(w[name]))[:3]
        expected += [(f"filter {k}" + " (dead)" * (not codes[:, k].any()), None)]
        expected += [(name, weights[name]) for name in largest]
    assert [(name, widths.get(place)) for place, name in rows] == expected
    assert ax.yaxis.get_inverted()
    # Without names and numbers: five columns of six filters.
    ax = p.FiltersDisplay.from_estimator(small().fit(X)).ax_
    names = texts(ax.get_yticklabels())[6:]
    assert len(ax.patches) == len(names) == 30
    assert {*names} <= {f"x{k}" for k in range(12)}
    with pytest.raises(ValueError, match=r"feature_names=\['a'\] must hold 12 names"):
        p.FiltersDisplay(filters=np.ones((2, 12)), feature_names=["a"]).plot()


def test_examples_of_a_table_are_standardized(table):
    deep = small(hidden_layer_sizes=(9,)).fit(table)
    codes, params = deep.transform(table), {"n_examples": 29, "max_columns": 4}
    (ax,) = show(p.FeatureExamplesDisplay, deep, table, None, features=[2, 0], **params).axes_
    z = (table - table.mean()) / table.std(ddof=0).replace(0, 1)
    fires = [[row for row in np.argsort(-codes[:, k]) if codes[row, k]][:29] for k in (2, 0)]
    blocks = [z.iloc[rows].reset_index(drop=True).reindex(range(30)) for rows in fires]
    distance = np.max([(block.sum() / 29).abs() for block in blocks], axis=0)
    shown = sorted(np.argsort(-distance)[:4])
    drawn = np.ma.filled(ax.images[0].get_array(), np.nan)
    assert_allclose(drawn, pd.concat(blocks).iloc[:-1, shown], rtol=1e-4, atol=1e-4)
    assert texts(ax.get_xticklabels()) == [SHORT[k] for k in shown]
    assert (texts(ax.get_yticklabels()), [*ax.get_yticks()]) == (["2", "0"], [14, 44])


class Counting(Corruption):
    calls_ = 0  # A state, and a draw from the global generator: it should have neither.

    def __call__(self, X, level, generator):
        self.calls_ += 1
        return X + level * torch.rand(X.shape)


@each_display
def test_looking_changes_nothing(X, cls, shape):
    noisy = small(DenoisingAutoencoder, corruption=Masking("mean"), corruption_level=0.3).fit(X)
    looked_at = [(noisy, shape), (patch_features(X), None)]
    if cls is p.ReconstructionDisplay:
        looked_at[1] = (clone(noisy).set_params(corruption=Counting()).fit(X), SHAPE)
    for fitted, shape in looked_at:
        rng = np.random.get_state()[1]  # noqa: NPY002
        before = [pickle.dumps(kept) for kept in (fitted, X, torch.get_rng_state().numpy(), rng)]
        show(cls, fitted, X, shape)
        rng = np.random.get_state()[1]  # noqa: NPY002
        after = [pickle.dumps(kept) for kept in (fitted, X, torch.get_rng_state().numpy(), rng)]
        assert after == before


KINDS = {
    "frame": lambda X: pd.DataFrame(X, columns=[f"pixel{k}" for k in range(12)]),
    "csr": sparse.csr_matrix, "coo": sparse.coo_matrix, "tensor": torch.from_numpy,
    "list": np.ndarray.tolist, "double": lambda X: X.astype(np.float64),
}  # fmt: skip


@pytest.mark.parametrize("cls", DISPLAYS[1:])
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_X(X, cls, kind):
    X = X * (X > 0.3)
    given = KINDS[kind](X)
    fitted = small(DenoisingAutoencoder).fit(given)
    if kind == "frame":
        fitted.set_output(transform="pandas")
    for shape in (shape for case, shape in CASES if case is cls):
        drawn = show(cls, fitted, given, shape)
        for name, value in vars(show(cls, small(DenoisingAutoencoder).fit(X), X, shape)).items():
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                assert_allclose(getattr(drawn, name), value, rtol=1e-4, atol=1e-5)


REFUSED = [
    *[(cls, "unfitted", {}, NotFittedError, "not fitted") for cls in DISPLAYS],
    *[(cls, "small", {"X": np.ones((3, 11))}, ValueError, "X has 11 feat") for cls in DISPLAYS[1:]],
    *[(cls, "pipe", {}, TypeError, f"{cls.__name__} takes a fitted Auto") for cls in NEED_SHAPE],
    *[(cls, "small", {"image_shape": (3, 5)}, ValueError,
       r"image_shape=\(3, 5\) makes 15 entries an image, but a .* has 12") for cls in NEED_SHAPE],
    (p.FiltersDisplay, "small", {"image_shape": (3, 2, 2)}, ValueError, "has 2 channels; images"),
    (p.FiltersDisplay, "image", {"X": None, "image_shape": (1, 8, 8)}, ValueError, "It looks like"),
    *[(p.FiltersDisplay, name, {"part": part}, AttributeError, "dense layer. FeatureExamplesDis")
      for name, part in [("deep", "encoder"), ("deep", "decoder"), ("own", "decoder")]],
    (p.FiltersDisplay, "own", {"part": "both"}, ValueError, "part='both' must be"),
    *[(OF_TABLES[i], "small", {"image_shape": None, n: 0}, ValueError, f"{n}=0 must be a positive")
      for i, n in [(0, "n_examples"), (0, "max_columns"), (1, "max_filters"), (1, "max_columns")]],
    (p.LossCurveDisplay, "scaler", {}, AttributeError, "loss_curve_, which MinMaxScaler"),
    (p.CodeSparsityDisplay, "logistic", {}, AttributeError, "needs a transformer, got LogisticReg"),
    (p.ReconstructionDisplay, "patches", {}, TypeError, "takes a fitted Autoencoder, got"),
    (p.ReconstructionDisplay, "small", {"rows": [30]}, ValueError, r"rows=\[30\] .* from 0 to 29"),
    *[(p.FeatureExamplesDisplay, "small", {"features": features}, ValueError,
       "must be integers from 0 to 6, as there are 7") for features in ([7], [-1], [0.5], [])],
]  # fmt: skip


@pytest.mark.parametrize(("cls", "name", "params", "error", "message"), REFUSED)
def test_what_is_refused(X, cls, name, params, error, message):
    make = {
        "unfitted": small, "small": lambda: small().fit(X), "logistic": LogisticRegression,
        "image": lambda: small().fit(np.eye(64)), "scaler": lambda: MinMaxScaler().fit(X),
        "deep": lambda: small(hidden_layer_sizes=(5,)).fit(X), "patches": lambda: patch_features(X),
        "own": lambda: small(decoder=nn.Linear(7, 12)).fit(X),
        "pipe": lambda: make_pipeline(MinMaxScaler(), small()).fit(X),
    }  # fmt: skip
    with pytest.raises(error, match=message):
        show(cls, make[name](), **{"X": X, **params})
    assert not plt.get_fignums()


@each_display
def test_displays_draw_again_on_given_axes_and_not_without_matplotlib(X, cls, shape, monkeypatch):
    fitted = FrozenEstimator(small(DenoisingAutoencoder).fit(X))
    display = show(cls, fitted, X, shape)
    assert display.plot() is display
    display.figure_.canvas.draw()
    key = "ax" if hasattr(display, "ax_") else "axes"
    axes = np.ravel(getattr(display, f"{key}_"))
    drawn = show(cls, fitted, X, shape, **{key: axes})
    assert_array_equal(np.ravel(getattr(drawn, f"{key}_")), axes)
    assert drawn.figure_ is display.figure_ is axes[0].figure
    assert len(plt.get_fignums()) == 2
    with pytest.raises(ValueError, match=f"axes must hold {len(axes)} axes, got 5"):
        display.plot([axes[0]] * 5)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw, name in [(lambda: show(cls, fitted, X), "from_estimator"), (display.plot, "plot")]:
        with pytest.raises(ImportError, match=f"{cls.__name__}.{name} requires matplotlib"):
            draw()
