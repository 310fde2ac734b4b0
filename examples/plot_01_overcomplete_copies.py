"""
An overcomplete autoencoder copies
==================================

An autoencoder with more codes than inputs can copy whatever it is given. Here a plain one learns
from clothes only, and then hands shuffled and random pixels through as well, which a narrow one
can't do. Its filters look like noise.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_ae import Autoencoder
from sklearn_ae.datasets import load_fashion_mnist
from sklearn_ae.plotting import FiltersDisplay

# %%
# The images are those of Fashion-MNIST at half their height and width, so that training is short:
# 14 x 14 pixels, 196 inputs.


def halved(X):
    return X.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)


fashion = load_fashion_mnist()
X_train, X_test = halved(fashion.X_train[:5000]), halved(fashion.X_test[:1000])

# %%
# The wide autoencoder has 512 codes for 196 pixels, the narrow one 32. Neither has any
# regularization.

wide = Autoencoder(512, batch_size=64, max_epochs=40, random_state=0).fit(X_train)
narrow = Autoencoder(32, batch_size=64, max_epochs=40, random_state=0).fit(X_train)

# %%
# Both see clothes that they were not trained on, the same clothes with their pixels shuffled, a new
# shuffle for each image, and images of uniform noise. The error is the mean squared one, divided by
# the variance of the pixels: 0 is a perfect copy, 1 is what the mean alone would give.

rng = np.random.default_rng(0)
images = {
    "clothes": X_test,
    "shuffled clothes": rng.permuted(X_test, axis=1),
    "noise": rng.random(X_test.shape, dtype=np.float32),
}
print(f"{'error':18}{'wide':>8}{'narrow':>8}")
for name, X in images.items():
    errors = [-autoencoder.score(X) / X.var() for autoencoder in (wide, narrow)]
    print(f"{name:18}{errors[0]:8.3f}{errors[1]:8.3f}")

# %%
# The wide network hands noise through, although there is no noise in what it learned from. The
# narrow one has no room for that: it makes something like clothes of everything.

figure, axes = plt.subplots(3, 9, figsize=(9, 3.4), layout="constrained")
for start, (name, X) in zip((0, 3, 6), images.items(), strict=True):
    rows = (X[:3], wide.reconstruct(X[:3]), narrow.reconstruct(X[:3]))
    for row, pictures in enumerate(rows):
        for ax, picture in zip(axes[row, start : start + 3], pictures, strict=True):
            ax.imshow(picture.reshape(14, 14), cmap="gray", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
    axes[0, start + 1].set_title(name)
for ax, label in zip(axes[:, 0], ("input", "wide", "narrow"), strict=True):
    ax.set_ylabel(label)
plt.show()

# %%
# What the units of the wide network look for: no shape of any piece of clothing can be made out.
# The next examples show three cures.

display = FiltersDisplay.from_estimator(wide, X_test, image_shape=(14, 14), max_filters=49)
plt.show()
