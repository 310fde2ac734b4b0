"""From a recipe and rows to a trained network; the only folder that imports skorch."""
