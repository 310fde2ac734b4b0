"""The corruptions: how much they change, into what, and from which source of randomness."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone

from sklearn_ae.corruptions import (
    CORRUPTIONS,
    Corruption,
    GaussianNoise,
    Masking,
    RegionBlanking,
    SaltAndPepper,
    SwapNoise,
)

N_ROWS, N_FEATURES = 400, 12

PARTS = {
    "gaussian": GaussianNoise(),
    "masking": Masking(),
    "masking mean": Masking(fill="mean"),
    "salt_and_pepper": SaltAndPepper(),
    "swap": SwapNoise(),
    "swap groups": SwapNoise(groups=[[0, 3, 5], (11, 1)]),
    "region": RegionBlanking(image_shape=(3, 4)),
    "region channels": RegionBlanking(image_shape=(2, 2, 3)),
}

each_part = pytest.mark.parametrize("name", PARTS)
# Those that change each entry by itself, with probability `level`.
BY_ENTRY = ["masking", "masking mean", "salt_and_pepper", "swap"]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def X():
    """Return 400 x 12 values that all differ, of which 4 and 5 digits are row and column."""
    rows, columns = torch.arange(N_ROWS)[:, None], torch.arange(N_FEATURES)
    return (1 + rows + 1000 * columns).to(torch.float64)


def corrupted(part, X, level, seed=0):
    part = clone(part, safe=False).prepare(X)
    return part(X.clone(), level, generator(seed))


def assert_share(hits, share, n=None):
    """The share of hits is within five standard deviations of that of independent tosses."""
    n = hits.numel() if n is None else n
    assert abs(hits.double().mean() - share) <= 5 * math.sqrt(share * (1 - share) / n) + 1e-12


@pytest.mark.parametrize("name", BY_ENTRY)
@pytest.mark.parametrize("level", [0.05, 0.3, 0.7])
def test_share_of_entries(X, name, level):
    changed = corrupted(PARTS[name], X, level) != X
    assert_share(changed, level)
    # Row by row and column by column too, so no pattern but chance.
    counts = changed.sum(dim=1).double()
    assert abs(counts.var() / (N_FEATURES * level * (1 - level)) - 1) < 5 * math.sqrt(2 / N_ROWS)
    for column in changed.T:
        assert_share(column, level)


@pytest.mark.parametrize("name", BY_ENTRY)
def test_level_0_and_1(X, name):
    assert torch.equal(corrupted(PARTS[name], X, 0.0), X)
    inner = X[1:-1]  # Extremes replaced by themselves would not show.
    part = clone(PARTS[name]).prepare(X)
    assert (part(inner.clone(), 1.0, generator()) != inner).all()


@each_part
def test_same_generator_same_bits(X, name):
    first, second = (corrupted(PARTS[name], X, 0.4) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(corrupted(PARTS[name], X, 0.4, seed=1), first)
    # One generator goes on: the next call is another draw.
    part, source = clone(PARTS[name]).prepare(X), generator()
    first, second = (part(X.clone(), 0.4, source) for _ in range(2))
    assert not torch.equal(first, second)


@each_part
def test_nothing_else_is_drawn_from(X, name):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    corrupted(PARTS[name], X, 0.4)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


@each_part
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_dtype(X, name, dtype):
    for shape in ((1, N_FEATURES), (7, N_FEATURES), (3, 5, N_FEATURES), (2, 1, N_FEATURES)):
        batch = X.to(dtype).flatten()[: math.prod(shape)].reshape(shape)
        result = clone(PARTS[name]).prepare(X.to(dtype))(batch.clone(), 0.4, generator())
        assert result.shape == shape
        assert result.dtype == dtype


@each_part
def test_models_of_a_stack_are_corrupted_apart(X, name):
    stack = torch.stack([X, X, X])
    first, second, third = clone(PARTS[name]).prepare(X)(stack.clone(), 0.4, generator())
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)


@each_part
@pytest.mark.parametrize("kind", [torch.Tensor, sparse.csr_array])
def test_prepare_returns_itself_and_leaves_x(X, name, kind):
    given = X if kind is torch.Tensor else sparse.csr_array(X.numpy())
    part = clone(PARTS[name])
    assert part.prepare(given) is part
    assert_array_equal(given if kind is torch.Tensor else given.toarray(), X)


@each_part
def test_a_part_is_a_small_estimator(name):
    part = PARTS[name]
    assert type(clone(part)) is type(part)
    assert repr(clone(part)) == repr(part)
    assert vars(part) == part.get_params()


# -------------------------------------------------------------------------- values


@pytest.mark.parametrize("level", [0.1, 2.0])
def test_gaussian_noise(level):
    X = torch.full((5000, 6), 3.0)
    noise = (corrupted(GaussianNoise(), X, level) - X).double() / level
    n = noise.numel()
    assert abs(noise.mean()) < 5 / math.sqrt(n)
    assert abs(noise.var() - 1) < 5 * math.sqrt(2 / n)
    # Normal: the fourth moment is 3, and entries are independent.
    assert abs((noise**4).mean() - 3) < 5 * math.sqrt(96 / n)
    correlations = np.corrcoef(noise.numpy().T)[np.triu_indices(6, 1)]
    assert np.abs(correlations).max() < 5 / math.sqrt(5000)


def test_masking_with_zero(X):
    result = corrupted(Masking(), X, 0.3)
    assert ((result == X) | (result == 0)).all()


def test_masking_with_the_mean(X):
    part = Masking(fill="mean").prepare(X)
    assert_allclose(part.mean_, X.numpy().mean(axis=0))
    result = part(X[:50].clone(), 0.3, generator())
    changed = result != X[:50]
    assert_allclose(result[changed], part.mean_.expand(50, -1)[changed])


def test_salt_and_pepper(X):
    part = SaltAndPepper().prepare(X)
    assert torch.equal(part.low_, X[0])
    assert torch.equal(part.high_, X[-1])
    inner = X[1:-1]
    result = part(inner.clone(), 0.6, generator())
    low, high = result == part.low_, result == part.high_
    assert ((result == inner) | low | high).all()
    # A fair toss, within each column.
    assert_share(low, 0.3)
    assert_share(high, 0.3)
    for column in low[low | high].split(500):
        assert_share(column, 0.5)


def source(result):
    """Return the row and the column that each value came from."""
    return (result - 1) % 1000, (result - 1) // 1000


def test_swap_noise_takes_the_column_of_another_row(X):
    donor, column = source(corrupted(SwapNoise(), X, 0.5))
    own = torch.arange(N_ROWS)[:, None]
    assert (column == torch.arange(N_FEATURES)).all()
    # A donor for every entry, not one for the row, each of the other rows alike.
    swapped = donor != own
    donors_of_row = [set(d[s].tolist()) for d, s in zip(donor, swapped, strict=True)]
    several = swapped.sum(dim=1) > 3
    assert several.sum() > 300
    assert np.mean([len(d) > 1 for d, s in zip(donors_of_row, several, strict=True) if s]) > 0.99
    distance = ((donor - own) % N_ROWS)[swapped]
    assert distance.min() >= 1
    counts = np.histogram(distance, bins=19, range=(1, N_ROWS))[0]
    chi2 = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
    assert chi2 < 18 + 5 * math.sqrt(2 * 18)


def test_swap_noise_keeps_the_distribution_of_columns_in_expectation():
    X = torch.randn(5000, 3, generator=generator(1)) * torch.tensor([1.0, 5.0, 0.1]) + 3
    result = corrupted(SwapNoise(), X, 0.5)
    assert_allclose(result.mean(dim=0), X.mean(dim=0), atol=0.4)
    assert_allclose(result.std(dim=0), X.std(dim=0), rtol=0.06)


def test_swap_noise_of_one_and_of_two_rows(X):
    assert torch.equal(corrupted(SwapNoise(), X[:1], 1.0), X[:1])
    assert torch.equal(corrupted(SwapNoise(), X[:2], 1.0), X[:2].flip(0))
    assert torch.equal(corrupted(SwapNoise(groups=[[0, 1]]), X[:2], 1.0), X[:2].flip(0))


def test_swap_noise_moves_groups_together(X):
    groups = [[0, 3, 5], (11, 1)]
    donor, column = source(corrupted(SwapNoise(groups=groups), X, 0.5))
    assert (column == torch.arange(N_FEATURES)).all()
    for group in groups:
        assert (donor[:, group] == donor[:, [group[0]]]).all()
    # The groups, and the columns in none, are swapped by themselves.
    own = torch.arange(N_ROWS)[:, None]
    alone = [0, 11, 2, 4, 6, 7, 8, 9, 10]
    swapped = (donor != own)[:, alone]
    assert_share(swapped, 0.5)
    correlations = np.corrcoef(swapped.double().numpy().T)[np.triu_indices(len(alone), 1)]
    assert np.abs(correlations).max() < 5 / math.sqrt(N_ROWS)
    both = (donor[:, 0] != own[:, 0]) & (donor[:, 11] != own[:, 0])
    assert (donor[both, 0] == donor[both, 11]).double().mean() < 0.1


def test_swap_noise_keeps_one_hot_columns_one_hot():
    """The case that groups are for: independent swaps break most rows."""
    category = torch.randint(0, 4, (300,), generator=generator(2))
    X = torch.cat([torch.eye(4)[category], torch.rand(300, 2, generator=generator(3))], dim=1)
    kept = corrupted(SwapNoise(groups=[[0, 1, 2, 3]]), X, 0.5)[:, :4]
    assert torch.equal(kept.sum(dim=1), torch.ones(300))
    assert (kept != X[:, :4]).any()
    broken = corrupted(SwapNoise(), X, 0.5)[:, :4].sum(dim=1) != 1
    assert broken.double().mean() > 0.3


def test_all_columns_in_one_group_swaps_rows(X):
    donor, _ = source(corrupted(SwapNoise(groups=[range(N_FEATURES)]), X, 0.5))
    assert (donor == donor[:, :1]).all()
    assert_share(donor[:, 0] != torch.arange(N_ROWS), 0.5)


@pytest.mark.parametrize("groups", [[], np.array([[0, 1], [2, 3]]), [np.array([4, 5])]])
def test_groups_of_other_kinds(X, groups):
    donor, column = source(corrupted(SwapNoise(groups=groups), X, 0.5))
    assert (column == torch.arange(N_FEATURES)).all()
    for group in groups:
        assert (donor[:, group[0]] == donor[:, group[1]]).all()


@pytest.mark.parametrize("groups", [[[0, 12]], [[-1]], [[0, 1], [1]], [[2, 2]], [0, 1], [["a"]]])
def test_groups_that_do_not_fit(X, groups):
    with pytest.raises(ValueError, match=r"groups=.*from 0 to 11.*12 features"):
        SwapNoise(groups=groups).prepare(X)


def rectangles(images):
    """Return height, width, top and left of what is 0, checking that it is one rectangle."""
    blank = images == 0
    rows, columns = blank.any(dim=2), blank.any(dim=1)
    assert torch.equal(blank, rows[:, :, None] & columns[:, None, :])
    found = []
    for marks in (rows, columns):
        position = torch.arange(marks.shape[1])
        first = torch.where(marks, position, marks.shape[1]).amin(dim=1)
        last = torch.where(marks, position, -1).amax(dim=1)
        assert torch.equal(marks.sum(dim=1), last - first + 1)
        found.append((last - first + 1, first))
    (height, top), (width, left) = found
    return height, width, top, left


@pytest.mark.parametrize("shape", [(28, 28), (20, 50), (8, 8), (3, 17)], ids=str)
@pytest.mark.parametrize("level", [0.05, 0.25, 0.5, 0.9])
def test_region_blanking(shape, level):
    n = 3000
    X = torch.ones(n, math.prod(shape))
    result = corrupted(RegionBlanking(image_shape=shape), X, level)
    assert set(result.unique().tolist()) <= {0.0, 1.0}
    height, width, top, left = rectangles(result.reshape(n, *shape))
    area = (height * width).double() / math.prod(shape)
    # Whole pixels: a rectangle of three of them is coarse.
    tolerance = 0.05 if level * math.prod(shape) > 5 else 0.2
    assert abs(area.mean() / level - 1) < tolerance
    # The aspect ratio varies, and no rectangle leaves the image.
    assert len(height.unique()) > 1 or min(shape) == 3
    assert (top + height <= shape[0]).all()
    assert (left + width <= shape[1]).all()
    # It gets to all four edges.
    assert (top == 0).any()
    assert (left == 0).any()
    assert (top + height == shape[0]).any()
    assert (left + width == shape[1]).any()


def test_region_blanking_has_aspect_ratios_from_a_half_to_two():
    shape, level = (200, 100), 0.1
    result = corrupted(RegionBlanking(image_shape=shape), torch.ones(3000, 20_000), level)
    height, width, top, left = rectangles(result.reshape(3000, *shape))
    ratio = torch.log2((height / width) / (200 / 100))
    assert ratio.min() > -1.05
    assert ratio.max() < 1.05
    assert_allclose(ratio.mean(), 0, atol=5 * math.sqrt(1 / 3 / 3000) + 0.01)
    assert_allclose(ratio.std(), math.sqrt(1 / 3), rtol=0.06)
    # The place is uniform over where the rectangle fits.
    for start, room in ((top, 200 - height), (left, 100 - width)):
        place = start / room
        assert_allclose(place.mean(), 0.5, atol=0.03)
        assert_allclose(place.std(), math.sqrt(1 / 12), rtol=0.06)


def test_region_blanking_blanks_all_channels():
    X = torch.arange(1, 1 + 50 * 4 * 5 * 3, dtype=torch.float32).reshape(50, -1)
    result = corrupted(RegionBlanking(image_shape=(4, 5, 3)), X, 0.3).reshape(50, 4, 5, 3)
    blank = result == 0
    assert (blank.all(dim=3) == blank.any(dim=3)).all()
    rectangles(result.sum(dim=3))
    kept = X.reshape(50, 4, 5, 3)[~blank]
    assert torch.equal(result[~blank], kept)
    assert len({tuple(b.flatten().tolist()) for b in blank}) > 5


def test_region_blanking_of_level_1_and_almost_0():
    X = torch.ones(100, 30)
    part = RegionBlanking(image_shape=(5, 6))
    assert (corrupted(part, X, 1.0) == 0).all()
    height, width, _, _ = rectangles(corrupted(part, X, 1e-6).reshape(100, 5, 6))
    assert (height == 1).all()
    assert (width == 1).all()


@pytest.mark.parametrize(("shape", "product"), [((3, 5), 15), ((12, 2), 24), ((2, 2, 2), 8)])
def test_image_shape_that_does_not_fit(X, shape, product):
    with pytest.raises(ValueError, match=rf"image_shape=.*{product} entries.*12 features"):
        RegionBlanking(image_shape=shape).prepare(X)


@pytest.mark.parametrize("shape", [(), (12,), (1, 1, 3, 4), (0, 12), (-3, -4), (1.5, 8)])
def test_image_shape_that_is_none(X, shape):
    with pytest.raises(ValueError, match=r"image_shape=.*\(height, width\)"):
        RegionBlanking(image_shape=shape).prepare(X)


# -------------------------------------------------------------------------- statistics


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sign", [1, -1, 0])
def test_statistics_of_sparse_data_are_those_of_dense(dtype, sign):
    X = np.random.RandomState(0).normal(size=(60, 9)).astype(dtype)
    X = np.abs(X) * sign if sign else X
    X[np.random.RandomState(1).random_sample(X.shape) < 0.6] = 0
    X[:, 3], X[:, 4] = 0, 2  # A column without an entry, and one without a zero.
    given = sparse.csr_array(X)
    mean = Masking(fill="mean").prepare(given).mean_
    assert_allclose(mean, X.mean(axis=0), rtol=1e-5, atol=1e-6)
    part = SaltAndPepper().prepare(given)
    assert_array_equal(part.low_, X.min(axis=0))
    assert_array_equal(part.high_, X.max(axis=0))
    dense = Masking(fill="mean").prepare(torch.tensor(X))
    assert_allclose(dense.mean_, mean, rtol=1e-5, atol=1e-6)


def test_nothing_is_learned_where_it_is_not_needed(X):
    for part in (GaussianNoise(), Masking(), SwapNoise(), SwapNoise(groups=[[0, 1]])):
        assert vars(part.prepare(X)) == part.get_params()


def test_the_contract(X):
    assert {name: type(part()) for name, part in CORRUPTIONS.items()} == {
        "gaussian": GaussianNoise,
        "masking": Masking,
        "salt_and_pepper": SaltAndPepper,
        "swap": SwapNoise,
    }
    assert GaussianNoise.max_level == math.inf
    for part in (Masking, SaltAndPepper, SwapNoise, RegionBlanking):
        assert part.max_level == 1
    with pytest.raises(NotImplementedError, match="Corruption must define __call__"):
        Corruption()(X, 0.5, generator())
    own = Corruption()
    assert own.prepare(X) is own
    with pytest.raises(ValueError, match=r"'fill' parameter of Masking .*'mean'"):
        Masking(fill="median")._validate_params()
