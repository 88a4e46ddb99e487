"""Plain networks, one family a file."""

from energybased.networks.convolutional import Convolutional
from energybased.networks.mlp import MLP
from energybased.networks.residual import Residual, Stage

__all__ = ["MLP", "Convolutional", "Residual", "Stage"]
