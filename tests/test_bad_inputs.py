"""Faults and bad inputs, each with the outcome that it must have.

"Clear" is an error raised before training starts that names the parameter or the array, the value
got and what is allowed; after it the estimator is as it was before.
"""

import copy
import pickle
import tempfile
import warnings
from contextlib import nullcontext
from functools import partial
from itertools import count, cycle
from operator import attrgetter

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from joblib import Parallel, delayed
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from skorch.callbacks import Callback
from torch import nn

from sklearn_ae import Autoencoder, DenoisingAutoencoder, DivergenceError, SparseAutoencoder
from sklearn_ae._compute import _inference
from sklearn_ae.corruptions import (
    Gaps,
    GaussianNoise,
    Masking,
    RegionBlanking,
    SaltAndPepper,
    SwapNoise,
)
from sklearn_ae.modules import TopK
from sklearn_ae.modules._activations import ACTIVATIONS
from sklearn_ae.penalties import L1, KLDivergence

# Data that are not scaled and runs that are too short are the point here.
pytestmark = pytest.mark.filterwarnings(
    "ignore:(X is not scaled|All .* codes are zero|.*columns of X carry|.*while the validation)"
)

FITS = ["fit", "fit_transform", "partial_fit"]
LOOKS = ["transform", "reconstruct", "score_samples", "score"]

KINDS = {
    "ndarray": np.asarray,
    "list": lambda X: np.asarray(X).tolist(),
    "pandas": pd.DataFrame,
    "polars": lambda X: pl.DataFrame(np.asarray(X), schema=[f"c{i}" for i in range(X.shape[1])]),
    "csr_array": sparse.csr_array,
    "tensor": lambda X: torch.tensor(np.asarray(X)),
}


CORRUPTIONS = [GaussianNoise(), Masking(), Masking(fill="mean"), SaltAndPepper(), SwapNoise()]
CORRUPTIONS += [SwapNoise(groups=[[0, 1], [4, 2, 7]]), RegionBlanking(image_shape=(2, 4))]
CORRUPTIONS += [Gaps(), Gaps(groups=[[0, 1]], fill=[0.5] * 8)]


class Doubling:
    """A corruption of the user's that changes what it is given."""

    def __call__(self, X, level, generator):
        return X.mul_(2) * 1

    def __repr__(self):
        return "Doubling()"


CORRUPTIONS += [Doubling()]


def small(cls=Autoencoder, **params):
    return cls(**{"n_components": 6, "max_epochs": 2, "batch_size": 16, "random_state": 0} | params)


def linear_decoder(n_features_in, n_components):
    return nn.Linear(n_components, n_features_in)


def behind(module):
    return nn.Sequential(nn.Linear(8, 6), module)


def assert_clear(methods, X, *needles, error=(ValueError, TypeError)):
    """Each call raises before training starts, and its message holds the needles."""
    for method in methods:
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X has feature names", UserWarning)
            patch.setattr(torch.Tensor, "backward", lambda *_, **__: pytest.fail("it trains"))
            with pytest.raises(error) as caught:
                method(X)
        missing = [needle for needle in needles if needle not in str(caught.value)]
        assert not missing, f"{missing} not in: {caught.value}"


def methods_of(estimator, names):
    return [getattr(estimator, name) for name in names]


# Equal but for the rounding of float32 in sums of another order.
assert_close = partial(assert_allclose, rtol=1e-5, atol=1e-5)


def assert_unfitted(estimator):
    assert vars(estimator).keys() == vars(clone(estimator)).keys()
    with pytest.raises(NotFittedError):
        estimator.transform(np.zeros((2, 8)))


def fit_of(estimator):
    """Return the identity of everything that a fit set."""
    params = estimator.get_params(deep=False)
    return {name: id(value) for name, value in vars(estimator).items() if name not in params}


def assert_refused(good, X, *needles, X_bad=None, going_on=(), **bad):
    """Bad parameters or a bad X are clear in every way to fit, and leave no trace."""
    X_bad = X if X_bad is None else X_bad
    for method in FITS:
        fresh = clone(good).set_params(**bad)
        assert_clear([getattr(fresh, method)], X_bad, *needles)
        assert_unfitted(fresh)
    fitted = clone(good).fit(X)
    attributes, codes = fit_of(fitted), fitted.transform(X)
    fitted.set_params(**bad)
    assert_clear([fitted.fit], X_bad, *needles)
    assert_clear([fitted.partial_fit], X_bad, *going_on)
    if "warm_start" not in bad:
        assert_clear([fitted.set_params(warm_start=True).fit], X_bad, *going_on)
    assert_array_equal(fitted.transform(X), codes)
    assert fit_of(fitted) == attributes


def with_entry(value, kind):
    X = np.ones((5, 8))
    X[-1, 3] = value
    return KINDS[kind](X)


BAD_ARRAYS = [
    *[(with_entry(np.nan, kind), "Input X contains NaN") for kind in KINDS],
    *[(with_entry(np.inf, kind), "Input X contains infinity") for kind in ("ndarray", "tensor")],
    (with_entry(-np.inf, "csr_array"), "Input X contains infinity"),
    *[(with_entry(1e39, kind), "too large for dtype('float32')") for kind in KINDS],
    (with_entry(-1e300, "ndarray"), "too large for dtype('float32')"),
    (torch.ones(8), "Expected 2D array, got 1D array instead"),
    (np.ones((4, 8, 1)), "dim 3"),
    (torch.ones((4, 8, 1)), "dim 3"),
    (torch.empty((0, 8)), "Found array with 0 sample(s)"),
    (sparse.csr_array((0, 8)), "0 sample(s)"),
    (np.array([["a", "1"]] * 8), "'a'"),
    (pd.DataFrame({"x": ["a", "b"] * 4, "y": 1.0}), "'a'"),
    (pl.DataFrame({"x": ["a", "b"] * 4, "y": [1.0] * 8}), "'a'"),
    (np.array([[None, 1.0]] * 8, dtype=object), "NaN"),
    (torch.ones(8, 2, dtype=torch.complex64), "Complex data not supported"),
    (sparse.csr_array(np.ones((8, 2), complex)), "Complex data not supported"),
    (pl.DataFrame({"x": [1.0, None, 3.0], "y": [1.0, 2.0, 3.0]}), "NaN"),
    *[
        (pd.DataFrame({"x": [1, None], "y": [1, 2]}, dtype=object).astype(dtype), "NaN")
        for dtype in ("Float64", "float[pyarrow]", "Int64")
    ],
]


@pytest.mark.parametrize(("X_bad", "needle"), BAD_ARRAYS, ids=lambda value: type(value).__name__)
def test_bad_arrays(X, X_bad, needle):
    assert_refused(small(), X, needle, X_bad=X_bad)
    estimator = small().fit(X)
    assert_clear(methods_of(estimator, [*LOOKS, "inverse_transform"]), X_bad, needle)


EVERYWHERE, COLUMN, ENTRY = ..., np.s_[:, 2], np.s_[-1, -1]


@pytest.mark.parametrize(
    ("loss", "part", "fine", "overflowing"),
    [
        ("squared_error", EVERYWHERE, 1e15, 1e20),
        ("squared_error", COLUMN, 1e18, 1e20),
        ("squared_error", ENTRY, 1e18, 1e20),
        ("huber", EVERYWHERE, 1e30, 1e37),
        ("huber", COLUMN, 1e36, None),
    ],
)
def test_large_magnitudes(X, loss, part, fine, overflowing):
    estimator, big, bigger = small(loss=loss, max_epochs=4, learning_rate=0.1), X.copy(), X.copy()
    big[part] *= fine
    assert np.isfinite(clone(estimator).fit_transform(big)).all()
    assert np.isfinite(clone(estimator).fit(big).loss_curve_).all()
    if overflowing:
        bigger[part] *= overflowing
        with pytest.raises(DivergenceError, match=r"epoch 1: the train loss is (inf|nan).*Scale"):
            estimator.fit(bigger)
        assert_unfitted(estimator)


@pytest.mark.parametrize("magnitude", [1e6, 1e18, 1e24, 3e38])
def test_large_magnitudes_only_after_fit(X, magnitude):
    estimator = small().fit(X)
    codes = estimator.transform(X)
    big = X / np.abs(X).max() * np.float32(magnitude)
    # A square overflows float32.
    refused = magnitude > 1e20
    for look in methods_of(estimator, LOOKS):
        fails = pytest.raises(ValueError, match=r"not finite.*scale")
        with fails if refused and "score" in look.__name__ else nullcontext():
            assert np.isfinite(look(big)).all()
    assert np.isfinite(estimator.inverse_transform(big[:, :6])).all()
    for method in methods_of(estimator, FITS if refused else []):
        with pytest.raises(DivergenceError):
            method(big)
    assert_array_equal(estimator.transform(X), codes)
    assert estimator.n_iter_ == 2


def test_what_overflows_float32_alone(X):
    assert np.isfinite(small(precision="float64").fit_transform(X * np.float64(1e39))).all()
    estimator = small(activation="identity", tied_weights=True).fit(5 * X)
    row = np.sign(estimator.components_[:1]) * np.float32(3e38)
    with pytest.raises(ValueError, match="not finite"):
        estimator.transform(row)


@pytest.mark.parametrize(
    "params",
    [
        *[{}, {"n_components": 300}, {"hidden_layer_sizes": (3,)}, {"activation": TopK(k=2)}],
        *[{"tied_weights": True, "alpha": 0.1}, {"loss": "huber", "activation": "sigmoid"}],
        *[{"early_stopping": True}, {"loss": "binary_cross_entropy"}],
        *[{"penalty": p, "alpha": 2, "activation": "sigmoid"} for p in ("l1", "l2", "kl")],
        *[{"corruption": part, "corruption_level": 0.3} for part in CORRUPTIONS],
    ],
    ids=str,
)
def test_degenerate_data(X, params):
    between = (0, 1) if params.get("loss") == "binary_cross_entropy" else (-9, 9)
    narrow = [] if "corruption" in params else [np.zeros_like(X[:, :1])]
    fewest = 2 if "early_stopping" in params else 1
    data = [*narrow, *(X[:n] for n in (fewest, 15, 17)), np.tile(X[:2], (25, 1))]
    data += [np.where(np.arange(8) == 5, np.float32(3), X)]
    data += [np.full_like(X, value) for value in (-2.5, 0, 1)]
    for rows, kind in zip(data, cycle(["ndarray", "csr_array", "tensor"])):
        given = KINDS[kind](rows.clip(*between))
        estimator = small(**params).fit(given).partial_fit(given)
        for method in methods_of(estimator, LOOKS):
            assert np.isfinite(method(given)).all()


@pytest.mark.parametrize(
    ("width", "kind"), [(1, "list"), (7, "csr_array"), (9, "pandas"), (9, "tensor")]
)
def test_wrong_number_of_features_or_codes(X, width, kind):
    estimator = small(SparseAutoencoder).fit(X)
    given = KINDS[kind](np.ones((3, width), np.float32))
    needle = f"X has {width} features, but SparseAutoencoder is expecting 8 features as input"
    assert_clear(methods_of(estimator, [*LOOKS, "partial_fit"]), given, needle)
    assert_clear([estimator.inverse_transform], given, f"X has {width} ", "n_components=6")


def packed_records(X):
    """Return the field of a packed record array: strides that no tensor can have."""
    records = np.empty(len(X), dtype=[("flag", "u1"), ("x", X.dtype, X.shape[1:])])
    records["x"] = X
    return records["x"]


def read_only(X):
    X = X.copy(order="K")
    X.flags.writeable = False
    return X


def mapped(X, mode):
    with tempfile.TemporaryFile() as file:
        file.write(X.tobytes())
        file.flush()
        return np.memmap(file, X.dtype, mode, shape=X.shape)


def frame_of(X, dtype):
    return pd.DataFrame(X).astype(dtype)


def thinned(X):
    return np.where(np.abs(X) > 1, X, 0).astype(np.float32)


# From an array to what holds the same numbers.
OF_FLOATS = [
    lambda X: X.tolist(),
    lambda X: torch.tensor(X, dtype=torch.float64),
    lambda X: torch.tensor(X, requires_grad=True),
    lambda X: nn.Parameter(torch.tensor(np.ascontiguousarray(X.T)).T),
    lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    lambda X: X[:, ::-1].copy()[:, ::-1],
    lambda X: read_only(np.asfortranarray(X)),
    *[packed_records, np.ma.asarray, read_only, KINDS["polars"]],
    *[partial(np.ndarray.astype, dtype=t) for t in ("O", "float64", ">f4", ">f8", "longdouble")],
    *[partial(frame_of, dtype=dtype) for dtype in ("Float32", "float[pyarrow]")],
    partial(frame_of, dtype=pd.SparseDtype("float32", 0.0)),
    partial(frame_of, dtype={0: "Float64", 1: "float64", 2: "double[pyarrow]"}),
    *[partial(mapped, mode=mode) for mode in ("r", "r+", "c")],
    *[sparse.csr_matrix, sparse.csr_array, sparse.csc_array, sparse.coo_matrix],
    *[sparse.bsr_array, sparse.dok_matrix, sparse.lil_array],
]
OF_INTEGERS = [
    *[partial(np.ndarray.astype, dtype=t) for t in ("i1", "i8", "u1", "u8", ">i4", "float16")],
    *[partial(torch.tensor, dtype=t) for t in (torch.float16, torch.bfloat16, torch.int32)],
    *[partial(frame_of, dtype=dtype) for dtype in ("Int64", "int64[pyarrow]")],
]
OF_BOOLEANS = [partial(frame_of, dtype=dtype) for dtype in ("boolean", "bool[pyarrow]")]


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize(
    ("convert", "data"),
    [
        *[(convert, thinned) for convert in OF_FLOATS],
        *[(convert, lambda X: np.abs(X).round()) for convert in OF_INTEGERS],
        *[(convert, lambda X: X > 0) for convert in (np.asarray, torch.tensor, *OF_BOOLEANS)],
    ],
)
def test_what_holds_the_same_numbers_gives_the_same(X, convert, data):
    given, X = convert(data(X)), data(X).astype(np.float32)
    is_sparse = sparse.issparse(given) or hasattr(given, "sparse")
    assert_same = assert_close if is_sparse else assert_array_equal
    estimator, other = small().fit(given), small().fit(X)
    for method in LOOKS:
        assert_same(getattr(estimator, method)(X), getattr(other, method)(X))
        assert_close(getattr(estimator, method)(given), getattr(other, method)(X))
    assert_close(estimator.loss_curve_, other.loss_curve_)
    codes = data(other.transform(X))
    expected = other.inverse_transform(codes.astype(np.float32))
    decoded = estimator.inverse_transform(convert(codes))
    assert_close(decoded, expected)
    assert_same(estimator.partial_fit(given).transform(X), other.partial_fit(X).transform(X))
    for result in (decoded, estimator.transform(given)):
        assert type(result) is np.ndarray
        assert result.dtype == np.float32
    assert get_tags(estimator).input_tags.sparse
    # The input is never written to.
    given = given.detach().float() if isinstance(given, torch.Tensor) else given
    assert_array_equal(given.toarray() if sparse.issparse(given) else given, X)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_sparse_codes_do_not_go_into_a_frame(X, container):
    needles = ["sparse_output=True", container, "sparse_output=False"]
    for asked, context in [(None, container), (container, "default")]:
        estimator, fitted = small(sparse_output=True), small(sparse_output=True).fit(X)
        methods = methods_of(estimator.set_output(transform=asked), FITS)
        with config_context(transform_output=context):
            methods.append(fitted.set_output(transform=asked).transform)
            assert_clear(methods, X, *needles)
        assert not hasattr(estimator, "net_")


def unusual_states(X):
    """Yield X as sparse data that are not as scipy makes them."""
    read_only, int64 = sparse.csr_array(X), sparse.csr_array(X)
    zeros = sparse.csr_array(np.ones_like(X))
    zeros.data = X.ravel().copy()
    for array in (read_only.data, read_only.indices, read_only.indptr):
        array.flags.writeable = False
    int64.indices, int64.indptr = int64.indices.astype("i8"), int64.indptr.astype("i8")
    unsorted = sparse.csr_array(X[:, ::-1])[:, ::-1].tocsr()
    first = slice(unsorted.indptr[1])
    unsorted.indices[first] = unsorted.indices[first][::-1]
    unsorted.data[first] = unsorted.data[first][::-1]
    unsorted.has_sorted_indices = False
    (row, column), half = X.nonzero(), X[X != 0] / 2
    twice = sparse.coo_array((np.r_[half, half], (np.r_[row, row], np.r_[column, column])))
    yield from (read_only, int64, zeros, unsorted, twice)


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=str)
def test_corruptions_of_data_of_each_kind_leave_them_alone(X, corruption):
    X, params = thinned(X), copy.deepcopy(vars(corruption))
    kinds = [KINDS[kind](X.copy()) for kind in ("csr_array", "tensor", "pandas")]
    estimator = small(corruption=corruption, corruption_level=0.5)
    codes = clone(estimator).fit(X).partial_fit(X).transform(X)
    for given in (read_only(X), *kinds, *unusual_states(X)):
        assert_close(estimator.fit(given).partial_fit(given).transform(given), codes)
        assert_array_equal(given.toarray() if sparse.issparse(given) else given, X)
    assert vars(corruption) == params


@pytest.mark.parametrize("cls", [Autoencoder, DenoisingAutoencoder])
def test_sparse_is_never_dense_as_a_whole(cls, monkeypatch):
    X = sparse.random_array((500, 2000), density=1e-2, format="csr", dtype=np.float32, rng=0)
    largest, toarray = [], sparse.csr_array.toarray

    def recorded(self, *args, **kwargs):
        largest.append(self.shape[0])
        return toarray(self, *args, **kwargs)

    monkeypatch.setattr(_inference, "_MAX_ENTRIES", 64 * 2000)
    monkeypatch.setattr(sparse.csr_array, "toarray", recorded)
    monkeypatch.setattr(sparse.csr_array, "todense", lambda self: pytest.fail("dense"))
    estimator = cls(3, max_epochs=1, batch_size=50, early_stopping=True).fit(X)
    assert largest
    assert max(largest) <= 51
    for method in methods_of(estimator, LOOKS):
        method(X)
    assert max(largest) <= 64


def bad(names, values, *needles, got=repr, part=None):
    """Make rows of parameters that must be refused and of what the messages must hold."""
    return [
        ({name: value if part is None else part(value)}, [*needles, got(value)])
        for name in names.split()
        for value in values
    ]


COUNT, NAMELESS, NAME = "[1, inf)", ["nonsense", "", None, b"adam"], attrgetter("__name__")
SHAPE = "image_shape", "(height, width)", "positive integers"
GROUPS = "groups", "from 0 to 7", "8 features"
N_GPUS = torch.cuda.device_count()
ABSENT = [f"cuda:{N_GPUS + 6}", torch.device("cuda", N_GPUS + 1)]
ABSENT += [] if torch.cuda.is_available() else ["cuda", "cuda:0"]
ABSENT += [] if torch.backends.mps.is_available() else ["mps"]
BAD_PARAMETERS = [
    *bad("n_components", [0, -3, 2.5, 4.0, "8", None, np.nan, [3]], "n_components", COUNT),
    *bad("batch_size max_epochs n_iter_no_change", [-1, 2.5, np.inf], COUNT),
    *bad("alpha", [-0.1, np.nan, np.inf, "1", None, [0.1]], "alpha", "[0.0, inf)"),
    *bad("dropout", [-0.1, 1, 1.5, np.nan, "0.5", None], "dropout", "[0.0, 1.0)"),
    *bad("corruption_level", [-0.1, np.nan, np.inf, "0.5", None], "corruption_level", "[0"),
    *bad("learning_rate", [0, -1e-3, np.nan, np.inf, "0.1", None], "learning_rate", "(0", "inf)"),
    *bad("weight_decay tol", [-0.1, np.inf, np.nan], "[0.0, inf)"),
    *bad("validation_fraction", [0, 1], "validation_fraction"),
    *bad("callbacks", ["epoch", 3, ["epoch"]], "callbacks"),
    *bad("hidden_layer_sizes", [5, (0,), (5, -1), (5.0,), "55"], "hidden_layer_sizes"),
    *bad("penalty", NAMELESS, "penalty", "'l1'", "'l2'", "'kl'"),
    *bad("corruption", NAMELESS, "corruption", "'gaussian'", "'salt_and_pepper'", "'swap'"),
    *bad("activation", NAMELESS, "activation", *map(repr, ACTIVATIONS)),
    *bad("optimizer", NAMELESS, "optimizer", "'adam'", "'adamw'", "'sgd'"),
    *bad("loss", NAMELESS, "loss", "'squared_error'", "'binary_cross_entropy'", "'huber'"),
    *bad("learning_rate_schedule", NAMELESS, "learning_rate_schedule", "'constant'", "'linear'"),
    *bad("precision", NAMELESS, "precision", "'float32'", "'float64'"),
    *bad("device", ["nonsense", ""], "device", "'auto'", "'cpu'", "'cuda'", "'mps'"),
    *bad("device", [None, 0, "cpu:x", "meta", "cuda:-1", torch.device("meta")], got=str),
    *[
        ({"device": device}, [f"device={device!r}", *needles])
        for device in ABSENT
        for needles in [["MPS", "'auto'"] if device == "mps" else [f"{N_GPUS} CUDA", "'cpu'"]]
    ],
    # Parts, and what shapes them.
    *bad("penalty corruption activation", [L1, Masking, TopK], "is a class", "object", got=NAME),
    *bad("penalty", [0, 1.5, "a"], "rho", "(0.0, 1.0)", part=lambda v: KLDivergence(rho=v)),
    *bad("corruption", ["median", None], "fill", "'zero'", "'mean'", part=Masking),
    *bad("activation", [0, -1, 2.5, "3", None], "'k'", "TopK", COUNT, part=lambda v: TopK(k=v)),
    *bad("activation", [7, 100], "activation", "n_components=6", part=lambda v: TopK(k=v)),
    *bad("corruption", [None, 8, "2x4", {2, 4}], "image_shape", "tuple", part=RegionBlanking),
    *bad("corruption", [(), (8,), (1, 2, 2, 2), (0, 8), (2, 4.5)], *SHAPE, part=RegionBlanking),
    *bad("corruption", [(3, 3)], "image_shape", "9 ", "8 features", part=RegionBlanking),
    *bad("corruption", [(2, 2, 3)], "image_shape", "12 ", "8 features", part=RegionBlanking),
    *bad("corruption", [[[0, 8]], [[-1, 0]], [[3, 3]], [[0, 1], [1, 2]]], *GROUPS, part=SwapNoise),
    *bad("corruption", [[0, 1], [[0.5]], [["a"]], [[None]], 3, "ab"], *GROUPS, part=SwapNoise),
    *bad("corruption", [[0.0], [[0.0] * 8]], "fill", "8", part=lambda v: Gaps(fill=v)),
    *bad("corruption", [3.0], "fill", "array-like", part=lambda v: Gaps(fill=v)),
    # What parts of the user return.
    *bad("penalty", [lambda h: h.abs().sum(-1), lambda h: 3.0], "penalty", "one number", got=NAME),
    *bad("penalty", [lambda codes: codes.sum() * torch.nan], "penalty", "finite", got=NAME),
    *bad("penalty", [lambda h: torch.ones(()), lambda h: h.detach().sum()], "gradient", got=NAME),
    *bad("corruption", [lambda X, *_: X[:1], lambda X, *_: X[:, :-1]], "shape", got=NAME),
    *bad("corruption", [lambda X, *_: X.numpy(), lambda X, *_: X.double()], "shape", got=NAME),
    *bad("corruption", [lambda X, *_: X / 0], "must return finite values", got=NAME),
    # Modules of the user.
    *bad("encoder", [5, 7], "encoder", "(8, 6)", part=lambda n: nn.Linear(8, n)),
    *bad("encoder", [1], "encoder", "(8, 6)", part=lambda n: lambda *_: nn.Linear(8, n)),
    *bad("decoder", [1, 7, 9], "decoder", "(8, 8)", part=lambda n: nn.Linear(6, n)),
    *bad("encoder", [nn.Linear(9, 6), nn.Conv2d(1, 1, 3)], got=lambda _: "encoder failed"),
    *bad("encoder", [nn.Flatten(0), nn.Unflatten(1, (2, 3))], got=lambda _: "(8, 6)", part=behind),
    *bad("encoder", [nn.LSTM(8, 6)], got=lambda _: "tuple"),
    *bad("encoder", [lambda *_: None, lambda *_: torch.relu], got=lambda _: "encoder"),
    *bad("activation", [lambda x: torch.cat([x, -x], dim=-1)], "(8, 6)", got=lambda _: "(8, 12)"),
    ({"tied_weights": True, "encoder": nn.Linear}, ["tied_weights", "encoder"]),
    ({"tied_weights": True, "decoder": linear_decoder}, ["tied_weights", "decoder"]),
    # A module keeps its width when a grid changes n_components.
    ({"n_components": 7, "encoder": nn.Linear(8, 6)}, ["(8, 7)", "(8, 6)"]),
    # Parts that do not go together.
    *[
        ({"corruption": part, "corruption_level": 1.01}, ["corruption_level=1.01", "[0, 1]"])
        for part in ("masking", "salt_and_pepper", "swap", RegionBlanking(image_shape=(2, 4)))
    ],
    *[
        ({"activation": name, "penalty": penalty}, ["penalty=", "(0, 1)", f"activation={name!r}"])
        for name in sorted(set(ACTIVATIONS) - {"sigmoid"})
        for penalty in ("kl", KLDivergence(rho=0.1))
    ],
    *[
        ({**params, "penalty": "kl"}, ["KLDivergence", "(0, 1)", "range from", "'sigmoid'"])
        for params in (
            *[{"activation": part} for part in (TopK(k=2), lambda x: 10 * x, torch.relu)],
            *[{"encoder": part} for part in (nn.Linear, nn.Linear(8, 6))],
        )
    ],
]


@pytest.mark.parametrize(("params", "needles"), BAD_PARAMETERS, ids=", ".join)
def test_bad_parameters(X, params, needles):
    # What a trained network can't change is refused before the value is.
    going_on = needles if {"penalty", "corruption"} >= set(params) else ()
    params = {"alpha": 0.1, "corruption_level": 0.1} | params
    assert_refused(small(activation="sigmoid"), 5 * X, *needles, going_on=going_on, **params)


def test_kl_looks_at_every_row_and_at_alpha(X):
    small(penalty="kl", alpha=0).fit(X)
    encoder = nn.Sequential(nn.Linear(8, 6), nn.Sigmoid())
    for params in ({"activation": "sigmoid"}, {"activation": torch.sigmoid}, {"encoder": encoder}):
        small(penalty="kl", alpha=1, **params).fit(X)
    X = X / np.abs(X).max() / 100
    X[-1] = 1000
    assert_refused(small(activation=torch.relu), X, "(0, 1)", "sigmoid", penalty="kl", alpha=0.1)


def test_values_that_change_nothing(X):
    codes = small(batch_size=40).fit_transform(X)
    for params in (
        *[{"batch_size": 41}, {"batch_size": 2**40}],
        *[{"device": "cpu"}, {"device": torch.device("cpu")}],
    ):
        assert_array_equal(small(**{"batch_size": 40, **params}).fit_transform(X), codes)


@pytest.mark.parametrize(("kind", "value"), [*zip(KINDS, [1.5, -0.25] * 3, strict=True)])
def test_binary_cross_entropy_outside_0_1(X, kind, value):
    X = np.abs(X) / np.abs(X).max()
    X_bad = X.copy()
    X_bad[7, 3] = value
    needles = ["loss='binary_cross_entropy'", "[0, 1]", str(value)]
    assert_refused(small(loss="binary_cross_entropy"), X, *needles, X_bad=KINDS[kind](X_bad))


@pytest.mark.parametrize(("n_rows", "fraction"), [(1, 0.1), (3, 0.9), (5, 0.95)])
def test_too_few_rows_for_the_split(X, n_rows, fraction):
    params = {"early_stopping": True, "validation_fraction": fraction}
    needles = ["early_stopping", f"validation_fraction={fraction}", f"n_samples={n_rows}"]
    fresh, fitted = small(**params), small().fit(X).set_params(**params)
    codes = fitted.transform(X)
    assert_clear([fresh.fit, fresh.fit_transform, fitted.fit], X[:n_rows], *needles)
    assert_unfitted(fresh)
    assert_array_equal(fitted.transform(X), codes)
    assert fitted.partial_fit(X[:n_rows]).n_iter_ == 3


def test_what_was_fitted_stays_until_the_next_fit(X):
    estimator = small().fit(X)
    codes = estimator.transform(X)
    estimator.set_params(n_components=9, precision="float64", loss="huber", activation="tanh")
    assert_array_equal(estimator.transform(X), codes)
    assert estimator.inverse_transform(codes).shape == X.shape
    assert estimator.fit(X[:, :5]).n_features_in_ == 5
    assert_array_equal(estimator.fit(X).transform(X), clone(estimator).fit_transform(X))
    # An equal part is no other network.
    estimator = small(activation=TopK(k=2)).fit(X)
    estimator.set_params(activation=TopK(k=2), hidden_layer_sizes=[]).partial_fit(X)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 3
    assert_clear([estimator.set_params(activation__k=3).partial_fit], X, "activation")


@pytest.mark.parametrize(
    "changed",
    [
        *[{"n_components": 7}, {"hidden_layer_sizes": (4,)}, {"tied_weights": True}],
        *[{"activation": "tanh"}, {"precision": "float64"}],
        *[{"encoder": nn.Linear(8, 6)}, {"decoder": linear_decoder}],
    ],
    ids=" ".join,
)
def test_going_on_with_another_network(X, changed):
    estimator = small().fit(X)
    codes = estimator.transform(X)
    assert_clear([estimator.set_params(**changed).partial_fit], X, *changed)
    assert_clear([estimator.set_params(warm_start=True).fit], X, *changed)
    assert_array_equal(estimator.transform(X), codes)
    estimator.set_params(warm_start=False).fit(X)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt("x"), OSError("x")], ids=repr)
def test_an_error_in_mid_training_leaves_no_trace(X, error, early_stopping):
    def faulty():
        """Raise when called for the fifth time: once for the check, then in training."""
        calls = count(1)

        def penalty(codes):
            if next(calls) == 5:
                raise error
            return codes.abs().sum()

        return penalty

    class Fault(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 3:
                raise error

    good = small(max_epochs=4, batch_size=4, early_stopping=early_stopping, alpha=0.1)
    for part in ({"penalty": faulty()}, {"callbacks": [Fault()]}):
        fresh = clone(good).set_params(**part)
        with pytest.raises(type(error), match="x"):
            fresh.fit(X)
        assert_unfitted(fresh)
    for method in ("fit", "partial_fit"):
        fitted = clone(good).fit(X)
        attributes, codes, curve = fit_of(fitted), fitted.transform(X), list(fitted.loss_curve_)
        with pytest.raises(type(error), match="x"):
            getattr(fitted.set_params(penalty=faulty()), method)(X)
        assert_array_equal(fitted.transform(X), codes)
        assert fitted.loss_curve_ == curve
        assert fit_of(fitted) == attributes


def test_a_pickle_from_elsewhere(X):
    estimator = small().fit(X)
    codes, state = estimator.transform(X), estimator.__getstate__()
    (version,) = [name for name in state if "version" in name]
    with pytest.warns(UserWarning, match=r"0\.0\.0"):
        Autoencoder.__new__(Autoencoder).__setstate__({**state, version: "0.0.0"})
    # Fitted on a GPU that is not here.
    estimator.net_.device = f"cuda:{N_GPUS + 3}"
    other = pickle.loads(pickle.dumps(estimator))
    assert_array_equal(other.transform(X), codes)
    other.partial_fit(X)


def test_looks_from_8_threads(X):
    encoder = nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.Dropout())
    looks = methods_of(small().fit(X), LOOKS) + methods_of(small(encoder=encoder).fit(X), LOOKS)

    def look_at_all():
        return [look(X) for look in looks]

    expected = look_at_all()
    for results in Parallel(8, "threading")(delayed(look_at_all)() for _ in range(16)):
        for result, wanted in zip(results, expected, strict=True):
            assert_array_equal(result, wanted)


@pytest.mark.parametrize(
    ("n_features", "params"),
    [(64, {}), (3000, {"activation": "tanh"}), (500, {"hidden_layer_sizes": (60, 50)})],
    ids=str,
)
def test_looks_in_pieces(n_features, params, monkeypatch):
    X = np.random.RandomState(1).normal(size=(50, n_features)).astype(np.float32)
    estimator = small(n_components=40, max_epochs=1, **params).fit(X)
    codes = estimator.transform(X)
    unit = (1e-5 if estimator.hidden_layer_sizes else 1e-6) * max(1, np.sqrt(n_features / 1000))

    def assert_whole(results, expected, factor=1):
        assert np.abs(results - expected).max() <= factor * unit * np.abs(expected).max()

    def in_pieces(look, X, step):
        return np.concatenate([look(X[i : i + step]) for i in range(0, 50, step)])

    looks = [(look, X) for look in methods_of(estimator, LOOKS[:3])]
    for look, given in [*looks, (estimator.inverse_transform, codes)]:
        whole = look(given)
        for step in (1, 7, 16, 49):
            assert_whole(in_pieces(look, given, step), whole)
        assert_whole(look(given[::-1].copy())[::-1], whole)
        # So many entries do not go through the network at once.
        with monkeypatch.context() as patch:
            patch.setattr(_inference, "_MAX_ENTRIES", 7)
            assert_whole(look(given), whole)
    of_csr = estimator.transform(sparse.csr_array(X))
    assert_whole(in_pieces(estimator.transform, sparse.csr_array(X), 1), of_csr)
    assert_whole(of_csr, codes, factor=10)
