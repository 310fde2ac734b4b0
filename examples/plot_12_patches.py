"""
Features of patches
===================

``PatchFeatures`` learns from small patches of images, encodes the patch at every position, and
averages over regions. Here is what its units look for, and where in an image they find it.
"""

import matplotlib.pyplot as plt

from sklearn_ae import PatchFeatures, SparseAutoencoder
from sklearn_ae.datasets import load_fashion_mnist
from sklearn_ae.plotting import FiltersDisplay

fashion = load_fashion_mnist()
X_train, X_test = fashion.X_train[:5000], fashion.X_test[:2000]

# %%
# Patches of 8 x 8 pixels at random places of the images. 64 units and nine regions make 576
# features.

sparse = SparseAutoencoder(64, alpha=1, batch_size=256, learning_rate=5e-3, max_epochs=10)
patches = PatchFeatures((28, 28), sparse, patch_size=8, n_patches=60_000, random_state=0)
patches.fit(X_train)
print(X_train.shape[1], "pixels,", len(patches.get_feature_names_out()), "features:")
print(*patches.get_feature_names_out()[[0, 1, 64, -1]], sep=", ")

# %%
# The filters are edges and stripes of many directions, straight and bent. An autoencoder of whole
# images would have to learn each of them anew at each place.

display = FiltersDisplay.from_estimator(patches, X_test)
plt.show()

# %%
# Four units, their filters on top, and how strongly each answers in the nine regions of four
# images. White is the largest answer of the unit in these images. A unit for one direction of edges
# answers in the regions that have such edges.

images = X_test[[0, 1, 2, 9]]
regions = patches.transform(images).reshape(-1, 3, 3, 64)
figure, axes = plt.subplots(5, 5, figsize=(6.5, 6.9), layout="constrained")
for row, image in enumerate(images, start=1):
    axes[row, 0].imshow(image.reshape(28, 28), cmap="gray")
for column, unit in enumerate(display.order_[[4, 12, 41, 48]], start=1):
    axes[0, column].imshow(display.filters[unit].reshape(8, 8), cmap="gray")
    axes[0, column].set_title(f"unit {unit}", fontsize=10)
    answers = regions[:, :, :, unit]
    for row in range(len(images)):
        axes[row + 1, column].imshow(answers[row], cmap="gray", vmin=0, vmax=answers.max())
for ax in axes.ravel():
    ax.set(xticks=[], yticks=[])
axes[0, 0].set_axis_off()
plt.show()
