"""Rows of any container, taken as dense tensors; no object and no copy for a single sample."""

from __future__ import annotations

import copy
import mmap
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from scipy import sparse
from sklearn.utils.sparsefuncs import mean_variance_axis, min_max_axis

from sklearn_ae._compute._runtime import fits

# Entries of a block.
_BLOCK = 2**22


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """View an array as a tensor, a read-only one too: nothing here writes to the input."""
    if any(stride < 0 or stride % array.itemsize for stride in array.strides):
        array = array.copy()
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if not array.flags.writeable:
        array = np.asarray(_Writeable(array))
    return torch.from_numpy(array)


def cast(array: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    """Return rows of an array as a tensor of a type that the array may not have."""
    return as_tensor(np.asarray(array, str(dtype).removeprefix("torch."), order="C"))


def blocks_of(n_rows: int, n_features: int) -> Iterator[slice]:
    """Cut rows into blocks that are small beside the memory of any machine."""
    step = max(1, min(4096, _BLOCK // n_features))
    return (slice(start, start + step) for start in range(0, n_rows, step))


def _is_mapped(X: Any) -> bool:
    while isinstance(X, np.ndarray):
        X = X.base
    return isinstance(X.obj if isinstance(X, memoryview) else X, mmap.mmap)


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
    sent a batch at a time, one of another type is cast and a sparse one becomes dense a batch at a
    time. Nothing outside this class asks what the matrix is.

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
        self.dtype = dtype
        self.is_sparse = sparse.issparse(X)
        self.is_mapped = _is_mapped(X)
        if isinstance(X, np.ndarray) and X.dtype == str(dtype).removeprefix("torch."):
            X = as_tensor(X)
        if not self.is_sparse:
            stays = not fits(X.shape[0] * X.shape[1] * dtype.itemsize, device)
            if isinstance(X, torch.Tensor):
                X = X.to(device=X.device if stays else device, dtype=dtype)
                if X.device.type != "cpu":
                    # A frame is ordered by columns, and a row would be read in as many places.
                    X = X.contiguous()
            elif device.type != "cpu" and not stays:
                X = _placed(X, device, dtype)
        self.X = X
        # Where rows are counted.
        self.home = X.device if isinstance(X, torch.Tensor) else torch.device("cpu")
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
        """Return the same rows, which no later change of the caller's data reaches.

        What is mapped from a file stays there.
        """
        same = copy.copy(self)
        if not self.is_mapped:
            same.X = self.X.clone() if isinstance(self.X, torch.Tensor) else self.X.copy()
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
        return self._sent(self._of_matrix(index))

    def _of_matrix(self, index: torch.Tensor | slice) -> torch.Tensor:
        """Return rows of the dense matrix where it is, cast."""
        by_slice = isinstance(index, slice)
        if isinstance(self.X, np.ndarray):
            return cast(self.X[index if by_slice else np.asarray(index)], self.dtype)
        # Several times faster than indexing.
        # A frame is ordered by columns, and products of few columns would round otherwise.
        return self.X[index].contiguous() if by_slice else self.X.index_select(0, index)

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

    def batches(
        self, size: int, n_batches: int, generator: torch.Generator | None
    ) -> Iterator[tuple[Any, Any]]:
        """Yield the pairs of all rows, in an order that a generator draws, the rest in the last."""
        n_rows, order = len(self), None
        if generator is not None:
            order = torch.randperm(n_rows, generator=generator, device="cpu").to(self.home)
        for number in range(n_batches):
            part = slice(number * size, n_rows if number == n_batches - 1 else (number + 1) * size)
            yield self.pair(part if order is None else order[part])

    def sample(self, n_rows: int) -> torch.Tensor:
        """Return about that many rows, evenly spread, at most all of them, as a dense tensor."""
        return self.dense(slice(None, None, max(1, len(self) // n_rows)))

    def drawn(self, n_rows: int, generator: torch.Generator) -> torch.Tensor:
        """Return rows that a generator on the device draws, at most all of them, dense."""
        order = torch.randperm(len(self), generator=generator, device=generator.device)
        return self.dense(order[:n_rows])

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
        blocks = list(blocks_of(*self.X.shape))
        # Small tensors made between large ones would keep memory from being used again.
        sums = torch.empty(len(blocks), self.n_features, dtype=dtype, device=self.home)
        for block, place in zip(blocks, sums, strict=True):
            torch.sum(self._of_matrix(block), dim=0, dtype=dtype, out=place)
        return self._statistic(sums.sum(dim=0) / self.X.shape[0])

    def column_range(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the smallest and the largest value of each column over all rows of the matrix."""
        if self.is_sparse:
            low, high = map(as_tensor, min_max_axis(self.X, axis=0))
            return self._statistic(low), self._statistic(high)
        low = high = self._of_matrix(slice(0, 1))[0]
        for block in map(self._of_matrix, blocks_of(*self.X.shape)):
            low, high = low.minimum(block.amin(dim=0)), high.maximum(block.amax(dim=0))
        return self._statistic(low), self._statistic(high)

    def column_deviation(self, n_rows: int) -> np.ndarray:
        """Return the standard deviation of each column over about that many rows, in float64."""
        some = slice(None, None, max(1, self.X.shape[0] // n_rows))
        if self.is_sparse:
            return np.sqrt(mean_variance_axis(self.X[some], axis=0)[1])
        return self._of_matrix(some).cpu().double().std(dim=0, correction=0).numpy()

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


def _placed(X: np.ndarray, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Move an array to a device, cast a block at a time."""
    placed = torch.empty(X.shape, dtype=dtype, device=device)
    for block in blocks_of(*X.shape):
        placed[block].copy_(cast(X[block], dtype))
    return placed


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
        return self.rows.batches(self.batch_size, len(self), self.generator)
