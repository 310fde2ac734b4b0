"""The corruptions: how much they change, into what, and from which source of randomness."""

import math
import re

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.preprocessing import minmax_scale
from torch._subclasses.fake_tensor import FakeTensorMode

from sklearn_ae import DenoisingAutoencoder, PatchFeatures, SparseAutoencoder
from sklearn_ae._compute._rows import Rows
from sklearn_ae.augmentations import ShiftAndFlip
from sklearn_ae.corruptions import (
    CORRUPTIONS,
    Corruption,
    Gaps,
    GaussianNoise,
    Masking,
    RegionBlanking,
    SaltAndPepper,
    SwapNoise,
)
from sklearn_ae.modules import ConvEncoder

N_ROWS, N_FEATURES = 400, 12

PARTS = {
    "gaussian": GaussianNoise(),
    "masking": Masking(),
    "masking mean": Masking(fill="mean"),
    "salt_and_pepper": SaltAndPepper(),
    "swap": SwapNoise(),
    "swap groups": SwapNoise(groups=[[0, 3, 5], (11, 1)]),
    "gaps": Gaps(),
    "gaps groups": Gaps(groups=[[0, 3, 5], (11, 1)], fill=[0.0] * N_FEATURES),
    "region": RegionBlanking(image_shape=(3, 4)),
    "region channels": RegionBlanking(image_shape=(2, 2, 3)),
}

each_part = pytest.mark.parametrize("name", PARTS)
# Those that change each entry by itself, with probability `level`.
BY_ENTRY = ["masking", "masking mean", "salt_and_pepper", "swap", "gaps"]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def X():
    """Return 400 x 12 values that all differ, of which 4 and 5 digits are row and column."""
    rows, columns = torch.arange(N_ROWS)[:, None], torch.arange(N_FEATURES)
    return (1 + rows + 1000 * columns).to(torch.float64)


def rows_of(X):
    return Rows(X, dtype=X.dtype if torch.is_tensor(X) else getattr(torch, X.dtype.name))


def corrupted(part, X, level, seed=0):
    part = clone(part, safe=False).prepare(rows_of(X))
    return part(X.clone(), level, generator(seed))


def assert_share(hits, share):
    """The share of hits is within five standard deviations of that of independent tosses."""
    bound = 5 * math.sqrt(share * (1 - share) / hits.numel()) + 1e-12
    assert abs(hits.double().mean() - share) <= bound


@pytest.mark.parametrize(
    ("name", "level"), [*((name, 0.3) for name in BY_ENTRY), ("masking", 0.05), ("swap", 0.7)]
)
def test_share_of_entries(X, name, level):
    changed = corrupted(PARTS[name], X, level) != X
    assert_share(changed, level)
    # Row by row and column by column too, so no pattern but chance.
    counts = changed.sum(dim=1).double()
    assert abs(counts.var() / (N_FEATURES * level * (1 - level)) - 1) < 5 * math.sqrt(2 / N_ROWS)
    for column in changed.T:
        assert_share(column, level)
    assert torch.equal(corrupted(PARTS[name], X, 0.0), X)
    inner = X[1:-1]  # Extremes replaced by themselves would not show.
    assert (clone(PARTS[name]).prepare(rows_of(X))(inner.clone(), 1.0, generator()) != inner).all()


@each_part
def test_the_generator_is_all_that_is_drawn_from(X, name):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (corrupted(PARTS[name], X, 0.4) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(corrupted(PARTS[name], X, 0.4, seed=1), first)
    # One generator goes on, also from model to model of a stack: each is another draw.
    part, source = clone(PARTS[name]).prepare(rows_of(X)), generator()
    first, second = (part(X.clone(), 0.4, source) for _ in range(2))
    assert not torch.equal(first, second)
    first, second, third = part(torch.stack([X, X, X]), 0.4, generator())
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


@each_part
def test_a_part_is_a_small_estimator_that_leaves_x_and_the_dtype(X, name):
    part = clone(PARTS[name])
    assert repr(part) == repr(PARTS[name])
    assert vars(part) == part.get_params()
    for given in (sparse.csr_array(X.numpy()), X.clone()):
        assert part.prepare(rows_of(given)) is part
        assert_array_equal(given.toarray() if sparse.issparse(given) else given, X)
    if name not in ("masking mean", "salt_and_pepper", "swap groups", "gaps groups"):
        # Nothing is learned where it is not needed.
        assert vars(part) == part.get_params()
    shapes = {(1, 12): torch.float32, (3, 5, 12): torch.float64, (2, 1, 12): torch.float32}
    for shape, dtype in shapes.items():
        batch = X.to(dtype).flatten()[: math.prod(shape)].reshape(shape)
        result = part.prepare(rows_of(X.to(dtype)))(batch, 0.4, generator())
        assert result.shape == shape
        assert result.dtype == dtype


@each_part
def test_no_value_goes_to_the_host(X, name):
    part = clone(PARTS[name]).prepare(rows_of(X))
    # A tensor without values: reading one is an error.
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert part(torch.empty(X.shape), 0.3, generator()).shape == X.shape


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


def test_masking(X):
    result = corrupted(Masking(), X, 0.3)
    assert ((result == X) | (result == 0)).all()
    part = Masking(fill="mean").prepare(rows_of(X))
    result = part(X[:50].clone(), 0.3, generator())
    changed = result != X[:50]
    assert_allclose(result[changed], X.mean(dim=0).expand(50, -1)[changed])


def test_salt_and_pepper(X):
    part = SaltAndPepper().prepare(rows_of(X))
    assert torch.equal(part.low_, X[0])
    assert torch.equal(part.high_, X[-1])
    inner = X[1:-1]
    result = part(inner.clone(), 0.6, generator())
    low, high = result == part.low_, result == part.high_
    assert ((result == inner) | low | high).all()
    # A fair toss.
    for hits, share in [(low, 0.3), (high, 0.3), *((p, 0.5) for p in low[low | high].split(500))]:
        assert_share(hits, share)


def source(result):
    """Return the row and the column that each value came from."""
    return (result - 1) % 1000, (result - 1) // 1000


def test_swap_noise_takes_the_column_of_another_row(X):
    donor, column = source(corrupted(SwapNoise(), X, 0.5))
    own = torch.arange(N_ROWS)[:, None]
    assert (column == torch.arange(N_FEATURES)).all()
    # A donor for every entry, not one for the row, each of the other rows alike.
    swapped = donor != own
    several = swapped.sum(dim=1) > 3
    assert several.sum() > 300
    pairs = zip(donor[several], swapped[several], strict=True)
    assert np.mean([len(d[s].unique()) > 1 for d, s in pairs]) > 0.99
    distance = ((donor - own) % N_ROWS)[swapped]
    assert distance.min() >= 1
    counts = np.histogram(distance, bins=19, range=(1, N_ROWS))[0]
    chi2 = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
    assert chi2 < 18 + 5 * math.sqrt(2 * 18)


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


def test_gaps_take_groups_away_and_what_another_row_misses(X):
    groups, fill = [[0, 3, 5], (11, 1)], [-1.0 - column for column in range(N_FEATURES)]
    missing = torch.zeros(X.shape, dtype=torch.bool)
    missing[40:80, groups[0]] = missing[60:90, 2] = True
    X = torch.where(missing, torch.tensor(fill).double(), X)
    # A part of a group alone is no gap.
    X[200:240, 1] = fill[1]
    result = corrupted(Gaps(groups, fill), X, 0.0)
    shifts = [
        k for k in range(1, N_ROWS)
        if torch.equal(result, torch.where(missing.roll(-k, 0), torch.tensor(fill).double(), X))
    ]  # fmt: skip
    assert len(shifts) == 1
    # Others are taken at random on top.
    more = corrupted(Gaps(groups, np.array(fill)), X, 0.3)
    taken = more == torch.tensor(fill)
    assert torch.equal(more[~taken], X[~taken])
    assert torch.equal(taken[:, 0], taken[:, [0, 3, 5]].all(dim=1))
    assert torch.equal(taken[:, 11], taken[:, [11, 1]].all(dim=1))
    assert_share(taken[:, [4, 6, 7, 8, 9, 10, 11]], 0.3)
    # Of one row there is no other.
    assert torch.equal(corrupted(Gaps(groups, fill), X[:1], 0.0), X[:1])
    # A group whose fill is zero has no mark: its zeros are values.
    X[:, :4] = 0
    assert torch.equal(corrupted(Gaps([[0, 1], [2, 3]], [0.0] * N_FEATURES), X, 0.0), X)


@pytest.mark.parametrize(
    "groups", [[], np.array([[0, 1], [2, 3]]), [np.array([4, 5])], [range(N_FEATURES)]]
)
def test_groups_of_other_kinds(X, groups):
    donor, column = source(corrupted(SwapNoise(groups=groups), X, 0.5))
    assert (column == torch.arange(N_FEATURES)).all()
    for group in groups:
        assert (donor[:, list(group)] == donor[:, [group[0]]]).all()
        assert_share(donor[:, group[0]] != torch.arange(N_ROWS), 0.5)
    # Of one row there is no donor, of two it is the other one.
    for n_rows in (1, 2):
        assert torch.equal(corrupted(SwapNoise(groups=groups), X[:n_rows], 1.0), X[:n_rows].flip(0))


def test_groups_by_name_are_those_by_index(X):
    names = [f"x{k}" for k in range(N_FEATURES)]
    rows, frame = rows_of(X), pd.DataFrame(minmax_scale(X), columns=names)
    rows.feature_names = names
    groups = [["x0", "x3"], ("x11",), []], [[0, 3], (11,), []]
    results = [SwapNoise(g).prepare(rows)(X.clone(), 0.5, generator()) for g in groups]
    assert torch.equal(*results)
    assert torch.equal(results[0], corrupted(SwapNoise(groups[1]), X, 0.5))
    params = {"n_components": 3, "max_epochs": 1, "random_state": 0}
    fitted = [
        DenoisingAutoencoder(**params, corruption=SwapNoise(g)).fit(frame).transform(frame)
        for g in groups
    ]
    assert_array_equal(*fitted)
    with pytest.raises(ValueError, match=r"12 features without names; it can't hold \['x0', 'x3'"):
        DenoisingAutoencoder(corruption=SwapNoise(groups[0])).fit(frame.to_numpy())


@pytest.mark.parametrize(
    ("groups", "named"),
    [
        ([["a", "z"], ["y"]], "['z', 'y']"), ([["a", "b"], ["a"]], "['a']"), ([["c"]], "['c']"),
        ([["a", 1]], "['a']"), ([[0, 1], [1]], "[1]"), (["ab"], "."), ("ab", "."),
    ],
)  # fmt: skip
def test_groups_that_name_no_column_or_one_twice(groups, named):
    rows = rows_of(torch.ones(5, 4))
    rows.feature_names = ["a", "b", "c", "c"]
    message = r"groups=.*from 0 to 3 or all of column names.*4 features" + f".*{re.escape(named)}"
    with pytest.raises(ValueError, match=message):
        SwapNoise(groups).prepare(rows)


def rectangles(images):
    """Return height, width, top and left of what is 0, checking that it is one rectangle."""
    blank = images == 0
    rows, columns = blank.any(dim=2).int(), blank.any(dim=1).int()
    assert torch.equal(blank, (rows[:, :, None] * columns[:, None, :]).bool())
    # One stretch of ones begins once only.
    for marks in (rows, columns):
        assert (marks.diff(dim=1, prepend=torch.zeros(len(marks), 1)) == 1).sum(dim=1).eq(1).all()
    return rows.sum(dim=1), columns.sum(dim=1), rows.argmax(dim=1), columns.argmax(dim=1)


@pytest.mark.parametrize(
    ("shape", "level"), [((28, 28), 0.05), ((20, 50), 0.5), ((8, 8), 0.9), ((3, 17), 0.25)], ids=str
)
def test_region_blanking(shape, level):
    n = 3000
    X = torch.ones(n, math.prod(shape))
    result = corrupted(RegionBlanking(image_shape=shape), X, level)
    assert set(result.unique().tolist()) <= {0.0, 1.0}
    height, width, top, left = rectangles(result.reshape(n, *shape))
    # It gets to all four edges.
    edges = (top == 0, left == 0, top + height == shape[0], left + width == shape[1])
    assert all(edge.any() for edge in edges)


NARROW = [(1, 64), (64, 1), (16, 2), (3, 50), (8, 8), (28, 28), (5, 7), (16, 2, 3), (1, 9, 2)]


@pytest.mark.parametrize("shape", NARROW, ids=str)
def test_the_share_that_is_blanked_is_the_level(shape):
    for level in (0.001, 0.02, 0.05, 0.1, 0.3, 0.5, 0.77, 0.9):
        result = corrupted(RegionBlanking(shape), torch.ones(5000, math.prod(shape)), level)
        shares = (result == 0).double().mean(dim=1)
        assert abs(shares.mean() - level) < 5 * shares.std() / math.sqrt(5000) + 1e-6
        if level * shape[0] * shape[1] >= 1:
            assert (shares > 0).all()


def test_region_blanking_has_aspect_ratios_from_a_half_to_two():
    shape, level = (200, 100), 0.1
    result = corrupted(RegionBlanking(image_shape=shape), torch.ones(3000, 20_000), level)
    height, width, top, left = rectangles(result.reshape(3000, *shape))
    ratio = torch.log2((height / width) / (200 / 100))
    assert ratio.abs().max() < 1.05
    assert_allclose(ratio.mean(), 0, atol=5 * math.sqrt(1 / 3 / 3000) + 0.01)
    assert_allclose(ratio.std(), math.sqrt(1 / 3), rtol=0.06)
    # The place is uniform over where the rectangle fits.
    for place in (top / (200 - height), left / (100 - width)):
        assert_allclose(place.mean(), 0.5, atol=0.03)
        assert_allclose(place.std(), math.sqrt(1 / 12), rtol=0.06)


def test_region_blanking_blanks_all_channels():
    X = torch.arange(1, 1 + 50 * 4 * 5 * 3, dtype=torch.float32).reshape(50, -1)
    part, shape = RegionBlanking(image_shape=(4, 5, 3)), (50, 4, 5, 3)
    result = corrupted(part, X, 0.3).reshape(shape)
    blank = result == 0
    assert (blank.all(dim=3) == blank.any(dim=3)).all()
    rectangles(result.sum(dim=3))
    assert torch.equal(result[~blank], X.reshape(shape)[~blank])
    assert len(blank.flatten(1).unique(dim=0)) > 5
    assert (corrupted(part, X, 1.0) == 0).all()


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (RegionBlanking((3, 5)), "image_shape=.*15 entries.*12 features"),
        (RegionBlanking((2, 2, 2)), "image_shape=.*8 entries.*12 features"),
        *((RegionBlanking(shape), r"image_shape=.*\(height, width\)")
          for shape in [(12,), (1, 1, 3, 4), (0, 12), (1.5, 8)]),
        (Gaps(fill=[0.0]), r"Gaps\(fill=\[0.0\]\) must .* 12 features"),
        *((SwapNoise(groups), "groups=.*from 0 to 11.*12 features")
          for groups in [[[0, 12]], [[-1]], [[0, 1], [1]], [[2, 2]], [0, 1], [["a"]]]),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_columns(X, part, message):
    with pytest.raises(ValueError, match=message):
        part.prepare(rows_of(X))


IMAGES = np.random.RandomState(0).uniform(size=(6, 216)).astype(np.float32)
TAKE_A_SHAPE = {
    "RegionBlanking": lambda shape: RegionBlanking(shape).prepare(rows_of(IMAGES)),
    "ShiftAndFlip": lambda shape: ShiftAndFlip(shape)(torch.tensor(IMAGES), generator()),
    "ConvEncoder": lambda shape: ConvEncoder(shape, pool=1)(216, 1),
    "PatchFeatures": lambda shape: PatchFeatures(
        shape, SparseAutoencoder(2, max_epochs=1), patch_size=1, pool=1, encoding="codes"
    ).fit(IMAGES),
}


@pytest.mark.parametrize("name", TAKE_A_SHAPE)
def test_channels_first_are_warned_of_once(name):
    message = rf"{name}\(image_shape=\(3, 8, 9\)\) looks like .*reshape\(-1, 3, 8, 9\).*\(8, 9, 3\)"
    with pytest.warns(UserWarning, match=message) as record:
        [TAKE_A_SHAPE[name]((3, 8, 9)) for _ in range(2)]
    assert [warning.filename for warning in record] == [__file__]
    # A warning would be an error.
    for shape in [(8, 9, 3), (1, 72, 3), (12, 18), (4, 6, 9), (2, 9, 12)]:
        TAKE_A_SHAPE[name](shape)


@pytest.mark.parametrize(
    ("dtype", "sign"), [(np.float32, 1), (np.float64, -1), (np.float32, 0), (np.float64, 0)]
)
def test_statistics_of_sparse_data_are_those_of_dense(dtype, sign):
    X = np.random.RandomState(0).normal(size=(60, 9)).astype(dtype)
    X = np.abs(X) * sign if sign else X
    X[np.random.RandomState(1).random_sample(X.shape) < 0.6] = 0
    X[:, 3], X[:, 4] = 0, 2  # A column without an entry, and one without a zero.
    for given in (sparse.csr_array(X), torch.tensor(X)):
        mean = Masking(fill="mean").prepare(rows_of(given)).mean_
        assert_allclose(mean, X.mean(axis=0), rtol=1e-5, atol=1e-6)
        part = SaltAndPepper().prepare(rows_of(given))
        assert_array_equal(part.low_, X.min(axis=0))
        assert_array_equal(part.high_, X.max(axis=0))


def test_the_contract(X):
    parts = [Gaps, GaussianNoise, Masking, SaltAndPepper, SwapNoise]
    assert [type(part()) for part in CORRUPTIONS.values()] == parts
    assert list(CORRUPTIONS) == ["gaps", "gaussian", "masking", "salt_and_pepper", "swap"]
    assert GaussianNoise.max_level == math.inf
    for part in (Masking, SaltAndPepper, SwapNoise, Gaps, RegionBlanking):
        assert part.max_level == 1
    with pytest.raises(NotImplementedError, match="Corruption must define __call__"):
        Corruption()(X, 0.5, generator())
    own = Corruption()
    assert own.prepare(rows_of(X)) is own
    with pytest.raises(ValueError, match=r"'fill' parameter of Masking .*'mean'"):
        Masking(fill="median")._validate_params()


def test_groups_by_index_need_no_preparation():
    X = torch.arange(12.0).reshape(4, 3)
    swapped = SwapNoise(groups=[[0, 1]])(X, 1.0, torch.Generator().manual_seed(0))
    # The two of a group come from the same row.
    assert_array_equal(swapped[:, 1] - swapped[:, 0], 1)
