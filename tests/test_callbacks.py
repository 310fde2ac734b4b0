"""scikit-learn's callbacks (from 1.9): tasks, propagation, stopping; and what verbose prints."""

import re
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_ae
from sklearn_ae import (
    Autoencoder,
    AutoencoderClassifier,
    AutoencoderRegressor,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    PatchFeatures,
    SparseAutoencoder,
)
from sklearn_ae._engine._runtime import limited_threads
from sklearn_ae.semi_supervised import LabeledOnly

try:
    from sklearn.callback import ProgressBar, ScoringMonitor
except ImportError:
    ProgressBar = ScoringMonitor = None

needs_callbacks = pytest.mark.skipif(
    ProgressBar is None, reason="scikit-learn has callbacks from 1.9"
)
CLASSES = [Autoencoder, SparseAutoencoder, DropoutAutoencoder, DenoisingAutoencoder]


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:120] / 16, y[:120]


class Recorder:
    """Write down the names of tasks, and end training after an epoch if told to."""

    max_propagation_depth = None

    def __init__(self, stop_after=None, propagated=True):
        self.events, self.estimators, self.stop_after = [], [], stop_after

    def setup(self, estimator, context):
        self.events.append(("setup", type(estimator).__name__))

    def teardown(self, estimator, context):
        self.events.append(("teardown", type(estimator).__name__))

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.estimator_name, context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.events.append(("end", context.estimator_name, context.task_name, context.task_id))
        if context.task_name == "epoch":
            self.estimators.append(fitted_estimator)
            return len(self.estimators) == self.stop_after
        return False

    def epochs(self, kind="end"):
        return [event for event in self.events if event[0] == kind and event[2:3] == ("epoch",)]


@needs_callbacks
@pytest.mark.parametrize("cls", CLASSES)
def test_one_task_an_epoch(cls, digits):
    X, _ = digits
    recorder = Recorder()
    ae = cls(8, max_epochs=3, random_state=0).set_callbacks(recorder).fit(X)
    name = cls.__name__
    expected = [("setup", name), ("begin", name, "fit", 0)]
    for epoch in range(3):
        expected += [(kind, name, "epoch", epoch) for kind in ("begin", "end")]
    assert recorder.events == [*expected, ("end", name, "fit", 0), ("teardown", name)]
    assert not [attribute for attribute in vars(ae) if "callback_fit_ctx" in attribute]
    assert "tasks_" not in vars(ae.net_)
    plain = cls(8, max_epochs=3, random_state=0).fit(X)
    assert_array_equal(ae.transform(X), plain.transform(X))


@needs_callbacks
def test_the_estimator_of_an_epoch_is_fitted_and_stays_as_it_was(digits):
    X, _ = digits
    settings = {"learning_rate_schedule": "constant", "random_state": 0}
    recorder = Recorder()
    DenoisingAutoencoder(8, max_epochs=3, **settings).set_callbacks(recorder).fit(X)
    for epoch, fitted in enumerate(recorder.estimators, start=1):
        shorter = DenoisingAutoencoder(8, max_epochs=epoch, **settings).fit(X)
        assert_array_equal(fitted.transform(X), shorter.transform(X))
        assert fitted.n_iter_ == epoch
        assert fitted.loss_curve_ == shorter.loss_curve_


@needs_callbacks
@pytest.mark.parametrize("cls", CLASSES)
def test_a_callback_ends_training(cls, digits):
    X, _ = digits
    recorder = Recorder(stop_after=2)
    ae = cls(8, max_epochs=5, random_state=0).set_callbacks(recorder).fit(X)
    assert ae.n_iter_ == len(ae.loss_curve_) == len(recorder.epochs()) == 2
    assert recorder.events[-2:] == [("end", cls.__name__, "fit", 0), ("teardown", cls.__name__)]


@needs_callbacks
@pytest.mark.parametrize("skorch_callbacks", [False, True])
def test_tasks_end_under_early_stopping(digits, skorch_callbacks):
    from skorch.callbacks import EarlyStopping

    X, _ = digits
    recorder = Recorder()
    stop = {"early_stopping": True, "n_iter_no_change": 2, "tol": 0.5}
    if skorch_callbacks:
        stop = {"callbacks": [EarlyStopping("train_loss", patience=2, threshold=0.5)]}
    ae = Autoencoder(8, max_epochs=30, random_state=0, **stop).set_callbacks(recorder).fit(X)
    assert ae.n_iter_ < 30
    assert len(recorder.epochs("begin")) == len(recorder.epochs("end")) == ae.n_iter_


@needs_callbacks
def test_scores_do_not_change_training(digits):
    # An encoder with statistics of batches shows whether scoring leaves the modes alone.
    from torch import nn

    X, y = digits
    encoder = nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2))
    make = lambda: Autoencoder(8, encoder=encoder, max_epochs=3, random_state=0)  # noqa: E731
    monitor = ScoringMonitor(scoring={"score": score})
    watched = make().set_callbacks(monitor).fit(X, y)
    assert_array_equal(watched.transform(X), make().fit(X).transform(X))
    scores = [row["score"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(scores) == 3
    assert scores[-1] == pytest.approx(watched.score(X))


def test_a_score_in_mid_training_leaves_the_threads_alone():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with limited_threads(1):
            with limited_threads(1):
                assert torch.get_num_threads() == 1
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@needs_callbacks
def test_without_y_nothing_is_scored(digits):
    monitor = ScoringMonitor(scoring={"score": score})
    Autoencoder(8, max_epochs=2).set_callbacks(monitor).fit(digits[0])
    assert all("score" not in row for row in monitor.get_logs().data)


@needs_callbacks
def test_a_frame_is_scored_as_a_frame(digits):
    import pandas as pd

    X, y = digits
    frame = pd.DataFrame(X).add_prefix("pixel")
    monitor = ScoringMonitor(scoring={"score": score})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Autoencoder(8, max_epochs=2).set_callbacks(monitor).fit(frame, y)
    assert len(monitor.get_logs().data) == 3


@needs_callbacks
def test_partial_fit_and_warm_start(digits):
    X, _ = digits
    recorder = Recorder()
    ae = Autoencoder(8, max_epochs=2, warm_start=True, random_state=0).set_callbacks(recorder)
    ae.fit(X).partial_fit(X).fit(X)
    assert [event[3] for event in recorder.epochs()] == [0, 1, 0, 0, 1]
    assert [fitted.n_iter_ for fitted in recorder.estimators] == [1, 2, 3, 4, 5]


@needs_callbacks
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_tears_down_and_leaves_the_estimator(digits, error):
    class Fails(Recorder):
        def on_fit_task_end(self, estimator, context):
            super().on_fit_task_end(estimator, context)
            if len(self.epochs()) == 2:
                raise error

    X, _ = digits
    failing = Fails()
    ae = Autoencoder(8, max_epochs=3).set_callbacks(failing)
    before = set(vars(ae))
    with pytest.raises(error):
        ae.fit(X)
    assert set(vars(ae)) == before
    assert failing.events[-1] == ("teardown", "Autoencoder")


def score(estimator, X, y):
    # scikit-learn 1.9 has no monitor of an estimator's own score that works: scoring=None fails.
    return estimator.score(X, y)


def names_of(recorder):
    return [event[1:3] for event in recorder.events if event[0] == "begin"]


@needs_callbacks
def test_meta_estimators_hand_the_context_down(digits):
    X, y = digits
    few = np.where(np.arange(len(y)) % 2, y, -1)
    recorder = Recorder()
    inner = SparseAutoencoder(4, max_epochs=2)
    patches = PatchFeatures(inner, image_shape=(8, 8), patch_size=3, pool=2, n_patches=200)
    pipe = make_pipeline(StandardScaler(), patches, LabeledOnly(LogisticRegression(max_iter=500)))
    pipe.set_callbacks(recorder).fit(X, few)
    begun = names_of(recorder)
    assert begun.count(("SparseAutoencoder", "epoch")) == 2
    assert ("PatchFeatures", "fit") in begun
    assert any(name == "LogisticRegression" for name, _ in begun)
    assert recorder.events[0] == ("setup", "Pipeline")
    assert [event[0] for event in recorder.events].count("setup") == 1
    assert len([e for e in recorder.events if e[0] == "begin"]) == len(
        [e for e in recorder.events if e[0] == "end"]
    )
    assert not hasattr(pipe[1].autoencoder_, "_skl_callbacks")
    assert not hasattr(pipe[1].autoencoder_, "_parent_callback_ctx")


@needs_callbacks
@pytest.mark.parametrize("kind", ["classifier", "regressor", "stack", "frozen", "scratch"])
def test_fine_tuning_has_two_parts(digits, kind):
    X, y = digits
    recorder = Recorder()
    inner = SparseAutoencoder(4, max_epochs=2, random_state=0)
    params = {"max_epochs": 3, "random_state": 0}
    pretraining = [("SparseAutoencoder", "epoch")] * 2
    cls = AutoencoderRegressor if kind == "regressor" else AutoencoderClassifier
    if kind == "stack":
        inner = make_pipeline(inner, SparseAutoencoder(3, max_epochs=1))
        pretraining.append(("SparseAutoencoder", "epoch"))
    if kind == "frozen":
        inner, pretraining = FrozenEstimator(inner.fit(X)), []
    if kind == "scratch":
        params["pretrain"], pretraining = False, []
    model = (
        cls(inner, **params)
        .set_callbacks(recorder)
        .fit(X, y.astype(float) if kind == "regressor" else y)
    )
    begun = names_of(recorder)
    epochs = [name for name in begun if name[1] == "epoch"]
    assert epochs == pretraining + [(cls.__name__, "epoch")] * 3
    assert (cls.__name__, "fine-tune") in begun
    plain = cls(inner, **params).fit(X, y)
    assert_array_equal(plain.predict(X), model.predict(X))
    last = recorder.estimators[-1]
    assert_array_equal(last.predict(X), model.predict(X))
    assert last.n_iter_ == 3


@needs_callbacks
@pytest.mark.parametrize("cls", [AutoencoderClassifier, AutoencoderRegressor])
def test_epochs_of_fine_tuning_are_scored_on_labeled_rows(digits, cls):
    X, y = digits
    if cls is AutoencoderRegressor:
        few, marker = np.where(np.arange(len(y)) % 2, y.astype(float), np.nan), np.nan
    else:
        few, marker = np.where(np.arange(len(y)) % 2, y, -1), -1
    monitor = ScoringMonitor(scoring={"score": score})
    model = cls(SparseAutoencoder(8, max_epochs=1), unlabeled=marker, max_epochs=20)
    model.set_callbacks(monitor).fit(X, few)
    logged = [r["score"] for r in monitor.get_logs().data if r["estimator_name"] == cls.__name__]
    assert logged[-1] == pytest.approx(model.score(X[1::2], y[1::2]))


@needs_callbacks
def test_a_callback_of_skorch_that_can_not_be_copied(digits):
    from skorch.callbacks import Callback

    class Locked(Callback):
        def __init__(self):
            self.lock = threading.Lock()

    recorder = Recorder()
    ae = Autoencoder(8, max_epochs=2, callbacks=[Locked()]).set_callbacks(recorder)
    ae.fit(digits[0])
    assert_array_equal(recorder.estimators[-1].transform(digits[0]), ae.transform(digits[0]))


def test_the_best_epoch_is_kept_when_a_callback_of_skorch_stops(digits):
    from skorch.callbacks import EarlyStopping

    stop = EarlyStopping("train_loss", patience=4, threshold=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ae = Autoencoder(
            16, max_epochs=30, early_stopping=True, random_state=0, callbacks=[stop]
        ).fit(digits[0])
    assert ae.n_iter_ < 30
    best = np.argmin(ae.validation_loss_curve_) + 1
    assert best == ae.n_iter_
    assert "penalty_" not in vars(ae.net_)


@needs_callbacks
def test_a_callback_ends_fine_tuning(digits):
    X, y = digits
    recorder = Recorder(stop_after=2)
    model = AutoencoderClassifier(SparseAutoencoder(4), pretrain=False, max_epochs=9)
    assert model.set_callbacks(recorder).fit(X, y).n_iter_ == 2


@needs_callbacks
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_shows_candidates_folds_steps_and_epochs(digits, n_jobs, capfd):
    pytest.importorskip("rich")
    X, y = digits
    pipe = make_pipeline(StandardScaler(), SparseAutoencoder(8, max_epochs=2), Ridge())
    search = GridSearchCV(pipe, {"sparseautoencoder__alpha": [0.1, 0.3]}, cv=2, n_jobs=n_jobs)
    monitor = ScoringMonitor(scoring={"score": score})
    search.set_callbacks(ProgressBar(max_propagation_depth=None))
    pipe[1].set_callbacks(monitor)
    with warnings.catch_warnings():
        # What is not ours may lack callbacks, and scikit-learn says so.
        warnings.filterwarnings("ignore", message="The estimator Ridge does not support")
        search.fit(X, y)
    shown = capfd.readouterr().out
    assert "GridSearchCV" in shown
    assert "SparseAutoencoder" in shown
    epochs = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(epochs) == (2 * 2 + 1) * 2


# ------------------------------------------------------------------------------- verbose

LINE = re.compile(
    r"epoch (\d+)/3, loss [\d.]+(, validation loss [\d.]+)?(, penalty [\d.]+)?"
    r", [\d.]+ % of codes active(, \w+ [\d.e-]+)*, [\d.]+ s"
)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("skorch_callbacks", [False, True])
def test_verbose_prints_a_line_an_epoch(cls, digits, early_stopping, skorch_callbacks, capsys):
    from skorch.callbacks import EpochTimer

    params = {"early_stopping": early_stopping, "max_epochs": 3, "random_state": 0}
    if skorch_callbacks:
        params["callbacks"] = [("timer", EpochTimer())]
    silent = cls(8, **params).fit(digits[0])
    assert capsys.readouterr() == ("", "")
    told = cls(8, verbose=1, **params).fit(digits[0])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == told.n_iter_ == 3
    for number, line in enumerate(lines, start=1):
        match = LINE.fullmatch(line)
        assert match, line
        assert int(match[1]) == number
        assert bool(match[2]) == early_stopping
    assert_array_equal(silent.transform(digits[0]), told.transform(digits[0]))


def test_the_share_of_active_codes_is_counted(digits, capsys):
    X, _ = digits
    ae = SparseAutoencoder(
        8, alpha=0, activation=sklearn_ae.modules.TopK(k=2), max_epochs=1, verbose=1, random_state=0
    ).fit(X)
    line = capsys.readouterr().out
    assert float(re.search(r"([\d.]+) % of", line)[1]) <= 25
    assert ae.net_.history[-1, "active"] <= 0.25


def test_what_a_callback_records_is_printed(digits, capsys):
    from skorch.callbacks import Callback

    class Norm(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("norm", 1.25)

    Autoencoder(8, max_epochs=3, verbose=1, callbacks=[Norm()]).fit(digits[0])
    assert all("norm 1.25" in line for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize("skorch_callbacks", [False, True])
def test_the_last_epoch_before_an_early_stop_is_printed(digits, capsys, skorch_callbacks):
    from skorch.callbacks import EarlyStopping

    stop = {"early_stopping": True, "n_iter_no_change": 2, "tol": 0.5}
    if skorch_callbacks:
        stop = {"callbacks": [EarlyStopping("train_loss", patience=2, threshold=0.5)]}
    ae = Autoencoder(8, max_epochs=30, verbose=1, **stop).fit(digits[0])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert len(lines) == ae.n_iter_ < 30


def test_workers_print_whole_lines(tmp_path):
    script = tmp_path / "search.py"
    script.write_text(
        "from sklearn.datasets import load_digits\n"
        "from sklearn.model_selection import GridSearchCV\n"
        "from sklearn_ae import SparseAutoencoder\n"
        "ae = SparseAutoencoder(8, max_epochs=3, verbose=1, random_state=0)\n"
        "grid = {'alpha': [0.1, 0.2, 0.3]}\n"
        "search = GridSearchCV(ae, grid, cv=3, n_jobs=2, refit=False)\n"
        "search.fit(load_digits().data[:120] / 16)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 27
    assert all(LINE.fullmatch(line) for line in lines)


# ------------------------------------------------------------------------------ curves


@pytest.mark.parametrize("skorch_callbacks", [False, True])
def test_the_penalty_curve_is_the_penalty_in_the_loss(digits, skorch_callbacks):
    from skorch.callbacks import EpochTimer

    X, _ = digits
    ae = SparseAutoencoder(
        8, alpha=0.3, max_epochs=3, batch_size=50, learning_rate=1e-12, random_state=0,
        callbacks=[("timer", EpochTimer())] if skorch_callbacks else None,
    ).fit(X)  # fmt: skip
    # With next to no learning rate every epoch sees the same network.
    penalty = 0.3 * np.abs(ae.transform(X)).sum(axis=1).mean()
    error = 0.5 * ((X - ae.reconstruct(X)) ** 2).sum(axis=1).mean()
    assert ae.penalty_curve_ == pytest.approx([penalty] * 3, rel=1e-5)
    assert ae.loss_curve_ == pytest.approx([penalty + error] * 3, rel=1e-5)


def test_without_a_penalty_there_is_no_curve_of_it(digits):
    assert Autoencoder(8, max_epochs=1).fit(digits[0]).penalty_curve_ is None


def test_curves_stay_in_step(digits):
    X, _ = digits
    ae = SparseAutoencoder(8, max_epochs=2, warm_start=True, random_state=0).fit(X)
    ae.set_params(early_stopping=True, alpha=0).fit(X)
    ae.partial_fit(X)
    assert len(ae.loss_curve_) == ae.n_iter_ == 5
    assert_array_equal(np.isnan(ae.validation_loss_curve_), [True, True, False, False, True])
    assert_array_equal(np.isnan(ae.penalty_curve_), [False, False, True, True, True])
