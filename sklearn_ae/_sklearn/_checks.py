"""Checks of data and of parameters, in scikit-learn's manner."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_array, validate_data

from sklearn_ae._sklearn._compat import (
    InvalidParameterError,
    check_feature_names,
    check_n_features,
    get_output_config,
)
from sklearn_ae._sklearn._explain import explained

# Entries of a block that is cast for a check.
_BLOCK = 2**22
# Bytes of what may be cast as a whole.
_MOST_CAST = 2**26


def check_data(
    estimator: Any,
    X: Any,
    *,
    dtype: str,
    reset: bool,
    accept_sparse: str | bool = "csr",
    accept_dask: bool = False,
) -> Any:
    """Validate X as scikit-learn does, torch tensors included.

    Parameters
    ----------
    estimator : estimator
        Whose ``n_features_in_`` is set or compared.

    X : array-like, sparse matrix or torch.Tensor of shape (n_samples, n_features)
        The data.

    dtype : {"float32", "float64"}
        The type wanted.

    reset : bool
        Whether the number and the names of the features are learned.

    accept_sparse : str or bool, default="csr"
        As in scikit-learn.

    accept_dask : bool, default=False
        Whether X may be a dask array. Its blocks are not looked at.

    Returns
    -------
    X : ndarray, scipy.sparse CSR, torch.Tensor or dask.array.Array of shape (n_samples, n_features)
        A tensor that is not on the CPU stays where it is; one that is becomes a view as ndarray. A
        large array and a dask array keep their type, which may be another one.
    """
    if is_dask(X):
        if not accept_dask:
            raise TypeError(
                f"{type(estimator).__name__} does not take {_full_name(X)} here: give "
                "X.compute(), or call it on each block by X.map_blocks."
            )
        return _check_dask_array(estimator, X, reset=reset)
    if isinstance(X, torch.Tensor):
        if X.layout != torch.strided:
            raise TypeError(
                f"X is a tensor of layout {X.layout}: {type(estimator).__name__} takes dense "
                "tensors and scipy's sparse matrices."
            )
        if X.device.type != "cpu":
            return _check_device_tensor(estimator, X.detach(), dtype=dtype, reset=reset)
        X = _as_array(X)
    with _quiet_overflow(), explained(estimator, X):
        if _stays(X, dtype):
            X = validate_data(estimator, X, dtype=None, ensure_all_finite=False, reset=reset)
            return _checked_in_blocks(estimator, X, dtype)
        return validate_data(estimator, X, accept_sparse=accept_sparse, dtype=dtype, reset=reset)


def _stays(X: Any, dtype: str) -> bool:
    """Whether X is an array that is too large to be cast as a whole."""
    is_other = isinstance(X, np.ndarray) and X.dtype.kind in "biuf" and X.dtype != dtype
    return is_other and X.ndim == 2 and X.size * np.dtype(dtype).itemsize > _MOST_CAST


def _checked_in_blocks(estimator: Any, X: np.ndarray, dtype: str) -> np.ndarray:
    """Refuse an array that is not finite once it is cast."""
    step = max(1, _BLOCK // X.shape[1])
    for start in range(0, len(X) if X.dtype.kind == "f" else 0, step):
        block = X[start : start + step].astype(dtype)
        assert_all_finite(block, estimator_name=type(estimator).__name__, input_name="X")
    return X


def is_dask(X: Any) -> bool:
    """Whether X is a collection of dask, which is not imported for this."""
    dask = sys.modules.get("dask")
    return dask is not None and dask.is_dask_collection(X)


def _full_name(X: Any) -> str:
    return f"a {type(X).__module__.partition('.')[0]} {type(X).__name__}"


def _check_dask_array(estimator: Any, X: Any, *, reset: bool | None = None) -> Any:
    """Validate what is known of a dask array without computing it, and join its columns."""
    name = type(estimator).__name__
    if not hasattr(X, "rechunk"):
        raise TypeError(
            f"{name} takes dask arrays, got {_full_name(X)}: give X.to_dask_array(lengths=True)."
        )
    if X.ndim != 2:
        raise ValueError(
            f"Expected a dask array of 2 dimensions, got {X.ndim} for {name}. Lay each image or "
            "series in a row: X.reshape(len(X), -1)."
        )
    if np.isnan(X.shape).any():
        raise ValueError(
            "X has blocks of unknown lengths: call X.compute_chunk_sizes(), or make it of a frame "
            "by to_dask_array(lengths=True)."
        )
    if 0 in X.shape:
        raise ValueError(f"Found dask array of shape {X.shape}: {name} needs a row and a column.")
    if type(X._meta) is not np.ndarray or X.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} takes dask arrays of numbers in NumPy arrays, got blocks of "
            f"{type(X._meta).__name__} of type {X.dtype}."
        )
    if reset is not None:
        check_feature_names(estimator, X, reset=reset)
        check_n_features(estimator, X, reset=reset)
    return X.rechunk({1: -1}) if X.numblocks[1] > 1 else X


def check_codes(estimator: Any, X: Any, *, dtype: str, n_components: int) -> Any:
    """Validate codes that are to be decoded."""
    if is_dask(X):
        return _check_dask_array(estimator, X)
    if isinstance(X, torch.Tensor):
        X = _as_array(X)
    with _quiet_overflow():
        X = check_array(X, accept_sparse="csr", dtype=dtype, estimator=estimator, input_name="X")
    if X.shape[1] != n_components:
        raise ValueError(
            f"X has {X.shape[1]} columns, but inverse_transform of {type(estimator).__name__} "
            f"expects the {n_components} that transform gives (n_components={n_components} unless "
            "features='all')."
        )
    return X


def _as_array(X: torch.Tensor) -> np.ndarray:
    X = X.detach().cpu()
    return (X.float() if X.dtype == torch.bfloat16 else X).numpy()


def _quiet_overflow() -> Any:
    # A value that overflows the cast is found by the check for finite values, whose own sum may
    # overflow as well.
    return np.errstate(over="ignore", invalid="ignore")


def _check_device_tensor(
    estimator: Any, X: torch.Tensor, *, dtype: str, reset: bool
) -> torch.Tensor:
    """Validate a tensor where it is, without a copy on the CPU."""
    name = type(estimator).__name__
    if X.dim() != 2 or 0 in X.shape:
        raise ValueError(
            f"Expected a 2D tensor with at least 1 row and 1 feature, got one of shape "
            f"{tuple(X.shape)} for {name}."
        )
    if X.is_complex():
        raise ValueError(f"Complex data not supported: {name} got a tensor of {X.dtype}.")
    X = X.to(getattr(torch, dtype))
    if not torch.isfinite(X).all():
        raise ValueError(f"Input X contains NaN, infinity or a value too large for {dtype}.")
    check_n_features(estimator, X, reset=reset)
    return X


def is_size(value: Any) -> bool:
    """Tell whether a value is a positive integer."""
    return isinstance(value, Integral) and value >= 1


def check_widths(estimator: Any, name: str) -> None:
    """Refuse a parameter that does not hold the widths of layers."""
    value = getattr(estimator, name)
    if not all(map(is_size, value)):
        raise InvalidParameterError(
            f"The {name!r} parameter of {type(estimator).__name__} must hold positive integers. "
            f"Got {value!r} instead."
        )


def check_object(part: Any, name: str) -> None:
    """Refuse a class where an object of it is wanted."""
    if isinstance(part, type):
        raise TypeError(f"{name}={part.__name__} is a class; give an object, {part.__name__}(...).")


def check_sparse_output(estimator: Any) -> None:
    """Refuse sparse codes that are to go into a frame."""
    container = get_output_config("transform", estimator)["dense"]
    if estimator.sparse_output and container != "default":
        raise ValueError(
            f"sparse_output=True gives sparse codes, which can't go into the {container} container "
            f"that set_output(transform={container!r}) or the global transform_output asks for. "
            "Use sparse_output=False or transform='default'."
        )


@contextmanager
def rolled_back(estimator: Any) -> Iterator[None]:
    """Give an estimator its attributes back when the block fails or is interrupted."""
    before = estimator.__dict__.copy()
    try:
        yield
    except BaseException:
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        raise
