"""What each regularizer costs, against the plain autoencoder (bar 5)."""

from functools import partial

from cases import Missing, digits, fashion
from contenders import ours
from timing import interleave, row

from sklearn_ae import Autoencoder, DenoisingAutoencoder, DropoutAutoencoder, SparseAutoencoder
from sklearn_ae.corruptions import Masking, RegionBlanking
from sklearn_ae.modules import TopK

TITLE = "What a regularizer costs"
NOTE = "Ratios of an epoch to that of the plain `Autoencoder` of the same widths."
PLAIN = "Autoencoder"


def run(quick):
    """Return the rows."""
    rows = list(_rows(digits(epochs=10), (8, 8), 2 if quick else 21, limited=False))
    try:
        large = fashion(n_rows=2_560 if quick else 5_120, epochs=1 if quick else 2)
    except Missing as reason:
        return [*rows, {"case": "Fashion-MNIST", "skipped": str(reason)}]
    return rows + list(_rows(large, (28, 28), 2 if quick else 11, limited=True))


def _rows(case, image_shape, n_rounds, limited):
    makers = {
        PLAIN: (Autoencoder, {}, None),
        "L1": (SparseAutoencoder, {"alpha": 0.1}, 1.15),
        "L2": (SparseAutoencoder, {"alpha": 0.1, "penalty": "l2"}, None),
        "KL, sigmoid": (
            SparseAutoencoder,
            {"alpha": 0.1, "penalty": "kl", "activation": "sigmoid"},
            None,
        ),
        "TopK(k=32)": (Autoencoder, {"activation": TopK(k=32)}, 1.3),
        "dropout 0.5": (DropoutAutoencoder, {"dropout": 0.5}, 1.2),
    }
    corruptions = {
        "masking": "masking",
        "masking by the mean": Masking(fill="mean"),
        "Gaussian noise": "gaussian",
        "salt and pepper": "salt_and_pepper",
        "swap noise": "swap",
        "region blanking": RegionBlanking(image_shape=image_shape),
    }
    for name, corruption in corruptions.items():
        params = {"corruption": corruption, "corruption_level": 0.3}
        makers[f"denoising, {name}"] = (DenoisingAutoencoder, params, 1.25)
    contenders = {
        name: partial(ours, case, estimator=estimator, **params)
        for name, (estimator, params, _) in makers.items()
    }
    for contender in contenders.values():
        contender.func(case.tiny(), **contender.keywords)
    timings = interleave(contenders, n_rounds)
    for name, (_, _, limit) in makers.items():
        yield row(case.name, name, timings, PLAIN, limit=limit if limited else None)
