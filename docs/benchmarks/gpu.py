"""Check and time the package on a GPU: a line a check, PASS or FAIL, with figures.

``python docs/benchmarks/gpu.py`` needs a CUDA device. ``--device cpu`` runs what needs none, on
tiny data, to see that the script itself is in order; ``--device mps`` leaves float64 and what only
CUDA has out. ``--only WORD`` runs the checks whose name holds a word.

Differences are the largest absolute ones, divided by the largest absolute value on the CPU.
"""

from __future__ import annotations

import argparse
import copy
import os
import pickle
import time
import warnings
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from scipy import sparse
from sklearn.frozen import FrozenEstimator
from torch import nn

from sklearn_ae import (
    Autoencoder,
    AutoencoderClassifier,
    AutoencoderRegressor,
    DenoisingAutoencoder,
    PatchFeatures,
    SparseAutoencoder,
    to_torch,
)
from sklearn_ae._compute import _rows
from sklearn_ae.augmentations import ShiftAndFlip
from sklearn_ae.corruptions import Masking, RegionBlanking, SwapNoise
from sklearn_ae.modules import ConvEncoder, TopK

SHAPE, N_COMPONENTS = (6, 6), 24
CLOSE, SAME = 1e-3, 0.0


def make_data(n_rows=1000, n_columns=36):
    """Return rows of rank 4 in [0, 1] with some noise, the same as CSR, and labels."""
    rng = np.random.RandomState(0)
    low_rank = rng.random_sample((n_rows, 4)) @ rng.random_sample((4, n_columns)) / 4
    X = (low_rank + 0.05 * rng.random_sample((n_rows, n_columns))).clip(0, 1).astype(np.float32)
    return X, sparse.csr_array(X * (rng.random_sample(X.shape) < 0.3)), rng.randint(0, 3, n_rows)


X, X_SPARSE, Y = make_data()


def autoencoder(device, **params):
    return Autoencoder(
        N_COMPONENTS, **{"max_epochs": 4, "random_state": 0, "device": device, **params}
    )


def difference(found, expected):
    found, expected = (
        a.toarray() if sparse.issparse(a) else np.asarray(a) for a in (found, expected)
    )
    return float(np.abs(found - expected).max() / (np.abs(expected).max() + 1e-12))


def on_cpu(estimator):
    """Return a copy with the same weights on the CPU."""
    moved = copy.copy(estimator)
    moved._trained = replace(estimator._trained, device="cpu")
    return moved


def looks(estimator, X):
    names = ("transform", "score_samples", "reconstruct", "predict_proba", "predict")
    return [getattr(estimator, name)(X) for name in names if hasattr(estimator, name)]


def applied(estimator, X=X):
    """Compare what a fitted estimator computes with what its copy on the CPU does."""
    curve = estimator.loss_curve_ if hasattr(estimator, "loss_curve_") else [1, 0]
    if not (np.isfinite(curve).all() and curve[-1] < curve[0]):
        raise ArithmeticError(f"the loss did not fall: {curve}")
    pairs = zip(looks(estimator, X), looks(on_cpu(estimator), X), strict=True)
    return max(difference(*pair) for pair in pairs)


def trained_alike(device, X=X, **params):
    """Train on the device and on the CPU, all rows in a batch and nothing drawn, and compare."""
    params = {"batch_size": len(Y), "max_epochs": 8, **params}
    there, here = (autoencoder(where, **params).fit(X) for where in (device, "cpu"))
    return max(
        difference(there.loss_curve_, here.loss_curve_),
        difference(there.transform(X), here.transform(X)),
    )


def fitted(device, X=X, **params):
    return applied(autoencoder(device, **params).fit(X), X)


def continued(device):
    estimator = autoencoder(device, dropout=0.2).partial_fit(X).partial_fit(X)
    estimator = pickle.loads(pickle.dumps(estimator)).partial_fit(X)
    return applied(copy.deepcopy(estimator).partial_fit(X).set_params(warm_start=True).fit(X))


def in_pieces(device):
    estimator = autoencoder(device).fit(X)
    return difference(estimator.transform(X[:7]), estimator.transform(X)[:7])


def twice(device):
    first, second = (autoencoder(device, dropout=0.2).fit_transform(X) for _ in range(2))
    return difference(first, second)


def features(device, **params):
    inner = SparseAutoencoder(16, max_epochs=3, device=device)
    sizes = {"patch_size": 3, "n_patches": 3000, "random_state": 0}
    return PatchFeatures(SHAPE, inner, **sizes, **params)


def fine_tuned(inner, kind=AutoencoderClassifier, **params):
    return applied(kind(inner, max_epochs=4, random_state=0, **params).fit(X, Y))


def frozen(device):
    """Fine-tune a frozen autoencoder whose corruption has a state, from a pickle."""
    inner = DenoisingAutoencoder(
        N_COMPONENTS, corruption=Masking("mean"), max_epochs=2, device=device, random_state=0
    )
    inner = FrozenEstimator(pickle.loads(pickle.dumps(inner.fit(X))))
    return fine_tuned(inner, keep_corruption=True, freeze_epochs=1)


def exported(device):
    estimator = autoencoder(device).fit(X)
    return difference(to_torch(estimator)(torch.from_numpy(X)).detach(), estimator.transform(X))


def under_default_device(device):
    torch.set_default_device(device)
    try:
        estimator = autoencoder(device, encoder=nn.Linear(36, N_COMPONENTS), warm_start=True)
        return applied(copy.deepcopy(pickle.loads(pickle.dumps(estimator.fit(X).fit(X)))))
    finally:
        torch.set_default_device(None)


def under_deterministic_algorithms(device, **params):
    torch.use_deterministic_algorithms(True)
    try:
        first, second = (autoencoder(device, **params).fit(X).transform(X) for _ in range(2))
        return difference(first, second)
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def streamed():
    """Leave the data in the memory of the host."""
    fits, _rows.fits = _rows.fits, lambda n_bytes, device: False
    try:
        yield
    finally:
        _rows.fits = fits


def streamed_alike(device):
    at_once = autoencoder(device).fit_transform(X)
    with streamed():
        return difference(autoencoder(device).fit_transform(X), at_once)


def synchronizations(device, batch_size, X, streams, **params):
    """Count how often an epoch more makes the host wait."""
    counts = []
    for max_epochs in (1, 2):
        estimator = autoencoder(device, batch_size=batch_size, max_epochs=max_epochs, **params)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            if device.startswith("cuda"):
                torch.cuda.set_sync_debug_mode("warn")
            try:
                if streams:
                    with streamed():
                        estimator.fit(X)
                else:
                    estimator.fit(X)
            finally:
                if device.startswith("cuda"):
                    torch.cuda.set_sync_debug_mode("default")
        counts.append(sum("synchroniz" in str(warning.message) for warning in seen))
    return counts[1] - counts[0]


def synchronizations_of_batches(device, X=X, streams=False, **params):
    few, many = (synchronizations(device, size, X, streams, **params) for size in (100, 10))
    return many - few


def second_device(device):
    """Make another device current after a fit on the first."""
    if not device.startswith("cuda") or torch.cuda.device_count() < 2:
        return "one device only"
    estimator = autoencoder("cuda").fit(X)
    torch.cuda.set_device(1)
    try:
        return applied(estimator.partial_fit(X))
    finally:
        torch.cuda.set_device(0)


def step_time(device, batches, n=64, k=128, n_rows=128, X=None, streams=False, **params):
    """Return microseconds a step, of the fastest of four epochs."""
    if X is None:
        X = np.random.RandomState(0).random_sample((n_rows * batches, n)).astype(np.float32)
    estimator = Autoencoder(
        k, max_epochs=4, batch_size=n_rows, random_state=0, device=device, **params
    )
    if streams:
        with streamed():
            estimator.fit(X)
    else:
        estimator.fit(X)
    return 1e6 * min(estimator.net_.history[:, "dur"]) * n_rows / X.shape[0]


def step_times(device, batches, **params):
    there, here = (step_time(where, batches, **params) for where in (device, "cpu"))
    return f"{there:.0f} us a step, CPU {here:.0f} us"


def step_time_only(device, batches, **params):
    return f"{step_time(device, batches, **params):.0f} us a step"


def rows_a_second(device, n_rows):
    estimator, many = autoencoder(device).fit(X), np.resize(X, (n_rows, X.shape[1]))
    estimator.transform(many)
    start = time.perf_counter()
    estimator.transform(many)
    return f"{n_rows / (time.perf_counter() - start):.3g} rows a second"


def bare_step(device, n_steps):
    """Time a step of 64 -> 128 -> 64 without any package, on CUDA as a graph that is replayed."""
    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64)).to(device)
    is_cuda = device.startswith("cuda")
    settings = {"capturable": True, "fused": True} if is_cuda else {}
    optimizer = torch.optim.Adam(net.parameters(), **settings)
    x = torch.rand(128, 64, device=device)

    def step():
        optimizer.zero_grad(set_to_none=False)
        (0.5 * (net(x) - x).square().sum() / 128).backward()
        optimizer.step()

    take, wait = step, lambda: None
    if is_cuda:
        wait, graph, side = torch.cuda.synchronize, torch.cuda.CUDAGraph(), torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(side)
        with torch.cuda.graph(graph):
            step()
        take = graph.replay
    take()
    wait()
    start = time.perf_counter()
    for _ in range(n_steps):
        take()
    wait()
    return f"{(time.perf_counter() - start) / n_steps * 1e6:.1f} us a step"


def checks(device, tiny):
    """Yield the name of each check, what it calls, and the largest figure that passes."""
    bce = {"loss": "binary_cross_entropy"}
    for params in (
        *({}, {"hidden_layer_sizes": (30,)}, {"tied_weights": True}, bce, {"loss": "huber"}),
        *({"alpha": 0.1}, {"penalty": "l2", "alpha": 0.1}, {"activation": TopK(4)}),
        {"penalty": "kl", "alpha": 0.1, "activation": "sigmoid"},
        *({"optimizer": "adamw", "weight_decay": 0.01}, {"optimizer": "sgd"}),
        *({"encoder": ConvEncoder(SHAPE, n_channels=(8,))}, {"precision": "float64"}),
    ):
        exact = params.get("precision") == "float64"
        if not exact or not device.startswith("mps"):
            limit = 1e-9 if exact else CLOSE
            yield f"trains alike {params}", partial(trained_alike, device, **params), limit
    yield "trains alike on CSR", partial(trained_alike, device, X_SPARSE), CLOSE
    for corruption in (
        *("masking", "gaussian", "salt_and_pepper", "swap", Masking("mean")),
        *(SwapNoise([[0, 1], [2, 3, 4]]), RegionBlanking(SHAPE)),
    ):
        params = {"corruption": corruption, "corruption_level": 0.3}
        for given, kind in ((X, "dense"), (X_SPARSE, "CSR")):
            yield f"fits {corruption} {kind}", partial(fitted, device, given, **params), CLOSE
    for params in (
        *({"dropout": 0.3}, {"early_stopping": True}, {"warm_start": True}),
        *({"precision": "bfloat16"}, {"precision": "auto"}, {"sparse_output": True}),
        *({"features": "all", "hidden_layer_sizes": (30,)},),
        {"activation": TopK(1, revive=True), "learning_rate": 0.1},
    ):
        yield f"fits {params}", partial(fitted, device, **params), CLOSE
    yield "partial_fit, pickle, copy, warm start", partial(continued, device), CLOSE
    there = lambda: fitted(device, torch.from_numpy(X).to(device))  # noqa: E731
    yield "fits a tensor on the device", there, CLOSE
    columns = lambda: fitted(device, np.asfortranarray(X))  # noqa: E731
    yield "fits column-ordered data", columns, CLOSE
    yield "streams what does not fit", partial(streamed_alike, device), CLOSE
    yield "X in pieces", partial(in_pieces, device), 1e-5
    yield "the same seed twice", partial(twice, device), 1e-5
    for params in ({}, {"pooling": "max"}, {"encoding": "codes"}):
        patches = lambda params=params: applied(features(device, **params).fit(X))  # noqa: E731
        yield f"patches {params}", patches, CLOSE
    everything = {
        "augmentation": ShiftAndFlip(SHAPE),
        "reconstruction_weight": 0.5,
        "keep_corruption": True,
        "early_stopping": True,
    }
    noisy = DenoisingAutoencoder(N_COMPONENTS, max_epochs=2, device=device)
    yield "classifier, all on", partial(fine_tuned, noisy, **everything), CLOSE
    yield "regressor", partial(fine_tuned, noisy, AutoencoderRegressor), CLOSE
    yield "classifier, patches", partial(fine_tuned, features(device), freeze_epochs=1), CLOSE
    yield "classifier, frozen, from a pickle", partial(frozen, device), CLOSE
    rounded = autoencoder(device, precision="bfloat16")
    yield "classifier, bfloat16", partial(fine_tuned, rounded, freeze_epochs="all"), CLOSE
    yield "to_torch", partial(exported, device), CLOSE
    yield "under a default device", partial(under_default_device, device), CLOSE
    for params in (
        {"activation": TopK(1, revive=True), "learning_rate": 0.1},
        *({"encoder": ConvEncoder(SHAPE, n_channels=(8,))}, {"corruption_level": 0.3}),
    ):
        strict = partial(under_deterministic_algorithms, device, **params)
        yield f"deterministic {params}", strict, SAME
    for name, params in {
        "dense": {},
        "CSR": {"X": X_SPARSE},
        "streamed": {"streams": True},
        "groups": {"corruption": SwapNoise([[0, 1]]), "corruption_level": 0.3},
        "dropout": {"dropout": 0.3},
        "early stopping": {"early_stopping": True},
    }.items():
        count = partial(synchronizations_of_batches, device, **params)
        yield f"waits for 90 batches more, {name}", count, SAME
    yield "another device is current", partial(second_device, device), CLOSE
    batches, wide = (2 if tiny else 200), ({"n": 36, "k": 48} if tiny else {"n": 784, "k": 1024})
    for params in ({}, wide, {**wide, "n_rows": 64 if tiny else 4096}):
        timed = partial(step_times, device, max(2, batches // 12), **params)
        yield f"speed {params}", timed, None
    for params in (
        *({"precision": "bfloat16"}, {"dropout": 0.3}, {"alpha": 0.1}, {"activation": TopK(16)}),
        *({"streams": True}, {"corruption_level": 0.3}),
    ):
        timed = partial(step_time_only, device, batches, **wide, **params)
        yield f"speed wide {params}", timed, None
    shape = (256, 500) if tiny else (2560, 20_000)
    many = sparse.random_array(shape, density=1e-2, format="csr", dtype=np.float32, rng=0)
    timed = partial(step_time_only, device, batches, k=64, X=many)
    yield f"speed CSR of {shape[1]} columns", timed, None
    n_rows = 5_000 if tiny else 1_000_000
    yield "speed of transform", partial(rows_a_second, device, n_rows), None
    yield "speed of a bare step", partial(bare_step, device, 5 if tiny else 2000), None


def name_of(device):
    if device.startswith("cuda"):
        return f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}"
    return device.upper()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    # What cuBLAS asks for under deterministic algorithms.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    card = name_of(options.device)
    print(f"{card}; torch {torch.__version__}", flush=True)
    n_failed = 0
    for name, check, limit in checks(options.device, tiny=options.device == "cpu"):
        if options.only not in name:
            continue
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                figure = check()
            passed = isinstance(figure, str) or limit is None or figure <= limit
        except Exception as error:
            figure, passed = f"{type(error).__name__}: {str(error)[:200]!r}", False
        n_failed += not passed
        shown = figure if isinstance(figure, str) else f"{figure:.2g} (at most {limit:g})"
        taken = time.perf_counter() - start
        print(
            f"{'PASS' if passed else 'FAIL'}  {name}: {shown}  [{card}, {taken:.1f} s]", flush=True
        )
    raise SystemExit(bool(n_failed))


if __name__ == "__main__":
    main()
