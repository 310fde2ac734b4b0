"""What a trained network computes: in bounded batches, into an output allocated once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import nn

from sklearn_ae._compute._rows import Rows
from sklearn_ae._compute._runtime import limited_threads

# Entries of the widest array of a batch: on the CPU 4 MiB in float32, which stays in the cache.
_MAX_ENTRIES = 2**20
_MAX_ENTRIES_OF_DEVICE = 2**24
# What a module of the user's allocates for a row is not known.
_MAX_ROWS_OF_CUSTOM = 1024


def apply_in_batches(
    function: Callable[..., torch.Tensor],
    module: nn.Module,
    rows: Rows,
    n_widest: int,
    receive: Callable[[int, torch.Tensor], None],
    *,
    with_target: bool = False,
) -> None:
    """Apply a function of a trained network to rows, a batch at a time.

    Parameters
    ----------
    function : callable
        From a batch of shape (n_rows, n_features) to a tensor of n_rows rows.

    module : torch.nn.Module
        The network, which is put into evaluation mode.

    rows : Rows
        The data.

    n_widest : int
        Width of the widest array that is computed, which bounds the number of rows in a batch.

    receive : callable
        Is given the number of the first row of each batch, and the result.

    with_target : bool, default=False
        Whether the function is given the clean batch as a second argument.

    Raises
    ------
    ValueError
        If a result is not finite, as for an X that is far outside the range of the training data.
    """
    if module.training:
        module.eval()
    stays_sparse = rows.sparse_input and not with_target
    n_columns = n_widest if stays_sparse else max(n_widest, rows.n_features)
    # Fewer rows would be padded to a block of 16 all the same.
    most = _MAX_ENTRIES if rows.device.type == "cpu" else _MAX_ENTRIES_OF_DEVICE
    step = max(16, most // n_columns // 16 * 16)
    if rows.owned:
        step = min(step, _MAX_ROWS_OF_CUSTOM)
    n_products = min(step, len(rows)) * rows.n_features * n_widest
    with torch.inference_mode(), limited_threads(n_products):
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            given: Any = rows.pair(part) if with_target or rows.owned else (rows.take(part),)
            n_rows = given[0].shape[0]
            if isinstance(given[0], torch.Tensor) and not rows.owned:
                given = (_padded(given[0]),) * len(given)
            result = function(*(given if with_target else given[:1]))[:n_rows]
            if not all_finite(result):
                raise ValueError(
                    "The network's output is not finite for some rows of X: scale X as the "
                    "training data was scaled."
                )
            receive(start, result)


def all_finite(tensor: torch.Tensor) -> bool:
    """Whether no entry is NaN or infinite."""
    # The sum is not finite where an entry is not, and takes one pass without a mask; the converse
    # needs the second look.
    return bool(torch.isfinite(tensor.sum())) or bool(torch.isfinite(tensor).all())


def _padded(batch: torch.Tensor) -> torch.Tensor:
    # Matrix products round by the address and, for few rows, by the number of rows. In blocks of
    # 16, each row at an aligned address, equal rows have equal codes in whatever pieces they come.
    n_rows, n_columns = batch.shape
    is_aligned = batch.data_ptr() % 64 == 0 and n_columns * batch.element_size() % 16 == 0
    if n_rows % 16 == 0 and is_aligned:
        return batch
    n_held = -(-n_columns // 16) * 16
    padded = batch.new_zeros((-(-n_rows // 16) * 16, n_held))[:, :n_columns]
    padded[:n_rows] = batch
    return padded


class DenseCollector:
    """A receiver that writes results one below the other into an array."""

    def __init__(self, shape: tuple[int, ...], dtype: str) -> None:
        self.out = np.empty(shape, dtype)
        self.tensor = torch.from_numpy(self.out)

    def __call__(self, start: int, result: torch.Tensor) -> None:
        """Write the next results."""
        self.tensor[start : start + len(result)].copy_(result)

    def collected(self) -> np.ndarray:
        """Return all results."""
        return self.out


class SparseCollector:
    """A receiver that keeps codes as canonical CSR: sorted indices, no explicit zeros."""

    def __init__(self) -> None:
        self.parts: list[sparse.csr_matrix] = []

    def __call__(self, start: int, result: torch.Tensor) -> None:
        """Keep the next codes; no more than one batch of them is dense at a time."""
        self.parts.append(sparse.csr_matrix(result.cpu().numpy()))

    def collected(self) -> Any:
        """Return all codes."""
        return sparse.vstack(self.parts, format="csr")
