"""Numbers that a statistic cannot use."""

from __future__ import annotations

from torch import Tensor

from energybased.errors import require


def require_finite(what: str, *values: Tensor) -> None:
    """Raises `UserError` unless all values are finite; a comparison with a NaN would hide it."""
    lost = sum(int((~part.isfinite()).sum()) for part in values)
    count = sum(part.numel() for part in values)
    require(lost == 0, f"{lost} of {count} {what} are not finite: the model or the judge has diverged")
