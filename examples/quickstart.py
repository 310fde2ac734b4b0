"""
Features from many unlabeled images, for models with few labeled ones
=====================================================================

Three autoencoders and ``PatchFeatures`` learn from all of scikit-learn's digits, labeled or not,
and are tuned by the accuracy of the XGBoost behind them. Then they are compared with raw pixels on
ten draws of 100 labels, and a picture shows what was learned.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from joblib import Parallel, delayed
from scipy.ndimage import zoom
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from xgboost import XGBClassifier

from sklearn_ae import DenoisingAutoencoder, DropoutAutoencoder, PatchFeatures, SparseAutoencoder
from sklearn_ae.corruptions import RegionBlanking
from sklearn_ae.datasets import load_digits_few_labels
from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit

start = time.perf_counter()
boosting = XGBClassifier(max_depth=3, learning_rate=0.2, colsample_bynode=0.2, n_jobs=1)
linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
models = {"XGBoost": boosting, "linear model": linear}

# %%
# Each autoencoder shows one strength, which a grid turns.

digits = load_digits_few_labels(n_labeled=300, random_state=0)
X, y = digits.X_train, digits.y_train  # y is -1 where there is no label
labeled = y != -1
common = {"n_components": 256, "random_state": 0}
sparse = SparseAutoencoder(64, alpha=0.5, batch_size=256, learning_rate=3e-3, max_epochs=10)
patches = PatchFeatures((8, 8), sparse, n_patches=20_000, random_state=0)
candidates = [
    (SparseAutoencoder(**common), {"codes__alpha": [0.03, 0.1, 0.3]}),
    (DropoutAutoencoder(**common), {"codes__dropout": [0.3, 0.5, 0.7]}),
    (DenoisingAutoencoder(**common), {"codes__corruption_level": [0.2, 0.4, 0.6]}),
    (patches, {"codes__patch_size": [3, 4]}),
]
print(f"Tuned for XGBoost, on {labeled.sum()} labeled and {(~labeled).sum()} unlabeled digits")
tuned, scores = {}, {}
for codes, grid in candidates:
    pipe = Pipeline([("scale", MinMaxScaler()), ("codes", codes), ("boost", LabeledOnly(boosting))])
    search = GridSearchCV(pipe, grid, cv=SemiSupervisedSplit(4), n_jobs=2).fit(X, y)
    name, test_score = type(codes).__name__, search.score(digits.X_test, digits.y_test)
    tuned[name], scores[name] = search.best_estimator_["codes"], search.best_score_
    print(
        f"{name:27}cross-validated {scores[name]:.3f}, test {test_score:.3f}: {search.best_params_}"
    )

# %%
# What they gain on ten draws of other labeled and other test images. Images whose labels the search
# has seen are not tested on.

best = max([*tuned][:3], key=scores.get)
contenders = {"raw pixels": "passthrough", **tuned}
contenders[f"raw + {best}"] = make_union("passthrough", tuned[best])
seen = {image.tobytes() for image in X[labeled]}


def accuracies(random_state):
    draw = load_digits_few_labels(n_labeled=100, test_size=0.5, random_state=random_state)
    labeled = draw.y_train != -1
    new = [image.tobytes() not in seen for image in draw.X_test]
    table = np.empty((len(contenders), len(models)))
    for i, transformer in enumerate(contenders.values()):
        front = make_pipeline(MinMaxScaler(), transformer).fit(draw.X_train)
        codes, codes_test = map(front.transform, (draw.X_train[labeled], draw.X_test[new]))
        for j, model in enumerate(models.values()):
            model.fit(codes, draw.y_train[labeled])
            table[i, j] = model.score(codes_test, draw.y_test[new])
    return table


accuracy = 100 * np.array(Parallel(n_jobs=2)(delayed(accuracies)(i) for i in range(1, 11)))
gains = accuracy - accuracy[:, :1]
mean, gain, error = accuracy.mean(axis=0), gains.mean(axis=0), gains.std(axis=0, ddof=1) / 10**0.5
print("\n100 labels, ten draws: accuracy in %, gain over raw pixels ± its standard error")
print(f"{'':27}{'XGBoost':20}linear model")
for i, name in enumerate(contenders):
    cells = zip(mean[i], gain[i], error[i], strict=True)
    print(f"{name:27}" + "    ".join(f"{m:.1f}  {g:+.1f} ± {e:.1f}" for m, g, e in cells))

# %%
# Strokes that sparse codes add up to digits, blanked middles filled in, and the gains.


def draw_images(ax, title, images, n_columns):
    """Draw images of 8 x 8 pixels side by side, enlarged smoothly, and NaN in orange."""
    images = np.reshape(images, (-1, 8, 8))
    large = zoom(np.nan_to_num(images), (1, 8, 8), order=3, mode="nearest", grid_mode=True)
    large[np.isnan(images).repeat(8, axis=1).repeat(8, axis=2)] = np.nan
    large = np.pad(large, ((0, 0), (3, 3), (3, 3)), constant_values=0.2)
    picture = np.block([list(row) for row in large.reshape(-1, n_columns, 70, 70)])
    ax.imshow(picture, plt.get_cmap("gray_r").with_extremes(bad="orange"), vmin=0, vmax=1)
    ax.set_title(title)
    ax.axis("off")


figure, axes = plt.subplots(1, 3, figsize=(14, 5), width_ratios=[6, 3.3, 5], layout="constrained")
X, X_test = pipe["scale"].fit_transform(X), pipe["scale"].transform(digits.X_test)
sparse = tuned["SparseAutoencoder"]
most_used = np.argsort(-sparse.transform(X_test).mean(axis=0))[:42]
one_each = np.eye(256)[most_used]
strokes = sparse.inverse_transform(one_each) - sparse.inverse_transform(0 * one_each)
strokes /= strokes.max(axis=1, keepdims=True)
draw_images(axes[0], "Learned without labels:\nstrokes of SparseAutoencoder", strokes, 7)
region = {"corruption": RegionBlanking((8, 8)), "corruption_level": 0.3}
denoising = DenoisingAutoencoder(256, max_epochs=150, random_state=0, **region).fit(X)
images = X_test[[list(digits.y_test).index(digit) for digit in range(6)]]
hole = np.pad(np.ones((4, 4), dtype=bool), 2).ravel()
filled = denoising.reconstruct(np.where(hole, 0, images))
triples = np.stack([images, np.where(hole, np.nan, images), filled], axis=1)
draw_images(axes[1], "DenoisingAutoencoder:\ntest image, blanked, filled in", triples, 3)
places = np.arange(len(contenders))
for j, name in enumerate(models):
    axes[2].barh(places + j * 0.4, gain[:, j], 0.4, xerr=error[:, j], label=name)
axes[2].set_yticks(places + 0.2, contenders)
axes[2].set_title("100 labels: points of accuracy\ngained over raw pixels")
axes[2].invert_yaxis()
axes[2].legend()
figure.savefig("quickstart.png")
print(f"\npicture saved as quickstart.png; {time.perf_counter() - start:.0f} s in all")
