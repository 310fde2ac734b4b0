"""Faults and bad inputs, each with the outcome that it must have; the row numbers are its list's.

"Clear" is an error raised before training starts that names the parameter or the array, the value
got and what is allowed; after it the estimator is as it was before.
"""

import copy
import io
import os
import pickle
import random
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.utils import get_tags
from skorch.callbacks import Callback
from torch import nn

from sklearn_ae import Autoencoder, DenoisingAutoencoder, DivergenceError, SparseAutoencoder
from sklearn_ae._engine import _batches, _inference
from sklearn_ae._engine._net import ReconstructionNet
from sklearn_ae.corruptions import (
    CORRUPTIONS,
    GaussianNoise,
    Masking,
    RegionBlanking,
    SaltAndPepper,
    SwapNoise,
)
from sklearn_ae.modules import ACTIVATIONS, TopK
from sklearn_ae.penalties import L1, KLDivergence

# Data that are not scaled and runs that are too short are the point here.
pytestmark = [
    pytest.mark.filterwarnings("ignore:X is not scaled"),
    pytest.mark.filterwarnings("ignore:All .* codes are zero"),
    pytest.mark.filterwarnings("ignore:.*columns of X carry"),
    pytest.mark.filterwarnings("ignore:.*while the validation loss still fell"),
]

PARAMETERS = vars(Autoencoder()).keys()
FITS = ["fit", "fit_transform", "partial_fit"]
LOOKS = ["transform", "reconstruct", "score_samples", "score"]
ON_X = FITS + LOOKS

KINDS = {
    "ndarray": np.asarray,
    "float64": lambda X: np.asarray(X, dtype=np.float64),
    "list": lambda X: np.asarray(X).tolist(),
    "pandas": pd.DataFrame,
    "polars": lambda X: pl.DataFrame(np.asarray(X), schema=[f"c{i}" for i in range(X.shape[1])]),
    "csr_matrix": sparse.csr_matrix,
    "csr_array": sparse.csr_array,
    "tensor": lambda X: torch.tensor(np.asarray(X)),
}

CORRUPTION_PARTS = {
    "gaussian": GaussianNoise(),
    "masking": Masking(),
    "masking_mean": Masking(fill="mean"),
    "salt_and_pepper": SaltAndPepper(),
    "swap": SwapNoise(),
    "swap_groups": SwapNoise(groups=[[0, 1], [4, 2, 7]]),
    "region": RegionBlanking(image_shape=(2, 4)),
}

each_kind = pytest.mark.parametrize("kind", KINDS)


def linear_decoder(n_features_in, n_components):
    return nn.Linear(n_components, n_features_in)


def assert_clear(call, *needles, error=(ValueError, TypeError)):
    """The call raises before training starts, and the message holds the needles."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X has feature names", UserWarning)
        patch.setattr(
            ReconstructionNet, "fit_loop", lambda *args, **kwargs: pytest.fail("training started")
        )
        with pytest.raises(error) as caught:
            call()
    message = str(caught.value)
    missing = [needle for needle in needles if str(needle) not in message]
    assert not missing, f"{missing} not in: {message}"


def assert_close(actual, desired):
    """Equal but for the rounding of float32 in sums of another order."""
    assert_allclose(actual, desired, rtol=1e-5, atol=1e-5)


def assert_unfitted(estimator):
    assert vars(estimator).keys() == vars(clone(estimator)).keys()
    with pytest.raises(NotFittedError):
        estimator.transform(np.zeros((2, 8)))


def fit_of(estimator):
    """Return the identity of everything that a fit set."""
    return {name: id(value) for name, value in vars(estimator).items() if name not in PARAMETERS}


def assert_refused(good, X, *needles, X_bad=None, **bad):
    """Bad parameters or a bad X are clear in every way to fit, and leave no trace."""
    X_bad = X if X_bad is None else X_bad
    for method in FITS:
        fresh = clone(good).set_params(**bad)
        assert_clear(partial(getattr(fresh, method), X_bad), *needles)
        assert_unfitted(fresh)
    fitted = clone(good).fit(X)
    attributes, codes = fit_of(fitted), fitted.transform(X)
    fitted.set_params(**bad)
    assert_clear(partial(fitted.fit, X_bad), *needles)
    assert_clear(partial(fitted.partial_fit, X_bad))
    if "warm_start" not in bad:
        assert_clear(partial(fitted.set_params(warm_start=True).fit, X_bad))
    assert_array_equal(fitted.transform(X), codes)
    assert fit_of(fitted) == attributes


def takes(make, *names):
    """Skip nothing silently: a class that doesn't show a parameter must refuse its name."""
    if set(names) <= set(make.cls().get_params()):
        return True
    with pytest.raises((TypeError, ValueError)):
        make(**dict.fromkeys(names, 0))
    return False


# ---------------------------------------------------------------------------------- arrays


@pytest.mark.parametrize(
    ("kind", "value"),
    [(kind, np.nan) for kind in KINDS]
    + [(kind, value) for kind in ("ndarray", "csr_array", "tensor") for value in (np.inf, -np.inf)],
)
def test_row01_nan_and_inf(make, X, kind, value):
    X_bad = X.copy()
    X_bad[-1, 3] = value
    X_bad = KINDS[kind](X_bad)
    needle = "Input X contains " + ("NaN" if np.isnan(value) else "infinity")
    assert_refused(make(), X, needle, X_bad=X_bad)
    fitted = make(n_components=8).fit(X)
    for method in [*LOOKS, "inverse_transform"]:
        assert_clear(partial(getattr(fitted, method), X_bad), needle)


@pytest.mark.parametrize(
    ("kind", "value"), [*[(kind, 1e39) for kind in KINDS], ("ndarray", -1e300)]
)
def test_row02_overflow(make, X, kind, value):
    X_bad = X.astype(np.float64)
    X_bad[3, 1] = value
    X_bad = KINDS[kind](X_bad)
    needle = "too large for dtype('float32')"
    assert_refused(make(), X, needle, X_bad=X_bad)
    fitted = make(n_components=8).fit(X)
    for method in [*LOOKS, "inverse_transform"]:
        assert_clear(partial(getattr(fitted, method), X_bad), needle)


def test_row02_float64_takes_what_float32_does_not(make, X):
    X = X.astype(np.float64)
    X[3, 1] = 1e39
    assert np.isfinite(make(precision="float64").fit_transform(X)).all()


@pytest.mark.parametrize("where", ["everywhere", "one column", "one entry"])
@pytest.mark.parametrize("loss", ["squared_error", "huber"])
@pytest.mark.parametrize("magnitude", [1e6, 1e10, 1e15, 1e18, 1e20, 1e30])
def test_row03_large_magnitudes(make, X, magnitude, loss, where):
    X_big = X.copy()
    part = {"everywhere": ..., "one column": np.s_[:, 2], "one entry": np.s_[-1, -1]}[where]
    X_big[part] *= magnitude
    estimator = make(loss=loss, max_epochs=4, learning_rate=0.1)
    try:
        codes = estimator.fit_transform(X_big)
    except DivergenceError as error:
        said = str(error).lower()
        assert all(needle in said for needle in ("epoch", "loss", "scale the input")), said
        assert_unfitted(estimator)
    else:
        assert magnitude < 1e20 or loss == "huber", "the square of it does overflow"
        assert np.isfinite(codes).all()
        assert np.isfinite(estimator.loss_curve_).all()


@pytest.mark.parametrize("magnitude", [1e6, 1e12, 1e18, 1e24, 1e30, 3e38])
def test_row03_large_magnitudes_only_after_fit(make, X, magnitude):
    estimator = make().fit(X)
    codes = estimator.transform(X)
    big = X / np.abs(X).max() * np.float32(magnitude)
    for method in [*LOOKS, "inverse_transform"]:
        try:
            result = getattr(estimator, method)(big[:, :6] if method[0] == "i" else big)
        except ValueError as error:
            said = str(error)
            result = 0 if "not finite" in said and "scale" in said else pytest.fail(said)
        assert np.isfinite(result).all()
    assert_array_equal(estimator.transform(X), codes)


def test_row03_overflow_keeps_the_old_fit(make, X):
    estimator = make().fit(X)
    codes = estimator.transform(X)
    for method in FITS:
        with pytest.raises(DivergenceError):
            getattr(estimator, method)(X * np.float32(1e25))
        assert_array_equal(estimator.transform(X), codes)
    assert estimator.n_iter_ == 2


SHAPES = {
    "1-D": (np.ones(8), "Expected 2D array, got 1D array instead"),
    "3-D": (np.ones((4, 8, 1)), "dim 3"),
    "0-d": (np.array(1.0), "Expected 2D array, got scalar array instead"),
    "empty": (np.empty((0, 8)), "Found array with 0 sample(s)"),
    "no features": (np.empty((5, 0)), "Found array with 0 feature(s)"),
}


@pytest.mark.parametrize("convert", [np.asarray, torch.tensor], ids=["ndarray", "tensor"])
@pytest.mark.parametrize("shape", SHAPES)
def test_row04_shapes(make, X, shape, convert):
    X_bad, needle = SHAPES[shape]
    X_bad = convert(X_bad)
    assert_refused(make(), X, needle, X_bad=X_bad)
    fitted = make(n_components=8).fit(X)
    for method in [*LOOKS, "inverse_transform"]:
        assert_clear(partial(getattr(fitted, method), X_bad), needle)


@pytest.mark.parametrize("convert", [sparse.csr_matrix, sparse.csr_array])
def test_row04_empty_sparse(make, X, convert):
    assert_refused(make(), X, "0 sample(s)", X_bad=convert(np.empty((0, 8))))


@pytest.mark.parametrize("n_rows", [1, 2, 15, 16, 17, 33])
@pytest.mark.parametrize("kind", ["ndarray", "csr_array", "tensor"])
def test_row05_few_rows_and_last_batches(make, X, n_rows, kind):
    estimator = make()
    rows = KINDS[kind](X[:n_rows])
    codes = estimator.fit(rows).partial_fit(rows).transform(rows)
    assert codes.shape == (n_rows, 6)
    assert np.isfinite(codes).all()


@pytest.mark.parametrize("n_rows", [1, 2, 17])
@pytest.mark.parametrize("corruption", CORRUPTION_PARTS)
def test_row05_few_rows_of_each_corruption(X, corruption, n_rows):
    estimator = DenoisingAutoencoder(
        6, corruption=CORRUPTION_PARTS[corruption], batch_size=16, max_epochs=2
    )
    assert np.isfinite(estimator.fit_transform(X[:n_rows])).all()


DEGENERATE = {
    "one feature": lambda X: X[:, :1],
    "one constant column": lambda X: np.hstack([X, np.full((len(X), 1), 3.0, np.float32)]),
    "all constant": lambda X: np.full_like(X, -2.5),
    "zeros": np.zeros_like,
    "one row many times": lambda X: np.repeat(X[:1], 40, axis=0),
    "one feature of zeros": lambda X: np.zeros_like(X[:, :1]),
}


@pytest.mark.parametrize("data", DEGENERATE)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_components": 300},
        {"kind": "csr_array"},
        {"tied_weights": True},
        {"hidden_layer_sizes": (3,)},
        {"activation": TopK(k=2)},
        {"loss": "huber", "activation": "sigmoid"},
        {"early_stopping": True},
    ],
    ids=str,
)
def test_row06_degenerate_columns(make, X, data, params):
    params = dict(params)
    X = KINDS[params.pop("kind", "ndarray")](DEGENERATE[data](X))
    estimator = make(**params).fit(X)
    assert np.isfinite(estimator.transform(X)).all()
    assert np.isfinite(estimator.reconstruct(X)).all()
    assert np.isfinite(estimator.score(X))


@pytest.mark.parametrize("corruption", CORRUPTION_PARTS)
@pytest.mark.parametrize("data", ["all constant", "zeros", "one row many times"])
def test_row06_degenerate_columns_of_each_corruption(X, data, corruption):
    estimator = DenoisingAutoencoder(6, corruption=CORRUPTION_PARTS[corruption], max_epochs=2)
    assert np.isfinite(estimator.fit_transform(DEGENERATE[data](X))).all()


@pytest.mark.parametrize("penalty", ["l1", "l2", "kl"])
@pytest.mark.parametrize("data", DEGENERATE)
def test_row06_degenerate_columns_of_each_penalty(X, data, penalty):
    estimator = SparseAutoencoder(6, penalty=penalty, activation="sigmoid", alpha=2, max_epochs=3)
    assert np.isfinite(estimator.fit_transform(DEGENERATE[data](X))).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_row06_constant_columns_under_binary_cross_entropy(make, value):
    X = np.full((20, 8), value)
    estimator = make(loss="binary_cross_entropy").fit(X)
    assert np.isfinite(estimator.transform(X)).all()


@pytest.mark.parametrize("kind", ["ndarray", "list", "pandas", "csr_array", "tensor"])
@pytest.mark.parametrize("width", [1, 7, 9])
def test_row07_wrong_number_of_features(make, X, kind, width):
    estimator = make().fit(X)
    X_bad = KINDS[kind](np.ones((3, width), np.float32))
    for method in [*LOOKS, "partial_fit"]:
        needle = f"X has {width} features, but {make.cls.__name__} is expecting 8 features as input"
        assert_clear(partial(getattr(estimator, method), X_bad), needle)


@pytest.mark.parametrize("width", [1, 5, 7, 8])
def test_row07_wrong_number_of_codes(make, X, width):
    estimator = make().fit(X)
    assert_clear(
        partial(estimator.inverse_transform, np.ones((3, width))),
        f"X has {width} ",
        "n_components=6",
    )


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_row07_column_names(make, X, library):
    names = list("abcdefgh")
    frame = library.DataFrame(dict(zip(names, X.T, strict=True)))
    estimator = make().fit(frame)
    assert list(estimator.feature_names_in_) == names
    reordered = frame[names[::-1]]
    renamed = library.DataFrame(dict(zip(list("zbcdefgh"), X.T, strict=True)))
    for method in [*LOOKS, "partial_fit"]:
        assert_clear(partial(getattr(estimator, method), reordered), "same order")
        assert_clear(partial(getattr(estimator, method), renamed), "unseen at fit time", "- z")
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            getattr(estimator, method)(X)


CONVERTIBLE = [
    "object",
    "bool",
    "int8",
    "int64",
    "uint8",
    "uint64",
    "float16",
    "float64",
    ">f4",
    ">f8",
    ">i4",
    "longdouble",
]


@pytest.mark.parametrize("dtype", CONVERTIBLE)
def test_row08_numbers_convert(make, dtype):
    X = np.random.RandomState(0).randint(0, 2 if dtype == "bool" else 9, (20, 8))
    estimator = make().fit(X.astype(np.float32))
    other = make().fit(X.astype(dtype))
    for method in LOOKS:
        expected = getattr(estimator, method)(X.astype(np.float32))
        assert_array_equal(getattr(other, method)(X.astype(dtype)), expected)
    codes = estimator.transform(X)
    assert codes.dtype == np.float32
    integers = np.round(np.abs(codes) % 2).astype(dtype)
    assert_array_equal(
        other.inverse_transform(integers), estimator.inverse_transform(integers.astype(np.float32))
    )


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.uint8, torch.bool]
)
def test_row08_tensors_of_numbers_convert(make, dtype):
    X = torch.tensor(np.random.RandomState(0).randint(0, 2, (20, 8))).to(dtype)
    codes = make().fit(X).transform(X)
    assert_array_equal(codes, make().fit_transform(X.float().numpy()))
    assert make().fit(X).inverse_transform(X[:, :6]).shape == (20, 8)


UNUSABLE = {
    "strings": (np.array([["a", "1"]] * 8), "'a'"),
    "strings as objects": (np.array([["a", 1.0]] * 8, dtype=object), "'a'"),
    "strings in a frame": (pd.DataFrame({"x": ["a", "b"] * 4, "y": 1.0}), "'a'"),
    "strings in polars": (pl.DataFrame({"x": ["a", "b"] * 4, "y": [1.0] * 8}), "'a'"),
    "dicts": (np.array([[{}, 1.0]] * 8, dtype=object), "argument must be"),
    "None": (np.array([[None, 1.0]] * 8, dtype=object), "NaN"),
    "complex": (np.ones((8, 2), complex), "Complex data not supported"),
    "complex tensor": (torch.ones(8, 2, dtype=torch.complex64), "Complex data not supported"),
    "complex sparse": (sparse.csr_array(np.ones((8, 2), complex)), "Complex data not supported"),
}


@pytest.mark.parametrize("given", UNUSABLE)
def test_row08_what_is_no_number_is_clear(make, X, given):
    X_bad, needle = UNUSABLE[given]
    assert_refused(make(), X, needle, X_bad=X_bad)
    fitted = make(n_components=2).fit(X[:, :2])
    for method in [*LOOKS, "inverse_transform"]:
        assert_clear(partial(getattr(fitted, method), X_bad), needle)


def packed_records(X):
    """Return the field of a packed record array: strides that no tensor can have."""
    records = np.empty(len(X), dtype=[("flag", "u1"), ("x", X.dtype, X.shape[1:])])
    records["x"] = X
    return records["x"]


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "every other column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "reversed rows": lambda X: X[::-1].copy()[::-1],
    "reversed columns": lambda X: X[:, ::-1].copy()[:, ::-1],
    "transposed twice": lambda X: np.ascontiguousarray(X.T).T,
    "packed records": packed_records,
    "subclass": lambda X: np.ma.asarray(X),
}


@pytest.mark.parametrize("writeable", [True, False], ids=["writeable", "read-only"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_row09_memory_layouts(make, X, layout, writeable):
    given = LAYOUTS[layout](X)
    assert_array_equal(given, X)
    given.flags.writeable = writeable
    estimator = make().fit(given)
    other = make().fit(X)
    for method in LOOKS:
        assert_array_equal(getattr(estimator, method)(X), getattr(other, method)(X))
        assert_close(getattr(estimator, method)(given), getattr(other, method)(X))
    codes = LAYOUTS[layout](other.transform(X))
    codes.flags.writeable = writeable
    assert_close(estimator.inverse_transform(codes), other.reconstruct(X))
    estimator.partial_fit(given)
    assert_array_equal(given, X)


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_row09_memory_maps(make, X, tmp_path, mode):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode=mode)
    codes = make().fit(mapped).partial_fit(mapped).transform(mapped)
    assert_array_equal(codes, make().fit(X).partial_fit(X).transform(X))
    assert_array_equal(mapped, X)
    assert_array_equal(np.load(tmp_path / "X.npy"), X)


@pytest.mark.parametrize("corruption", CORRUPTION_PARTS)
@pytest.mark.parametrize("kind", ["ndarray", "read-only", "csr_array", "tensor", "pandas"])
def test_row09_input_is_never_written_to(X, corruption, kind):
    given = X.copy() if kind in ("ndarray", "read-only") else KINDS[kind](X.copy())
    if kind == "read-only":
        given.flags.writeable = False
    estimator = DenoisingAutoencoder(
        6, corruption=CORRUPTION_PARTS[corruption], corruption_level=0.5, max_epochs=2
    )
    estimator.fit(given).partial_fit(given).transform(given)
    assert_array_equal(given.toarray() if sparse.issparse(given) else np.asarray(given), X)


SPARSE = [
    getattr(sparse, f"{name}_{kind}")
    for name in ("csr", "csc", "coo", "bsr", "dok", "lil")
    for kind in ("matrix", "array")
]


def thinned(X):
    return np.where(np.abs(X) > 1, X, 0).astype(np.float32)


@pytest.mark.parametrize("convert", SPARSE, ids=lambda convert: convert.__name__)
def test_row10_sparse_formats(make, X, convert):
    X = thinned(X)
    given = convert(X)
    estimator, other = make().fit(given), make().fit(X)
    for method in LOOKS:
        assert_close(getattr(estimator, method)(given), getattr(other, method)(X))
    codes = thinned(other.transform(X))
    assert_close(estimator.inverse_transform(convert(codes)), other.inverse_transform(codes))
    assert_close(estimator.partial_fit(given).transform(X), other.partial_fit(X).transform(X))
    assert get_tags(estimator).input_tags.sparse


@pytest.mark.parametrize("corruption", CORRUPTION_PARTS)
@pytest.mark.parametrize("state", ["plain", "int64", "read-only", "unsorted", "zeros", "twice"])
def test_row10_sparse_states_of_each_corruption(X, corruption, state):
    X = thinned(X)
    given = sparse.csr_array(X)
    if state == "int64":
        given.indices, given.indptr = given.indices.astype("i8"), given.indptr.astype("i8")
    elif state == "read-only":
        for array in (given.data, given.indices, given.indptr):
            array.flags.writeable = False
    elif state == "unsorted":
        given = sparse.csr_array(X[:, ::-1])[:, ::-1].tocsr()
        given.indices[: given.indptr[1]] = given.indices[: given.indptr[1]][::-1]
        given.data[: given.indptr[1]] = given.data[: given.indptr[1]][::-1]
        given.has_sorted_indices = False
    elif state == "zeros":
        given.data[:3] = 0
        X = given.toarray()
    elif state == "twice":
        row, column = X.nonzero()
        half = X[row, column] / 2
        given = sparse.coo_array((np.r_[half, half], (np.r_[row, row], np.r_[column, column])))
    before = given.copy().toarray()
    estimator = DenoisingAutoencoder(
        6, corruption=CORRUPTION_PARTS[corruption], max_epochs=2, random_state=0
    )
    codes = clone(estimator).fit_transform(X)
    assert_close(estimator.fit_transform(given), codes)
    assert_array_equal(given.toarray(), before)


def test_row10_sparse_is_never_dense_as_a_whole(make, monkeypatch):
    X = sparse.random_array((500, 30_000), density=1e-3, format="csr", dtype=np.float32, rng=0)
    largest = []

    def recorded(self, *args, **kwargs):
        largest.append(self.shape[0])
        return toarray(self, *args, **kwargs)

    toarray = sparse.csr_array.toarray
    monkeypatch.setattr(sparse.csr_array, "toarray", recorded)
    monkeypatch.setattr(sparse.csr_array, "todense", lambda self: pytest.fail("dense"))
    monkeypatch.setattr(_inference, "_MAX_ENTRIES", 64 * 30_000)
    estimator = make(n_components=3, max_epochs=1, batch_size=50, early_stopping=True).fit(X)
    assert largest
    assert max(largest) <= 51
    for method in LOOKS:
        getattr(estimator, method)(X)
    assert max(largest) <= 64


FRAMES = {
    "float32": lambda X: pd.DataFrame(X),
    "Float32": lambda X: pd.DataFrame(X).astype("Float32"),
    "Float64": lambda X: pd.DataFrame(X).astype("Float64"),
    "float[pyarrow]": lambda X: pd.DataFrame(X).astype("float[pyarrow]"),
    "mixed": lambda X: pd.DataFrame(X).astype({0: "Float64", 1: "float64", 2: "double[pyarrow]"}),
    "sparse": lambda X: pd.DataFrame(X).astype(pd.SparseDtype("float32", 0.0)),
    "polars": lambda X: pl.DataFrame(X),
    "polars Float64": lambda X: pl.DataFrame(X.astype(np.float64)),
}


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_row11_frames(make, X, frame, output):
    given = FRAMES[frame](X)
    if isinstance(given, pd.DataFrame):
        given.columns = [f"f{i}" for i in given.columns]
        given.index = np.arange(len(X))[::-1] * 3
    estimator = make().set_output(transform=output).fit(given)
    codes = estimator.transform(given)
    assert isinstance(codes, {"pandas": pd.DataFrame, "polars": pl.DataFrame}[output])
    assert list(codes.columns) == list(estimator.get_feature_names_out())
    assert_close(codes.to_numpy(), make().fit_transform(X))
    if output == "pandas" and isinstance(given, pd.DataFrame):
        assert_array_equal(codes.index, given.index)


@pytest.mark.parametrize("dtype", ["Int64", "int64[pyarrow]", "boolean", "bool[pyarrow]"])
def test_row11_frames_of_integers(make, X, dtype):
    X = (X > 0).astype(int)
    assert_close(make().fit_transform(pd.DataFrame(X).astype(dtype)), make().fit_transform(X))


@pytest.mark.parametrize("dtype", ["Float64", "float[pyarrow]", "Int64"])
def test_row11_missing_values_in_frames_are_clear(make, X, dtype):
    frame = pd.DataFrame(np.round(X)).astype(dtype)
    frame.iloc[1, 2] = pd.NA
    assert_refused(make(), X, "NaN", X_bad=frame)


def test_row11_missing_values_in_polars_are_clear(make, X):
    frame = pl.DataFrame({"a": [1.0, None, 3.0], "b": [1.0, 2.0, 3.0]})
    assert_refused(make(), X, "NaN", X_bad=frame)


def test_row14_duplicates_and_two_distinct_rows(make, X):
    for rows in (np.repeat(X[:1], 50, axis=0), np.tile(X[:2], (25, 1))):
        assert np.isfinite(make().fit_transform(rows)).all()


@pytest.mark.parametrize("shape", [(1_000_000, 2), (20, 20_000)], ids=str)
def test_row14_extreme_shapes(make, shape):
    X = np.random.RandomState(0).random_sample(shape).astype(np.float32)
    codes = make(n_components=3, max_epochs=1, batch_size=50_000).fit_transform(X)
    assert codes.shape == (shape[0], 3)
    assert np.isfinite(codes).all()


# ------------------------------------------------------------------------------ parameters


@pytest.mark.parametrize("value", [0, -3, 2.5, 4.0, True, "8", None, np.nan, [3]])
def test_row15_n_components(make, X, value):
    assert_refused(make(), X, "n_components", repr(value), "[1, inf)", n_components=value)


@pytest.mark.parametrize("value", [np.int32(5), np.int64(5)])
def test_row15_numpy_integers_are_integers(make, X, value):
    assert_array_equal(
        make(n_components=value).fit_transform(X), make(n_components=5).fit_transform(X)
    )


@pytest.mark.parametrize("value", [-0.1, -1, np.nan, np.inf, -np.inf, "1", True, None, [0.1]])
def test_row16_alpha(make, X, value):
    if takes(make, "alpha"):
        assert_refused(make(), X, "alpha", repr(value), "[0.0, inf)", alpha=value)


def test_row16_alpha_0_means_no_penalty(X):
    expected = Autoencoder(6, random_state=0, max_epochs=3).fit(X)
    for penalty in ("l1", "l2", "kl"):
        estimator = SparseAutoencoder(6, penalty=penalty, alpha=0, random_state=0, max_epochs=3)
        assert_array_equal(estimator.fit_transform(X), expected.transform(X))
        assert estimator.loss_curve_ == expected.loss_curve_


@pytest.mark.parametrize("value", [-0.1, 1, 1.0, 1.5, np.nan, np.inf, "0.5", True, None])
def test_row17_dropout(make, X, value):
    if takes(make, "dropout"):
        assert_refused(make(), X, "dropout", repr(value), "[0.0, 1.0)", dropout=value)


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf, "0.5", True, None])
@pytest.mark.parametrize("corruption", ["masking", *CORRUPTION_PARTS.values()], ids=str)
def test_row17_corruption_level(make, X, corruption, value):
    if takes(make, "corruption", "corruption_level"):
        good = make(corruption=corruption)
        needles = ["corruption_level", repr(value), "[0"]
        assert_refused(good, X, *needles, corruption_level=value)


@pytest.mark.parametrize("value", [1.01, 1e9])
@pytest.mark.parametrize("corruption", [*CORRUPTIONS, *CORRUPTION_PARTS.values()], ids=str)
def test_row17_corruption_level_above_1(make, X, corruption, value):
    if not takes(make, "corruption", "corruption_level"):
        return
    good = make(corruption=corruption)
    if corruption == "gaussian" or isinstance(corruption, GaussianNoise):
        good.set_params(corruption_level=min(value, 100)).fit(X)
    else:
        needles = ["corruption_level", repr(value), "[0, 1]"]
        assert_refused(good, X, *needles, corruption_level=value)


NAMED = {
    "penalty": ["'l1'", "'l2'", "'kl'"],
    "corruption": ["'gaussian'", "'masking'", "'salt_and_pepper'", "'swap'"],
    "activation": [repr(name) for name in ACTIVATIONS],
    "optimizer": ["'adam'", "'adamw'", "'sgd'"],
    "loss": ["'squared_error'", "'binary_cross_entropy'", "'huber'"],
    "learning_rate_schedule": ["'constant'", "'linear'"],
    "device": ["'auto'", "'cpu'", "'cuda'", "'mps'"],
    "output": ["'csr'", "'dense'"],
    "precision": ["'float32'", "'float64'"],
}


@pytest.mark.parametrize("value", ["nonsense", ""])
@pytest.mark.parametrize("name", NAMED)
def test_row18_unknown_names(make, X, name, value):
    if takes(make, name):
        assert_refused(make(), X, name, repr(value), *NAMED[name], **{name: value})


@pytest.mark.parametrize("value", [None, b"adam"])
@pytest.mark.parametrize("name", [name for name in NAMED if name != "device"])
def test_row18_what_is_no_name(make, X, name, value):
    if takes(make, name):
        assert_refused(make(), X, name, repr(value), *NAMED[name], **{name: value})


@pytest.mark.parametrize("value", [None, 0, "cpu:x", "meta", "cuda:-1", torch.device("meta")])
def test_row18_devices(make, X, value):
    assert_refused(make(), X, "device", repr(value) if value is None else str(value), device=value)


@pytest.mark.parametrize(
    ("name", "part"), [("penalty", L1), ("corruption", Masking), ("activation", TopK)]
)
def test_row18_a_class_in_place_of_an_object(make, X, name, part):
    if takes(make, name):
        assert_refused(make(), X, name, part.__name__, "object", **{name: part})


@pytest.mark.parametrize(
    ("name", "part", "needles"),
    [
        ("penalty", KLDivergence(rho=0), ["rho", "0", "(0.0, 1.0)"]),
        ("penalty", KLDivergence(rho=1.5), ["rho", "1.5", "(0.0, 1.0)"]),
        ("penalty", KLDivergence(rho="a"), ["rho", "'a'", "(0.0, 1.0)"]),
        ("corruption", Masking(fill="median"), ["fill", "'median'", "'zero'", "'mean'"]),
        ("corruption", Masking(fill=None), ["fill", "None", "'zero'", "'mean'"]),
    ],
    ids=str,
)
def test_row18_parameters_of_parts(make, X, name, part, needles):
    if takes(make, name):
        assert_refused(make(activation="sigmoid"), X, *needles, **{name: part})


NOT_PROBABILITIES = sorted(set(ACTIVATIONS) - {"sigmoid"})


@pytest.mark.parametrize("penalty", ["kl", KLDivergence(rho=0.1)], ids=str)
@pytest.mark.parametrize("activation", [*NOT_PROBABILITIES, TopK(k=2)], ids=str)
def test_row19_kl_needs_probabilities(make, X, activation, penalty):
    if takes(make, "penalty"):
        good = make(activation=activation)
        needles = ["penalty=", "(0, 1)", "activation='sigmoid'"]
        needles += ["codes range" if isinstance(activation, TopK) else repr(activation)]
        assert_refused(good, X, *needles, penalty=penalty, alpha=0.1)


def times_ten(x):
    return 10 * x


@pytest.mark.parametrize(
    "params",
    [
        {"activation": times_ten},
        {"activation": torch.nn.functional.softplus},
        {"encoder": nn.Linear},
        {"encoder": nn.Sequential(nn.Linear(8, 6), nn.ReLU())},
    ],
    ids=["function", "softplus", "callable", "module"],
)
def test_row19_kl_with_codes_that_turn_out_outside(make, X, params):
    if takes(make, "penalty"):
        needles = ["KLDivergence", "(0, 1)", "range from", "sigmoid"]
        assert_refused(make(**params), 5 * X, *needles, penalty="kl", alpha=0.1)


def test_row19_kl_with_codes_outside_in_a_late_row(make, X):
    if takes(make, "penalty"):
        X = X / np.abs(X).max() / 100
        X[-1] = 1000
        assert_refused(make(activation=torch.relu), X, "(0, 1)", "sigmoid", penalty="kl", alpha=0.1)


def test_row19_kl_is_fine_with_alpha_0_or_sigmoid(make, X):
    if takes(make, "penalty"):
        make(penalty="kl", alpha=0).fit(X)
        make(penalty="kl", alpha=1, activation="sigmoid").fit(X)
        make(penalty="kl", alpha=1, activation=torch.sigmoid).fit(X)
        encoder = nn.Sequential(nn.Linear(8, 6), nn.Sigmoid())
        make(penalty="kl", alpha=1, encoder=encoder).fit(X)


@pytest.mark.parametrize("k", [7, 100])
@pytest.mark.parametrize("hidden", [(), (20,)])
def test_row20_topk_above_n_components(make, X, k, hidden):
    good = make(hidden_layer_sizes=hidden)
    assert_refused(good, X, "activation", f"k={k}", "n_components=6", activation=TopK(k=k))


@pytest.mark.parametrize("k", [0, -1, 2.5, "3", None])
def test_row20_topk_below_1(make, X, k):
    assert_refused(make(), X, "'k'", "TopK", repr(k), "[1, inf)", activation=TopK(k=k))


def test_row20_topk_of_all_is_relu(make, X):
    assert_array_equal(
        make(activation=TopK(k=6)).fit_transform(X), make(activation="relu").fit_transform(X)
    )


def test_row21_region_blanking_without_a_shape():
    with pytest.raises(TypeError, match="image_shape"):
        RegionBlanking()


@pytest.mark.parametrize("value", [None, 8, "2x4", {2, 4}])
def test_row21_image_shape_is_no_shape(make, X, value):
    if takes(make, "corruption"):
        part = RegionBlanking(image_shape=value)
        assert_refused(
            make(), X, "image_shape", repr(value), "tuple", corruption=part, corruption_level=0.1
        )


@pytest.mark.parametrize(
    "value",
    [
        (),
        (8,),
        (1, 2, 2, 2),
        (0, 8),
        (-2, -4),
        (1.5, 4),
        (2.0, 4.0),
        (2, 4.5),
        ("2", "4"),
        (None, 8),
    ],
)
def test_row21_image_shape_of_wrong_entries(make, X, value):
    if takes(make, "corruption"):
        part = RegionBlanking(image_shape=value)
        needles = ["image_shape", repr(value), "(height, width)", "positive integers"]
        assert_refused(make(), X, *needles, corruption=part, corruption_level=0.1)


@pytest.mark.parametrize(("value", "product"), [((3, 3), 9), ((2, 2, 3), 12), ([1, 7], 7)])
@pytest.mark.parametrize("kind", ["ndarray", "csr_array", "tensor"])
def test_row21_image_shape_of_another_size(make, X, value, product, kind):
    if takes(make, "corruption"):
        part = RegionBlanking(image_shape=value)
        needles = ["image_shape", repr(value), f"{product} ", "8 features"]
        X_bad = KINDS[kind](X)
        assert_refused(make(), X, *needles, X_bad=X_bad, corruption=part, corruption_level=0.1)


@pytest.mark.parametrize("value", [(2, 4), (np.int64(2), np.int64(4)), [2, 4], [2, 2, 2]])
def test_row21_image_shapes_that_fit(X, value):
    estimator = DenoisingAutoencoder(6, corruption=RegionBlanking(image_shape=value), max_epochs=2)
    assert np.isfinite(estimator.fit_transform(X)).all()


@pytest.mark.parametrize(
    "groups",
    [
        [[0, 8]],
        [[-1, 0]],
        [[0, 1], [1, 2]],
        [[3, 3]],
        [0, 1],
        [[0.5, 1.5]],
        [["a", "b"]],
        [[None]],
        3,
        "ab",
    ],
    ids=str,
)
def test_row21_groups_that_do_not_fit(make, X, groups):
    if takes(make, "corruption"):
        part = SwapNoise(groups=groups)
        needles = ["groups", repr(groups), "from 0 to 7", "8 features"]
        assert_refused(make(), X, *needles, corruption=part, corruption_level=0.1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7", torch.device("cuda", 1)], ids=str)
def test_row22_no_gpu(make, X, device, monkeypatch):
    good = make()
    assert_refused(good, X, f"device={device!r}", "0 CUDA", "'cpu'", device=device)
    monkeypatch.setattr(
        _batches.Rows, "__init__", lambda *args, **kwargs: pytest.fail("data was copied")
    )
    assert_clear(partial(good.set_params(device=device).fit, X), repr(device))


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is an MPS device here")
def test_row22_no_mps(make, X):
    assert_refused(make(), X, "device='mps'", "MPS", "'auto'", device="mps")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_row22_more_gpus_than_there_are(make, X):
    n = torch.cuda.device_count()
    assert_refused(make(), X, f"cuda:{n + 6}", f"{n} CUDA", device=f"cuda:{n + 6}")


COUNTS = ["batch_size", "max_epochs", "n_iter_no_change"]


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "8", None, np.inf])
@pytest.mark.parametrize("name", COUNTS)
def test_row23_counts(make, X, name, value):
    assert_refused(make(), X, name, repr(value), "[1, inf)", **{name: value})


@pytest.mark.parametrize("batch_size", [41, 10_000, 2**40])
def test_row23_batch_size_is_clipped(make, X, batch_size):
    codes = make(batch_size=40).fit_transform(X)
    assert_array_equal(make(batch_size=batch_size).fit_transform(X), codes)


@pytest.mark.parametrize("value", [0, 0.0, -1e-3, np.nan, np.inf, "0.1", True, None])
def test_row23a_learning_rate(make, X, value):
    assert_refused(make(), X, "learning_rate", repr(value), "(0", "inf)", learning_rate=value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weight_decay", -0.1),
        ("weight_decay", np.inf),
        ("tol", -1e-9),
        ("tol", np.nan),
        ("validation_fraction", 0),
        ("validation_fraction", 1),
        ("validation_fraction", True),
        ("tied_weights", 1),
        ("tied_weights", "yes"),
        ("early_stopping", None),
        ("warm_start", 2),
        ("random_state", -1),
        ("random_state", "seed"),
        ("verbose", -1),
        ("encoder", 3),
        ("decoder", "dense"),
        ("callbacks", "epoch"),
        ("callbacks", 3),
        ("callbacks", ["epoch"]),
        ("hidden_layer_sizes", 5),
        ("hidden_layer_sizes", (0,)),
        ("hidden_layer_sizes", (5, -1)),
        ("hidden_layer_sizes", (5.0,)),
        ("hidden_layer_sizes", (True,)),
        ("hidden_layer_sizes", "55"),
    ],
    ids=str,
)
def test_row23a_other_parameters(make, X, name, value):
    got = repr(value[0] if name == "callbacks" and isinstance(value, list) else value)
    assert_refused(make(), X, name, got, **{name: value})


@each_kind
@pytest.mark.parametrize(("value", "shown"), [(1.5, "1.5"), (-0.25, "-0.25")])
def test_row23a_binary_cross_entropy_outside_0_1(make, kind, value, shown):
    X = np.random.RandomState(0).random_sample((20, 8)).astype(np.float32)
    X_bad = X.copy()
    X_bad[7, 3] = value
    good = make(loss="binary_cross_entropy")
    needles = ["loss='binary_cross_entropy'", "[0, 1]", shown]
    assert_refused(good, X, *needles, X_bad=KINDS[kind](X_bad))
    good.fit(KINDS[kind](X))


@pytest.mark.parametrize("kind", ["csr_matrix", "csr_array"])
def test_row23a_binary_cross_entropy_of_empty_sparse(make, kind):
    X = KINDS[kind](np.zeros((20, 8)))
    assert np.isfinite(make(loss="binary_cross_entropy").fit_transform(X)).all()


@pytest.mark.parametrize(("n_rows", "fraction"), [(1, 0.1), (1, 0.9), (3, 0.9), (5, 0.95)])
def test_row24_too_few_rows_for_the_split(make, X, n_rows, fraction):
    good = make(early_stopping=True)
    needles = ["early_stopping", f"validation_fraction={fraction}", f"n_samples={n_rows}"]
    for method in ("fit", "fit_transform"):
        estimator = clone(good).set_params(validation_fraction=fraction)
        assert_clear(partial(getattr(estimator, method), X[:n_rows]), *needles)
        assert_unfitted(estimator)
    fitted = good.fit(X)
    codes = fitted.transform(X)
    fitted.set_params(validation_fraction=fraction)
    assert_clear(partial(fitted.fit, X[:n_rows]), *needles)
    assert_array_equal(fitted.transform(X), codes)
    assert fitted.partial_fit(X[:n_rows]).n_iter_ == 3


@pytest.mark.parametrize(("n_rows", "fraction"), [(2, 0.1), (2, 0.5), (3, 0.6), (17, 0.9)])
def test_row24_just_enough_rows_for_the_split(make, X, n_rows, fraction):
    estimator = make(early_stopping=True, validation_fraction=fraction)
    assert np.isfinite(estimator.fit_transform(X[:n_rows])).all()
    assert len(estimator.validation_loss_curve_) == estimator.n_iter_


def vector_penalty(codes):
    return codes.abs().sum(dim=-1)


def nan_penalty(codes):
    return codes.sum() * torch.nan


def constant_penalty(codes):
    return torch.ones(())


def detached_penalty(codes):
    return codes.detach().abs().sum()


def number_penalty(codes):
    return 3.0


def none_penalty(codes):
    return None


BAD_PENALTIES = [
    (vector_penalty, "one number"),
    (number_penalty, "one number"),
    (none_penalty, "one number"),
    (nan_penalty, "finite"),
    (constant_penalty, "gradient"),
    (detached_penalty, "gradient"),
]


def halved(X, level, generator):
    return X[::2]


def one_row(X, level, generator):
    return X[:1]


def narrowed(X, level, generator):
    return X[:, :-1]


def as_array(X, level, generator):
    return X.numpy()


def nothing(X, level, generator):
    X.mul_(0.5)


def assert_part_refused(good, X, *needles, **bad):
    assert_refused(good, X, *needles, **bad)
    for params in ({}, {"warm_start": True}):
        fitted = clone(good).set_params(**params).fit(X)
        codes = fitted.transform(X)
        fitted.set_params(**bad)
        again = fitted.fit if params else fitted.partial_fit
        assert_clear(partial(again, X), *needles)
        assert_array_equal(fitted.transform(X), codes)


@pytest.mark.parametrize(("penalty", "needle"), BAD_PENALTIES)
def test_row25_custom_penalties(make, X, penalty, needle):
    if takes(make, "penalty"):
        assert_part_refused(
            make(), X, "penalty", penalty.__name__, needle, penalty=penalty, alpha=0.1
        )


@pytest.mark.parametrize("corruption", [halved, one_row, narrowed, as_array, nothing])
def test_row25_custom_corruptions(make, X, corruption):
    if takes(make, "corruption"):
        assert_part_refused(
            make(),
            X,
            "corruption",
            corruption.__name__,
            "shape",
            corruption=corruption,
            corruption_level=0.1,
        )


def test_row25_a_corruption_that_gives_nan(make, X):
    if takes(make, "corruption"):
        estimator = make(corruption=lambda X, level, generator: X / 0, corruption_level=0.1)
        with pytest.raises(ValueError, match="must return finite values"):
            estimator.fit(X)
        assert_unfitted(estimator)


class Constant(nn.Module):
    """A module that returns what it was given at construction."""

    def __init__(self, result):
        super().__init__()
        self.result = result
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.result


@pytest.mark.parametrize("callable_", [False, True], ids=["module", "callable"])
@pytest.mark.parametrize("width", [1, 5, 7])
def test_row26_encoder_of_another_width(make, X, width, callable_):
    encoder = nn.Linear(8, width)
    given = (lambda n_features, n_components: nn.Linear(8, width)) if callable_ else encoder
    assert_refused(make(), X, "encoder", "n_components", "(8, 6)", f"(8, {width})", encoder=given)


@pytest.mark.parametrize("width", [1, 7, 9])
def test_row26_decoder_of_another_width(make, X, width):
    needles = ["decoder", "n_features_in_", "(8, 8)", f"(8, {width})"]
    assert_refused(make(), X, *needles, decoder=nn.Linear(6, width))


@pytest.mark.parametrize(
    "encoder",
    [
        nn.Linear(9, 6),
        nn.Conv2d(1, 1, 3),
        Constant((torch.ones(8, 6),)),
        Constant(None),
        Constant(torch.ones(3, 6)),
        Constant(torch.ones(6)),
        lambda n_features, n_components: None,
        lambda n_features, n_components: torch.relu,
    ],
    ids=["features", "convolution", "tuple", "None", "rows", "vector", "makes None", "function"],
)
def test_row26_encoders_that_can_not_work(make, X, encoder):
    assert_refused(make(), X, "encoder", encoder=encoder)


def test_row26_encoder_of_a_trained_width(X):
    """A module keeps its width when a grid changes n_components."""
    estimator = SparseAutoencoder(6, encoder=nn.Linear(8, 6), max_epochs=1)
    assert_refused(estimator, X, "(8, 7)", "(8, 6)", n_components=7)


@pytest.mark.parametrize(("name", "part"), [("encoder", nn.Linear), ("decoder", linear_decoder)])
def test_row26_tied_weights_with_a_module(make, X, name, part):
    assert_refused(make(), X, "tied_weights", name, tied_weights=True, **{name: part})


def test_row26_activation_of_another_width(make, X):
    assert_refused(make(), X, "(8, 6)", "(8, 12)", activation=lambda x: torch.cat([x, -x], dim=-1))


# --------------------------------------------------------------------- life of an estimator


@each_kind
def test_row28_not_fitted(make, X, kind):
    estimator = make()
    for method in [*LOOKS, "inverse_transform"]:
        look = partial(getattr(estimator, method), KINDS[kind](X))
        assert_clear(look, make.cls.__name__, "not fitted yet", error=NotFittedError)
    assert_unfitted(estimator)


def test_row28_not_fitted_names_and_components(make):
    assert_clear(make().get_feature_names_out, "not fitted yet", error=NotFittedError)
    assert_clear(lambda: make().components_, "not fitted yet", error=NotFittedError)
    assert not hasattr(make(), "components_")


def test_row29_fit_starts_from_scratch(make, X):
    estimator = make().fit(X)
    codes, curve = estimator.transform(X), list(estimator.loss_curve_)
    assert_array_equal(estimator.fit(X).transform(X), codes)
    assert estimator.loss_curve_ == curve
    estimator.fit(X[:, :5])
    assert estimator.n_features_in_ == 5
    estimator.set_params(n_components=9).fit(X)
    assert estimator.transform(X).shape == (40, 9)
    assert len(estimator.get_feature_names_out()) == 9
    assert_array_equal(estimator.transform(X), make(n_components=9).fit_transform(X))


def test_row29_the_fitted_width_stays_until_the_next_fit(make, X):
    estimator = make().fit(X)
    codes = estimator.transform(X)
    estimator.set_params(n_components=9, precision="float64", loss="huber", activation="tanh")
    assert_array_equal(estimator.transform(X), codes)
    assert estimator.inverse_transform(codes).shape == X.shape
    assert len(estimator.get_feature_names_out()) == 6


def test_row29_partial_fit_continues(make, X):
    estimator = make().fit(X)
    before = estimator.transform(X)
    estimator.partial_fit(X)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 3
    assert not np.array_equal(estimator.transform(X), before)


@pytest.mark.parametrize(
    "changed",
    [
        {"n_components": 7},
        {"hidden_layer_sizes": (4,)},
        {"tied_weights": True},
        {"activation": "tanh"},
        {"activation": TopK(k=2)},
        {"precision": "float64"},
        {"encoder": nn.Linear(8, 6)},
        {"decoder": linear_decoder},
    ],
    ids=str,
)
def test_row29_partial_fit_of_another_network(make, X, changed):
    estimator = make().fit(X)
    codes = estimator.transform(X)
    estimator.set_params(**changed)
    (name,) = changed
    assert_clear(partial(estimator.partial_fit, X), name)
    assert_clear(partial(estimator.set_params(warm_start=True).fit, X), name)
    assert_array_equal(estimator.transform(X), codes)
    estimator.set_params(warm_start=False).fit(X)


def test_row29_equal_parts_are_no_other_network(make, X):
    estimator = make(activation=TopK(k=2)).fit(X)
    estimator.set_params(activation=TopK(k=2), hidden_layer_sizes=[]).partial_fit(X)
    assert_clear(partial(estimator.set_params(activation__k=3).partial_fit, X), "activation")


class Fault(Callback):
    """Raises at the end of the second epoch."""

    def __init__(self, error):
        self.error = error

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise self.error


class FaultyPenalty:
    """Raises when it is called for the fifth time: once for the check, then in training."""

    def __init__(self, error):
        self.error = error
        self.calls = 0

    def __call__(self, codes):
        self.calls += 1
        if self.calls == 5:
            raise self.error
        return codes.abs().sum(dim=(-2, -1)) / codes.shape[-2]


class OwnError(Exception):
    """Not known to anyone else."""


def assert_interrupted(estimator, X, error, **faulty):
    fresh = clone(estimator).set_params(**faulty)
    with pytest.raises(type(error)) as caught:
        fresh.fit(X)
    assert caught.value is error or str(caught.value) == str(error)
    assert_unfitted(fresh)
    for method in ("fit", "partial_fit"):
        fitted = clone(estimator).fit(X)
        attributes, codes, curve = fit_of(fitted), fitted.transform(X), list(fitted.loss_curve_)
        if method == "partial_fit" and "callbacks" in faulty:
            continue
        with pytest.raises(type(error)):
            getattr(fitted.set_params(**faulty), method)(X)
        assert_array_equal(fitted.transform(X), codes)
        assert fitted.loss_curve_ == curve
        assert fit_of(fitted) == attributes


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt("stop"), SystemExit(3)], ids=repr)
def test_row30_interrupt_in_a_callback(make, X, error, early_stopping):
    good = make(max_epochs=4, early_stopping=early_stopping)
    assert_interrupted(good, X, error, callbacks=[Fault(error)])


@pytest.mark.parametrize("early_stopping", [False, True])
def test_row30_interrupt_in_a_step(X, early_stopping):
    good = SparseAutoencoder(
        6, max_epochs=4, batch_size=4, random_state=0, early_stopping=early_stopping
    )
    error = KeyboardInterrupt("stop")
    fresh = clone(good).set_params(penalty=FaultyPenalty(error))
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(X)
    assert_unfitted(fresh)
    fitted = clone(good).fit(X)
    codes = fitted.transform(X)
    for method in ("fit", "partial_fit"):
        with pytest.raises(KeyboardInterrupt):
            getattr(fitted.set_params(penalty=FaultyPenalty(error)), method)(X)
        assert_array_equal(fitted.transform(X), codes)


ROADS = {
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "protocol 4": lambda estimator: pickle.loads(pickle.dumps(estimator, protocol=4)),
    "cloudpickle": lambda estimator: pickle.loads(cloudpickle.dumps(estimator)),
    "joblib": lambda estimator: joblib_copy(estimator),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


def joblib_copy(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"tied_weights": True, "hidden_layer_sizes": (5,)},
        {"warm_start": True},
        {"precision": "float64"},
        {"activation": TopK(k=2)},
        {"early_stopping": True},
        {"encoder": nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.ReLU())},
        {"encoder": nn.Linear, "decoder": linear_decoder},
        {"loss": "binary_cross_entropy"},
    ],
    ids=str,
)
def test_row34_copies(make, X, road, params):
    X = (X - X.min()) / (X.max() - X.min())
    estimator = make(**params).fit(X)
    other = ROADS[road](estimator)
    for method in LOOKS:
        assert_array_equal(getattr(other, method)(X), getattr(estimator, method)(X))
    codes = estimator.transform(X)
    assert_array_equal(other.inverse_transform(codes), estimator.inverse_transform(codes))
    assert other.loss_curve_ == estimator.loss_curve_
    assert clone(other).get_params(deep=False).keys() == estimator.get_params(deep=False).keys()
    assert_unfitted(clone(other))
    # It trains on, and the original does not change.
    other.partial_fit(X)
    assert not np.array_equal(other.transform(X), codes)
    assert_array_equal(estimator.transform(X), codes)


def test_row34_unfitted_copies(make, X):
    for road in ROADS.values():
        assert_array_equal(road(make()).fit_transform(X), make().fit_transform(X))


@pytest.mark.parametrize("first", ROADS)
@pytest.mark.parametrize("second", ROADS)
def test_row34_copies_of_copies(X, first, second):
    encoder = nn.Linear(8, 6)
    estimator = Autoencoder(6, encoder=encoder, max_epochs=1, random_state=0).fit(X)
    other = ROADS[second](ROADS[first](estimator))
    assert_array_equal(other.transform(X), estimator.transform(X))
    assert torch.equal(other.encoder.weight, encoder.weight)
    assert_array_equal(clone(other).fit_transform(X), estimator.transform(X))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_row34_fitted_on_a_gpu_and_loaded_without(make, X):
    estimator = make().fit(X)
    codes = estimator.transform(X)
    estimator.net_.device = "cuda:3"
    other = pickle.loads(pickle.dumps(estimator))
    assert_array_equal(other.transform(X), codes)
    other.partial_fit(X)


def test_row34_pickles_are_no_larger_for_a_module_given(X):
    """The module that the user gave is in the pickle once, as arrays, besides the trained one."""
    encoder = nn.Linear(8, 500)
    estimator = SparseAutoencoder(500, encoder=encoder, max_epochs=1).fit(X)
    built_in = SparseAutoencoder(500, max_epochs=1).fit(X)
    given = sum(weight.nbytes for weight in encoder.parameters())
    assert len(pickle.dumps(estimator)) < len(pickle.dumps(built_in)) + 1.5 * given
    assert b"torch.storage" not in pickle.dumps(estimator)


def test_row36_another_version(make, X):
    state = make().fit(X).__getstate__()
    version = [name for name in state if "version" in name]
    if not version:
        pytest.skip("a pickle of another version is not told from one of this version yet")
    state = {**state, version[0]: "0.0.0"}
    with pytest.warns(UserWarning, match=r"0\.0\.0"):
        make.cls.__new__(make.cls).__setstate__(state)


def test_row38_transform_from_8_threads(make, X):
    estimators = [
        make().fit(X),
        make(encoder=nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.Dropout())).fit(X),
    ]
    for estimator in estimators:
        expected = [getattr(estimator, method)(X) for method in LOOKS]
        barrier = threading.Barrier(8)

        def look(number, estimator=estimator, barrier=barrier):
            barrier.wait()
            return [[getattr(estimator, method)(X) for method in LOOKS] for _ in range(5)]

        with ThreadPoolExecutor(8) as pool:
            for rounds in pool.map(look, range(8)):
                for results in rounds:
                    for result, wanted in zip(results, expected, strict=True):
                        assert_array_equal(result, wanted)


class Dropping(nn.Module):
    """Draws from torch's global generator in training."""

    def __init__(self, n_features_in, n_components):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_features_in, n_components), nn.Dropout(0.5))

    def forward(self, x):
        return self.layers(x)


def draws(X, level, generator):
    np.random.random_sample()  # noqa: NPY002
    return X * (torch.rand(X.shape) > level)


class Draws(Callback):
    """Draws from torch's global generator at the end of an epoch."""

    def on_epoch_end(self, net, **kwargs):
        torch.rand(3)


def global_states():
    return [
        torch.get_rng_state().numpy(),
        np.random.get_state()[1],  # noqa: NPY002
        np.random.get_state()[2],  # noqa: NPY002
        random.getstate()[1],
    ]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": True},
        {"tied_weights": True, "hidden_layer_sizes": (5,)},
        {"random_state": np.random.RandomState(3)},
        {"encoder": Dropping},
        {"encoder": Dropping(8, 6), "decoder": linear_decoder},
        {"activation": torch.nn.functional.rrelu},
        {"callbacks": [Draws()]},
    ],
    ids=str,
)
def test_row40_global_generators(make, X, params):
    estimator = make(**params)
    before = global_states()
    estimator.fit(X)
    estimator.partial_fit(X)
    codes = estimator.transform(X)
    estimator.inverse_transform(codes)
    estimator.score(X)
    pickle.loads(pickle.dumps(estimator))
    with pytest.raises(DivergenceError):
        estimator.fit(X * 1e25)
    for now, then in zip(global_states(), before, strict=True):
        assert_array_equal(now, then)


@pytest.mark.parametrize(
    "params",
    [{"encoder": Dropping}, {"encoder": Dropping(8, 6)}, {"callbacks": [Draws()]}],
    ids=str,
)
def test_row40_what_the_global_generators_hold_does_not_matter(make, X, params):
    codes = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        codes.append(make(**params).fit(X).partial_fit(X).transform(X))
    assert_array_equal(*codes)


def test_row41_random_states(make, X):
    codes = make(random_state=7).fit_transform(X)
    assert_array_equal(make(random_state=7).fit_transform(X), codes)
    assert_array_equal(make(random_state=np.int64(7)).fit_transform(X), codes)
    assert not np.array_equal(make(random_state=8).fit_transform(X), codes)
    instance = np.random.RandomState(7)
    first, second = (make(random_state=instance).fit_transform(X) for _ in range(2))
    assert not np.array_equal(first, second)
    assert_array_equal(make(random_state=np.random.RandomState(7)).fit_transform(X), first)
    estimator = make(random_state=None)
    first, second = (estimator.fit_transform(X) for _ in range(2))
    assert not np.array_equal(first, second)


ROW42 = [
    (8, {}),
    (64, {"activation": "sigmoid"}),
    (500, {"n_components": 40, "activation": "identity"}),
    (3000, {"n_components": 40}),
    (3000, {"n_components": 40, "activation": "tanh", "precision": "float32"}),
    (500, {"n_components": 40, "hidden_layer_sizes": (60, 50)}),
    (500, {"n_components": 40, "activation": TopK(k=5)}),
]


@pytest.mark.parametrize(("n_features", "params"), ROW42, ids=str)
def test_row42_transform_in_pieces(make, n_features, params, monkeypatch):
    X = np.random.RandomState(1).normal(size=(50, n_features)).astype(np.float32)
    estimator = make(max_epochs=1, **params).fit(X)
    whole = estimator.transform(X)
    unit = 1e-5 if estimator.hidden_layer_sizes else 1e-6
    tolerance = unit * max(1, np.sqrt(n_features / 1000)) * np.abs(whole).max()
    rows = np.ones(len(X), bool)
    if isinstance(estimator.activation, TopK):
        layer = estimator.net_.module_.encoder.layers[-1]
        dense = X @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
        ordered = np.sort(dense, axis=1)[:, ::-1]
        rows = ordered[:, 4] - ordered[:, 5] > tolerance
        assert rows.sum() > 40
    pieces = {
        f"pieces of {step}": np.vstack(
            [estimator.transform(X[start : start + step]) for start in range(0, 50, step)]
        )
        for step in (1, 7, 16, 49)
    }
    pieces["backwards"] = estimator.transform(X[::-1].copy())[::-1]
    for entries in (1, 10 * n_features, 33 * n_features):
        monkeypatch.setattr(_inference, "_MAX_ENTRIES", entries)
        pieces[f"batches of {entries} entries"] = estimator.transform(X)
    rows_of_csr = sparse.csr_array(X)
    whole_csr = estimator.transform(rows_of_csr)
    by_row = np.vstack([estimator.transform(rows_of_csr[[i]]) for i in range(50)])
    assert np.abs(by_row - whole_csr)[rows].max() <= tolerance
    assert np.abs(whole_csr - whole)[rows].max() <= 10 * tolerance
    for name, codes in pieces.items():
        assert np.abs(codes - whole)[rows].max() <= tolerance, name


def test_row43_a_grid_where_one_candidate_diverges(make, X):
    grid = {"learning_rate": [1e-3, 1e30]}
    with (
        pytest.warns(FitFailedWarning, match="DivergenceError"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search = GridSearchCV(make(optimizer="sgd"), grid, cv=2).fit(X)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores[0])
    assert np.isnan(scores[1])
    assert search.best_params_ == {"learning_rate": 1e-3}
    with pytest.raises(DivergenceError):
        GridSearchCV(make(optimizer="sgd"), grid, cv=2, error_score="raise").fit(X)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_row44_user_code_that_raises(make, X, early_stopping):
    good = make(max_epochs=4, early_stopping=early_stopping)
    error = OwnError("from a callback")
    assert_interrupted(good, X, error, callbacks=[Fault(error)])
    assert_interrupted(good, X, error, callbacks=[("fault", Fault(error))])


def test_row44_a_penalty_that_raises(X):
    error = OwnError("from a penalty")
    good = SparseAutoencoder(6, max_epochs=4, batch_size=4, random_state=0)
    assert_interrupted(good, X, error, penalty=FaultyPenalty(error))


def test_row45_no_warning_at_default_settings(X):
    """In a new process with all warnings as errors, the imports included."""
    code = """
import numpy as np
import sklearn_ae as ae
X = np.random.RandomState(0).normal(size=(60, 12))
for cls in (ae.Autoencoder, ae.SparseAutoencoder, ae.DropoutAutoencoder, ae.DenoisingAutoencoder):
    estimator = cls().fit(X)
    codes = estimator.transform(X)
    assert codes.shape == (60, 256), codes.shape
    estimator.inverse_transform(codes)
    print(estimator.score(X), end=" ")
"""
    ours = [arg for name in ("sklearn_ae", "sklearn") for arg in ("-W", f"error:::{name}")]
    process = subprocess.run(
        [sys.executable, "-W", "error", *ours, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    assert len(process.stdout.split()) == 4
