"""Load what own_csv.py saved and predict again: ``python own_csv_apply.py FILE``."""

import sys

import numpy as np
import pandas as pd
import skops.io as sio

from sklearn_ae import SKOPS_TRUSTED

sklearn = ("sklearn.compose.", "sklearn.metrics.", "sklearn.model_selection.")
others = ("xgboost.", *sklearn, "builtins.", "numpy.")  # what else we let it make
asked = set(sio.get_untrusted_types(file="model.skops")) - set(SKOPS_TRUSTED)
theirs = [name for name in asked if name.startswith(others)]
model = sio.load("model.skops", trusted=[*SKOPS_TRUSTED, *theirs])

table, before = pd.read_csv(sys.argv[1]), pd.read_csv("predictions.csv")
table = table[list(model.feature_names_in_)]
again = model.predict(table)
if "probability" in before:  # of a class
    same = np.allclose(model.predict_proba(table).max(axis=1), before["probability"])
    print((again == before["prediction"]).all(), same)
else:
    print(np.allclose(again, before["prediction"]))
