"""The vote of trees on the columns of a table and of linear models on its codes and columns."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae._estimators._native import NativeColumns
from sklearn_ae._estimators._tables import TableFeatures
from sklearn_ae._sklearn._compat import HasMethods, MissingValues, validate_params
from sklearn_ae.semi_supervised import LabeledOnly

# How much a likelihood counts that is lower by one nat a row.
_SHARPNESS = 10
# The probability that a label has at least, where it is scored.
_LEAST = 1e-3


@validate_params(
    {
        "trees": [HasMethods(["fit", "predict"])],
        "features": [HasMethods(["fit", "transform"]), None],
        "linear": [HasMethods(["fit", "predict"]), None],
        "columns": ["boolean"],
        "weights": ["array-like", None],
        "unlabeled": [MissingValues()],
    },
    prefer_skip_nested_validation=True,
)
def make_table_vote(
    trees, features=None, *, linear=None, columns=True, weights=None, unlabeled="auto"
):
    """Make the vote of trees on a table and of linear models on its codes and on its columns.

    With few labels each makes errors of its own, and the mean of their probabilities makes fewer.
    In front of the trees themselves codes mostly lose. Codes, scales and categories are learned
    from all rows, the three models from the labeled ones. Of the two linear models of a classifier
    the one that foresees labeled rows held out worse counts less, by the exponential of ten times
    the difference of their mean log-likelihoods.

    Parameters
    ----------
    trees : classifier or regressor
        What is fitted on the columns as they are, such as ``XGBClassifier()``, which gets
        ``enable_categorical=True``, or ``HistGradientBoostingClassifier()``. With a classifier the
        members' probabilities are averaged, with a regressor their predictions.

    features : transformer, default=None
        What makes codes of a table; None is ``TableFeatures()``. ``TableFeatures(random_state=0)``
        gives the same ones each time.

    linear : estimator, default=None
        What is fitted on standardized codes and on standardized columns; None is
        ``LogisticRegression()`` or, with a regressor, ``Ridge()``, whose strength is chosen by
        cross-validation on the labeled rows.

    columns : bool, default=True
        Whether a linear model on the columns votes too. They are scaled and encoded as by
        ``TableFeatures("passthrough")``.

    weights : array-like of float or None, default=None
        The weights of the members: trees, codes, columns, beside what is said above. None weights
        them alike.

    unlabeled : "auto", int, float, str, NaN, `pandas.NA` or None, default="auto"
        What `y` holds where there is no label, as for
        :class:`~sklearn_ae.semi_supervised.LabeledOnly`.

    Returns
    -------
    vote : Pipeline
        A :class:`~sklearn.compose.ColumnTransformer` named ``features``, of ``native``, ``codes``
        and ``columns``, each of all columns, and behind it a
        :class:`~sklearn_ae.semi_supervised.LabeledOnly` named ``vote`` around a soft
        :class:`~sklearn.ensemble.VotingClassifier` or a
        :class:`~sklearn.ensemble.VotingRegressor` of ``trees``, ``codes`` and ``columns``,
        pipelines whose last steps are named ``model``.

    Raises
    ------
    TypeError
        If `trees` is neither classifier nor regressor, or a classifier without `predict_proba`, or
        `linear` beside a classifier is.
    ValueError
        In :term:`fit`, if the labeled rows are of one class.

    See Also
    --------
    TableFeatures : What makes the codes.
    NativeColumns : What the trees get.
    sklearn_ae.semi_supervised.compare : Tells whether it pays on a table of your own.

    Notes
    -----
    Every part can be searched by its name, such as
    ``vote__estimator__trees__model__max_depth``, ``vote__estimator__weights`` and, for
    ``TableFeatures(DenoisingAutoencoder())`` as `features`,
    ``features__codes__autoencoder__n_components``. Without codes it is
    ``vote.set_params(features__codes="drop", vote__estimator__codes="drop")``. A search takes
    ``cv=SemiSupervisedSplit(...)``; other splits score rows without a label. The members take no
    ``sample_weight``: give their models a ``class_weight``. It needs pandas.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.ensemble import HistGradientBoostingClassifier
    >>> from sklearn_ae import DenoisingAutoencoder, TableFeatures, make_table_vote
    >>> rng = np.random.RandomState(0)
    >>> rooms = rng.randint(1, 6, 300)
    >>> city = np.where(rng.rand(300) < rooms / 6, "Oslo", "Rome")
    >>> X = pd.DataFrame({"city": city, "rooms": rooms})
    >>> y = np.where(np.arange(300) < 100, np.where(rooms > 2, "large", "small"), None)
    >>> codes = TableFeatures(DenoisingAutoencoder(8, max_epochs=5), random_state=0)
    >>> vote = make_table_vote(HistGradientBoostingClassifier(), codes).fit(X, y)
    >>> vote.predict(X.iloc[:3])
    array(['large', 'small', 'large'], dtype=object)
    """
    classifies = is_classifier(trees)
    if not (classifies or is_regressor(trees)):
        raise TypeError(f"trees={trees!r} must be a classifier or a regressor.")
    for name, model in (("trees", trees), ("linear", linear)):
        if classifies and model is not None and not hasattr(model, "predict_proba"):
            raise TypeError(f"{name}={model!r} must have predict_proba, which the vote averages.")
    takes = [
        name
        for name, value in trees.get_params().items()
        if name.rpartition("__")[2] == "enable_categorical" and not value
    ]
    trees = clone(trees).set_params(**dict.fromkeys(takes, True))
    if linear is None:
        linear = _tuned_logistic() if classifies else RidgeCV(np.logspace(-2, 6, 17))
    # A file of skops holds no FeatureUnion of frames.
    every = slice(0, None)
    parts = [
        ("native", NativeColumns(), every),
        ("codes", TableFeatures() if features is None else features, every),
    ]
    voters = [
        ("trees", Pipeline([("columns", _only("native")), ("model", trees)])),
        ("codes", _scaled("codes", linear)),
    ]
    if columns:
        parts.append(("columns", TableFeatures("passthrough"), every))
        voters.append(("columns", _scaled("columns", clone(linear))))
    vote = (
        LikelihoodVote(voters, voting="soft", weights=weights)
        if classifies
        else VotingRegressor(voters, weights=weights)
    )
    return Pipeline(
        [
            # A frame, so that each voter finds its part by the names.
            ("features", ColumnTransformer(parts).set_output(transform="pandas")),
            ("vote", LabeledOnly(vote, unlabeled=unlabeled)),
        ]
    )


class LikelihoodVote(VotingClassifier):
    """A soft vote in which linear models that foresee rows held out worse count less.

    Each of those whose strength was chosen by :func:`log_likelihood` is weighted by the exponential
    of ten times what that falls short of the best one's. On most tables they hardly differ; where
    codes lose what the columns tell, or the other way round, one of them drops out.
    """

    def fit(self, X, y, **fit_params):
        """Fit the members.

        Parameters
        ----------
        X : {array-like, dataframe} of shape (n_samples, n_features)
            Labeled rows.

        y : array-like of shape (n_samples,)
            Their labels.

        **fit_params : dict
            Parameters of the members' `fit`.

        Returns
        -------
        self : LikelihoodVote
            The fitted vote.

        Raises
        ------
        ValueError
            If y holds one class only.
        """
        if len(np.unique(y)) < 2:
            raise ValueError("The labeled rows of y are all of one class; a vote needs two.")
        return super().fit(X, y, **fit_params)

    @property
    def _weights_not_none(self):
        return likelihood_weights(self.estimators_, super()._weights_not_none)


def likelihood_weights(members, weights=None):
    """Return the weights of the fitted members of a vote."""
    weights = np.ones(len(members)) if weights is None else np.array(weights, dtype=float)
    ends = [getattr(member, "steps", [(None, member)])[-1][1] for member in members]
    known = [getattr(end, "scoring", None) is log_likelihood for end in ends]
    if any(known):
        likelihood = np.array([end.best_score_ for end in np.compress(known, ends)])
        weights[known] *= np.exp(_SHARPNESS * (likelihood - likelihood.max()))
    return weights


def _tuned_logistic():
    """Make a logistic regression whose strength is chosen by the likelihood of rows held out."""
    return GridSearchCV(
        LogisticRegression(max_iter=1000),
        {"C": np.logspace(-3, 0, 7)},
        scoring=log_likelihood,
        cv=FewLabelFolds(),
    )


class FewLabelFolds(BaseEstimator):
    """Five folds, stratified where a class has a label for each, without a word on the others.

    Those that leave one class to train on are left out. If all do, one is all rows.
    """

    def split(self, X, y, groups=None):
        """Return the indices of each training and test part."""
        n_folds = min(5, len(y))
        stratifies = np.unique(y, return_counts=True)[1].max() >= n_folds
        kind = StratifiedKFold if stratifies else KFold
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            parts = [*kind(n_folds, shuffle=True, random_state=0).split(X, y)]
        every = np.arange(len(y))
        parts = [part for part in parts if len(np.unique(np.asarray(y)[part[0]])) > 1]
        return iter(parts or [(every, every)])

    def get_n_splits(self, X=None, y=None, groups=None):
        """Count the folds."""
        return 5 if y is None else len([*self.split(X, y)])


def log_likelihood(estimator, X, y):
    """Return the mean log-probability of labels, of 0.001 at least, and for those not learned."""
    proba = np.column_stack([estimator.predict_proba(X), np.zeros(len(y))])
    column = {label: k for k, label in enumerate(estimator.classes_.tolist())}
    places = [column.get(label, -1) for label in np.asarray(y).tolist()]
    return float(np.log(proba[np.arange(len(y)), places].clip(_LEAST)).mean())


def _only(part):
    """Make the step that leaves the columns of one part of the union."""
    chosen = make_column_selector(f"^{part}__")
    return ColumnTransformer(
        [(part, "passthrough", chosen)], verbose_feature_names_out=False
    ).set_output(transform="pandas")


def _scaled(part, model):
    return Pipeline([("columns", _only(part)), ("scale", StandardScaler()), ("model", model)])
