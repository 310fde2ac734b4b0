"""
Tables
======

Denoising by swaps suits tables: a value is replaced by that of another row, so it stays within the
range of its column and shows only beside the others. Whoever puts it right has learned how columns
go together.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae import Autoencoder, DenoisingAutoencoder
from sklearn_ae.corruptions import SwapNoise
from sklearn_ae.semi_supervised import LabeledOnly

# %%
# Thirty measurements of 569 tumors, in units of their own, so they are scaled first.

data = load_breast_cancer()
X, y, names = data.data, data.target, data.feature_names
common = {"n_components": 128, "max_epochs": 60, "batch_size": 32, "random_state": 0}
denoising = DenoisingAutoencoder(corruption=SwapNoise(), corruption_level=0.15, **common)
plain = Autoencoder(**common)

# %%
# What it has learned shows when a value is swapped. One column at a time is replaced by that of
# another row, and compared with what the network makes of it: 1 means that the swapped value was
# kept, 0 that it was put right from the other columns.

scaled = StandardScaler().fit_transform(X)
train, test = scaled[:400], scaled[400:]
other = np.random.default_rng(0).permutation(len(test))


def shares_kept(autoencoder):
    shares = []
    for column in range(X.shape[1]):
        swapped = test.copy()
        swapped[:, column] = test[other, column]
        restored = autoencoder.reconstruct(swapped)[:, column]
        change = swapped[:, column] - test[:, column]
        shares.append(np.sum((restored - test[:, column]) * change) / np.sum(change**2))
    return np.array(shares)


kept = shares_kept(denoising.fit(train))
kept_by_plain = shares_kept(plain.fit(train))
print(f"kept on average: denoising {kept.mean():.2f}, plain {kept_by_plain.mean():.2f}")

# %%
# Few labels: the scaler and the autoencoder learn from all training rows, the linear model from 30.
# On a table as easy as this one the columns themselves serve it as well as any code.

accuracy = {"columns": [], "codes": []}
for rows, test_rows in ShuffleSplit(10, test_size=150, random_state=0).split(X):
    few = np.where(np.arange(len(rows)) < 30, y[rows], -1)
    for name, steps in (("columns", []), ("codes", [denoising])):
        model = LabeledOnly(LogisticRegression(C=0.1, max_iter=1000))
        pipe = make_pipeline(StandardScaler(), *steps, model).fit(X[rows], few)
        accuracy[name].append(pipe.score(X[test_rows], y[test_rows]))
for name, scores in accuracy.items():
    print(f"linear model on {name:8}{np.mean(scores):.3f} ± {np.std(scores):.3f}")

# %%
# Columns that others tell, such as radius beside area, are put right nearly all the way; of those
# that stand more alone, such as texture, about half is kept. A plain autoencoder of the same width
# keeps more: it has learned to copy the value that it is given.

figure, ax = plt.subplots(figsize=(7, 6.5), layout="constrained")
order = np.argsort(kept)
ax.barh(names[order], kept[order], color="#0b6e99", label="denoising by swaps")
ax.plot(kept_by_plain[order], names[order], "o", color="#c8553d", label="plain")
ax.set(xlabel="share of a swapped value that is kept", title="One column swapped, test rows")
ax.set_xlim(left=0)
ax.margins(y=0.01)
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False, loc="lower right")
plt.show()
