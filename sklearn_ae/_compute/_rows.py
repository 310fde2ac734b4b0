"""Rows of any container, taken as dense tensors; no object and no copy for a single sample."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from scipy import sparse
from sklearn.utils.sparsefuncs import mean_variance_axis, min_max_axis

from sklearn_ae._compute._runtime import fits


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """View an array as a tensor, a read-only one too: nothing here writes to the input."""
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
    sent a batch at a time, and a sparse one becomes dense a batch at a time. Nothing outside this
    class asks what the matrix is.

    Parameters
    ----------
    X : ndarray, torch.Tensor or scipy.sparse CSR of shape (n_samples, n_features)
        The data.

    device : torch.device, default=torch.device("cpu")
        Where the batches are wanted.

    dtype : torch.dtype, default=torch.float32
        Of the batches.

    sparse_input : bool, default=False
        Whether the network takes the rows of a sparse matrix as they are. The target is dense.

    owned : bool, default=False
        Whether inputs are copies that a corruption or a module of the user's may change.
    """

    # Names of the columns, where the estimator knows any.
    feature_names: Sequence[str] | None = None
    # Of the shape of X, which entries count in the loss, where not all do.
    observed: torch.Tensor | None = None

    def __init__(
        self,
        X: Any,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
        *,
        sparse_input: bool = False,
        owned: bool = False,
    ) -> None:
        self.device = device = torch.device("cpu") if device is None else device
        if isinstance(X, np.ndarray):
            X = as_tensor(X)
        self.is_sparse = sparse.issparse(X)
        if not self.is_sparse:
            n_bytes = X.shape[0] * X.shape[1] * dtype.itemsize
            X = X.to(device=device if fits(n_bytes, device) else X.device, dtype=dtype)
            if X.device.type != "cpu":
                # A frame is ordered by columns, and a row of it would be read in as many places.
                X = X.contiguous()
        self.X = X
        self.dtype = dtype
        # Where rows are counted.
        self.home = torch.device("cpu") if self.is_sparse else X.device
        # The rows of X that belong, where not all do.
        self.index: torch.Tensor | None = None
        self.sparse_input = sparse_input and self.is_sparse
        self.owned = owned

    def __len__(self) -> int:
        return self.X.shape[0] if self.index is None else len(self.index)

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return int(self.X.shape[1])

    def subset(self, index: torch.Tensor) -> Self:
        """Return some of these rows, without copying data."""
        some = copy.copy(self)
        index = index.to(self.home)
        some.index = index if self.index is None else self.index[index]
        return some

    def copied(self) -> Self:
        """Return the same rows, which no later change of the caller's data reaches."""
        same = copy.copy(self)
        same.X = self.X.copy() if self.is_sparse else self.X.clone()
        return same

    def take(self, index: torch.Tensor | slice) -> Any:
        """Return rows as the network takes them.

        Parameters
        ----------
        index : torch.Tensor of shape (n_rows,) or slice
            The rows, counted among these.

        Returns
        -------
        batch : torch.Tensor or scipy.sparse CSR of shape (n_rows, n_features)
            The rows. A slice of all rows is a view of the data.
        """
        index = index if isinstance(index, slice) else index.to(self.home)
        if self.index is not None:
            index = self.index[index]
        if self.is_sparse:
            batch = self.X[index if isinstance(index, slice) else index.numpy()]
            return batch if self.sparse_input else self._dense(batch)
        # Several times faster than indexing.
        by_slice = isinstance(index, slice)
        return self._sent(self.X[index] if by_slice else self.X.index_select(0, index))

    def pair(self, index: torch.Tensor | slice) -> tuple[Any, Any]:
        """Return rows as the network takes them, and the same as its clean, dense target.

        Where not all entries count in the loss, the target comes with their weights.
        """
        batch = self.take(index)
        target = self._dense(batch) if sparse.issparse(batch) else batch
        if self.observed is not None:
            place = index if self.index is None else self.index[index]
            target = target, self._sent(self.observed[place]).to(self.dtype)
        return (batch.clone() if self.owned else batch), target

    def sample(self, n_rows: int) -> torch.Tensor:
        """Return about that many rows, evenly spread, at most all of them, as a dense tensor."""
        return self.dense(slice(None, None, max(1, len(self) // n_rows)))

    def dense(self, index: torch.Tensor | slice) -> torch.Tensor:
        """Return rows as a dense tensor."""
        batch = self.take(index)
        return self._dense(batch) if sparse.issparse(batch) else batch

    def column_mean(self) -> torch.Tensor:
        """Return the mean of each column over all rows of the matrix."""
        if self.is_sparse:
            return self._statistic(as_tensor(mean_variance_axis(self.X, axis=0)[0]))
        # In float64 the order of the sum, which depends on how X lies in memory, does not matter.
        dtype = self.dtype if self.home.type == "mps" else torch.float64
        blocks = [block.sum(dim=0, dtype=dtype) for block in self.X.split(4096)]
        return self._statistic(torch.stack(blocks).sum(dim=0) / len(self.X))

    def column_range(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the smallest and the largest value of each column over all rows of the matrix."""
        if self.is_sparse:
            low, high = map(as_tensor, min_max_axis(self.X, axis=0))
            return self._statistic(low), self._statistic(high)
        return self._statistic(self.X.amin(dim=0)), self._statistic(self.X.amax(dim=0))

    def column_deviation(self, n_rows: int) -> np.ndarray:
        """Return the standard deviation of each column over about that many rows, in float64."""
        some = self.X[:: max(1, self.X.shape[0] // n_rows)]
        if self.is_sparse:
            return np.sqrt(mean_variance_axis(some, axis=0)[1])
        return some.cpu().double().std(dim=0, correction=0).numpy()

    def _statistic(self, values: torch.Tensor) -> torch.Tensor:
        return values.to(device=self.device, dtype=self.dtype)

    def _sent(self, batch: torch.Tensor) -> torch.Tensor:
        """Send a batch to the device, to a GPU without waiting for it."""
        if self.device.type == "cuda" and batch.device.type == "cpu":
            return batch.pin_memory().to(self.device, non_blocking=True)
        return batch.to(self.device)

    def _dense(self, batch: Any) -> torch.Tensor:
        if self.device.type == "cpu":
            return torch.from_numpy(batch.toarray()).to(self.dtype)
        # Only what is not zero is sent.
        n_rows, n_columns = batch.shape
        row_starts = np.arange(n_rows, dtype=np.int64) * n_columns
        places = np.repeat(row_starts, np.diff(batch.indptr)) + batch.indices
        values = self._sent(as_tensor(batch.data)).to(self.dtype)
        dense = torch.zeros(n_rows * n_columns, dtype=self.dtype, device=self.device)
        dense.scatter_add_(0, self._sent(torch.from_numpy(places)), values)
        return dense.view(n_rows, n_columns)


class LabeledRows(Rows):
    """Rows whose target is the clean row, its label and its weight, whose mean is 1.

    A split has the indices of the rows that are trained on and of those that are held out.
    """

    def __init__(
        self,
        X: Any,
        device: torch.device,
        dtype: torch.dtype,
        *,
        y: torch.Tensor,
        weight: torch.Tensor,
        split: tuple[torch.Tensor, torch.Tensor] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(X, device, dtype, **kwargs)
        # Where rows are counted, so that no index has to follow them to the device.
        self.y = y.to(self.home)
        self.weight = weight.to(self.home, self.dtype)
        self.split = split

    def pair(self, index: torch.Tensor | slice) -> tuple[Any, Any]:
        """Return rows as the network takes them, and their clean rows, labels and weights."""
        batch, clean = super().pair(index)
        if self.index is not None:
            index = self.index[index]
        return batch, (clean, self._sent(self.y[index]), self._sent(self.weight[index]))


class Batches:
    """Iterate over rows in batches, as pairs of the input and its clean target.

    A last batch of a single row joins the one before it, since batch statistics of one row do not
    exist. A generator, on the CPU, draws a new order for each pass.
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
            order = torch.randperm(n_rows, generator=self.generator, device="cpu")
            order = order.to(self.rows.home)
        for number in range(n_batches):
            start = number * self.batch_size
            stop = n_rows if number == n_batches - 1 else start + self.batch_size
            part = slice(start, stop)
            yield self.rows.pair(part if order is None else order[part])
