"""Load what own_csv.py saved and predict again: ``python own_csv_apply.py FILE``."""

import sys

import joblib
import pandas as pd

from sklearn_ae import load

table = pd.read_csv(sys.argv[1])
model = joblib.load("model.joblib")
predictions = pd.read_csv("predictions.csv")["prediction"]
codes = load("codes.safetensors").transform(model["columns"].transform(table))
print((model.predict(table) == predictions).all(), (codes == model[:-1].transform(table)).all())
