"""Fixtures that several files share: the classes, small and quick, and data for them."""

import numpy as np
import pytest
import torch

from sklearn_ae import (
    Autoencoder,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    SparseAutoencoder,
)
from sklearn_ae._compute import _runtime


@pytest.fixture(autouse=True)
def auto_is_the_cpu(monkeypatch):
    """Where there is a GPU too: bits and weights are compared on the CPU."""
    monkeypatch.setattr(_runtime, "_automatic", lambda: "cpu")


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Keep torch to one thread: on a busy machine two wait for each other most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(
    params=[Autoencoder, SparseAutoencoder, DropoutAutoencoder, DenoisingAutoencoder],
    ids=lambda cls: cls.__name__,
)
def make(request):
    """Each public class in turn, as a function that makes a small one."""

    def make_small(**params):
        return request.param(
            **{"n_components": 6, "max_epochs": 2, "batch_size": 16, "random_state": 0, **params}
        )

    make_small.cls = request.param
    return make_small


@pytest.fixture
def X():
    """Return 40 rows of 8 columns, float32, of rank 3 plus noise."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 8)) + 0.1 * rng.normal(size=(40, 8))
    return X.astype(np.float32)
