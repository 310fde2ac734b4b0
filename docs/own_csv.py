"""From a CSV file to a tuned model: ``python own_csv.py FILE LABEL_COLUMN``."""

import sys

import pandas as pd
import skops.io as sio
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier

from sklearn_ae import DenoisingAutoencoder
from sklearn_ae.plotting import LossCurveDisplay
from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit

table = pd.read_csv(sys.argv[1])
X, labels = table.drop(columns=sys.argv[2]), table[sys.argv[2]].astype("category")
y = labels.cat.codes.to_numpy()  # 0, 1, ... in the order of labels.cat.categories, -1 where empty
columns = make_column_transformer(
    (
        make_pipeline(SimpleImputer(strategy="median"), StandardScaler()),
        make_column_selector(dtype_include="number"),
    ),
    (
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        make_column_selector(dtype_exclude="number"),
    ),
)
codes = DenoisingAutoencoder(random_state=0)
boosting = LabeledOnly(XGBClassifier(n_estimators=100, n_jobs=1))
pipe = Pipeline([("columns", columns), ("codes", codes), ("boosting", boosting)])
grid = [
    {"codes__n_components": [32, 128], "codes__corruption_level": [0.1, 0.3]},
    {"codes": ["passthrough"]},  # the columns themselves, to see what the codes are worth
]
search = GridSearchCV(pipe, grid, cv=SemiSupervisedSplit(3), refit=False).fit(X, y)
scores = search.cv_results_["mean_test_score"]
best = scores[:-1].argmax()
settings = search.cv_results_["params"][best]
print(f"accuracy {scores[best]:.3f} with {settings}, {scores[-1]:.3f} without codes")

best = pipe.set_params(**settings).fit(X, y)
LossCurveDisplay.from_estimator(best["codes"]).figure_.savefig("loss.png")
sio.dump(best, "model.skops")  # the whole pipeline, as data; loading it runs no code
predictions = {"prediction": best.predict(X), "probability": best.predict_proba(X).max(axis=1)}
pd.DataFrame(predictions).to_csv("predictions.csv", index=False)
