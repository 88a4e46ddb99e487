"""One energy for data with Gaussian noise of every level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Generator, Tensor, nn

from energybased.algebra import Rowwise
from energybased.broadcast import per_row
from energybased.energy import NUMBER, Array, Condition, Energy
from energybased.errors import UserError, require


class NoiseConditional(Energy):
    """E(x | y, sigma): energies of data plus Gaussian noise of standard deviation sigma, for every sigma in a range.

    With s^2 = sigma^2 + scale^2, u = (x - mean) / s and a network that maps u and log sigma to a field F(u), and to
    fields G_y(u) and numbers b_y(u) for each class y,

        E = |u|^2 / 2 + d/2 log(2 pi s^2) + scale / sigma <u, F(u)> + d^(-1/4) scale / s <u, G_y(u)> + b_y(u).

    The first two terms are those of Gaussian data of standard deviation `scale`, so training begins there when the
    network begins at zero. What F has to learn then has the same size at all levels: the mean of the clean x given x is
    x - sigma^2 grad E (Miyasawa 1961), and -d<u, F>/du is the output of the preconditioned denoiser of Karras et al.
    2022. The logits of the classes have no factor 1 / sigma, and are sums of d terms: without the factor d^(-1/4),
    their errors are large at first, and their cross entropy keeps F from learning. The class enters in the last layers
    alone, so one pass gives the energies under all classes.

    Args:
        network: maps `(batch, *event)` and `(batch,)` to F `(batch, 1, *event)` alone without classes, followed by
            G `(batch, classes, *event)` with them; and to b, `(batch, 1)` or `(batch, classes)`.
        mean: of the data, `event`.
        scale: their standard deviation, a number.
        levels: smallest and largest sigma.
        classes: number of classes; 0 for none.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, network: nn.Module, mean: Tensor, scale: Tensor, levels: tuple[float, float], classes: int = 0
    ) -> None:
        super().__init__()
        require(0 < levels[0] < levels[1] < math.inf, f"levels are 0 < smallest < largest, got {levels}")
        self.network, self.levels, self.classes = network, levels, classes
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    @classmethod
    def fit(cls, x: Tensor, network: nn.Module, levels: tuple[float, float], classes: int = 0) -> Self:
        """The energy with the mean of data `(n, *event)`, and the root of the mean of its variances as its scale.

        Raises:
            UserError: if the data do not vary.
        """
        scale = x.var(0, correction=0).mean().sqrt()
        require(float(scale) > 0, "the data do not vary")
        return cls(network, x.mean(0), scale, levels, classes)

    @classmethod
    def build(cls, event: Sequence[int], network: nn.Module, levels: tuple[float, float], classes: int = 0) -> Self:
        """An energy with the tensor shapes of a fitted one, to load a checkpoint into."""
        return cls(network, torch.zeros(*event), torch.tensor(1.0), levels, classes)

    def at(self, sigma: float | Tensor) -> AtLevel:
        """E(x | y, sigma) as an energy of x, and of y if there are classes.

        Args:
            sigma: a number, or one for each row, `(batch,)`, in the units of x.

        Raises:
            UserError: if it is no number, or outside the levels.
        """
        numbers = isinstance(sigma, NUMBER) or (isinstance(sigma, Tensor) and sigma.ndim <= 1)
        got = tuple(sigma.shape) if isinstance(sigma, Tensor) else repr(sigma)
        require(numbers, f"sigma must be a number, or a tensor (batch,) with one for each row, got {got}")
        value = torch.as_tensor(sigma, dtype=self.mean.dtype, device=self.mean.device)
        low, high = self.levels
        inside = bool(((value >= low * (1 - 1e-5)) & (value <= high * (1 + 1e-5))).all())
        require(inside, f"sigma must be in {low:g} ... {high:g}, the range of the training, got {sigma}")
        return AtLevel(self, value)

    def of_classes(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Energies under each class, `(batch, outputs)`, of x `(batch, *event)` with noise of levels `(batch,)`."""
        return self._energies(x, sigma)[0]

    def of_class(self, x: Tensor, sigma: Tensor, y: Condition | None) -> tuple[Tensor, Tensor | None]:
        """Energies `(batch,)` under classes y `(batch,)`, and under each class if the same pass gives them.

        Args:
            x: `(batch, *event)`.
            sigma: levels `(batch,)`.
            y: class numbers `(batch,)`; None without classes.
        """
        energies = self.of_classes(x, sigma)
        return picked(energies, y), energies

    def class_logits(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The logits of p(y | x, sigma), `(batch, classes)`, of x `(batch, *event)` with noise of levels `(batch,)`."""
        return -self.of_classes(x, sigma)

    def joint(self, x: Tensor, sigma: Tensor) -> Tensor:
        """E(x, y | sigma) of each class y, `(batch, classes)`, whose negatives are logits of p(y | x, sigma) too."""
        return self.of_classes(x, sigma)

    def free(self, sigma: float | Tensor) -> Energy | None:
        """E(x | sigma) as an energy of x, if it is a pass of its own; None if it is summed over the classes."""
        return None

    def with_field(self, x: Tensor, sigma: Tensor, y: Condition | None) -> tuple[Tensor, Tensor | None]:
        """The field that is the gradient of E(x | y, sigma) by Euler's identity, and what `of_class` gives last.

        It is u / s + 2 scale / (sigma s) F(u) + 2 d^(-1/4) scale / s^2 G_y(u), `(batch, *event)`, and the gradient if F
        and G_y are homogeneous of degree 1 with symmetric Jacobians and b_y is constant. It needs no derivative, so a
        network learns it in half of the time, as a denoiser that need not be a gradient.
        """
        energies, u, fields = self._energies(x, sigma)
        found = self._field(u, sigma, fields[:, 0])
        if fields.shape[1] > 1:
            squared = per_row(sigma.square() + self.scale.square(), x)
            found = found + 2 * self.mean.numel() ** -0.25 * self.scale / squared * picked(fields[:, 1:], y)
        return found, energies

    def _field(self, u: Tensor, sigma: Tensor, field: Tensor) -> Tensor:
        """u / s + 2 scale / (sigma s) F(u), `(batch, *event)`."""
        sigma = per_row(sigma, u)
        s = (sigma.square() + self.scale.square()).sqrt()
        return u / s + 2 * self.scale / (sigma * s) * field

    @property
    def labels(self) -> int:
        """How many class numbers the energy understands."""
        return self.classes

    def seen(self, y: Tensor | None, rng: Generator) -> Tensor | None:
        """The classes `(batch,)` that an objective trains with, of labels y: the labels."""
        return y

    def gaussian(self, x: Tensor, sigma: Tensor) -> Tensor:
        """-log N(x; mean, sigma^2 + scale^2), `(batch,)`, of x `(batch, *event)`: the first two terms of the energy."""
        variance = sigma.square() + self.scale.square()
        return self._normal((x - self.mean) / per_row(variance.sqrt(), x), variance)

    def _normal(self, u: Tensor, variance: Tensor) -> Tensor:
        """|u|^2 / 2 + d/2 log(2 pi variance), `(batch,)`, of u `(batch, *event)`."""
        return (u.square().flatten(1).sum(1) + self.mean.numel() * (2 * math.pi * variance).log()) / 2

    def _energies(self, x: Tensor, sigma: Tensor, *y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Energies `(batch, outputs)`, u `(batch, *event)` and the fields of a network, which may see y `(batch,)`."""
        u, fields, numbers = self._outputs(x, sigma, *y)
        return self._sums(sigma, u, fields, numbers), u, fields

    def _sums(self, sigma: Tensor, u: Tensor, fields: Tensor, numbers: Tensor) -> Tensor:
        """Energies `(batch, outputs)` of what the network returns."""
        variance, d = sigma.square() + self.scale.square(), self.mean.numel()
        products = (fields * u[:, None]).flatten(2).sum(2)
        shared = self._normal(u, variance) + self.scale / sigma * products[:, 0]
        energies: Tensor = shared[:, None] + numbers
        if products.shape[1] > 1:
            energies = energies + (d**-0.25 * self.scale / variance.sqrt())[:, None] * products[:, 1:]
        return energies

    def _outputs(self, x: Tensor, sigma: Tensor, *y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """u `(batch, *event)`, and what the network returns for it, in the shapes of `shapes`.

        Raises:
            UserError: if x, or what the network returns, is of another shape.
        """
        event = tuple(self.mean.shape)
        if tuple(x.shape[1:]) != event:
            raise UserError(f"x must be (batch, {', '.join(map(str, event))}), got {tuple(x.shape)}")
        variance = sigma.square() + self.scale.square()
        u = (x - self.mean) / per_row(variance.sqrt(), x)
        found = self.network(u, sigma.log(), *y)
        given = [tuple(part.shape) for part in (found if isinstance(found, tuple) else (found,))]
        outputs, numbers = self.shapes(self.classes)
        fits = [(len(x), outputs, *event), (len(x), numbers)]
        if given != fits:
            made = " and ".join(map(str, given))
            raise UserError(
                f"for {len(x)} rows, the network must return a tuple of {fits[0]} and {fits[1]}, got {made}"
            )
        return u, *found

    @staticmethod
    def shapes(classes: int) -> tuple[int, int]:
        """How many fields and how many numbers the network returns for each row."""
        return 1 + classes, max(1, classes)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        """Energies `(batch,)` under y: levels `(batch,)`, or a tuple of classes `(batch,)` and levels."""
        if isinstance(y, tuple):
            return self.of_class(x, y[1], y[0])[0]
        if y is None or not y.is_floating_point():
            raise UserError("the energy is conditional on the level of the noise: give it with energy.at(sigma)")
        return self.of_class(x, y, None)[0]


class AtLevel(Rowwise):
    """A `NoiseConditional` energy at a level of the noise; see its method `at`."""

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return self.energy.of_class(x, self.rows_of(x)[0], y)[0]

    def given(self, *y: Array | int) -> Energy:
        """As of `Energy`. Raises `UserError` for a class number that the energy does not know."""
        labels = self.energy.labels
        for part in map(torch.as_tensor, y if labels else ()):
            here = part.device.type == "cpu"  # elsewhere, a look at y would wait for it
            known = not here or bool(((part >= 0) & (part < labels)).all())
            require(known, f"the energy knows the classes 0 ... {labels - 1} alone")
        return super().given(*y)

    def by_class(self, x: Tensor, classes: int) -> Tensor:
        return self.energy.of_classes(x, self.rows_of(x)[0])

    @property
    def energy(self) -> NoiseConditional:
        """The energy of all levels."""
        energy = self.terms[0]
        assert isinstance(energy, NoiseConditional)
        return energy


def picked(found: Tensor, y: Condition | None) -> Tensor:
    """The rows `(batch, ...)` of class y `(batch,)`, of values under each class, `(batch, outputs, ...)`."""
    if y is None:
        require(found.shape[1] == 1, f"the energy is conditional on {found.shape[1]} classes: give y")
        return found[:, 0]
    return found[torch.arange(len(found), device=found.device), class_numbers(y)]


def class_numbers(y: Condition | None) -> Tensor:
    """The condition y as class numbers `(batch,)`.

    Raises:
        UserError: if it is anything else.
    """
    require(y is not None, "the energy is conditional on the class: give y")
    require(isinstance(y, Tensor) and not y.is_floating_point(), "the condition of this energy is a class number")
    assert isinstance(y, Tensor)
    return y
