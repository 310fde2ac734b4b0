"""Load what own_csv.py saved and predict rows of another file: ``python own_csv_apply.py FILE``."""

import sys

import pandas as pd
import skops.io as sio

from sklearn_ae import SKOPS_TRUSTED

sklearn = ("sklearn.compose.", "sklearn.metrics.", "sklearn.model_selection.", "sklearn.utils.")
others = ("xgboost.", *sklearn, "builtins.", "numpy.")  # what else we let it make
asked = set(sio.get_untrusted_types(file="model.skops")) - set(SKOPS_TRUSTED)
theirs = [name for name in asked if name.startswith(others)]
model = sio.load("model.skops", trusted=[*SKOPS_TRUSTED, *theirs])

table = pd.read_csv(sys.argv[1])[list(model.feature_names_in_)]
predictions = {"prediction": model.predict(table)}
if hasattr(model, "predict_proba"):
    predictions["probability"] = model.predict_proba(table).max(axis=1)
pd.DataFrame(predictions).to_csv("applied.csv", index=False)
