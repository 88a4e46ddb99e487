"""An energy of rows that was fitted in parts, with what it gave to training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from energybased.energies.surprisal import Surprisal
from energybased.energy import Energy


@dataclass(frozen=True)
class Expert:
    """A term of a sum of surprisals.

    Args:
        surprisal: of one energy.
        weight: of the term.
        held_out: weighted surprisals `(n,)` of training rows, each compared with the others.
    """

    surprisal: Surprisal
    weight: float
    held_out: Tensor

    @staticmethod
    def of(energy: Energy, energies: Tensor, references: Tensor, weight: float) -> Expert:
        """The surprisal of an energy that gave training rows `energies` `(n,)`, of which some are references."""
        surprisal = Surprisal(energy, energies[references])
        others = surprisal.of(energies)
        return Expert(surprisal, weight, weight * surprisal.of(energies, own=1).where(references, others))


@dataclass(frozen=True)
class Folds:
    """Energies of rows, one for each part of the training rows, which was not fitted to that part.

    The energy of a fold is the sum of a common energy and one of its own.

    Args:
        common: maps rows `(n, d)` to `(n,)`; None if there is none.
        own: the energy of each fold; none if the common one is all there is.
        references: for each fold, its energies of its part of the training rows, sorted.
    """

    common: Energy | None
    own: Sequence[Energy]
    references: Sequence[Tensor]

    def energies(self, x: Tensor) -> Tensor:
        """The energies `(folds, n)` of rows x `(n, d)`."""
        own = [energy(x) for energy in self.own]
        if self.common is None:
            return torch.stack(own)
        common = self.common(x)
        return torch.stack([common + each for each in own]) if own else common[None]


def product(experts: Sequence[Expert]) -> tuple[Energy, Tensor]:
    """The weighted sum of the experts' surprisals, and that of training rows, `(n,)`."""
    terms = [expert.weight * expert.surprisal for expert in experts]
    return sum(terms[1:], terms[0]), torch.stack([expert.held_out for expert in experts]).sum(0)
