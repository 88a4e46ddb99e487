"""Conditions y: what kinds there are, and how a batch of them is checked, cut and joined.

A condition is a tensor, or a tuple of tensors, whose first dimension is the batch: class numbers `(batch,)`, or real
vectors `(batch, *shape)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np
import torch
from torch import Tensor

from energybased.energy import Condition, Rows
from energybased.errors import UserError, require

PART = 1 << 24  # entries of data that are looked at together


def is_number(text: str) -> bool:
    """Whether a text is that of a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Classes:
    """Class numbers `(batch,)` in 0 ... count - 1.

    Args:
        count: number of classes.
        names: the labels that the numbers stand for, in the user's data; the numbers themselves if not given.
    """

    count: int
    names: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Entries of the one-hot encoding."""
        return self.count

    def __str__(self) -> str:
        return f"a class of 0 ... {self.count - 1}"

    def number(self, label: str) -> int:
        """The number of a label. Where labels are words, the number itself is understood too.

        Raises:
            UserError: if no class has it.

        >>> Classes(2, ("cat", "dog")).number("dog"), Classes(2, ("cat", "dog")).number("1")
        (1, 1)
        """
        numbers = tuple(map(str, range(self.count)))
        names = self.names or numbers
        if label in numbers and not any(map(is_number, names)):
            return numbers.index(label)
        require(label in names, f"{label!r} is no class; the classes are {', '.join(names[:20])}")
        return names.index(label)

    def check(self, y: Any) -> Tensor:
        """y as a tensor of class numbers, 0-d or `(batch,)`; a label is looked up among the names."""
        labels = as_tensor(y, "a class is a whole number or a label, or one for each row", self.number)
        whole = labels.numel() > 0 and labels.dtype != torch.bool and not labels.is_floating_point()
        require(whole and labels.ndim <= 1, f"a class is a whole number, or a tensor (batch,) of them, got {y!r}")
        known = int(labels.min()) >= 0 and int(labels.max()) < self.count
        require(known, f"the model knows the classes 0 ... {self.count - 1}")
        return labels.long()


@dataclass(frozen=True)
class Vector:
    """Real vectors `(batch, *shape)`.

    Args:
        shape: of one condition.
        mean: of each entry in the training data; energies see (y - mean) / scale.
        scale: standard deviation of each entry; 0 for an entry that does not vary.
    """

    shape: tuple[int, ...]
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """Entries of the flattened vector."""
        return math.prod(self.shape)

    def __str__(self) -> str:
        return f"a real vector of shape {self.shape}"

    def check(self, y: Any) -> Tensor:
        """y as a floating-point tensor `shape` or `(batch, *shape)`."""
        vector = as_tensor(y, f"a condition must be real numbers of shape (batch, {', '.join(map(str, self.shape))})")
        shape = tuple(vector.shape[-len(self.shape) :])
        fits = vector.is_floating_point() and shape == self.shape and vector.ndim - len(self.shape) in (0, 1)
        got = f"{tuple(vector.shape)} of {vector.dtype}"
        require(
            fits, f"a condition must be real numbers of shape (batch, {', '.join(map(str, self.shape))}), got {got}"
        )
        require(bool(vector.isfinite().all()), "a condition has entries that are not finite")
        return vector


def as_tensor(y: Any, wanted: str, number: Callable[[str], int] | None = None) -> Tensor:
    """Numbers of any kind as a tensor, where they are; labels by their number.

    Raises:
        UserError: if y holds neither; says what is wanted.
    """
    if isinstance(y, Tensor):
        return y
    try:
        array = np.asarray(y)
        if array.dtype.kind == "U" and number is not None:
            array = np.array([number(label) for label in array.flat], dtype=np.int64).reshape(array.shape)
        tensor = torch.as_tensor(array, device="cpu")
        return tensor.to(torch.get_default_dtype()) if tensor.is_floating_point() else tensor
    except UserError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{wanted}, got {y!r}") from error


Conditions = tuple[Union[Classes, Vector], ...]


def as_conditions(condition: int | Classes | Vector | Sequence[Classes | Vector]) -> Conditions:
    """Kinds of conditions as a tuple; a number is a number of classes, and 0 is no condition.

    >>> as_conditions(10)
    (Classes(count=10, names=()),)
    """
    if isinstance(condition, int):
        return (Classes(condition),) if condition else ()
    return (condition,) if isinstance(condition, (Classes, Vector)) else tuple(condition)


def classes_of(conditions: Conditions) -> int:
    """The number of classes if a class is the one condition, else 0."""
    return conditions[0].count if len(conditions) == 1 and isinstance(conditions[0], Classes) else 0


def tensors(y: Condition | None) -> tuple[Tensor, ...]:
    """The tensors of a condition; none if there is none."""
    return () if y is None else y if isinstance(y, tuple) else (y,)


def joined(parts: Sequence[Tensor]) -> Condition | None:
    """The condition of these tensors: none, one, or a tuple."""
    return None if not parts else parts[0] if len(parts) == 1 else tuple(parts)


def mapped(y: Condition | None, change: Callable[[Tensor], Tensor]) -> Condition | None:
    """The condition with every tensor changed."""
    return joined([change(part) for part in tensors(y)])


def rows_of(y: Condition | None, rows: Rows) -> Condition | None:
    """These rows of a condition."""
    return mapped(y, lambda part: part[rows])


def concatenated(*ys: Condition | None) -> Condition | None:
    """Batches of conditions, one after the other."""
    return joined([torch.cat(parts) for parts in zip(*map(tensors, ys), strict=True)])


def check_conditions(y: Sequence[Any], conditions: Conditions) -> list[Tensor]:
    """Each part of a condition as the tensor of its kind.

    Raises:
        UserError: if there are more or fewer parts than kinds, or a part is of another kind, width or range.
    """
    told = ", ".join(map(str, conditions)) or "nothing"
    require(len(y) == len(conditions), f"the model is conditional on {told}, but {len(y)} conditions were given")
    return [kind.check(part) for kind, part in zip(conditions, y, strict=True)]


def describe(y: Condition | None, names: Sequence[Sequence[str]] = ()) -> Conditions:
    """The kinds of a training set's conditions: whole numbers `(n,)` are classes, real numbers are vectors.

    Args:
        names: of the classes, for each part; none for a part that has no names.

    Raises:
        UserError: if a part is neither.
    """
    kinds: list[Classes | Vector] = []
    for i, part in enumerate(tensors(y)):
        if part.ndim == 1 and not part.is_floating_point():
            own = tuple(names[i]) if i < len(names) else ()
            require(len(part) == 0 or int(part.min()) >= 0, "class numbers begin at 0")
            kinds.append(Classes(max(len(own), int(part.max()) + 1 if len(part) else 0), own))
        elif part.is_floating_point() and part.ndim >= 2:
            require(bool(part.isfinite().all()), "the conditions have entries that are not finite")
            mean, scale = moments(part)
            kinds.append(Vector(tuple(part.shape[1:]), mean, scale))
        else:
            got = f"{tuple(part.shape)} of {part.dtype}"
            raise UserError(f"conditions are class numbers (n,) or real vectors (n, *shape), got {got}")
    return tuple(kinds)


def moments(x: Tensor, rows: Tensor | None = None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each entry of x `(n, *event)` in float64; 0 where an entry does not vary.

    Args:
        rows: those that count; all if not given. At most `PART` entries are in memory at a time.
    """
    count, size = len(x) if rows is None else len(rows), max(1, PART // max(1, x.shape[1:].numel()))

    def parts() -> Iterator[Tensor]:
        for i in range(0, count, size):
            part = x[i : i + size] if rows is None else x[rows[i : i + size]]
            yield part.reshape(len(part), -1).double()

    first = next(parts())
    if count <= size:
        mean, scale = first.mean(0), first.std(0, correction=0)
    else:
        mean = sum(part.sum(0) for part in parts()) / count  # type: ignore[assignment]
        scale = (sum((part - mean).square().sum(0) for part in parts()) / count).sqrt()  # type: ignore[union-attr]
    constant = torch.stack([(part == first[:1]).all(0) for part in parts()]).all(0)
    mean = torch.where(constant, first[0], mean)
    return tuple(mean.tolist()), tuple(scale.masked_fill(constant, 0.0).tolist())


def numbered(labels: Any) -> tuple[Tensor, tuple[str, ...]]:
    """Labels of any kind `(n,)` as class numbers, and the label of each number; no names where they agree.

    >>> numbered(["b", "a", "b"])
    (tensor([1, 0, 1]), ('a', 'b'))
    """
    names, numbers = np.unique(np.asarray(labels), return_inverse=True)
    if np.issubdtype(names.dtype, np.floating):
        whole = bool(np.isfinite(names).all() and (names == names.astype(np.int64)).all())
        names = names.astype(np.int64) if whole else names
    plain = np.issubdtype(names.dtype, np.integer) and bool((names == np.arange(len(names))).all())
    return torch.from_numpy(numbers.reshape(-1).astype(np.int64)), () if plain else tuple(map(str, names.tolist()))
