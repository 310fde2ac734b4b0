"""
How well each generalizes
=========================

Four autoencoders learn from a thousand images of seven kinds of clothes. How well do they
reconstruct those images, others of the same kinds, and kinds that they were never shown? And what
if there is noise on the images?
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_ae import (
    Autoencoder,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    SparseAutoencoder,
)
from sklearn_ae.datasets import load_fashion_mnist


def halved(X):
    return X.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)


# %%
# Sandals, bags and ankle boots are kept out of training.

fashion = load_fashion_mnist()
never_shown = [5, 8, 9]
print("never shown:", ", ".join(fashion.target_names[never_shown]))
X_train = halved(fashion.X_train[~np.isin(fashion.y_train, never_shown)][:1000])
is_new = np.isin(fashion.y_test, never_shown)
images = {
    "shown in training": X_train,
    "same kinds, other images": halved(fashion.X_test[~is_new][:2000]),
    "kinds never shown": halved(fashion.X_test[is_new][:2000]),
}

common = {"n_components": 512, "max_epochs": 100, "random_state": 0}
autoencoders = {
    "plain": Autoencoder(**common),
    "sparse": SparseAutoencoder(alpha=0.2, **common),
    "dropout": DropoutAutoencoder(dropout=0.5, **common),
    "denoising": DenoisingAutoencoder(corruption="gaussian", corruption_level=0.3, **common),
}
for autoencoder in autoencoders.values():
    autoencoder.fit(X_train)

# %%
# The error is the mean squared one, divided by the variance of the pixels. On the right Gaussian
# noise of standard deviation 0.3 is added to what the autoencoders see, and the error is measured
# against the image without noise.
#
# On clean images the plain autoencoder is the best everywhere, even on what it was never shown.
# That is no sign that it knows clothes: it copies what it is given. With noise on the image,
# copying means copying the noise, and the denoising autoencoder makes the smallest error by far.
# For all of them new images of known kinds are little harder than those of the training, and new
# kinds are harder.


def error(autoencoder, X, noise):
    seen = X + np.random.default_rng(0).normal(0, noise, X.shape).astype(np.float32)
    return np.mean((autoencoder.reconstruct(seen) - X) ** 2) / X.var()


figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
for ax, (title, noise) in zip(
    axes, {"Clean images": 0, "Images with noise": 0.3}.items(), strict=True
):
    for i, (label, X) in enumerate(images.items()):
        errors = [error(autoencoder, X, noise) for autoencoder in autoencoders.values()]
        ax.bar(np.arange(4) + 0.27 * (i - 1), errors, width=0.25, label=label)
    ax.set_xticks(range(4), autoencoders)
    ax.set(title=title, yscale="log")
axes[0].set_ylabel("error / variance of the pixels")
axes[0].legend(loc="upper left")
plt.show()
