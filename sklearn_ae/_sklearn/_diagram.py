"""The learned architecture in scikit-learn's diagrams of estimators."""

from __future__ import annotations

from sklearn_ae._sklearn._compat import VisualBlock


class DiagramMixin:
    """Show what a fitted estimator consists of.

    The estimator has a method ``_diagram()`` that returns its parts, fitted estimators or tuples of
    a short text and a longer one, or None before it is fitted.
    """

    def _sk_visual_block_(self):
        parts = self._diagram()
        name = type(self).__name__
        if parts is None:
            return VisualBlock("single", self, names=name, name_details=str(self))
        blocks = [
            VisualBlock("single", part[0], names=part[0], name_details=part[1])
            if isinstance(part, tuple)
            else part
            for part in parts
        ]
        return VisualBlock("serial", blocks, dash_wrapped=False)
