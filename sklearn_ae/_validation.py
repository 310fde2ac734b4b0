"""What comes from scikit-learn's private modules, and what its version decides.

Every other file imports these names from here: a change in scikit-learn is met in one place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.base import _clone_parametrized as clone_parametrized
from sklearn.base import _fit_context as fit_context
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    MissingValues,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import (
    _check_feature_names_in as check_feature_names_in,
)
from sklearn.utils.validation import (
    _check_method_params as check_method_params,
)
from sklearn.utils.validation import (
    _check_n_features as check_n_features,
)
from sklearn.utils.validation import (
    _check_sample_weight as check_sample_weight,
)
from sklearn.utils.validation import (
    _check_y as check_y,
)
from sklearn.utils.validation import check_array, validate_data


class _NoTask:
    """Stands for the context of a task that no callback hears of."""

    def subcontext(self, **kwargs: Any) -> _NoTask:
        return self

    def propagate_callback_context(self, sub_estimator: Any) -> Any:
        return nullcontext()

    def call_on_fit_task_begin(self, **kwargs: Any) -> _NoTask:
        return self

    def call_on_fit_task_end(self, **kwargs: Any) -> bool:
        return False


NO_TASK = _NoTask()

try:
    from sklearn.utils._repr_html.estimator import _VisualBlock as VisualBlock
except ImportError:  # scikit-learn before 1.7
    from sklearn.utils._estimator_html_repr import _VisualBlock as VisualBlock

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for scikit-learn's: before 1.9 estimators have no callbacks."""

        def _init_callback_context(self, **kwargs: Any) -> _NoTask:
            return NO_TASK


__all__ = [
    "NO_TASK",
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "MissingValues",
    "StrOptions",
    "VisualBlock",
    "check_codes",
    "check_data",
    "check_feature_names_in",
    "check_image_shape",
    "check_matplotlib_support",
    "check_method_params",
    "check_no_booleans",
    "check_pair",
    "check_prefix",
    "check_sample_weight",
    "check_widths",
    "check_y",
    "clone_parametrized",
    "fit_context",
    "image_sizes",
    "is_size",
    "output_container",
    "prefixed",
    "process_routing",
    "restored_on_error",
    "safe_indexing",
    "validate_data",
    "validate_parameter_constraints",
    "validate_params",
]


def check_data(
    estimator: Any, X: Any, *, dtype: type, reset: bool, accept_sparse: str | bool = "csr"
) -> Any:
    """Validate X as scikit-learn does, torch tensors included.

    Parameters
    ----------
    estimator : estimator
        Whose ``n_features_in_`` is set or compared.

    X : array-like, sparse matrix or torch.Tensor of shape (n_samples, n_features)
        The data.

    dtype : type
        The NumPy type wanted.

    reset : bool
        Whether the number and the names of the features are learned.

    accept_sparse : str or bool, default="csr"
        As in scikit-learn.

    Returns
    -------
    X : ndarray, scipy.sparse CSR or torch.Tensor of shape (n_samples, n_features)
        A tensor that is not on the CPU stays where it is; one that is becomes a view as ndarray.
    """
    if isinstance(X, torch.Tensor):
        if X.layout != torch.strided:
            raise TypeError(
                f"X is a tensor of layout {X.layout}: {type(estimator).__name__} takes dense "
                "tensors and scipy's sparse matrices."
            )
        X = X.detach()
        if X.device.type != "cpu":
            return check_device_tensor(estimator, X, dtype=dtype, reset=reset)
        X = _as_array(X)
    with _quiet_overflow():
        return validate_data(estimator, X, accept_sparse=accept_sparse, dtype=dtype, reset=reset)


def check_codes(estimator: Any, X: Any, *, dtype: type, n_components: int) -> Any:
    """Validate codes that are to be decoded.

    Parameters
    ----------
    estimator : estimator
        Whose codes they are.

    X : array-like, sparse matrix or torch.Tensor of shape (n_samples, n_components)
        The codes.

    dtype : type
        The NumPy type wanted.

    n_components : int
        The width that they must have.

    Returns
    -------
    X : ndarray or scipy.sparse CSR of shape (n_samples, n_components)
        The codes.
    """
    name = type(estimator).__name__
    if isinstance(X, torch.Tensor):
        X = _as_array(X)
    with _quiet_overflow():
        X = check_array(X, accept_sparse="csr", dtype=dtype, estimator=estimator, input_name="X")
    if X.shape[1] != n_components:
        raise ValueError(
            f"X has {X.shape[1]} columns, but inverse_transform of {name} expects the "
            f"{n_components} that transform gives (n_components={n_components} unless "
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


def check_device_tensor(
    estimator: Any, X: torch.Tensor, *, dtype: type, reset: bool
) -> torch.Tensor:
    """Validate a tensor where it is, without a copy on the CPU.

    Parameters
    ----------
    estimator : estimator
        Whose ``n_features_in_`` is set or compared.

    X : torch.Tensor of shape (n_samples, n_features)
        The data.

    dtype : type
        The NumPy type wanted.

    reset : bool
        Whether the number of the features is learned.

    Returns
    -------
    X : torch.Tensor of shape (n_samples, n_features)
        The data in that type.
    """
    name = type(estimator).__name__
    if X.dim() != 2 or 0 in X.shape:
        raise ValueError(
            f"Expected a 2D tensor with at least 1 row and 1 feature, got one of shape "
            f"{tuple(X.shape)} for {name}."
        )
    if X.is_complex():
        raise ValueError(f"Complex data not supported: {name} got a tensor of {X.dtype}.")
    X = X.to(torch.float64 if dtype == np.float64 else torch.float32)
    if not torch.isfinite(X).all():
        raise ValueError(
            f"Input X contains NaN, infinity or a value too large for {np.dtype(dtype)!r}."
        )
    check_n_features(estimator, X, reset=reset)
    return X


def output_container(estimator: Any) -> str:
    """Return what ``set_output`` or the global configuration asks of ``transform``.

    Parameters
    ----------
    estimator : estimator
        The transformer.

    Returns
    -------
    container : str
        ``"default"``, ``"pandas"`` or ``"polars"``.
    """
    return _get_output_config("transform", estimator)["dense"]


def check_no_booleans(estimator: Any) -> None:
    """Refuse True and False where a number is wanted: to Python they are 1 and 0.

    Parameters
    ----------
    estimator : estimator
        Whose parameters are checked.
    """
    constraints = estimator._parameter_constraints
    for name, value in estimator.get_params(deep=False).items():
        numeric = any(isinstance(constraint, Interval) for constraint in constraints.get(name, ()))
        if numeric and isinstance(value, bool | np.bool_):
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(estimator).__name__} must be "
                f"{' or '.join(str(c) for c in constraints[name])}. Got {value!r} instead."
            )


def check_prefix(estimator: Any) -> None:
    """Refuse a prefix of feature names that XGBoost would refuse after all the training.

    Parameters
    ----------
    estimator : estimator
        With the parameter ``prefix``.
    """
    prefix = estimator.prefix
    if prefix is not None and set(prefix) & set("[]<"):
        raise ValueError(
            f"prefix={prefix!r} must not hold '[', ']' or '<', which XGBoost refuses in names."
        )


def prefixed(estimator: Any, suffixes: Iterable[Any]) -> np.ndarray:
    """Return names of features.

    Parameters
    ----------
    estimator : estimator
        With the parameter ``prefix``.

    suffixes : iterable
        What follows the prefix.

    Returns
    -------
    names : ndarray of str objects of shape (n_features_out,)
        The names.
    """
    prefix = type(estimator).__name__.lower() if estimator.prefix is None else estimator.prefix
    return np.asarray([f"{prefix}{suffix}" for suffix in suffixes], dtype=object)


def is_size(value: Any) -> bool:
    """Tell whether a value is a positive integer.

    Parameters
    ----------
    value : object
        The value.

    Returns
    -------
    is_size : bool
        The answer.
    """
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 1


def check_image_shape(part: Any, n_features: int) -> tuple[int, int, int]:
    """Check the parameter ``image_shape`` against the number of columns.

    Parameters
    ----------
    part : estimator
        Whose parameter it is.

    n_features : int
        Columns of X.

    Returns
    -------
    shape : tuple of int
        Height, width and channels.
    """
    name = f"{type(part).__name__}(image_shape={part.image_shape!r})"
    return image_sizes(part.image_shape, n_features, name, f"X has {n_features} features")


def image_sizes(image_shape: Any, n_values: int, name: str, has: str) -> tuple[int, int, int]:
    """Check an image shape against the number of values that an image has.

    Parameters
    ----------
    image_shape : tuple of int
        ``(height, width)`` or ``(height, width, n_channels)``.

    n_values : int
        The values of one image.

    name : str
        The parameter and its value, for messages.

    has : str
        Whose values they are and how many, for messages.

    Returns
    -------
    shape : tuple of int
        Height, width and channels.
    """
    shape = tuple(image_shape) if isinstance(image_shape, tuple | list) else ()
    if len(shape) not in (2, 3) or not all(map(is_size, shape)):
        raise ValueError(
            f"{name} must be (height, width) or (height, width, n_channels), all of them positive "
            "integers."
        )
    if math.prod(shape) != n_values:
        raise ValueError(f"{name} makes {math.prod(shape)} entries an image, but {has}.")
    height, width, *channels = map(int, shape)
    return height, width, channels[0] if channels else 1


def check_pair(part: Any, name: str) -> tuple[int, int]:
    """Check a parameter that is one positive integer or two, for rows and columns.

    Parameters
    ----------
    part : estimator
        Whose parameter it is.

    name : str
        The parameter.

    Returns
    -------
    pair : tuple of int
        Rows and columns.
    """
    value = getattr(part, name)
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2 or not all(map(is_size, pair)):
        raise ValueError(
            f"{type(part).__name__}({name}={value!r}) must be a positive integer or a pair of them."
        )
    return int(pair[0]), int(pair[1])


def check_widths(estimator: Any, name: str) -> None:
    """Check a parameter that holds the widths of layers.

    Parameters
    ----------
    estimator : estimator
        Whose parameter it is.

    name : str
        The parameter.
    """
    value = getattr(estimator, name)
    if not all(map(is_size, value)):
        raise InvalidParameterError(
            f"The {name!r} parameter of {type(estimator).__name__} must hold positive integers. "
            f"Got {value!r} instead."
        )


@contextmanager
def restored_on_error(estimator: Any) -> Iterator[None]:
    """Give an estimator its attributes back when the block fails or is interrupted.

    Parameters
    ----------
    estimator : estimator
        The estimator.
    """
    before = estimator.__dict__.copy()
    try:
        yield
    except BaseException:
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        raise
