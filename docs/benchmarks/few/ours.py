"""The autoencoders of the comparison, each fitted on the images of the draws once."""

from __future__ import annotations

from sklearn_ae import (
    Autoencoder,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    PatchFeatures,
    SparseAutoencoder,
)
from sklearn_ae.corruptions import RegionBlanking
from sklearn_ae.modules import ConvEncoder, TopK

__all__ = ["DEEP", "SHAPE", "conv", "deep", "dense", "fitted", "patches"]

SHAPE = (28, 28)
BLANKS = RegionBlanking(image_shape=SHAPE)
DEEP = {"hidden_layer_sizes": (1024,), "corruption_level": 0.5}


def fitted(draws, name, estimator):
    """Fit an estimator on all images once, however many tables ask for it."""
    if name not in draws.cache:
        draws.cache[name] = estimator.fit(draws.X)
    return draws.cache[name]


def dense(draws, cls, epochs=6, **params):
    """Return a wide layer, in larger batches than the default's for the size of the data."""
    settings = {"n_components": 1024, "batch_size": 256, "random_state": 0, **params}
    return cls(max_epochs=draws.n_epochs(epochs), **settings)


def deep(draws, cls=DenoisingAutoencoder, epochs=8, **params):
    """Return the main setting: two layers of 1,024."""
    return dense(draws, cls, epochs, **{**DEEP, **params})


def conv(draws, corruption=BLANKS, level=0.3, epochs=6, **params):
    """Return a convolutional autoencoder that fills blanked regions."""
    encoder = ConvEncoder(image_shape=SHAPE, pool=(3, 3))
    return DenoisingAutoencoder(
        9 * 64, encoder=encoder, corruption=corruption, corruption_level=level, batch_size=128,
        max_epochs=draws.n_epochs(epochs), random_state=0, **params,
    )  # fmt: skip


def patches(draws, autoencoder=None, **params):
    """Return patch features; of fewer patches in a quick run."""
    n_patches = params.pop("n_patches", 200_000)
    return PatchFeatures(
        SHAPE, autoencoder, n_patches=max(2000, int(n_patches * draws.epochs)),
        random_state=0, **params,
    )  # fmt: skip


def dense_features(draws):
    """Yield each single layer of 1,024 units that the tables compare."""
    yield "plain autoencoder", dense(draws, Autoencoder)
    yield "SparseAutoencoder, L1", dense(draws, SparseAutoencoder)
    yield "SparseAutoencoder, TopK(32)", dense(draws, SparseAutoencoder, alpha=0.0,
                                               activation=TopK(k=32))  # fmt: skip
    yield "DropoutAutoencoder", dense(draws, DropoutAutoencoder)
    levels = {"masking": 0.5, "gaussian": 0.3, "salt_and_pepper": 0.3, "swap": 0.3}
    for corruption, level in levels.items():
        settings = {"corruption": corruption, "corruption_level": level}
        yield (
            f"DenoisingAutoencoder, {corruption} {level}",
            dense(draws, DenoisingAutoencoder, **settings),
        )
    settings = {"corruption": BLANKS, "corruption_level": 0.3}
    yield (
        "DenoisingAutoencoder, blanked regions 0.3",
        dense(draws, DenoisingAutoencoder, **settings),
    )
