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
# Patches of 6 x 6 pixels at random places of the images. 64 units and nine regions make 576
# features.

sparse = SparseAutoencoder(64, alpha=0.5, batch_size=512, learning_rate=3e-3, max_epochs=10)
patches = PatchFeatures(sparse, image_shape=(28, 28), n_patches=60_000, random_state=0)
patches.fit(X_train)
print(X_train.shape[1], "pixels,", len(patches.get_feature_names_out()), "features:")
print(*patches.get_feature_names_out()[[0, 1, 64, -1]], sep=", ")

# %%
# The filters are edges and stripes of many directions, and spots. An autoencoder of whole images
# would have to learn each of them anew at each place.

display = FiltersDisplay.from_estimator(patches, X_test)
plt.show()

# %%
# Four units, and how strongly each answers in the nine regions of four images. White is the largest
# answer of the unit in these images. A unit for one direction of edges answers where an image has
# such edges.

images = X_test[[0, 1, 2, 9]]
regions = patches.transform(images).reshape(-1, 3, 3, 64)
figure, axes = plt.subplots(4, 5, figsize=(6.5, 5.6), layout="constrained")
for column, unit in enumerate(display.order_[[0, 5, 10, 20]], start=1):
    axes[0, column].set_title(f"unit {unit}", fontsize=9)
    for row, image in enumerate(images):
        axes[row, 0].imshow(image.reshape(28, 28), cmap="gray")
        answers = regions[:, :, :, unit]
        axes[row, column].imshow(answers[row], cmap="gray", vmin=0, vmax=answers.max())
for ax in axes.ravel():
    ax.set(xticks=[], yticks=[])
plt.show()
