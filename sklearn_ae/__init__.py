"""Autoencoders as scikit-learn transformers: sparse, dropout and denoising."""

__version__ = "0.1.0"
