"""Features of images from the patches that they are made of."""

from __future__ import annotations

import math
import os
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.random import sample_without_replacement
from sklearn.utils.validation import check_is_fitted

from sklearn_ae._compute._dask import DaskRows, lazily
from sklearn_ae._compute._rows import as_tensor
from sklearn_ae._estimators._base import PortableMixin, fitting
from sklearn_ae._estimators._inner import (
    check_frozen,
    cloned_of,
    dtype_of_inner,
    fit_around,
    thawed,
)
from sklearn_ae._estimators._sparse import SparseAutoencoder
from sklearn_ae._sklearn._checks import check_data, is_dask
from sklearn_ae._sklearn._compat import (
    HasMethods,
    Interval,
    StrOptions,
    check_feature_names_in,
    fit_context,
)
from sklearn_ae._sklearn._image_shape import check_image_shape, check_pair
from sklearn_ae._sklearn._warnings import warn
from sklearn_ae.modules._conv import cell_names
from sklearn_ae.modules._patch import PatchArchitecture, map_size, normalize_contrast


def _default():
    return SparseAutoencoder(256, alpha=0.5, batch_size=512, learning_rate=3e-3, max_epochs=20)


class PatchFeatures(PortableMixin, TransformerMixin, BaseEstimator):
    r"""Features of images: what an autoencoder of small patches finds, pooled over regions.

    Patches at random places are normalized in contrast and whitened, and an autoencoder learns from
    them. To transform an image, the patch at every position is encoded, and the codes are averaged
    over a grid of regions. An autoencoder of whole images has to learn each edge anew at each
    place; this one learns it once.

    Parameters
    ----------
    image_shape : tuple of int
        Shape of an image, ``(height, width)`` or ``(height, width, n_channels)``, in the order in
        which its entries lie in a row of X.

    autoencoder : Autoencoder or one of its variants, default=None
        The autoencoder that is cloned and fitted on the patches; None is ``SparseAutoencoder(256,
        alpha=0.5, batch_size=512, learning_rate=3e-3, max_epochs=20)``, which suits the scale and
        the number of whitened patches; a grid over ``autoencoder__...`` needs one to be given. A
        fitted one in a :class:`~sklearn.frozen.FrozenEstimator`
        is used as it is.

    patch_size : int or tuple of int, default=6
        Height and width of a patch, in pixels.

    stride : int, default=1
        Pixels from one position to the next in :meth:`transform`. The time of a transform falls
        with its square.

    n_patches : int, default=200_000
        Patches to learn from, drawn without replacement; all of them if there are fewer.

    contrast_epsilon : float, default=1.5e-4
        Added to the variance of a patch before its values are divided by the standard deviation, so
        that noise in flat patches is not blown up. In units of X squared: the default is for pixels
        in [0, 1]; pixels in [0, 255] want 10.

    whiten : bool, default=True
        Whether patches are whitened (ZCA): neighboring pixels are decorrelated, so that codes stand
        for edges rather than for brightness.

    zca_epsilon : float, default=0.1
        Added to the variances along the principal axes of the normalized patches when whitening.

    pool : int or tuple of int, default=(3, 3)
        Rows and columns of the grid of regions.

    pooling : {"mean", "max"}, default="mean"
        What is kept of a unit's codes in a region.

    encoding : {"threshold", "codes"}, default="threshold"
        How a patch is encoded. ``"codes"`` takes the codes of the autoencoder as they are.
        ``"threshold"`` lets the units of a position compete: of the pre-activations, what exceeds
        their mean over the units by ``threshold`` standard deviations. It does better than the
        codes that were trained, as simple encodings often do [2]_, and needs a built-in encoder.

    threshold : float, default=1.0
        In standard deviations of the pre-activations at a position. Unused under
        ``encoding="codes"``.

    memory : str, path, joblib.Memory or None, default=None
        The ``memory`` of the autoencoder, where fits are kept; None leaves it its own.

    verbose : int, default=0
        0 is silent, 1 prints a line an epoch of the autoencoder.

    random_state : int, RandomState instance or None, default=None
        Seed of the choice of patches, and of the autoencoder if its own ``random_state`` is None.

    Attributes
    ----------
    autoencoder_ : estimator
        The fitted autoencoder of patches, whose rows are whitened patches of
        ``patch_height * patch_width * n_channels`` values.

    mean_ : ndarray of shape (n_values,)
        Mean of the normalized patches.

    whitening_ : ndarray of shape (n_values, n_values)
        The matrix that normalized and centered patches are multiplied by.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`, if they are all strings.

    See Also
    --------
    SparseAutoencoder : The autoencoder inside by default.
    sklearn_ae.modules.ConvEncoder : A convolutional encoder, trained on whole images.
    sklearn.feature_extraction.image.PatchExtractor : Only cuts patches out.

    Notes
    -----
    With a patch :math:`p`, its mean :math:`m` and variance :math:`v`, the whitening
    :math:`Z = V(\Lambda + \epsilon_z I)^{-1/2}V^T` from the covariance :math:`V \Lambda V^T`, and
    the weights :math:`W, b` of the encoder, the pre-activations are

    .. math:: a = W Z \left(\frac{p - m}{\sqrt{v + \epsilon_c}} - \mu\right) + b

    and the thresholded codes
    :math:`\max(0, a_k - \operatorname{mean}(a) - t \operatorname{std}(a))`, the mean and the
    standard deviation over the units of one position.

    Memory is bounded in :meth:`transform`, whatever the number of rows: at least 16 images are in
    work at a time. Parameters that are changed after :term:`fit` act in the next fit.

    References
    ----------
    .. [1] Coates, A., Lee, H. & Ng, A. (2011). An analysis of single-layer networks in unsupervised
       feature learning. AISTATS.
    .. [2] Coates, A. & Ng, A. (2011). The importance of encoding versus training with sparse coding
       and vector quantization. ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.preprocessing import minmax_scale
    >>> from sklearn_ae import PatchFeatures, SparseAutoencoder
    >>> X = minmax_scale(load_digits().data)
    >>> sparse = SparseAutoencoder(n_components=64, max_epochs=5)
    >>> patches = PatchFeatures(
    ...     (8, 8), sparse, patch_size=3, pool=(2, 2), n_patches=5000, random_state=0
    ... )
    >>> patches.fit_transform(X).shape
    (1797, 256)
    >>> patches.get_feature_names_out()[-1]
    'patchfeatures_r1c1_63'
    """

    _parameter_constraints: dict = {
        "image_shape": [tuple, list],
        "autoencoder": [HasMethods(["fit", "transform"]), None],
        "patch_size": [Interval(Integral, 1, None, closed="left"), tuple, list],
        "stride": [Interval(Integral, 1, None, closed="left")],
        "n_patches": [Interval(Integral, 2, None, closed="left")],
        "contrast_epsilon": [Interval(Real, 0, np.inf, closed="neither")],
        "whiten": ["boolean"],
        "zca_epsilon": [Interval(Real, 0, np.inf, closed="neither")],
        "pool": [Interval(Integral, 1, None, closed="left"), tuple, list],
        "pooling": [StrOptions({"max", "mean"})],
        "encoding": [StrOptions({"codes", "threshold"})],
        "threshold": [Interval(Real, -np.inf, np.inf, closed="neither")],
        "memory": [str, os.PathLike, HasMethods(["cache"]), None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        image_shape,
        autoencoder=None,
        *,
        patch_size=6,
        stride=1,
        n_patches=200_000,
        contrast_epsilon=1.5e-4,
        whiten=True,
        zca_epsilon=0.1,
        pool=(3, 3),
        pooling="mean",
        encoding="threshold",
        threshold=1.0,
        memory=None,
        verbose=0,
        random_state=None,
    ):
        self.image_shape = image_shape
        self.autoencoder = autoencoder
        self.patch_size = patch_size
        self.stride = stride
        self.n_patches = n_patches
        self.contrast_epsilon = contrast_epsilon
        self.whiten = whiten
        self.zca_epsilon = zca_epsilon
        self.pool = pool
        self.pooling = pooling
        self.encoding = encoding
        self.threshold = threshold
        self.memory = memory
        self.verbose = verbose
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Learn from patches of the images.

        Parameters
        ----------
        X : {array-like, torch.Tensor, dask array} of shape (n_samples, n_features)
            The images, one a row. Of a dask array those are held in memory that have a patch.

        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If shapes do not fit: of the images, of the patches in them, of the regions.

        Warns
        -----
        UserWarning
            If there are fewer patches than values in a patch.
        """
        return fit_around(self, X, y)

    def transform(self, X):
        """Encode the patches of each image and pool their codes.

        Parameters
        ----------
        X : {array-like, torch.Tensor, dask array} of shape (n_samples, n_features)
            The images, one a row.

        Returns
        -------
        features : ndarray or dask array of shape (n_samples, n_regions * n_components)
            The features, region by region, row by row.
        """
        check_is_fitted(self)
        architecture, network = self._trained.architecture, self._trained.module
        X = check_data(
            self, X, dtype=architecture.dtype, reset=False, accept_sparse=False, accept_dask=True
        )
        if is_dask(X):
            return lazily(self, "transform", X)
        return self._trained.apply(network, X, (architecture.n_features_out,))

    def get_feature_names_out(self, input_features=None):
        """Get the names of the features, such as ``patchfeatures_r0c2_17``.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Only compared with the names seen in :term:`fit`.

        Returns
        -------
        feature_names_out : ndarray of str objects of shape (n_features_out,)
            Row and column of the region, number of the unit.
        """
        check_is_fitted(self)
        check_feature_names_in(self, input_features, generate_names=False)
        architecture = self._trained.architecture
        names = cell_names(architecture.pool, architecture.autoencoder.n_components)
        return np.asarray([f"{type(self).__name__.lower()}{name}" for name in names], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = [dtype_of_inner(self.autoencoder)]
        return tags

    def _diagram(self):
        if not hasattr(self, "autoencoder_"):
            return None
        architecture = self._trained.architecture
        (height, width), (rows, columns) = architecture.patch_size, architecture.pool
        whitened = not np.array_equal(self.whitening_, np.eye(len(self.whitening_)))
        patches = f"patches: {height} x {width}{', whitened' if whitened else ''}"
        pooled = f"pooled: {rows} x {columns} regions → {architecture.n_features_out}"
        return [(patches, patches), thawed(self.autoencoder_), (pooled, pooled)]

    def _prepared(self, X):
        """Return a clone of the autoencoder and the whitened patches that it is to learn from."""
        rng = check_random_state(self.random_state)
        autoencoder = cloned_of(self, _default(), rng)
        self._check_inner(thawed(autoencoder))
        dtype = dtype_of_inner(autoencoder)
        X = check_data(self, X, dtype=dtype, reset=True, accept_sparse=False, accept_dask=True)
        shapes = self._checked_shapes(X.shape[1])
        patches = self._sampled(X, **shapes, rng=rng)
        check_frozen(autoencoder, patches)
        mean, whitening = self._whitening(patches)
        self.mean_, self.whitening_ = mean.astype(dtype), whitening.astype(dtype)
        return autoencoder, ((patches - mean) @ whitening).astype(dtype), shapes

    def _finish(self, autoencoder, shapes):
        """Keep a fitted autoencoder of patches, and the network that applies it to images."""
        self.autoencoder_, trained = autoencoder, thawed(autoencoder)._trained
        architecture = PatchArchitecture(
            trained.architecture,
            **shapes,
            stride=self.stride,
            contrast_epsilon=self.contrast_epsilon,
            pooling=self.pooling,
            threshold=self.threshold if self.encoding == "threshold" else None,
        )
        network = architecture.around(trained.module.encoder, self.mean_, self.whitening_)
        self._trained = trained.around(architecture, network)

    def _initialize(self, X):
        """Whiten patches as fit does, and do not train the autoencoder."""
        with fitting(self):
            self._validate_params()
            autoencoder, patches, shapes = self._prepared(X)
            autoencoder._initialize(patches)
            self._finish(autoencoder, shapes)
        return self

    def _check_inner(self, inner):
        if inner.features == "all":
            raise ValueError(
                "features='all' does not go with PatchFeatures, which encodes patches by the code. "
                "Use features='code'."
            )
        if self.encoding == "threshold" and inner.n_components == 1:
            raise ValueError(
                "encoding='threshold' compares the units of a position, of which n_components=1 "
                "leaves one. Use encoding='codes' or more components."
            )
        if self.encoding == "threshold" and inner.encoder is not None:
            raise ValueError(
                "encoding='threshold' needs the pre-activations of a built-in encoder. Use "
                "encoding='codes' for an autoencoder that is given an encoder."
            )

    def _checked_shapes(self, n_features):
        shape = check_image_shape(self, n_features)
        patch_size, pool = check_pair(self, "patch_size"), check_pair(self, "pool")
        if patch_size[0] > shape[0] or patch_size[1] > shape[1]:
            raise ValueError(
                f"patch_size={self.patch_size!r} is larger than an image of image_shape="
                f"{self.image_shape!r}."
            )
        positions = map_size(shape, patch_size, self.stride)
        if pool[0] > positions[0] or pool[1] > positions[1]:
            raise ValueError(
                f"pool={self.pool!r} is finer than the {positions[0]} x {positions[1]} positions "
                f"that patch_size={self.patch_size!r} and stride={self.stride} leave of "
                f"image_shape={self.image_shape!r}."
            )
        return {"shape": shape, "patch_size": patch_size, "pool": pool}

    def _sampled(self, X, shape, patch_size, pool, rng):
        """Draw patches, normalized in contrast."""
        positions = map_size(shape, patch_size, 1)
        n_all = X.shape[0] * math.prod(positions)
        n_patches = min(self.n_patches, n_all)
        index = sample_without_replacement(n_all, n_patches, random_state=rng)
        index = torch.from_numpy(np.sort(index))
        image = index // math.prod(positions)
        if is_dask(X):
            # The images that have any of the patches.
            used, image = image.unique(return_inverse=True)
            rows = DaskRows(X, dtype=getattr(torch, dtype_of_inner(self.autoencoder)))
            X, _ = next(rows.subset(used).batches(len(used), 1, None))
        images = X if isinstance(X, torch.Tensor) else as_tensor(X)
        images = images.reshape(-1, *shape)
        index, image = index.to(images.device), image.to(images.device)
        row, column = (
            index // positions[1] % positions[0],
            index % positions[1],
        )
        down, across = (torch.arange(size, device=images.device) for size in patch_size)
        patches = images[
            image[:, None, None],
            row[:, None, None] + down[:, None],
            column[:, None, None] + across,
        ].reshape(n_patches, -1)
        patches = patches.to(getattr(torch, dtype_of_inner(self.autoencoder)))
        if n_patches < patches.shape[1]:
            warn(
                f"{n_patches} patches of {patches.shape[1]} values each are too few to learn "
                f"from: zca_epsilon={self.zca_epsilon} alone decides along most axes. Give more "
                "images or a smaller patch_size."
            )
        return normalize_contrast(patches, self.contrast_epsilon).cpu().numpy()

    def _whitening(self, patches):
        if not self.whiten:
            n_values = patches.shape[1]
            return np.zeros(n_values), np.eye(n_values)
        mean = patches.mean(axis=0, dtype=np.float64)
        centered = patches - mean
        variances, axes = np.linalg.eigh(centered.T @ centered / len(patches))
        # Rounding may leave a variance of 0 slightly below it.
        scale = 1 / np.sqrt(np.maximum(variances, 0) + self.zca_epsilon)
        return mean, (axes * scale) @ axes.T
