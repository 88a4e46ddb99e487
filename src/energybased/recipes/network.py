"""Settings of the networks that recipes train."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Union

from torch import nn

from energybased import networks
from energybased.conditions import Conditions, classes_of
from energybased.data import DataSpec
from energybased.errors import require
from energybased.networks import Stage, encoder, generator


@dataclass(frozen=True)
class Dense:
    """A multilayer perceptron over events of any shape.

    Args:
        hidden: widths of the hidden layers.
    """

    hidden: tuple[int, ...] = (256, 256)

    def __post_init__(self) -> None:
        require(len(self.hidden) > 0 and min(self.hidden) >= 1, f"hidden must be widths of layers, got {self.hidden}")

    def build(self, event: Sequence[int], conditions: Conditions) -> nn.Module:
        """The network over events of this shape, with these kinds of conditions."""
        return networks.MLP(math.prod(event), self.hidden, conditions)


@dataclass(frozen=True)
class Images:
    """The family of networks of Du & Mordatch 2019; see `networks.Residual`.

    Args:
        stem: channels of the first convolution.
        stages: residual blocks or plain strided convolutions.
        activation: between layers.
        dropout: inside residual blocks, in train mode.
        dense: units of the layer before the last; 0 sums over space instead.
    """

    stem: int = 64
    stages: tuple[Stage, ...] = (Stage(64, True, True), Stage(128, True, True), Stage(256, True, True))
    activation: Literal["leaky", "swish"] = "leaky"
    dropout: float = 0.0
    dense: int = 0

    def __post_init__(self) -> None:
        require(self.stem >= 1, f"stem must be at least 1, got {self.stem}")
        require(len(self.stages) >= 1, "stages must not be empty")
        require(0 <= self.dropout < 1, f"dropout must be in [0, 1), got {self.dropout}")
        require(self.dense >= 0, f"dense must not be negative, got {self.dense}")

    def build(self, event: Sequence[int], conditions: Conditions) -> nn.Module:
        """The network over pictures of this shape.

        Raises:
            UserError: if it is to be conditional on anything but one class.
        """
        classes = classes_of(conditions)
        require(classes > 0 or not conditions, "this network is conditional on one class alone: use Dense")
        return networks.Residual(event, self.stem, self.stages, classes, self.activation, self.dropout, self.dense)


@dataclass(frozen=True)
class DenseCoder:
    """Multilayer perceptrons from latent vectors to events of any shape, and back.

    Args:
        hidden: widths of the hidden layers of the generator; the encoder has them in reverse.
    """

    hidden: tuple[int, ...] = (256, 512)

    def __post_init__(self) -> None:
        require(len(self.hidden) > 0 and min(self.hidden) >= 1, f"hidden must be widths of layers, got {self.hidden}")

    def generator(self, dim: int, spec: DataSpec) -> nn.Module:
        return networks.dense_generator(dim, self.hidden, spec.event, spec.domain.bounds is not None)

    def encoder(self, dim: int, event: Sequence[int]) -> networks.Encoder:
        return networks.dense_encoder(event, self.hidden[::-1], dim)


@dataclass(frozen=True)
class ConvolutionalCoder:
    """The networks on which latent energy-based models are compared; see `networks.generator`.

    Args:
        layout: whose.
    """

    layout: Literal["mnist", "svhn", "cifar10", "celeba64"] = "cifar10"

    def __post_init__(self) -> None:
        require(self.layout in generator.LAYOUTS, f"no such layout: {self.layout!r}")

    def generator(self, dim: int, spec: DataSpec) -> nn.Module:
        require(spec.domain.bounds is not None, "this generator makes pixels: use DenseCoder for real numbers")
        return networks.deconvolutional_generator(dim, generator.LAYOUTS[self.layout])

    def encoder(self, dim: int, event: Sequence[int]) -> networks.Encoder:
        return networks.convolutional_encoder(event, encoder.LAYOUTS[self.layout], dim)


AnyNetwork = Union[Dense, Images]
AnyCoder = Union[DenseCoder, ConvolutionalCoder]
