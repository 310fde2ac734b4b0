"""Corruptions of the input; the target of the reconstruction is always the clean input.

A corruption maps a batch to a corrupted batch. Its strength is not its own: ``corruption_level``
lives on the estimator, a corruption holds shape parameters only.

=================== ============================================== ============
corruption          meaning of ``corruption_level``                range
=================== ============================================== ============
``GaussianNoise``   standard deviation of the noise, in units of X [0, inf)
``Masking``         share of the entries that are blanked          [0, 1]
``SaltAndPepper``   share of the entries set to a column's extreme [0, 1]
``SwapNoise``       share of the entries (or groups) replaced      [0, 1]
``Gaps``            share of the entries (or groups) taken away    [0, 1]
``RegionBlanking``  share of the image's area that is blanked      [0, 1]
=================== ============================================== ============
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from operator import index
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone

from sklearn_ae._sklearn._compat import StrOptions
from sklearn_ae._sklearn._image_shape import check_image_shape
from sklearn_ae.modules._masks import random_mask

__all__ = [
    "Corruption",
    "Gaps",
    "GaussianNoise",
    "Masking",
    "RegionBlanking",
    "SaltAndPepper",
    "SwapNoise",
]


class Corruption(BaseEstimator):
    """The contract of a corruption.

    Derive from this class, store the shape parameters in ``__init__`` and corrupt a batch in
    ``__call__``. A plain function ``(X, level, generator) -> X`` is accepted as well.

    Attributes
    ----------
    max_level : float
        The largest level that makes sense; the smallest is 0, at which the corruption is off.

    See Also
    --------
    Masking : The corruption of the original denoising autoencoder.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.corruptions import Corruption
    >>> class Dimming(Corruption):
    ...     def __call__(self, X, level, generator):
    ...         share = torch.rand(X.shape[:-1] + (1,), generator=generator, device=X.device)
    ...         return X * (1 - level * share)
    >>> Dimming()(torch.ones(2, 3), 0.0, torch.Generator())
    tensor([[1., 1., 1.],
            [1., 1., 1.]])
    """

    max_level: float = 1.0

    def prepare(self, rows: Any) -> Self:
        """Learn what the corruption needs from the training data and check that it fits.

        Parameters
        ----------
        rows : Rows
            The training data, before the first batch: ``len(rows)`` rows of ``rows.n_features``
            columns, named ``rows.feature_names`` or None, of which ``rows.column_mean()`` and
            ``rows.column_range()`` tell about all and ``rows.sample(n)`` gives some. They are the
            user's own and must not be written to.

        Returns
        -------
        self : Corruption
            The corruption itself. It is a copy of the one that the user gave.
        """
        return self

    def __call__(self, X: torch.Tensor, level: float, generator: torch.Generator) -> torch.Tensor:
        """Corrupt a batch.

        Parameters
        ----------
        X : torch.Tensor of shape (..., n_rows, n_features)
            A copy of the clean batch, which may be changed in place.

        level : float
            The strength, ``corruption_level`` of the estimator; never 0 here.

        generator : torch.Generator
            The only source of randomness to use, on the device of X.

        Returns
        -------
        X : torch.Tensor of shape (..., n_rows, n_features)
            The corrupted batch.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define __call__(X, level, generator)"
        )


class GaussianNoise(Corruption):
    """Add centered normal noise of standard deviation ``corruption_level`` to every entry.

    See Also
    --------
    Masking : Removes entries instead of shifting them.

    References
    ----------
    .. [1] Vincent, P. et al. (2010). Stacked denoising autoencoders: learning useful
       representations in a deep network with a local denoising criterion. JMLR 11.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.corruptions import GaussianNoise
    >>> X = torch.zeros(1000, 10)
    >>> noisy = GaussianNoise()(X.clone(), 0.5, torch.Generator().manual_seed(0))
    >>> round(noisy.std().item(), 1)
    0.5
    """

    max_level = math.inf

    def __call__(self, X: torch.Tensor, level: float, generator: torch.Generator) -> torch.Tensor:
        """Corrupt a batch, as in :class:`Corruption`."""
        return X.add_(torch.empty_like(X).normal_(generator=generator), alpha=level)


class Masking(Corruption):
    """Blank random entries, each with probability ``corruption_level``.

    Parameters
    ----------
    fill : {"zero", "mean"}, default="zero"
        What a blanked entry becomes: zero, or the mean of its column in the training data. On
        standardized columns the two are the same.

    See Also
    --------
    RegionBlanking : Blanks a rectangle of an image at once.
    SwapNoise : Fills in values that do occur in the column.

    References
    ----------
    .. [1] Vincent, P. et al. (2008). Extracting and composing robust features with denoising
       autoencoders. ICML.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.corruptions import Masking
    >>> X = Masking()(torch.ones(1000, 10), 0.3, torch.Generator().manual_seed(0))
    >>> round(X.mean().item(), 1)
    0.7
    """

    _parameter_constraints: dict[str, list[Any]] = {"fill": [StrOptions({"zero", "mean"})]}

    def __init__(self, fill: str = "zero") -> None:
        self.fill = fill

    def prepare(self, rows: Any) -> Self:
        """Store the means of the columns where they are needed.

        Parameters
        ----------
        rows : Rows
            The training data.

        Returns
        -------
        self : Masking
            The corruption itself.
        """
        if self.fill == "mean":
            self.mean_ = rows.column_mean()
        return self

    def __call__(self, X: torch.Tensor, level: float, generator: torch.Generator) -> torch.Tensor:
        """Corrupt a batch, as in :class:`Corruption`."""
        if self.fill == "mean":
            return torch.where(random_mask(X.shape, level, generator), self.mean_.to(X), X)
        return X.mul_(random_mask(X.shape, 1 - level, generator))


class SaltAndPepper(Corruption):
    """Set random entries to the smallest or the largest value of their column, at a fair toss.

    The extremes are those of the training data, so that the noise has the scale of each column.

    See Also
    --------
    Masking : Sets the entries to zero or to the mean.

    References
    ----------
    .. [1] Vincent, P. et al. (2010). Stacked denoising autoencoders: learning useful
       representations in a deep network with a local denoising criterion. JMLR 11.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.corruptions import SaltAndPepper
    >>> from sklearn_ae import DenoisingAutoencoder
    >>> X = torch.tensor([[0.0, 5.0], [1.0, 9.0]])
    >>> ae = DenoisingAutoencoder(2, corruption="salt_and_pepper", max_epochs=1).fit(X)
    >>> noisy = ae.net_.recipe.corruption(X.clone(), 1.0, torch.Generator().manual_seed(0))
    >>> bool(((noisy == X[0]) | (noisy == X[1])).all())
    True
    """

    def prepare(self, rows: Any) -> Self:
        """Store the extremes of the columns.

        Parameters
        ----------
        rows : Rows
            The training data.

        Returns
        -------
        self : SaltAndPepper
            The corruption itself.
        """
        self.low_, self.high_ = rows.column_range()
        return self

    def __call__(self, X: torch.Tensor, level: float, generator: torch.Generator) -> torch.Tensor:
        """Corrupt a batch, as in :class:`Corruption`."""
        draw = _uniform(X.shape, X, generator)
        X = torch.where(draw < level / 2, self.low_.to(X), X)
        return torch.where(draw >= 1 - level / 2, self.high_.to(X), X)


class _Grouped(Corruption):
    """A corruption of columns that go together, each group as one."""

    def __init__(self, groups: Sequence[Sequence[int | str]] | None = None) -> None:
        self.groups = groups

    def prepare(self, rows: Any) -> Self:
        """Find the columns of the groups.

        Parameters
        ----------
        rows : Rows
            The training data.

        Returns
        -------
        self : Corruption
            The corruption itself.
        """
        if self.groups is not None:
            first = torch.arange(rows.n_features, device=rows.device)
            for group in filter(None, self._checked_groups(rows)):
                first[group] = group[0]
            firsts, self.group_of_column_ = first.unique(return_inverse=True)
            self.n_groups_ = len(firsts)
        return self

    def _shape_of_draws(self, X: torch.Tensor) -> tuple[int, ...]:
        """Return the shape of a batch with a column for each group."""
        if self.groups is None:
            return tuple(X.shape)
        if not hasattr(self, "n_groups_"):
            self.prepare(_Columns(X.shape[-1], X.device))
        return (*X.shape[:-1], self.n_groups_)

    def _by_column(self, drawn: torch.Tensor) -> torch.Tensor:
        """Return for each column what was drawn for its group."""
        return drawn if self.groups is None else drawn[..., self.group_of_column_.to(drawn.device)]

    def _checked_groups(self, rows: Any) -> list[list[int]]:
        """Return the groups as indices of columns, and refuse what names none or one twice."""
        given: Any = self.groups
        n_features, names = rows.n_features, rows.feature_names
        message = (
            f"{type(self).__name__}(groups={self.groups!r}) must be a sequence of sequences, all "
            f"of column indices from 0 to {n_features - 1} or all of column names, each at most "
            f"once, since the autoencoder gets {n_features} features"
            f"{' without names' if names is None else ''}"
        )
        try:
            groups = list(map(_columns, given))
        except TypeError as error:
            raise ValueError(f"{message}.") from error
        counts = Counter(column for group in groups for column in group)
        by_name = names is not None and all(isinstance(column, str) for column in counts)
        known = list(names if by_name else range(n_features))
        times = Counter(known)
        wrong = [column for column, n in counts.items() if n > 1 or times[column] != 1]
        if wrong:
            raise ValueError(f"{message}; it can't hold {wrong}.")
        number = {column: k for k, column in enumerate(known)}
        return [[number[column] for column in group] for group in groups]


class _Columns(NamedTuple):
    """What groups are prepared on where no autoencoder does it: columns without names."""

    n_features: int
    device: torch.device
    feature_names: None = None


def _columns(group: Any) -> list[int | str]:
    if isinstance(group, str):
        raise TypeError("A name alone is no group.")
    return [str(column) if isinstance(column, str) else index(column) for column in group]


class SwapNoise(_Grouped):
    """Replace random entries by the same column of another row of the batch.

    A donor row is drawn for every entry that is replaced, so each column keeps its own
    distribution while the dependence between columns is broken. Made for tables.

    Parameters
    ----------
    groups : sequence of sequence of int, or of sequence of str, default=None
        Columns that move together, each group with one donor: the columns that encode one
        category, say. They are given by index, or by name where the autoencoder itself is given a
        frame, as behind ``set_output(transform="pandas")``; inside a fine-tuned estimator it gets
        an array. Columns in no group move alone. With ``None`` every column does.

    See Also
    --------
    Masking : For columns without a natural donor.

    Notes
    -----
    In a batch of one row there is no other row, and nothing is replaced.

    Examples
    --------
    >>> import pandas as pd
    >>> import torch
    >>> from sklearn_ae import DenoisingAutoencoder
    >>> from sklearn_ae.corruptions import SwapNoise
    >>> X = pd.DataFrame({"Oslo": [1.0, 0.0], "Rome": [0.0, 1.0], "age": [3.0, 4.0]})
    >>> ae = DenoisingAutoencoder(2, corruption=SwapNoise([["Oslo", "Rome"]]), max_epochs=1).fit(X)
    >>> swap = ae.net_.recipe.corruption
    >>> swap(torch.tensor(X.values), 1.0, torch.Generator().manual_seed(0))
    tensor([[0., 1., 4.],
            [1., 0., 3.]], dtype=torch.float64)
    """

    def __call__(self, X: torch.Tensor, level: float, generator: torch.Generator) -> torch.Tensor:
        """Corrupt a batch, as in :class:`Corruption`."""
        n_rows = X.shape[-2]
        shape = self._shape_of_draws(X)
        if n_rows == 1:
            return X
        swapped = random_mask(shape, level, generator)
        shift = torch.randint(1, n_rows, shape, generator=generator, device=X.device)
        row = torch.arange(n_rows, device=X.device).unsqueeze(-1)
        donor = torch.where(swapped, (row + shift) % n_rows, row)
        return X.gather(-2, self._by_column(donor))


class Gaps(_Grouped):
    """Take random entries away as if they were missing, and from each row what another row misses.

    So a network learns to fill gaps, those too that come together because one instrument failed or
    one question was not asked. Made for tables whose gaps were filled.

    Parameters
    ----------
    groups : sequence of sequence of int, or of sequence of str, default=None
        Columns that go together, given as for :class:`SwapNoise`: those that encode one category,
        or a number and the mark of its gaps. With ``None`` every column goes alone.

    fill : array-like of shape (n_features,), default=None
        A row without any value, such as zeros and a one for each mark of a gap. A group that equals
        it is a gap, unless all of it is zero, as a value may be too. With ``None`` what is taken
        away becomes zero, and rows have no gaps of their own.

    See Also
    --------
    Masking : Blanks single entries.
    SwapNoise : Fills in values that do occur in the column.

    Notes
    -----
    ``corruption_level`` is the share that is taken away at random. The gaps of the other row, the
    same number of places further down the batch for all, come on top.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.corruptions import Gaps
    >>> gaps = Gaps(groups=[[0, 1], [2, 3]], fill=[0, 1, 0, 1])
    >>> gaps(torch.tensor([[5.0, 0.0, 0.0, 1.0], [7.0, 0.0, 8.0, 0.0]]), 0, torch.Generator())
    tensor([[5., 0., 0., 1.],
            [7., 0., 0., 1.]])
    """

    _parameter_constraints: dict[str, list[Any]] = {"fill": ["array-like", None]}

    def __init__(
        self, groups: Sequence[Sequence[int | str]] | None = None, fill: Any = None
    ) -> None:
        super().__init__(groups)
        self.fill = fill

    def prepare(self, rows: Any) -> Self:
        """Find the columns of the groups, and check what fills them.

        Parameters
        ----------
        rows : Rows
            The training data.

        Returns
        -------
        self : Gaps
            The corruption itself.
        """
        if self.fill is not None:
            message = (
                f"Gaps(fill={self.fill!r}) must hold a number for each of the {rows.n_features} "
                "features that the autoencoder gets."
            )
            try:
                fill = torch.from_numpy(np.array(self.fill, dtype=np.float64))
            except (TypeError, ValueError) as error:
                raise ValueError(message) from error
            if fill.shape != (rows.n_features,):
                raise ValueError(message)
            # There is no float64 on MPS.
            self.fill_ = (fill.float() if rows.device.type == "mps" else fill).to(rows.device)
        return super().prepare(rows)

    def __call__(self, X: torch.Tensor, level: float, generator: torch.Generator) -> torch.Tensor:
        """Corrupt a batch, as in :class:`Corruption`."""
        if self.fill is not None and not hasattr(self, "fill_"):
            prepared = clone(self).prepare(_Columns(X.shape[-1], X.device))
            return prepared(X, level, generator)
        n_rows = X.shape[-2]
        taken = random_mask(self._shape_of_draws(X), level, generator)
        if self.fill is None:
            return X.masked_fill_(self._by_column(taken), 0)
        fill = self.fill_.to(X)
        if n_rows > 1:
            shift = torch.randint(1, n_rows, (1,), generator=generator, device=X.device)
            other = (torch.arange(n_rows, device=X.device) + shift) % n_rows
            gaps = ~self._any_of_group(fill != X) & self._any_of_group(fill != 0)
            taken |= gaps.index_select(-2, other)
        return torch.where(self._by_column(taken), fill, X)

    def _any_of_group(self, marks: torch.Tensor) -> torch.Tensor:
        """Return for each group whether any of its columns is marked."""
        if self.groups is None:
            return marks
        counts = torch.zeros((*marks.shape[:-1], self.n_groups_), device=marks.device)
        return counts.index_add_(-1, self.group_of_column_.to(marks.device), marks.float()) > 0


class RegionBlanking(Corruption):
    """Blank a random rectangle of each image: its entries become zero.

    On average the rectangle covers the share ``corruption_level`` of the image's area. Its aspect
    ratio is drawn log-uniformly from 1/2 to 2 times that of the image, as far as whole pixels and
    the edges allow, its place uniformly; all channels are blanked. Where the share is less than a
    pixel, one pixel of some of the images is.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of an image, ``(height, width)`` or ``(height, width, n_channels)``, in the order in
        which its entries lie in a row of X.

    See Also
    --------
    Masking : Blanks single entries, which their neighbors give away.

    References
    ----------
    .. [1] Pathak, D. et al. (2016). Context encoders: feature learning by inpainting. CVPR.

    Examples
    --------
    >>> import torch
    >>> from sklearn_ae.corruptions import RegionBlanking
    >>> blank = RegionBlanking(image_shape=(4, 4))
    >>> X = blank(torch.ones(1, 16), 0.25, torch.Generator().manual_seed(1))
    >>> int((X == 0).sum())
    4
    """

    _parameter_constraints: dict[str, list[Any]] = {"image_shape": [tuple, list]}

    def __init__(self, image_shape: tuple[int, ...]) -> None:
        self.image_shape = image_shape

    def prepare(self, rows: Any) -> Self:
        """Check the shape against the number of columns.

        Parameters
        ----------
        rows : Rows
            The training data.

        Returns
        -------
        self : RegionBlanking
            The corruption itself.
        """
        check_image_shape(self, rows.n_features)
        return self

    def __call__(self, X: torch.Tensor, level: float, generator: torch.Generator) -> torch.Tensor:
        """Corrupt a batch, as in :class:`Corruption`."""
        height, width = self.image_shape[:2]
        short, long = sorted((height, width))
        area = level * short * long
        ratio, fraction, at_row, at_column = _uniform((4, *X.shape[:-1], 1), X, generator)
        # With these bounds the longer side has room for the rest of the area, and at least 1 of it.
        low, high = math.ceil(level * short), max(1, min(short, int(area)))
        n_short = (short * level**0.5 * torch.exp2(ratio - 0.5)).round().clamp(low, high)
        # Rounded up as often as makes the area right on average.
        n_long = (area / n_short + fraction).floor()
        n_rows, n_columns = (n_short, n_long) if height <= width else (n_long, n_short)
        rows = _inside(height, n_rows, at_row)
        columns = _inside(width, n_columns, at_column)
        blank = rows.unsqueeze(-1) & columns.unsqueeze(-2)
        images = X.view(*X.shape[:-1], height, width, -1)
        return images.masked_fill_(blank.unsqueeze(-1), 0).view(X.shape)


def _inside(size: int, length: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """Mark which of ``size`` positions lie in a stretch of that length, at a random place."""
    start = (place * (size - length + 1)).floor()
    position = torch.arange(size, device=place.device)
    return (position >= start) & (position < start + length)


def _uniform(shape: Sequence[int], like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(shape, generator=generator, device=like.device, dtype=like.dtype)


CORRUPTIONS: dict[str, type[Corruption]] = {
    "gaps": Gaps,
    "gaussian": GaussianNoise,
    "masking": Masking,
    "salt_and_pepper": SaltAndPepper,
    "swap": SwapNoise,
}
