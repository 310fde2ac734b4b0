"""
Tune by the score of the model behind
=====================================

How strong should the penalty be, and how wide the code? The reconstruction and the classifier
behind the codes give different answers. This is why strengths and widths are tuned by the score of
the whole pipeline.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae import SparseAutoencoder
from sklearn_ae.datasets import load_fashion_mnist


def halved(X):
    return X.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)


fashion = load_fashion_mnist()
X_train, X_test = halved(fashion.X_train[:4000]), halved(fashion.X_test[:4000])
y_test = fashion.y_test[:4000]

# %%
# Each autoencoder gets two scores, on images that it was not trained on: its own, which is minus
# the mean squared error of the reconstruction and needs no y, and the accuracy of a linear model
# that learns from the codes of 500 labeled images, averaged over five draws of them.

widths, alphas = [32, 128, 512], [0.001, 0.01, 0.03, 0.1, 0.3]
draws = StratifiedShuffleSplit(5, train_size=500, random_state=0)
linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
reconstruction, accuracy = np.empty((2, len(widths), len(alphas)))
for i, width in enumerate(widths):
    for j, alpha in enumerate(alphas):
        sparse = SparseAutoencoder(width, alpha=alpha, max_epochs=15, random_state=0).fit(X_train)
        reconstruction[i, j] = sparse.score(X_test)
        accuracy[i, j] = cross_val_score(linear, sparse.transform(X_test), y_test, cv=draws).mean()

# %%
# Left: wider and less regularized is always better. Whoever tunes by the reconstruction ends at
# the edge of the grid, however large it is, with an autoencoder that copies. Right: the accuracy is
# best with a strength inside the grid. What a wide code gains depends on that strength: with the
# largest one the widest code is the worst, although its reconstruction is the best of the three.
#
# So put the model behind the autoencoder, in one pipeline, and search over both. Where there is
# no y at all, ask first what the codes are for.

figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
panels = (
    ("Reconstruction: minus the mean squared error", reconstruction),
    ("Accuracy of a linear model on the codes", accuracy),
)
for ax, (title, scores) in zip(axes, panels, strict=True):
    for width, values, color in zip(widths, scores, plt.cm.viridis_r([0.1, 0.5, 0.9]), strict=True):
        ax.plot(alphas, values, marker="o", markersize=4, color=color, label=f"{width} codes")
    i, j = np.unravel_index(scores.argmax(), scores.shape)
    ax.plot(alphas[j], scores[i, j], "o", markersize=12, fillstyle="none", color="C3", label="best")
    ax.set(xscale="log", xlabel="alpha, strength of the penalty", title=title)
axes[0].legend()
axes[0].set_ylabel("score on test images")
plt.show()
