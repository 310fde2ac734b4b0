"""Arrays of any type, in files too: never cast as a whole, and the same bits as in memory."""

import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pytest
import torch

from sklearn_ae import Autoencoder, DenoisingAutoencoder, PatchFeatures
from sklearn_ae._compute._rows import Rows, _is_mapped
from sklearn_ae._sklearn import _checks

SMALL = {"n_components": 6, "max_epochs": 2, "batch_size": 16, "random_state": 0}


@pytest.fixture
def large(monkeypatch):
    """Let every array count as too large to be cast as a whole."""
    monkeypatch.setattr(_checks, "_MOST_CAST", 0)
    monkeypatch.setattr(_checks, "_BLOCK", 32)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (60, 36), np.uint8)


@pytest.mark.parametrize("dtype", [">f4", "bool", "float16", "float64", "int64", "uint8", "uint16"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.filterwarnings("ignore:X is not scaled|max_epochs=2 ended")
def test_an_array_of_another_type_is_that_array_cast(images, large, dtype, order):
    given = np.asarray(images / 2 if dtype[-2] == "f" else images, dtype=dtype, order=order)
    cast = given.astype(np.float32, order="C")
    for estimator in (
        Autoencoder(**SMALL, hidden_layer_sizes=(7,), early_stopping=True),
        DenoisingAutoencoder(**SMALL, corruption="salt_and_pepper"),
        PatchFeatures((6, 6), autoencoder=Autoencoder(**SMALL), patch_size=3, pool=1),
    ):
        expected = estimator.fit(cast).transform(cast)
        np.testing.assert_array_equal(estimator.transform(given), expected)
        np.testing.assert_array_equal(estimator.fit(given).transform(cast), expected)
        if hasattr(estimator, "partial_fit"):
            again = estimator.partial_fit(given).transform(given)
            np.testing.assert_array_equal(
                again, estimator.fit(cast).partial_fit(cast).transform(cast)
            )


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, r"contains NaN, in column 3\. .* SimpleImputer"), (1e39, "too large for .*float32")],
)
def test_a_block_that_is_not_finite_is_refused(images, large, value, message):
    X = images / 255
    fitted = Autoencoder(**SMALL).fit(X)
    X[41, 3] = value
    for method in (Autoencoder(**SMALL).fit, fitted.fit, fitted.partial_fit, fitted.transform):
        with pytest.raises(ValueError, match=message):
            method(X)
    assert fitted.n_iter_ == 2


def test_maps_that_joblib_makes_score_as_arrays(images, tmp_path):
    # An address that is no multiple of 64.
    X = (images / 255).astype(np.float32)
    (tmp_path / "raw").write_bytes(b"0" * 20 + X.tobytes())
    joblib.dump(X, tmp_path / "dumped")
    maps = [
        joblib.load(tmp_path / "dumped", mmap_mode="r"),
        np.memmap(tmp_path / "raw", np.float32, mode="r", offset=20, shape=X.shape),
    ]
    estimator = Autoencoder(**SMALL, hidden_layer_sizes=(7,), early_stopping=True)
    scores = estimator.fit(X).score_samples(X)
    for given in maps:
        assert not given.flags.writeable
        np.testing.assert_array_equal(estimator.fit(given).score_samples(given), scores)


def test_what_is_mapped_is_not_copied(tmp_path, images):
    np.save(tmp_path / "X.npy", images)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for X, stays in [(mapped, True), (np.asarray(mapped[5:]), True), (mapped[[1, 2]], False)]:
        assert _is_mapped(X) == stays
        assert (Rows(X).copied().X is X) == stays
    as_float = torch.from_numpy(images[:1].astype(np.float32))
    assert not Rows(as_float).is_mapped


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_images_in_a_file_take_little_memory(tmp_path):
    """As float32 the images would take 469 MiB."""
    script = """
        import threading, time, warnings
        import numpy as np
        from sklearn_ae import Autoencoder

        def anonymous():
            lines = open("/proc/self/status").read().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024

        X = np.memmap("X", np.uint8, mode="w+", shape=(40_000, 3072))
        for start in range(0, len(X), 1000):
            X[start : start + 1000] = np.arange(3072) % 251
        warnings.simplefilter("ignore")
        estimator = Autoencoder(2, max_epochs=1, batch_size=512, learning_rate=1e-6)
        estimator.fit(X[:64]).transform(X[:64])
        before, peaks, ended = anonymous(), [], threading.Event()

        def watch():
            while not ended.wait(0.01):
                peaks.append(anonymous())

        thread = threading.Thread(target=watch)
        thread.start()
        estimator.fit(X).partial_fit(X).transform(X)
        ended.set()
        thread.join()
        print(max(peaks) - before)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    grown = subprocess.check_output(command, cwd=tmp_path, text=True)
    assert float(grown) < 350
