"""
Five hundred labels
===================

Eight thousand images, of which 500 have a label. Features learned from all of them are compared in
front of the same linear model: pixels, PCA, the codes of a denoising autoencoder, and patch
features.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_ae import DenoisingAutoencoder, PatchFeatures
from sklearn_ae.datasets import load_fashion_mnist
from sklearn_ae.semi_supervised import LabeledOnly

fashion = load_fashion_mnist()
X_train, y_train = fashion.X_train[:8000], fashion.y_train[:8000]
X_test, y_test = fashion.X_test[:2000], fashion.y_test[:2000]

# %%
# Each kind of feature is learned from all images, without labels.

features = {
    "pixels": FunctionTransformer(),
    "PCA, 50": PCA(50, random_state=0),
    "denoising, 512": DenoisingAutoencoder(512, corruption_level=0.5, max_epochs=8, random_state=0),
    "patches, 9 x 256": PatchFeatures((28, 28), n_patches=40_000, random_state=0),
}

# %%
# Which images have a label is drawn five times. -1 marks those without one, and ``LabeledOnly``
# keeps them from the linear model.

draws = list(StratifiedShuffleSplit(5, train_size=500, random_state=0).split(X_train, y_train))
model = LabeledOnly(make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)))
accuracy = {}
for name, transformer in features.items():
    codes, codes_test = transformer.fit_transform(X_train), transformer.transform(X_test)
    accuracy[name] = []
    for labeled, _ in draws:
        y = np.full(len(y_train), -1)
        y[labeled] = y_train[labeled]
        accuracy[name].append(model.fit(codes, y).score(codes_test, y_test))
    print(f"{name:18}{np.mean(accuracy[name]):.3f} +/- {np.std(accuracy[name], ddof=1):.3f}")

# %%
# A gray line is one draw of the labels: the draws differ, but all put patch features first.
# They learn an edge once for all places of an image. One layer of codes of whole images gains
# little over pixels.
#
# In a pipeline the same is ``make_pipeline(PatchFeatures((28, 28)), model)``, fitted on
# images and labels with -1 for those that lack one.

figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
for values in zip(*accuracy.values(), strict=True):
    ax.plot(list(accuracy), values, color="0.75", marker="o", markersize=4)
means = [np.mean(values) for values in accuracy.values()]
ax.plot(list(accuracy), means, color="C0", marker="o", linewidth=2, label="mean of five draws")
ax.set(ylabel="test accuracy", title="A linear model on 500 labeled images")
ax.legend(loc="upper left")
plt.show()
