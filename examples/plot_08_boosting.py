"""
Features for gradient boosting
==============================

The encoder is sliced off the autoencoder and put in front of XGBoost, in a pipeline like any
other transformer. A grid search decides by cross-validated accuracy whether XGBoost gets pixels,
codes, or both, and its importance plot tells the columns by name.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from xgboost import XGBClassifier, plot_importance

from sklearn_ae import PatchFeatures, SparseAutoencoder
from sklearn_ae.datasets import load_fashion_mnist
from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit

# %%
# Two thousand images, of which 500 have a label; -1 marks the others. Columns are named by the
# place of the pixel, such as y3x15 for row 3, column 15.

fashion = load_fashion_mnist()
names = [f"y{i // 28}x{i % 28}" for i in range(784)]
X_train = pd.DataFrame(fashion.X_train[:2000], columns=names)
y_train = np.where(np.arange(2000) < 500, fashion.y_train[:2000], -1)
X_test, y_test = pd.DataFrame(fashion.X_test[:2000], columns=names), fashion.y_test[:2000]

# %%
# The autoencoder learns from patches of the images. ``FeatureUnion`` puts pixels and codes side by
# side; with ``"drop"`` one of them is left out. ``set_output`` hands named columns from step to
# step, and ``LabeledOnly`` keeps the unlabeled rows from XGBoost.

sparse = SparseAutoencoder(48, alpha=0.5, batch_size=512, learning_rate=3e-3, max_epochs=10)
codes = PatchFeatures((28, 28), sparse, n_patches=20_000, random_state=0)
booster = XGBClassifier(
    n_estimators=40, max_depth=3, max_bin=64, colsample_bynode=0.1, n_jobs=1, random_state=0
)
pipe = Pipeline(
    [
        ("features", FeatureUnion([("pixel", "passthrough"), ("code", codes)])),
        ("boost", LabeledOnly(booster)),
    ]
).set_output(transform="pandas")

# %%
# ``SemiSupervisedSplit`` gives the unlabeled rows to each training part and to no test part.

grid = [
    {"features__code": ["drop"]},
    {"features__pixel": ["drop", "passthrough"]},
]
search = GridSearchCV(pipe, grid, cv=SemiSupervisedSplit(3)).fit(X_train, y_train)
scores = search.cv_results_["mean_test_score"]
for name, score in zip(("pixels", "codes", "pixels and codes"), scores, strict=True):
    print(f"{name:18}cross-validated accuracy {score:.3f}")
print(f"test accuracy of the best {search.score(X_test, y_test):.3f}")

# %%
# What XGBoost gains most from when it has both. Codes are named by the region of the image, row and
# column of a grid of 3 x 3, and the number of the unit.

pipe.fit(X_train, y_train)
figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
plot_importance(
    pipe["boost"].estimator_,
    ax=ax,
    importance_type="gain",
    max_num_features=15,
    values_format="{v:.1f}",
    xlabel="average gain of a split",
    ylabel="",
    title="The 15 columns that XGBoost gains most from",
    grid=False,
)
plt.show()
