"""From a CSV file to the better of two models: ``python own_csv.py FILE LABEL_COLUMN``."""

import sys

import numpy as np
import pandas as pd
import skops.io as sio
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from xgboost import XGBClassifier

from sklearn_ae import DenoisingAutoencoder
from sklearn_ae.plotting import LossCurveDisplay
from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit

table = pd.read_csv(sys.argv[1])
X, labels = table.drop(columns=sys.argv[2]), table[sys.argv[2]].astype("category")
y = labels.cat.codes.to_numpy()  # 0, 1, ... in the order of labels.cat.categories, -1 where empty
text = make_column_selector(dtype_exclude="number")
numbers = make_column_selector(dtype_include="number")
grid = {"max_depth": [2, 5]}


def boosting(**params):
    """Return XGBoost for the labeled rows, tuned alike whatever comes before it."""
    trees = XGBClassifier(n_estimators=100, learning_rate=0.2, n_jobs=1, **params)
    return LabeledOnly(GridSearchCV(trees, grid, cv=3))


# XGBoost's own way with a table: categories stay categories, missing values stay missing.
unseen = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
kinds = ["c"] * len(text(X)) + ["q"] * len(numbers(X))
plain = make_pipeline(
    make_column_transformer((unseen, text), ("passthrough", numbers)),
    boosting(enable_categorical=True, feature_types=kinds),
)
# The same columns, filled in and encoded, with codes that are learned from all rows beside them.
columns = make_column_transformer(
    (OneHotEncoder(handle_unknown="ignore", sparse_output=False), text),
    (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
)
autoencoder = DenoisingAutoencoder(128, random_state=0)
coded = make_pipeline(columns, make_union("passthrough", autoencoder), boosting())

# Ten times, a fifth of the labeled rows is held out and scores both models.
cv = SemiSupervisedSplit(StratifiedShuffleSplit(10, test_size=0.2, random_state=0))
scores = np.array([cross_val_score(model, X, y, cv=cv) for model in (plain, coded)])
gain = scores[1] - scores[0]
# Training rows overlap from split to split; Nadeau and Bengio (2003) add the second term for that.
error = np.sqrt(gain.var(ddof=1) * (1 / len(gain) + 0.2 / 0.8))
better = gain.mean() > 2 * error
verdict = "a difference" if abs(gain.mean()) > 2 * error else "no difference"
print("accuracy {:.3f} without codes, {:.3f} with codes".format(*scores.mean(axis=1)))
print(f"gain {100 * gain.mean():+.1f} ± {100 * error:.1f} points: {verdict}")

coded.fit(X, y)
codes = coded["featureunion"]["denoisingautoencoder"]
LossCurveDisplay.from_estimator(codes).figure_.savefig("loss.png")
best = coded if better else plain.fit(X, y)
sio.dump(best, "model.skops")  # the whole pipeline, as data; loading it runs no code
predictions = {"prediction": best.predict(X), "probability": best.predict_proba(X).max(axis=1)}
pd.DataFrame(predictions).to_csv("predictions.csv", index=False)
