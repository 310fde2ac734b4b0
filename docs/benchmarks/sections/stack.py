"""Eight models trained as one stack, per model against the loop by hand."""

from functools import partial
from time import perf_counter

import torch
from cases import digits
from contenders import N_ROWS_OF_LOSS, hand_loop, objective, ours
from timing import Timing, interleave, row

from sklearn_ae._training._net import ReconstructionNet
from sklearn_ae._training._objective import Objective
from sklearn_ae._training._recipe import Recipe
from sklearn_ae.modules._architecture import Architecture
from sklearn_ae.modules._autoencoder import stack_modules
from sklearn_ae.penalties import L1

TITLE = "A stack of 8 models"
NOTE = (
    "One net, one axis more in front of every weight; seconds are per model. The models see the "
    "same batches. Nothing public builds a stack yet."
)
N_MODELS = 8


def run(quick):
    """Return the rows."""
    case = digits(epochs=10 if quick else 50)
    hand, stacked = "loop by hand", f"stack of {N_MODELS}, per model"
    contenders = {
        hand: partial(hand_loop, case),
        "Autoencoder": partial(ours, case),
        stacked: partial(_stack, case),
    }
    for contender in contenders.values():
        contender.func(case.tiny())
    timings = interleave(contenders, 3 if quick else 9)
    for name in contenders:
        yield row(case.name, name, timings, hand)


def _stack(case, seed=0):
    begin = perf_counter()
    torch.manual_seed(seed)
    architecture = Architecture(case.X.shape[1], case.n_components)
    net = ReconstructionNet(
        stack_modules([architecture.build() for _ in range(N_MODELS)]),
        Objective("squared_error", L1(), 0.0),
        recipe=Recipe(batch_size=case.batch_size, max_epochs=case.epochs),
        order=torch.Generator().manual_seed(seed),
        noise=torch.Generator().manual_seed(seed),
    ).initialize()
    net.fit_loop(case.X)
    total = perf_counter() - begin
    with torch.inference_mode():
        output, _ = net.module_(torch.from_numpy(case.X[:N_ROWS_OF_LOSS]))
    losses = [objective(case, one) for one in output.numpy()]
    epochs = [seconds / N_MODELS for seconds in net.history[:, "dur"]]
    return Timing(total / N_MODELS, epochs, sum(losses) / N_MODELS)
