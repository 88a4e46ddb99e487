"""Energies that are made of other energies: sums, mixtures, bound conditions, weights and pinned entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from energybased.energy import Array, Condition, Energy, EnergyLike, Rows, as_energy, as_tensor
from energybased.errors import UserError, require


class Composite(Energy):
    """An energy made of other energies, its terms. Selecting rows and pinning entries applies to every term."""

    def __init__(self, terms: Sequence[EnergyLike]) -> None:
        super().__init__()
        require(len(terms) > 0, "there are no energies: at least one is needed")
        self.members = nn.ModuleList([as_energy(term) for term in terms])

    @property
    def terms(self) -> list[Energy]:
        """The energies that it is made of."""
        return cast(list[Energy], list(self.members))

    def rebuild(self, terms: Sequence[Energy]) -> Energy:
        """The same composite over other terms."""
        raise NotImplementedError

    def values(self, x: Tensor, y: Condition | None) -> list[Tensor]:
        """The energies `(batch,)` of each term, at x `(batch, *event)` and, where a term takes one, the condition y."""
        if y is not None and self.bound:
            raise UserError("the energy is already bound to a condition")
        return [term(x) if term.bound else term(x, y) for term in self.terms]

    @property
    def bound(self) -> bool:
        return all(term.bound for term in self.terms)

    def select(self, rows: Rows) -> Energy:
        terms = [term.select(rows) for term in self.terms]
        same = all(selected is term for selected, term in zip(terms, self.terms, strict=True))
        return self if same else self.rebuild(terms)

    def expand(self, n: int) -> Energy:
        return self.rebuild([term.expand(n) for term in self.terms])

    def project(self, x: Tensor) -> Tensor:
        for term in self.terms:
            x = term.project(x)
        return x

    def mask_gradient(self, grad: Tensor) -> Tensor:
        for term in self.terms:
            grad = term.mask_gradient(grad)
        return grad


class Combination(Composite):
    """E(x) = sum_i weights_i E_i(x) + constant: a product of experts, each raised to the power of its weight."""

    def __init__(self, terms: Sequence[EnergyLike], weights: Sequence[float], constant: float = 0.0) -> None:
        super().__init__(terms)
        self.weights, self.constant = tuple(weights), constant

    @staticmethod
    def of(*pairs: tuple[float, Energy], constant: float = 0.0) -> Combination:
        """The sum of weighted energies and a constant. Nested combinations are flattened."""
        flat: list[tuple[float, Energy]] = []
        for weight, energy in pairs:
            if isinstance(energy, Combination):
                flat += [(weight * w, t) for w, t in zip(energy.weights, energy.terms, strict=True)]
                constant += weight * energy.constant
            else:
                flat.append((weight, energy))
        return Combination([t for _, t in flat], [w for w, _ in flat], constant)

    def rebuild(self, terms: Sequence[Energy]) -> Energy:
        return Combination(terms, self.weights, self.constant)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        total, *rest = [w * e for w, e in zip(self.weights, self.values(x, y), strict=True)]
        for value in rest:
            total = total + value
        return total + self.constant if self.constant else total

    def extra_repr(self) -> str:
        weights = ", ".join(f"{w:g}" for w in self.weights)
        return f"weights=({weights})" + (f", constant={self.constant:g}" if self.constant else "")


class Mixture(Composite):
    """E(x) = -log sum_i exp(log_weights_i - E_i(x))."""

    log_weights: Tensor

    def __init__(self, terms: Sequence[EnergyLike], log_weights: Tensor) -> None:
        super().__init__(terms)
        require(
            log_weights.shape == (len(terms),),
            f"a mixture of {len(terms)} energies needs log_weights of shape ({len(terms)},), "
            f"got {tuple(log_weights.shape)}",
        )
        self.register_buffer("log_weights", log_weights, persistent=False)

    def rebuild(self, terms: Sequence[Energy]) -> Energy:
        return Mixture(terms, self.log_weights)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        values = torch.stack(self.values(x, y), dim=-1)
        return -torch.logsumexp(self.log_weights.to(values) - values, dim=-1)

    def extra_repr(self) -> str:
        return f"log_weights=({', '.join(f'{w:g}' for w in self.log_weights.tolist())})"


class Marginal(Composite):
    """E(x) = -log sum_y exp(b_y - E(x, y)) over the classes y = 0 ... classes - 1 of a conditional energy.

    Args:
        energy: over x and the class.
        classes: number of classes.
        log_weights: b, `(classes,)`, in nats; 0 if not given.
    """

    def __init__(self, energy: EnergyLike, classes: int, log_weights: Sequence[float] | Array | None = None) -> None:
        super().__init__([energy])
        require(classes >= 1, f"a sum over classes needs at least one, got {classes}")
        require(not self.terms[0].bound, "the energy is already bound to a condition")
        self.classes = classes
        weights = as_tensor([0.0] * classes if log_weights is None else log_weights).double()
        require(tuple(weights.shape) == (classes,), f"{classes} classes have weights of shape {tuple(weights.shape)}")
        own = [*self.parameters(), *self.buffers()]
        self.register_buffer("log_weights", weights.to(own[0].device) if own else weights, persistent=False)

    @property
    def bound(self) -> bool:
        return True

    def rebuild(self, terms: Sequence[Energy]) -> Energy:
        return Marginal(terms[0], self.classes, self.get_buffer("log_weights"))

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        require(y is None, "the energy is summed over its classes: it takes no condition")
        energies = self.terms[0].by_class(x, self.classes)
        return -torch.logsumexp(self.get_buffer("log_weights").to(energies) - energies, dim=1)

    def extra_repr(self) -> str:
        return f"classes={self.classes}"


def _for_all(part: Tensor) -> bool:
    """Whether a tensor applies to every row: it is 0-d, or has one row."""
    return part.ndim == 0 or len(part) == 1


class Rowwise(Composite):
    """An energy with tensors: 0-d or `(1, ...)` for all rows, or `(batch, ...)` with one entry per row."""

    def __init__(self, energy: Energy, *tensors: Array | int) -> None:
        super().__init__([energy])
        self.count = len(tensors)
        for i, tensor in enumerate(tensors):
            self.register_buffer(f"y{i}", as_tensor(tensor), persistent=False)

    def parts(self) -> list[Tensor]:
        return [self.get_buffer(f"y{i}") for i in range(self.count)]

    def rowwise(self, energy: Energy, change: Callable[[Tensor], Tensor]) -> Energy:
        return type(self)(energy, *[part if _for_all(part) else change(part) for part in self.parts()])

    def select(self, rows: Rows) -> Energy:
        term = self.terms[0].select(rows)
        same = term is self.terms[0] and all(map(_for_all, self.parts()))
        return self if same else self.rowwise(term, lambda part: part[rows])

    def expand(self, n: int) -> Energy:
        return self.rowwise(self.terms[0].expand(n), lambda part: part.repeat_interleave(n, dim=0))

    def rows_of(self, x: Tensor) -> list[Tensor]:
        """The tensors, expanded to the number of rows of x."""
        parts = [part.to(x.device).expand(len(x), *part.shape[1:]) if _for_all(part) else part for part in self.parts()]
        for part in parts:
            if len(part) != len(x):
                raise UserError(
                    f"the energy holds a tensor of {len(part)} rows, but x has {len(x)} rows; use select or expand"
                )
        return parts

    def extra_repr(self) -> str:
        return ", ".join(f"{tuple(part.shape)}" for part in self.parts())


class Given(Rowwise):
    """E(x | y) for a fixed y; see `Energy.given`."""

    def __init__(self, energy: Energy, *y: Array | int) -> None:
        super().__init__(energy, *y)
        require(len(y) > 0, "given() needs a condition")
        require(not energy.bound, "the energy is already bound to a condition")

    @property
    def bound(self) -> bool:
        return True

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        require(y is None, "the energy is already bound to a condition")
        parts = self.rows_of(x)
        return self.terms[0](x, parts[0] if self.count == 1 else tuple(parts))


class Weighted(Rowwise):
    """E(x) times a weight, 0-d, or one weight per row, `(batch,)`."""

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        (weight,), (value,) = self.rows_of(x), self.values(x, y)
        return weight.to(value) * value


class Pinned(Composite):
    """E as a function of the free entries, with the others fixed; see `Energy.pin`."""

    x: Tensor
    free: Tensor

    def __init__(self, energy: Energy, x: Array, free: Array) -> None:
        super().__init__([energy])
        x, free = as_tensor(x), as_tensor(free)
        require(free.dtype == torch.bool, f"free must be a boolean mask, got {free.dtype}")
        try:
            free = free.expand(x.shape)
        except RuntimeError:
            raise UserError(f"free of shape {tuple(free.shape)} does not fit x of shape {tuple(x.shape)}") from None
        self.register_buffer("x", x, persistent=False)
        self.register_buffer("free", free, persistent=False)

    @property
    def bound(self) -> bool:
        return self.terms[0].bound

    def select(self, rows: Rows) -> Energy:
        return Pinned(self.terms[0].select(rows), self.x[rows], self.free[rows])

    def expand(self, n: int) -> Energy:
        return Pinned(
            self.terms[0].expand(n), self.x.repeat_interleave(n, dim=0), self.free.repeat_interleave(n, dim=0)
        )

    def project(self, x: Tensor) -> Tensor:
        return self.terms[0].project(torch.where(self.free, x, self.x.to(x)))

    def mask_gradient(self, grad: Tensor) -> Tensor:
        return self.terms[0].mask_gradient(grad * self.free)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        if x.shape != self.x.shape:
            raise UserError(f"the energy is pinned at x of shape {tuple(self.x.shape)}, got {tuple(x.shape)}")
        return self.values(torch.where(self.free, x, self.x.to(x)), y)[0]

    def extra_repr(self) -> str:
        return f"{int(self.free.sum())} of {self.free.numel()} entries free"


def mixture(energies: Sequence[EnergyLike], log_weights: Sequence[float] | Array | None = None) -> Energy:
    """E(x) = -log sum_i exp(log_weights_i - E_i(x)): the weighted sum of the unnormalised densities exp(-E_i).

    Without `log_weights`, all weights are 1. The probability of component i is then Z_i / sum_j Z_j.

    Args:
        energies: at least one.
        log_weights: `(len(energies),)`, in nats.

    Raises:
        UserError: if there are no energies, or not as many weights as energies.

    >>> from energybased.energies import StandardNormal
    >>> mixture([StandardNormal(2), StandardNormal(2)])(torch.zeros(1, 2))
    tensor([-0.6931])
    """
    terms = [as_energy(energy) for energy in energies]
    own = [tensor for term in terms for tensor in (*term.parameters(), *term.buffers())]
    device = own[0].device if own else torch.device("cpu")
    weights = [0.0] * len(terms) if log_weights is None else log_weights
    if not isinstance(weights, Tensor):  # float64 keeps full precision for energies in float64
        weights = torch.as_tensor(weights, dtype=torch.float64, device="cpu")
    return Mixture(terms, weights.to(device))


def mean(energies: Sequence[EnergyLike]) -> Energy:
    """E(x) = sum_i E_i(x) / n over n energies, such as an ensemble of models.

    Raises:
        UserError: if there are no energies.

    >>> from energybased.energies import StandardNormal
    >>> mean([StandardNormal(2), 3.0 * StandardNormal(2)])(torch.ones(1, 2))
    tensor([2.])
    """
    require(len(energies) > 0, "there are no energies: at least one is needed")
    return Combination.of(*[(1.0 / len(energies), as_energy(energy)) for energy in energies])
