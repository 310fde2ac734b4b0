"""
A network from elsewhere, or pretraining on your own images?
============================================================

A network that was trained with labels on something else can serve as a feature extractor, as
those of a model zoo do. Here two of them, trained on other kinds of clothes and on handwritten
digits, are compared with autoencoders that learn from the target images without labels.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae import AutoencoderClassifier, DenoisingAutoencoder, PatchFeatures, to_torch
from sklearn_ae.datasets import load_fashion_mnist

# %%
# The target: five kinds of clothes. The other five are what one network learned from.


def halved(X):
    return X.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)


fashion = load_fashion_mnist()
X, y = halved(fashion.X_train[:16000]), fashion.y_train[:16000]
is_target = np.isin(y, [1, 3, 5, 7, 9])
print("target:", ", ".join(fashion.target_names[[1, 3, 5, 7, 9]]))
print("other: ", ", ".join(fashion.target_names[[0, 2, 4, 6, 8]]))
X_target, y_target = X[is_target], y[is_target]
digits = load_digits()
X_digits = np.pad(digits.images / 16, [(0, 0), (3, 3), (3, 3)]).reshape(-1, 196)

# %%
# The same network of two layers is trained in three ways: with all labels of the other kinds, with
# those of the digits, and without labels on the target images. ``pretrain=False`` makes
# ``AutoencoderClassifier`` an ordinary network; its encoder is the feature extractor.
# ``PatchFeatures`` learns from the target images too.

denoising = DenoisingAutoencoder(
    256, hidden_layer_sizes=(256,), corruption_level=0.5, max_epochs=15, random_state=0
)


def trained_with_labels(X, y, max_epochs):
    network = AutoencoderClassifier(
        denoising, pretrain=False, batch_size=128, max_epochs=max_epochs, random_state=0
    )
    encoder = to_torch(network.fit(X, y))
    return lambda X: encoder(torch.from_numpy(X)).detach().numpy()


patches = PatchFeatures((14, 14), patch_size=5, n_patches=30_000, random_state=0)
encoders = {
    "pixels": lambda X: X,
    "network trained on other clothes": trained_with_labels(X[~is_target], y[~is_target], 8),
    "network trained on digits": trained_with_labels(X_digits, digits.target, 30),
    "same network, without labels": denoising.fit(X_target).transform,
    "patch features, without labels": patches.fit(X_target[:4000]).transform,
}

# %%
# A linear model on each kind of feature gets 50 labeled target images, in ten draws.

draws = StratifiedShuffleSplit(10, train_size=50, random_state=0)
linear = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
accuracy = {
    name: cross_val_score(linear, encode(X_target[-4000:]), y_target[-4000:], cv=draws)
    for name, encode in encoders.items()
}

# %%
# A gray dot is one draw. The networks from elsewhere are worth about as much as pixels, and the
# same network pretrained without labels on the target images is not far from them: each learns what
# whole images look like. Patch features, which learn edges once for all places, are the best. A
# network from a zoo can do more than these two, as it saw more, and more like the target. It comes
# in as ``AutoencoderClassifier(encoder=network)`` and is then fine-tuned.

figure, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
for position, values in enumerate(accuracy.values()):
    ax.plot(values, np.full(len(values), position), "o", color="0.75", markersize=4)
means = [np.mean(values) for values in accuracy.values()]
ax.plot(means, range(len(means)), "o", color="C0", markersize=8, label="mean of ten draws")
ax.set_yticks(range(len(means)), accuracy)
ax.invert_yaxis()
ax.set(xlabel="accuracy with 50 labeled images", title="Features for five kinds of clothes")
ax.legend(loc="lower left")
plt.show()
