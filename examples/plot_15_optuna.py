"""
Tuning by Optuna
================

A grid of values worth searching is a dict of lists, which GridSearchCV and HalvingGridSearchCV take
as it is. Optuna draws from the same lists and spends its trials where the score of the whole
pipeline is high.
"""

import matplotlib.pyplot as plt
import numpy as np
import optuna
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from sklearn_ae import SparseAutoencoder
from sklearn_ae.datasets import load_digits_few_labels
from sklearn_ae.semi_supervised import LabeledOnly, SemiSupervisedSplit

optuna.logging.set_verbosity(optuna.logging.WARNING)

# %%
# 1,437 digits, of which 100 have a label. The score is that of the linear model behind the codes.

digits = load_digits_few_labels(n_labeled=100, random_state=0)
pipe = Pipeline(
    [
        ("scale", MinMaxScaler()),
        ("codes", SparseAutoencoder(max_epochs=10, random_state=0)),
        ("model", LabeledOnly(LogisticRegression(max_iter=1000))),
    ]
)
grid = {
    "codes__n_components": [64, 128, 256],
    "codes__alpha": [0.03, 0.1, 0.3, 1.0],
    "model__estimator__C": [0.1, 1.0, 10.0],
}


def accuracy(trial):
    """Return the cross-validated accuracy of the settings that a trial chooses."""
    pipe.set_params(**{name: trial.suggest_categorical(name, grid[name]) for name in grid})
    cv = SemiSupervisedSplit(3)
    return cross_val_score(pipe, digits.X_train, digits.y_train, cv=cv).mean()


study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
study.optimize(accuracy, n_trials=20)
pipe.set_params(**study.best_params).fit(digits.X_train, digits.y_train)
print(study.best_params)
print(f"test accuracy {pipe.score(digits.X_test, digits.y_test):.3f}")

# %%
# Each point is a trial, the line the best one so far.

values = [trial.value for trial in study.trials]
figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.plot(values, "o", color="#b8c4cc", label="trial")
ax.plot(np.maximum.accumulate(values), drawstyle="steps-post", color="#0b6e99", label="best so far")
ax.xaxis.set_major_locator(plt.MaxNLocator(integer=True))
ax.set(xlabel="trial", ylabel="cross-validated accuracy")
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False, loc="lower right")
plt.show()
