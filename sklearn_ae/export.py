"""Trained networks as bare torch modules and as ONNX, the scaler in front included."""

from __future__ import annotations

import copy
import logging
import warnings
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sklearn_ae._compute._portable import Weight
from sklearn_ae._estimators._autoencoder import Autoencoder
from sklearn_ae._estimators._classifier import AutoencoderClassifier
from sklearn_ae._estimators._denoising import DenoisingAutoencoder
from sklearn_ae._estimators._dropout import DropoutAutoencoder
from sklearn_ae._estimators._inner import thawed
from sklearn_ae._estimators._native import NativeColumns
from sklearn_ae._estimators._patches import PatchFeatures
from sklearn_ae._estimators._regressor import AutoencoderRegressor
from sklearn_ae._estimators._sparse import SparseAutoencoder
from sklearn_ae._estimators._tables import TableFeatures
from sklearn_ae._estimators._vectorizer import NormalScores, TableVectorizer
from sklearn_ae._estimators._vote import FewLabelFolds, LikelihoodVote, log_likelihood
from sklearn_ae._training._recipe import Recipe, SupervisedRecipe
from sklearn_ae._training._trained import Trained
from sklearn_ae.augmentations import ShiftAndFlip
from sklearn_ae.corruptions import (
    Gaps,
    GaussianNoise,
    Masking,
    RegionBlanking,
    SaltAndPepper,
    SwapNoise,
)
from sklearn_ae.modules import ConvEncoder, TopK
from sklearn_ae.modules._architecture import Architecture
from sklearn_ae.modules._patch import PatchArchitecture
from sklearn_ae.modules._supervised import FineTunedArchitecture
from sklearn_ae.penalties import L1, L2, KLDivergence
from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit, UnlabeledOnly
from sklearn_ae.semi_supervised._scorer import LabeledScorer

__all__ = ["SKOPS_TRUSTED", "to_onnx", "to_torch"]

_ESTIMATORS = (
    Autoencoder, SparseAutoencoder, DropoutAutoencoder, DenoisingAutoencoder, PatchFeatures,
    TableFeatures, TableVectorizer, NormalScores, NativeColumns, AutoencoderClassifier,
    AutoencoderRegressor, LabeledOnly, UnlabeledOnly, SemiSupervisedSplit, LabeledScorer,
    LikelihoodVote, FewLabelFolds, log_likelihood,
)  # fmt: skip
_PARTS = (
    Gaps, GaussianNoise, Masking, RegionBlanking, SaltAndPepper, SwapNoise, KLDivergence, L1, L2,
    ConvEncoder, TopK, ShiftAndFlip,
)  # fmt: skip
_STATE = (Architecture, FineTunedArchitecture, PatchArchitecture, Recipe, SupervisedRecipe, Trained)

# The types of this package that a file of skops may hold, to be passed as ``trusted``.
SKOPS_TRUSTED = tuple(
    sorted(f"{t.__module__}.{t.__qualname__}" for t in (*_ESTIMATORS, *_PARTS, *_STATE, Weight))
)

_SCALERS = (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler)
_HEADS = (AutoencoderClassifier, AutoencoderRegressor)


def to_torch(estimator, part="encoder"):
    """Return a trained network as a module of torch that needs nothing else.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted autoencoder, PatchFeatures, AutoencoderClassifier or Regressor; or a pipeline of
        scalers (StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler) that ends with one. A
        scaler stays a step of its own in float64 around the network: multiplied into float32
        weights it would lose digits where a column's mean is large.

    part : {"encoder", "autoencoder", "model"}, default="encoder"
        ``"encoder"`` gives what ``transform`` gives (of a fine-tuned estimator the codes of its
        fine-tuned encoder), ``"autoencoder"`` what ``reconstruct`` gives, in the units of the
        scaler's input, and ``"model"`` what ``predict_proba`` of an AutoencoderClassifier or
        ``predict`` of an AutoencoderRegressor gives.

    Returns
    -------
    module : torch.nn.Module
        A copy on the CPU, in evaluation mode, from a tensor of shape (n_rows, n_features) to one of
        n_rows rows. Behind a scaler it computes in float64 up to the network; give it float64.

    Raises
    ------
    TypeError
        If a step can't be part of the module.

    ValueError
        If the estimator does not have that part.

    See Also
    --------
    to_onnx : Writes the same as ONNX.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ae import SparseAutoencoder, to_torch
    >>> X = load_digits().data
    >>> pipe = make_pipeline(StandardScaler(), SparseAutoencoder(32, max_epochs=2)).fit(X)
    >>> to_torch(pipe)(torch.from_numpy(X)).shape
    torch.Size([1797, 32])
    """
    *scalers, last = _steps(estimator)
    check_is_fitted(last)
    network = _network(last, part)
    affine = [_Affine(scaler) for scaler in scalers]
    module = _Exported(affine, network, last._trained.dtype, inverse=part == "autoencoder")
    return copy.deepcopy(module).cpu().eval()


def to_onnx(estimator, path, part="encoder"):
    """Write a trained network as ONNX, for any number of rows.

    Parameters
    ----------
    estimator : estimator or Pipeline
        As for :func:`to_torch`.

    path : str or path-like
        Where to. The input is named ``X``, of float64 behind a scaler and else of the type of the
        codes, the output ``output``.

    part : {"encoder", "autoencoder", "model"}, default="encoder"
        As for :func:`to_torch`.

    Raises
    ------
    ImportError
        If ``onnx`` or ``onnxscript`` is not installed: ``pip install sklearn-ae[onnx]``.

    See Also
    --------
    to_torch : Gives the module that is exported.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ae import SparseAutoencoder, to_onnx
    >>> ae = SparseAutoencoder(32, max_epochs=2).fit(load_digits().data / 16)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_onnx(ae, f"{folder}/codes.onnx")
    """
    module = to_torch(estimator, part)
    n_features = _steps(estimator)[-1].n_features_in_
    dtype = torch.float64 if module.affine else module.dtype
    example = torch.zeros(2, n_features, dtype=dtype, device="cpu")
    with warnings.catch_warnings(), _quiet("torch.onnx"):
        # What the exporter of torch says of its own code.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (example,),
            str(path),
            input_names=["X"],
            output_names=["output"],
            dynamic_shapes=({0: torch.export.Dim("n_rows", min=1)},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )


@contextmanager
def _quiet(name):
    """Let a logger speak of errors only: torch tells of every package that it could use."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _steps(estimator):
    steps = (
        [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else [estimator]
    )
    steps = [thawed(step) for step in steps if step is not None and step != "passthrough"]
    if not isinstance(steps[-1], (Autoencoder, PatchFeatures, *_HEADS)):
        hint = " Of a pipeline give the part up to that, pipe[:-1]." if len(steps) > 1 else ""
        raise TypeError(
            "The last step must be an autoencoder, PatchFeatures, AutoencoderClassifier or "
            f"AutoencoderRegressor, got {steps[-1]!r}.{hint}"
        )
    for step in steps[:-1]:
        if not isinstance(step, _SCALERS):
            raise TypeError(
                f"The step {step!r} can't be part of the module: only "
                f"{', '.join(scaler.__name__ for scaler in _SCALERS)} can, in front of the "
                "network. Apply it by itself."
            )
    return steps


def _network(estimator, part):
    if part == "encoder" and isinstance(estimator, Autoencoder):
        return _Codes(estimator)
    if part == "encoder" and isinstance(estimator, PatchFeatures):
        return estimator._trained.module
    if part == "encoder":
        return estimator._trained.module.encoder
    if part == "autoencoder" and isinstance(estimator, Autoencoder):
        return _Reconstruction(estimator)
    if part == "model" and isinstance(estimator, _HEADS):
        return _Model(estimator)
    raise ValueError(
        f"part={part!r} is not a part of {type(estimator).__name__}: 'encoder' always is, "
        "'autoencoder' of autoencoders, 'model' of AutoencoderClassifier and AutoencoderRegressor."
    )


class _Exported(nn.Module):
    """Scalers, network, and for a reconstruction the scalers backward."""

    def __init__(self, affine, network, dtype, inverse):
        super().__init__()
        self.affine = nn.ModuleList(affine)
        self.network = network
        self.dtype = dtype
        self.inverse = inverse

    def forward(self, x):
        for step in self.affine:
            x = step(x)
        output = self.network(x.to(self.dtype))
        if self.inverse:
            for step in reversed(self.affine):
                output = step.backward(output)
        return output


class _Affine(nn.Module):
    """``(x - shift) * factor + offset`` in float64, clipped if the scaler clips."""

    def __init__(self, scaler):
        super().__init__()
        check_is_fitted(scaler)
        n_features = scaler.n_features_in_
        shift, factor, offset = np.zeros(n_features), np.ones(n_features), np.zeros(n_features)
        self.limits = None
        if getattr(scaler, "clip", False):
            self.limits = getattr(scaler, "feature_range", (-1, 1))
        if isinstance(scaler, MinMaxScaler):
            factor, offset = scaler.scale_, scaler.min_
        else:
            center = getattr(scaler, "mean_", None)
            center = getattr(scaler, "center_", center)
            # What scikit-learn reads at transform, not at fit.
            flags = scaler.get_params()
            if center is not None and flags.get("with_mean", flags.get("with_centering", True)):
                shift = center
            if scaler.scale_ is not None and flags.get("with_std", flags.get("with_scaling", True)):
                factor = 1 / scaler.scale_
        for name, value in {"shift": shift, "factor": factor, "offset": offset}.items():
            self.register_buffer(name, torch.tensor(value, dtype=torch.float64, device="cpu"))

    def forward(self, x):
        x = (x.double() - self.shift) * self.factor + self.offset
        return x if self.limits is None else x.clamp(*self.limits)

    def backward(self, x):
        return (x.double() - self.offset) / self.factor + self.shift


class _Codes(nn.Module):
    def __init__(self, estimator):
        super().__init__()
        self.encoder = estimator._trained.module.encoder
        self.gives_all = estimator._trained.architecture.gives_all

    def forward(self, x):
        return self.encoder.all_codes(x) if self.gives_all else self.encoder(x)


class _Reconstruction(nn.Module):
    def __init__(self, estimator):
        super().__init__()
        self.module = estimator._trained.module
        self.recipe = estimator._trained.recipe

    def forward(self, x):
        return self.recipe.in_units_of_X(self.module(x)[0])


class _Model(nn.Module):
    """Probabilities, or values in the units of y."""

    def __init__(self, estimator):
        super().__init__()
        self.module = estimator._trained.module
        self.classifies = isinstance(estimator, AutoencoderClassifier)
        if not self.classifies:
            self.flat = estimator._target_ndim == 1
            for name in ("mean", "scale"):
                value = getattr(estimator, f"_target_{name}")
                self.register_buffer(name, torch.tensor(value, device="cpu"))

    def forward(self, x):
        output, _, _ = self.module(x)
        if self.classifies:
            return torch.softmax(output, dim=1)
        output = output.double() * self.scale + self.mean
        return output[:, 0] if self.flat else output
