"""An energy, and the algebra that makes new energies out of old ones.

An energy maps a batch `x` of shape `(batch, *event)` to energies of shape `(batch,)`;
low means likely: p(x) = exp(-E(x)) / Z. Everything else in this library samples from
energies or compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Union, cast

import torch
from torch import Tensor, nn

from energybased.errors import UserError, require

Condition = Union[Tensor, tuple[Tensor, ...]]
Rows = Union[Tensor, slice, Sequence[int]]


class Energy(nn.Module):
    """Base of all energies: subclasses write `forward(x, y=None) -> (batch,)`.

    >>> from energybased.energies import StandardNormal
    >>> a, b = StandardNormal(2), StandardNormal(2)
    >>> x = torch.ones(3, 2)
    >>> (a + 2.0 * b)(x)
    tensor([3., 3., 3.])
    """

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, x: Tensor, y: Condition | None = None) -> Tensor:
        values = super().__call__(x, y)
        if values.shape != x.shape[:1]:
            raise UserError(
                f"an energy maps x of shape {tuple(x.shape)} to shape {tuple(x.shape[:1])}, "
                f"but {type(self).__name__} returned shape {tuple(values.shape)}"
            )
        return values

    def value_and_grad(self, x: Tensor, y: Condition | None = None) -> tuple[Tensor, Tensor]:
        """Energies `(batch,)` and their gradients in x `(batch, *event)`.

        Under `torch.no_grad()` (as inside `sample`) nothing is kept; in grad mode both
        results stay differentiable in x and in the parameters.
        """
        graph = torch.is_grad_enabled()
        with torch.inference_mode(False), torch.enable_grad():
            fixed = x.clone() if x.is_inference() else x.detach()
            leaf = x if graph and x.requires_grad else fixed.requires_grad_()
            values = self(leaf, y)
            (grad,) = torch.autograd.grad(values.sum(), leaf, create_graph=graph)
        return (values if graph else values.detach()), self.mask_gradient(grad)

    # What belongs to the rows of a batch. An unbound energy belongs to none.

    @property
    def bound(self) -> bool:
        """Whether the condition is already inside, so that none can be passed."""
        return False

    def select(self, rows: Rows) -> Energy:
        """The energy of these rows of the batch; an unbound energy is its own selection."""
        return self

    def expand(self, n: int) -> Energy:
        """The energy of n chains an example, row i going to rows i*n ... i*n + n - 1."""
        return self

    def project(self, x: Tensor) -> Tensor:
        """x with the entries that a `pin` holds put back in place; x itself elsewhere."""
        return x

    def mask_gradient(self, grad: Tensor) -> Tensor:
        """A gradient with zeros at the entries that a `pin` holds, whatever other terms pull at them."""
        return grad

    # The algebra.

    def given(self, *y: Tensor | int) -> Energy:
        """E(x | y): binds the condition. Several conditions are bound as a tuple.

        A condition of shape `(batch, ...)` belongs to its rows; an int or a 0-d tensor
        holds for every row.
        """
        return Given(self, *y)

    def pin(self, x: Tensor, free: Tensor) -> Energy:
        """E over the entries where `free` is True, with the others held at `x`.

        Args:
            x: `(batch, *event)`, the values to hold.
            free: boolean, broadcastable to x; True where an entry may change.
        """
        return Pinned(self, x, free)

    def __add__(self, other: Energy | int) -> Energy:
        if other == 0 and isinstance(other, int):  # builtin sum() starts at 0
            return self
        return Combination.of((1.0, self), (1.0, other)) if isinstance(other, Energy) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: Energy) -> Energy:
        return Combination.of((1.0, self), (-1.0, other)) if isinstance(other, Energy) else NotImplemented

    def __mul__(self, weight: float) -> Energy:
        return Combination.of((float(weight), self)) if isinstance(weight, (int, float)) else NotImplemented

    __rmul__ = __mul__

    def __neg__(self) -> Energy:
        return Combination.of((-1.0, self))

    def __or__(self, other: Energy) -> Energy:
        return mixture([self, other]) if isinstance(other, Energy) else NotImplemented


class Composite(Energy):
    """An energy made of terms; what is asked of it is asked of each term."""

    def __init__(self, terms: Sequence[Energy]) -> None:
        super().__init__()
        require(len(terms) > 0, "an energy cannot be made of no energies")
        for term in terms:
            require(isinstance(term, Energy), f"{type(term).__name__} is not an Energy; wrap it in Network(...)")
        self.members = nn.ModuleList(terms)

    @property
    def terms(self) -> list[Energy]:
        return cast(list[Energy], list(self.members))

    def rebuild(self, terms: Sequence[Energy]) -> Energy:
        """The same composite over other terms."""
        raise NotImplementedError

    def values(self, x: Tensor, y: Condition | None) -> list[Tensor]:
        if y is not None and self.bound:
            raise UserError("the energy is already bound to a condition")
        return [term(x) if term.bound else term(x, y) for term in self.terms]

    @property
    def bound(self) -> bool:
        return all(term.bound for term in self.terms)

    def select(self, rows: Rows) -> Energy:
        return self.rebuild([term.select(rows) for term in self.terms])

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
    """A weighted sum: exp(-E) is a product of experts, each to the power of its weight."""

    def __init__(self, terms: Sequence[Energy], weights: Sequence[float]) -> None:
        super().__init__(terms)
        self.weights = tuple(weights)

    @staticmethod
    def of(*pairs: tuple[float, Energy]) -> Combination:
        """Flattens combinations of combinations, so that sums stay one level deep."""
        flat: list[tuple[float, Energy]] = []
        for weight, energy in pairs:
            if isinstance(energy, Combination):
                flat += [(weight * w, t) for w, t in zip(energy.weights, energy.terms, strict=True)]
            else:
                flat.append((weight, energy))
        return Combination([t for _, t in flat], [w for w, _ in flat])

    def rebuild(self, terms: Sequence[Energy]) -> Energy:
        return Combination(terms, self.weights)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        total, *rest = [w * e for w, e in zip(self.weights, self.values(x, y), strict=True)]
        for value in rest:
            total = total + value
        return total


class Mixture(Composite):
    """E(x) = -log sum_i exp(log_weights_i - E_i(x))."""

    log_weights: Tensor

    def __init__(self, terms: Sequence[Energy], log_weights: Tensor) -> None:
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
        return -torch.logsumexp(self.log_weights - torch.stack(self.values(x, y), dim=-1), dim=-1)


class Given(Composite):
    """E(x | y) with y bound; see `Energy.given`."""

    def __init__(self, energy: Energy, *y: Tensor | int) -> None:
        super().__init__([energy])
        require(len(y) > 0, "given() needs a condition")
        require(not energy.bound, "the energy is already bound to a condition")
        self.count = len(y)
        for i, part in enumerate(y):
            self.register_buffer(f"y{i}", torch.as_tensor(part), persistent=False)

    @property
    def bound(self) -> bool:
        return True

    def parts(self) -> list[Tensor]:
        return [self.get_buffer(f"y{i}") for i in range(self.count)]

    def rowwise(self, energy: Energy, change: Callable[[Tensor], Tensor]) -> Energy:
        return Given(energy, *[part if part.ndim == 0 else change(part) for part in self.parts()])

    def select(self, rows: Rows) -> Energy:
        return self.rowwise(self.terms[0].select(rows), lambda part: part[rows])

    def expand(self, n: int) -> Energy:
        return self.rowwise(self.terms[0].expand(n), lambda part: part.repeat_interleave(n, dim=0))

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        require(y is None, "the energy is already bound to a condition")
        parts = [part.to(x.device).expand(len(x)) if part.ndim == 0 else part for part in self.parts()]
        for part in parts:
            if len(part) != len(x):
                raise UserError(
                    f"the energy is bound to a condition of {len(part)} rows, but x has {len(x)}; use select or expand"
                )
        return self.terms[0](x, parts[0] if self.count == 1 else tuple(parts))


class Pinned(Composite):
    """E over the free entries, the others held; see `Energy.pin`."""

    x: Tensor
    free: Tensor

    def __init__(self, energy: Energy, x: Tensor, free: Tensor) -> None:
        super().__init__([energy])
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
        return self.terms[0].project(torch.where(self.free, x, self.x))

    def mask_gradient(self, grad: Tensor) -> Tensor:
        return self.terms[0].mask_gradient(grad * self.free)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        if x.shape != self.x.shape:
            raise UserError(f"the energy is pinned at x of shape {tuple(self.x.shape)}, got {tuple(x.shape)}")
        return self.values(torch.where(self.free, x, self.x), y)[0]


def mixture(energies: Sequence[Energy], log_weights: Sequence[float] | Tensor | None = None) -> Energy:
    """A or B: -log sum_i exp(log_weights_i - E_i(x)), with weights of one by default.

    The energies are unnormalised: without `log_weights`, each counts by its own Z.
    """
    if log_weights is None:
        log_weights = torch.zeros(len(energies))
    return Mixture(energies, torch.as_tensor(log_weights, dtype=torch.get_default_dtype()))


def mean(energies: Sequence[Energy]) -> Energy:
    """The average energy of several, as of an ensemble of models."""
    require(len(energies) > 0, "an energy cannot be made of no energies")
    return Combination.of(*[(1.0 / len(energies), energy) for energy in energies])
