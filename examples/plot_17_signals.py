"""
Signals
=======

A signal is an image of one row. ``PatchFeatures`` learns the shapes that occur in it, whatever the
moment at which they occur: first on waves, then on what a watch measures on ten people who
exercise.
"""

import matplotlib.pyplot as plt
import numpy as np
from seglearn.datasets import load_watch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from xgboost import XGBClassifier

from sklearn_ae import PatchFeatures, SparseAutoencoder

boosting = XGBClassifier(max_depth=3, learning_rate=0.2, colsample_bynode=0.2, n_jobs=1)
linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))

# %%
# Waves of random phase
# ---------------------
#
# A sine, a square wave and a sawtooth, with noise. As each begins anywhere, no column says much by
# itself.


def waves(n_rows, rng):
    y = rng.integers(3, size=n_rows)
    phase = (np.arange(128) / 32 + rng.random((n_rows, 1))) % 1
    shapes = np.stack([np.sin(2 * np.pi * phase), np.sign(phase - 0.5), 2 * phase - 1])
    return shapes[y, np.arange(n_rows)] + rng.normal(scale=0.4, size=(n_rows, 128)), y


# %%
# ``image_shape=(1, 128)`` says that rows are signals of 128 samples. Patches are as long as a
# period, and one region for all of the signal forgets where a shape was. 2,000 waves to learn from,
# 100 of them labeled, and other 2,000 to test on, in five draws.

sparse = SparseAutoencoder(64, alpha=0.5, batch_size=256, learning_rate=3e-3, max_epochs=10)
patches = PatchFeatures(
    (1, 128), sparse, patch_size=(1, 32), pool=(1, 1), n_patches=20_000, random_state=0
)


def accuracies(features, X, y, X_test, y_test):
    """Fit both models on labeled rows; return the accuracy of each on the test rows."""
    codes, codes_test = features.transform(X), features.transform(X_test)
    return [model.fit(codes, y).score(codes_test, y_test) for model in (boosting, linear)]


def show(accuracy, names):
    """Print accuracy in %, and gains over the first with their standard errors over draws."""
    accuracy = 100 * np.array(accuracy)
    gains = accuracy - accuracy[:, :1]
    error = gains.std(axis=0, ddof=1) / np.sqrt(len(gains))
    print(f"{'gain over ' + names[0]:28}{'XGBoost':22}linear model")
    for i, name in enumerate(names):
        cells = zip(accuracy.mean(axis=0)[i], gains.mean(axis=0)[i], error[i], strict=True)
        print(f"{name:28}" + "    ".join(f"{m:.1f} {g:+6.1f} ± {e:.1f}" for m, g, e in cells))


accuracy = []
for seed in range(5):
    rng = np.random.default_rng(seed)
    (X, y), test = waves(2000, rng), waves(2000, rng)
    kinds = [FunctionTransformer().fit(X), patches.fit(X)]
    accuracy.append([accuracies(features, X[:100], y[:100], *test) for features in kinds])
show(accuracy, ["samples", "PatchFeatures"])

# %%
# Above one wave of each kind, below the shapes that were learned, those of the units that answer
# most.


def learned(patches, X, n_shapes):
    """Return what the most used units draw, undoing the whitening of patches."""
    units = patches.autoencoder_
    use = patches.transform(X).mean(axis=0)
    codes = np.eye(len(use))[np.argsort(use)[: -n_shapes - 1 : -1]]
    drawn = units.inverse_transform(codes) - units.inverse_transform(0 * codes)
    return drawn @ np.linalg.inv(patches.whitening_)


figure = plt.figure(figsize=(9, 4.2), layout="constrained")
above, below = figure.subfigures(2, 1)
for kind, ax in enumerate(above.subplots(1, 3)):
    ax.plot(X[y == kind][0], color="0.4", linewidth=1)
    ax.set(xticks=[], yticks=[], title=["sine", "square wave", "sawtooth"][kind])
for ax, shape in zip(below.subplots(2, 8).flat, learned(patches, X, 16), strict=True):
    ax.plot(shape)
    ax.set_axis_off()
below.suptitle("learned without labels")
plt.show()

# %%
# Exercises by the watch
# ----------------------
#
# Ten people did seven exercises of the shoulder with a watch at the wrist, which measured
# acceleration along three axes and rotation around them (D. Burns and others, arXiv:1802.01489; the
# package seglearn has the data). They are cut into windows of four seconds, 100 samples of six
# channels, each of which begins anywhere in a movement.

watch = load_watch()
windows, exercise, person = [], [], []
for signal, y, who in zip(watch["X"], watch["y"], watch["subject"], strict=True):
    cut = signal[::2][: len(signal) // 200 * 100].reshape(-1, 600)
    windows.append(cut)
    exercise += [y] * len(cut)
    person += [who] * len(cut)
X, y, person = np.concatenate(windows), np.array(exercise, dtype=int), np.array(person)
print(f"{len(X)} windows, by exercise: {np.bincount(y)}")

# %%
# Each person is the test once. ``PatchFeatures`` learns from all windows of the nine others, and
# the models from ten labeled windows of each exercise. The usual way is statistics of each channel:
# its mean, deviation, and extremes.


def statistics(X):
    channels = X.reshape(len(X), 100, 6)
    parts = channels.mean(axis=1), channels.std(axis=1), channels.min(axis=1), channels.max(axis=1)
    return np.concatenate(parts, axis=1)


by_hand = FunctionTransformer(statistics)
patches = PatchFeatures(
    (1, 100, 6), patch_size=(1, 16), pool=(1, 1), n_patches=20_000, random_state=0
)
accuracy = []
for tested in np.unique(person):
    rng, train, test = np.random.default_rng(tested), person != tested, person == tested
    rows = [rng.choice(np.flatnonzero(train & (y == k)), 10, replace=False) for k in range(7)]
    rows = np.concatenate(rows)
    codes = make_pipeline(StandardScaler(), patches).fit(X[train])
    kinds = [FunctionTransformer(), by_hand, codes, make_union(by_hand, codes)]
    accuracy.append([accuracies(z, X[rows], y[rows], X[test], y[test]) for z in kinds])
names = ["samples", "statistics", "PatchFeatures", "statistics + PatchFeatures"]
show(accuracy, names)

# %%
# The same, with gains over the statistics. XGBoost does better with these, a linear model with
# codes beside them: what to take depends on the model, and on whether someone knows which
# statistics to compute.

show(np.array(accuracy)[:, 1:], names[1:])

# %%
# Above a window of each of four exercises: abduction, forward elevation, internal rotation, row.
# Below shapes of 16 samples, 0.64 seconds, that were learned, in the same six colors: slow turns,
# sways and shakes.

scaled = codes["standardscaler"].transform(X)
figure = plt.figure(figsize=(9, 5), layout="constrained")
above, below = figure.subfigures(2, 1)
for ax, kind in zip(above.subplots(1, 4, sharey=True), [1, 2, 3, 6], strict=True):
    ax.plot(scaled[y == kind][3].reshape(100, 6), linewidth=1)
    ax.set(xticks=[], yticks=[], title=watch["y_labels"][kind])
above.legend(ax.lines, watch["X_labels"], loc="outside right")
for ax, shape in zip(below.subplots(2, 7).flat, learned(patches, scaled, 14), strict=True):
    ax.plot(shape.reshape(16, 6), linewidth=1)
    ax.set_axis_off()
below.suptitle("learned without labels")
plt.show()
