"""
A callback of scikit-learn that stops a fit
===========================================

From scikit-learn 1.9 on, estimators tell callbacks of their tasks. Here each epoch of training is
one, and a callback that returns True at its end stops the fit. This one trains until images that
were held out are reconstructed as well as by PCA with 16 components, and no longer.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sklearn_ae import SparseAutoencoder

X, held_out = train_test_split(load_digits().data / 16, random_state=0)
pca = PCA(16).fit(X)
of_pca = np.mean((pca.inverse_transform(pca.transform(held_out)) - held_out) ** 2)

# %%
# A callback is any object with these four methods. ``fitted_estimator`` is the autoencoder as it
# would be, had training ended with this epoch; it is made only for callbacks that ask for it.


class StopAtError:
    """Stop when the mean squared error of some rows is small enough."""

    def __init__(self, rows, error):
        self.rows, self.error = rows, error

    def setup(self, estimator, context):
        self.errors = []

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name != "epoch":
            return False
        self.errors.append(-fitted_estimator.score(self.rows))
        return self.errors[-1] <= self.error

    def teardown(self, estimator, context):
        pass


# %%
# It is handed over by ``set_callbacks``. By default the learning rate falls to 0 in the last of
# ``max_epochs``, which is not where this fit ends: it stays constant here.

stop = StopAtError(held_out, of_pca)
autoencoder = SparseAutoencoder(
    128, alpha=0.03, max_epochs=100, learning_rate_schedule="constant", random_state=0
)
autoencoder.set_callbacks(stop).fit(X)
print(f"stopped after {autoencoder.n_iter_} of {autoencoder.max_epochs} epochs")

# %%
# To stop where rows held out gain no more, ``early_stopping=True`` is all it takes.

figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.semilogy(range(1, autoencoder.n_iter_ + 1), stop.errors, "o-", color="#0b6e99", markersize=4)
ax.axhline(of_pca, color="black", linestyle=":", linewidth=1, label="PCA, 16 components")
ax.xaxis.set_major_locator(plt.MaxNLocator(integer=True))
ax.set(xlabel="epoch", ylabel="mean squared error, held out")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
plt.show()
