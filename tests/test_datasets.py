"""The loaders against scikit-learn's own data, published facts and files made by hand."""

import gzip
import hashlib
import re
import struct
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils import Bunch

from sklearn_ae import datasets
from sklearn_ae.datasets import load_digits_few_labels, load_fashion_mnist

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
NAMES = [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS]
DEBIAN_FOLDER = datasets._DEBIAN_FOLDER


def idx_bytes(array):
    """Write an IDX file: two zeros, type, number of dimensions, dimensions, values."""
    dims = b"".join(struct.pack(">i", n) for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + dims + array.tobytes()


def class_counts(y):
    return np.bincount(y[y != -1], minlength=10)


def assert_proportional(drawn, population):
    """Each class has its share of the draw, up to one row."""
    share = class_counts(population) * (len(drawn) / len(population))
    assert np.all(np.abs(class_counts(drawn) - share) < 1)


def sorted_rows(X, y):
    rows = np.column_stack([X, y])
    return rows[np.lexsort(rows.T)]


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    """Fail any test that would reach the network."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(datasets, "fetch_openml", refuse)


# --- digits ---


@pytest.mark.parametrize("test_size", [0.2, 0.55, 10, 360, np.int64(1787)])
def test_digits_are_every_row_of_sklearns_digits_once(test_size):
    data = load_digits_few_labels(n_labeled=None, test_size=test_size)
    digits = load_digits()
    train, test = train_test_split(digits.data, test_size=test_size)
    assert data.X_train.shape == train.shape
    assert data.X_test.shape == test.shape
    assert_array_equal(
        sorted_rows(np.vstack([data.X_train, data.X_test]), np.r_[data.y_train, data.y_test]),
        sorted_rows(digits.data, digits.target),
    )
    assert_proportional(data.y_test, digits.target)


@pytest.mark.parametrize("n_labeled", [10, 11, 57, 300, np.int32(1000), 1436, 1437])
def test_digits_keep_a_proportional_draw_of_true_labels(n_labeled):
    data = load_digits_few_labels(n_labeled=n_labeled)
    truth = load_digits_few_labels(n_labeled=None)
    labeled = data.y_train != -1
    assert labeled.sum() == n_labeled
    assert_array_equal(data.X_train, truth.X_train)
    assert_array_equal(data.y_train[labeled], truth.y_train[labeled])
    assert truth.y_train.min() == 0
    assert class_counts(data.y_train).min() >= 1
    assert_proportional(data.y_train[labeled], truth.y_train)
    assert f"{n_labeled} have a label" in data.DESCR


def test_digits_contents():
    data = load_digits_few_labels()
    digits = load_digits()
    assert set(data) == {
        *("X_train", "y_train", "X_test", "y_test", "image_shape", "target_names", "DESCR")
    }
    for X, y in [(data.X_train, data.y_train), (data.X_test, data.y_test)]:
        assert (X.dtype, y.dtype) == (np.float32, np.int64)
        assert (X.min(), X.max()) == (0, 16)
    assert data.image_shape == digits.images.shape[1:]
    assert_array_equal(data.target_names, digits.target_names)
    assert digits.DESCR in data.DESCR
    assert "1437 training rows" in data.DESCR
    assert "360 test rows" in data.DESCR


def test_digits_mark_rows_as_sklearns_semi_supervised_methods_do():
    data = load_digits_few_labels(n_labeled=120)
    model = SelfTrainingClassifier(KNeighborsClassifier(1), max_iter=0)
    model.fit(data.X_train, data.y_train)
    assert (model.labeled_iter_ == 0).sum() == 120
    assert model.score(data.X_test, data.y_test) > 0.8


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


def test_digits_split_is_set_by_random_state():
    np.random.seed(0)  # noqa: NPY002
    state_before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again = (load_digits_few_labels(random_state=3) for _ in range(2))
    instance = load_digits_few_labels(random_state=np.random.RandomState(3))
    other = load_digits_few_labels(random_state=4)
    for key in ("X_train", "y_train", "X_test", "y_test"):
        assert_array_equal(first[key], again[key])
        assert_array_equal(first[key], instance[key])
        assert not np.array_equal(first[key], other[key])
    assert_array_equal(np.random.get_state()[1], state_before)  # noqa: NPY002


def test_digits_labels_are_nested():
    few, many = (load_digits_few_labels(n_labeled=n) for n in (50, 200))
    kept = few.y_train != -1
    assert_array_equal(few.X_train, many.X_train)
    assert_array_equal(few.X_test, many.X_test)
    assert_array_equal(few.y_train[kept], many.y_train[kept])


@pytest.mark.parametrize("n_labeled", [0, 9, -1, 1438, 300.0, 0.2, True, "all", np.nan])
def test_digits_refuse_n_labeled(n_labeled):
    with pytest.raises(ValueError, match=r"'n_labeled'.* None or an int from 10 .* to 1437") as e:
        load_digits_few_labels(n_labeled=n_labeled)
    assert f"Got {n_labeled!r}" in str(e.value)


@pytest.mark.parametrize(
    "test_size", [0, 9, 1788, -5, 0.0, 1.0, 0.005, 0.995, 20.0, np.nan, np.inf, True, "half", None]
)
def test_digits_refuse_test_size(test_size):
    with pytest.raises(ValueError, match=r"'test_size'.* int from 10 to 1787.* float") as e:
        load_digits_few_labels(test_size=test_size)
    assert f"Got {test_size!r}" in str(e.value)


def test_digits_n_labeled_is_bounded_by_the_training_rows_left():
    assert len(load_digits_few_labels(n_labeled=100, test_size=1697).X_train) == 100
    with pytest.raises(ValueError, match=r"'n_labeled'.* to 100 .*Got 101"):
        load_digits_few_labels(n_labeled=101, test_size=1697)


# --- Fashion-MNIST: the format, on files of 40 and 20 images ---


@pytest.fixture
def tiny(monkeypatch):
    """Arrays by file name, in place of the published ones; Debian's package is not there."""
    rng = np.random.default_rng(0)
    arrays = {}
    for images, labels, n_rows in [
        (TRAIN_IMAGES, TRAIN_LABELS, 40),
        (TEST_IMAGES, TEST_LABELS, 20),
    ]:
        arrays[images] = rng.integers(0, 256, (n_rows, 28, 28), dtype=np.uint8)
        arrays[labels] = rng.permutation(np.arange(n_rows) % 10).astype(np.uint8)
    published = {
        name: (array.shape, hashlib.sha256(idx_bytes(array)).hexdigest())
        for name, array in arrays.items()
    }
    monkeypatch.setattr(datasets, "_FASHION_FILES", published)
    return arrays


@pytest.fixture(autouse=True)
def debian_folder(monkeypatch, tmp_path):
    """Have the loader look for Debian's package where nothing is yet."""
    monkeypatch.setattr(datasets, "_DEBIAN_FOLDER", tmp_path / "debian")
    return tmp_path / "debian"


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "idx"
    path.mkdir()
    return path


def write_files(folder, arrays, suffix=""):
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        content = idx_bytes(array)
        path = folder / (name + suffix)
        path.write_bytes(gzip.compress(content, 1) if suffix else content)


def assert_is_tiny(data, arrays):
    for part, images, labels in [
        ("train", TRAIN_IMAGES, TRAIN_LABELS),
        ("test", TEST_IMAGES, TEST_LABELS),
    ]:
        X, y = data[f"X_{part}"], data[f"y_{part}"]
        assert (X.dtype, y.dtype) == (np.float32, np.int64)
        expected = arrays[images].reshape(len(arrays[images]), 784).astype(np.float32)
        assert_array_equal(X, expected / np.float32(255))
        assert_array_equal(y, arrays[labels])


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_fashion_reads_a_folder(tiny, folder, suffix, kind):
    write_files(folder, tiny, suffix)
    data = load_fashion_mnist(data_home=kind(folder))
    assert_is_tiny(data, tiny)
    assert data.image_shape == (28, 28)
    assert len(data.target_names) == 10


def test_fashion_reads_a_folder_under_home(tiny, folder, monkeypatch):
    write_files(folder, tiny)
    monkeypatch.setenv("HOME", str(folder.parent))
    assert_is_tiny(load_fashion_mnist(data_home="~/idx"), tiny)


def test_fashion_takes_the_given_folder_before_debians(tiny, folder, debian_folder):
    write_files(folder, tiny)
    debian_folder.mkdir()
    assert_is_tiny(load_fashion_mnist(data_home=folder, download=True), tiny)


def test_fashion_takes_debians_folder_before_the_network(tiny, debian_folder):
    write_files(debian_folder, tiny, ".gz")
    assert_is_tiny(load_fashion_mnist(download=True), tiny)


def test_fashion_not_found_says_how_to_get_it():
    with pytest.raises(FileNotFoundError) as e:
        load_fashion_mnist()
    for way in ("apt install dataset-fashion-mnist", "data_home", "download=True"):
        assert way in str(e.value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_fashion_names_the_missing_file(tiny, folder, debian_folder, name, suffix):
    """Neither Debian's folder nor the network stands in for a file that is not there."""
    write_files(debian_folder, tiny, ".gz")
    write_files(folder, tiny, suffix)
    (folder / (name + suffix)).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{folder}.*{name} nor {name}\.gz"):
        load_fashion_mnist(data_home=folder, download=True)


def test_fashion_folder_must_exist(folder):
    for path in (folder / "absent", folder / "file"):
        (folder / "file").touch()
        with pytest.raises(FileNotFoundError, match=f"data_home='{path}' is not a folder"):
            load_fashion_mnist(data_home=path, download=True)


def put(position, value):
    """Overwrite bytes of a file."""
    return lambda c: c[:position] + value + c[position + len(value) :]


def flip(position):
    """Change one bit of a file."""
    return lambda c: put(position, bytes([c[position] ^ 1]))(c)


# For each fault: the file, what is done to it, what is found and what was expected.
FAULTS = {
    "empty": (TRAIN_IMAGES, lambda c: b"", "0 bytes", "a header of 16 bytes"),
    "part of a header": (TEST_LABELS, lambda c: c[:7], "7 bytes", "a header of 8 bytes"),
    "compressed": (TRAIN_LABELS, gzip.compress, "magic number 0x1f8b0800", "0x00000801"),
    "labels' magic": (TEST_IMAGES, put(3, b"\x01"), "magic number 0x00000801", "0x00000803"),
    "floats' magic": (TRAIN_LABELS, put(2, b"\x0d"), "magic number 0x00000d01", "0x00000801"),
    "smaller": (TRAIN_IMAGES, put(15, b"\x1b"), "dimensions (40, 28, 27)", "(40, 28, 28)"),
    "huge": (TEST_IMAGES, put(4, b"\xff" * 4), "dimensions (4294967295, 28, 28)", "(20, 28, 28)"),
    "fewer labels than images": (
        TRAIN_LABELS,
        lambda c: put(7, b"\x27")(c)[:-1],
        "dimensions (39,)",
        "(40,)",
    ),
    "truncated": (TEST_IMAGES, lambda c: c[:-1], "only 15679 bytes after the header", "15680"),
    "no values": (TRAIN_LABELS, lambda c: c[:8], "only 0 bytes after the header", "40"),
    "longer": (TRAIN_IMAGES, lambda c: c + bytes(9), "more than 31360 bytes", "31360"),
    "label 10": (TRAIN_LABELS, put(20, b"\x0a"), "label 10", "labels from 0 to 9"),
    "one changed pixel": (TRAIN_IMAGES, flip(100), "content of SHA-256", "Fashion-MNIST's"),
    "two swapped labels": (
        TEST_LABELS,
        lambda c: put(8, c[9:7:-1])(c),
        "content of SHA-256",
        "Fashion-MNIST's",
    ),
}

GZIP_FAULTS = {
    "not compressed": (TRAIN_IMAGES, gzip.decompress, "Not a gzipped file", "a whole gzip file"),
    "empty": (TRAIN_IMAGES, lambda c: b"", "0 bytes", "a header of 16 bytes"),
    "truncated": (TRAIN_IMAGES, lambda c: c[:9000], "ended before the end", "a whole gzip file"),
    "no size": (TEST_LABELS, lambda c: c[:-4], "ended before the end", "a whole gzip file"),
    "wrong checksum": (TEST_LABELS, flip(-8), "CRC check failed", "a whole gzip file"),
    "wrong data": (TEST_LABELS, put(10, b"\xff" * 8), "Error -3", "a whole gzip file"),
    "garbage": (TEST_IMAGES, lambda c: c + b"garbage", "Not a gzipped", "a whole gzip file"),
    "longer": (
        TRAIN_LABELS,
        lambda c: gzip.compress(gzip.decompress(c) + b"\0"),
        "more than 40 bytes",
        "40",
    ),
}


@pytest.mark.parametrize(
    ("suffix", "fault"),
    [*(("", fault) for fault in FAULTS), *((".gz", fault) for fault in GZIP_FAULTS)],
)
def test_fashion_detects_a_damaged_file(tiny, folder, suffix, fault):
    name, damage, found, expected = (GZIP_FAULTS if suffix else FAULTS)[fault]
    write_files(folder, tiny, suffix)
    assert_is_tiny(load_fashion_mnist(data_home=folder), tiny)

    path = folder / (name + suffix)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(OSError, match=re.escape(f"{path} is not the published data")) as e:
        load_fashion_mnist(data_home=folder)
    assert not isinstance(e.value, FileNotFoundError)
    message_found, message_expected = str(e.value).split("expected ")
    assert found in message_found
    assert message_expected.startswith(expected)


def test_fashion_reads_no_more_of_a_file_than_it_needs(tiny, folder):
    """A few kilobytes that expand to 100 MB do not take 100 MB."""
    write_files(folder, tiny, ".gz")
    with gzip.open(folder / f"{TRAIN_LABELS}.gz", "wb", compresslevel=1) as stream:
        stream.write(idx_bytes(tiny[TRAIN_LABELS]))
        stream.write(bytes(100_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(OSError, match="more than 40 bytes"):
            load_fashion_mnist(data_home=folder)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_fashion_refuses_another_dataset_of_the_same_format(folder):
    """MNIST's files have these names, sizes and headers; 60,000 black images stand for them."""
    with (folder / TRAIN_IMAGES).open("wb") as stream:
        stream.write(struct.pack(">IIII", 0x803, 60_000, 28, 28))
        stream.truncate(16 + 60_000 * 784)
    with pytest.raises(OSError, match=f"{TRAIN_IMAGES} is not the published.*found content of"):
        load_fashion_mnist(data_home=folder)


def test_fashion_refuses_fewer_images_than_published(folder):
    write_files(folder, {TRAIN_IMAGES: np.zeros((3, 28, 28), np.uint8)})
    with pytest.raises(OSError, match=r"dimensions \(3, 28, 28\), expected \(60000, 28, 28\)"):
        load_fashion_mnist(data_home=folder)


@pytest.mark.parametrize("n_labeled", [10, 25, np.int64(40)])
def test_fashion_keeps_a_proportional_draw_of_labels(tiny, folder, n_labeled):
    write_files(folder, tiny)
    data = load_fashion_mnist(data_home=folder, n_labeled=n_labeled, random_state=1)
    again = load_fashion_mnist(data_home=folder, n_labeled=n_labeled, random_state=1)
    labeled = data.y_train != -1
    assert labeled.sum() == n_labeled
    assert_proportional(data.y_train[labeled], tiny[TRAIN_LABELS])
    assert f"{n_labeled} training rows have a label" in data.DESCR
    assert_array_equal(data.y_train, again.y_train)
    truth = np.where(labeled, tiny[TRAIN_LABELS], data.y_train)
    assert_is_tiny(data, tiny | {TRAIN_LABELS: truth})


def test_fashion_labels_are_set_by_random_state(tiny, folder):
    write_files(folder, tiny)
    one, two = (
        load_fashion_mnist(data_home=folder, n_labeled=20, random_state=seed).y_train
        for seed in (1, 2)
    )
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("n_labeled", [0, 9, 60_001, 300.0, True, "all"])
def test_fashion_refuses_n_labeled(n_labeled):
    with pytest.raises(ValueError, match=r"'n_labeled'.* None or an int from 10 .* to 60000") as e:
        load_fashion_mnist(n_labeled=n_labeled)
    assert f"Got {n_labeled!r}" in str(e.value)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"data_home": 5}, "'data_home' .*str or path-like. Got 5"),
        ({"download": "no"}, "'download' .*bool. Got 'no'"),
        ({"download": None}, "'download' .*bool. Got None"),
        ({"random_state": "seed"}, "'seed' cannot be used to seed"),
    ],
)
def test_fashion_refuses_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        load_fashion_mnist(**params)


# --- Fashion-MNIST: OpenML, in whose place a function stands ---


@pytest.fixture
def openml(tiny, monkeypatch):
    """A table as fetch_openml makes it: both parts below each other, labels as strings."""
    images = np.vstack([tiny[TRAIN_IMAGES], tiny[TEST_IMAGES]])
    labels = np.r_[tiny[TRAIN_LABELS], tiny[TEST_LABELS]]
    table = Bunch(
        data=images.reshape(60, 784).astype(np.float64), target=labels.astype(str).astype(object)
    )
    calls = []

    def fetch_openml(*args, **kwargs):
        calls.append((args, kwargs))
        return table

    monkeypatch.setattr(datasets, "fetch_openml", fetch_openml)
    return Bunch(table=table, calls=calls)


@pytest.mark.parametrize("download", [True, np.True_])
def test_fashion_downloads_when_asked(tiny, openml, download):
    assert_is_tiny(load_fashion_mnist(download=download), tiny)
    ((args, kwargs),) = openml.calls
    assert args == ("Fashion-MNIST",)
    assert kwargs == {"version": 1, "as_frame": False, "parser": "liac-arff"}


@pytest.mark.parametrize("params", [{}, {"download": False}, {"n_labeled": 10}])
def test_fashion_does_not_download_unasked(openml, params):
    with pytest.raises(FileNotFoundError):
        load_fashion_mnist(**params)
    assert openml.calls == []


def drop_row(table):
    table.data, table.target = table.data[1:], table.target[1:]


def scale_pixels(table):
    table.data = table.data * 256


def lose_pixel(table):
    table.data[3, 5] = np.nan


def sort_rows_by_class(table):
    order = np.argsort(table.target.astype(int), kind="stable")
    table.data, table.target = table.data[order], table.target[order]


def add_class(table):
    table.target[0] = "10"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop_row, r"found shape \(59, 784\), expected \(60, 784\)"),
        (scale_pixels, r"found pixels from 0\.0 to 65280\.0, expected 0 to 255"),
        (lose_pixel, "found pixels from nan"),
        (sort_rows_by_class, r"found rows of each class \{0: 6, .*expected \{0: 4"),
        (add_class, r"found rows of each class .* 10: 1\}, expected"),
    ],
)
def test_fashion_detects_a_wrong_download(openml, damage, message):
    damage(openml.table)
    with pytest.raises(OSError, match=f"OpenML's Fashion-MNIST is .*{message}"):
        load_fashion_mnist(download=True)


# --- Fashion-MNIST: the real data ---


@pytest.fixture(scope="module")
def fashion():
    """The real data, and the most memory in use while it was read."""
    if not DEBIAN_FOLDER.is_dir():
        pytest.skip("needs Fashion-MNIST: apt install dataset-fashion-mnist")
    tracemalloc.start()
    try:
        data = load_fashion_mnist(data_home=DEBIAN_FOLDER, n_labeled=1000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return data, peak


def test_fashion_is_as_published(fashion):
    data, _ = fashion
    assert data.X_train.shape == (60_000, 784)
    assert data.X_test.shape == (10_000, 784)
    assert_array_equal(class_counts(data.y_test), [1000] * 10)
    assert_array_equal(class_counts(data.y_train), [100] * 10)
    assert (data.X_train.min(), data.X_train.max()) == (0, 1)
    # The mean and the standard deviation with which this data is usually standardized.
    assert data.X_train.mean(dtype=np.float64) == pytest.approx(0.2860, abs=5e-5)
    assert data.X_train.std(dtype=np.float64) == pytest.approx(0.3530, abs=5e-5)


def test_fashion_labels_fit_the_images(fashion):
    """Trousers are narrow, bags are wide, and neighbors mostly share their class."""
    data, _ = fashion
    columns_in_use = (data.X_test.reshape(-1, *data.image_shape) > 0.1).any(axis=1).sum(axis=1)
    width = dict(
        zip(
            data.target_names,
            (columns_in_use[data.y_test == k].mean() for k in range(10)),
            strict=True,
        )
    )
    assert min(width, key=width.get) == "Trouser"
    assert width["Bag"] > 1.5 * width["Trouser"]
    labeled = data.y_train != -1
    model = KNeighborsClassifier(1).fit(data.X_train[labeled], data.y_train[labeled])
    assert model.score(data.X_test[:1000], data.y_test[:1000]) > 0.7


def test_fashion_train_classes_are_balanced_and_kept_labels_true(fashion):
    with gzip.open(DEBIAN_FOLDER / f"{TRAIN_LABELS}.gz") as stream:
        truth = np.frombuffer(stream.read()[8:], np.uint8)
    data, _ = fashion
    labeled = data.y_train != -1
    assert_array_equal(class_counts(truth), [6000] * 10)
    assert_array_equal(data.y_train[labeled], truth[labeled])


def test_fashion_memory_is_bounded(fashion):
    """The result and one copy of the bytes, never a second float copy."""
    data, peak = fashion
    result = data.X_train.nbytes + data.X_test.nbytes
    assert peak < 1.4 * result
