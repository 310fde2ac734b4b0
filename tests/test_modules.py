"""The parts of the network against NumPy, alone and in a stack."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from sklearn_ae.modules import DenseDecoder, DenseEncoder, TopK
from sklearn_ae.modules._activations import ACTIVATIONS
from sklearn_ae.modules._architecture import Architecture
from sklearn_ae.modules._dense import start_as_transpose


def built(*widths, **params):
    return Architecture(*widths, **params).build()


@pytest.fixture(autouse=True)
def _seed():
    """Restore torch's global generator, which building a module draws from."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize(
    ("k", "shift", "shape"),
    [(1, 0.0, (9,)), (2, -3.0, (200, 9)), (5, -0.5, (3, 50, 9)), (9, 0.0, (200, 9))],
)
def test_topk_keeps_the_k_largest_positive_codes(k, shift, shape):
    x = torch.randn(shape) + shift
    before = x.clone()
    codes = TopK(k=k)(x)
    assert torch.equal(x, before)
    positives = (x > 0).sum(dim=-1)
    assert torch.equal((codes != 0).sum(dim=-1), positives.clamp(max=k))
    assert ((codes == 0) | (codes == x)).all()
    # No code left out is larger than one kept.
    left_out = torch.where(codes == 0, x, -math.inf).amax(dim=-1)
    kept = torch.where(codes == 0, math.inf, codes).amin(dim=-1)
    assert ((left_out <= kept) | (left_out <= 0)).all()


def test_topk_by_hand():
    x = torch.tensor([[3.0, -1, 2, 4], [-1, -2, -3, -4], [0, 5, -1, 0], [1, 1, 1, 1]])
    codes = TopK(k=2)(x.requires_grad_())
    assert codes[:3].tolist() == [[3, 0, 0, 4], [0, 0, 0, 0], [0, 5, 0, 0]]
    # Among equal ones exactly k are kept.
    assert codes[3].sum() == 2
    codes.square().sum().backward()
    assert torch.equal(x.grad, 2 * codes.detach())
    for k in (0, -1, 2.5, "2", None):
        with pytest.raises(ValueError, match=r"'k' parameter of TopK .*\[1, inf\)"):
            TopK(k=k)._validate_params()


def affine_chain(x, layers, last_act, transposed):
    """Compute dense layers in NumPy, with relu between them."""
    for number, layer in enumerate(layers, start=1):
        weight = layer.weight.T if transposed else layer.weight
        x = x @ weight.detach().numpy() + layer.bias.detach().numpy()
        x = last_act(x) if number == len(layers) else np.maximum(x, 0)
    return x


def shapes(part):
    return [tuple(layer.weight.shape) for layer in part.layers]


def test_dense_parts():
    sizes = [3, 20, 4, 9]
    encoder, decoder = DenseEncoder(sizes, "tanh", "relu"), DenseDecoder(sizes, "relu")
    assert shapes(encoder) == [(n_out, n_in) for n_in, n_out in pairwise(sizes)]
    assert shapes(decoder) == list(pairwise(sizes))
    x = torch.randn(11, sizes[0])
    expected = affine_chain(x.numpy(), encoder.layers, np.tanh, True)
    assert_allclose(encoder(x).detach(), expected, rtol=1e-5, atol=1e-6)
    expected = affine_chain(x.numpy(), decoder.layers, lambda x: x, False)
    assert_allclose(decoder(x).detach(), expected, rtol=1e-5, atol=1e-6)
    assert (expected < 0).any()


def test_initial_weights():
    """Uniform within 1 / sqrt(n_in), as in torch's own dense layer, biases too."""
    for part in (DenseEncoder([400, 100], "relu", "relu"), DenseDecoder([400, 100], "relu")):
        for tensor in part.parameters():
            assert tensor.abs().max() <= 1 / 20
            assert_allclose(tensor.detach().std(), 1 / 20 / math.sqrt(3), rtol=0.3)
            assert tensor.dtype == torch.float32


def test_activations():
    references = {
        "elu": nn.ELU(), "gelu": nn.GELU(), "identity": nn.Identity(), "relu": nn.ReLU(),
        "leaky_relu": nn.LeakyReLU(0.01), "sigmoid": nn.Sigmoid(), "silu": nn.SiLU(),
        "softplus": nn.Softplus(), "tanh": nn.Tanh(),
    }  # fmt: skip
    assert set(ACTIVATIONS) == set(references)
    x = torch.linspace(-4, 4, 101)
    for name, reference in references.items():
        assert_allclose(ACTIVATIONS[name](x), reference(x), rtol=1e-6)
        encoder = DenseEncoder([101, 6], name, "relu")
        (layer,) = encoder.layers
        expected = reference(x[None] @ layer.weight.T + layer.bias).detach()
        assert_allclose(encoder(x[None]).detach(), expected, rtol=1e-5)


def test_an_activation_of_the_users():
    encoder = DenseEncoder([4, 5, 3], nn.PReLU(), torch.sin)
    x = torch.randn(6, 4)
    (w0, b0), (w1, b1) = ((layer.weight, layer.bias) for layer in encoder.layers)
    expected = encoder.activation(torch.sin(x @ w0.T + b0) @ w1.T + b1)
    assert_allclose(encoder(x).detach(), expected.detach(), rtol=1e-5, atol=1e-6)
    assert any(parameter is encoder.activation.weight for parameter in encoder.parameters())


def test_atoms_at_unit_norm():
    decoder = DenseDecoder([6, 5, 8], "relu")
    with torch.no_grad():
        decoder.layers[0].weight.mul_(torch.tensor([1e-3, 1, 100, 1e15, 3e-5, 1])[:, None])
        decoder.layers[1].weight[2] = 0
    before = [layer.weight.detach().clone() for layer in decoder.layers]
    biases = [layer.bias.detach().clone() for layer in decoder.layers]
    decoder.normalize_atoms()
    for layer, old, bias in zip(decoder.layers, before, biases, strict=True):
        norm = old.norm(dim=1, keepdim=True)
        expected = torch.where(norm > 0, old / norm, 0.0)
        assert_allclose(layer.weight.detach(), expected, rtol=1e-5)
        assert torch.equal(layer.bias, bias)
        assert layer.weight.requires_grad
    # An atom of zeros stays, instead of becoming NaN.
    assert torch.equal(decoder.layers[1].weight[2], torch.zeros(8))
    encoder = DenseEncoder([8, 6], "relu", "relu")
    DenseDecoder([6, 8], "relu", encoder).normalize_atoms()
    assert_allclose(encoder.layers[0].weight.detach().norm(dim=1), 1, rtol=1e-6)


@pytest.mark.parametrize(("sizes", "scales"), [([8, 6], [1]), ([8, 40, 6], [0.4, 1])], ids=str)
def test_start_as_transpose(sizes, scales):
    encoder = DenseEncoder(sizes, "relu", "relu")
    decoder = DenseDecoder(sizes[::-1], "relu")
    biases = [layer.bias.detach().clone() for layer in encoder.layers]
    start_as_transpose(encoder, decoder)
    pairs = zip(encoder.layers, reversed(decoder.layers), scales, biases, strict=True)
    for layer, atoms, scale, bias in pairs:
        assert_allclose(layer.weight.detach(), scale * atoms.weight.detach(), rtol=1e-6)
        assert layer.weight is not atoms.weight
        assert layer.weight.requires_grad
        assert torch.equal(layer.bias, bias)


def test_start_as_transpose_gives_back_the_scale_of_the_input():
    """Why it scales: with many unit atoms the first reconstruction is as large as the input."""
    encoder = DenseEncoder([20, 2000], "relu", "relu")
    decoder = DenseDecoder([2000, 20], "relu")
    decoder.normalize_atoms()
    start_as_transpose(encoder, decoder)
    for layer in (encoder.layers[0], decoder.layers[0]):
        nn.init.zeros_(layer.bias)
    x = torch.randn(200, 20)
    output = decoder(encoder(x)).detach()
    assert_allclose((output * x).sum() / x.square().sum(), 1, rtol=0.1)
    # Tied weights stay as they are.
    before = encoder.layers[0].weight.detach().clone()
    start_as_transpose(encoder, DenseDecoder([2000, 20], "relu", encoder))
    assert torch.equal(encoder.layers[0].weight, before)


def test_build_the_built_in_parts():
    module = built(8, 5, hidden_layer_sizes=(7, 6), activation="tanh")
    assert shapes(module.encoder) == [(7, 8), (6, 7), (5, 6)]
    assert shapes(module.decoder) == [(5, 6), (6, 7), (7, 8)]
    assert module.encoder.activation == module.encoder.hidden_activation == "tanh"
    assert module.decoder.hidden_activation == "tanh"
    x = torch.randn(4, 8)
    output, codes = module(x)
    assert torch.equal(codes, module.encoder(x))
    assert torch.equal(output, module.decoder(codes))
    assert not set(module.encoder.parameters()) & set(module.decoder.parameters())
    # Beside a part of the user's.
    module = built(8, 5, encoder=nn.Linear(8, 5), hidden_layer_sizes=(7,))
    assert shapes(module.decoder) == [(5, 7), (7, 8)]
    module = built(8, 5, decoder=nn.Linear(5, 8), hidden_layer_sizes=(7,))
    assert shapes(module.encoder) == [(7, 8), (5, 7)]


def test_build_tied_and_topk_with_relu_in_hidden_layers():
    topk, params = TopK(k=2), {"hidden_layer_sizes": (7,), "tied_weights": True}
    module = built(8, 5, activation=topk, **params)
    for layer, atoms in zip(module.encoder.layers, reversed(module.decoder.layers), strict=True):
        assert layer.weight is atoms.weight
        assert layer.bias is not atoms.bias
    assert len(list(module.parameters())) == 6
    assert module.encoder.hidden_activation == module.decoder.hidden_activation == "relu"
    assert module.encoder.activation.k == 2
    assert module.encoder.activation is not topk


def test_build_copies_modules_together():
    layer = nn.Linear(8, 5)
    encoder, decoder = nn.Sequential(layer, nn.ReLU()), nn.Sequential(nn.Linear(5, 8))
    decoder.add_module("unused", layer)
    module = built(8, 5, encoder=encoder, decoder=decoder)
    assert module.encoder is not encoder
    assert module.encoder[0] is module.decoder.unused
    assert module.encoder[0] is not layer
    assert torch.equal(module.encoder[0].weight, layer.weight)
    with torch.no_grad():
        module.encoder[0].weight.zero_()
    assert layer.weight.abs().max() > 0


def test_build_tells_a_module_from_a_callable():
    """A module is callable too, but it is not called with two widths."""

    class Transposing(nn.Linear):
        def __init__(self, n_features_in, n_components):
            super().__init__(n_components, n_features_in)

    module = built(8, 5, encoder=nn.Linear(8, 5), decoder=Transposing)
    assert isinstance(module.encoder, nn.Linear)
    assert module.decoder.in_features == 5
    with pytest.raises(TypeError, match=r"(?s)encoder=.*torch\.nn\.Module.*\(8, 5\).*got int"):
        built(8, 5, encoder=lambda n_features, n_components: n_features)
