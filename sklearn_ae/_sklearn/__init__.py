"""Our side of scikit-learn: private names, checks of input, callbacks, diagrams, warnings."""
