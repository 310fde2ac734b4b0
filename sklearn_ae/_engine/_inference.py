"""What a trained network computes: in bounded batches, into an output allocated once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from sklearn_ae._engine._batches import Rows

__all__ = ["NUMPY_DTYPES", "in_batches", "reconstruction"]

NUMPY_DTYPES = {"float32": np.float32, "float64": np.float64}

# Entries of the widest array of a batch: 16 MiB in float32.
_MAX_ENTRIES = 2**22


def in_batches(
    function: Callable[[torch.Tensor], torch.Tensor],
    net: Any,
    X: Any,
    out: np.ndarray,
    n_widest: int,
) -> np.ndarray:
    """Apply a function to the rows of X, a batch at a time.

    Parameters
    ----------
    function : callable
        From a batch of shape (n_rows, n_features) to a tensor of n_rows rows.

    net : ReconstructionNet
        A trained net, whose device and precision are used.

    X : ndarray, torch.Tensor or scipy.sparse CSR of shape (n_samples, n_features)
        Validated data.

    out : ndarray of shape (n_samples, ...)
        Where the results go.

    n_widest : int
        Width of the widest array of a batch, which bounds its number of rows.

    Returns
    -------
    out : ndarray of shape (n_samples, ...)
        The same array.

    Raises
    ------
    ValueError
        If a result is not finite, as for an X that is far outside the range of the training data.
    """
    if net.module_.training:
        net._set_training(False)
    device = torch.device(net.device)
    n_rows = X.shape[0]
    step = max(1, _MAX_ENTRIES // max(n_widest, X.shape[1]))
    target = torch.from_numpy(out)
    with torch.inference_mode():
        for start in range(0, n_rows, step):
            batch = Rows(X[start : start + step], device, net.dtype).take(slice(None))
            result = function(batch.clone() if net.copies_input else batch)
            if not (torch.isfinite(result.sum()) or torch.isfinite(result).all()):
                raise ValueError(
                    "The network's output is not finite for some rows of X: scale X as the "
                    "training data was scaled."
                )
            target[start : start + step].copy_(result)
    return out


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
