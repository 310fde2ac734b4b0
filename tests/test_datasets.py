"""The loaders against scikit-learn's own data, published facts and files made by hand."""

import gzip
import struct
import tracemalloc
from unittest.mock import Mock

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from sklearn_ae import datasets
from sklearn_ae.datasets import load_digits_few_labels, load_fashion_mnist

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def assert_proportional(drawn, population):
    """Each class has its share of the draw, up to one row, and at least one row."""
    counts = np.bincount(drawn, minlength=10)
    share = np.bincount(population) * (len(drawn) / len(population))
    assert np.all(np.abs(counts - share) < 1)
    assert counts.min() >= 1


@pytest.mark.parametrize("test_size", [0.2, 0.55, 10, np.int64(1787)])
def test_digits_are_every_row_of_sklearns_digits_once(test_size):
    data, digits = load_digits_few_labels(n_labeled=None, test_size=test_size), load_digits()
    train, test = train_test_split(digits.data, test_size=test_size)
    assert (data.X_train.shape, data.X_test.shape) == (train.shape, test.shape)
    X, y = np.vstack([data.X_train, data.X_test]), np.r_[data.y_train, data.y_test]
    rows, expected = np.column_stack([X, y]), np.column_stack([digits.data, digits.target])
    assert_array_equal(rows[np.lexsort(rows.T)], expected[np.lexsort(expected.T)])
    assert_proportional(data.y_test, digits.target)
    assert data.image_shape == digits.images.shape[1:]
    assert_array_equal(data.target_names, digits.target_names)
    for text in (f"{len(train)} training rows", f"{len(test)} test rows", digits.DESCR):
        assert text in data.DESCR


@pytest.mark.parametrize("n_labeled", [10, 57, np.int32(1000), 1437])
def test_digits_keep_a_proportional_draw_of_true_labels(n_labeled):
    data, truth = (load_digits_few_labels(n_labeled=n) for n in (n_labeled, None))
    labeled = data.y_train != -1
    assert labeled.sum() == n_labeled
    assert (data.X_train.dtype, data.y_train.dtype) == (np.float32, np.int64)
    assert_array_equal(data.X_train, truth.X_train)
    assert_array_equal(data.y_train[labeled], truth.y_train[labeled])
    assert_proportional(data.y_train[labeled], truth.y_train)
    assert f"{n_labeled} have a label" in data.DESCR


def test_digits_are_shuffled():
    """Neither in the file's order, nor by class, nor one of each class in turn, nor by label."""
    data = load_digits_few_labels(n_labeled=300)
    in_file = {row.tobytes(): i for i, row in enumerate(load_digits().data.astype(np.float32))}
    labeled = data.y_train != -1
    for X, y in [(data.X_train[labeled], data.y_train[labeled]), (data.X_test, data.y_test)]:
        assert 0.05 < np.mean(y[1:] == y[:-1]) < 0.15
        positions = [in_file[row.tobytes()] for row in X]
        assert abs(np.corrcoef(positions, np.arange(len(X)))[0, 1]) < 0.15
    shares = [quarter.mean() / labeled.mean() for quarter in np.array_split(labeled, 4)]
    assert 0.75 < min(shares) < max(shares) < 1.25


def test_digits_split_is_set_by_random_state_and_labels_are_nested():
    seeds = [3, 3, np.random.RandomState(3), 4]
    first, again, instance, other = (load_digits_few_labels(random_state=seed) for seed in seeds)
    for key in ("X_train", "y_train", "X_test", "y_test"):
        assert_array_equal(first[key], again[key])
        assert_array_equal(first[key], instance[key])
        assert not np.array_equal(first[key], other[key])
    few = load_digits_few_labels(n_labeled=50, random_state=3)
    kept = few.y_train != -1
    assert_array_equal(few.y_train[kept], first.y_train[kept])


def test_digits_refuse_splits_that_miss_a_class_or_exceed_the_rows():
    for name, bounds, values in [
        ("n_labeled", "None or an int from 10 .* to 1437", [9, -1, 1438, 300.0, True, "all"]),
        ("test_size", "int from 10 to 1787, or a float", [9, 1788, 0.0, 1.0, 0.005, 20.0, "half"]),
    ]:
        for value in values:
            with pytest.raises(ValueError, match=f"'{name}' .* {bounds} .*Got {value!r}"):
                load_digits_few_labels(**{name: value})
    with pytest.raises(ValueError, match=r"'n_labeled' .* to 100 .*Got 101"):
        load_digits_few_labels(n_labeled=101, test_size=1697)


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Arrays by file name, in the place of the published ones; nothing is installed yet."""
    rng, arrays = np.random.default_rng(0), {}
    for part, n_rows in [("train", 40), ("t10k", 20)]:
        arrays[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (n_rows, 28, 28), np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = rng.permutation(n_rows).astype(np.uint8) % 10
    monkeypatch.setattr(datasets, "_FASHION_FILES", {k: v.shape for k, v in arrays.items()})
    monkeypatch.setattr(datasets, "_DEBIAN_FOLDER", tmp_path / "debian")
    return arrays


def write_files(folder, arrays, suffix=""):
    """Write IDX files: two zeros, type, number of dimensions, dimensions, values."""
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        content = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
        content += array.tobytes()
        (folder / (name + suffix)).write_bytes(gzip.compress(content, 1) if suffix else content)


def assert_is(data, arrays):
    found = data.X_train, data.y_train, data.X_test, data.y_test
    assert [part.dtype for part in found] == [np.float32, np.int64] * 2
    for part, array in zip(found, arrays.values(), strict=True):
        scale = np.float32(255) if array.ndim == 3 else 1
        assert_array_equal(part, array.reshape(part.shape) / scale)


def test_fashion_tries_the_given_folder_then_debians_then_the_network(tiny, tmp_path, monkeypatch):
    X, y = (np.concatenate(list(tiny.values())[i::2]) for i in (0, 1))
    table = Mock(data=X.reshape(60, 784).astype(float), target=y.astype(str).astype(object))
    monkeypatch.setattr(datasets, "fetch_openml", fetch := Mock(return_value=table))
    with pytest.raises(FileNotFoundError, match=r"apt install .* data_home, .* download=True"):
        load_fashion_mnist()
    fetch.assert_not_called()
    assert_is(load_fashion_mnist(download=True), tiny)
    fetch.assert_called_with("Fashion-MNIST", version=1, as_frame=False, parser="liac-arff")
    table.data = table.data[1:]
    with pytest.raises(OSError, match=r"OpenML's Fashion-MNIST has the wrong shape, \(59, 784\)"):
        load_fashion_mnist(download=True)
    # From here on the network would fail.
    write_files(tmp_path / "debian", tiny, ".gz")
    assert_is(load_fashion_mnist(download=True), tiny)
    with pytest.raises(FileNotFoundError, match=r"data_home='.*absent' is not a folder"):
        load_fashion_mnist(data_home=tmp_path / "absent", download=True)
    write_files(tmp_path / "mine", mine := tiny | {LABELS: tiny[LABELS][::-1]})
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in ("~/mine", tmp_path / "mine"):
        assert_is(load_fashion_mnist(data_home=folder, download=True), mine)
    (tmp_path / "mine" / LABELS).unlink()
    with pytest.raises(FileNotFoundError, match=rf"mine has neither the file {LABELS} nor .*\.gz"):
        load_fashion_mnist(data_home=tmp_path / "mine", download=True)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        (IMAGES, lambda c: b"", r"read 0 that begin with 0x\."),
        (LABELS, lambda c: c[:2] + b"\x0d" + c[3:], "0x000008010.* 48 .* 0x00000d0100000028"),
        (IMAGES, lambda c: c[:15] + b"\x1b" + c[16:], "0x00000803000000280000001c0000001b"),
        (IMAGES, lambda c: c[:-1], r"shape \(40, 28, 28\): expected 31376 .*read 31375"),
        (LABELS, lambda c: c + bytes(9), r"shape \(40,\): expected 48 .*read 49"),
        (IMAGES + ".gz", gzip.decompress, "a whole gzip file: Not a gzipped file"),
        (IMAGES + ".gz", lambda c: c[:9000], "a whole gzip file: .*ended before the end"),
        (LABELS + ".gz", lambda c: c[:10] + b"\xff" * 8, "a whole gzip file: Error -3"),
    ],
)
def test_fashion_names_a_damaged_file(tiny, tmp_path, name, damage, message):
    write_files(tmp_path, tiny, ".gz" if name.endswith(".gz") else "")
    (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))
    with pytest.raises(OSError, match=f"{tmp_path / name} is not .*{message}"):
        load_fashion_mnist(data_home=tmp_path)


def test_fashion_parameters(tiny, tmp_path):
    for name, value in [("n_labeled", 9), ("data_home", 5), ("download", 1), ("random_state", "x")]:
        with pytest.raises(ValueError, match=f"'{name}' parameter .* Got {value!r}"):
            load_fashion_mnist(**{name: value})
    write_files(tmp_path, tiny)
    data = load_fashion_mnist(data_home=tmp_path, n_labeled=np.int64(25), random_state=1)
    kept = data.y_train != -1
    assert_array_equal(data.y_train[kept], tiny[LABELS][kept])
    assert_proportional(data.y_train[kept], tiny[LABELS])
    assert kept.sum() == 25
    assert "25\ntraining rows have a label" in data.DESCR


@pytest.mark.skipif(not datasets._DEBIAN_FOLDER.is_dir(), reason="needs dataset-fashion-mnist")
def test_fashion_is_as_published_and_read_without_a_second_copy():
    tracemalloc.start()
    data = load_fashion_mnist(n_labeled=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.4 * (data.X_train.nbytes + data.X_test.nbytes)
    assert (data.X_train.shape, data.image_shape) == ((60_000, 784), (28, 28))
    labeled = data.y_train != -1
    assert_array_equal(np.bincount(data.y_test), [1000] * 10)
    assert_array_equal(np.bincount(data.y_train[labeled]), [100] * 10)
    # The mean and the standard deviation with which this data is usually standardized.
    found = data.X_train.mean(dtype=np.float64), data.X_train.std(dtype=np.float64)
    assert found == pytest.approx((0.2860, 0.3530), abs=5e-5)
    # Trousers are narrow, and neighbors mostly share their class.
    columns_in_use = (data.X_test.reshape(-1, 28, 28) > 0.1).any(axis=1).sum(axis=1)
    width = [columns_in_use[data.y_test == k].mean() for k in range(10)]
    assert data.target_names[np.argmin(width)] == "Trouser"
    model = KNeighborsClassifier(1).fit(data.X_train[labeled], data.y_train[labeled])
    assert model.score(data.X_test[:1000], data.y_test[:1000]) > 0.7
