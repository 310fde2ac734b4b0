"""Rows of a dask array: read block by block, shuffled in a buffer, and encoded where they are."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import copy_context
from typing import Any, Self

import numpy as np
import torch

from sklearn_ae._compute._rows import Rows, blocks_of, cast
from sklearn_ae._compute._runtime import lent_generators, limited_threads
from sklearn_ae._sklearn._compat import get_output_config

# Bytes of the buffer that rows are shuffled in; it holds two blocks at least.
_BUFFER = 2**28
# Rows that are kept as a sample, and their entries.
_N_SAMPLED = 4096
_MAX_SAMPLED = 2**24


class DaskRows(Rows):
    """The rows of a dask array, read once a pass, block by block, while others are trained on.

    A first pass checks that all are finite, and keeps the statistics of the columns and a sample.

    Parameters
    ----------
    X : dask.array.Array of shape (n_samples, n_features)
        The data, in blocks of whole rows whose lengths are known.

    device : torch.device, default=torch.device("cpu")
        Where the batches are wanted.

    dtype : torch.dtype, default=torch.float32
        Of the batches.

    owned : bool, default=False
        Whether inputs are copies that a corruption or a module of the user's may change.
    """

    def __init__(
        self,
        X: Any,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
        *,
        owned: bool = False,
    ) -> None:
        self.X, self.dtype, self.owned = X, dtype, owned
        self.home = torch.device("cpu")
        self.device = self.home if device is None else device
        self.is_sparse = self.sparse_input = False
        self._delayed = X.to_delayed().ravel()
        # The first row of each block, and the end of the last.
        self._starts = np.cumsum([0, *X.chunks[0]])
        # Which rows of X belong, where not all do.
        self._kept: np.ndarray | None = None
        self._look()

    def __len__(self) -> int:
        return int(self._starts[-1] if self._kept is None else self._kept.sum())

    def subset(self, index: torch.Tensor) -> Self:
        """Return some of these rows, which are read as all are."""
        some = copy.copy(self)
        places = np.arange(self._starts[-1]) if self._kept is None else np.flatnonzero(self._kept)
        some._kept = np.zeros(self._starts[-1], bool)
        some._kept[places[index.numpy()]] = True
        belong = some._kept[self._sampled]
        some._sampled, some._sample = self._sampled[belong], self._sample[belong]
        return some

    def copied(self) -> Self:
        """Return the same rows: a dask array does not change."""
        return self

    def batches(
        self, size: int, n_batches: int, generator: torch.Generator | None
    ) -> Iterator[tuple[Any, Any]]:
        """Yield the pairs of all rows, shuffled by a generator, the rest in the last batch."""
        pieces = self._ordered(size) if generator is None else self._shuffled(size, generator)
        held: list[np.ndarray] = []
        for piece in pieces:
            held.append(piece)
            if n_batches > 1 and sum(map(len, held)) >= size:
                n_batches -= 1
                rows = held[0] if len(held) == 1 else np.concatenate(held)
                held = [rows[size:]] if len(rows) > size else []
                yield self._paired(rows[:size])
        yield self._paired(np.concatenate(held))

    def sample(self, n_rows: int) -> torch.Tensor:
        """Return about that many rows, evenly spread, at most those that were kept."""
        step = max(1, len(self._sample) // n_rows)
        return self._sent(cast(self._sample[::step], self.dtype))

    def drawn(self, n_rows: int, generator: torch.Generator) -> torch.Tensor:
        """Return rows that a generator on the device draws of the sample."""
        some = self.sample(len(self._sample))
        index = torch.randperm(len(some), generator=generator, device=generator.device)
        return some[index[:n_rows]]

    def column_mean(self) -> torch.Tensor:
        """Return the mean of each column over all rows of the array."""
        return self._statistic(self._mean)

    def column_range(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the smallest and the largest value of each column over all rows of the array."""
        return self._statistic(self._low), self._statistic(self._high)

    def column_deviation(self, n_rows: int) -> np.ndarray:
        """Return the standard deviation of each column over about that many rows, in float64."""
        return self.sample(n_rows).cpu().double().std(dim=0, correction=0).numpy()

    def _look(self) -> None:
        """Check every row, and see the columns' means and ranges, in one pass."""
        n_rows, n_features = self.X.shape
        n_sampled = min(_N_SAMPLED, max(1, _MAX_SAMPLED // n_features))
        step = max(1, n_rows // n_sampled)
        total = torch.zeros(n_features, dtype=torch.float64)
        self._low = torch.full((n_features,), torch.inf, dtype=self.dtype)
        self._high = -self._low
        some, start = [], 0
        for block in self._read(range(len(self._delayed))):
            some.append(block[-start % step :: step].copy())
            for part in blocks_of(*block.shape):
                rows = cast(block[part], self.dtype)
                refuse_gaps(rows, start + part.start)
                total += rows.sum(dim=0, dtype=torch.float64)
                self._low = self._low.minimum(rows.amin(dim=0))
                self._high = self._high.maximum(rows.amax(dim=0))
            start += len(block)
            del block
        self._mean = total / n_rows
        self._sampled, self._sample = np.arange(0, n_rows, step), np.concatenate(some)

    def _read(self, numbers: Any) -> Iterator[np.ndarray]:
        """Yield the rows of blocks that belong, each read while the one before is worked on."""
        reader = ThreadPoolExecutor(1)
        waiting: Any = None
        try:
            for number in numbers:
                if self._starts[number] == self._starts[number + 1]:
                    continue
                # What dask was told of its scheduler may hold for this context only.
                following = reader.submit(copy_context().run, self._block, number)
                if waiting is not None:
                    yield _waited_for(waiting)
                waiting = following
                del following
            yield _waited_for(waiting)
        finally:
            reader.shutdown(cancel_futures=True)

    def _block(self, number: int) -> np.ndarray:
        start, stop = self._starts[number : number + 2]
        try:
            block = self._delayed[number].compute()
        except Exception as error:
            raise ValueError(
                f"Rows {start:,} to {stop - 1:,} of X, its block {number}, could not be computed: "
                f"{type(error).__name__}: {error}"
            ) from error
        block = checked_block(block, start, (stop - start, self.n_features), self.X.dtype)
        return block if self._kept is None else block[self._kept[start:stop]]

    def _ordered(self, size: int) -> Iterator[np.ndarray]:
        for block in self._read(range(len(self._delayed))):
            yield from _pieces(block, size)
            del block

    def _shuffled(self, size: int, generator: torch.Generator) -> Iterator[np.ndarray]:
        """Let blocks in, in random order: a row takes a random place of a buffer, of another row.

        That one comes out. A buffer that holds all rows shuffles as in memory.
        """
        largest, width = int(np.diff(self._starts).max()), self.X.dtype.itemsize * self.n_features
        n_places = min(len(self), max(2 * largest, _BUFFER // width))
        buffer = np.empty((n_places, self.n_features), self.X.dtype)
        n_held = 0
        for block in self._read(torch.randperm(len(self._delayed), generator=generator).tolist()):
            n_new = min(n_places - n_held, len(block))
            buffer[n_held : n_held + n_new] = block[:n_new]
            n_held += n_new
            block = block[n_new:]
            places = torch.randperm(n_held, generator=generator).numpy()[: len(block)]
            for rows, place in zip(_pieces(block, size), _pieces(places, size), strict=True):
                out = buffer[place]
                buffer[place] = rows
                yield out
            del block
        for place in _pieces(torch.randperm(n_held, generator=generator).numpy(), size):
            yield buffer[place]

    def _paired(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        batch = self._sent(cast(rows, self.dtype))
        return (batch.clone() if self.owned else batch), batch


def _waited_for(block: Any) -> np.ndarray:
    # Another autoencoder may make it, in a thread that builds its network.
    with lent_generators():
        return block.result()


def _pieces(array: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (array[start : start + size] for start in range(0, len(array), size))


def checked_block(block: Any, start: int, shape: tuple[int, int], dtype: np.dtype) -> np.ndarray:
    """Refuse a block that is not what the dask array says that it is."""
    if not isinstance(block, np.ndarray) or block.shape != shape:
        raise ValueError(
            f"The block of X from row {start:,} on should be a NumPy array of shape "
            f"{tuple(map(int, shape))}, got {type(block).__name__} of shape {np.shape(block)}."
        )
    if not np.can_cast(block.dtype, dtype, "same_kind"):
        raise ValueError(
            f"The block of X from row {start:,} on should be of type {dtype}, got {block.dtype}."
        )
    return block.astype(dtype, copy=False)


def refuse_gaps(rows: torch.Tensor, start: int) -> None:
    """Refuse rows that are not finite, by the number of the first, counted from 0."""
    if torch.isfinite(rows.sum()) or torch.isfinite(rows).all():
        return
    row, column = (~torch.isfinite(rows)).nonzero()[0].tolist()
    is_nan = rows[row, column].isnan()
    what = "NaN" if is_nan else f"infinity or a value too large for {rows.dtype}"
    raise ValueError(
        f"Input X contains {what.replace('torch.', '')} in row {start + row:,}, column {column}, "
        "both counted from 0. Missing values have to be filled or left out before."
    )


def lazily(estimator: Any, method: str, X: Any) -> Any:
    """Apply a method of a fitted estimator to each block of a checked dask array, once computed.

    The estimator, as it is now, is one node of the graph, so that it is sent to a worker once.
    """
    from dask.delayed import delayed

    copied = sent(estimator, method)
    vars(copied).pop("feature_names_in_", None)
    meta = _empty(copied, method, X)
    return X.map_blocks(
        _of_block,
        delayed(copied, traverse=False),
        method,
        dtype=meta.dtype,
        meta=meta,
        chunks=(X.chunks[0], *((n,) for n in meta.shape[1:])),
        drop_axis=1 if meta.ndim == 1 else None,
    )


def sent(estimator: Any, method: str) -> Any:
    """Return a copy for workers, without what they have no use for or may not be able to read."""
    if method == "transform" and get_output_config(method, estimator)["dense"] != "default":
        raise ValueError(
            "transform of what is dask's gives a dask array: call set_output(transform='default')."
        )
    copied = copy.copy(estimator)
    vars(copied).update(_dead=None, _sklearn_output_config={"transform": "default"})
    if hasattr(copied, "callbacks"):
        copied.callbacks = None
    return copied


def one_thread() -> Any:
    """Make the context of work beside other threads of dask, where one of torch is enough."""
    alone = threading.current_thread() is threading.main_thread()
    return nullcontext() if alone else limited_threads(0)


def _empty(estimator: Any, method: str, X: Any) -> Any:
    """Return what a method gives for no row, which estimators refuse."""
    return getattr(estimator, method)(np.zeros((1, X.shape[1]), X.dtype))[:0]


def _of_block(block: Any, estimator: Any, method: str, block_info: Any = None) -> Any:
    (start, stop), (_, n_features) = block_info[0]["array-location"]
    block = checked_block(block, start, (stop - start, n_features), block.dtype)
    if not len(block):
        return _empty(estimator, method, block)
    with one_thread():
        try:
            return getattr(estimator, method)(block)
        except ValueError:
            for part in blocks_of(*block.shape):
                refuse_gaps(cast(block[part], estimator._trained.dtype), start + part.start)
            raise
