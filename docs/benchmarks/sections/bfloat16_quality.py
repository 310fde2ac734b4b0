"""Are features learned in bfloat16 as good? Accuracy of XGBoost on them, three draws (bar 2)."""

import statistics

import numpy as np
from cases import Missing
from timing import stopwatch

from sklearn_ae import Autoencoder
from sklearn_ae.datasets import load_digits_few_labels, load_fashion_mnist

TITLE = "Features learned in bfloat16"
NOTE = (
    "Accuracy of XGBoost on the codes of few labeled rows, and as `loss` the mean squared error of "
    "the reconstruction, both on test rows; medians of three draws of labels and of initial "
    "weights. The difference to float32, in points of accuracy, comes with the range of the draws."
)
SEEDS = range(3)
LIMIT_POINTS = 0.5


def run(quick):
    """Return the rows."""
    try:
        import xgboost  # noqa: F401
    except ImportError:
        return [{"case": "XGBoost", "skipped": "not installed: pip install '.[bench]'"}]
    rows = _rows("digits, 300 labels, 64 -> 128", _digits, 128, epochs=10 if quick else 50)
    if not quick:
        try:
            name = "Fashion-MNIST, 1,000 labels, 784 -> 1,024"
            rows += _rows(name, _fashion, 1024, epochs=5)
        except Missing as reason:
            rows.append({"case": "Fashion-MNIST", "skipped": str(reason)})
    return rows


def _digits(seed):
    data = load_digits_few_labels(n_labeled=300, random_state=seed)
    data.X_train, data.X_test = data.X_train / np.float32(16), data.X_test / np.float32(16)
    return data


def _fashion(seed):
    try:
        data = load_fashion_mnist(n_labeled=1000, random_state=seed)
    except FileNotFoundError as error:
        raise Missing("Fashion-MNIST is not on this machine") from error
    rest = np.flatnonzero(data.y_train == -1)[:9000]
    chosen = np.concatenate([np.flatnonzero(data.y_train != -1), rest])
    data.X_train, data.y_train = data.X_train[chosen], data.y_train[chosen]
    return data


def _rows(case, load, n_components, epochs):
    draws = {"float32": [], "bfloat16": []}
    for seed in SEEDS:
        data = load(seed)
        for precision, results in draws.items():
            results.append(_result(data, n_components, epochs, precision, seed))
    rows = []
    for precision, results in draws.items():
        accuracies, errors, seconds = zip(*results, strict=True)
        row = {"case": case, "name": f"Autoencoder, {precision}, then XGBoost"}
        row |= {"seconds": statistics.median(seconds), "accuracy": statistics.median(accuracies)}
        row["loss"] = statistics.median(errors)
        if precision == "bfloat16":
            pairs = zip(accuracies, draws["float32"], strict=True)
            points = [100 * (a - b[0]) for a, b in pairs]
            row["points"] = [statistics.median(points), min(points), max(points)]
            row["limit_points"] = LIMIT_POINTS
        rows.append(row)
    return rows


def _result(data, n_components, epochs, precision, seed):
    from xgboost import XGBClassifier

    model = Autoencoder(
        n_components, max_epochs=epochs, precision=precision, random_state=seed, dropout=0.3
    )
    seconds = stopwatch(model.fit, data.X_train).total
    labeled = data.y_train != -1
    boosted = XGBClassifier(n_estimators=50, max_depth=3, n_jobs=-1, random_state=seed)
    boosted.fit(model.transform(data.X_train[labeled]), data.y_train[labeled])
    accuracy = boosted.score(model.transform(data.X_test), data.y_test)
    return float(accuracy), -model.score(data.X_test), seconds
