"""Parameters that say how images lie in the rows of X."""

from __future__ import annotations

import functools
import math
from typing import Any

from sklearn_ae._sklearn._checks import is_size
from sklearn_ae._sklearn._warnings import warn

# A side of an image has at least as many pixels, where channels are told from it.
_SIDE = 8


def check_image_shape(part: Any, n_features: int) -> tuple[int, int, int]:
    """Return height, width and channels of the parameter ``image_shape``, for that many columns."""
    name = f"{type(part).__name__}(image_shape={part.image_shape!r})"
    sizes = image_sizes(part.image_shape, n_features, name, f"X has {n_features} features")
    if hint := channels_first_hint(sizes):
        _warn_once(f"{name} {hint}")
    return sizes


# An augmentation checks its shape for every batch.
_warn_once = functools.cache(warn)


def channels_first_hint(sizes: tuple[int, int, int]) -> str:
    """Return what to do with a shape that looks like channels, height, width; else nothing."""
    first, second, third = sizes
    # One channel may as well be a row of a series with many.
    if first not in (1, 3, 4) or min(second, third) < _SIDE or (first == 1 and second != third):
        return ""
    return (
        "looks like (n_channels, height, width), but channels come last. If so, reorder X by "
        f"X.reshape(-1, {first}, {second}, {third}).transpose(0, 2, 3, 1).reshape(len(X), -1) and "
        f"give image_shape=({second}, {third}, {first})."
    )


def image_sizes(image_shape: Any, n_values: int, name: str, has: str) -> tuple[int, int, int]:
    """Return height, width and channels of a shape that fits the number of values of an image.

    ``name`` and ``has`` are for messages: the parameter with its value, and whose values they are.
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
    """Return a parameter that is one positive integer or two as rows and columns."""
    value = getattr(part, name)
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2 or not all(map(is_size, pair)):
        raise ValueError(
            f"{type(part).__name__}({name}={value!r}) must be a positive integer or a pair of them."
        )
    return int(pair[0]), int(pair[1])
