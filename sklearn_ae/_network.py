"""What fine-tuning takes from an autoencoder, or from several on top of each other."""

from __future__ import annotations

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from torch import nn

from sklearn_ae._autoencoder import Autoencoder
from sklearn_ae._denoising import DenoisingAutoencoder
from sklearn_ae._engine._objective import Objective
from sklearn_ae._inner import check_frozen, cloned, thawed
from sklearn_ae._patches import PatchFeatures
from sklearn_ae._tasks import fit_as_task

__all__ = ["network_of_autoencoder", "network_of_encoder", "network_of_fitted"]


def network_of_encoder(encoder):
    """Describe a bare encoder as :func:`network_of_autoencoder` does.

    Parameters
    ----------
    encoder : torch.nn.Module
        The encoder.

    Returns
    -------
    network : dict
        Without decoder, objective and corruption.
    """
    return {
        "encoder": encoder,
        "decoder": None,
        "objective": None,
        "corruption": None,
        "corruption_level": 0.0,
        "dropout": 0.0,
        "unit_norm": False,
        "draws": True,
        "device": "auto",
        "precision": "float32",
        "n_widest": 1,
    }


def network_of_autoencoder(owner, X, random_state, context):
    """Train the owner's autoencoder on X, or only build it, and take it apart.

    Parameters
    ----------
    owner : AutoencoderClassifier or AutoencoderRegressor
        Whose parameters ``autoencoder``, ``pretrain``, ``reconstruction_weight`` and
        ``keep_corruption`` are used.

    X : {ndarray, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
        All rows.

    random_state : int, RandomState instance or None
        Seeds what has no seed.

    context : sklearn.callback.CallbackContext
        The task of the owner.

    Returns
    -------
    autoencoder : estimator
        The fitted clone.

    network : dict
        Encoder, decoder and objective, corruption and dropout, device and precision, and
        ``n_widest``, the entries of the widest array that one row makes.
    """
    given = DenoisingAutoencoder() if owner.autoencoder is None else owner.autoencoder
    autoencoder = cloned(given, owner, random_state, (Autoencoder, PatchFeatures, Pipeline))
    steps = _steps(autoencoder, owner)
    _check_parts(owner, [thawed(step) for step in steps])
    if isinstance(autoencoder, FrozenEstimator):
        check_frozen(autoencoder, X.shape[1])
    elif owner.pretrain:
        fit_as_task(context, owner, autoencoder, X, name="pretrain")
    else:
        _start(steps, X)
    return autoencoder, network_of_fitted(autoencoder)


def _start(steps, X):
    """Build the networks without training them."""
    for number, step in enumerate(steps):
        if not isinstance(step, FrozenEstimator):
            step._start(X)
        if number < len(steps) - 1:
            X = step.transform(X)


def _steps(autoencoder, owner):
    if not isinstance(thawed(autoencoder), Pipeline):
        return [autoencoder]
    steps = [step for _, step in thawed(autoencoder).steps]
    for step in steps:
        if not isinstance(thawed(step), Autoencoder | PatchFeatures):
            raise TypeError(
                f"The 'autoencoder' parameter of {type(owner).__name__} is a pipeline with a step "
                f"that is no autoencoder: {step!r}. Scale in a pipeline around "
                f"{type(owner).__name__} instead."
            )
    return steps


def _check_parts(owner, steps):
    if any(getattr(step, "features", "code") == "all" for step in steps):
        raise ValueError(
            "features='all' does not go with fine-tuning, which puts its head on the code. Use "
            "features='code'."
        )
    if not any(isinstance(step, PatchFeatures) for step in steps):
        return
    for name in ("reconstruction_weight", "keep_corruption"):
        if getattr(owner, name):
            raise ValueError(
                f"{name}={getattr(owner, name)!r} does not go with PatchFeatures, whose "
                "autoencoder reconstructs patches, not images. Use 0 or False."
            )


def network_of_fitted(autoencoder):
    """Take a fitted autoencoder apart.

    Parameters
    ----------
    autoencoder : Autoencoder, PatchFeatures or Pipeline of them
        The estimator, frozen or not.

    Returns
    -------
    network : dict
        As of :func:`network_of_autoencoder`.
    """
    autoencoder = thawed(autoencoder)
    is_pipeline = isinstance(autoencoder, Pipeline)
    steps = [step for _, step in autoencoder.steps] if is_pipeline else [autoencoder]
    steps = [thawed(step) for step in steps]
    nets = [
        thawed(step.autoencoder_).net_ if isinstance(step, PatchFeatures) else step.net_
        for step in steps
    ]
    encoders = [
        step._network() if isinstance(step, PatchFeatures) else net.module_.encoder
        for step, net in zip(steps, nets, strict=True)
    ]
    first, last = nets[0], nets[-1]
    # What the decoder of an upper one gives is codes of the one below it, not logits.
    decoders = [_decoder(net) for net in nets[:0:-1]] + [first.module_.decoder]
    inner = steps[-1]
    if isinstance(inner, PatchFeatures):
        inner = thawed(inner.autoencoder_)
    return {
        "encoder": encoders[0] if len(steps) == 1 else nn.Sequential(*encoders),
        "decoder": decoders[0] if len(steps) == 1 else nn.Sequential(*decoders),
        "objective": Objective(
            first.criterion_.loss, last.criterion_.penalty, last.criterion_.alpha
        ),
        "corruption": first.corruption,
        "corruption_level": first.corruption_level,
        "dropout": last.dropout,
        "unit_norm": len(nets) == 1 and first.unit_norm,
        "draws": any(_has_user_code(net) for net in nets),
        "device": inner.device,
        "precision": inner.precision,
        "n_widest": max(
            step._n_widest if isinstance(step, PatchFeatures) else step._widest for step in steps
        ),
    }


def _decoder(net):
    decoder = net.module_.decoder
    logits = net.criterion_.loss == "binary_cross_entropy"
    return nn.Sequential(decoder, nn.Sigmoid()) if logits else decoder


def _has_user_code(net):
    """Tell whether a part of a net may draw from torch's global generators."""
    return net.global_states_ is not None
