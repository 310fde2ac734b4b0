"""Fine-tuning: against closed forms and hand computations, frozen parts, labels of every kind."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from torch import nn

from sklearn_ae import (
    Autoencoder,
    AutoencoderClassifier,
    AutoencoderRegressor,
    DenoisingAutoencoder,
    PatchFeatures,
    SparseAutoencoder,
)
from sklearn_ae._training import _supervised
from sklearn_ae.augmentations import ShiftAndFlip
from sklearn_ae.modules import ConvEncoder
from sklearn_ae.semi_supervised import SemiSupervisedSplit


def small(cls=AutoencoderClassifier, autoencoder=None, **params):
    if autoencoder is None and "encoder" not in params:
        autoencoder = DenoisingAutoencoder(12, max_epochs=2)
    return cls(autoencoder, **{"max_epochs": 3, "random_state": 0, **params})


def drawn():
    rng = np.random.RandomState(0)
    return rng.normal(size=(60, 8)).astype(np.float32), rng.randint(3, size=60)


@pytest.fixture
def X():
    return drawn()[0]


@pytest.fixture
def y():
    return drawn()[1]


# Steps too small to matter: the loss of the one epoch is that of the network before it.
STILL = {"max_epochs": 1, "learning_rate": 1e-12, "batch_size": 1000}


def test_first_loss_is_the_log_loss_of_the_start(X, y):
    clf = small(**STILL).fit(X, y)
    assert_allclose(clf.loss_curve_[0], log_loss(y, clf.predict_proba(X)), rtol=1e-5)
    y = np.where(np.arange(60) < 6, 1, 0)
    clf = small(class_weight="balanced", **STILL).fit(X, y)
    expected = log_loss(y, clf.predict_proba(X), sample_weight=np.where(y, 5.0, 60 / 108))
    assert_allclose(clf.loss_curve_[0], expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(60,), (60, 1), (60, 2)])
def test_first_loss_of_regression(shape, X):
    y = np.random.RandomState(1).normal(3, 7, size=shape)
    weight = np.random.RandomState(2).uniform(0.5, 2, size=60)
    reg = small(AutoencoderRegressor, **STILL).fit(X, y, sample_weight=weight)
    mean = np.average(y, axis=0, weights=weight)
    variance = np.average((y - mean) ** 2, axis=0, weights=weight)
    errors = (reg.predict(X) - y) ** 2 / variance
    expected = 0.5 * np.average(errors.reshape(60, -1).sum(axis=1), weights=weight)
    assert_allclose(reg.loss_curve_[0], expected, rtol=1e-5)


def test_linear_targets():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(300, 6))
    y = pd.DataFrame(X @ rng.normal(size=(6, 2)) * 1e3 + 1e4)
    ae = Autoencoder(32, activation="identity", max_epochs=5)
    reg = AutoencoderRegressor(ae, max_epochs=60, learning_rate=1e-2, random_state=0)
    for targets in (y, y[0]):
        assert reg.fit(X, targets).score(X, targets) > 0.99
        assert reg.predict(X).shape == LinearRegression().fit(X, targets).predict(X).shape
        assert reg.predict(X[:1]).shape == reg.predict(X)[:1].shape


def test_a_frozen_linear_head_is_logistic_regression():
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    ae = SparseAutoencoder(64, max_epochs=5, random_state=0).fit(X)
    ours = AutoencoderClassifier(
        FrozenEstimator(ae), freeze_epochs="all", weight_decay=0.05, max_epochs=300,
        batch_size=2000, learning_rate=0.05, random_state=0,
    ).fit(X, y)  # fmt: skip
    codes = StandardScaler().fit_transform(ae.transform(X))
    theirs = LogisticRegression(max_iter=1000).fit(codes, y)
    assert_array_equal(ours.net_.module_.encoder.layers[0].weight.detach(), ae.components_)
    assert (ours.predict(X) == theirs.predict(codes)).mean() > 0.98


def weights(clf):
    return clf.net_.module_.encoder.layers[0].weight.detach().numpy()


def test_the_encoder_moves_only_when_it_may(X, y):
    start = small().fit(X, y).autoencoder_.components_
    assert_array_equal(weights(small(freeze_epochs="all").fit(X, y)), start)
    assert_array_equal(weights(small(freeze_epochs=3).fit(X, y)), start)
    moved = {
        "at once": small(freeze_epochs=0),
        "late": small(freeze_epochs=2),
        "slow": small(encoder_learning_rate=1e-6),
    }
    moved = {k: np.abs(weights(clf.fit(X, y)) - start).max() for k, clf in moved.items()}
    assert moved["at once"] > moved["late"] > 0
    assert 0 < moved["slow"] < 1e-4
    at_once = weights(small(freeze_epochs=0).fit(X, y))
    assert_array_equal(at_once, weights(small().fit(X, y)))


def test_fine_tuning_leaves_a_frozen_autoencoder(X, y):
    ae = DenoisingAutoencoder(12, max_epochs=2, random_state=0).fit(X)
    stack = make_pipeline(ae, Autoencoder(7, max_epochs=1, random_state=0)).fit(X)
    codes = stack.transform(X)
    clf = small(autoencoder=FrozenEstimator(ae), max_epochs=20).fit(X, y)
    assert clf.autoencoder_.estimator is ae
    assert not np.array_equal(weights(clf), ae.components_)
    for pretrain in (True, False):
        small(autoencoder=FrozenEstimator(stack), pretrain=pretrain).fit(X, y)
        assert stack[0].n_iter_ == 2
    assert_array_equal(stack.transform(X), codes)


def test_from_scratch_is_the_same_network_without_pretraining(X, y):
    labeled = np.where(np.arange(60) < 40, y, -1)
    scratch = small(pretrain=False, unlabeled=-1)
    alone = clone(scratch).fit(X[:40], y[:40])
    assert_array_equal(clone(scratch).fit(X, labeled).predict_proba(X), alone.predict_proba(X))
    assert alone.autoencoder_.n_iter_ == 0
    pretrained = small(unlabeled=-1).fit(X, labeled).predict_proba(X)
    assert not np.array_equal(pretrained, small().fit(X[:40], y[:40]).predict_proba(X))


def test_a_module_s_own_weights_are_where_it_starts(X, y):
    module = nn.Sequential(nn.Linear(8, 5), nn.BatchNorm1d(5), nn.Tanh())
    start = module[0].weight.detach().numpy().copy()
    frozen = {"freeze_epochs": "all"}
    inside = {"autoencoder": Autoencoder(5, encoder=module), "pretrain": False}
    for params in (inside, {"encoder": module}):
        encoder = small(**params, **frozen).fit(X, y).net_.module_.encoder
        assert_array_equal(encoder[0].weight.detach(), start)
        # Its batch statistics are frozen too.
        assert_array_equal(encoder[1].running_mean, np.zeros(5))
    slow = small(encoder=module, encoder_learning_rate=1e-9).fit(X, y)
    assert slow.autoencoder_ is None
    encoder = slow.net_.module_.encoder
    assert_allclose(encoder[0].weight.detach(), start, atol=1e-6)
    assert np.abs(encoder[1].running_mean.numpy()).max() > 0
    moved = small(encoder=module).fit(X, y).net_.module_.encoder[0].weight.detach()
    assert not np.array_equal(moved, start)
    assert_array_equal(module[0].weight.detach(), start)


def test_several_autoencoders_on_top_of_each_other(X, y):
    stack = make_pipeline(
        Autoencoder(9, activation="sigmoid", max_epochs=2),
        SparseAutoencoder(7, loss="binary_cross_entropy", max_epochs=2),
    )
    params = {"freeze_epochs": "all", "reconstruction_weight": 1e-9, "learning_rate": 1e-12}
    clf = small(autoencoder=stack, **params).fit(X, y)
    module, ae = clf.net_.module_, clf.autoencoder_
    codes = module.encoder(torch.from_numpy(X))
    assert_allclose(codes.detach(), ae.transform(X), atol=1e-5)
    expected = ae.inverse_transform(ae.transform(X))
    assert_allclose(module.decoder(codes).detach(), expected, atol=1e-5)
    scratch = small(autoencoder=stack, pretrain=False).fit(X, y)
    assert [step.n_iter_ for step in scratch.autoencoder_] == [0, 0]


def test_patch_features_are_fine_tuned():
    X, y = load_digits(return_X_y=True)
    X = X / 16
    patches = PatchFeatures((8, 8), SparseAutoencoder(16, max_epochs=5), patch_size=3, pool=2)
    clf = AutoencoderClassifier(patches, freeze_epochs="all", max_epochs=1, random_state=0)
    clf.fit(X[:300], y[:300])
    codes = clf.net_.module_.encoder(torch.from_numpy(X[300:400]).float()).detach()
    assert_allclose(codes, clf.autoencoder_.transform(X[300:400]), atol=1e-6)
    clf.set_params(freeze_epochs=0, max_epochs=30, learning_rate=1e-2).fit(X[:300], y[:300])
    assert clf.score(X[300:], y[300:]) > 0.85
    fitted = clf.autoencoder_.autoencoder_.components_
    assert not np.array_equal(clf.net_.module_.encoder.encoder.layers[0].weight.detach(), fitted)
    one_by_one = np.vstack([clf.predict_proba(x[None]) for x in X[:5]])
    assert_allclose(one_by_one, clf.predict_proba(X[:5]), atol=1e-6)
    assert not clf.__sklearn_tags__().input_tags.sparse
    scratch = clf.set_params(pretrain=False, max_epochs=1).fit(X[:100], y[:100])
    assert scratch.autoencoder_.autoencoder_.n_iter_ == 0
    assert scratch.net_.module_.encoder.architecture.threshold == 1.0


def test_conv_encoder_is_fine_tuned():
    X, y = load_digits(return_X_y=True)
    X = X / 16
    conv = DenoisingAutoencoder(64, encoder=ConvEncoder((8, 8), n_channels=(16,)), max_epochs=3)
    moved = ShiftAndFlip((8, 8), max_shift=1, flip=False)
    clf = AutoencoderClassifier(conv, augmentation=moved, learning_rate=5e-3, random_state=0)
    clf.fit(X[:500], y[:500])
    assert clf.score(X[500:], y[500:]) > 0.85


def test_augmentation_and_corruption_act_in_training_only(X, y):
    calls = []

    def halved(batch, generator):
        calls.append(torch.is_grad_enabled())
        assert isinstance(generator, torch.Generator)
        return batch / 2

    clf = small(augmentation=halved, max_epochs=2, batch_size=20).fit(X, y)
    # Once to see what it gives, then in every step.
    assert calls == [False] + [True] * 6
    clf.predict(X)
    assert len(calls) == 7
    levels = []

    def marked(batch, level, generator):
        levels.append(level)
        return batch

    ae = DenoisingAutoencoder(12, corruption=marked, corruption_level=0.25, max_epochs=1)
    small(autoencoder=ae).fit(X, y)
    n_pretraining = len(levels)
    small(autoencoder=ae, keep_corruption=True, batch_size=20).fit(X, y)
    assert levels[2 * n_pretraining :] == [0.25] * 9


def test_reconstruction_term_is_the_autoencoder_s_objective(X, y):
    ae = SparseAutoencoder(12, alpha=0.3, max_epochs=2)
    without = small(autoencoder=ae, **STILL).fit(X, y)
    with_it = small(autoencoder=ae, reconstruction_weight=0.7, **STILL).fit(X, y)
    inner = with_it.autoencoder_
    codes = inner.transform(X)
    errors = 0.5 * ((inner.reconstruct(X) - X) ** 2).sum(axis=1).mean()
    expected = 0.7 * (errors + 0.3 * codes.sum(axis=1).mean())
    assert_allclose(with_it.loss_curve_[0] - without.loss_curve_[0], expected, rtol=1e-4)


def test_rows_without_weight_and_the_scale_of_weights_do_not_count(X, y):
    # That weighted rows count as repeated ones is a check of scikit-learn's, in test_common.py.
    weight = np.random.RandomState(0).randint(0, 3, size=60).astype(float)
    kept = weight > 0
    fitted = small(AutoencoderRegressor).fit(X, y, sample_weight=weight)
    alone = small(AutoencoderRegressor).fit(X[kept], y[kept], sample_weight=7 * weight[kept])
    assert_allclose(fitted.loss_curve_, alone.loss_curve_, rtol=1e-5)
    for cls in (AutoencoderClassifier, AutoencoderRegressor):
        with pytest.raises(ValueError, match=r"[Ww]eight"):
            small(cls).fit(X, y, sample_weight=np.zeros(60))


# The labels of three kinds of rows, the marker of unlabeled ones, and the classes.
LABELS = {
    "objects": (np.array(["cat", "dog", -1], dtype=object), -1, ["cat", "dog"]),
    "strings": (np.array(["cat", "dog", "-1"]), "-1", ["cat", "dog"]),
    "pandas": (pd.array(["cat", "dog", None], dtype="string"), pd.NA, ["cat", "dog"]),
    "floats": (np.array([0.0, 1.0, np.nan]), np.nan, [0, 1]),
    "floats, auto": (np.array([0.0, 1.0, np.nan]), "auto", [0, 1]),
    "booleans": (np.array([True, False, None], dtype=object), "auto", [False, True]),
    "objects, None": (np.array(["a", "b", None], dtype=object), "auto", ["a", "b"]),
    "objects, NaN": (np.array(["a", "b", np.nan], dtype=object), "auto", ["a", "b"]),
    "categories": (pd.Categorical(["x", "y", "z"]), None, ["x", "y", "z"]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_and_markers_of_each_kind(kind, X):
    labels, marker, classes = LABELS[kind]
    y = labels[np.arange(60) % 3]
    stop = {"early_stopping": True, "n_iter_no_change": 2, "learning_rate": 1e-2}
    clf = small(unlabeled=marker, max_epochs=200, **stop).fit(X, y)
    assert list(clf.classes_) == classes
    assert set(clf.predict(X)) <= set(classes)
    assert clf.predict_proba(X).shape == (60, len(classes))
    assert len(clf.validation_loss_curve_) == clf.n_iter_ < 200
    if str(marker) == "auto":
        with pytest.raises(ValueError, match=r"Input y contains NaN.*unlabeled='auto'"):
            small().fit(X, y)


def test_minus_one_is_a_class_unless_it_is_the_marker(X, y):
    # Without a warning, which would be an error here.
    assert list(small().fit(X, np.where(y > 0, 1, -1)).classes_) == [-1, 1]
    with pytest.warns(UserWarning, match="y holds -1 beside 2 other numbers") as record:
        small().fit(X, y - 1)
    assert record[0].filename == __file__
    with pytest.raises(ValueError, match="No row of y is labeled"):
        small(unlabeled=-1).fit(X, np.full(60, -1))


def test_early_stopping_with_small_classes(X, y):
    y = np.where(np.arange(60) == 0, 7, y)
    with pytest.raises(ValueError, match="class 7 has only one"):
        small(early_stopping=True).fit(X, y)
    y = np.repeat(np.arange(10), 6)
    few = np.where(np.arange(60) % 6 < 2, y, -1)
    clf = small(early_stopping=True, unlabeled=-1).fit(X, few)
    assert clf.predict_proba(X).shape == (60, 10)
    with pytest.raises(ValueError, match="fewer than the 10 classes"):
        small(early_stopping=True, validation_fraction=0.6, unlabeled=-1).fit(X, few)
    with pytest.raises(ValueError, match="leaves none"):
        small(AutoencoderRegressor, early_stopping=True).fit(X[:1], y[:1])


def test_early_stopping_ends_with_its_best_weights(X, y):
    stop = {"early_stopping": True, "validation_fraction": 0.4, "n_iter_no_change": 5}
    reg = small(AutoencoderRegressor, max_epochs=60, learning_rate=1e-2, **stop).fit(X, y)
    held_out = np.random.RandomState(0).permutation(60)[:24]
    loss = 0.5 * np.mean((reg.predict(X[held_out]) - y[held_out]) ** 2) / np.var(y)
    assert_allclose(loss, min(reg.validation_loss_curve_), rtol=1e-4)


@pytest.mark.parametrize("cls", [AutoencoderClassifier, AutoencoderRegressor])
def test_unlabeled_rows_are_pretrained_on_and_not_scored(cls, X):
    y, marker = 2.0 * X[:, 0], np.nan
    if cls is AutoencoderClassifier:
        y, marker = (y > 0).astype(int), -1
    few = np.where(np.arange(60) < 40, y, marker)
    for given in (y, few):
        fitted = small(cls, unlabeled=marker, max_epochs=30, learning_rate=1e-2).fit(X, given)
        assert fitted.autoencoder_.n_iter_ == 2
        assert fitted.score(X, y) > 0.7
    assert fitted.score(X, few) == fitted.score(X[:40], y[:40])
    weight = np.random.RandomState(0).uniform(size=60)
    scored = fitted.score(pd.DataFrame(X), few, weight)
    assert scored == fitted.score(X[:40], y[:40], weight[:40])


def test_a_failed_fit_changes_nothing(X, y):
    clf = small().fit(X, y)
    before = clf.predict_proba(X)
    with pytest.raises(ValueError, match="one class only"):
        clf.fit(X[:, :5], np.zeros(60))
    assert_array_equal(clf.predict_proba(X), before)
    with pytest.raises(ValueError, match=r"infinity|not finite|diverged"):
        clf.set_params(learning_rate=1e30).fit(X, y)
    assert_array_equal(clf.predict_proba(X), before)


def test_equal_seeds_equal_bits(X, y):
    seen = []

    class Listener(Callback):
        def on_batch_end(self, net, batch, training, loss, **kwargs):
            seen.append((training, loss.item()))

    params = {"head_hidden_layer_sizes": (6,), "keep_corruption": True, "batch_size": 20}
    state = torch.get_rng_state()
    first = small(**params).fit(X, y).predict_proba(X)
    assert_array_equal(torch.get_rng_state(), state)
    assert_array_equal(small(**params).fit(X, y).predict_proba(X), first)
    with torch.inference_mode():
        assert_array_equal(small(**params).fit(X, y).predict_proba(X), first)
    listened = small(**params, callbacks=[Listener()]).fit(X, y)
    assert_array_equal(listened.predict_proba(X), first)
    assert len(seen) == 9
    assert all(training and loss > 0 for training, loss in seen)
    other = small(**params, random_state=1).fit(X, y)
    assert not np.array_equal(other.predict_proba(X), first)


def test_a_grid_reaches_the_autoencoder(X, y):
    few = np.where(np.arange(60) < 30, y, -1)
    clf = small(autoencoder=SparseAutoencoder(6, max_epochs=1), unlabeled=-1)
    pipe = Pipeline([("scale", StandardScaler()), ("clf", clf)])
    grid = {"clf__autoencoder__alpha": [0.1, 0.4], "clf__freeze_epochs": ["all", 0]}
    search = GridSearchCV(pipe, grid, cv=SemiSupervisedSplit(2), error_score="raise").fit(X, few)
    assert search.best_estimator_["clf"].autoencoder_.alpha in (0.1, 0.4)


def test_shift_and_flip_is_what_it_says():
    generator = torch.Generator().manual_seed(0)
    image = torch.zeros(2000, 5, 7, 2)
    image[:, 2, 3] = torch.tensor([1.0, 2.0])
    moved = ShiftAndFlip((5, 7, 2), max_shift=1, flip=False)(image.reshape(2000, -1), generator)
    moved = moved.reshape(2000, 5, 7, 2)
    assert_array_equal(moved[..., 1], 2 * moved[..., 0])
    counts = moved[..., 0].sum(dim=0)
    assert counts.sum() == 2000
    assert_allclose(counts[1:4, 2:5] / 2000, 1 / 9, atol=0.03)
    X = torch.arange(20.0).reshape(2, 10).repeat(50, 1)
    flipped = ShiftAndFlip((2, 5), max_shift=0)(X, generator)
    mirrored = X.reshape(-1, 2, 5).flip(2).reshape(-1, 10)
    same, other = (flipped == X).all(dim=1), (flipped == mirrored).all(dim=1)
    assert (same | other).all()
    assert 20 < same.sum() < 80


def test_reconstruction_keeps_ties_and_unit_atoms(X, y):
    tied = small(autoencoder=Autoencoder(9, tied_weights=True), reconstruction_weight=0.5)
    module = tied.fit(X, y).net_.module_
    assert module.encoder.layers[0].weight is module.decoder.layers[0].weight
    sparse = small(autoencoder=SparseAutoencoder(9), reconstruction_weight=0.5, max_epochs=10)
    atoms = sparse.fit(X, y).net_.module_.decoder.layers[0].weight
    assert_allclose(torch.linalg.vector_norm(atoms, dim=1).detach(), 1, rtol=1e-5)


def test_constant_codes_are_only_centered(X):
    same = np.vstack([np.repeat(X[:1], 3, axis=0), X])
    y = np.r_[1.0, 2, 4, np.full(60, np.nan)]
    reg = small(AutoencoderRegressor, unlabeled=np.nan).fit(same, y)
    assert np.abs(reg.predict(same)).max() < 100


@pytest.mark.parametrize("max_entries", [None, 7 * 12], ids=["at once", "blocks of 7 rows"])
def test_standardized_codes(max_entries, X, monkeypatch):
    if max_entries:
        monkeypatch.setattr(_supervised, "_MAX_ENTRIES", max_entries)
    weight = np.random.RandomState(0).uniform(size=60)
    # The first blocks have no weight at all.
    y = np.repeat([0, 1, 2], 20)
    class_weight = {0: 0, 1: 1, 2: 1}
    clf = small(freeze_epochs="all", class_weight=class_weight).fit(X, y, sample_weight=weight)
    weight[:20] = 0
    codes = clf.autoencoder_.transform(X).astype(np.float64)
    mean = np.average(codes, axis=0, weights=weight)
    deviation = np.sqrt(np.average((codes - mean) ** 2, axis=0, weights=weight))
    standardize = clf.net_.module_.head[0]
    assert_allclose(standardize.mean, mean, rtol=1e-5, atol=1e-6)
    assert_allclose(standardize.scale, np.where(deviation > 0, deviation, 1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"augmentation": ShiftAndFlip}, "is a class"),
        ({"augmentation": ShiftAndFlip((2, 2))}, "4 entries an image, but X has 8"),
        ({"augmentation": lambda x, g: x[:, :3]}, "augmentation="),
        ({"augmentation": lambda x, g: x.double()}, "augmentation="),
        ({"augmentation": lambda x, g: x / 0}, "augmentation="),
        ({"encoder": nn.Linear(3, 4)}, "The encoder failed"),
        ({"callbacks": [1]}, "callbacks"),
        ({"callbacks": [LRScheduler()]}, "learning_rate_schedule="),
        ({"callbacks": [EarlyStopping()]}, "early_stopping=True"),
        ({"autoencoder": FrozenEstimator(Autoencoder(3))}, "not fitted"),
        ({"autoencoder": FrozenEstimator(Autoencoder(3, max_epochs=1).fit(np.eye(5)))},
         "X has 8 features, but Autoencoder is expecting 5"),
        ({"autoencoder": Autoencoder(3, features="all")}, "features='all'"),
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, "class_weight="),
        ({"autoencoder": SparseAutoencoder(3), "encoder": nn.Linear(8, 3)}, "both given"),
        ({"encoder": nn.Linear(8, 3), "reconstruction_weight": 0.5},
         r"reconstruction_weight=0\.5 needs an autoencoder"),
        ({"autoencoder": LogisticRegression()}, "'autoencoder' parameter of AutoencoderClassifier"),
        ({"head_hidden_layer_sizes": (4, 0)}, "head_hidden_layer_sizes"),
        ({"encoder": nn.Unflatten(1, (2, 4))}, "encoder must return"),
        ({"autoencoder": Autoencoder(8, loss="nonsense"), "pretrain": False}, "'loss' parameter"),
        ({"autoencoder": make_pipeline(StandardScaler(), SparseAutoencoder(7))},
         r"no autoencoder: StandardScaler\(\)"),
        ({"autoencoder": PatchFeatures((2, 4), DenoisingAutoencoder(4), patch_size=2, pool=1),
          "keep_corruption": True}, "keep_corruption=True does not go with PatchFeatures"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_pretraining(params, message, X, y, monkeypatch):
    monkeypatch.setattr(DenoisingAutoencoder, "fit", lambda *args: pytest.fail("trained"))
    with pytest.raises((ValueError, TypeError), match=message):
        small(**params).fit(X, y)


FORKED = """
import os, pickle, sys
import numpy as np, torch
from sklearn.frozen import FrozenEstimator
from sklearn_ae import Autoencoder, AutoencoderClassifier, PatchFeatures, SparseAutoencoder

torch.set_num_threads(2)
X = np.random.RandomState(0).uniform(size=(64, 1024)).astype(np.float32)
y = np.arange(64) % 3
ae = Autoencoder(256, max_epochs=1, random_state=0).fit(X)
patches = PatchFeatures((32, 32), SparseAutoencoder(8, max_epochs=1), n_patches=5_000)
head = AutoencoderClassifier(FrozenEstimator(ae), max_epochs=1)
pid = os.fork()
if pid == 0:
    import signal
    signal.alarm(60)
    for estimator in (Autoencoder(256, max_epochs=1), head, patches):
        estimator.fit(X, y)
    ae.partial_fit(X).dead_components_
    loaded = pickle.loads(pickle.dumps(ae))
    for method in (loaded.transform, ae.transform, ae.score, ae.reconstruct, patches.transform):
        method(X)
    ae.inverse_transform(ae.transform(X))
    head.predict_proba(X)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_processes_do_not_hang():
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], check=True, timeout=120)


def test_a_decoder_that_works_in_place(X, y):
    def predicted(inplace):
        layers = nn.ReLU(inplace=inplace), nn.Linear(8, 8)
        torch.manual_seed(0)
        layers[1].reset_parameters()
        ae = Autoencoder(8, activation="identity", decoder=nn.Sequential(*layers), random_state=0)
        return small(autoencoder=ae, reconstruction_weight=0.1).fit(X, y).predict_proba(X)

    with torch.random.fork_rng():
        assert_array_equal(predicted(True), predicted(False))
