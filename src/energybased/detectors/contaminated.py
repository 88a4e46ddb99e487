"""The energy of normal rows of a table that also holds anomalies."""

from __future__ import annotations

import torch
from scipy.stats import norm
from torch import Generator, Tensor

from energybased.detectors.fold import Folds
from energybased.detectors.normal import REFERENCES
from energybased.energies.neighbours import Neighbours
from energybased.energies.surprisal import Surprisal
from energybased.energies.tails import Tails

POINTS = 4000  # most rows among which neighbours are searched
FIRST, SECOND = 0.1, 0.05  # part of these rows that are neighbours, before and after the trimming
KEPT = 0.8  # part of the rows that are left after the trimming
TAILS = 0.25  # weight of the tails, beside 1 for neighbours
SPREAD = 1e-6  # smallest unit of energies; below it, the unit is 1


def trimmed(x: Tensor, generator: Generator) -> Tensor:
    """Which of the rows x `(n, d)` are the most normal four fifths, boolean `(n,)`.

    Neighbours are a tenth of the rows, so that anomalies that lie together do not hide each other. Two energies are
    summed, as surprisals: in standardised columns, and in columns that are mapped to normal scores.
    """
    energies = torch.zeros(len(x), dtype=x.dtype)
    for seen in (x, normal_scores(x)):
        near, own = neighbours(seen, FIRST, generator)
        energies += Surprisal(near, own).of(own, own=1)
    kept = torch.zeros(len(x), dtype=torch.bool)
    kept[energies.argsort()[: max(2, round(KEPT * len(x)))]] = True
    return kept


def fit_contaminated(x: Tensor, kept: Tensor, generator: Generator) -> tuple[Folds, Tensor]:
    """The energy of rows x `(n, d)`, float64, standardised by those that are kept, and its energies `(n,)` of all rows.

    It is the sum of `Neighbours` and a quarter of `Tails`, both of the kept rows, each in units of the distance from
    the median to the upper quartile of its energies of these rows.
    """
    near, own = neighbours(x[kept], SECOND, generator)
    rows = x[kept][torch.randperm(int(kept.sum()), generator=generator)[:REFERENCES]]
    tails = Tails(rows)
    unit, tail_unit = spread(own), spread(tails.among_rows(rows))
    energy = near / unit + (TAILS * tails) / tail_unit
    near_energies = torch.empty_like(x[:, 0])
    near_energies[kept], near_energies[~kept] = own, near(x[~kept])
    tail_energies = tails(x)
    tail_energies[kept] = tails.among_rows(x[kept])
    energies = near_energies / unit + TAILS * tail_energies / tail_unit
    return Folds(energy, [], [energies.sort().values]), energies


def spread(energies: Tensor) -> float:
    """The distance from the median to the upper quartile of energies `(n,)`; 1 if most of them are equal."""
    low, high = energies.quantile(torch.tensor([0.5, 0.75], dtype=energies.dtype))
    return float(high - low) if high - low > SPREAD else 1.0


def neighbours(x: Tensor, part: float, generator: Generator) -> tuple[Neighbours, Tensor]:
    """The neighbours among some of the rows x `(n, d)`, and the energies `(n,)` of all, each compared with others."""
    points = torch.randperm(len(x), generator=generator)[:POINTS]
    near = Neighbours(x[points], min(max(1, round(part * len(points))), len(points) - 1))
    return near, near.held_out(x, points)


def normal_scores(x: Tensor) -> Tensor:
    """Each column of x `(n, d)` mapped to the normal quantiles of its ranks, of which equal entries have the mean."""
    columns = x.T.contiguous()
    ordered = columns.sort(1).values
    below, up_to = (torch.searchsorted(ordered, columns, right=right) for right in (False, True))
    return torch.from_numpy(norm.ppf(((below + up_to).double() / 2 + 0.5).numpy() / (len(x) + 1))).T
