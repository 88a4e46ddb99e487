"""Plain networks, one family a file."""

from energybased.networks.convolutional import Convolutional
from energybased.networks.half import Half
from energybased.networks.mlp import MLP
from energybased.networks.residual import Residual, Stage, groups
from energybased.networks.spectral import power_iteration

__all__ = ["MLP", "Convolutional", "Half", "Residual", "Stage", "groups", "power_iteration"]
