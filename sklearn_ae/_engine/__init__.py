"""Training: the only folder that imports skorch."""
