"""
Features for gradient boosting from 300 labeled digits and many unlabeled ones
==============================================================================

Three autoencoders learn from all training images of scikit-learn's digits, labeled or not;
XGBoost learns from the 300 labeled ones. Strength and width are tuned by the accuracy of the
whole pipeline.
"""

import os
import time

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler
from xgboost import XGBClassifier

from sklearn_ae import DenoisingAutoencoder, DropoutAutoencoder, SparseAutoencoder
from sklearn_ae.datasets import load_digits_few_labels
from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit

START = time.perf_counter()


def report(text):
    print(f"[{time.perf_counter() - START:5.1f} s] {text}", flush=True)


def pipeline(features):
    boosting = XGBClassifier(max_depth=3, learning_rate=0.2, colsample_bynode=0.2, n_jobs=1)
    return Pipeline(
        [("scale", MinMaxScaler()), ("features", features), ("boost", LabeledOnly(boosting))]
    )


digits = load_digits_few_labels(n_labeled=300, random_state=0)
X, y = digits.X_train, digits.y_train  # y is -1 where there is no label
n_labeled = int((y != -1).sum())
report(
    f"digits: {n_labeled} labeled and {len(y) - n_labeled} unlabeled rows to train on, "
    f"{len(digits.y_test)} to test on"
)

rivals = {"raw pixels": "passthrough", "PCA(20)": PCA(20, random_state=0)}
for name, features in rivals.items():
    accuracy = pipeline(features).fit(X, y).score(digits.X_test, digits.y_test)
    report(f"{name:22s} test accuracy {accuracy:.3f}")

# %%
# Each transformer shows one knob, which the grid turns together with the width of the code.

candidates = [
    (SparseAutoencoder, {"features__alpha": [0.03, 0.1, 0.3]}),
    (DropoutAutoencoder, {"features__dropout": [0.3, 0.5, 0.7]}),
    (DenoisingAutoencoder, {"features__corruption_level": [0.2, 0.4, 0.6]}),
]
fitted = {}
for transformer, knob in candidates:
    name = transformer.__name__
    search = GridSearchCV(
        pipeline(transformer(max_epochs=60, random_state=0)),
        knob | {"features__n_components": [128, 256]},
        cv=SemiSupervisedSplit(3),
        n_jobs=2,
    ).fit(X, y)
    fitted[name] = search.best_estimator_
    codes = search.best_estimator_[:-1].transform(digits.X_test)
    best = ", ".join(f"{k.split('__')[1]}={v}" for k, v in sorted(search.best_params_.items()))
    accuracy = search.score(digits.X_test, digits.y_test)
    zeros = np.mean(codes == 0)
    report(f"{name:22s} test accuracy {accuracy:.3f}  exact zeros {zeros:4.0%}  best: {best}")

# %%
# What one unit looks for, and what the network makes of images that it has not seen.

fig, axes = plt.subplots(
    2, len(fitted), figsize=(12.6, 5.2), height_ratios=[5, 2], layout="constrained"
)
for (name, pipe), (top, bottom) in zip(fitted.items(), axes.T, strict=True):
    scaled = pipe["scale"].transform(digits.X_test)
    autoencoder = pipe["features"]
    order = np.argsort(autoencoder.transform(scaled).mean(axis=0))[::-1]
    filters = autoencoder.components_[order[:40]].reshape(5, 8, 8, 8)
    limit = np.abs(filters).max(axis=(2, 3), keepdims=True)
    tiles = np.pad(filters / limit, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    top.imshow(tiles.transpose(0, 2, 1, 3).reshape(5 * 9, 8 * 9), cmap="RdBu_r", vmin=-1, vmax=1)
    top.set_title(f"{name}\n40 most active filters")
    pairs = np.stack([scaled[:8], autoencoder.reconstruct(scaled[:8])]).reshape(2, 8, 8, 8)
    pairs = np.pad(pairs, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    bottom.imshow(pairs.transpose(0, 2, 1, 3).reshape(2 * 9, 8 * 9), cmap="gray_r", vmin=0, vmax=1)
    bottom.set_title("test images and their reconstructions")
    top.axis("off")
    bottom.axis("off")
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "quickstart.png")
fig.savefig(path, dpi=110)
report(f"picture saved as {path}")
