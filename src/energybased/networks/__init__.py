"""Networks as plain `nn.Module`s, one family per file."""

from energybased.networks.batched_mlp import BatchedMLP
from energybased.networks.bfloat16 import BFloat16
from energybased.networks.condition import ConditionEncoder
from energybased.networks.dense_field import DenseField
from energybased.networks.encoder import Encoder, PointEncoder, convolutional_encoder, dense_encoder
from energybased.networks.generator import deconvolutional_generator, dense_generator
from energybased.networks.joint import Joint
from energybased.networks.mlp import MLP
from energybased.networks.residual import Residual, Stage, groups
from energybased.networks.separable import Separable
from energybased.networks.spectral import power_iteration
from energybased.networks.two_stage import LatentDecoder, TwoStageEncoder, TwoStageGenerator
from energybased.networks.unet import UNet

__all__ = [
    "MLP",
    "Encoder",
    "Joint",
    "BFloat16",
    "BatchedMLP",
    "ConditionEncoder",
    "DenseField",
    "PointEncoder",
    "Residual",
    "Separable",
    "Stage",
    "TwoStageEncoder",
    "TwoStageGenerator",
    "UNet",
    "LatentDecoder",
    "convolutional_encoder",
    "deconvolutional_generator",
    "dense_encoder",
    "dense_generator",
    "groups",
    "power_iteration",
]
