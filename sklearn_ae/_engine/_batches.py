"""Batches as slices of whole tensors; no object and no copy for a single sample."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import sparse

from sklearn_ae._engine._runtime import fits

__all__ = ["Batches", "Rows", "as_tensor"]


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """View an array as a tensor, a read-only one too: nothing here writes to the input.

    Parameters
    ----------
    array : ndarray
        The array.

    Returns
    -------
    tensor : torch.Tensor
        A view of the same memory; a copy where torch can't address it.
    """
    if any(stride < 0 or stride % array.itemsize for stride in array.strides):
        array = array.copy()
    if not array.flags.writeable:
        array = np.asarray(_Writeable(array))
    return torch.from_numpy(array)


class _Writeable:
    """An array's memory without its read-only mark, which torch would warn of."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.__array_interface__ = {
            **array.__array_interface__,
            "data": (array.ctypes.data, False),
        }


class Rows:
    """The rows of a data matrix, taken by index as dense tensors on a device.

    A dense matrix is moved to the device at once, if it fits; a larger one stays where it is and is
    sent a batch at a time, and a sparse one becomes dense a batch at a time.

    Parameters
    ----------
    X : ndarray, torch.Tensor or scipy.sparse CSR of shape (n_samples, n_features)
        The data.

    device : torch.device
        Where the batches are wanted.

    dtype : torch.dtype
        Of the batches.

    index : torch.Tensor of shape (n_rows,), default=None
        The rows that belong; None stands for all.

    sparse_input : bool, default=False
        Whether the network takes the rows of a sparse matrix as they are. The target is dense.
    """

    def __init__(
        self,
        X: Any,
        device: torch.device,
        dtype: torch.dtype,
        index: torch.Tensor | None = None,
        sparse_input: bool = False,
    ) -> None:
        if isinstance(X, np.ndarray):
            X = as_tensor(X)
        if not sparse.issparse(X):
            n_bytes = X.shape[0] * X.shape[1] * dtype.itemsize
            X = X.to(device=device if fits(n_bytes, device) else X.device, dtype=dtype)
        self.X = X
        self.device = device
        self.dtype = dtype
        self.index = index
        self.sparse_input = sparse_input and sparse.issparse(X)

    def __len__(self) -> int:
        return self.X.shape[0] if self.index is None else len(self.index)

    def subset(self, index: torch.Tensor) -> Rows:
        """Return some of these rows, without copying data.

        Parameters
        ----------
        index : torch.Tensor of shape (n_rows,)
            The rows, counted among these.

        Returns
        -------
        rows : Rows
            The subset.
        """
        index = index if self.index is None else self.index[index]
        return Rows(self.X, self.device, self.dtype, index, self.sparse_input)

    def take(self, index: torch.Tensor | slice) -> Any:
        """Return a batch as the network takes it.

        Parameters
        ----------
        index : torch.Tensor of shape (n_rows,) or slice
            The rows, counted among these.

        Returns
        -------
        batch : torch.Tensor or scipy.sparse CSR of shape (n_rows, n_features)
            The rows. A slice of all rows is a view of the data.
        """
        if self.index is not None:
            index = self.index[index]
        if sparse.issparse(self.X):
            batch = self.X[index if isinstance(index, slice) else index.cpu().numpy()]
            return batch if self.sparse_input else self.dense(batch)
        batch = self.X[index if isinstance(index, slice) else index.to(self.X.device)]
        if self.X.device.type == "cpu" and self.device.type == "cuda":
            batch = batch.pin_memory()
        return batch.to(self.device, non_blocking=True)

    def pair(self, index: torch.Tensor | slice) -> tuple[Any, Any]:
        """Return a batch and its target.

        Parameters
        ----------
        index : torch.Tensor of shape (n_rows,) or slice
            The rows, counted among these.

        Returns
        -------
        batch, target : torch.Tensor or scipy.sparse CSR of shape (n_rows, n_features)
            Input and clean input.
        """
        batch = self.take(index)
        return batch, self.dense(batch)

    def dense(self, batch: Any) -> torch.Tensor:
        """Return a batch as its clean target.

        Parameters
        ----------
        batch : torch.Tensor or scipy.sparse CSR of shape (n_rows, n_features)
            What :meth:`take` gave.

        Returns
        -------
        target : torch.Tensor of shape (n_rows, n_features)
            The same object where it is dense.
        """
        if sparse.issparse(batch):
            batch = torch.from_numpy(batch.toarray()).to(device=self.device, dtype=self.dtype)
        return batch


class Batches:
    """Iterate over rows in batches, as pairs of the input and its clean target.

    A last batch of a single row joins the one before it, since batch statistics of one row do not
    exist.

    Parameters
    ----------
    rows : Rows
        The data.

    batch_size : int
        Rows in a batch; larger than the data means one batch.

    generator : torch.Generator, default=None
        Draws a new order for each pass. With None the rows keep theirs.
    """

    def __init__(
        self, rows: Rows, batch_size: int, generator: torch.Generator | None = None
    ) -> None:
        self.rows = rows
        self.batch_size = min(batch_size, len(rows))
        self.generator = generator

    def __len__(self) -> int:
        n_full, rest = divmod(len(self.rows), self.batch_size)
        return n_full + (rest > (1 if n_full else 0))

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        n_rows, n_batches = len(self.rows), len(self)
        order = None
        if self.generator is not None:
            order = torch.randperm(n_rows, generator=self.generator, device=self.generator.device)
        for number in range(n_batches):
            start = number * self.batch_size
            stop = n_rows if number == n_batches - 1 else start + self.batch_size
            part = slice(start, stop)
            yield self.rows.pair(part if order is None else order[part])
