"""An energy, and the algebra that makes new energies out of old ones.

An energy maps a batch `x` of shape `(batch, *event)` to energies of shape `(batch,)`. It defines the density
p(x) = exp(-E(x)) / Z, so that a low energy means a high density. Everything else in this library samples from energies
or compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, ClassVar, Union, cast

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from energybased.errors import UserError, require

Condition = Union[Tensor, tuple[Tensor, ...]]
Rows = Union[Tensor, slice, Sequence[int]]
NUMBER = (int, float, Real)  # Real includes the numbers of numpy
Array = Union[Tensor, NDArray[Any]]
EnergyLike = Union["Energy", nn.Module, Callable[..., Tensor]]  # maps (batch, *event) to (batch,)


def as_tensor(values: Any) -> Tensor:
    """Returns a tensor unchanged; converts a numpy array (keeping its dtype) or nested lists to a tensor on the CPU."""
    return values if isinstance(values, Tensor) else torch.as_tensor(values, device="cpu")


def as_floats(values: Any) -> Tensor:
    """As `as_tensor`, and converts integers to torch's default floating-point dtype."""
    tensor = as_tensor(values)
    return tensor if tensor.is_floating_point() else tensor.to(torch.get_default_dtype())


def as_energy(function: EnergyLike) -> Energy:
    """Returns an energy unchanged, and wraps any other module or function in a `Network`.

    Args:
        function: maps `(batch, *event)` to `(batch,)`.

    Raises:
        UserError: if `function` cannot be called.

    >>> as_energy(lambda x: x.square().sum(1))(torch.ones(3, 2))
    tensor([2., 2., 2.])
    """
    if isinstance(function, Energy):
        return function
    usable = callable(function) and not isinstance(function, type)
    require(usable, f"{function!r} is not an energy: it must map x of shape (batch, *event) to shape (batch,)")
    return Network(function)


class Energy(nn.Module):
    """Base class of all energies. Subclasses define `forward(x, y=None)`.

    Energies can be added, subtracted, and multiplied by numbers. `a | b` is their mixture.

    >>> from energybased.energies import StandardNormal
    >>> a, b = StandardNormal(2), StandardNormal(2)
    >>> x = torch.ones(3, 2)
    >>> (a + 2.0 * b)(x)
    tensor([3., 3., 3.])
    """

    __array_ufunc__: ClassVar[None] = None  # so that numpy leaves `np.float64(2) * energy` to `__rmul__`

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        """Energies `(batch,)` of x `(batch, *event)`, under the condition y if the energy takes one."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, x: Tensor, y: Condition | None = None) -> Tensor:
        values = super().__call__(x, y)
        if not isinstance(values, Tensor) or values.shape != x.shape[:1]:
            made = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else f"a {type(values).__name__}"
            raise UserError(
                f"an energy maps x of shape {tuple(x.shape)} to shape {tuple(x.shape[:1])}, "
                f"but {type(self).__name__} returned {made}"
            )
        return values

    def value_and_grad(self, x: Tensor, y: Condition | None = None) -> tuple[Tensor, Tensor]:
        """Energies `(batch,)` and their gradients with respect to x, `(batch, *event)`.

        Under `torch.no_grad()` (as inside `sample`) both results are detached. In grad mode
        both are differentiable in x and in the parameters.

        Raises:
            UserError: if the energies are not differentiable in x.

        >>> from energybased.energies import StandardNormal
        >>> with torch.no_grad():
        ...     StandardNormal(2).value_and_grad(torch.ones(1, 2))
        (tensor([1.]), tensor([[1., 1.]]))
        """
        graph = torch.is_grad_enabled()
        with torch.inference_mode(False), torch.enable_grad():
            fixed = x.clone() if x.is_inference() else x.detach()
            leaf = x if graph and x.requires_grad else fixed.requires_grad_()
            values = self(leaf, y)
            require(values.requires_grad, f"{type(self).__name__} returned energies that torch cannot differentiate")
            (grad,) = torch.autograd.grad(values.sum(), leaf, create_graph=graph)
        return (values if graph else values.detach()), self.mask_gradient(grad)

    # An energy may hold tensors with one entry per row of the batch, such as a condition. `select` and `expand` select
    # and repeat the entries of these tensors in the same way as the rows of the batch.

    @property
    def bound(self) -> bool:
        """Whether the energy already holds its condition, so that `forward` takes none."""
        return False

    def select(self, rows: Rows) -> Energy:
        """The energy of these rows of the batch. An energy that holds no tensor per row is returned unchanged."""
        return self

    def expand(self, n: int) -> Energy:
        """The energy of a batch with every row repeated n times: row i becomes rows i*n ... i*n + n - 1."""
        return self

    def project(self, x: Tensor) -> Tensor:
        """x `(batch, *event)` with the pinned entries set to their values (see `pin`); x itself if none is pinned."""
        return x

    def mask_gradient(self, grad: Tensor) -> Tensor:
        """The gradient `(batch, *event)` with zeros at every entry that any term of the energy pins."""
        return grad

    # The algebra.

    def given(self, *y: Array | int) -> Energy:
        """E(x | y): the energy with its condition set to y. `forward` receives several conditions as a tuple.

        Args:
            y: of shape `(batch, ...)`, with one entry per row of x; an int or a 0-d tensor applies to every row.

        Raises:
            UserError: if the energy already has a condition, or later if x and y differ in their number of rows.

        >>> from energybased.energies import MLP
        >>> MLP(2, (8,), condition=3).given(1)(torch.zeros(4, 2)).shape
        torch.Size([4])
        """
        return Given(self, *y)

    def pin(self, x: Array, free: Array) -> Energy:
        """E as a function of the entries where `free` is True, with the others fixed at `x`.

        Args:
            x: `(batch, *event)`, whose entries are kept where `free` is False.
            free: boolean, broadcastable to x; True where an entry may change.

        Raises:
            UserError: if `free` is not boolean or cannot be broadcast to x.

        >>> from energybased.energies import StandardNormal
        >>> StandardNormal(2).pin(torch.ones(1, 2), torch.tensor([True, False]))(torch.zeros(1, 2))
        tensor([0.5000])
        """
        return Pinned(self, x, free)

    def __add__(self, other: EnergyLike | float) -> Energy:
        """E plus an energy: a product of experts (Hinton 2002). E plus a number: the same density."""
        if isinstance(other, NUMBER):
            return self if other == 0 else Combination.of((1.0, self), constant=float(other))  # sum() starts at 0
        return Combination.of((1.0, self), (1.0, as_energy(other)))

    def __radd__(self, other: EnergyLike | float) -> Energy:
        return self + other if isinstance(other, NUMBER) else as_energy(other) + self

    def __sub__(self, other: EnergyLike | float) -> Energy:
        return self + (-float(other) if isinstance(other, NUMBER) else -as_energy(other))

    def __rsub__(self, other: EnergyLike | float) -> Energy:
        return other + -self

    def __mul__(self, weight: float | Tensor) -> Energy:
        """The energy times a number, a 0-d tensor, or a tensor `(batch,)` with one weight per row."""
        if isinstance(weight, Tensor):
            require(weight.ndim <= 1, f"an energy is multiplied by a number or by (batch,), got {tuple(weight.shape)}")
            return Weighted(self, weight)
        return Combination.of((float(weight), self)) if isinstance(weight, NUMBER) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, divisor: float | Tensor) -> Energy:
        return self * (1.0 / divisor) if isinstance(divisor, (*NUMBER, Tensor)) else NotImplemented

    def __neg__(self) -> Energy:
        return Combination.of((-1.0, self))

    def __or__(self, other: EnergyLike) -> Energy:
        return mixture([self, other])

    def __ror__(self, other: EnergyLike) -> Energy:
        return mixture([other, self])


class Network(Energy):
    """The energy `module(x)` or, under a condition y, `module(x, y)`.

    Args:
        module: an `nn.Module` or a function that maps `(batch, *event)` to `(batch,)`.

    >>> Network(nn.Sequential(nn.Linear(2, 1), nn.Flatten(0)))(torch.zeros(3, 2)).shape
    torch.Size([3])
    """

    module: Any

    def __init__(self, module: nn.Module | Callable[..., Tensor]) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return self.module(x) if y is None else self.module(x, y)

    def extra_repr(self) -> str:
        return "" if isinstance(self.module, nn.Module) else getattr(self.module, "__name__", repr(self.module))


class Composite(Energy):
    """An energy made of other energies, its terms. Selecting rows and pinning entries applies to every term."""

    def __init__(self, terms: Sequence[EnergyLike]) -> None:
        super().__init__()
        require(len(terms) > 0, "there are no energies: at least one is needed")
        self.members = nn.ModuleList([as_energy(term) for term in terms])

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
        return self.rowwise(self.terms[0].select(rows), lambda part: part[rows])

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
