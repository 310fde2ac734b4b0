"""Fits that are kept: read again, gone on with after an interruption, cut short by time."""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_ae import (
    Autoencoder,
    AutoencoderClassifier,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    SparseAutoencoder,
    TableFeatures,
)
from sklearn_ae._training import _checkpoint, _net
from sklearn_ae._training._checkpoint import Checkpoint
from sklearn_ae.modules import TopK
from sklearn_ae.penalties import KLDivergence
from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit, UnlabeledOnly

X = np.random.RandomState(0).rand(150, 12).astype(np.float32)
Y = (X[:, 0] > 0.5).astype(int)
COMMON = {"n_components": 20, "max_epochs": 8, "batch_size": 32, "random_state": 0}
ESTIMATORS = {
    "plain": Autoencoder(**COMMON),
    "early stopping": Autoencoder(**COMMON, early_stopping=True, n_iter_no_change=3, tol=1.0),
    "dropout": DropoutAutoencoder(**COMMON, optimizer="sgd"),
    "swaps": DenoisingAutoencoder(**COMMON, corruption="swap", hidden_layer_sizes=(16,)),
    "kl": SparseAutoencoder(**COMMON, penalty=KLDivergence(0.1), activation="sigmoid"),
    "unit norm": SparseAutoencoder(**COMMON, alpha=0.1, learning_rate_schedule="constant"),
    "topk": SparseAutoencoder(**COMMON, activation=TopK(k=2), alpha=0),
    "tied": Autoencoder(**COMMON, tied_weights=True, precision="float64"),
    "fine-tuning": AutoencoderClassifier(
        SparseAutoencoder(8, max_epochs=2),
        max_epochs=8,
        freeze_epochs=2,
        encoder_learning_rate=1e-4,
        reconstruction_weight=0.1,
        random_state=0,
    ),
}


class Stop(Exception):
    """Stands for whatever ends a process."""


@pytest.fixture
def epochs(monkeypatch):
    """Count the epochs that are trained, and end training in one of them if that is asked for."""
    counted = {"n": 0, "end_in": None, "raise": Stop}
    run = _net.run_epoch

    def counting(net, batches, step_fn, training, prefix):
        if training:
            counted["n"] += 1
            if counted["n"] == counted["end_in"]:
                next(iter(batches))
                raise counted["raise"]
        run(net, batches, step_fn, training, prefix)

    monkeypatch.setattr(_net, "run_epoch", counting)
    # A checkpoint after every epoch.
    monkeypatch.setattr(_checkpoint, "_SECONDS", 0.0)
    monkeypatch.setattr(_checkpoint, "_TIMES", 0)
    return counted


def clone_with(estimator, **params):
    return type(estimator)(**{**estimator.get_params(deep=False), **params})


def assert_same(a, b):
    assert joblib.hash(a._trained.__getstate__()["weights"]) == joblib.hash(
        b._trained.__getstate__()["weights"]
    )
    assert a.loss_curve_ == b.loss_curve_
    assert a.validation_loss_curve_ == b.validation_loss_curve_
    assert a.n_iter_ == b.n_iter_


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_same_fit_is_read(name, epochs, tmp_path):
    estimator = ESTIMATORS[name]
    plain = clone_with(estimator).fit(X, Y)
    if name == "fine-tuning":
        inner = clone_with(estimator.autoencoder, memory=tmp_path)
        estimator = clone_with(estimator, autoencoder=inner)
    kept = clone_with(estimator, memory=tmp_path)
    assert_same(kept.fit(X, Y), plain)
    epochs["n"] = 0
    read = clone_with(kept, verbose=1).fit(X.copy(), Y)
    assert epochs["n"] == 0
    assert_same(read, plain)
    how = "predict_proba" if name == "fine-tuning" else "transform"
    assert_array_equal(getattr(read, how)(X), getattr(plain, how)(X))
    assert not list((tmp_path / "joblib").rglob("*.checkpoint")) or name == "unit norm"


@pytest.mark.parametrize("end_in", [2, 5, 8])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_interrupted_fit_goes_on_to_the_same_bits(name, end_in, epochs, tmp_path):
    estimator = ESTIMATORS[name]
    plain = clone_with(estimator).fit(X, Y)
    n_inner = 2 if name == "fine-tuning" else 0
    n_in_all = plain.n_iter_
    end_in = min(end_in, n_in_all)
    kept = clone_with(estimator, memory=tmp_path)
    epochs.update(n=0, end_in=end_in + n_inner)
    with pytest.raises(Stop):
        kept.fit(X, Y)
    assert "_trained" not in vars(kept)
    epochs.update(n=0, end_in=None)
    assert_same(kept.fit(X, Y), plain)
    assert epochs["n"] == n_in_all - (end_in - 1) + n_inner


def test_a_grid_trains_each_autoencoder_once(epochs, tmp_path):
    y = np.where(np.arange(150) < 60, Y, -1)
    codes = make_pipeline(
        StandardScaler(), DenoisingAutoencoder(8, max_epochs=2, memory=tmp_path, random_state=0)
    )
    pipe = make_pipeline(UnlabeledOnly(codes), LabeledOnly(DecisionTreeClassifier(random_state=0)))
    name = "unlabeledonly__transformer__denoisingautoencoder__"
    grid = {
        f"{name}corruption_level": [0.1, 0.3],
        f"{name}n_components": [4, 8],
        "labeledonly__estimator__max_depth": [1, 2, 3],
    }
    search = GridSearchCV(pipe, grid, cv=SemiSupervisedSplit(3))
    first = search.fit(X, y).cv_results_["mean_test_score"]
    assert epochs["n"] == 4 * 2
    assert_array_equal(search.fit(X, y).cv_results_["mean_test_score"], first)
    assert epochs["n"] == 4 * 2
    without = {f"{name}memory": [None], **grid}
    assert_array_equal(
        GridSearchCV(pipe, without, cv=SemiSupervisedSplit(3))
        .fit(X, y)
        .cv_results_["mean_test_score"],
        first,
    )


@pytest.mark.parametrize(
    "change",
    [{"alpha": 0.25}, {"random_state": 1}, {"batch_size": 31}, {"features": "all"}],
    ids=str,
)
def test_another_fit_is_another(change, epochs, tmp_path):
    SparseAutoencoder(**COMMON, memory=tmp_path).fit(X)
    epochs["n"] = 0
    SparseAutoencoder(**COMMON | change, memory=tmp_path).fit(X)
    assert epochs["n"] == 8
    SparseAutoencoder(**COMMON, memory=tmp_path).fit(X + 1e-6)
    assert epochs["n"] == 16


def test_what_nothing_repeats_is_not_kept(epochs, tmp_path):
    for params in ({"random_state": None}, {"callbacks": [_checkpoint.Callback()]}):
        Autoencoder(**COMMON | params, memory=tmp_path).fit(X)
    Autoencoder(**COMMON, memory=tmp_path).partial_fit(X)
    assert not list(tmp_path.rglob("output.pkl"))
    unnamed = Autoencoder(**COMMON, activation=lambda x: x.relu(), memory=tmp_path)
    with pytest.warns(UserWarning, match="can't keep this fit, which has no fingerprint"):
        unnamed.fit(X)


def test_more_epochs_go_on_from_fewer_under_a_constant_rate(epochs, monkeypatch, tmp_path):
    # No checkpoint but that of the end.
    monkeypatch.setattr(_checkpoint, "_SECONDS", 60.0)
    params = {"n_components": 8, "random_state": 0, "learning_rate_schedule": "constant"}
    Autoencoder(**params, max_epochs=4, memory=tmp_path).fit(X)
    epochs["n"] = 0
    longer = Autoencoder(**params, max_epochs=10, memory=tmp_path).fit(X)
    assert epochs["n"] == 6
    assert_same(longer, Autoencoder(**params, max_epochs=10).fit(X))
    epochs["n"] = 0
    assert_same(
        Autoencoder(**params, max_epochs=4, memory=tmp_path).fit(X),
        Autoencoder(**params, max_epochs=4).fit(X),
    )


def test_a_shorter_fit_leaves_the_checkpoint_of_a_longer_one(epochs, tmp_path):
    params = {"n_components": 8, "random_state": 0, "learning_rate_schedule": "constant"}
    Autoencoder(**params, max_epochs=9, memory=tmp_path).fit(X)
    Autoencoder(**params, max_epochs=3, memory=tmp_path).fit(X)
    epochs["n"] = 0
    longer = Autoencoder(**params, max_epochs=10, memory=tmp_path).fit(X)
    assert epochs["n"] == 1
    assert_same(longer, Autoencoder(**params, max_epochs=10).fit(X))
    assert len([*tmp_path.rglob("*.checkpoint*")]) == 1


@pytest.mark.parametrize("schedule", ["constant", "linear"])
def test_halving_goes_on_from_the_round_before(schedule, epochs, tmp_path):
    ae = SparseAutoencoder(8, learning_rate_schedule=schedule, random_state=0, memory=tmp_path)
    search = HalvingGridSearchCV(
        make_pipeline(ae, DecisionTreeClassifier(max_depth=2, random_state=0)),
        {"sparseautoencoder__alpha": [0.01, 0.1, 1.0, 10.0]},
        resource="sparseautoencoder__max_epochs",
        min_resources=4,
        max_resources=16,
        factor=2,
        cv=KFold(2),
        refit=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, Y)
    assert search.n_candidates_ == [4, 2, 1]
    # Two folds: four fits of 4 epochs, two of 8 and one of 16, each anew or from where it was.
    assert epochs["n"] == 2 * (4 * 4 + 2 * 8 + 16 if schedule == "linear" else 4 * 4 + 2 * 4 + 8)


def test_a_time_limit_cuts_training_short_and_more_time_goes_on(tmp_path):
    params = {**COMMON, "max_epochs": 100_000, "memory": tmp_path}
    with pytest.warns(ConvergenceWarning, match=r"max_time=0\.2 ended training after \d+ of"):
        short = Autoencoder(**params, max_time=0.2).fit(X)
    assert 0 < short.n_iter_ < 100_000
    with pytest.warns(ConvergenceWarning):
        again = Autoencoder(**params, max_time=0.1).fit(X)
    assert_same(again, short)
    with pytest.warns(ConvergenceWarning):
        longer = Autoencoder(**params, max_time=0.4).fit(X)
    assert longer.loss_curve_[: short.n_iter_] == short.loss_curve_
    assert longer.n_iter_ > short.n_iter_
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        assert Autoencoder(**COMMON, max_time=60).fit(X).n_iter_ == 8


def test_ctrl_c_says_how_to_go_on(epochs, tmp_path):
    epochs.update(end_in=3, **{"raise": KeyboardInterrupt})
    with pytest.raises(KeyboardInterrupt) as caught:
        Autoencoder(**COMMON, memory=tmp_path).fit(X)
    assert "The same fit goes on from there" in caught.value.__notes__[0]


def test_damaged_checkpoints_are_never_trusted(tmp_path):
    checkpoint = Checkpoint(tmp_path, "key")
    arrays = {"weight/a": np.arange(1000.0), "object": np.arange(3)}
    checkpoint.write(arrays, {"history": [1, 2]})
    whole = checkpoint.path.read_bytes()
    rng = np.random.RandomState(0)
    damaged = [whole[:n] for n in rng.randint(0, len(whole), 40)]
    for place in [0, 30, *rng.randint(0, len(whole), 40)]:
        damaged.append(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    for data in damaged:
        checkpoint.path.write_bytes(data)
        with pytest.warns(UserWarning, match="is not used"):
            assert checkpoint.read() is None
    checkpoint.before.write_bytes(whole)
    with pytest.warns(UserWarning, match="is not used"):
        found, state = checkpoint.read()
    assert_array_equal(found["weight/a"], arrays["weight/a"])
    assert state["history"] == [1, 2]
    # One of another fit.
    os.replace(checkpoint.before, Checkpoint(tmp_path, "other").path)
    with pytest.warns(UserWarning, match="no checkpoint of this fit"):
        assert Checkpoint(tmp_path, "other").read() is None


def test_a_damaged_fit_is_done_anew(epochs, tmp_path):
    first = Autoencoder(**COMMON, memory=tmp_path).fit(X)
    (path,) = tmp_path.rglob("output.pkl")
    data = path.read_bytes()
    path.write_bytes(data[:-1000] + bytes(100) + data[-900:])
    epochs["n"] = 0
    with pytest.warns(UserWarning, match="damaged|Exception while loading"):
        again = Autoencoder(**COMMON, memory=tmp_path).fit(X)
    assert epochs["n"] == 8
    assert_same(again, first)
    epochs["n"] = 0
    assert_same(Autoencoder(**COMMON, memory=tmp_path).fit(X), first)
    assert epochs["n"] == 0


def test_where_nothing_can_be_written_training_goes_on(epochs, tmp_path):
    (tmp_path / "file").write_text("")
    expected = Autoencoder(**COMMON).fit(X)
    with pytest.warns(UserWarning, match=r"memory=.* can't be written to"):
        assert_same(Autoencoder(**COMMON, memory=str(tmp_path / "file")).fit(X), expected)
    memory = joblib.Memory(tmp_path / "store", verbose=0)
    folder = Path(memory.store_backend.location) / "checkpoints"
    folder.write_text("")
    with pytest.warns(UserWarning, match="No checkpoint could be written"):
        assert_same(Autoencoder(**COMMON, memory=memory).fit(X), expected)
    memory.clear(warn=False)
    assert not list(tmp_path.rglob("output.pkl"))


def test_inner_autoencoders_are_kept(epochs, tmp_path):
    inner = DenoisingAutoencoder(8, max_epochs=3, corruption="swap", memory=tmp_path)
    first = TableFeatures(inner, random_state=0).fit_transform(X)
    epochs["n"] = 0
    assert_array_equal(TableFeatures(inner, random_state=0).fit_transform(X), first)
    assert epochs["n"] == 0


PROGRAM = """
import sys
import numpy as np
from sklearn_ae import DenoisingAutoencoder
from sklearn_ae._training import _checkpoint
_checkpoint._SECONDS = _checkpoint._TIMES = 0
X = np.random.RandomState(0).rand(400, 30)
DenoisingAutoencoder(32, max_epochs=300, random_state=0, memory=sys.argv[1]).fit(X)
"""


def test_a_killed_process_loses_little(tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    for _ in range(2):
        process = subprocess.Popen(command)
        before = _newest(tmp_path)
        while _newest(tmp_path) == before:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    data = np.random.RandomState(0).rand(400, 30)
    params = {"n_components": 32, "max_epochs": 300, "random_state": 0}
    assert_same(
        DenoisingAutoencoder(**params, memory=tmp_path).fit(data),
        DenoisingAutoencoder(**params).fit(data),
    )


def _newest(folder):
    return max((path.stat().st_mtime_ns for path in folder.rglob("*.checkpoint")), default=0)
