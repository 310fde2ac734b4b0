"""Each optimization of the package, as a context in which it is switched off."""

from __future__ import annotations

import warnings
from contextlib import contextmanager, nullcontext
from unittest.mock import patch

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from sklearn_ae._compute import _inference
from sklearn_ae._compute._rows import Rows
from sklearn_ae._estimators import _autoencoder
from sklearn_ae._training import _train
from sklearn_ae._training._net import ReconstructionNet
from sklearn_ae.corruptions import Masking
from sklearn_ae.modules import _dense

__all__ = [
    "all_threads",
    "data_loader",
    "dense_first_layer",
    "every_column",
    "every_entry_checked",
    "loss_read_every_batch",
    "masks_from_bernoulli",
    "masks_from_uniform",
    "mode_set_every_step",
    "optimizer_not_fused",
    "product_and_sum",
    "torch_sparse_product",
    "unbounded_batches",
]


def optimizer_not_fused():
    """Let Adam loop over the weights."""

    class Adam(torch.optim.Adam):
        def __init__(self, params, *, fused=None, **kwargs):
            super().__init__(params, **kwargs)

    return patch.object(torch.optim, "Adam", Adam)


def all_threads():
    """Use every thread for small batches too."""
    return patch.object(_train, "limited_threads", lambda n_products: nullcontext())


def data_loader():
    """Collate batches sample by sample, as skorch does."""

    def get_iterator(self, dataset, training=False):
        X = self.get_dataset(dataset).X
        return DataLoader(TensorDataset(X, X), self.batch_size, shuffle=training)

    return patch.object(ReconstructionNet, "get_iterator", get_iterator)


def loss_read_every_batch():
    """Wait for every loss."""
    return _around_step(after=lambda self, step: step["loss"].item())


def mode_set_every_step():
    """Put the module into training mode in every step."""
    return _around_step(before=lambda self: self._set_training(True))


def product_and_sum():
    """Add the bias after the product."""
    return patch.object(_dense, "_affine", lambda x, weight, bias: x @ weight + bias)


def masks_from_uniform():
    """Compare uniform numbers with the level."""

    def mask(self, X, level, generator):
        return X.mul_(torch.rand(X.shape, generator=generator) >= level)

    return patch.object(Masking, "__call__", mask)


def masks_from_bernoulli():
    """Draw 0 and 1 by torch's own function, which is quick on Intel's processors only."""

    def mask(self, X, level, generator):
        return X.mul_(torch.empty_like(X).bernoulli_(1 - level, generator=generator))

    return patch.object(Masking, "__call__", mask)


def dense_first_layer():
    """Give the network the rows of a sparse matrix as dense ones."""

    class Dense(Rows):
        def __init__(self, *args, sparse_input=False, **kwargs):
            super().__init__(*args, **kwargs)

    return patch.object(_autoencoder, "Rows", Dense)


def every_column():
    """Multiply a batch by all columns of the weights, of which few occur in it."""

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight):
            ctx.x = x
            return torch.from_numpy(x @ weight.detach().numpy().T)

        @staticmethod
        def backward(ctx, grad):
            return None, torch.from_numpy(ctx.x.T @ grad.numpy()).T.contiguous()

    return patch.object(_dense, "_SparseProduct", Product)


def torch_sparse_product():
    """Multiply by torch's CSR tensors instead of scipy's."""

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight):
            ctx.x = x
            return _as_torch(x) @ weight.detach().mT

        @staticmethod
        def backward(ctx, grad):
            return None, (_as_torch(ctx.x.T.tocsr()) @ grad).mT.contiguous()

    return patch.object(_dense, "_SparseProduct", Product)


def every_entry_checked():
    """Look at every code for a value that is not finite, not at their sum first."""
    nan = torch.tensor(torch.nan)
    return patch.object(torch.Tensor, "sum", lambda self, *args, **kwargs: nan)


def unbounded_batches():
    """Encode all rows at once."""
    return patch.object(_inference, "_MAX_ENTRIES", np.iinfo(np.int64).max)


@contextmanager
def _around_step(before=None, after=None):
    original = ReconstructionNet.train_step

    def train_step(self, batch, **fit_params):
        if before is not None:
            before(self)
        step = original(self, batch, **fit_params)
        if after is not None:
            after(self, step)
        return step

    with patch.object(ReconstructionNet, "train_step", train_step):
        yield


def _as_torch(x):
    parts = (torch.from_numpy(part) for part in (x.indptr, x.indices, x.data))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(*parts, size=x.shape)
