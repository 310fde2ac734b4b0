"""From a CSV file to the model to keep: ``python own_csv.py FILE TARGET_COLUMN``."""

import sys
import warnings

import pandas as pd
import skops.io as sio
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from xgboost import XGBClassifier, XGBRegressor

from sklearn_ae import NativeColumns, TableFeatures, make_table_vote
from sklearn_ae.plotting import ComparisonDisplay
from sklearn_ae.semi_supervised import LabeledOnly, UnlabeledOnly, compare

X = pd.read_csv(sys.argv[1], dtype={sys.argv[2]: str})
y = X.pop(sys.argv[2])  # empty where there is no label
# Numbers of many values are predicted as numbers, all else are classes.
numbers = pd.to_numeric(y, errors="coerce").astype(float)
regresses = numbers.notna().equals(y.notna()) and y.nunique() > 20
y = numbers if regresses else y

codes = TableFeatures(memory="kept", random_state=0)
if y.isna().mean() >= 0.5:
    # All splits learn codes from these rows alone: once, and once only thanks to the memory.
    codes = UnlabeledOnly(codes)
warnings.filterwarnings("ignore", "The least populated class")
# XGBoost on the table as it is, tuned alike alone and in the vote.
boosting = XGBRegressor if regresses else XGBClassifier
trees = boosting(n_estimators=100, learning_rate=0.2, enable_categorical=True, n_jobs=1)
tuned = GridSearchCV(trees, {"max_depth": [2, 5]}, cv=3)
linear = Ridge(10) if regresses else LogisticRegression(C=0.1, max_iter=1000)
models = {
    "XGBoost": make_pipeline(NativeColumns(), LabeledOnly(tuned)),
    "linear": make_pipeline(TableFeatures("passthrough"), LabeledOnly(linear)),
    # The same two, and a linear model on codes that are learned from all rows.
    "vote": make_table_vote(tuned, codes),
}
# Ten times, a fifth of the labeled rows is held out and scores all three.
found = compare(models, X, y)
print(found)
print(f"kept: {found.best}")
ComparisonDisplay(found).plot().figure_.savefig("comparison.png")

best = models[found.best].fit(X, y)
sio.dump(best, "model.skops")  # the whole pipeline, as data; loading it runs no code
predictions = {"prediction": best.predict(X)}
if not regresses:
    predictions["probability"] = best.predict_proba(X).max(axis=1)
pd.DataFrame(predictions).to_csv("predictions.csv", index=False)
