"""Pretraining layer by layer, or all layers at once.

A network of three layers learns from 1,437 digits, of which 100 have a label. Its layers are
pretrained one after the other, each as a denoising autoencoder on the codes of the one below, or
all at once as one deep denoising autoencoder; then both are fine-tuned, beside the same network
from scratch. With as little data as this none of the three is better beyond the noise, and one
fit for all layers is the simpler way. Prints a table and saves a picture.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from sklearn.pipeline import make_pipeline

from sklearn_ae import AutoencoderClassifier, DenoisingAutoencoder
from sklearn_ae.datasets import load_digits_few_labels

mpl.use("Agg")
import matplotlib.pyplot as plt

N_DRAWS = 5
SIZES = (256, 256, 256)


def layer():
    """Return one layer of the stack."""
    return DenoisingAutoencoder(SIZES[0], corruption_level=0.3, max_epochs=20)


ROADS = {
    "from scratch": (DenoisingAutoencoder(SIZES[-1], hidden_layer_sizes=SIZES[:-1]), False),
    "all at once": (
        DenoisingAutoencoder(SIZES[-1], hidden_layer_sizes=SIZES[:-1], max_epochs=60),
        True,
    ),
    "layer by layer": (make_pipeline(layer(), layer(), layer()), True),
}


def main():
    """Run every road on every draw, print the table and save the picture."""
    scores = {name: [] for name in ROADS}
    for draw in range(N_DRAWS):
        digits = load_digits_few_labels(n_labeled=100, random_state=draw)
        X_train, X_test = digits.X_train / 16, digits.X_test / 16
        for name, (autoencoder, pretrain) in ROADS.items():
            clf = AutoencoderClassifier(
                autoencoder, pretrain=pretrain, unlabeled=-1, random_state=draw
            )
            clf.fit(X_train, digits.y_train)
            scores[name].append(clf.score(X_test, digits.y_test))
    for name, values in scores.items():
        print(f"{name:15} {np.mean(values):.3f} (standard deviation {np.std(values, ddof=1):.3f})")
    figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for values in zip(*scores.values(), strict=True):
        ax.plot(list(scores), values, color="#b8c4cc", marker="o", markersize=4)
    ax.plot(list(scores), [np.mean(v) for v in scores.values()], color="#0b6e99", marker="o")
    ax.set(ylabel="test accuracy", title="100 labels, 5 draws (gray) and their mean")
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
