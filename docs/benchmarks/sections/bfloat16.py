"""Training in bfloat16 against the float32 loop (bar 2)."""

from functools import partial

import torch
from cases import Missing, digits, fashion
from contenders import hand_loop, matmuls, ours
from timing import interleave, row

from sklearn_ae._compute._runtime import has_native_bfloat16

TITLE = "Training in bfloat16"
NOTE = (
    'Ratios to the float32 loop. `precision="auto"` chooses bfloat16 only where the hardware '
    "multiplies it natively."
)
LIMITS = {256: 0.45, 1024: 0.32}


def run(quick):
    """Return the rows."""
    large = {"n_rows": 3_072 if quick else 20_000, "epochs": 2 if quick else 3}
    rows = []
    try:
        for batch_size in LIMITS:
            rows += _rows(fashion(batch_size, **large), quick)
    except Missing as reason:
        rows.append({"case": "Fashion-MNIST", "skipped": str(reason)})
    return rows + ([] if quick else list(_rows(digits(), quick)))


def _rows(case, quick):
    hand, hand_bfloat16 = "loop by hand, float32", "loop by hand, bfloat16 autocast"
    mine = "Autoencoder, bfloat16"
    contenders = {
        hand: partial(hand_loop, case),
        "bare matrix products, bfloat16": partial(matmuls, case, bfloat16=True),
        hand_bfloat16: partial(hand_loop, case, bfloat16=True),
        mine: partial(ours, case, precision="bfloat16"),
    }
    for contender in contenders.values():
        contender.func(case.tiny(), **contender.keywords)
    timings = interleave(contenders, 3 if quick else 7)
    native = has_native_bfloat16(torch.device("cpu"))
    for name in contenders:
        limit = None
        if name == mine and case.data != "digits" and native:
            limit = LIMITS[case.batch_size]
        yield row(case.name, name, timings, hand, limit=limit)
    yield row(case.name, mine, timings, hand_bfloat16)
