"""A built-in encoder is trained around the mean of the data, and is a plain one afterwards."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback, Checkpoint

from sklearn_ae import Autoencoder, DropoutAutoencoder, SparseAutoencoder
from sklearn_ae.penalties import KLDivergence

X = np.random.RandomState(0).rand(300, 10).astype(np.float32) + 5


@pytest.mark.parametrize("cls", [Autoencoder, SparseAutoencoder, DropoutAutoencoder])
def test_no_component_dies_of_the_mean(cls):
    # Without it 20 to 60 % of the components are dead here.
    pixels = np.abs(np.random.RandomState(1).normal(size=(600, 100))).astype(np.float32)
    ae = cls(128, max_epochs=30, learning_rate=5e-3, random_state=0).fit(pixels)
    assert ae.dead_components_.mean() < 0.05


def test_a_shift_of_the_data_changes_nothing_but_the_biases():
    rows = X.astype(np.float64)
    ae, moved = (Autoencoder(16, max_epochs=10, random_state=0, precision="float64") for _ in "ab")
    codes = ae.fit(rows).transform(rows)
    assert_allclose(moved.fit(rows + 7).transform(rows + 7), codes, atol=1e-9)
    assert_allclose(moved.reconstruct(rows + 7), ae.reconstruct(rows) + 7, rtol=1e-9)


def test_partial_fit_goes_on_around_the_first_mean():
    ae = Autoencoder(6, random_state=0).partial_fit(X[:1])
    start = ae.components_
    for row in range(1, 40):
        ae.partial_fit(X[row : row + 1])
    assert np.abs(ae.components_ - start).max() > 0.01
    again = pickle.loads(pickle.dumps(ae))
    assert_array_equal(again.partial_fit(X).components_, ae.partial_fit(X).components_)


class KeepAndRestore(Callback):
    def on_epoch_end(self, net, **kwargs):
        self.kept = [p.detach().clone() for p in net.module_.parameters()]

    def on_train_end(self, net, **kwargs):
        with torch.no_grad():
            for parameter, kept in zip(net.module_.parameters(), self.kept, strict=True):
                parameter.copy_(kept)


def test_callbacks_may_restore_what_they_kept():
    plain, kept = (
        Autoencoder(6, max_epochs=5, random_state=0, callbacks=callbacks).fit(X)
        for callbacks in (None, [KeepAndRestore()])
    )
    assert_array_equal(kept.transform(X), plain.transform(X))


def test_a_checkpoint_of_training_fits_the_trained_network(tmp_path):
    best = Checkpoint(monitor="train_loss_best", dirname=str(tmp_path), f_pickle=None)
    ae = Autoencoder(6, max_epochs=5, random_state=0, callbacks=[best]).fit(X)
    codes = ae.transform(X)
    ae.net_.load_params(f_params=str(tmp_path / "params.pt"))
    for other in (ae, pickle.loads(pickle.dumps(ae)), copy.deepcopy(ae)):
        assert_allclose(other.transform(X), codes, rtol=1e-4, atol=1e-5)
    assert set(ae.net_.module_.state_dict()) == {
        f"{part}.layers.0.{name}" for part in ("encoder", "decoder") for name in ("weight", "bias")
    }


def test_kl_begins_at_its_target():
    params = {"activation": "sigmoid", "learning_rate": 1e-9, "max_epochs": 1, "random_state": 0}
    kl = SparseAutoencoder(64, penalty=KLDivergence(rho=0.1), **params).fit(X)
    assert kl.transform(X).mean() == pytest.approx(0.1, abs=0.01)


class Scaled:
    rho = 2.0

    def __call__(self, codes):
        return codes.abs().sum(dim=-1).mean()


def test_a_penalty_of_the_users_has_names_of_its_own():
    SparseAutoencoder(4, activation="sigmoid", penalty=Scaled(), max_epochs=1).fit(X)
