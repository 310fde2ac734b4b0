"""Networks fine-tuned with full backpropagation, against the same from scratch and others."""

from __future__ import annotations

from itertools import islice

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier
from sklearn.semi_supervised import SelfTrainingClassifier

from few import ours
from few.draws import boosting, linear
from few.results import Row, timed
from sklearn_ae import AutoencoderClassifier
from sklearn_ae.augmentations import ShiftAndFlip

MODEL = "accuracy"
SHIFTS = ShiftAndFlip(image_shape=ours.SHAPE, max_shift=2)


def finetuned(draws, quick):
    """Compare networks that are trained on the labeled rows of each draw."""
    yield Row("XGBoost on raw pixels", _scores(draws, boosting))
    yield Row("MLPClassifier, 1,024 x 1,024", _scores(draws, _mlp))
    if not quick:
        yield Row("self-training of a linear model", _scores(draws, _self_training))
    for name, key, estimator, params in islice(settings(draws), 1 if quick else None):
        scratch = f"{name}: from scratch"
        yield Row(scratch, _scores(draws, _network(estimator, params, pretrain=False)))
        fitted, seconds = timed(lambda key=key, ae=estimator: ours.fitted(draws, key, ae))
        make = _network(FrozenEstimator(fitted), params)
        yield Row(f"{name}: pretrained", _scores(draws, make), seconds, scratch)
    fitted = ours.fitted(draws, "patches", ours.patches(draws))
    for name, params in PATCHES.items():
        yield Row(name, _scores(draws, _network(FrozenEstimator(fitted), params)))


def settings(draws):
    """Yield name, key, autoencoder and parameters of fine-tuning."""
    yield "dense, two layers of 1,024", "deep", ours.deep(draws), DENSE
    yield "convolutional, shifts and flips", "conv", ours.conv(draws), CONV


DENSE = {}
CONV = {"max_epochs": 150, "learning_rate": 2e-3, "augmentation": SHIFTS}
PATCHES = {
    "PatchFeatures: frozen": {"freeze_epochs": "all", "weight_decay": 1.0},
    "PatchFeatures: fine-tuned": {"encoder_learning_rate": 1e-4, "weight_decay": 1.0},
    "PatchFeatures: fine-tuned, shifts and flips": {
        "encoder_learning_rate": 1e-4, "weight_decay": 1.0, "augmentation": SHIFTS,
    },
}  # fmt: skip


def _network(estimator, params, **more):
    return lambda draw: AutoencoderClassifier(estimator, random_state=draw, **params, **more)


def _mlp(draw):
    return MLPClassifier((1024, 1024), max_iter=30, random_state=draw)


def _self_training(draw):
    return SelfTrainingClassifier(linear(), threshold=0.95, max_iter=5)


def _scores(draws, make):
    X_test, y_test = draws.test
    scores = []
    for draw in range(draws.n_draws):
        X, y = draws.labeled(draw)
        model = clone(make(draw))
        if isinstance(model, SelfTrainingClassifier):
            X = np.vstack([X, draws.X[:10_000]])
            y = np.concatenate([y, np.full(len(X) - len(y), -1)])
        scores.append(float(np.mean(model.fit(X, y).predict(X_test) == y_test)))
    return {MODEL: scores}
