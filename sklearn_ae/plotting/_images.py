"""Images in plots: their shape, their scale, and many of them side by side in one axes."""

from __future__ import annotations

import math

import numpy as np

from sklearn_ae._sklearn._checks import is_size
from sklearn_ae._sklearn._compat import check_matplotlib_support
from sklearn_ae._sklearn._image_shape import channels_first_hint, image_sizes


def check_count(name, value):
    """Check that a parameter is a positive integer."""
    if not is_size(value):
        raise ValueError(f"{name}={value!r} must be a positive integer.")


def checked_shape(image_shape, n_values, what):
    """Check that an image has ``n_values``; return height and width, then 3 if it has colors."""
    name = f"image_shape={image_shape!r}"
    sizes = image_sizes(image_shape, n_values, name, f"{what} has {n_values}")
    height, width, n_channels = sizes
    if n_channels not in (1, 3):
        hint = channels_first_hint(sizes)
        raise ValueError(
            f"{name} has {n_channels} channels; images of 1 or 3 can be drawn."
            f"{hint and f' It {hint}'}"
        )
    return (height, width) if n_channels == 1 else (height, width, 3)


def contrasted(filters, shape):
    """Scale each filter by itself: gray ones to [-1, 1] around 0, color ones to [0, 1].

    Constant ones become 0. The limits of the scale are returned with them.
    """
    has_colors = len(shape) == 3
    low = filters.min(axis=1, keepdims=True) if has_colors else 0
    size = np.abs(filters - low).max(axis=1, keepdims=True)
    return (filters - low) / np.where(size == 0, 1, size), (0 if has_colors else -1, 1)


def _pitch(shape):
    gap = 1 + max(shape[:2]) // 20
    return shape[0] + gap, shape[1] + gap


def corners(n_images, n_columns, shape):
    """Return x and y of the top left corner of each image, in the units of the axes."""
    row, column = np.divmod(np.arange(n_images), n_columns)
    down, across = _pitch(shape)
    return column * across - 0.5, row * down - 0.5


def draw_images(ax, images, limits, shape, n_columns, cmap):
    """Draw images side by side as one, with gaps between them and where they are NaN."""
    n_rows, (down, across) = math.ceil(len(images) / n_columns), _pitch(shape)
    tiles = np.full((n_rows * n_columns, down, across, *shape[2:]), np.nan)
    tiles[: len(images), : shape[0], : shape[1]] = images.reshape(-1, *shape)
    tiles = tiles.reshape(n_rows, n_columns, *tiles.shape[1:]).swapaxes(1, 2)
    picture = tiles.reshape(n_rows * down, n_columns * across, *shape[2:])
    picture = picture[: n_rows * down - (down - shape[0]), : n_columns * across - across + shape[1]]
    low, high = limits
    if len(shape) == 3:
        # NaN has no color of its own among colors: gaps are white.
        picture = (picture - low) / (high - low if high > low else 1)
        picture = np.clip(np.nan_to_num(picture, nan=1), 0, 1)
    ax.imshow(picture, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def axes_for(display, axes, n_axes, **kwargs):
    """Return as many axes as a display plots on, and their figure: a new one, if none are given."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    if axes is None:
        from matplotlib import pyplot as plt

        figure, axes = plt.subplots(1, n_axes, squeeze=False, layout="constrained", **kwargs)
        return axes[0], figure
    axes = np.ravel(np.asarray(axes, dtype=object))
    if len(axes) != n_axes:
        raise ValueError(f"axes must hold {n_axes} axes, got {len(axes)}.")
    return axes, axes[0].figure


def drawable(shape):
    """Return a shape of images that can be drawn, or None."""
    return shape if shape[2] in (1, 3) else None
