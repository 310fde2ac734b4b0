"""Features of a network trained with labels on something else, against unsupervised pretraining."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits

from few import ours
from few.boosting import scores
from few.draws import Draws
from few.results import Row, timed
from sklearn_ae import AutoencoderClassifier
from sklearn_ae.augmentations import ShiftAndFlip

SOURCE, TARGET = [0, 2, 4, 6, 8], [1, 3, 5, 7, 9]


@dataclass
class TargetDraws(Draws):
    """Draws of the target classes only."""

    def labeled(self, draw):
        rows = np.random.default_rng(draw)
        y = self.data.y_train
        chosen = [
            rows.choice(np.flatnonzero(y == label), self.n_labeled // len(TARGET), replace=False)
            for label in TARGET
        ]
        index = np.concatenate(chosen)
        return self.data.X_train[index], np.searchsorted(TARGET, y[index])

    @property
    def X(self):
        return super().X[np.isin(self.data.y_train[: self.n_unlabeled], TARGET)]

    @property
    def test(self):
        X, y = super().test
        kept = np.isin(y, TARGET)
        return X[kept], np.searchsorted(TARGET, y[kept])


def zoo(draws, quick):
    """Compare features for the classes Trouser, Dress, Sandal, Sneaker and Ankle boot."""
    target = TargetDraws(
        draws.n_draws, draws.n_labeled // 2, draws.n_unlabeled, draws.n_test, draws.epochs
    )
    yield Row("raw pixels", scores(target, lambda X: X))
    for name, source in (
        ("network trained on the other five classes, with all their labels", _related),
        ("network trained on handwritten digits, with all their labels", _digits),
    ):
        encode, seconds = timed(lambda source=source: _supervised(draws, *source(draws)))
        yield Row(name, scores(target, encode), seconds)
    conv, seconds = timed(lambda: ours.conv(draws).fit(target.X))
    yield Row(
        "the same network, pretrained without labels", scores(target, conv.transform), seconds
    )
    made, seconds = timed(lambda: ours.patches(draws).fit(target.X))
    yield Row("PatchFeatures, without labels", scores(target, made.transform), seconds)


def _related(draws):
    X, y = draws.data.X_train[: draws.n_unlabeled], draws.data.y_train[: draws.n_unlabeled]
    kept = np.isin(y, SOURCE)
    return X[kept], y[kept], draws.n_epochs(6), True


def _digits(draws):
    X, y = load_digits(return_X_y=True)
    images = torch.from_numpy(X.reshape(-1, 1, 8, 8) / 16)
    images = torch.nn.functional.interpolate(images, size=(28, 28), mode="bilinear")
    return images.reshape(len(X), -1).float().numpy(), y, draws.n_epochs(60), False


def _supervised(draws, X, y, epochs, flip):
    clf = AutoencoderClassifier(
        ours.conv(draws), pretrain=False, max_epochs=epochs, batch_size=128, random_state=0,
        augmentation=ShiftAndFlip(image_shape=ours.SHAPE, max_shift=2, flip=flip),
    ).fit(X, y)  # fmt: skip
    encoder = clf.net_.module_.encoder

    @torch.inference_mode()
    def encode(X):
        parts = (X[start : start + 500] for start in range(0, len(X), 500))
        return np.vstack([encoder(torch.from_numpy(part)).numpy() for part in parts])

    return encode
