"""The parts of the network: top-k, dense encoder and decoder, convolutional encoder."""

from sklearn_ae.modules._activations import TopK
from sklearn_ae.modules._autoencoder import AutoencoderModule
from sklearn_ae.modules._conv import ConvEncoder
from sklearn_ae.modules._dense import DenseDecoder, DenseEncoder

__all__ = ["AutoencoderModule", "ConvEncoder", "DenseDecoder", "DenseEncoder", "TopK"]
