"""An energy over levels of noise whose network sees the class."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from energybased.algebra import Rowwise
from energybased.energies.noise_conditional import NoiseConditional, class_numbers
from energybased.energy import Condition, Energy

DROPPED = 0.1  # part of the labels that training leaves out (Ho & Salimans 2021)


class ClassInTrunk(NoiseConditional):
    """E(x | y, sigma) as `NoiseConditional`, by a network that sees the class from its first layer on.

    E = |u|^2 / 2 + d/2 log(2 pi s^2) + scale / sigma <u, F(u, y)> + b(u, y). The whole network can depend on the class,
    and the energies under all classes take as many passes. One more class means none: its energy, which the labels that
    training leaves out teach, is E(x | sigma) up to a constant, and guidance takes it.

    Score matching leaves a constant open for each class and level, so these energies do not classify. The logits of
    p(y | x, sigma) are outputs of the pass without a class, so one pass gives the joint energies of x and all classes,
    E(x, y | sigma) = E(x | sigma) - log p(y | x, sigma), and their cross entropy leaves F alone.

    Args:
        network: maps u `(batch, *event)`, log sigma `(batch,)` and class numbers `(batch,)`, of which `classes` means
            none, to F `(batch, 1, *event)`, and to b followed by the logits, `(batch, 1 + classes)`.
        mean, scale, levels, classes: as of `NoiseConditional`; at least one class.
    """

    def of_classes(self, x: Tensor, sigma: Tensor) -> Tensor:
        labels = torch.arange(self.classes, device=x.device).repeat(len(x))
        copies, levels = x.repeat_interleave(self.classes, 0), sigma.repeat_interleave(self.classes, 0)
        return self.of_class(copies, levels, labels)[0].view(len(x), self.classes)

    def of_class(self, x: Tensor, sigma: Tensor, y: Condition | None) -> tuple[Tensor, None]:
        return self._energies(x, sigma, class_numbers(y))[0][:, 0], None

    def free(self, sigma: float | Tensor) -> Energy:
        return WithoutClass(self, self.at(sigma).parts()[0])

    def class_logits(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self._outputs(x, sigma, self.without(x))[2][:, 1:]

    def joint(self, x: Tensor, sigma: Tensor) -> Tensor:
        u, fields, numbers = self._outputs(x, sigma, self.without(x))
        return self._sums(sigma, u, fields, numbers[:, :1]) - numbers[:, 1:].log_softmax(1)

    @property
    def labels(self) -> int:
        return self.classes + 1  # the last one means none

    def without(self, x: Tensor) -> Tensor:
        """The class number that means none, `(batch,)`, for rows of x."""
        return torch.full((len(x),), self.classes, device=x.device)

    @staticmethod
    def shapes(classes: int) -> tuple[int, int]:
        return 1, 1 + classes

    def with_field(self, x: Tensor, sigma: Tensor, y: Condition | None) -> tuple[Tensor, None]:
        u, fields, _ = self._outputs(x, sigma, class_numbers(y))
        return self._field(u, sigma, fields[:, 0]), None

    def seen(self, y: Tensor | None, rng: Generator) -> Tensor:
        """The labels y `(batch,)`, a tenth of which become none."""
        y = class_numbers(y)
        dropped = torch.rand(len(y), generator=rng, device=rng.device).to(y.device) < DROPPED
        return torch.where(dropped, self.classes, y)


class WithoutClass(Rowwise):
    """E(x | sigma) of a `ClassInTrunk` energy; see its method `free`."""

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        (sigma,), energy = self.rows_of(x), self.terms[0]
        assert isinstance(energy, ClassInTrunk)
        return energy.of_class(x, sigma, energy.without(x))[0]
