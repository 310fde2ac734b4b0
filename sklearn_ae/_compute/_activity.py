"""Which components fire on the training data, and for how many rows the codes say nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from sklearn_ae._compute._rows import Batches, Rows

_BLOCK = 1024
# Share of rows without an active code that needs no further look.
_FEW = 0.2
# Codes whose range is this share of their size are the same for all rows.
_CONSTANT = 1e-4


@torch.no_grad()
def inspect_codes(module: nn.Module, rows: Rows, batch_size: int) -> tuple[np.ndarray, float]:
    """Find out which components never fire, and for how many rows the codes say nothing.

    Parameters
    ----------
    module : AutoencoderModule
        The network, which is put into evaluation mode.

    rows : Rows
        The data, read only as far as it takes to see that all is well.

    batch_size : int
        Rows in a batch of training.

    Returns
    -------
    dead : ndarray of bool of shape (n_components,)
        Whether the code of a component is 0 for every row.

    silent : float
        Share of the rows for which all codes are 0, among those that are not all 0 themselves; 1
        where every component has about the same code for all rows, though the rows differ. Where it
        is small it is that of the rows that were read.
    """
    module.eval()
    encoder: Any = module.encoder
    fired: Any = None
    first: Any = None
    differ = False
    n_silent = n_read = 0
    # A sparse matrix becomes dense a batch at a time, no larger than in training, and what a
    # module of the user's takes for a row is not known.
    size = batch_size if rows.is_sparse or rows.owned else max(batch_size, _BLOCK)
    for x, target in Batches(rows, size):
        target = target if rows.observed is None else target[0]
        codes = encoder(x)
        low, high = codes.amin(dim=0), codes.amax(dim=0)
        if fired is None:
            fired, lowest, highest = torch.zeros_like(low, dtype=torch.bool), low, high
        first = target[:1] if first is None else first
        differ = differ or bool((target != first).any())
        active = codes != 0
        fired |= active.any(dim=0)
        says = (target != 0).any(dim=1)
        n_silent += int((says & ~active.any(dim=1)).sum())
        n_read += int(says.sum())
        lowest, highest = torch.minimum(lowest, low), torch.maximum(highest, high)
        largest = torch.maximum(lowest.abs(), highest.abs())
        varies = ((highest - lowest) > _CONSTANT * largest).any()
        if fired.all() and varies and n_silent <= _FEW * n_read:
            break
    silent = n_silent / max(n_read, 1) if varies else 1.0
    return ~fired.cpu().numpy(), silent if differ else 0.0
