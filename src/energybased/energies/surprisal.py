"""An energy on the scale of probabilities."""

from __future__ import annotations

import torch
from torch import Tensor

from energybased.algebra import Composite
from energybased.energy import Condition, Energy
from energybased.errors import require

TAIL = 0.1  # part of the references whose mean excess is the unit beyond the highest
SPREAD = 1e-9  # smallest unit, if all references are alike


class Surprisal(Composite):
    """-log p(E(x)), where p is the share of reference energies that are at least E(x).

    p(e) = (1 + number of references >= e) / (n + 1) is the conformal p-value (Vovk et al. 2005). So energies of any
    units become comparable, and their sum is Fisher's combination of p-values (1925). Beyond the highest reference,
    where p is constant, log(1 + excess) is added, with the excess in units of the mean excess of the highest tenth. So
    rows keep their order there, and a single energy cannot decide alone.

    Args:
        energy: E.
        references: energies of examples that E was not fitted to, `(n,)`.

    Raises:
        UserError: if there are no references, or some are not finite.

    >>> from energybased.energies import StandardNormal
    >>> Surprisal(StandardNormal(1), torch.tensor([0.0, 1.0, 2.0]))(torch.tensor([[0.0], [1.5], [3.0]])).exp()
    tensor([ 1.,  2., 24.])
    """

    references: Tensor

    def __init__(self, energy: Energy, references: Tensor) -> None:
        super().__init__([energy])
        usable = references.ndim == 1 and len(references) > 0 and bool(references.isfinite().all())
        require(usable, "the energies of references must be finite, and there must be one")
        self.register_buffer("references", references.sort().values)

    def rebuild(self, terms: list[Energy]) -> Energy:  # type: ignore[override]
        return Surprisal(terms[0], self.references)

    def forward(self, x: Tensor, y: Condition | None = None) -> Tensor:
        return self.of(self.values(x, y)[0])

    def of(self, energies: Tensor, own: int = 0) -> Tensor:
        """The surprisal of energies `(batch,)`.

        Args:
            own: 1 if each energy is one of the references, which is then not counted; else 0.
        """
        n, highest = len(self.references), self.references[-1]
        if own and n > 1:  # the highest reference is beyond the others
            highest = torch.where(energies >= highest, self.references[-2], highest)
        above = n - torch.searchsorted(self.references, energies.contiguous())
        highest_tenth = self.references[-max(2, int(TAIL * n)) :]
        unit = (highest_tenth - highest_tenth[0]).mean().clamp_min(SPREAD)
        beyond = ((energies - highest) / unit).clamp_min(0).log1p()
        return beyond - ((above + 1.0 - own) / (n + 1 - own)).to(energies).log()
