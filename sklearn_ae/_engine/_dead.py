"""Components that no row makes fire: found, and kept from becoming so."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse

from sklearn_ae._engine._batches import Batches, Rows
from sklearn_ae._engine._inference import reconstruction

__all__ = ["RESTARTING", "inspect_codes", "restart", "start_alive"]

# Share of the epochs after which components start anew; the others let them settle.
RESTARTING = 0.75

_BLOCK = 1024
# Rows that the start and new starts are made from.
_N_ROWS = 4096
# Entries of the matrix of rows against components.
_MAX_ENTRIES = 2**24
# Share of its fair number of rows that a component gets anew, and the fewest.
_SHARE = 0.1
_FEWEST = 3
# Share of rows without an active code that needs no further look.
_FEW = 0.2
# Codes whose range is this share of their size are the same for all rows.
_CONSTANT = 1e-4


@torch.no_grad()
def inspect_codes(net: Any, rows: Rows) -> tuple[np.ndarray, float]:
    """Find out which components never fire, and for how many rows the codes say nothing.

    Parameters
    ----------
    net : ReconstructionNet
        A net in evaluation mode.

    rows : Rows
        The training data, read only as far as it takes to see that all is well.

    Returns
    -------
    dead : ndarray of bool of shape (n_components,)
        Whether the code of a component is 0 for every row.

    idle : float
        Share of the rows for which all codes are 0, among those that are not all 0 themselves; 1
        where every component has about the same code for all rows, though the rows differ. Where it
        is small it is that of the rows that were read.
    """
    fired: Any = None
    first: Any = None
    differ = False
    n_empty = n_read = 0
    # A sparse matrix becomes dense a batch at a time, no larger than in training, and what a
    # module of the user's takes for a row is not known.
    as_trained = sparse.issparse(rows.X) or net.copies_input
    size = net.batch_size if as_trained else max(net.batch_size, _BLOCK)
    for x, target in Batches(rows, size):
        codes = net.module_.encoder(target.clone() if net.copies_input else x)
        low, high = codes.amin(dim=0), codes.amax(dim=0)
        if fired is None:
            fired, lowest, highest = codes.new_zeros(codes.shape[1], dtype=torch.bool), low, high
        first = target[:1] if first is None else first
        differ = differ or bool((target != first).any())
        active = codes != 0
        fired |= active.any(dim=0)
        says = (target != 0).any(dim=1)
        n_empty += int((says & ~active.any(dim=1)).sum())
        n_read += int(says.sum())
        lowest, highest = torch.minimum(lowest, low), torch.maximum(highest, high)
        largest = torch.maximum(lowest.abs(), highest.abs())
        varies = ((highest - lowest) > _CONSTANT * largest).any()
        if fired.all() and varies and n_empty <= _FEW * n_read:
            break
    idle = n_empty / max(n_read, 1) if varies else 1.0
    return ~fired.cpu().numpy(), idle if differ else 0.0


@torch.no_grad()
def start_alive(net: Any, rows: Rows) -> None:
    """Let every component begin with as good a chance as any other to be among the strongest.

    Encoder and decoder start as mirrors, with atoms of unit norm; the biases take the mean of the
    data off the pre-activations and into the output. Random weights without it favor, on data whose
    mean is not 0, the components that happen to point along the mean.

    Parameters
    ----------
    net : ReconstructionNet
        A new net with the built-in encoder and decoder.

    rows : Rows
        The training data.
    """
    encoder, decoder = net.module_.encoder, net.module_.decoder
    decoder.normalize_atoms()
    decoder.mirror(encoder)
    step = max(1, len(rows) // _N_ROWS)
    x = rows.dense(rows.take(slice(None, None, step)))
    layer, mean = encoder.layers[-1], x.mean(dim=0)
    layer.bias.copy_(-(layer.weight @ encoder.last_input(x).mean(dim=0)))
    logits = net.criterion_.loss == "binary_cross_entropy"
    decoder.layers[-1].bias.copy_(mean.clamp(0.01, 0.99).logit() if logits else mean)


@torch.no_grad()
def restart(net: Any, rows: Rows, dead: torch.Tensor) -> None:
    """Aim dead components at what the network misses of the rows that it reconstructs worst.

    Each takes the direction of the error of a row, drawn in proportion to the squared error, and a
    bias with which it is among the k strongest for a tenth of the rows that a component is on
    average. Its atom adds what is missed there, shared with the others that start on the same rows,
    and the optimizer forgets it. In a deeper network the direction is that of the row's hidden
    codes, and the atom starts at 0.

    Parameters
    ----------
    net : ReconstructionNet
        A net of built-in parts in evaluation mode, after an epoch.

    rows : Rows
        The training data.

    dead : torch.Tensor of int
        The components.
    """
    module, generator = net.module_, net.generator_
    layer, atoms = module.encoder.layers[-1], module.decoder.layers[0]
    alive = torch.ones(len(layer.weight), dtype=torch.bool, device=dead.device)
    alive[dead] = False
    n_rows = min(_N_ROWS, max(_FEWEST, _MAX_ENTRIES // len(dead)))
    drawn = torch.randperm(len(rows), generator=generator, device=generator.device)[:n_rows]
    x = rows.dense(rows.take(drawn))
    hidden, codes = module.encoder.last_input(x), module.encoder(x)
    missed = x - reconstruction(net)(codes)
    errors = missed.square().sum(dim=1)
    if not alive.any() or not errors.any():
        return
    again = len(dead) > len(x)
    chosen = torch.multinomial(errors, len(dead), replacement=again, generator=generator)
    one_layer = len(module.encoder.layers) == 1
    aim = missed[chosen] if one_layer else hidden[chosen] - hidden.mean(dim=0)
    aim = aim / _norm(aim).clamp_min(1e-12)
    weight = aim * _norm(layer.weight[alive]).mean()
    # A row with fewer than k codes lets anything above 0 in.
    weakest = codes.masked_fill(codes <= 0, torch.inf).amin(dim=1)
    weakest = weakest.masked_fill(weakest.isinf(), 0)
    n_won = round(_SHARE * len(x) * module.encoder.activation.k / len(alive))
    n_won = min(max(_FEWEST, n_won), len(x))
    margin = weakest - weight @ hidden.T
    bias = margin.kthvalue(n_won, dim=1, keepdim=True).values
    won = (margin <= bias).to(x.dtype)
    rivals = (won @ won.sum(dim=0) / won.sum(dim=1)).unsqueeze(1)
    wanted = (errors.sqrt()[chosen] / weakest[chosen].clamp_min(1e-6)).unsqueeze(1)
    length = wanted.clamp_max(_norm(atoms.weight[alive]).mean()) / rivals
    layer.weight[dead], layer.bias[dead] = weight, bias.squeeze(1)
    atoms.weight[dead] = aim * length if one_layer else torch.zeros_like(atoms.weight[dead])
    for parameter in (layer.weight, layer.bias, atoms.weight):
        for moment in net.optimizer_.state.get(parameter, {}).values():
            if moment.shape == parameter.shape:
                moment[dead] = 0


def _norm(rows: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(rows, dim=1, keepdim=True)
