"""The energy of normal pictures, on features of a network that was trained on other pictures."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from energybased.algebra import Combination
from energybased.detectors.fold import Folds
from energybased.energies.largest import Largest
from energybased.energies.measured import Through
from energybased.energies.neighbours import Neighbours
from energybased.energies.patches import Patches
from energybased.energies.principal import PrincipalGaussian
from energybased.energies.surprisal import Surprisal
from energybased.energy import Energy

NEIGHBOURS, POINTS = 10, 10_000  # nearest pictures, and most pictures among which they are searched
NEAREST, PATCHES = 3, 4000  # nearest patches, and most patches among which they are searched
RANK, PER_DIRECTION = 256, 2  # most principal directions of the Gaussian, and fewest pictures for each
NOISE = 1e-3  # standard deviation that is added to features: pictures that are all alike have none
PARTS = 2  # of the pictures; what is fitted to one judges the other
CHUNK = 100  # pictures whose patches are compared at once


class Entries(nn.Module):
    """Some entries of rows, in a shape of their own.

    Args:
        first: the first entry.
        shape: shape that the entries have in a row of their own.
    """

    def __init__(self, first: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.first, self.shape = first, shape

    def forward(self, x: Tensor) -> Tensor:
        """The entries `(batch, *shape)` of x `(batch, d)`."""
        return x[:, self.first : self.first + torch.Size(self.shape).numel()].unflatten(1, self.shape)


def fit_pictures(features: Tensor, patches: Tensor, generator: Generator) -> tuple[Folds, Tensor]:
    """Energies of rows of features and patches, and the held-out energies `(n,)` of normal pictures.

    The energy is the larger of two surprisals. That of the whole picture is the mean of those of two energies of its
    features: distances to the nearest training pictures, and a Gaussian. That of its parts is the one of `Patches`.
    Gaussian and patches are fitted to one half of the pictures and judge the other.

    Args:
        features: of unit length, `(n, d)`.
        patches: of unit length, `(n, places, c)`.

    Returns:
        Energies of rows `(batch, d + places c)`, and those of the n pictures.
    """
    n, d = features.shape
    order = torch.randperm(n, generator=generator)
    points = order[:POINTS]
    near = Neighbours(features[points], min(NEIGHBOURS, len(points) - 1))
    near_energies = near.held_out(features, points)
    near_surprisal = Surprisal(near, near_energies)
    part = torch.empty(n, dtype=torch.int64)
    part[order] = torch.arange(n) % PARTS
    whole, parts = Entries(0, (d,)), Entries(d, tuple(patches.shape[1:]))
    own: list[Energy] = []
    references, scores = [], torch.empty_like(features[:, 0])
    for number in range(PARTS):
        mine, others = part == number, part != number
        rank = max(1, min(RANK, int(others.sum()) // PER_DIRECTION))
        gaussian, local = PrincipalGaussian.fit(features[others], rank, NOISE), fit_patches(patches[others], generator)
        known = [gaussian(features[mine]), torch.cat([local(each.double()) for each in patches[mine].split(CHUNK)])]
        gaussian_surprisal, local_surprisal = (
            Surprisal(e, held) for e, held in zip((gaussian, local), known, strict=True)
        )
        both = near_surprisal.of(near_energies[mine], own=1) + gaussian_surprisal.of(known[0], own=1)
        scores[mine] = torch.maximum(both / 2, local_surprisal.of(known[1], own=1))
        mean = Combination.of((0.5, Through(whole, near_surprisal)), (0.5, Through(whole, gaussian_surprisal)))
        own.append(Largest([mean, Through(parts, local_surprisal)]))
        references.append(scores[mine].sort().values)
    return Folds(None, own, references), scores


def fit_patches(patches: Tensor, generator: Generator) -> Patches:
    """The energy of the patches of pictures `(n, places, c)`: distances to some of them."""
    points = patches.flatten(0, 1)
    points = points[torch.randperm(len(points), generator=generator)[:PATCHES]].double()
    return Patches(points, min(NEAREST, len(points) - 1))
