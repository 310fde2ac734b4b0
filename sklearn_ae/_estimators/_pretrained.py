"""What fine-tuning takes from an autoencoder, or from several on top of each other."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._estimators._autoencoder import Autoencoder
from sklearn_ae._estimators._denoising import DenoisingAutoencoder
from sklearn_ae._estimators._inner import cloned, thawed
from sklearn_ae._estimators._patches import PatchFeatures
from sklearn_ae._sklearn._callbacks import fit_as_task


@dataclass(frozen=True)
class Pretrained:
    """Networks to fine-tune, one on top of the other: of what, how and where they were trained.

    A stage is an architecture, or a module of the user's, of which there is no recipe.
    """

    stages: tuple[Any, ...]
    modules: tuple[Any, ...]
    recipes: tuple[Any, ...] = ()
    device: str = "auto"

    @property
    def precision(self):
        """How the last was trained."""
        return self.recipes[-1].precision if self.recipes else "float32"

    @property
    def logits(self):
        """Whether the decoder of each stage gives logits."""
        return tuple(recipe.gives_logits for recipe in self.recipes) or (False,)

    def objective(self, keep_corruption):
        """Return the fields of a recipe that say what is reconstructed, and from what."""
        if not self.recipes:
            return {"penalty": None, "corruption": None}
        first, last = self.recipes[0], self.recipes[-1]
        return {
            "loss": first.loss,
            "penalty": last.penalty,
            "alpha": last.alpha,
            "corruption": first.corruption,
            "corruption_level": first.corruption_level if keep_corruption else 0.0,
            "dropout": last.dropout if keep_corruption else 0.0,
        }

    def copies(self):
        """Copy the networks, together, so that what they share stays shared."""
        return copy.deepcopy(self.modules)


def pretrained_module(encoder):
    """Describe a module of the user's."""
    return Pretrained((encoder,), (encoder,))


def pretrained_by(owner, X, random_state, context):
    """Train the owner's autoencoder on all rows, or only build it; return it with its networks."""
    given = DenoisingAutoencoder() if owner.autoencoder is None else owner.autoencoder
    autoencoder = cloned(given, owner, random_state, (Autoencoder, PatchFeatures, Pipeline))
    steps = _steps(autoencoder, owner)
    _check_parts(owner, [thawed(step) for step in steps])
    trains = not isinstance(autoencoder, FrozenEstimator)
    if trains and owner.pretrain:
        fit_as_task(context, owner, autoencoder, X, name="pretrain")
    elif trains:
        _initialize(steps, X)
    trained = [thawed(step)._trained for step in steps]
    return autoencoder, Pretrained(
        stages=tuple(t.architecture for t in trained),
        modules=tuple(t.module for t in trained),
        recipes=tuple(t.recipe for t in trained),
        device=str(trained[-1].usable_device),
    )


def _initialize(steps, X):
    """Build the networks without training them."""
    for number, step in enumerate(steps):
        if not isinstance(step, FrozenEstimator):
            step._initialize(X)
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
    for below, step in pairwise(steps):
        width = getattr(thawed(below), "n_components", None)
        if isinstance(step, FrozenEstimator) and width is not None:
            check_is_fitted(step)
            if step.n_features_in_ != width:
                raise ValueError(
                    f"The frozen step {step.estimator!r} was fitted on {step.n_features_in_} "
                    f"features, but the step below it gives {width}."
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
