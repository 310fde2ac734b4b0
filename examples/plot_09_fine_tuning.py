"""
Fine-tuning a pretrained encoder
================================

``AutoencoderClassifier`` pretrains an autoencoder on all images, puts a head on its encoder, and
trains both on the labeled ones. It is compared with the same network from scratch, at several
numbers of labels.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.frozen import FrozenEstimator

from sklearn_ae import AutoencoderClassifier, DenoisingAutoencoder
from sklearn_ae.datasets import load_fashion_mnist
from sklearn_ae.plotting import LossCurveDisplay


def halved(X):
    return X.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)


fashion = load_fashion_mnist()
X_train, y_train = halved(fashion.X_train[:15000]), fashion.y_train[:15000]
X_test, y_test = halved(fashion.X_test[:3000]), fashion.y_test[:3000]

# %%
# Two layers, pretrained once on 15,000 images without labels. In a ``FrozenEstimator`` the
# autoencoder is taken as it is, so that it need not be trained anew for each fit below. Given as it
# is, ``AutoencoderClassifier(autoencoder, unlabeled=-1)`` pretrains it on all rows by itself.

autoencoder = DenoisingAutoencoder(
    256,
    hidden_layer_sizes=(512,),
    corruption_level=0.5,
    learning_rate=2e-3,
    max_epochs=10,
    random_state=0,
)
pretrained = FrozenEstimator(autoencoder.fit(X_train))

# %%
# For each number of labels, five draws of the labeled images; both networks get the same ones.

numbers = [30, 60, 120, 240]
accuracy = {"pretrained": [], "from scratch": []}
classifiers = {}
for n_labeled in numbers:
    scores = {name: [] for name in accuracy}
    for draw in range(5):
        rows = slice(1000 * draw, 1000 * draw + n_labeled)
        classifiers["pretrained"] = AutoencoderClassifier(pretrained, random_state=draw)
        classifiers["from scratch"] = AutoencoderClassifier(
            autoencoder, pretrain=False, random_state=draw
        )
        for name, classifier in classifiers.items():
            classifier.fit(X_train[rows], y_train[rows])
            scores[name].append(classifier.score(X_test, y_test))
    for name, values in scores.items():
        accuracy[name].append(np.mean(values))
print("labels        " + "".join(f"{n:>7}" for n in numbers))
for name, values in accuracy.items():
    print(f"{name:14}" + "".join(f"{value:7.3f}" for value in values))

# %%
# Left: the loss of fine-tuning on the labeled images of the last draw. The network from scratch
# ends lower: it fits them more closely, and that is no gain on other images. Right: the pretrained
# network is ahead on test images, by several points with 30 labels and by about one with 240. The
# more labels there are, the less there is to gain.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for name, classifier in classifiers.items():
    LossCurveDisplay.from_estimator(classifier, ax=left, name=name)
    right.plot(numbers, accuracy[name], marker="o", label=name)
left.set_title(f"Loss of fine-tuning, {numbers[-1]} labels")
right.set(
    xscale="log",
    xlabel="labeled images",
    ylabel="accuracy, mean of five draws",
    title="Test images",
)
right.set_xticks(numbers, numbers)
right.minorticks_off()
right.legend()
plt.show()
