"""scikit-learn's own checks on every public estimator, in many configurations."""

import contextlib
import functools
import unittest

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from torch import nn

import sklearn_ae
from sklearn_ae import (
    Autoencoder,
    AutoencoderClassifier,
    AutoencoderRegressor,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    NativeColumns,
    PatchFeatures,
    SparseAutoencoder,
    TableFeatures,
)
from sklearn_ae.corruptions import GaussianNoise, Masking, SwapNoise
from sklearn_ae.modules import TopK
from sklearn_ae.penalties import KLDivergence


class NormalizedEncoder(BaseEstimator):
    def __call__(self, n_features_in, n_components):
        return nn.Sequential(nn.LayerNorm(n_features_in), nn.Linear(n_features_in, n_components))


class LogPenalty(BaseEstimator):
    def __call__(self, codes):
        return codes.square().log1p().sum(dim=-1).mean()


def small(cls, **params):
    return cls(**{"n_components": 4, "max_epochs": 2, "random_state": 0, **params})


# Every value of a parameter that takes a way of its own through the code is in one at least.
ESTIMATORS = [
    small(Autoencoder),
    small(Autoencoder, n_components=1, loss="huber", activation="tanh", optimizer="sgd"),
    small(Autoencoder, hidden_layer_sizes=(5, 3), tied_weights=True, features="all"),
    small(Autoencoder, encoder=NormalizedEncoder(), batch_size=7, optimizer="adamw"),
    small(Autoencoder, alpha=0.1, dropout=0.2, corruption=GaussianNoise(), corruption_level=0.1),
    small(SparseAutoencoder, penalty="l2", sparse_output=True, precision="auto"),
    small(SparseAutoencoder, penalty=KLDivergence(rho=0.2), activation="sigmoid"),
    small(SparseAutoencoder, penalty=LogPenalty(), early_stopping=True, validation_fraction=0.3),
    small(SparseAutoencoder, activation=TopK(k=1), learning_rate_schedule="constant"),
    small(DropoutAutoencoder, activation="gelu", weight_decay=0.1),
    small(DenoisingAutoencoder, corruption=Masking(fill="mean")),
    small(DenoisingAutoencoder, corruption="salt_and_pepper", precision="float64"),
    small(DenoisingAutoencoder, corruption=SwapNoise(), corruption_level=1.0),
    TableFeatures(small(DenoisingAutoencoder, corruption="swap")),
    TableFeatures("passthrough"),
    NativeColumns(),
]


def small_head(cls, **params):
    inner = SparseAutoencoder(8, max_epochs=2, precision="float64", random_state=0)
    settings = {"autoencoder": inner, "learning_rate": 3e-2, "max_epochs": 20, "random_state": 0}
    return cls(**{**settings, **params})


# Without pretraining a weight of 2 is a row that is there twice; see WEIGHTS for the others.
HEADS = [
    small_head(cls, batch_size=1000, pretrain=False)
    for cls in (AutoencoderClassifier, AutoencoderRegressor)
]
PRETRAINED = [
    small_head(AutoencoderClassifier, class_weight="balanced", freeze_epochs="all"),
    small_head(
        AutoencoderClassifier,
        autoencoder=DenoisingAutoencoder(8, max_epochs=2),
        reconstruction_weight=0.1,
        head_hidden_layer_sizes=(5,),
    ),
    small_head(AutoencoderRegressor, learning_rate_schedule="constant"),
]
WEIGHTS = "check_sample_weight_equivalence"

# Checks that the common list leaves out.
BY_NAME = [
    "check_dataframe_column_names_consistency",
    "check_estimators_partial_fit_n_features",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_inplace_ensure_writeable",
    "check_param_validation",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]

# check_set_output_* mix frames and arrays in fit and transform, which scikit-learn warns of.
IGNORE_NAMES = pytest.mark.filterwarnings(
    "ignore:X (does not have valid|has) feature names:UserWarning"
)


def run(estimator, check):
    """Run a check; to skip it is a failure, but for the array API."""
    try:
        check(estimator)
    except (unittest.SkipTest, pytest.skip.Exception) as skip:
        if "array_api" not in str(skip):
            pytest.fail(f"skipped: {skip}")
        raise


def named(name):
    check = getattr(estimator_checks, name)
    return lambda estimator: check(type(estimator).__name__, estimator)


def check_name(check):
    while isinstance(check, functools.partial):
        check = check.func
    return check.__name__


# scikit-learn before 1.7 gives pytest a generator, which pytest has deprecated.
COMMON = parametrize_with_checks([*ESTIMATORS, *HEADS])


@pytest.mark.parametrize(COMMON.args[0], list(COMMON.args[1]), **COMMON.kwargs)
def test_common(estimator, check):
    run(estimator, check)


@pytest.mark.parametrize(
    "estimator", PRETRAINED, ids=lambda estimator: " ".join(repr(estimator).split())
)
def test_common_after_pretraining(estimator):
    for _, check in estimator_checks_generator(estimator):
        # Pretraining sees rows, not weights: a row that is there twice is another data set.
        if WEIGHTS not in check_name(check):
            with contextlib.suppress(unittest.SkipTest):
                check(estimator)


@IGNORE_NAMES
@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize(
    "estimator",
    [*ESTIMATORS[:13:6], ESTIMATORS[-1]],
    ids=lambda estimator: " ".join(repr(estimator).split()),
)
def test_by_name(estimator, name):
    run(estimator, named(name))


def test_every_public_estimator_is_checked():
    public = {getattr(sklearn_ae, name) for name in sklearn_ae.__all__}
    estimators = {c for c in public if isinstance(c, type) and issubclass(c, BaseEstimator)}
    # PatchFeatures is bound to a shape; its checks are in test_patches.py.
    checked = {type(estimator) for estimator in [*ESTIMATORS, *HEADS]} | {PatchFeatures}
    assert estimators == checked
