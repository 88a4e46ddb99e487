"""Plain networks, one family a file."""

from energybased.networks.convolutional import Convolutional
from energybased.networks.mlp import MLP

__all__ = ["MLP", "Convolutional"]
