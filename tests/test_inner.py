"""Autoencoders inside other estimators, and parts that are the user's own modules."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from torch import nn

from sklearn_ae import (
    Autoencoder,
    AutoencoderClassifier,
    AutoencoderRegressor,
    DenoisingAutoencoder,
    PatchFeatures,
    SparseAutoencoder,
)

rng = np.random.default_rng(0)
X = pd.DataFrame(rng.random((60, 4)), columns=list("abcd"))
y = (X["a"] > 0.5).to_numpy().astype(int)


@pytest.mark.parametrize(
    "around",
    [
        lambda ae: AutoencoderClassifier(FrozenEstimator(ae), max_epochs=1),
        lambda ae: AutoencoderRegressor(make_pipeline(FrozenEstimator(ae)), max_epochs=1),
        lambda ae: AutoencoderRegressor(FrozenEstimator(make_pipeline(ae)), max_epochs=1),
    ],
)
@pytest.mark.parametrize(
    "other", [X[list("dcba")], X.rename(columns={"a": "z"}), X[list("abc")]], ids=list("rnw")
)
def test_a_frozen_autoencoder_refuses_other_columns_as_its_transform_does(around, other):
    ae = SparseAutoencoder(6, max_epochs=1).fit(X)
    with pytest.raises(ValueError) as expected:  # noqa: PT011
        ae.transform(other)
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        around(ae).fit(other, y)
    assert str(raised.value) == str(expected.value)


def test_a_frozen_autoencoder_computes_as_it_was_fitted():
    ae = SparseAutoencoder(6, max_epochs=1, precision="float64", random_state=0).fit(X)
    codes = ae.transform(X)
    ae.set_params(precision="float32")
    head = AutoencoderClassifier(FrozenEstimator(ae), freeze_epochs="all", max_epochs=1).fit(X, y)
    assert head.predict_proba(X).dtype == np.float64
    assert_array_equal(ae.transform(X), codes)
    patches = PatchFeatures((2, 2), FrozenEstimator(ae), patch_size=2, pool=1).fit(X)
    assert patches.transform(X).dtype == np.float64


def test_a_constant_target_is_predicted_as_it_is():
    constant = np.full(60, 0.1)
    assert np.ptp(AutoencoderRegressor(max_epochs=2).fit(X, constant).predict(X)) == 0
    both = AutoencoderRegressor(max_epochs=2).fit(X, np.c_[constant, X["b"]]).predict(X)
    assert_allclose(both[:, 0], constant, rtol=1e-14)
    assert np.ptp(both[:, 1]) > 0


class Shifted(nn.Module):
    """Adds a learned number to all entries, in training and as a corruption."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(0.25))
        self.register_buffer("n_calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x, *others):
        self.n_calls += 1
        return x + self.shift


def test_a_module_is_a_corruption_and_an_augmentation():
    shift = Shifted()
    ae = DenoisingAutoencoder(6, corruption=shift, corruption_level=0.3, max_epochs=2)
    ae.set_params(random_state=0).fit(X)
    head = AutoencoderClassifier(ae, augmentation=shift, max_epochs=2, random_state=0).fit(X, y)
    assert shift.n_calls == 0, "the user's module is copied"
    for fitted, method in ((ae, "transform"), (head, "predict_proba")):
        for other in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
            assert_array_equal(getattr(other, method)(X), getattr(fitted, method)(X))


class Scaled(nn.Linear):
    factor = 1.0

    def forward(self, x):
        return super().forward(x) * self.factor


def test_a_module_that_the_user_changes_later_is_not_what_was_fitted():
    encoder = Scaled(4, 6)
    ae = Autoencoder(6, encoder=encoder, max_epochs=1, random_state=0).fit(X)
    codes = ae.transform(X)
    encoder.factor = 3.0
    with torch.no_grad():
        encoder.weight.zero_()
    assert_array_equal(ae.transform(X), codes)
    assert_array_equal(pickle.loads(pickle.dumps(ae)).transform(X), codes)
    more = copy.deepcopy(ae).partial_fit(X)
    assert more.n_iter_ == 2


def test_dead_components_are_those_of_the_rows_that_were_seen():
    chunk = np.zeros((32, 4), dtype=np.float32)
    chunk[:, 0] = np.linspace(0, 1, 32)
    ae = Autoencoder(16, max_epochs=1, random_state=0).partial_fit(chunk)
    expected = (ae.transform(chunk) == 0).all(axis=0)
    chunk[:] = -100
    assert (ae.transform(chunk) == 0).all(axis=0).tolist() != expected.tolist()
    assert_array_equal(ae.dead_components_, expected)


def test_a_frozen_step_of_a_pipeline_has_to_fit_the_one_below():
    frozen = FrozenEstimator(SparseAutoencoder(2, max_epochs=1).fit(np.eye(5)))
    pipeline = make_pipeline(SparseAutoencoder(3, max_epochs=1), frozen)
    with pytest.raises(ValueError, match="fitted on 5 features, but the step below it gives 3"):
        AutoencoderClassifier(pipeline, max_epochs=1).fit(X, y)
