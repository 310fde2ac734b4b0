"""
Sparse codes
============

A penalty on the codes, or a top-k activation, lets each image use a few of many features. Here
both are compared with a plain autoencoder: how many codes are zero, how often each feature fires,
and on which images.
"""

import matplotlib.pyplot as plt

from sklearn_ae import Autoencoder, SparseAutoencoder
from sklearn_ae.datasets import load_fashion_mnist
from sklearn_ae.modules import TopK
from sklearn_ae.plotting import CodeSparsityDisplay, FeatureExamplesDisplay

fashion = load_fashion_mnist()
X_train, X_test = fashion.X_train[:6000], fashion.X_test[:3000]

# %%
# ``alpha`` is the strength of the L1 penalty. ``TopK(20)`` keeps the 20 largest codes of each
# image and needs no penalty; ``revive=True`` trains features that stopped firing.

common = {"max_epochs": 10, "random_state": 0}
autoencoders = {
    "plain": Autoencoder(400, **common),
    "L1": SparseAutoencoder(400, alpha=0.3, **common),
    "top-k": SparseAutoencoder(400, alpha=0, activation=TopK(20, revive=True), **common),
}
print(f"{'':8}{'zeros':>8}{'mean squared error':>22}")
for name, autoencoder in autoencoders.items():
    zeros = (autoencoder.fit(X_train).transform(X_test) == 0).mean()
    print(f"{name:8}{zeros:8.1%}{-autoencoder.score(X_test):22.4f}")

# %%
# The sparse ones pay for their zeros with a larger error. Left: how often each feature fires; one
# that never does is dead. Right: how many features fire on an image. L1 lets that number differ
# from image to image, and top-k holds it at 20 or a little less.

figure, axes = plt.subplots(3, 2, figsize=(9, 8.5), layout="constrained")
for (name, autoencoder), row in zip(autoencoders.items(), axes, strict=True):
    display = CodeSparsityDisplay.from_estimator(autoencoder, X_test, axes=row)
    for ax in row:
        ax.set_title(f"{name}: {ax.get_title()}")
plt.show()

# %%
# The images that fire the eight most used features under L1. A feature stands for a kind of
# clothes, which makes sparse codes readable. Feature by feature this is what a model behind the
# autoencoder gets to see.

display = FeatureExamplesDisplay.from_estimator(
    autoencoders["L1"], X_test, image_shape=(28, 28), n_examples=9
)
plt.show()
