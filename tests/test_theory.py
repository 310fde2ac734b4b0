"""The estimators against closed forms, scikit-learn's solvers and hand-written loops.

Nothing here compares the package with itself alone: where two of its fits are compared, theory says
what the relation must be.
"""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import subspace_angles
from scipy.stats import spearmanr
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, sparse_encode
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_ae import (
    Autoencoder,
    DenoisingAutoencoder,
    DropoutAutoencoder,
    SparseAutoencoder,
)
from sklearn_ae.modules import TopK
from sklearn_ae.penalties import KLDivergence

CPU = {"device": "cpu", "random_state": 0}


@pytest.fixture(scope="module")
def pixels():
    """Digits with gray values in [0, 1]."""
    return (load_digits().data / 16).astype(np.float32)


@pytest.fixture(scope="module")
def standardized(pixels):
    return StandardScaler().fit_transform(pixels)


def share_of_zeros(X, alpha, **params):
    return np.mean(SparseAutoencoder(alpha=alpha, **params, **CPU).fit(X).transform(X) == 0)


def explained_variance(X, output):
    return 1 - np.square(X - output).sum() / np.square(X - X.mean(axis=0)).sum()


def lasso_objective(X, codes, output, alpha):
    """Mean over rows of half the squared error plus ``alpha`` times the L1 norm, in float64."""
    X, codes, output = (np.asarray(a, dtype=np.float64) for a in (X, codes, output))
    half_squared_error = np.square(X - output).sum(axis=1) / 2
    return np.mean(half_squared_error + alpha * np.abs(codes).sum(axis=1))


def atoms(estimator):
    """What the decoder draws for each component: the change that a code of one makes."""
    codes = np.vstack([np.zeros(estimator.n_components), np.eye(estimator.n_components)])
    drawn = estimator.inverse_transform(codes).astype(np.float64)
    return drawn[1:] - drawn[0]


# --- linear autoencoder = PCA ------------------------------------------------------------------


def test_linear_autoencoder_spans_the_subspace_of_pca_and_has_its_error(pixels):
    centered = pixels - pixels.mean(axis=0)
    params = {"learning_rate": 1e-2, "batch_size": 600, "max_epochs": 500, **CPU}
    linear = Autoencoder(10, activation="identity", **params).fit(centered)
    pca = PCA(10).fit(centered)
    angles = np.degrees(subspace_angles(atoms(linear).T, pca.components_.T.astype(np.float64)))
    assert angles.max() < 2
    projected = pca.inverse_transform(pca.transform(centered))
    best = np.mean(np.square(centered - projected), dtype=np.float64)
    # By the theorem of Eckart and Young no linear map of this rank is better than PCA.
    assert 1 - 1e-5 < -linear.score(centered) / best < 1.01
    between = np.linalg.norm(linear.reconstruct(centered) - projected)
    assert between < 0.01 * np.linalg.norm(projected)


# --- linear denoising = the regression on the corrupted columns -----------------------------------


def wiener_filter(S, sigma):
    return S @ np.linalg.inv(S + sigma**2 * np.eye(len(S)))


def masked_regression(S, level):
    # Of masked x, the covariance with x is (1-p) S, and its own is (1-p) ((1-p) S + p diag(S)).
    return S @ np.linalg.inv((1 - level) * S + level * np.diag(np.diag(S)))


@pytest.mark.parametrize(
    ("corruption", "level", "closed_form"),
    [("gaussian", 1.0, wiener_filter), ("masking", 0.3, masked_regression)],
)
def test_linear_denoising_approaches_the_closed_form(corruption, level, closed_form):
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(20, 20)) * np.linspace(1.5, 0.2, 20) / np.sqrt(20)
    X = rng.normal(size=(2000, 20)) @ mixing.T
    X -= X.mean(axis=0)
    denoiser = DenoisingAutoencoder(
        20,
        activation="identity",
        corruption=corruption,
        corruption_level=level,
        learning_rate=1e-2,
        learning_rate_schedule="linear",
        batch_size=256,
        max_epochs=200,
        **CPU,
    ).fit(X)

    moved = denoiser.reconstruct(np.vstack([np.zeros(20), np.eye(20)])).astype(np.float64)
    learned = (moved[1:] - moved[0]).T  # Column j is what a unit of column j becomes.
    optimum = closed_form(X.T @ X / len(X), level)
    assert np.linalg.norm(learned - optimum) < 0.05 * np.linalg.norm(optimum)
    assert np.abs(moved[0]).max() < 0.02  # Centered data need no bias.


# --- KL penalty ----------------------------------------------------------------------------------


def test_kl_penalty_drives_mean_activations_to_rho(pixels):
    rho = 0.2
    kl = SparseAutoencoder(
        64,
        activation="sigmoid",
        penalty=KLDivergence(rho=rho),
        alpha=10.0,
        learning_rate=1e-2,
        batch_size=256,
        max_epochs=300,
        **CPU,
    ).fit(pixels)
    codes = kl.transform(pixels)
    mean_activation = codes.mean(axis=0, dtype=np.float64)
    assert mean_activation.mean() == pytest.approx(rho, rel=0.10)
    assert np.median(mean_activation) == pytest.approx(rho, rel=0.20)
    # It is the mean over rows that is held, while the codes still tell the rows apart.
    assert explained_variance(pixels, kl.reconstruct(pixels)) > 0.5


# --- copying and denoising -----------------------------------------------------------------------


def test_wide_plain_autoencoder_copies_and_the_same_one_denoising_fills_masked_pixels(pixels):
    train, test = train_test_split(pixels, test_size=0.25, random_state=0)
    masked = np.random.default_rng(7).random(test.shape) < 0.3
    blanked = np.where(masked, np.float32(0), test)
    mean = np.broadcast_to(train.mean(axis=0), test.shape)

    def error_of_filling(fill):
        """Squared error on masked pixels, as a share of that of filling in the column's mean."""
        return np.sum(np.square(fill - test)[masked]) / np.sum(np.square(mean - test)[masked])

    plain = Autoencoder(512, learning_rate=3e-3, max_epochs=100, **CPU).fit(train)
    assert explained_variance(train, plain.reconstruct(train)) > 0.999
    assert explained_variance(test, plain.reconstruct(test)) > 0.995
    # It copies the blank too: filling in zeros is worse than filling in the mean.
    assert error_of_filling(plain.reconstruct(blanked)) > 1
    params = {name: plain.get_params()[name] for name in DenoisingAutoencoder().get_params()}
    params |= {"corruption": "masking", "corruption_level": 0.3}
    denoiser = DenoisingAutoencoder(**params).fit(train)
    assert error_of_filling(denoiser.reconstruct(blanked)) < 0.5


# --- dropout equalizes (Mianjy, Arora & Vidal 2018) ----------------------------------------------


class LinearEncoder(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, x):
        return x @ self.weight.T


class LinearDecoder(LinearEncoder):
    def forward(self, codes):
        return codes @ self.weight


def test_dropout_equalizes_the_units_of_a_tied_linear_autoencoder_without_bias(pixels):
    whitened = PCA(20, whiten=True).fit_transform(pixels.astype(np.float64))
    params = {"learning_rate": 1e-3, "learning_rate_schedule": "constant", "max_epochs": 150}
    variation = {}
    # On d white columns, h equal units of squared norm u and p/(1-p) = r, half of
    # d (1 - u h / d)**2 + r h u**2 is smallest at u = 1 / (h / d + r): d = 20, h = 40.
    for dropout, optimum in {0.0: 1 / 2, 0.2: 4 / 9, 0.5: 1 / 3}.items():
        generator = torch.Generator().manual_seed(0)
        weight = nn.Parameter(torch.empty(40, 20).normal_(0, 0.13, generator=generator))
        pair = {"encoder": LinearEncoder(weight), "decoder": LinearDecoder(weight)}
        tied = DropoutAutoencoder(40, dropout=dropout, **pair, **params, **CPU).fit(whitened)
        module = tied.net_.module_
        assert module.encoder.weight is module.decoder.weight
        squared_norms = module.encoder.weight.detach().double().square().sum(dim=1).numpy()
        assert squared_norms.mean() == pytest.approx(optimum, rel=0.01)
        variation[dropout] = np.std(squared_norms) / np.mean(squared_norms)
    assert variation[0.5] < 0.05
    assert variation[0.5] < variation[0.0] / 4


# --- sparsity ------------------------------------------------------------------------------------

ALPHA, EPOCHS = 0.3, 80
LOOP = {"learning_rate": 3e-3, "batch_size": 32}


@pytest.fixture(scope="module")
def sparse(standardized):
    return SparseAutoencoder(256, alpha=ALPHA, max_epochs=EPOCHS, **LOOP, **CPU).fit(standardized)


def test_sparse_codes_are_85_percent_zeros_at_94_percent_explained_variance(sparse, standardized):
    assert np.mean(sparse.transform(standardized) == 0) >= 0.85
    assert explained_variance(standardized, sparse.reconstruct(standardized)) >= 0.94


def test_share_of_zeros_rises_with_alpha(standardized):
    alphas = [0.05, 0.15, 0.5, 1.0, 2.0]
    shares = [share_of_zeros(standardized, alpha, max_epochs=30) for alpha in alphas]
    assert spearmanr(alphas, shares).statistic > 0.9
    assert shares[-1] - shares[0] > 0.2


def test_share_of_zeros_is_the_same_at_any_batch_size(standardized):
    # 1,797 rows make 57, 15 and 4 batches: 1,140 steps each.
    shares = [
        share_of_zeros(standardized, ALPHA, batch_size=batch_size, max_epochs=max_epochs)
        for batch_size, max_epochs in [(32, 20), (128, 76), (512, 285)]
    ]
    assert max(shares) - min(shares) < 0.05
    assert 0.5 < min(shares) <= max(shares) < 0.97


@pytest.mark.parametrize(
    ("scale", "alpha", "params"),
    [("standardized", 0.5, {"n_components": 128}), ("pixels", 0.2, {})],
)
def test_every_column_four_times_is_as_if_alpha_were_halved(scale, alpha, params, request):
    # The sum over features makes this X of twice the norm.
    X = request.getfixturevalue(scale)
    halved = share_of_zeros(X, alpha / 2, **params)
    four_times = share_of_zeros(np.tile(X, 4), alpha, **params)
    assert abs(four_times - halved) < 0.05
    assert 0.5 < halved < share_of_zeros(X, alpha, **params) - 0.03


def test_codes_vanish_under_a_huge_alpha_and_the_decoder_draws_the_column_means(pixels):
    params = {"alpha": 50.0, "learning_rate": 2e-2, "batch_size": 600, "max_epochs": 200}
    with pytest.warns(UserWarning, match="All 16 codes are zero for every row .* Lower alpha"):
        silent = SparseAutoencoder(16, **params, **CPU).fit(pixels)
    assert_array_equal(silent.transform(pixels), 0)
    mean = np.broadcast_to(pixels.mean(axis=0), pixels.shape)
    assert_allclose(silent.reconstruct(pixels), mean, atol=0.005)


# --- the L1 cheat --------------------------------------------------------------------------------


def hand_written_loop(X, n_components, alpha, max_epochs, learning_rate, batch_size, unit_norm):
    """Minimize the same objective with torch alone; return codes, reconstruction and atoms."""
    generator = torch.Generator().manual_seed(1)

    def uniform(*shape):
        bound = X.shape[1] ** -0.5
        drawn = torch.empty(shape).uniform_(-bound, bound, generator=generator)
        return drawn.requires_grad_()

    def normalize():
        with torch.no_grad():
            D.div_(D.norm(dim=1, keepdim=True))

    def encode(x):
        return torch.relu(x @ W.T + b)

    W, b = uniform(n_components, X.shape[1]), uniform(n_components)
    D, c = uniform(n_components, X.shape[1]), uniform(X.shape[1])
    normalize()
    X = torch.from_numpy(X)
    optimizer = torch.optim.Adam([W, b, D, c], fused=True)
    for epoch in range(max_epochs):
        optimizer.param_groups[0]["lr"] = learning_rate * (1 - epoch / max_epochs)
        for rows in torch.randperm(len(X), generator=generator).split(batch_size):
            x = X[rows]
            codes = encode(x)
            error = (codes @ D + c - x).square().sum(dim=1)
            loss = (error / 2 + alpha * codes.abs().sum(dim=1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if unit_norm:
                normalize()
    with torch.no_grad():
        codes = encode(X)
        return codes.numpy(), (codes @ D + c).numpy(), D.numpy()


def test_hand_written_loop_ends_at_the_same_objective(sparse, standardized):
    codes, output, _ = hand_written_loop(standardized, 256, ALPHA, EPOCHS, **LOOP, unit_norm=True)
    ours_codes, ours_output = sparse.transform(standardized), sparse.reconstruct(standardized)
    ours = lasso_objective(standardized, ours_codes, ours_output, ALPHA)
    theirs = lasso_objective(standardized, codes, output, ALPHA)
    assert ours == pytest.approx(theirs, rel=0.03)
    assert np.mean(ours_codes == 0) == pytest.approx(np.mean(codes == 0), abs=0.02)


def test_without_unit_norm_a_hand_written_loop_cheats(sparse, standardized):
    codes, output, drawn = hand_written_loop(
        standardized, 256, ALPHA, EPOCHS, **LOOP, unit_norm=False
    )
    ours = sparse.transform(standardized).sum()
    at_unit_norm = np.sum(codes * np.linalg.norm(drawn, axis=1))
    # It pays for about half of our codes, though it uses more: its atoms are twice the size.
    assert codes.sum() < 0.6 * ours
    assert codes.sum() < 0.5 * at_unit_norm
    assert at_unit_norm > ours
    assert explained_variance(standardized, output) > 0.94
    assert_allclose(np.linalg.norm(atoms(sparse), axis=1), 1, atol=1e-5)


def log_cosh(codes):
    return torch.log(torch.cosh(codes)).sum(dim=-1).mean(dim=-1)


@pytest.mark.parametrize(
    "params",
    [
        {"tied_weights": True},
        {"penalty": "l2"},
        {"penalty": log_cosh},
        {"activation": TopK(k=20)},
        {"hidden_layer_sizes": (80, 48)},
        {"hidden_layer_sizes": (80, 48), "tied_weights": True},
    ],
    ids=["tied", "l2", "own-penalty", "top-k", "deep", "deep-tied"],
)
def test_atoms_of_every_layer_are_at_unit_norm_after_fit_and_partial_fit(params, standardized):
    sparse = SparseAutoencoder(96, max_epochs=3, **params, **CPU).fit(standardized)
    start = atoms(sparse)
    widths = [96, *reversed(params.get("hidden_layer_sizes", ()))]
    for _ in range(2):
        layers = sparse.net_.module_.decoder.layers
        assert [layer.weight.shape[0] for layer in layers] == widths
        for layer in layers:
            norms = layer.weight.detach().double().norm(dim=1).numpy()
            assert_allclose(norms, 1, atol=1e-5)
        sparse.partial_fit(standardized[::-1] * 2)
    assert np.abs(atoms(sparse) - start).max() > 1e-3


def test_atoms_are_free_without_a_penalty_and_under_kl(pixels):
    # What shows that the norms above are kept, and not what training gives anyway.
    free = Autoencoder(64, max_epochs=5, **CPU).fit(pixels)
    kl = SparseAutoencoder(64, activation="sigmoid", penalty="kl", max_epochs=5, **CPU).fit(pixels)
    for estimator in (free, kl):
        assert np.abs(np.linalg.norm(atoms(estimator), axis=1) - 1).mean() > 0.1


# --- what is minimized ---------------------------------------------------------------------------


def test_codes_are_near_the_lasso_optimum_of_scikit_learn(sparse, standardized):
    """``alpha`` is the one of ``DictionaryLearning``: same dictionary, same alpha, same codes."""
    rows = standardized[:100].astype(np.float64)
    codes = sparse.transform(rows)
    drawn = atoms(sparse)
    offset = sparse.inverse_transform(np.zeros((1, 256))).astype(np.float64)
    exact = sparse_encode(
        rows - offset, drawn, algorithm="lasso_cd", alpha=ALPHA, positive=True, max_iter=20000
    )
    ours = lasso_objective(rows, codes, codes @ drawn + offset, ALPHA)
    best = lasso_objective(rows, exact, exact @ drawn + offset, ALPHA)
    assert 1 - 1e-6 < ours / best < 1.12  # One layer is no solver, but comes close.
    assert np.mean(codes == 0) == pytest.approx(np.mean(exact == 0), abs=0.03)
    assert codes.sum() == pytest.approx(exact.sum(), rel=0.05)


def l1(codes):
    return np.mean(np.abs(codes).sum(axis=1))


def half_l2(codes):
    return np.mean(np.square(codes).sum(axis=1)) / 2


def kl_at_a_twentieth(codes):
    mean, rho = codes.mean(axis=0), 0.05
    return np.sum(rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean)))


def half_squared_error(X, output):
    return np.square(X - output) / 2


def huber(X, output):
    error = np.abs(X - output)
    return np.where(error < 1, error**2 / 2, error - 0.5)


def cross_entropy(X, output):
    return -X * np.log(output) - (1 - X) * np.log(1 - output)


@pytest.mark.parametrize(
    ("loss", "penalty", "activation", "loss_by_hand", "penalty_by_hand"),
    [
        ("squared_error", "l1", "relu", half_squared_error, l1),
        ("squared_error", "l1", "tanh", half_squared_error, l1),
        ("squared_error", "l2", "relu", half_squared_error, half_l2),
        ("squared_error", "kl", "sigmoid", half_squared_error, kl_at_a_twentieth),
        ("huber", "l1", "relu", huber, l1),
        ("binary_cross_entropy", "l1", "relu", cross_entropy, l1),
    ],
)
def test_the_documented_objective_is_what_is_minimized(
    loss, penalty, activation, loss_by_hand, penalty_by_hand, pixels
):
    """The mean over rows of the loss summed over features, plus alpha times the penalty."""
    X = pixels[:300] if loss != "huber" else 4 * pixels[:300]
    params = {"loss": loss, "penalty": penalty, "activation": activation, "alpha": 0.7}
    params |= {"batch_size": 300, "max_epochs": 100, **CPU}
    sparse = SparseAutoencoder(32, **params).fit(X)
    codes, output = (a.astype(np.float64) for a in (sparse.transform(X), sparse.reconstruct(X)))
    error = np.mean(loss_by_hand(X.astype(np.float64), output).sum(axis=1))
    strength = 0.7 * penalty_by_hand(codes)
    # A target of the mean activation is met so closely that the sum would not show the penalty.
    assert penalty == "kl" or strength > 0.02 * error
    assert sparse.penalty_curve_[-1] == pytest.approx(strength, rel=2e-2)
    # At the end the learning rate has fallen so far that the last step changes nothing.
    assert sparse.loss_curve_[-1] == pytest.approx(error + strength, rel=2e-3)
