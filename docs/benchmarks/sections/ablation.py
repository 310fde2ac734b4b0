"""What every optimization brings: each switched off alone, all others on (bar 8)."""

from contextlib import nullcontext
from functools import partial
from time import perf_counter

import switches
from cases import Missing, digits, fashion, fashion_pixels
from contenders import ours
from jobs import tf_idf_like
from skorch.callbacks import Callback
from timing import Timing, interleave, row, stopwatch

from sklearn_ae import Autoencoder, DenoisingAutoencoder

TITLE = "What every optimization brings"
NOTE = (
    "Each is switched off alone; the ratio is time without it to time with it, so above 1 it "
    "brings something. Lazy imports, bfloat16 and the stack have tables of their own."
)
ON = "all on"
IN_TRAINING = {
    "no record of batches (off: with a callback that hears of them)": nullcontext,
    "fused optimizer (off: Adam weight by weight)": switches.optimizer_not_fused,
    "slices of whole tensors (off: skorch's DataLoader)": switches.data_loader,
    "loss read once an epoch (off: every batch)": switches.loss_read_every_batch,
    "training mode set once an epoch (off: every step)": switches.mode_set_every_step,
    "bias within the product (off: added after it)": switches.product_and_sum,
    "constant learning rate (off: linear schedule, set every step)": nullcontext,
}


class Hears(Callback):
    """Hears of each batch and does nothing."""

    def on_batch_end(self, net, **kwargs):
        pass


PARAMS = {
    "no record of batches (off: with a callback that hears of them)": {"callbacks": [Hears()]},
    "constant learning rate (off: linear schedule, set every step)": {
        "learning_rate_schedule": "linear"
    },
}


def run(quick):
    """Return the rows."""
    rows = list(_training(digits(epochs=10), 3 if quick else 31))
    rows += _threads(digits(32, epochs=10), 3 if quick else 31)
    rows += _masks(digits(epochs=10), 3 if quick else 31)
    rows += _sparse_input(512 if quick else 4_000, 2 if quick else 5)
    try:
        large = fashion(n_rows=2_048 if quick else 5_120, epochs=1 if quick else 2)
        rows += _training(large, 2 if quick else 11)
        rows += _masks(large, 2 if quick else 11)
        rows += _transform(fashion_pixels()[: 10_000 if quick else 60_000], 2 if quick else 9)
    except Missing as reason:
        rows.append({"case": "Fashion-MNIST", "skipped": str(reason)})
    return rows


def _training(case, n_rounds):
    contenders = {ON: partial(ours, case)}
    for name, switch in IN_TRAINING.items():
        contenders[name] = _switched(switch, partial(ours, case, **PARAMS.get(name, {})))
    return _compared(case.name, contenders, n_rounds)


def _threads(case, n_rounds):
    fit = partial(ours, case)
    off = "one thread for small batches (off: every thread)"
    return _compared(case.name, {ON: fit, off: _switched(switches.all_threads, fit)}, n_rounds)


def _masks(case, n_rounds):
    fit = partial(ours, case, estimator=DenoisingAutoencoder, corruption_level=0.3)
    contenders = {
        ON: fit,
        "how masks are drawn (off: bernoulli_)": _switched(switches.masks_from_bernoulli, fit),
        "how masks are drawn (off: rand < level)": _switched(switches.masks_from_uniform, fit),
    }
    return _compared(f"denoising, {case.name}", contenders, n_rounds)


def _sparse_input(n_rows, n_rounds):
    X = tf_idf_like(n_rows, 20_000)

    def fit(seed):
        model = Autoencoder(256, max_epochs=1, random_state=seed)
        begin = perf_counter()
        model.fit(X)
        return Timing(perf_counter() - begin, model.net_.history[:, "dur"])

    contenders = {
        ON: fit,
        "sparse first layer (off: dense batches)": _switched(switches.dense_first_layer, fit),
        "occurring columns only (off: all)": _switched(switches.every_column, fit),
        "its product by scipy (off: by torch's CSR)": _switched(switches.torch_sparse_product, fit),
    }
    return _compared(f"CSR {n_rows:,} x 20,000 -> 256, batch 128", contenders, n_rounds)


def _transform(X, n_rounds):
    model = Autoencoder(1024, max_epochs=1, batch_size=256, random_state=0).fit(X[:2000])

    def encode(seed):
        return stopwatch(model.transform, X)

    contenders = {
        ON: encode,
        "bounded batches (off: all rows at once)": _switched(switches.unbounded_batches, encode),
        "finite sum looked at first (off: every code)": _switched(
            switches.every_entry_checked, encode
        ),
    }
    case = f"transform, Fashion-MNIST {len(X):,} x 784 -> 1,024"
    return _compared(case, contenders, n_rounds, what="total")


def _switched(switch, contender):
    def run_without(seed):
        with switch():
            return contender(seed)

    return run_without


def _compared(case, contenders, n_rounds, what="epoch"):
    for contender in contenders.values():
        contender(0)
    timings = interleave(contenders, n_rounds)
    for name in contenders:
        made = row(case, name, timings, ON, what=what)
        made.pop("fit_ratio", None)
        yield made
