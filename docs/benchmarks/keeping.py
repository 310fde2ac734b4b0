"""What ``memory`` holds to: kills survived, a grid trained once, and what that costs.

python docs/benchmarks/keeping.py kills    # 54 fits killed at random moments, minutes
python docs/benchmarks/keeping.py grid     # a grid with and without memory, on digits
python docs/benchmarks/keeping.py grid fashion   # on 10,000 images of Fashion-MNIST, half an hour
python docs/benchmarks/keeping.py cost     # a fit of 60,000 x 784 that misses, interleaved
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import joblib
import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from xgboost import XGBClassifier

from sklearn_ae import (
    Autoencoder,
    AutoencoderClassifier,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    SparseAutoencoder,
)
from sklearn_ae._training import _checkpoint, _net
from sklearn_ae.datasets import load_digits_few_labels, load_fashion_mnist
from sklearn_ae.modules import TopK
from sklearn_ae.penalties import KLDivergence
from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit, UnlabeledOnly

COMMON = {"n_components": 64, "max_epochs": 150, "random_state": 0}
FITS = {
    "plain": Autoencoder(**COMMON),
    "early stopping": Autoencoder(**COMMON, early_stopping=True, n_iter_no_change=40, tol=0.0),
    "dropout": DropoutAutoencoder(**COMMON),
    "KL": SparseAutoencoder(**COMMON, penalty=KLDivergence(0.1), activation="sigmoid"),
    "TopK": SparseAutoencoder(**COMMON, activation=TopK(k=4), alpha=0),
    "fine-tuning": AutoencoderClassifier(
        DenoisingAutoencoder(32, max_epochs=20), max_epochs=60, freeze_epochs=5, random_state=0
    ),
}


def fitted(name, memory=None):
    """Fit one of the estimators on digits, and return the hash of what it learned."""
    digits = load_digits_few_labels(n_labeled=300, random_state=0)
    estimator = FITS[name].set_params(memory=memory)
    if name == "fine-tuning":
        estimator.set_params(autoencoder__memory=memory, unlabeled=-1)
    estimator.fit(digits.X_train / 16, digits.y_train)
    return joblib.hash((estimator._trained.weights, estimator.loss_curve_, estimator.n_iter_))


def kills(n=9):
    """Kill fits at random moments, some of them again as they go on, and compare the bits."""
    draw = random.Random(0)
    n_same = n_killed = n_resumed = 0
    for number, name in enumerate(FITS, 1):
        start = time.perf_counter()
        expected = fitted(name)
        seconds = time.perf_counter() - start
        while n_killed < n * number:
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, __file__, "one", name, folder]
                process = subprocess.Popen(command)
                kept = Path(folder, "joblib", "checkpoints")
                while process.poll() is None and not any(kept.glob("*.checkpoint")):
                    time.sleep(0.01)
                time.sleep(draw.random() * seconds)
                process.send_signal(signal.SIGKILL)
                if process.wait() != -signal.SIGKILL:
                    # It had ended.
                    continue
                n_killed += 1
                n_resumed += any(kept.glob("*.checkpoint"))
                n_same += fitted(name, folder) == expected
        print(f"{name}: {n_same} of {n_killed} killed so far end in the same bits", flush=True)
    print(f"{n_same} same, {n_killed} killed, {n_resumed} of them with a checkpoint to go on from")


def grid(data="digits"):
    """Run 12 autoencoders x 5 folds x 3 settings of XGBoost, counting epochs."""
    counted = [0]
    run = _net.run_epoch

    def counting(net, batches, step_fn, training, prefix):
        counted[0] += training
        run(net, batches, step_fn, training, prefix)

    _net.run_epoch = counting
    load = load_digits_few_labels if data == "digits" else load_fashion_mnist
    few = load(n_labeled=300, random_state=0)
    rows = np.argsort(few.y_train < 0, kind="stable")[:10_000]
    X, y = few.X_train[rows], few.y_train[rows]
    boosting = LabeledOnly(XGBClassifier(n_estimators=20, n_jobs=1))
    part = "denoisingautoencoder__"
    settings = {
        f"{part}n_components": [64, 128, 256],
        f"{part}corruption_level": [0.1, 0.2, 0.3, 0.4],
    }
    trees = {"labeledonly__estimator__max_depth": [1, 2, 3]}
    with tempfile.TemporaryDirectory() as folder:
        codes = make_pipeline(MinMaxScaler(), DenoisingAutoencoder(random_state=0, memory=folder))
        kept = make_pipeline(UnlabeledOnly(codes), boosting)
        inner = {f"unlabeledonly__transformer__{name}": v for name, v in settings.items()}
        plain = make_pipeline(MinMaxScaler(), DenoisingAutoencoder(random_state=0), boosting)
        for words, model, of in (
            ("with memory and UnlabeledOnly", kept, inner),
            ("the second time", kept, inner),
            ("without", plain, settings),
        ):
            counted[0], start = 0, time.perf_counter()
            search = GridSearchCV(model, of | trees, cv=SemiSupervisedSplit(5), refit=False)
            search.fit(X, y)
            seconds = time.perf_counter() - start
            best = search.best_score_
            print(f"{words}: {counted[0] / 50:.0f} trainings, {seconds:.1f} s, best {best:.3f}")


def cost(n_pairs=5):
    """Time a fit of 60,000 x 784 that misses against one without memory, in turn."""
    X = np.random.RandomState(0).rand(60_000, 784).astype(np.float32)
    ratios = []
    for seed in range(n_pairs):
        seconds = []
        with tempfile.TemporaryDirectory() as folder:
            for memory in (None, folder):
                start = time.perf_counter()
                Autoencoder(256, max_epochs=10, random_state=seed, memory=memory).fit(X)
                seconds.append(time.perf_counter() - start)
        ratios.append(seconds[1] / seconds[0])
        print(f"{seconds[0]:.1f} s without, {seconds[1]:.1f} s with", flush=True)
    print(f"ratio {median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) of 10 epochs")


if __name__ == "__main__":
    what = sys.argv[1]
    if what == "one":
        # So that short fits have checkpoints too.
        _checkpoint._SECONDS, _checkpoint._TIMES = 0.05, 0
        fitted(*sys.argv[2:])
    else:
        {"kills": kills, "grid": grid, "cost": cost}[what](*sys.argv[2:])
