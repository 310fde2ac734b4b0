"""
Denoising fills a hole in an image
==================================

A denoising autoencoder sees images with a rectangle blanked and learns to give back the whole
image. On images that it was not trained on it fills the hole; a plain autoencoder copies it.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_ae import Autoencoder, DenoisingAutoencoder
from sklearn_ae.corruptions import RegionBlanking
from sklearn_ae.datasets import load_fashion_mnist
from sklearn_ae.plotting import ReconstructionDisplay

fashion = load_fashion_mnist()
X_train, X_test = fashion.X_train[:10000], fashion.X_test[:1000]

# %%
# Each time an image is shown in training, another rectangle is blanked, a fifth of its area. The
# plain autoencoder is the same network without that.

common = {"n_components": 400, "learning_rate": 3e-3, "max_epochs": 10, "random_state": 0}
denoising = DenoisingAutoencoder(
    corruption=RegionBlanking(image_shape=(28, 28)), corruption_level=0.2, **common
).fit(X_train)
plain = Autoencoder(**common).fit(X_train)

# %%
# Test images, blanked as in training, and what the denoising autoencoder makes of them. Shape and
# brightness of the missing part are about right; prints and patterns can't be guessed.

rows = [1, 2, 4, 7, 10]
display = ReconstructionDisplay.from_estimator(
    denoising, X_test, image_shape=(28, 28), rows=rows, random_state=4
)
display.figure_.suptitle("denoising autoencoder")
plt.show()

# %%
# The plain autoencoder gets the same blanked images, and keeps the holes.

display = ReconstructionDisplay(
    clean=display.clean,
    corrupted=display.corrupted,
    reconstructed=plain.reconstruct(display.corrupted),
    image_shape=(28, 28),
).plot()
display.figure_.suptitle("plain autoencoder")
plt.show()

# %%
# The same in numbers: a square of 10 x 10 pixels in the middle of every test image is blanked, and
# the error is measured inside it and outside. Error is the mean squared one here.

square = np.zeros((28, 28), dtype=bool)
square[9:19, 9:19] = True
square = square.ravel()
blanked = np.where(square, 0, X_test)
pictures = {
    "blanked image": blanked,
    "plain": plain.reconstruct(blanked),
    "denoising": denoising.reconstruct(blanked),
}
print(f"{'':15}{'inside':>8}{'outside':>9}")
for name, picture in pictures.items():
    error = (picture - X_test) ** 2
    print(f"{name:15}{error[:, square].mean():8.3f}{error[:, ~square].mean():9.3f}")
