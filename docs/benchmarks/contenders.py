"""The hand-written torch loop, the bare matrix products, and ours: the same mathematics.

Every one trains relu codes and a linear decoder on half the squared error, summed over features
and averaged over rows, with Adam at 1e-3, in shuffled batches; the loss is read once an epoch.
"""

from __future__ import annotations

import math
from contextlib import contextmanager, nullcontext
from time import perf_counter

import numpy as np
import torch
import torch.nn.functional as F
from timing import Timing
from torch import nn

from sklearn_ae import Autoencoder

__all__ = ["HandAutoencoder", "half_squared_error", "hand_loop", "matmuls", "objective", "ours"]

N_ROWS_OF_LOSS = 2000


class HandAutoencoder(nn.Module):
    """``relu(x @ W.T + b) @ V + c``, the layout that was fastest; a row of V is an atom."""

    def __init__(self, n_features, n_components, unit_norm=False):
        super().__init__()
        bound, bound_of_codes = 1 / math.sqrt(n_features), 1 / math.sqrt(n_components)
        shape = (n_components, n_features)
        self.W = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.b = nn.Parameter(torch.empty(n_components).uniform_(-bound, bound))
        self.V = nn.Parameter(torch.empty(shape).uniform_(-bound_of_codes, bound_of_codes))
        self.c = nn.Parameter(torch.empty(n_features).uniform_(-bound_of_codes, bound_of_codes))
        if unit_norm:
            self.normalize_atoms()
            self.W.data.copy_(self.V * min(1.0, 2 * n_features / n_components))

    def forward(self, x):
        codes = torch.relu(torch.addmm(self.b, x, self.W.mT))
        return torch.addmm(self.c, codes, self.V), codes

    @torch.no_grad()
    def normalize_atoms(self):
        self.V.div_(torch.linalg.vector_norm(self.V, dim=1, keepdim=True))


def half_squared_error(output, x):
    """Sum over features, average over rows, in one kernel."""
    return F.mse_loss(output, x, reduction="sum") * (0.5 / len(x))


def hand_loop(case, seed=0, *, bfloat16=False, linear=False, alpha=0.0, n_threads=None):
    """Train as the best loop does that we know to write by hand.

    Parameters
    ----------
    case : Case
        The task.

    seed : int, default=0
        Of weights and order.

    bfloat16 : bool, default=False
        Matrix products under autocast; weights and loss stay float32.

    linear : bool, default=False
        The learning rate falls to 0, step by step.

    alpha : float, default=0.0
        Strength of an L1 penalty on the codes, with atoms kept at unit norm after every step.

    n_threads : int, default=None
        How many threads torch may use; None leaves it as it is.

    Returns
    -------
    timing : Timing
        Its loss is the objective on the first rows, by the final weights.
    """
    if n_threads is not None:
        with threadpool(n_threads):
            return hand_loop(case, seed, bfloat16=bfloat16, linear=linear, alpha=alpha)
    begin = perf_counter()
    X, epochs = torch.from_numpy(case.X), []
    torch.manual_seed(seed)
    model = HandAutoencoder(X.shape[1], case.n_components, unit_norm=alpha > 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    cast = torch.autocast("cpu", torch.bfloat16) if bfloat16 else nullcontext()
    step, n_steps = 0, case.epochs * math.ceil(len(X) / case.batch_size)
    for _ in range(case.epochs):
        start, total = perf_counter(), torch.zeros(())
        for index in torch.randperm(len(X)).split(case.batch_size):
            x = X.index_select(0, index)
            if linear:
                optimizer.param_groups[0]["lr"] = 1e-3 * (1 - step / n_steps)
                step += 1
            optimizer.zero_grad()
            with cast:
                output, codes = model(x)
            loss = half_squared_error(output.float() if bfloat16 else output, x)
            if alpha:
                loss = loss + codes.float().abs().sum() * (alpha / len(x))
            loss.backward()
            optimizer.step()
            if alpha:
                model.normalize_atoms()
            total.add_(loss.detach(), alpha=len(x))
        total.item()
        epochs.append(perf_counter() - start)
    total = perf_counter() - begin
    with torch.inference_mode():
        output, codes = model(X[:N_ROWS_OF_LOSS])
    return Timing(total, epochs, objective(case, output.numpy(), codes.numpy(), alpha))


@contextmanager
def threadpool(n_threads):
    """Set the number of torch's threads and restore it."""
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def matmuls(case, seed=0, *, bfloat16=False):
    """Do the five matrix products of every step and nothing else: the roofline."""
    X, W = torch.from_numpy(case.X), torch.rand(case.n_components, case.X.shape[1])
    epochs = []
    if bfloat16:
        X, W = X.bfloat16(), W.bfloat16()
    for _ in range(case.epochs):
        start = perf_counter()
        for x in X.split(case.batch_size):
            codes = x @ W.mT
            output = codes @ W
            output @ W.mT
            codes.mT @ output
            codes.mT @ x
        epochs.append(perf_counter() - start)
    return Timing(sum(epochs), epochs)


def ours(case, seed=0, *, estimator=Autoencoder, **params):
    """Fit an estimator of this package; an epoch is what skorch's own timer says."""
    params = {"learning_rate_schedule": "constant", "random_state": seed, **params}
    model = estimator(
        case.n_components, batch_size=case.batch_size, max_epochs=case.epochs, **params
    )
    begin = perf_counter()
    model.fit(case.X)
    total = perf_counter() - begin
    X, alpha = case.X[:N_ROWS_OF_LOSS], params.get("alpha", 0.0)
    loss = objective(case, model.reconstruct(X), model.transform(X), alpha)
    return Timing(total, model.net_.history[:, "dur"], loss)


def objective(case, output, codes=0.0, alpha=0.0):
    """Return what was minimized, on the first rows, computed alike for everyone."""
    error = 0.5 * np.square(output - case.X[:N_ROWS_OF_LOSS]).sum(axis=1).mean(dtype=np.float64)
    return float(error + alpha * np.abs(codes).sum() / len(output))
