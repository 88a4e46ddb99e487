"""Settings of the networks of recipes."""

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

    def build(self, event: Sequence[int], conditions: Conditions, outputs: int = 1) -> nn.Module:
        """The network over events of shape `event`, with these kinds of conditions and numbers per row."""
        return networks.MLP(math.prod(event), self.hidden, conditions, outputs=outputs)


@dataclass(frozen=True)
class Images:
    """The family of networks of Du & Mordatch 2019; see `networks.Residual`.

    Args:
        stem: channels of the first convolution.
        stages: residual blocks or plain strided convolutions.
        activation: "leaky" (LeakyReLU of slope 0.2) or "swish".
        dropout: probability of dropout inside residual blocks, in train mode.
        dense: units of the layer before the last; 0 sums over space instead.
        spectral: normalise the weights spectrally.
    """

    stem: int = 64
    stages: tuple[Stage, ...] = (Stage(64, True, True), Stage(128, True, True), Stage(256, True, True))
    activation: Literal["leaky", "swish"] = "leaky"
    dropout: float = 0.0
    dense: int = 0
    spectral: bool = True

    def __post_init__(self) -> None:
        require(self.stem >= 1, f"stem must be at least 1, got {self.stem}")
        require(len(self.stages) >= 1, "stages must not be empty")
        require(0 <= self.dropout < 1, f"dropout must be in [0, 1), got {self.dropout}")
        require(self.dense >= 0, f"dense must not be negative, got {self.dense}")

    def build(self, event: Sequence[int], conditions: Conditions, outputs: int = 1) -> nn.Module:
        """The network over pictures of shape `event`, with this many numbers per picture.

        Raises:
            UserError: if the conditions are anything but one class.
        """
        classes = classes_of(conditions)
        require(classes > 0 or not conditions, "this network takes one class as its condition: use Dense for others")
        settings = self.activation, self.dropout, self.dense, self.spectral, outputs
        return networks.Residual(event, self.stem, self.stages, classes, *settings)


@dataclass(frozen=True)
class DenseCoder:
    """Multilayer perceptrons from latent vectors to events of any shape, and back.

    Args:
        hidden: widths of the hidden layers of the generator. The encoder has them in reverse order.
    """

    hidden: tuple[int, ...] = (256, 512)

    def __post_init__(self) -> None:
        require(len(self.hidden) > 0 and min(self.hidden) >= 1, f"hidden must be widths of layers, got {self.hidden}")

    def generator(self, dim: int, spec: DataSpec) -> nn.Module:
        """The generator, from `(batch, dim)` to `(batch, *event)`."""
        return networks.dense_generator(dim, self.hidden, spec.event, spec.domain.bounds is not None)

    def encoder(self, dim: int, event: Sequence[int]) -> networks.Encoder:
        """The encoder of examples of shape `event`."""
        return networks.dense_encoder(event, self.hidden[::-1], dim)


@dataclass(frozen=True)
class ConvolutionalCoder:
    """The networks on which latent energy-based models are compared; see `networks.generator`.

    Args:
        layout: the data set whose networks these are.
    """

    layout: Literal["mnist", "svhn", "cifar10", "celeba64"] = "cifar10"

    def __post_init__(self) -> None:
        require(
            self.layout in generator.LAYOUTS, f"layout is one of {', '.join(generator.LAYOUTS)}, got {self.layout!r}"
        )

    def generator(self, dim: int, spec: DataSpec) -> nn.Module:
        """The generator, from `(batch, dim)` to `(batch, *event)`.

        Raises:
            UserError: if the data are not pixels.
        """
        require(spec.domain.bounds is not None, "this generator makes pixels: use DenseCoder for real numbers")
        return networks.deconvolutional_generator(dim, generator.LAYOUTS[self.layout])

    def encoder(self, dim: int, event: Sequence[int]) -> networks.Encoder:
        """The encoder of examples of shape `event`."""
        return networks.convolutional_encoder(event, encoder.LAYOUTS[self.layout], dim)


@dataclass(frozen=True)
class UNetField:
    """A U-Net over pictures; see `networks.unet`.

    Args:
        widths: channels of each resolution, from the highest.
        blocks: number of residual blocks in each, on the way down and on the way up.
        patch: side of the squares of pixels that become channels.
    """

    widths: tuple[int, ...] = (96, 192)
    blocks: int = 2
    patch: int = 4

    def __post_init__(self) -> None:
        require(
            len(self.widths) > 0 and min(self.widths) >= 1, f"widths must be numbers of channels, got {self.widths}"
        )
        require(self.blocks >= 1, f"blocks must be at least 1, got {self.blocks}")
        require(self.patch >= 1, f"patch must be at least 1, got {self.patch}")

    def build(self, event: Sequence[int], outputs: int, numbers: int, classes: int = 0) -> nn.Module:
        """The network over pictures of shape `event`, with these numbers of fields and numbers, that sees classes."""
        return networks.UNet(event, self.widths, self.blocks, self.patch, outputs, numbers, classes)


@dataclass(frozen=True)
class MLPField:
    """A multilayer perceptron over events of any shape; see `networks.dense_field`.

    Args:
        hidden: widths of the hidden layers.
    """

    hidden: tuple[int, ...] = (256, 256, 256)

    def __post_init__(self) -> None:
        require(len(self.hidden) > 0 and min(self.hidden) >= 1, f"hidden must be widths of layers, got {self.hidden}")

    def build(self, event: Sequence[int], outputs: int, numbers: int, classes: int = 0) -> nn.Module:
        """The network over events of shape `event`, with these numbers of fields and numbers, that sees classes."""
        return networks.DenseField(event, self.hidden, outputs, numbers, classes)


AnyNetwork = Union[Dense, Images]
AnyField = Union[UNetField, MLPField]
AnyCoder = Union[DenseCoder, ConvolutionalCoder]
