"""Float32 training against the hand-written loop (bar 1)."""

from functools import partial

from cases import Missing, digits, fashion
from contenders import hand_loop, matmuls, ours
from timing import interleave, row

from sklearn_ae import SparseAutoencoder

TITLE = "Training in float32, against a loop written by hand"
NOTE = (
    "Time and ratio are those of an epoch without the set-up of a fit; `whole fit` is the ratio of "
    "whole fits, set-up included. The reference is the loop of the same schedule, and for the "
    "sparse one a loop with the same L1 penalty that keeps its atoms at unit norm. The bare matrix "
    "products are the five of each step."
)
LIMITS = {"digits": 1.15, "Fashion-MNIST": 1.10}


def cases(quick):
    """Return the small and the large cases; fewer rows leave ratios as they are."""
    large = {"n_rows": 2_560 if quick else 20_000, "epochs": 2 if quick else 3}
    yield digits(epochs=20 if quick else 50)
    for batch_size in (256,) if quick else (256, 1024):
        yield fashion(batch_size, **large)


def run(quick):
    """Return the rows."""
    try:
        return [row for case in cases(quick) for row in _rows(case, quick)]
    except Missing as reason:
        return [*_rows(digits(), quick), {"case": "Fashion-MNIST", "skipped": str(reason)}]


def _rows(case, quick):
    sparse = partial(ours, case, estimator=SparseAutoencoder, alpha=0.1)
    hand, hand_linear = "loop by hand", "loop by hand, linear schedule"
    hand_sparse = "loop by hand, L1 and unit norm"
    contenders = {
        "bare matrix products": partial(matmuls, case),
        hand: partial(hand_loop, case),
        "Autoencoder": partial(ours, case),
        hand_linear: partial(hand_loop, case, linear=True),
        "Autoencoder, linear schedule": partial(ours, case, learning_rate_schedule="linear"),
        hand_sparse: partial(hand_loop, case, alpha=0.1),
        "SparseAutoencoder": sparse,
    }
    if case.data == "digits":
        contenders["loop by hand, one thread"] = partial(hand_loop, case, n_threads=1)
    for contender in contenders.values():
        contender.func(case.tiny(), **contender.keywords)
    timings = interleave(contenders, 3 if quick else 7)
    references = {"Autoencoder, linear schedule": hand_linear, "SparseAutoencoder": hand_sparse}
    for name in contenders:
        limit = LIMITS[case.data] if "Autoencoder" in name else None
        yield row(case.name, name, timings, references.get(name, hand), limit=limit)
