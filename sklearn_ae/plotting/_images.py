"""Images in plots: their shape, their scale, and many of them side by side in one axes."""

from __future__ import annotations

import math

import numpy as np

from sklearn_ae._validation import image_sizes, is_size

__all__ = [
    "axes_for",
    "centers",
    "check_count",
    "checked_shape",
    "contrasted",
    "corners",
    "draw_images",
]


def check_count(name, value):
    """Check that a parameter is a positive integer.

    Parameters
    ----------
    name : str
        The parameter.

    value : object
        Its value.
    """
    if not is_size(value):
        raise ValueError(f"{name}={value!r} must be a positive integer.")


def checked_shape(image_shape, n_values, what):
    """Check an image shape against the number of values that an image has.

    Parameters
    ----------
    image_shape : tuple of int
        ``(height, width)`` or ``(height, width, n_channels)``.

    n_values : int
        The values of one image.

    what : str
        What is to be drawn as an image, for messages.

    Returns
    -------
    shape : tuple of int
        Height and width, then 3 if it has colors.
    """
    name = f"image_shape={image_shape!r}"
    height, width, n_channels = image_sizes(image_shape, n_values, name, f"{what} has {n_values}")
    if n_channels not in (1, 3):
        raise ValueError(f"{name} has {n_channels} channels; images of 1 or 3 can be drawn.")
    return (height, width) if n_channels == 1 else (height, width, 3)


def contrasted(filters, shape):
    """Scale each filter by itself: gray ones to [-1, 1] around 0, color ones to [0, 1].

    Parameters
    ----------
    filters : ndarray of shape (n_filters, n_values)
        The filters.

    shape : tuple of int
        What :func:`checked_shape` gave.

    Returns
    -------
    images : ndarray of shape (n_filters, n_values)
        The scaled filters. One that is constant is all 0.

    limits : tuple of float
        The range.
    """
    has_colors = len(shape) == 3
    low = filters.min(axis=1, keepdims=True) if has_colors else 0
    size = np.abs(filters - low).max(axis=1, keepdims=True)
    return (filters - low) / np.where(size == 0, 1, size), (0 if has_colors else -1, 1)


def _pitch(shape):
    gap = 1 + max(shape[:2]) // 20
    return shape[0] + gap, shape[1] + gap


def corners(n_images, n_columns, shape):
    """Return where the top left corner of each image is, in the units of the axes.

    Parameters
    ----------
    n_images, n_columns : int
        Images, and how many of them are side by side.

    shape : tuple of int
        What :func:`checked_shape` gave.

    Returns
    -------
    x, y : ndarray of shape (n_images,)
        The corners.
    """
    row, column = np.divmod(np.arange(n_images), n_columns)
    down, across = _pitch(shape)
    return column * across - 0.5, row * down - 0.5


def centers(n_rows, shape):
    """Return the heights of the rows of images, in the units of the axes.

    Parameters
    ----------
    n_rows : int
        The rows.

    shape : tuple of int
        What :func:`checked_shape` gave.

    Returns
    -------
    y : ndarray of shape (n_rows,)
        The middle of each row.
    """
    return corners(n_rows, 1, shape)[1] + shape[0] / 2


def draw_images(ax, images, shape, n_columns, limits, cmap):
    """Draw images side by side as one, with gaps between them.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.

    images : ndarray of shape (n_images, n_values)
        The images, row by row. NaN leaves a gap.

    shape : tuple of int
        What :func:`checked_shape` gave.

    n_columns : int
        Images side by side.

    limits : tuple of float
        The values of black and white.

    cmap : str or matplotlib Colormap
        For images without colors.
    """
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


def axes_for(axes, n_axes, **kwargs):
    """Make axes side by side, or check those that were given.

    Parameters
    ----------
    axes : matplotlib Axes, array-like of them or None
        The axes; None makes a new figure.

    n_axes : int
        How many are needed.

    **kwargs
        Of a new figure, for ``matplotlib.pyplot.subplots``.

    Returns
    -------
    axes : ndarray of shape (n_axes,)
        The axes.

    figure : matplotlib Figure
        Their figure.
    """
    if axes is None:
        from matplotlib import pyplot as plt

        figure, axes = plt.subplots(1, n_axes, squeeze=False, layout="constrained", **kwargs)
        return axes[0], figure
    axes = np.ravel(np.asarray(axes, dtype=object))
    if len(axes) != n_axes:
        raise ValueError(f"axes must hold {n_axes} axes, got {len(axes)}.")
    return axes, axes[0].figure
