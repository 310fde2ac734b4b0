"""Image data with few labels, for benchmarks and examples.

Every training row is in `X_train`; `y_train` is -1 where a row has no label, as
:mod:`sklearn_ae.semi_supervised` expects it.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from numbers import Integral, Real
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml, load_digits
from sklearn.utils import Bunch, check_random_state

from sklearn_ae._sklearn._compat import Interval, InvalidParameterError, validate_params

__all__ = ["load_digits_few_labels", "load_fashion_mnist"]

_N_CLASSES = 10

_DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")

_FASHION_FILES = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte": (10_000,),
}

# fmt: off
_FASHION_CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                    "Sneaker", "Bag", "Ankle boot")
# fmt: on

_DIGITS_DESCR = """\
scikit-learn's digits, split for learning from few labels: {n_train} training rows, of which
{n_labeled} have a label and the others have y_train == -1, and {n_test} test rows. Every draw is
stratified by class. Pixels are as scikit-learn has them, 0 (background) to 16.

What scikit-learn says about the data:

"""

_FASHION_DESCR = """\
Fashion-MNIST: 70,000 gray images of 28 x 28 pixels, articles of clothing in 10 classes, split as
published into 60,000 training rows and 10,000 test rows, each class equally often. {n_labeled}
training rows have a label; the others have y_train == -1. Pixels are scaled from integers in
0..255 to floats from 0 (background) to 1. The data is under the MIT license; see
H. Xiao, K. Rasul and R. Vollgraf, arXiv:1708.07747, 2017.
"""


def load_digits_few_labels(*, n_labeled=300, test_size=0.2, random_state=0):
    """Load scikit-learn's digits as a task with few labels.

    The 1,797 images of 8 x 8 pixels that scikit-learn bundles are split into training and test
    rows, and all but `n_labeled` of the training rows lose their label. No file is read but
    scikit-learn's own, and the network is not used.

    Parameters
    ----------
    n_labeled : int or None, default=300
        Number of training rows that keep their label, drawn so that each class has its share of
        them. From 10 (one of each class) to the number of training rows; `None` keeps every
        label.

    test_size : float or int, default=0.2
        Share (a float between 0 and 1) or number (an int) of rows held out as the test set, drawn
        so that each class has its share of them. At least 10 rows must be left on either side.

    random_state : int, RandomState instance or None, default=0
        Determines which rows are test rows, the order of rows and which rows keep their label.
        Pass an int for the same split at every call.
        See :term:`Glossary <random_state>`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        X_train : ndarray of shape (n_train, 64), dtype float32
            Every training row, with a label or without, in shuffled order. Pixels are as
            scikit-learn has them: whole numbers from 0 (background) to 16, not scaled.
        y_train : ndarray of shape (n_train,), dtype int64
            The digit, 0 to 9, of the rows that keep their label, -1 for the others.
        X_test : ndarray of shape (n_test, 64), dtype float32
            The test rows, in shuffled order and in the units of `X_train`.
        y_test : ndarray of shape (n_test,), dtype int64
            The digit of each test row.
        image_shape : tuple of int
            Height and width of an image, `(8, 8)`.
        target_names : ndarray of shape (10,)
            The names of the classes.
        DESCR : str
            Description of the data and of the split.

    Raises
    ------
    ValueError
        If `n_labeled` or `test_size` asks for a split that the 1,797 rows do not allow.

    See Also
    --------
    load_fashion_mnist : Larger images, and more of them.
    sklearn.datasets.load_digits : The data without a split.

    Notes
    -----
    For an int `random_state` the training and test rows, and their order, are the same whatever
    `n_labeled` is, and the rows labeled for a smaller `n_labeled` are among those labeled for a
    larger one. The hidden labels are therefore `y_train` of a call with `n_labeled=None`.

    References
    ----------
    .. [1] E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
           Learning Repository, 1998. https://doi.org/10.24432/C50P49

    Examples
    --------
    >>> from sklearn_ae.datasets import load_digits_few_labels
    >>> digits = load_digits_few_labels(n_labeled=300)
    >>> digits.X_train.shape, digits.X_test.shape
    ((1437, 64), (360, 64))
    >>> int((digits.y_train != -1).sum())
    300
    """
    rng = check_random_state(random_state)
    digits = load_digits()
    X, y = digits.data.astype(np.float32), digits.target.astype(np.int64)
    n_test = _count_test_rows(test_size, len(y))
    _check_n_labeled(n_labeled, len(y) - n_test)

    test = rng.permutation(_draw_stratified(y, n_test, rng))
    train = rng.permutation(np.setdiff1d(np.arange(len(y)), test))
    y_train = _hide_labels(y[train], n_labeled, rng)
    descr = _DIGITS_DESCR.format(
        n_train=len(train), n_labeled=np.count_nonzero(y_train != -1), n_test=n_test
    )
    return Bunch(
        X_train=X[train],
        y_train=y_train,
        X_test=X[test],
        y_test=y[test],
        image_shape=(8, 8),
        target_names=digits.target_names,
        DESCR=descr + digits.DESCR,
    )


@validate_params(
    {
        "data_home": [str, os.PathLike, None],
        "download": ["boolean"],
        "n_labeled": [Interval(Integral, _N_CLASSES, 60_000, closed="both"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def load_fashion_mnist(*, data_home=None, download=False, n_labeled=None, random_state=0):
    """Load Fashion-MNIST: 70,000 images of clothing in 10 classes.

    The data is looked for in the folder `data_home` or, where none is given, in the folder of
    Debian's package `dataset-fashion-mnist`. The network is used with `download=True` only. A file
    that is cut off, or of another format or shape than the published one, is refused.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the four published files `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
        `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each as it is or compressed, with
        `.gz` appended. No other place is tried when a folder is given.

    download : bool, default=False
        Whether to fetch the data with :func:`sklearn.datasets.fetch_openml`, which keeps it in
        scikit-learn's own data folder, when no folder is given and Debian's package is not
        installed. Reading this form of the data takes about a minute and 1 GB of memory.

    n_labeled : int or None, default=None
        Number of training rows that keep their label, drawn so that each class has its share of
        them. From 10 (one of each class) to 60,000; `None` keeps every label.

    random_state : int, RandomState instance or None, default=0
        Determines which rows keep their label; not used when `n_labeled` is `None`.
        Pass an int for the same rows at every call.
        See :term:`Glossary <random_state>`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        X_train : ndarray of shape (60000, 784), dtype float32
            Every training row, with a label or without, in the published order. Pixels are the
            published integers divided by 255: 0 (background) to 1. They take 188 MB.
        y_train : ndarray of shape (60000,), dtype int64
            The class, 0 to 9, of the rows that keep their label, -1 for the others.
        X_test : ndarray of shape (10000, 784), dtype float32
            The test rows, in the published order and in the units of `X_train`.
        y_test : ndarray of shape (10000,), dtype int64
            The class of each test row.
        image_shape : tuple of int
            Height and width of an image, `(28, 28)`.
        target_names : ndarray of shape (10,)
            The names of the classes.
        DESCR : str
            Description of the data.

    Raises
    ------
    FileNotFoundError
        If the data is not on this machine and `download` is `False`, or if the folder
        `data_home` lacks one of the four files.
    OSError
        If a file is cut off, or of another format or shape than the published one, or if what
        OpenML sent has another shape. The message names the file.
    ValueError
        If a parameter can't be used, such as an `n_labeled` that is not from 10 to 60,000.

    See Also
    --------
    load_digits_few_labels : Smaller images, bundled with scikit-learn.
    sklearn.datasets.fetch_openml : What `download=True` calls.

    Notes
    -----
    For an int `random_state` the rows labeled for a smaller `n_labeled` are among those labeled
    for a larger one.

    References
    ----------
    .. [1] H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for
           Benchmarking Machine Learning Algorithms", 2017. https://arxiv.org/abs/1708.07747

    Examples
    --------
    >>> from sklearn_ae.datasets import load_fashion_mnist
    >>> fashion = load_fashion_mnist(n_labeled=1000)  # doctest: +SKIP
    >>> fashion.X_train.shape, fashion.X_test.shape  # doctest: +SKIP
    ((60000, 784), (10000, 784))
    >>> int((fashion.y_train != -1).sum())  # doctest: +SKIP
    1000
    """
    rng = check_random_state(random_state)
    folder = _find_folder(data_home, download)
    arrays = [_read_idx(folder, *f) for f in _FASHION_FILES.items()] if folder else _fetch_arrays()
    X_train, y_train, X_test, y_test = arrays
    y_train = _hide_labels(y_train.astype(np.int64), n_labeled, rng)
    return Bunch(
        X_train=_scale(X_train),
        y_train=y_train,
        X_test=_scale(X_test),
        y_test=y_test.astype(np.int64),
        image_shape=(28, 28),
        target_names=np.array(_FASHION_CLASSES),
        DESCR=_FASHION_DESCR.format(n_labeled=np.count_nonzero(y_train != -1)),
    )


def _count_test_rows(test_size, n_rows):
    """Return the number of test rows, rounded up as in `train_test_split`."""
    n_test = 0
    if isinstance(test_size, Integral):
        n_test = int(test_size)
    elif isinstance(test_size, Real) and 0 < test_size < 1:
        n_test = math.ceil(test_size * n_rows)
    if not _N_CLASSES <= n_test <= n_rows - _N_CLASSES:
        raise InvalidParameterError(
            f"The 'test_size' parameter must be an int from {_N_CLASSES} to "
            f"{n_rows - _N_CLASSES}, or a float between 0 and 1 that makes as many rows of "
            f"{n_rows}. Got {test_size!r} instead."
        )
    return n_test


def _check_n_labeled(n_labeled, n_rows):
    """Refuse a number of labels that misses a class or exceeds the training rows."""
    if n_labeled is None:
        return
    if not (isinstance(n_labeled, Integral) and _N_CLASSES <= n_labeled <= n_rows):
        raise InvalidParameterError(
            f"The 'n_labeled' parameter must be None or an int from {_N_CLASSES} (one row of "
            f"each class) to {n_rows} (every training row). Got {n_labeled!r} instead."
        )


def _hide_labels(y, n_labeled, rng):
    """Return y with -1 in all but `n_labeled` rows."""
    if n_labeled is None:
        return y
    labeled = _draw_stratified(y, n_labeled, rng)
    y_hidden = np.full_like(y, -1)
    y_hidden[labeled] = y[labeled]
    return y_hidden


def _draw_stratified(y, n_rows, rng):
    """Draw rows in proportion to the classes, at least one of each.

    A draw of fewer rows is the beginning of a draw of more, and every row can be drawn: neither
    holds for :class:`~sklearn.model_selection.StratifiedShuffleSplit`.
    """
    order = rng.permutation(len(y))
    depth = np.empty(len(y))
    for label in np.unique(y):
        members = np.flatnonzero(y[order] == label)
        depth[members] = np.arange(len(members)) / len(members)
    return order[np.argsort(depth, kind="stable")[:n_rows]]


def _scale(images):
    """Flatten images, and divide by 255 without a second float copy."""
    return np.divide(images.reshape(len(images), -1), 255, dtype=np.float32)


def _find_folder(data_home, download):
    """Return the folder to read, or None if the data is to be downloaded."""
    folder = _DEBIAN_FOLDER if data_home is None else Path(data_home).expanduser()
    if folder.is_dir():
        return folder
    if data_home is not None:
        raise FileNotFoundError(f"data_home={str(data_home)!r} is not a folder.")
    if not download:
        raise FileNotFoundError(
            "Fashion-MNIST is not on this machine. Install Debian's package with 'apt install "
            "dataset-fashion-mnist', or pass the folder of the four IDX files as data_home, or "
            "pass download=True to fetch it from OpenML."
        )
    return None


def _read_idx(folder, name, shape):
    """Return the array in an IDX file, whose header and size must be those of the shape."""
    path = next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"{folder} has neither the file {name} nor {name}.gz.")
    # The magic number says unsigned bytes, and how many dimensions follow.
    header = struct.pack(f">{1 + len(shape)}I", 0x0800 + len(shape), *shape)
    size = len(header) + math.prod(shape)
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as stream:
            content = stream.read(size + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise OSError(f"{path} is not a whole gzip file: {error}.") from error
    if len(content) != size or not content.startswith(header):
        raise OSError(
            f"{path} is not an IDX file of bytes of shape {shape}: expected {size} bytes that "
            f"begin with 0x{header.hex()}, read {len(content)} that begin with "
            f"0x{content[: len(header)].hex()}."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=len(header)).reshape(shape)


def _fetch_arrays():
    """Return pixels and labels of both parts from OpenML, where they are one table."""
    # The pure Python parser: the default one needs pandas, which is not a dependency.
    table = fetch_openml("Fashion-MNIST", version=1, as_frame=False, parser="liac-arff")
    (n_train,), (n_test,) = list(_FASHION_FILES.values())[1::2]
    if table.data.shape != (n_train + n_test, 784):
        raise OSError(f"OpenML's Fashion-MNIST has the wrong shape, {table.data.shape}.")
    X, y = table.data, table.target.astype(np.int64)
    return X[:n_train], y[:n_train], X[n_train:], y[n_train:]
