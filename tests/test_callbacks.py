"""scikit-learn's callbacks (from 1.9): tasks, propagation, stopping; and what verbose prints."""

import re
import threading

import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky import get_reusable_executor
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, EarlyStopping, EpochTimer
from torch import nn

from sklearn_ae import (
    Autoencoder,
    AutoencoderClassifier,
    AutoencoderRegressor,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    PatchFeatures,
    SparseAutoencoder,
)
from sklearn_ae._training import _checkpoint
from sklearn_ae.modules import TopK
from sklearn_ae.semi_supervised import LabeledOnly

try:
    from sklearn.callback import ProgressBar, ScoringMonitor
except ImportError:
    ProgressBar = ScoringMonitor = None

NO_CALLBACKS = ProgressBar is None
needs_callbacks = pytest.mark.skipif(NO_CALLBACKS, reason="scikit-learn has callbacks from 1.9")
# scikit-learn 1.9 has no monitor of an estimator's own score that works: scoring=None fails. Not a
# function of this module, which the workers of a search may not be able to import.
SCORING = {"score": lambda estimator, X, y: estimator.score(X, y)}


@pytest.fixture
def X():
    return load_digits().data[:120] / 16


@pytest.fixture
def y():
    return load_digits().target[:120]


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

    def begun(self):
        return [event[1:3] for event in self.events if event[0] == "begin"]

    def epochs(self, kind="end"):
        return [event for event in self.events if event[0] == kind and event[2:3] == ("epoch",)]


@needs_callbacks
def test_one_task_an_epoch(X):
    recorder = Recorder()
    ae = SparseAutoencoder(8, max_epochs=3, random_state=0).set_callbacks(recorder).fit(X)
    name = "SparseAutoencoder"
    expected = [("setup", name), ("begin", name, "fit", 0)]
    for epoch in range(3):
        expected += [(kind, name, "epoch", epoch) for kind in ("begin", "end")]
    assert recorder.events == [*expected, ("end", name, "fit", 0), ("teardown", name)]
    assert not [attribute for attribute in vars(ae) if "callback_fit_ctx" in attribute]
    assert "tasks_" not in vars(ae.net_)
    plain = SparseAutoencoder(8, max_epochs=3, random_state=0).fit(X)
    assert_array_equal(ae.transform(X), plain.transform(X))


@needs_callbacks
def test_the_estimator_of_an_epoch_is_fitted_and_stays_as_it_was(X):
    class CanNotBeCopied(Callback):
        def __init__(self):
            self.lock = threading.Lock()

    settings = {"learning_rate_schedule": "constant", "random_state": 0}
    settings["callbacks"] = [CanNotBeCopied()]
    recorder = Recorder()
    DenoisingAutoencoder(8, max_epochs=3, **settings).set_callbacks(recorder).fit(X)
    for epoch, fitted in enumerate(recorder.estimators, start=1):
        shorter = DenoisingAutoencoder(8, max_epochs=epoch, **settings).fit(X)
        assert_array_equal(fitted.transform(X), shorter.transform(X))
        assert fitted.n_iter_ == epoch
        assert fitted.loss_curve_ == shorter.loss_curve_


@needs_callbacks
def test_a_callback_ends_training(X, y):
    recorder = Recorder(stop_after=2)
    ae = DropoutAutoencoder(8, max_epochs=5, random_state=0).set_callbacks(recorder).fit(X)
    assert ae.n_iter_ == len(ae.loss_curve_) == len(recorder.epochs()) == 2
    name = "DropoutAutoencoder"
    assert recorder.events[-2:] == [("end", name, "fit", 0), ("teardown", name)]
    model = AutoencoderClassifier(SparseAutoencoder(4), pretrain=False, max_epochs=9)
    assert model.set_callbacks(Recorder(stop_after=2)).fit(X, y).n_iter_ == 2


@needs_callbacks
@pytest.mark.parametrize("schedule", ["linear", "constant"])
def test_a_fit_that_a_callback_ended_is_not_gone_on_with(X, schedule, tmp_path, monkeypatch):
    monkeypatch.setattr(_checkpoint, "_SECONDS", 0.0)
    monkeypatch.setattr(_checkpoint, "_TIMES", 0)
    ae = Autoencoder(8, max_epochs=5, learning_rate_schedule=schedule, random_state=0)
    ae.set_params(memory=tmp_path, max_time=60)
    losses = [clone(ae).set_callbacks(Recorder(stop_after=2)).fit(X).loss_curve_ for _ in "ab"]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 2


@needs_callbacks
def test_scores_do_not_change_training(X, y):
    # With statistics of batches it shows whether scoring leaves the modes alone.
    encoder = nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2))
    ae = Autoencoder(8, encoder=encoder, max_epochs=3, random_state=0)
    # A frame that had lost its names would give a warning, an error here.
    frame, logs = pd.DataFrame(X).add_prefix("pixel"), []
    for target in (y, None):
        monitor = ScoringMonitor(scoring=SCORING)
        watched = clone(ae).set_callbacks(monitor).fit(frame, target)
        assert_array_equal(watched.transform(frame), ae.fit(X).transform(X))
        logs.append(monitor.get_logs().data)
    # Three epochs and the fit as a whole; there is nothing to score without y.
    assert len(logs[0]) == 4
    assert logs[0][-1]["score"] == pytest.approx(watched.score(frame))
    assert all("score" in row for row in logs[0])
    assert all("score" not in row for row in logs[1])


@needs_callbacks
def test_partial_fit_and_warm_start(X):
    recorder = Recorder()
    ae = Autoencoder(8, max_epochs=2, warm_start=True, random_state=0).set_callbacks(recorder)
    ae.fit(X).partial_fit(X).fit(X)
    assert [event[3] for event in recorder.epochs()] == [0, 1, 0, 0, 1]
    assert [fitted.n_iter_ for fitted in recorder.estimators] == [1, 2, 3, 1, 2]
    assert [len(fitted.loss_curve_) for fitted in recorder.estimators] == [1, 2, 3, 4, 5]


@needs_callbacks
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_tears_down_and_leaves_the_estimator(X, error):
    class Fails(Recorder):
        def on_fit_task_end(self, estimator, context):
            super().on_fit_task_end(estimator, context)
            if len(self.epochs()) == 2:
                raise error

    failing, ae = Fails(), Autoencoder(8, max_epochs=3)
    before = set(vars(ae.set_callbacks(failing)))
    with pytest.raises(error):
        ae.fit(X)
    assert set(vars(ae)) == before
    assert failing.events[-1] == ("teardown", "Autoencoder")


@needs_callbacks
def test_meta_estimators_hand_the_context_down(X, y):
    few = np.where(np.arange(len(y)) % 2, y, -1)
    recorder = Recorder()
    inner = SparseAutoencoder(4, max_epochs=2)
    patches = PatchFeatures((8, 8), inner, patch_size=3, pool=2, n_patches=200)
    pipe = make_pipeline(StandardScaler(), patches, LabeledOnly(LogisticRegression(max_iter=500)))
    pipe.set_callbacks(recorder).fit(X, few)
    begun = recorder.begun()
    assert begun.count(("SparseAutoencoder", "epoch")) == 2
    assert ("PatchFeatures", "fit") in begun
    assert any(name == "LogisticRegression" for name, _ in begun)
    assert recorder.events[0] == ("setup", "Pipeline")
    kinds = [event[0] for event in recorder.events]
    assert kinds.count("setup") == 1
    assert kinds.count("begin") == kinds.count("end")
    assert not hasattr(pipe[1].autoencoder_, "_skl_callbacks")
    assert not hasattr(pipe[1].autoencoder_, "_parent_callback_ctx")


@needs_callbacks
@pytest.mark.parametrize("kind", ["classifier", "regressor", "stack", "frozen", "scratch"])
def test_fine_tuning_has_two_parts(X, y, kind):
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
    y = y.astype(float) if kind == "regressor" else y
    model = cls(inner, **params).set_callbacks(recorder).fit(X, y)
    begun = recorder.begun()
    epochs = [name for name in begun if name[1] == "epoch"]
    assert epochs == pretraining + [(cls.__name__, "epoch")] * 3
    assert (cls.__name__, "fine-tune") in begun
    plain = cls(inner, **params).fit(X, y)
    assert_array_equal(plain.predict(X), model.predict(X))
    assert_array_equal(recorder.estimators[-1].predict(X), model.predict(X))
    assert recorder.estimators[-1].n_iter_ == 3


@needs_callbacks
@pytest.mark.parametrize("cls", [AutoencoderClassifier, AutoencoderRegressor])
def test_epochs_of_fine_tuning_are_scored_on_labeled_rows(X, y, cls):
    marker = np.nan if cls is AutoencoderRegressor else -1
    few = np.where(np.arange(len(y)) % 2, y, marker)
    monitor = ScoringMonitor(scoring=SCORING)
    model = cls(SparseAutoencoder(8, max_epochs=1), unlabeled=marker, max_epochs=20)
    model.set_callbacks(monitor).fit(X, few)
    logged = [r["score"] for r in monitor.get_logs().data if r["estimator_name"] == cls.__name__]
    assert logged[-1] == pytest.approx(model.score(X[1::2], y[1::2]))


LINE = re.compile(
    r"epoch (\d+)/3, loss [\d.]+(, validation loss [\d.]+)?(, penalty [\d.]+)?"
    r", [\d.]+ % of codes active(, \w+ [\d.e-]+)*, [\d.]+ s"
)


def test_workers_print_whole_lines(X, capfd):
    # New workers, which write to where output goes now; the next test takes them too.
    get_reusable_executor().shutdown()
    ae = SparseAutoencoder(8, max_epochs=3, verbose=1, random_state=0)
    GridSearchCV(ae, {"alpha": [0.1, 0.2, 0.3]}, cv=3, n_jobs=2, refit=False).fit(X)
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 27
    assert all(LINE.fullmatch(line) for line in lines)


@needs_callbacks
@pytest.mark.filterwarnings("ignore:The estimator Ridge does not support")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_search_shows_candidates_folds_steps_and_epochs(X, y, n_jobs, capfd):
    pytest.importorskip("rich")
    pipe = make_pipeline(StandardScaler(), SparseAutoencoder(8, max_epochs=2), Ridge())
    search = GridSearchCV(pipe, {"sparseautoencoder__alpha": [0.1, 0.3]}, cv=2, n_jobs=n_jobs)
    monitor = ScoringMonitor(scoring=SCORING)
    pipe[1].set_callbacks(monitor)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
    shown = capfd.readouterr().out
    assert "GridSearchCV" in shown
    assert "SparseAutoencoder" in shown
    epochs = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(epochs) == (2 * 2 + 1) * 2


# ------------------------------------------------------------------------------- verbose


class Norm(Callback):
    def on_epoch_end(self, net, **kwargs):
        net.history.record("norm", 1.25)


@pytest.mark.parametrize(
    ("early_stopping", "callbacks"), [(True, None), (False, [("timer", EpochTimer()), Norm()])]
)
def test_verbose_prints_a_line_an_epoch(X, early_stopping, callbacks, capsys):
    params = {"early_stopping": early_stopping, "callbacks": callbacks, "random_state": 0}
    silent = SparseAutoencoder(8, activation=TopK(k=2), max_epochs=3, **params).fit(X)
    assert capsys.readouterr() == ("", "")
    told = clone(silent).set_params(verbose=1).fit(X)
    assert told.net_.history[-1, "active"] <= 0.25
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == told.n_iter_ == 3
    for number, line in enumerate(lines, start=1):
        match = LINE.fullmatch(line)
        assert match, line
        assert int(match[1]) == number
        assert bool(match[2]) == early_stopping
        assert float(re.search(r"([\d.]+) % of", line)[1]) <= 25
        assert ("norm 1.25" in line) == (callbacks is not None)
    assert_array_equal(silent.transform(X), told.transform(X))


@pytest.mark.parametrize(
    "stop",
    [
        {"early_stopping": True, "n_iter_no_change": 2, "tol": 0.5},
        # The best epoch is kept also when a callback of skorch stops.
        {"early_stopping": True, "callbacks": [EarlyStopping("train_loss", 4, threshold=0.5)]},
    ],
    ids=["built in", "skorch"],
)
def test_the_last_epoch_before_an_early_stop_is_printed_and_is_a_task(X, capsys, stop):
    recorder = Recorder()
    ae = Autoencoder(16, max_epochs=30, verbose=1, random_state=0, **stop)
    if not NO_CALLBACKS:
        ae.set_callbacks(recorder)
    n_epochs = len(ae.fit(X).validation_loss_curve_)
    assert np.argmin(ae.validation_loss_curve_) + 1 == ae.n_iter_ <= n_epochs < 30
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert len(lines) == n_epochs
    if not NO_CALLBACKS:
        assert len(recorder.epochs("begin")) == len(recorder.epochs("end")) == n_epochs


@pytest.mark.parametrize("callbacks", [None, [("timer", EpochTimer())]])
def test_the_penalty_curve_is_the_penalty_in_the_loss(X, callbacks):
    params = {"max_epochs": 3, "batch_size": 50, "learning_rate": 1e-12, "random_state": 0}
    ae = SparseAutoencoder(8, alpha=0.3, callbacks=callbacks, **params).fit(X)
    # With next to no learning rate every epoch sees the same network.
    penalty = 0.3 * np.abs(ae.transform(X)).sum(axis=1).mean()
    error = 0.5 * ((X - ae.reconstruct(X)) ** 2).sum(axis=1).mean()
    assert ae.penalty_curve_ == pytest.approx([penalty] * 3, rel=1e-5)
    assert ae.loss_curve_ == pytest.approx([penalty + error] * 3, rel=1e-5)


def test_curves_stay_in_step(X):
    assert Autoencoder(8, max_epochs=1).fit(X).penalty_curve_ is None
    ae = SparseAutoencoder(8, max_epochs=2, warm_start=True, random_state=0).fit(X)
    ae.set_params(early_stopping=True, alpha=0).fit(X).partial_fit(X)
    assert len(ae.net_.history) == 1
    assert (len(ae.loss_curve_), ae.n_iter_) == (5, 3)
    assert_array_equal(np.isnan(ae.validation_loss_curve_), [True, True, False, False, True])
    assert_array_equal(np.isnan(ae.penalty_curve_), [False, False, True, True, True])


class Locked(Callback):
    def __init__(self):
        self.lock = threading.Lock()


@pytest.mark.parametrize("callbacks", [[EarlyStopping], [("stop", EarlyStopping)]], ids=str)
def test_a_class_among_callbacks_is_refused(X, callbacks):
    with pytest.raises(TypeError, match=r"callbacks=EarlyStopping is a class; give an object"):
        Autoencoder(3, callbacks=callbacks).fit(X)


def test_what_can_not_be_copied_is_named(X):
    ae = Autoencoder(3, max_epochs=1, callbacks=[("locked", Locked())])
    with pytest.raises(TypeError, match="callbacks of Autoencoder holds Locked, which can't be co"):
        clone(ae)
    # A fit shares it.
    assert ae.fit(X).n_iter_ == 1
