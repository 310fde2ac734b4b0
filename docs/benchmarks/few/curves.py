"""Accuracy against the number of labels, and against the number of unlabeled images."""

from __future__ import annotations

from dataclasses import replace

from few import ours
from few.boosting import scores
from few.results import Row


def labels(draws, quick):
    """Vary the labels; the pretraining is the same."""
    for n_labeled in (50, 200) if quick else (50, 100, 500, 2_000, 10_000):
        some = replace(draws, n_labeled=n_labeled, n_draws=draws.n_draws if n_labeled < 2000 else 2)
        raw = f"{n_labeled:,} labels: raw pixels"
        yield Row(raw, scores(some, lambda X: X), reference=raw)
        for name, key, estimator in _roads(draws):
            encode = ours.fitted(draws, key, estimator).transform
            yield Row(f"{n_labeled:,} labels: {name}", scores(some, encode), reference=raw)


def unlabeled(draws, quick):
    """Vary the images that are pretrained on, in as many steps; at most in 200 epochs."""
    yield Row("raw pixels", scores(draws, lambda X: X))
    for n_unlabeled in (500, 6_000) if quick else (500, 2_000, 10_000, 60_000):
        some = replace(draws, n_unlabeled=n_unlabeled, cache={})
        more = 60_000 / n_unlabeled
        deep = ours.deep(some, epochs=min(8 * more, 200))
        for name, estimator in (("deep denoising", deep), ("PatchFeatures", ours.patches(some))):
            encode = estimator.fit(some.X).transform
            yield Row(f"{n_unlabeled:,} images: {name}", scores(draws, encode))


def _roads(draws):
    yield "deep denoising", "deep", ours.deep(draws)
    yield "PatchFeatures", "patches", ours.patches(draws)
