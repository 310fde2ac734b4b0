"""Warnings that point to the user's own line, however deep in scikit-learn it was called."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import warnings
from pathlib import Path

import joblib
import sklearn

_FOLDERS = Path(__file__).parents[1], Path(sklearn.__file__).parent, Path(joblib.__file__).parent
_SKIPPED = (*(f"{folder}{os.sep}" for folder in _FOLDERS), contextlib.__file__, functools.__file__)


def warn(message, category=UserWarning):
    """Warn at the first line of the stack that is not this package's, scikit-learn's or joblib's.

    What `warnings.warn(..., skip_file_prefixes=...)` does from Python 3.12 on.
    """
    frame, stacklevel = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_SKIPPED):
        frame, stacklevel = frame.f_back, stacklevel + 1
    warnings.warn(message, category, stacklevel=stacklevel)
