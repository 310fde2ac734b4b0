"""Searches and transforms on a cluster of dask's own: the same scores, and a worker that dies."""

import os
import signal
import threading
import time

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn
from xgboost.dask import DaskXGBClassifier

from sklearn_ae import Autoencoder, DenoisingAutoencoder
from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit, UnlabeledOnly

distributed = pytest.importorskip("distributed")

X, Y = load_digits(n_class=4, return_X_y=True)
Y = np.where(np.arange(len(Y)) % 4 == 0, Y, -1)


@pytest.fixture(scope="module")
def cluster():
    with (
        distributed.LocalCluster(
            2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster),
    ):
        yield cluster


def search(memory=None, max_epochs=3):
    denoising = DenoisingAutoencoder(32, max_epochs=max_epochs, memory=memory, random_state=0)
    pipe = make_pipeline(
        UnlabeledOnly(make_pipeline(MinMaxScaler(), denoising)),
        LabeledOnly(DecisionTreeClassifier(random_state=0)),
    )
    grid = {
        "unlabeledonly__transformer__denoisingautoencoder__corruption_level": [0.1, 0.3, 0.5],
        "labeledonly__estimator__max_depth": [3, 5],
    }
    return GridSearchCV(pipe, grid, cv=SemiSupervisedSplit(3), error_score="raise")


def scores(found):
    return found.cv_results_["mean_test_score"]


def test_a_search_has_the_scores_of_one_process(cluster, tmp_path):
    expected = scores(search().fit(X, Y))
    for memory in (None, tmp_path):
        with joblib.parallel_config("dask"):
            assert_array_equal(scores(search(memory).fit(X, Y)), expected)
    # What the workers kept is read here.
    start = len(list(tmp_path.rglob("output.pkl")))
    assert start >= 3
    assert_array_equal(scores(search(tmp_path).fit(X, Y)), expected)
    assert len(list(tmp_path.rglob("output.pkl"))) == start


def test_a_search_survives_a_worker_that_is_killed(cluster):
    expected = scores(search(max_epochs=10).fit(X, Y))
    victim = cluster.workers[0].pid

    def kill():
        time.sleep(1)
        os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with joblib.parallel_config("dask"):
        found = search(max_epochs=10).fit(X, Y)
    killer.join()
    assert_array_equal(scores(found), expected)


def test_codes_are_computed_by_the_workers(cluster):
    dask_array = pytest.importorskip("dask.array")
    denoising = DenoisingAutoencoder(16, max_epochs=2, random_state=0).fit(X / 16)
    lazy = denoising.transform(dask_array.from_array(X / 16, chunks=(100, -1)))
    assert_array_equal(lazy.compute(), denoising.transform(X / 16))


def test_codes_are_learned_from_in_the_threads_of_one_process():
    def modules(n_in, n_out):
        layers = nn.Sequential(nn.Linear(n_in, n_out), nn.Dropout(0.1), nn.ReLU())
        return {"encoder": layers, "decoder": nn.Linear(n_out, n_in)}

    da = pytest.importorskip("dask.array")
    rows = da.from_array(X.astype(np.float32) / 16, chunks=(100, 64))
    first = Autoencoder(16, **modules(64, 16), max_epochs=2, random_state=0).fit(rows)
    second = Autoencoder(8, **modules(16, 8), max_epochs=2, random_state=0)
    expected = second.fit(first.transform(rows)).transform(first.transform(rows)).compute()
    with (
        distributed.LocalCluster(
            1, threads_per_worker=3, processes=False, dashboard_address=":0"
        ) as threads,
        distributed.Client(threads),
    ):
        codes = first.transform(rows)
        assert_array_equal(second.fit(codes).transform(codes).compute(), expected)


def test_parquet_to_codes_to_trees_on_workers(cluster, tmp_path):
    da, dd = pytest.importorskip("dask.array"), pytest.importorskip("dask.dataframe")
    digits, labels = load_digits(n_class=4, return_X_y=True)
    for part, rows in enumerate(np.array_split(digits / 16, 3)):
        pd.DataFrame(rows).add_prefix("pixel").to_parquet(tmp_path / f"part{part}.parquet")
    rows = dd.read_parquet(sorted(tmp_path.glob("part*"))).to_dask_array(lengths=True)
    encoder = DenoisingAutoencoder(16, max_epochs=3, random_state=0).fit(rows)
    names = list(encoder.get_feature_names_out())
    frame = dd.from_dask_array(encoder.transform(rows), columns=names)
    frame.to_parquet(tmp_path / "codes", write_index=False)
    codes = dd.read_parquet(tmp_path / "codes").to_dask_array(lengths=True)
    assert_array_equal(codes.compute(), encoder.transform(digits / 16))
    trees = DaskXGBClassifier(n_estimators=10, max_depth=3)
    trees.fit(codes, da.from_array(labels, chunks=codes.chunks[0]))
    assert (trees.predict(codes).compute() == labels).mean() > 0.9
