"""How far in the tails of its columns a row lies, as an energy that needs no training."""

from __future__ import annotations

import torch
from torch import Tensor

from energybased.energy import Condition, Energy
from energybased.errors import require


class Tails(Energy):
    """The negative log of empirical tail probabilities, summed over columns (ECOD: Li et al. 2022).

    Let L_j(x) and R_j(x) be the shares of given rows whose entry j is at most, and at least, x_j. The energy is the
    largest of three sums over j: of -log L_j, of -log R_j, and of the one on the side of the column's longer tail. It
    is right for independent columns, and does not depend on their units.

    Args:
        rows: `(n, d)`.

    Raises:
        UserError: if there are no rows.

    >>> energy = Tails(torch.arange(9.0)[:, None])
    >>> energy(torch.tensor([[4.0], [8.0], [20.0]])).exp()
    tensor([ 1.6667,  5.0000, 10.0000])
    """

    columns: Tensor
    left: Tensor

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        require(rows.ndim == 2 and len(rows) > 0, f"tails need rows (n, d), got {tuple(rows.shape)}")
        self.register_buffer("columns", rows.T.contiguous().sort(1).values)
        centred = rows - rows.mean(0)
        self.register_buffer("left", centred.pow(3).mean(0) < 0)  # which columns have their longer tail on the left

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return self.terms(x, own=0).sum(-1).amax(0)

    def among_rows(self, x: Tensor) -> Tensor:
        """Energies `(batch,)` of rows x `(batch, d)` that are among the given ones, each compared with the others."""
        return self.terms(x, own=1).sum(-1).amax(0)

    def terms(self, x: Tensor, own: int = 0) -> Tensor:
        """The terms of the three sums, `(3, batch, d)`, of x `(batch, d)`.

        Args:
            own: 1 if each row is one of those given, which is then not counted; else 0.
        """
        n, columns = self.columns.shape[1], x.T.contiguous()
        at_most = torch.searchsorted(self.columns, columns, right=True).T
        at_least = n - torch.searchsorted(self.columns, columns).T
        left, right = (-((count + 1.0 - own) / (n + 1 - own)).to(x.dtype).log() for count in (at_most, at_least))
        return torch.stack([left, right, torch.where(self.left, left, right)])

    def extra_repr(self) -> str:
        return f"rows={self.columns.shape[1]}, columns={len(self.columns)}"
