"""Plain networks, one family a file."""

from energybased.networks.convolutional import Convolutional
from energybased.networks.half import Half
from energybased.networks.mlp import MLP
from energybased.networks.residual import Residual, Stage, groups

__all__ = ["MLP", "Convolutional", "Half", "Residual", "Stage", "groups"]
