"""What comes from scikit-learn's private modules, and what its version decides.

Every other file imports these names from here: a change in scikit-learn is met in one place.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from sklearn.base import _clone_parametrized as clone_parametrized
from sklearn.base import _fit_context as fit_context
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._optional_dependencies import (
    check_matplotlib_support,
    check_pandas_support,
)
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    MissingValues,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils._set_output import _get_output_config as get_output_config
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import _check_feature_names as check_feature_names
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import _check_n_features as check_n_features
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _check_y as check_y


class _NoTask:
    """Stands for the context of a task that no callback hears of."""

    def subcontext(self, **kwargs: Any) -> _NoTask:
        return self

    def propagate_callback_context(self, sub_estimator: Any) -> Any:
        return nullcontext()

    def call_on_fit_task_begin(self, **kwargs: Any) -> _NoTask:
        return self

    def call_on_fit_task_end(self, **kwargs: Any) -> bool:
        return False


NO_TASK = _NoTask()

try:
    from sklearn.utils._repr_html.estimator import _VisualBlock as VisualBlock
except ImportError:  # scikit-learn before 1.7
    from sklearn.utils._estimator_html_repr import _VisualBlock as VisualBlock

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for scikit-learn's: before 1.9 estimators have no callbacks."""

        def _init_callback_context(self, **kwargs: Any) -> _NoTask:
            return NO_TASK
