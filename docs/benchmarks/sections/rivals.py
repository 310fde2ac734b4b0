"""What others offer, against ours (bar 3)."""

import contextlib
from functools import partial

from cases import Missing, digits, fashion
from contenders import hand_loop, ours
from rivals import bernoulli_rbm, dictionary_learning, mlp_regressor, plain_skorch, pyod
from timing import interleave, row

TITLE = "Rivals"
NOTE = (
    "Ratios to `Autoencoder`: above 1 is slower than ours. The same widths, batches, epochs, "
    "optimizer and, for the first five, the same objective, which `loss` compares. `BernoulliRBM` "
    "and `MiniBatchDictionaryLearning` are other models: their rows tell what a pass through the "
    "data costs. PyOD drops a last batch that is not full and is timed without its scores of the "
    "training rows. For scikit-learn's, an epoch is its share of a whole fit."
)
# Bars: ours is at least so many times faster.
LEAST = {
    ("digits", "skorch as it comes"): 2.5,
    ("digits", "PyOD AutoEncoder"): 1.0,
    ("Fashion-MNIST", "MLPRegressor"): 1.0,
    ("Fashion-MNIST", "PyOD AutoEncoder"): 1.0,
}


def run(quick):
    """Return the rows."""
    rows = list(_rows(digits(epochs=20 if quick else 50), quick))
    try:
        large = fashion(n_rows=3_000 if quick else 20_000, epochs=2)
        rows += list(_rows(large, quick))
    except Missing as reason:
        rows.append({"case": "Fashion-MNIST", "skipped": str(reason)})
    return rows


def _rows(case, quick):
    small = case.data == "digits"
    contenders = {
        "Autoencoder": partial(ours, case),
        "loop by hand": partial(hand_loop, case),
        "skorch as it comes": partial(plain_skorch, case),
        "MLPRegressor": partial(mlp_regressor, case),
        "PyOD AutoEncoder": partial(pyod, case),
        "BernoulliRBM": partial(bernoulli_rbm, case),
    }
    if small and not quick:
        contenders["MiniBatchDictionaryLearning"] = partial(dictionary_learning, case)
    for contender in contenders.values():
        with contextlib.suppress(Missing):
            contender(0) if small else contender.func(case.tiny())
    timings = interleave(contenders, 2 if quick else 5)
    for name in contenders:
        made = row(case.name, name, timings, "Autoencoder")
        if (case.data, name) in LEAST and "ratio" in made:
            made["at_least"] = LEAST[case.data, name]
        yield made
    if "MiniBatchDictionaryLearning" not in contenders:
        reason = "left out of --quick" if small else "a pass takes minutes: 2 s a batch"
        yield {"case": case.name, "name": "MiniBatchDictionaryLearning", "skipped": reason}
