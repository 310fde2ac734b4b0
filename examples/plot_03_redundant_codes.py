"""
Redundant codes
===============

A dropout autoencoder can't rely on any single code, so it spreads what matters over many. Here
some of the codes are deleted after training: the others cover for them, and the image survives.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_ae import Autoencoder, DropoutAutoencoder, SparseAutoencoder
from sklearn_ae.datasets import load_fashion_mnist


def halved(X):
    return X.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)


fashion = load_fashion_mnist()
X_train, X_test = halved(fashion.X_train[:10000]), halved(fashion.X_test[:2000])

# %%
# Three autoencoders of the same width: 512 codes for 196 pixels.

common = {"max_epochs": 15, "random_state": 0}
autoencoders = {
    "plain": Autoencoder(512, **common),
    "sparse": SparseAutoencoder(512, alpha=0.2, **common),
    "dropout": DropoutAutoencoder(512, dropout=0.5, **common),
}
for autoencoder in autoencoders.values():
    autoencoder.fit(X_train)

# %%
# A share of the codes of each test image is set to zero, drawn anew for each image. The others
# are scaled up, as in training with dropout, and decoded by ``inverse_transform``. The error is
# the mean squared one, divided by the variance of the pixels: above 1, an image of the mean would
# be closer.

shares = np.array([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])


def decoded(autoencoder, X, share):
    codes = autoencoder.transform(X)
    kept = np.random.default_rng(0).random(codes.shape) >= share
    return autoencoder.inverse_transform(codes * kept / (1 - share))


errors = {
    name: [np.mean((decoded(autoencoder, X_test, s) - X_test) ** 2) / X_test.var() for s in shares]
    for name, autoencoder in autoencoders.items()
}
print(f"{'codes deleted':>14}" + "".join(f"{name:>9}" for name in errors))
for i in (0, 1, 3, 5, 7):
    print(f"{shares[i]:14.0%}" + "".join(f"{errors[name][i]:9.2f}" for name in errors))

# %%
# With all codes the plain autoencoder is the best of the three, and with a tenth of them gone the
# worst. The sparse one holds out better, since most of what is deleted was zero anyway. The
# dropout one loses the least.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(9.5, 3.6), width_ratios=[1, 1.2], layout="constrained"
)
for name, values in errors.items():
    left.plot(shares, values, marker="o", markersize=4, label=name)
left.set(
    xlabel="share of the codes deleted",
    ylabel="error / variance of the pixels",
    yscale="log",
    title="Error on test images",
)
left.legend()
rows = [X_test[:6]] + [decoded(a, X_test[:6], 0.5) for a in autoencoders.values()]
strips = [np.hstack(np.pad(row.reshape(-1, 14, 14), [(0, 0), (1, 1), (1, 1)])) for row in rows]
right.imshow(np.vstack(strips), cmap="gray", vmin=0, vmax=1)
right.set(xticks=[], title="With half of the codes deleted")
right.set_yticks(8 + 16 * np.arange(4), ["input", *autoencoders])
right.tick_params(length=0)
plt.show()
