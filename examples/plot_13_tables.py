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

from sklearn_ae import DenoisingAutoencoder
from sklearn_ae.corruptions import SwapNoise
from sklearn_ae.semi_supervised import LabeledOnly

# %%
# Thirty measurements of 569 tumors, in units of their own, so they are scaled first.

data = load_breast_cancer()
X, y, names = data.data, data.target, data.feature_names
autoencoder = DenoisingAutoencoder(
    128, corruption=SwapNoise(), corruption_level=0.15, max_epochs=30, random_state=0
)

# %%
# What it has learned shows when a value is swapped. One column at a time is replaced by that of
# another row, and compared with what the network makes of it: 1 means that the swapped value was
# kept, 0 that it was put right from the other columns.

scaled = StandardScaler().fit_transform(X)
train, test = scaled[:400], scaled[400:]
autoencoder.fit(train)
other = np.random.default_rng(0).permutation(len(test))
kept = []
for column in range(X.shape[1]):
    swapped = test.copy()
    swapped[:, column] = test[other, column]
    restored = autoencoder.reconstruct(swapped)[:, column]
    change = swapped[:, column] - test[:, column]
    kept.append(np.sum((restored - test[:, column]) * change) / np.sum(change**2))
order = np.argsort(kept)

# %%
# Few labels: the scaler and the autoencoder learn from all training rows, the linear model from 30.
# On a table as easy as this one the columns themselves serve it as well as any code.

accuracy = {"columns": [], "codes": []}
for train, test in ShuffleSplit(10, test_size=150, random_state=0).split(X):
    few = np.where(np.arange(len(train)) < 30, y[train], -1)
    for name, steps in (("columns", []), ("codes", [autoencoder])):
        model = LabeledOnly(LogisticRegression(C=0.1, max_iter=1000))
        pipe = make_pipeline(StandardScaler(), *steps, model).fit(X[train], few)
        accuracy[name].append(pipe.score(X[test], y[test]))
for name, scores in accuracy.items():
    print(f"linear model on {name:8}{np.mean(scores):.3f} ± {np.std(scores):.3f}")

# %%
# Columns that others tell, such as radius beside area, are put right; those that stand alone are
# kept as they came.

figure, ax = plt.subplots(figsize=(7, 6.5), layout="constrained")
ax.barh(names[order], np.array(kept)[order], color="#0b6e99")
ax.set(xlabel="share of a swapped value that is kept", xlim=(0, 1), title="Test rows")
ax.spines[["top", "right"]].set_visible(False)
plt.show()
