"""Patch features of 10,000 images against torch's own convolution and pooling."""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from cases import Missing, fashion_pixels
from timing import interleave, row, stopwatch

from sklearn_ae import PatchFeatures, SparseAutoencoder

TITLE = "`PatchFeatures`"
NOTE = (
    "`transform` of 28 x 28 images at 256 units, patches of 6 x 6 at every position, pooled 3 x 3, "
    "against `adaptive_avg_pool2d(relu(conv2d(X)))` by torch, which neither normalizes nor whitens "
    "patches nor thresholds their codes, in batches of whichever size is the quickest."
)
BATCH_SIZES = (16, 64, 256)


def run(quick):
    """Return the rows."""
    try:
        X = fashion_pixels()[: 2_000 if quick else 10_000]
    except Missing as reason:
        return [{"case": "Fashion-MNIST", "skipped": str(reason)}]
    models = {
        encoding: PatchFeatures(
            (28, 28), SparseAutoencoder(256, max_epochs=1), n_patches=5000,
            encoding=encoding, random_state=0,
        ).fit(X[:1000])
        for encoding in ("threshold", "codes")
    }  # fmt: skip
    by_size = {size: min(_bare(X, size, 0).total for _ in range(2)) for size in BATCH_SIZES}
    size = min(by_size, key=by_size.get)
    bare = f"convolution and pooling by torch, batches of {size}"
    contenders = {
        bare: partial(_bare, X, size),
        **{f"encoding={name!r}": partial(_ours, X, model) for name, model in models.items()},
    }
    for contender in contenders.values():
        contender(0)
    timings = interleave(contenders, 3 if quick else 7)
    case = f"{len(X):,} images of 28 x 28"
    return [
        row(case, name, timings, bare, what="total", limit=None if name == bare else 1.5)
        for name in contenders
    ]


def _ours(X, model, seed):
    return stopwatch(model.transform, X)


def _bare(X, size, seed):
    weight = torch.randn(256, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    return stopwatch(_convolved, torch.from_numpy(X), weight, torch.zeros(256), size)


@torch.inference_mode()
def _convolved(X, weight, bias, size):
    out = torch.from_numpy(np.empty((len(X), 9 * 256), np.float32))
    for start in range(0, len(X), size):
        images = X[start : start + size].reshape(-1, 1, 28, 28)
        pooled = F.adaptive_avg_pool2d(torch.relu(F.conv2d(images, weight, bias)), (3, 3))
        out[start : start + size] = pooled.flatten(1)
    return out
