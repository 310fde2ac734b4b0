"""Components that no row makes fire: kept from becoming so, and started anew."""

from __future__ import annotations

import math
from typing import Any

import torch

from sklearn_ae._compute._rows import Rows
from sklearn_ae._training._recipe import Recipe
from sklearn_ae.modules._activations import activate
from sklearn_ae.modules._dense import start_as_transpose
from sklearn_ae.penalties import KLDivergence

# Rows that the start and new starts are made from.
_N_ROWS = 4096
# Entries of the matrix of rows against components.
_MAX_ENTRIES = 2**24
# Share of its fair number of rows that a component gets anew, and the fewest.
_SHARE = 0.1
_FEWEST = 3


@torch.no_grad()
def start_alive(module: Any) -> None:
    """Let every component begin with as good a chance as any other to be among the strongest.

    Encoder and decoder start as mirrors, with atoms of unit norm and no bias of the code.
    """
    module.decoder.normalize_atoms()
    start_as_transpose(module.encoder, module.decoder)
    module.encoder.layers[-1].bias.zero_()


@torch.no_grad()
def start_centered(module: Any, recipe: Recipe, rows: Rows, has_own_decoder: bool) -> None:
    """Let pre-activations and output begin around the mean of the data, as if it were 0.

    Gradients on data whose mean is not 0 move all units along it, and many so far that they never
    fire again. Under the penalty that has a target of the mean activation, codes begin there.
    """
    encoder, mean = module.encoder, rows.column_mean().cpu()
    if has_own_decoder:
        wanted = mean.clamp(0.01, 0.99).logit() if recipe.gives_logits else mean
        module.decoder.layers[-1].bias.copy_(wanted)
    first, *others = encoder.layers
    first.center = mean
    if others:
        some = rows.sample(max(recipe.batch_size, 256)).cpu()
        x = activate(encoder.hidden_activation, first(some))
    for layer in others:
        layer.bias.sub_(layer.weight @ x.mean(dim=0))
        x = activate(encoder.hidden_activation, layer(x))
    penalty = recipe.penalty
    if recipe.alpha and isinstance(penalty, KLDivergence) and encoder.activation == "sigmoid":
        encoder.layers[-1].bias.add_(math.log(penalty.rho / (1 - penalty.rho)))


@torch.no_grad()
def restart(net: Any, rows: Rows, dead: torch.Tensor) -> None:
    """Aim dead components at what the network misses of the rows that it reconstructs worst.

    Each takes the direction of the error of a row, drawn in proportion to the squared error, and a
    bias with which it is among the k strongest for a tenth of the rows that a component is on
    average. Its atom adds what is missed there, shared with the others that start on the same rows,
    and the optimizer forgets it. In a deeper network the direction is that of the row's hidden
    codes, and the atom starts at 0.
    """
    module, generator = net.module_, net.noise
    layer, atoms = module.encoder.layers[-1], module.decoder.layers[0]
    alive = torch.ones(len(layer.weight), dtype=torch.bool, device=dead.device)
    alive[dead] = False
    n_rows = min(_N_ROWS, max(_FEWEST, _MAX_ENTRIES // len(dead)))
    x = rows.drawn(n_rows, generator)
    hidden, codes = layer.centered(module.encoder.last_input(x)), module.encoder(x)
    missed = x - net.recipe.in_units_of_X(module.decoder(codes))
    errors = missed.square().sum(dim=1)
    if not alive.any() or not errors.any():
        return
    chosen = _drawn(errors, len(dead), generator)
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
    bias = margin.topk(n_won, dim=1, largest=False).values.amax(dim=1, keepdim=True)
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


def _drawn(errors: torch.Tensor, n: int, generator: torch.Generator) -> torch.Tensor:
    """Draw rows in proportion to their errors, again only where there are too few."""
    again = n > len(errors)
    if again and errors.device.type != "cpu":
        # Several draws at once add up, which CUDA refuses under deterministic algorithms.
        return torch.multinomial(errors.expand(n, -1), 1, generator=generator).squeeze(1)
    return torch.multinomial(errors, n, replacement=again, generator=generator)


def _norm(rows: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(rows, dim=1, keepdim=True)
