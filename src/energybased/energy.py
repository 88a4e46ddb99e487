"""An energy, and the operators that make new energies of old ones; these are in `algebra`.

An energy maps a batch `x` of shape `(batch, *event)` to energies of shape `(batch,)`. It defines the density
p(x) = exp(-E(x)) / Z, so that a low energy means a high density. Everything else in this library samples from energies
or compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, ClassVar, Union

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


def energies_by_class(module: Callable[..., Tensor], x: Tensor, classes: int) -> Tensor:
    """The energies `(batch, classes)` that a conditional module gives x `(batch, *event)` under each class.

    A module that has all of them at once says so by a method `by_class(x, classes)`. Others are called once per class.
    """
    own: Callable[[Tensor, int], Tensor] | None = getattr(module, "by_class", None)
    if own is not None:
        return own(x, classes)
    rows = torch.zeros(len(x), dtype=torch.int64, device=x.device)
    return torch.stack([module(x, rows + y) for y in range(classes)], 1)


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

    def by_class(self, x: Tensor, classes: int) -> Tensor:
        """Energies under each class y = 0 ... classes - 1, `(batch, classes)`, of x `(batch, *event)`.

        >>> from energybased.energies import MLP
        >>> MLP(2, (8,), condition=3).by_class(torch.zeros(4, 2), 3).shape
        torch.Size([4, 3])
        """
        return energies_by_class(self.__call__, x, classes)

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
        return algebra.Given(self, *y)

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
        return algebra.Pinned(self, x, free)

    def __add__(self, other: EnergyLike | float) -> Energy:
        """E plus an energy: a product of experts (Hinton 2002). E plus a number: the same density."""
        if isinstance(other, NUMBER):
            if other == 0:
                return self  # sum() starts at 0
            return algebra.Combination.of((1.0, self), constant=float(other))
        return algebra.Combination.of((1.0, self), (1.0, as_energy(other)))

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
            return algebra.Weighted(self, weight)
        return algebra.Combination.of((float(weight), self)) if isinstance(weight, NUMBER) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, divisor: float | Tensor) -> Energy:
        return self * (1.0 / divisor) if isinstance(divisor, (*NUMBER, Tensor)) else NotImplemented

    def __neg__(self) -> Energy:
        return algebra.Combination.of((-1.0, self))

    def __or__(self, other: EnergyLike) -> Energy:
        return algebra.mixture([self, other])

    def __ror__(self, other: EnergyLike) -> Energy:
        return algebra.mixture([other, self])


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

    def by_class(self, x: Tensor, classes: int) -> Tensor:
        return energies_by_class(self.module, x, classes)

    def extra_repr(self) -> str:
        return "" if isinstance(self.module, nn.Module) else getattr(self.module, "__name__", repr(self.module))


# The operators of an energy make the energies of `algebra`, which derive from it: this is the one import of a cycle.
import energybased.algebra as algebra  # noqa: E402
