"""What others offer: skorch as it comes, scikit-learn's networks and dictionaries, PyOD."""

from __future__ import annotations

import warnings
from time import perf_counter

import numpy as np
import torch
from cases import Missing
from contenders import N_ROWS_OF_LOSS, HandAutoencoder, half_squared_error, objective
from sklearn.decomposition import MiniBatchDictionaryLearning
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import BernoulliRBM, MLPRegressor
from timing import Timing
from torch import nn

__all__ = ["bernoulli_rbm", "dictionary_learning", "mlp_regressor", "plain_skorch", "pyod"]


class _FirstOutput(nn.Module):
    def forward(self, y_pred, x):
        return half_squared_error(y_pred[0], x)


def plain_skorch(case, seed=0):
    """Train the hand-written module by skorch as it comes: its DataLoader, callbacks, optimizer."""
    from skorch import NeuralNet

    torch.manual_seed(seed)
    net = NeuralNet(
        HandAutoencoder,
        _FirstOutput,
        module__n_features=case.X.shape[1],
        module__n_components=case.n_components,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=case.batch_size,
        max_epochs=case.epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    begin = perf_counter()
    net.fit(case.X, case.X)
    total = perf_counter() - begin
    with torch.inference_mode():
        output = net.module_(torch.from_numpy(case.X[:N_ROWS_OF_LOSS]))[0].numpy()
    return Timing(total, net.history[:, "dur"], objective(case, output))


def mlp_regressor(case, seed=0):
    """Fit X to X; its own loss and gradient are ours, its epochs are the share of a whole fit."""
    model = MLPRegressor(
        hidden_layer_sizes=(case.n_components,),
        alpha=0.0,
        batch_size=case.batch_size,
        max_iter=case.epochs,
        n_iter_no_change=case.epochs,
        tol=0.0,
        random_state=seed,
    )
    begin = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(case.X, case.X)
    total = perf_counter() - begin
    loss = objective(case, model.predict(case.X[:N_ROWS_OF_LOSS]))
    return Timing(total, [total / case.epochs], loss)


def pyod(case, seed=0):
    """Train PyOD's AutoEncoder with everything off that the others do not do.

    It drops a last batch that is not full, and averages the loss over features, which Adam
    does not notice. Its scores of the training rows are not timed.
    """
    try:
        from pyod.models.auto_encoder import AutoEncoder
    except ImportError as error:
        raise Missing("PyOD is not installed: pip install '.[bench]'") from error

    epochs, total = [], []

    class Timed(AutoEncoder):
        def train(self, train_loader):
            self.began = begin = perf_counter()
            super().train(train_loader)
            total.append(perf_counter() - begin)

        def epoch_update(self):
            now = perf_counter()
            epochs.append(now - self.began)
            self.began = now

    model = Timed(
        preprocessing=False,
        lr=1e-3,
        epoch_num=case.epochs,
        batch_size=case.batch_size,
        device=torch.device("cpu"),
        random_state=seed,
        verbose=0,
        optimizer_params={"weight_decay": 0.0},
        hidden_neuron_list=[case.n_components],
        batch_norm=False,
        dropout_rate=0.0,
    )
    model.fit(case.X)
    with torch.inference_mode():
        output = model.model(torch.from_numpy(case.X[:N_ROWS_OF_LOSS])).numpy()
    return Timing(total[0], epochs, objective(case, output))


def bernoulli_rbm(case, seed=0):
    """Train a restricted Boltzmann machine of the same widths: another model, other mathematics."""
    model = BernoulliRBM(
        case.n_components, batch_size=case.batch_size, n_iter=case.epochs, random_state=seed
    )
    begin = perf_counter()
    model.fit(case.X)
    total = perf_counter() - begin
    return Timing(total, [total / case.epochs])


def dictionary_learning(case, seed=0):
    """Go once through the rows with sparse coding: another model, other mathematics."""
    model = MiniBatchDictionaryLearning(
        case.n_components,
        alpha=0.1,
        max_iter=1,
        batch_size=case.batch_size,
        fit_algorithm="cd",
        max_no_improvement=None,
        random_state=seed,
    )
    begin = perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(np.asarray(case.X, order="C"))
    return Timing(perf_counter() - begin)
