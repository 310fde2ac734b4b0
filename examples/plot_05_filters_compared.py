"""
Filters compared
================

The weights of one unit are an image: what the unit looks for, in the encoder, and what it draws, in
the decoder. Here are those of a plain, a sparse, a dropout and a denoising autoencoder of the same
width, trained on the same clothes for as long.
"""

import matplotlib.pyplot as plt

from sklearn_ae import (
    Autoencoder,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    SparseAutoencoder,
)
from sklearn_ae.datasets import load_fashion_mnist
from sklearn_ae.plotting import FiltersDisplay


def halved(X):
    return X.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)


fashion = load_fashion_mnist()
X_train, X_test = halved(fashion.X_train[:10000]), halved(fashion.X_test[:2000])

# %%
# 256 codes for 196 pixels.

common = {"n_components": 256, "learning_rate": 5e-3, "max_epochs": 20, "random_state": 0}
autoencoders = {
    "plain": Autoencoder(**common),
    "sparse": SparseAutoencoder(alpha=0.3, **common),
    "dropout": DropoutAutoencoder(dropout=0.5, **common),
    "denoising": DenoisingAutoencoder(corruption="gaussian", corruption_level=0.5, **common),
}
for autoencoder in autoencoders.values():
    autoencoder.fit(X_train)

# %%
# The 36 units of each that have the largest codes on average. Above: what they look for. Below:
# what they draw.
#
# - Plain: noise in the encoder as in the decoder, apart from a few units.
# - Sparse: each unit draws a whole piece of clothing or a large part of one, since few units have
#   to make up an image.
# - Dropout: each unit draws an outline of clothes, and many draw nearly the same, so that one can
#   stand in for another.
# - Denoising: only here the encoder has smooth filters. A pixel alone can't be trusted when there
#   is noise on it, so the units look for broad shapes, edges and blobs.

figure, axes = plt.subplots(2, 4, figsize=(11, 6), layout="constrained")
for (name, autoencoder), column in zip(autoencoders.items(), axes.T, strict=True):
    for ax, part in zip(column, ("encoder", "decoder"), strict=True):
        FiltersDisplay.from_estimator(
            autoencoder, X_test, image_shape=(14, 14), part=part, max_filters=36, ax=ax
        )
        ax.set_title(f"{name}, {part}")
plt.show()
