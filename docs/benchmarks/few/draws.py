"""Fashion-MNIST with few labels: draws of labeled rows, and the models that they are given to."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from sklearn_ae.datasets import load_fashion_mnist

__all__ = ["Draws", "accuracies", "boosting", "linear"]


@dataclass
class Draws:
    """All images, and which of them are labeled in each draw."""

    n_draws: int = 5
    n_labeled: int = 500
    n_unlabeled: int = 60_000
    n_test: int = 10_000
    epochs: float = 1.0
    cache: dict = field(default_factory=dict)

    @cached_property
    def data(self):
        return load_fashion_mnist(n_labeled=None)

    @property
    def X(self):
        """Return the images to pretrain on."""
        return self.data.X_train[: self.n_unlabeled]

    @property
    def test(self):
        return self.data.X_test[: self.n_test], self.data.y_test[: self.n_test]

    def labeled(self, draw):
        """Return the images and labels of a draw."""
        n = self.n_labeled
        split = StratifiedShuffleSplit(1, train_size=n, test_size=10, random_state=draw)
        rows, _ = next(split.split(self.data.y_train, self.data.y_train))
        return self.data.X_train[rows], self.data.y_train[rows]

    def n_epochs(self, epochs):
        """Return the epochs of a pretraining, fewer in a quick run."""
        return max(1, round(epochs * self.epochs))


def boosting(seed=0):
    """Return XGBoost, to which every kind of feature is given; 64 bins are 10 times quicker."""
    return XGBClassifier(max_bin=64, n_jobs=2, random_state=seed)


def linear(seed=0):
    """Return the linear model to which every kind of feature is given."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))


def accuracies(draws, encode, make_model, with_raw=False):
    """Return the test accuracy of each draw on features that ``encode`` gives."""
    X_test, y_test = draws.test
    test = _features(encode, X_test, with_raw)
    scores = []
    for draw in range(draws.n_draws):
        X, y = draws.labeled(draw)
        model = make_model(draw).fit(_features(encode, X, with_raw), y)
        scores.append(float(np.mean(model.predict(test) == y_test)))
    return scores


def _features(encode, X, with_raw):
    codes = encode(X)
    return np.hstack([X, codes]) if with_raw else codes
