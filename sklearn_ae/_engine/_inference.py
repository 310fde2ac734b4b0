"""What a trained network computes: in bounded batches, into an output allocated once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from scipy import sparse

from sklearn_ae._engine._batches import Rows
from sklearn_ae._engine._runtime import limited_threads

__all__ = ["all_finite", "in_csr", "into", "reconstruction", "results"]

# Entries of the widest array of a batch: 4 MiB in float32, which stays in the cache.
_MAX_ENTRIES = 2**20
_MAX_ROWS_OF_CUSTOM = 1024


def results(
    function: Callable[[Any], torch.Tensor],
    net: Any,
    X: Any,
    n_widest: int,
    sparse_input: bool = False,
) -> Iterator[torch.Tensor]:
    """Apply a function to the rows of X, a batch at a time.

    Parameters
    ----------
    function : callable
        From a batch of shape (n_rows, n_features) to a tensor of n_rows rows.

    net : ReconstructionNet
        A trained net, whose device and precision are used.

    X : ndarray, torch.Tensor or scipy.sparse CSR of shape (n_samples, n_features)
        Validated data.

    n_widest : int
        Width of the widest array that is computed, which bounds the number of rows in a batch.

    sparse_input : bool, default=False
        Whether the function takes the rows of a sparse matrix as they are.

    Yields
    ------
    result : torch.Tensor of n_rows rows
        What the function gives for the next rows.

    Raises
    ------
    ValueError
        If a result is not finite, as for an X that is far outside the range of the training data.
    """
    if net.module_.training:
        net._set_training(False)
    device = torch.device(net.device)
    stays_sparse = sparse_input and sparse.issparse(X)
    step = _MAX_ENTRIES // (n_widest if stays_sparse else max(n_widest, X.shape[1]))
    # Fewer rows would be padded to a block of 16 all the same.
    step = max(16, step // 16 * 16)
    if net.copies_input:
        # What a module of the user's allocates for a row is not known.
        step = min(step, _MAX_ROWS_OF_CUSTOM)
    for start in range(0, X.shape[0], step):
        part = X[start : start + step]
        batch = Rows(part, device, net.dtype, sparse_input=sparse_input).take(slice(None))
        n_rows = batch.shape[0]
        if isinstance(batch, torch.Tensor):
            batch = batch.clone() if net.copies_input else _padded(batch)
        n_products = n_rows * X.shape[1] * n_widest
        with torch.inference_mode(), limited_threads(n_products):
            result = function(batch)[:n_rows]
            if not all_finite(result):
                raise ValueError(
                    "The network's output is not finite for some rows of X: scale X as the "
                    "training data was scaled."
                )
        yield result


def all_finite(tensor: torch.Tensor) -> bool:
    """Whether no entry is NaN or infinite.

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor.

    Returns
    -------
    finite : bool
        The answer.
    """
    # The sum is not finite where an entry is not, and takes one pass without a mask; the converse
    # needs the second look.
    return bool(torch.isfinite(tensor.sum()) or torch.isfinite(tensor).all())


def _padded(batch: torch.Tensor) -> torch.Tensor:
    # Matrix products round by the address and, for few rows, by the number of rows. In blocks of
    # 16 at an aligned address equal rows have equal codes, in whatever pieces they come.
    n_rows, n_columns = batch.shape
    if n_rows % 16 == 0 and batch.data_ptr() % 64 == 0:
        return batch
    padded = batch.new_zeros((-(-n_rows // 16) * 16, n_columns))
    padded[:n_rows] = batch
    return padded


def into(out: np.ndarray, parts: Iterator[torch.Tensor]) -> np.ndarray:
    """Write results one below the other into an array.

    Parameters
    ----------
    out : ndarray of shape (n_samples, ...)
        Where the results go.

    parts : iterator of torch.Tensor
        What :func:`results` yields.

    Returns
    -------
    out : ndarray of shape (n_samples, ...)
        The same array.
    """
    target, start = torch.from_numpy(out), 0
    for part in parts:
        target[start : start + len(part)].copy_(part)
        start += len(part)
    return out


def in_csr(parts: Iterator[torch.Tensor], n_columns: int) -> sparse.csr_matrix:
    """Collect results in a canonical CSR matrix: sorted indices, no explicit zeros.

    Parameters
    ----------
    parts : iterator of torch.Tensor of shape (n_rows, n_columns)
        What :func:`results` yields.

    n_columns : int
        Width of the results.

    Returns
    -------
    matrix : scipy.sparse.csr_matrix of shape (n_samples, n_columns)
        The results; no more than one batch of them was dense at a time.
    """
    data, columns, counts = [], [], []
    for part in parts:
        values = part.cpu().numpy()
        active = values != 0
        data.append(values[active])
        columns.append(np.nonzero(active)[1])
        counts.append(active.sum(axis=1))
    row_ends = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    index = np.int32 if row_ends[-1] <= np.iinfo(np.int32).max else np.int64
    parts_of_columns = np.concatenate([part.astype(index) for part in columns])
    return sparse.csr_matrix(
        (np.concatenate(data), parts_of_columns, row_ends.astype(index)),
        shape=(len(row_ends) - 1, n_columns),
    )


def reconstruction(net: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the function from codes to the reconstruction in the units of X.

    Parameters
    ----------
    net : ReconstructionNet
        A trained net. Under binary cross-entropy its decoder gives logits.

    Returns
    -------
    decode : callable
        From codes to reconstructed rows.
    """
    decoder = net.module_.decoder
    if net.criterion_.loss == "binary_cross_entropy":
        return lambda codes: torch.sigmoid(decoder(codes))
    return decoder
