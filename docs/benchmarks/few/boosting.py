"""Features to XGBoost and to a linear model: ours, and those that others would use."""

from __future__ import annotations

from itertools import islice

from sklearn.pipeline import make_union
from xgboost import XGBClassifier

from few import ours, rivals
from few.draws import accuracies, boosting, linear
from few.results import Row, timed
from sklearn_ae import SparseAutoencoder
from sklearn_ae.modules import TopK

MODELS = {"XGBoost": boosting, "logistic regression": linear}


def features(draws, quick):
    """Compare kinds of features at their named settings."""
    yield Row("raw pixels", scores(draws, lambda X: X))
    if not quick:
        yield Row("PCA, 50", scores(draws, rivals.pca(draws.X)))
        yield Row("NMF, 100", scores(draws, rivals.nmf(draws.X)))
        yield Row("restricted Boltzmann machine, 256", scores(draws, rivals.rbm(draws.X)))
        for name, estimator in ours.dense_features(draws):
            yield codes_row(draws, f"{name}, 1,024", name, estimator)
    yield from _deep(draws)
    if not quick:
        yield codes_row(draws, "convolutional, blanked regions", "conv", ours.conv(draws))
    kmeans, seconds = timed(lambda: rivals.kmeans_patches(draws.X))
    yield Row("k-means patches, 256", scores(draws, kmeans), seconds)
    yield from _patches(draws, "PatchFeatures, its defaults", "patches", ours.patches(draws))


def _deep(draws):
    estimator = ours.deep(draws)
    yield codes_row(draws, "deep denoising, two layers of 1,024", "deep", estimator)
    encode = draws.cache["deep"].transform
    yield Row("raw + deep denoising", scores(draws, encode, with_raw=True))


def _patches(draws, name, key, estimator):
    yield codes_row(draws, name, key, estimator)
    yield Row(f"raw + {name}", scores(draws, draws.cache[key].transform, with_raw=True))


def own_defaults(draws, quick):
    """Repeat the main rows with XGBoost at its own defaults: 256 bins, 5 times slower."""
    models = {"XGBoost, 256 bins": lambda seed: XGBClassifier(n_jobs=2, random_state=seed)}
    yield Row("raw pixels", scores(draws, lambda X: X, models=models))
    if quick:
        return
    roads = {
        "deep denoising, two layers of 1,024": ("deep", ours.deep(draws)),
        "PatchFeatures, its defaults": ("patches", ours.patches(draws)),
    }
    for name, (key, estimator) in roads.items():
        encode = ours.fitted(draws, key, estimator).transform
        yield Row(name, scores(draws, encode, models=models))
        yield Row(f"raw + {name}", scores(draws, encode, with_raw=True, models=models))
    kmeans = rivals.kmeans_patches(draws.X)
    yield Row("k-means patches, 256", scores(draws, kmeans, models=models))


def settings(draws, quick):
    """Compare settings of patch features beyond their defaults."""
    yield Row("raw pixels", scores(draws, lambda X: X))
    for name, estimator in islice(variants(draws), 1 if quick else None):
        yield codes_row(draws, name, name, estimator)


def variants(draws):
    """Yield each setting of patch features."""
    yield "defaults", ours.patches(draws)
    yield "own codes", ours.patches(draws, encoding="codes")
    for threshold in (0.5, 1.5):
        yield f"threshold {threshold}", ours.patches(draws, threshold=threshold)
    sparse = SparseAutoencoder
    yield "TopK(16)", ours.patches(draws, sparse(alpha=0.0, activation=TopK(k=16)))
    yield "256 and 256 units, patches of 4 and 8", _sizes(draws, (4, 8))
    yield "pooled 4 x 4", ours.patches(draws, pool=4)
    yield "patches of 4 and 8, pooled 4 x 4", _sizes(draws, (4, 8), pool=4)
    yield "patches of 5, 7 and 9, pooled 4 x 4", _sizes(draws, (5, 7, 9), pool=4)
    wide = {"n_components": 800, "batch_size": 512, "learning_rate": 3e-3, "alpha": 0.5}
    yield (
        "800 units, threshold 1.5",
        ours.patches(draws, sparse(**wide, max_epochs=20), n_patches=400_000, threshold=1.5),
    )


def _sizes(draws, sizes, **params):
    return make_union(*(ours.patches(draws, patch_size=size, **params) for size in sizes))


def codes_row(draws, name, key, estimator):
    """Fit once, then score on the codes."""
    fitted, seconds = timed(lambda: ours.fitted(draws, key, estimator))
    return Row(name, scores(draws, fitted.transform), seconds)


def scores(draws, encode, with_raw=False, models=MODELS):
    """Return the accuracies of the models."""
    return {
        name: accuracies(draws, encode, make, with_raw=with_raw) for name, make in models.items()
    }
