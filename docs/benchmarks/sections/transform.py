"""Encoding 60,000 rows against bare products, and its peak memory (bar 4)."""

from functools import partial

import numpy as np
import torch
from cases import Missing, fashion_pixels
from memory import run_job
from timing import interleave, row, stopwatch

from sklearn_ae import SparseAutoencoder

TITLE = "`transform`"
NOTE = (
    "Against `relu(X @ W + b)` by hand in batches of 1,024 rows, written into one array. Memory is "
    "the peak above what was there before, without the output, in a process of its own."
)
N_ROWS_OF_BATCH = 1024
MEMORY_LIMIT = 64


def run(quick):
    """Return the rows."""
    try:
        X = fashion_pixels()
    except Missing as reason:
        return [{"case": "Fashion-MNIST", "skipped": str(reason)}]
    X = X[: 10_000 if quick else 60_000]
    case = f"Fashion-MNIST {len(X):,} x 784 -> 1,024"
    model = SparseAutoencoder(1024, max_epochs=1, batch_size=256, random_state=0).fit(X[:4000])
    bare, dense = "relu(X @ W + b) by hand", "transform"
    contenders = {
        bare: partial(_bare, X, model),
        dense: partial(_ours, X, model, False),
        "transform, sparse_output=True": partial(_ours, X, model, True),
    }
    for contender in contenders.values():
        contender(0)
    timings = interleave(contenders, 7 if quick else 11)
    jobs = {
        bare: ("bare_transform", {"batch_size": N_ROWS_OF_BATCH}),
        dense: ("transform", {"sparse_output": False}),
        "transform, sparse_output=True": ("transform", {"sparse_output": True}),
    }
    rows = []
    for name, (job, arguments) in jobs.items():
        memory = run_job(job, n_rows=len(X), **arguments)
        more = {"memory_mib": memory["peak_mib"] - memory["output_mib"]}
        more["output_mib"] = memory["output_mib"]
        if name == dense:
            more["memory_limit_mib"] = MEMORY_LIMIT
        limit = 1.2 if name == dense else None
        rows.append(row(case, name, timings, bare, what="total", limit=limit, **more))
    return rows


def _ours(X, model, sparse_output, seed):
    return stopwatch(model.set_params(sparse_output=sparse_output).transform, X)


def _bare(X, model, seed):
    layer = model.net_.module_.encoder.layers[0]
    W, b = layer.weight.detach().mT, layer.bias.detach()
    return stopwatch(_encode, torch.from_numpy(X), W, b)


@torch.inference_mode()
def _encode(X, W, b):
    out = torch.from_numpy(np.empty((len(X), len(b)), np.float32))
    for start in range(0, len(X), N_ROWS_OF_BATCH):
        part = slice(start, start + N_ROWS_OF_BATCH)
        out[part] = torch.relu(X[part] @ W + b)
    return out.numpy()
