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
    PatchFeatures,
    SparseAutoencoder,
)
from sklearn_ae.corruptions import (
    GaussianNoise,
    Masking,
    RegionBlanking,
    SaltAndPepper,
    SwapNoise,
)
from sklearn_ae.modules import TopK
from sklearn_ae.penalties import L1, L2, KLDivergence


def encoder_with_layer_norm(n_features_in, n_components):
    return nn.Sequential(nn.LayerNorm(n_features_in), nn.Linear(n_features_in, n_components))


def log_penalty(codes):
    return codes.square().log1p().sum(dim=-1).mean()


def small(cls, **params):
    return cls(**{"n_components": 4, "max_epochs": 2, "random_state": 0, **params})


ESTIMATORS = [
    small(Autoencoder),
    small(Autoencoder, n_components=1, loss="huber", activation="tanh", optimizer="sgd"),
    small(Autoencoder, hidden_layer_sizes=(5, 3), activation="gelu", optimizer="adamw"),
    small(Autoencoder, hidden_layer_sizes=(5,), tied_weights=True, weight_decay=0.1),
    small(Autoencoder, precision="float64", learning_rate_schedule="constant"),
    small(Autoencoder, early_stopping=True, validation_fraction=0.3, n_iter_no_change=1),
    small(Autoencoder, encoder=encoder_with_layer_norm, batch_size=7),
    small(Autoencoder, alpha=0.1, dropout=0.2, corruption=GaussianNoise(), corruption_level=0.1),
    small(SparseAutoencoder, penalty="l1"),
    small(SparseAutoencoder, penalty=L1(), hidden_layer_sizes=(5,), tied_weights=True),
    small(SparseAutoencoder, penalty="l2"),
    small(SparseAutoencoder, penalty=L2(), activation="identity", early_stopping=True),
    small(SparseAutoencoder, penalty="kl", activation="sigmoid"),
    small(SparseAutoencoder, penalty=KLDivergence(rho=0.2), activation="sigmoid"),
    small(SparseAutoencoder, penalty=log_penalty),
    small(SparseAutoencoder, activation=TopK(k=1)),
    small(SparseAutoencoder, output="csr", precision="auto"),
    small(DropoutAutoencoder),
    small(DenoisingAutoencoder),
    small(DenoisingAutoencoder, corruption="gaussian", precision="float64"),
    small(DenoisingAutoencoder, corruption="masking", early_stopping=True),
    small(DenoisingAutoencoder, corruption="salt_and_pepper"),
    small(DenoisingAutoencoder, corruption="swap"),
    small(DenoisingAutoencoder, corruption=Masking(fill="mean")),
    small(DenoisingAutoencoder, corruption=SaltAndPepper(), tied_weights=True),
    small(DenoisingAutoencoder, corruption=SwapNoise(), corruption_level=1.0),
]


def small_head(cls, **params):
    inner = SparseAutoencoder(8, max_epochs=2, precision="float64", random_state=0)
    return cls(
        **{
            "autoencoder": inner,
            "max_epochs": 60,
            "learning_rate": 1e-2,
            "random_state": 0,
            **params,
        }
    )


# Without pretraining a weight of 2 is a row that is there twice; see WEIGHTS for the others.
HEADS = [
    small_head(cls, batch_size=1000, pretrain=False)
    for cls in (AutoencoderClassifier, AutoencoderRegressor)
]
PRETRAINED = [
    small_head(AutoencoderClassifier, class_weight="balanced", freeze_encoder=True),
    small_head(AutoencoderClassifier, reconstruction_weight=0.1, head_hidden_layer_sizes=(5,)),
    small_head(AutoencoderRegressor, learning_rate_schedule="constant"),
    small_head(AutoencoderClassifier, autoencoder=DenoisingAutoencoder(8, max_epochs=2)),
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
    "check_n_features_in",
    "check_n_features_in_after_fitting",
    "check_param_validation",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_transformer_preserve_dtypes",
]

# check_set_output_* mix frames and arrays in fit and transform, which scikit-learn warns of.
IGNORE_NAMES = pytest.mark.filterwarnings(
    "ignore:X (does not have valid|has) feature names:UserWarning"
)

# What can't apply to a corruption bound to a shape, with the reason. Everything else runs.
CANNOT_APPLY = {
    "check_array_api_input": "runs only under SCIPY_ARRAY_API, and array API support isn't claimed",
}

# The number of features of the data that each check makes: a corruption that is bound to a shape
# meets the check in that shape. 0: the check never trains.
N_FEATURES = {
    "check_complex_data": 0,
    "check_dataframe_column_names_consistency": 8,
    "check_dict_unchanged": 3,
    "check_do_not_raise_errors_in_init_or_set_params": 0,
    "check_dont_overwrite_parameters": 3,
    "check_dtype_object": 10,
    "check_estimator_cloneable": 0,
    "check_estimator_repr": 0,
    "check_estimator_sparse_array": 3,
    "check_estimator_sparse_matrix": 3,
    "check_estimator_sparse_tag": 3,
    "check_estimator_tags_renamed": 0,
    "check_estimators_dtypes": 5,
    "check_estimators_empty_data_messages": 0,
    "check_estimators_fit_returns_self": 2,
    "check_estimators_nan_inf": 3,
    "check_estimators_overwrite_params": 2,
    "check_estimators_partial_fit_n_features": 2,
    "check_estimators_pickle": 3,
    "check_estimators_unfitted": 0,
    "check_f_contiguous_array_estimator": 3,
    "check_fit1d": 0,
    "check_fit2d_1feature": 1,
    "check_fit2d_1sample": 10,
    "check_fit2d_predict1d": 3,
    "check_fit_check_is_fitted": 2,
    "check_fit_idempotent": 2,
    "check_fit_score_takes_y": 3,
    "check_get_feature_names_out_error": 0,
    "check_get_params_invariance": 0,
    "check_global_output_transform_pandas": 5,
    "check_global_set_output_transform_polars": 5,
    "check_inplace_ensure_writeable": 3,
    "check_methods_sample_order_invariance": 3,
    "check_methods_subset_invariance": 3,
    "check_mixin_order": 0,
    "check_n_features_in": 2,
    "check_n_features_in_after_fitting": 4,
    "check_no_attributes_set_in_init": 0,
    "check_param_validation": 0,
    "check_parameters_default_constructible": 0,
    "check_pipeline_consistency": 3,
    "check_positive_only_tag_during_fit": 4,
    "check_readonly_memmap_input": 2,
    "check_set_output_transform": 5,
    "check_set_output_transform_pandas": 5,
    "check_set_output_transform_polars": 5,
    "check_set_params": 0,
    "check_transformer_data_not_an_array": 3,
    "check_transformer_general": 3,
    "check_transformer_get_feature_names_out": 3,
    "check_transformer_get_feature_names_out_pandas": 3,
    "check_transformer_n_iter": 0,
    "check_transformer_preserve_dtypes": 3,
    "check_transformers_unfitted": 0,
    "check_valid_tag_types": 0,
}

IMAGE_SHAPES = {
    0: (2, 2),
    1: (1, 1),
    2: (1, 2),
    3: (1, 1, 3),
    4: (2, 2),
    5: (5, 1),
    8: (2, 2, 2),
    10: (2, 5),
}

GROUPS = {
    0: [[0, 1]],
    1: [[0]],
    2: [[0, 1]],
    3: [[2, 0]],
    4: [[0, 1], [2, 3]],
    5: [[1, 2, 4]],
    8: [[0, 1, 2], [4, 7]],
    10: [range(5), range(5, 10)],
}


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


def all_checks():
    """Return every check of this scikit-learn, as (id, name, check)."""
    checks = []
    for _, check in estimator_checks_generator(small(DenoisingAutoencoder)):
        name = check_name(check)
        options = {
            key: value
            for key, value in check.keywords.items()
            if key not in ("name", "array_namespace", "expect_only_array_outputs")
        }
        checks.append((f"{name}{options or ''}", name, check))
    listed = {name for _, name, _ in checks}
    return checks + [(name, name, named(name)) for name in BY_NAME if name not in listed]


def bound_to_shape(n_features):
    return {
        "RegionBlanking": RegionBlanking(image_shape=IMAGE_SHAPES[n_features]),
        "SwapNoise": SwapNoise(groups=GROUPS[n_features]),
    }


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
    "estimator", ESTIMATORS[::3], ids=lambda estimator: " ".join(repr(estimator).split())
)
def test_by_name(estimator, name):
    run(estimator, named(name))


@IGNORE_NAMES
@pytest.mark.parametrize("corruption", ["RegionBlanking", "SwapNoise"])
@pytest.mark.parametrize(
    ("name", "check"),
    [
        pytest.param(name, check, id=test_id)
        for test_id, name, check in all_checks()
        if name not in CANNOT_APPLY
    ],
)
def test_bound_to_a_shape(name, check, corruption, monkeypatch):
    n_features = N_FEATURES[name]
    part = bound_to_shape(n_features)[corruption]
    widths = set()
    prepare = type(part).prepare

    def recorded(self, X):
        widths.add(X.shape[1])
        return prepare(self, X)

    monkeypatch.setattr(type(part), "prepare", recorded)
    run(small(DenoisingAutoencoder, corruption=part, batch_size=8), check)
    # The check did train, and on data of that shape only.
    assert widths == ({n_features} if n_features else set())


def test_no_check_is_forgotten():
    names = {name for _, name, _ in all_checks()}
    assert names >= set(BY_NAME)
    assert names <= N_FEATURES.keys() | CANNOT_APPLY.keys()
    assert not N_FEATURES.keys() & CANNOT_APPLY.keys()


def test_every_public_estimator_is_checked():
    public = {getattr(sklearn_ae, name) for name in sklearn_ae.__all__}
    estimators = {c for c in public if isinstance(c, type) and issubclass(c, BaseEstimator)}
    # PatchFeatures is bound to a shape; its checks are in test_patches.py.
    checked = {type(estimator) for estimator in [*ESTIMATORS, *HEADS]} | {PatchFeatures}
    assert estimators == checked


def test_a_skip_is_a_failure():
    def skips(estimator):
        raise unittest.SkipTest("pandas is not installed")

    with pytest.raises(pytest.fail.Exception, match="skipped: pandas"):
        run(ESTIMATORS[0], skips)
