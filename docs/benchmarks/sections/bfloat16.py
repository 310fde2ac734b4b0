"""Training in bfloat16 against the float32 loop (bar 2)."""

from functools import partial

import torch
from cases import Missing, digits, fashion
from contenders import hand_loop, matmuls, ours
from timing import interleave, row

TITLE = "Training in bfloat16"
NOTE = (
    'Ratios to the float32 loop. `precision="auto"` chooses bfloat16 only where the hardware '
    "multiplies it natively."
)
LIMITS = {256: 0.45, 1024: 0.32}


def run(quick):
    """Return the rows."""
    large = {"n_rows": 5_000 if quick else 20_000, "epochs": 2 if quick else 3}
    rows = []
    try:
        for batch_size in LIMITS:
            rows += _rows(fashion(batch_size, **large), quick)
    except Missing as reason:
        rows.append({"case": "Fashion-MNIST", "skipped": str(reason)})
    return rows + ([] if quick else list(_rows(digits(), quick)))


def _rows(case, quick):
    hand = "loop by hand, float32"
    contenders = {
        hand: partial(hand_loop, case),
        "bare matrix products, bfloat16": partial(matmuls, case, bfloat16=True),
        "loop by hand, bfloat16 autocast": partial(hand_loop, case, bfloat16=True),
        "Autoencoder, bfloat16": partial(ours, case, precision="bfloat16"),
    }
    for contender in contenders.values():
        contender.func(case.tiny(), **contender.keywords)
    timings = interleave(contenders, 3 if quick else 7)
    native = torch.cpu._is_avx512_bf16_supported()
    for name in contenders:
        limit = None
        if name.startswith("Autoencoder") and case.data != "digits" and native:
            limit = LIMITS[case.batch_size]
        yield row(case.name, name, timings, hand, limit=limit)
