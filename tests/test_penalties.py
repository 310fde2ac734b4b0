"""The penalties against their formulas."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone

from sklearn_ae.penalties import L1, L2, PENALTIES, KLDivergence, Penalty


def kl(H, rho):
    mean = H.mean(axis=0)
    return np.sum(rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean)))


FORMULAS = [
    (L1(), lambda H: np.abs(H).sum() / len(H)),
    (L2(), lambda H: 0.5 * np.square(H).sum() / len(H)),
    (KLDivergence(), lambda H: kl(H, 0.05)),
    (KLDivergence(rho=0.3), lambda H: kl(H, 0.3)),
]

NAMES = ["l1", "l2", "kl", "kl 0.3"]
each_formula = pytest.mark.parametrize(("penalty", "formula"), FORMULAS, ids=NAMES)


@pytest.fixture
def codes():
    """Return codes in (0, 1), which every penalty takes, none of them near an edge."""
    return np.random.RandomState(0).uniform(0.02, 0.98, (30, 7))


@each_formula
def test_value(penalty, formula, codes):
    given = torch.tensor(codes)
    value = penalty(given)
    assert value.shape == ()
    assert value.dtype == torch.float64
    assert_allclose(value, formula(codes), rtol=1e-12)
    assert torch.equal(given, torch.tensor(codes))
    single = penalty(torch.tensor(codes, dtype=torch.float32))
    assert single.dtype == torch.float32
    assert_allclose(single, formula(codes), rtol=1e-5)
    if not penalty.needs_probabilities:
        codes = np.random.RandomState(0).normal(size=(30, 7))
        assert_allclose(penalty(torch.tensor(codes)), formula(codes), rtol=1e-12)


@each_formula
def test_gradient(penalty, formula, codes):
    signs = np.random.RandomState(1).choice([-1, 1], codes.shape)
    codes = codes if penalty.needs_probabilities else codes * signs
    assert torch.autograd.gradcheck(penalty, torch.tensor(codes, requires_grad=True))


@each_formula
def test_a_stack_gives_a_number_a_model(penalty, formula, codes):
    stack = np.stack([codes, codes[::-1] ** 2, codes * 0.5])
    values = penalty(torch.tensor(stack))
    assert values.shape == (3,)
    assert_allclose(values, [formula(model) for model in stack], rtol=1e-12)
    assert penalty(torch.tensor(stack[None])).shape == (1, 3)


def test_l1_does_not_move_what_is_zero():
    codes = torch.zeros(3, 4, requires_grad=True)
    L1()(codes).backward()
    assert torch.equal(codes.grad, torch.zeros(3, 4))


@pytest.mark.parametrize("rho", [0.01, 0.5, 0.99])
def test_kl_is_least_at_rho(rho):
    at_rho = torch.full((6, 4), rho, dtype=torch.float64, requires_grad=True)
    value = KLDivergence(rho=rho)(at_rho)
    value.backward()
    assert_allclose(value.detach(), 0, atol=1e-12)
    assert_allclose(at_rho.grad, 0, atol=1e-12)
    for other in (0.9 * rho, 1 - 0.9 * (1 - rho)):
        assert KLDivergence(rho=rho)(torch.full((6, 4), other, dtype=torch.float64)) > 1e-6


@pytest.mark.parametrize(
    ("value", "dtype"), [(0.0, torch.float32), (1.0, torch.float32), (1.0, torch.float64)]
)
def test_kl_of_saturated_codes_is_finite(value, dtype):
    before = torch.full((4, 3), (value - 0.5) * 2e3, dtype=dtype, requires_grad=True)
    penalty = KLDivergence(rho=0.1)(torch.sigmoid(before))
    penalty.backward()
    assert torch.isfinite(penalty)
    assert penalty > 1
    assert torch.isfinite(before.grad).all()


def test_the_contract():
    assert {name: type(part()) for name, part in PENALTIES.items()} == {
        "l1": L1,
        "l2": L2,
        "kl": KLDivergence,
    }
    assert [part.needs_unit_norm for part in (L1, L2, KLDivergence)] == [True, True, False]
    assert [part.needs_probabilities for part in (L1, L2, KLDivergence)] == [False, False, True]
    with pytest.raises(NotImplementedError, match="Penalty must define __call__"):
        Penalty()(torch.ones(2, 2))
    assert repr(clone(KLDivergence(rho=0.2))) == "KLDivergence(rho=0.2)"
    for rho in (0, 1, -0.1, 1.5, "0.1", None, np.nan):
        with pytest.raises(ValueError, match=r"'rho' parameter of KLDivergence .* \(0\.0, 1\.0\)"):
            KLDivergence(rho=rho)._validate_params()
