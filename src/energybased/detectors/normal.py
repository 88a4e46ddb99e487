"""The energy of normal rows of a table, fitted to normal rows alone."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from energybased.data import Reals, Split
from energybased.detectors.fold import Expert, Folds, product
from energybased.energies.field_norm import FieldNorm
from energybased.energies.neighbours import Neighbours
from energybased.energies.tails import Tails
from energybased.networks.column_denoiser import ColumnDenoiser, noise_of_columns
from energybased.objectives.column_denoising import ColumnDenoising
from energybased.training import Adam, Loop, Phase, Settings
from energybased.training.batches import SplitBatches
from energybased.training.rng import preserved_rng
from energybased.training.unrecorded import trained

NEIGHBOURS = 5
POINTS = 10_000  # most rows among which neighbours are searched
REFERENCES = 50_000  # most rows of which tails and references are kept
PARTS = 2  # of the rows; for each, a denoiser is trained on the others
ENOUGH = 100  # rows from which on denoisers are trained
WEIGHTS = {"neighbours": 1.0, "tails": 0.25, "denoiser": 0.5}
HIDDEN, UPDATES, BATCH = (256, 256, 256), 1000, 256  # of each denoiser


def fit_normal(x: Tensor, generator: Generator) -> tuple[Folds, Tensor]:
    """Energies of standardised normal rows x `(n, d)`, float64, and the held-out energies `(n,)` of these rows.

    The energy is a weighted sum of the surprisals of three energies: `Neighbours`, `Tails`, and the `FieldNorm` of a
    denoiser. Neighbours and tails compare each training row with the others. Denoisers are trained on one part of the
    rows and judge the other, so there is one sum for each part; a new row has the mean of their energies. Few rows have
    no denoiser.
    """
    n = len(x)
    order = torch.randperm(n, generator=generator)
    points, kept = order[:POINTS], order[:REFERENCES]
    near = Neighbours(x[points], min(NEIGHBOURS, n - 1))
    near_energies = near.held_out(x, points)
    tails = Tails(x[kept])
    tail_energies = tails(x)
    tail_energies[kept] = tails.among_rows(x[kept])
    is_kept = torch.zeros(n, dtype=torch.bool)
    is_kept[kept] = True
    experts = [
        Expert.of(near, near_energies, is_kept, WEIGHTS["neighbours"]),
        Expert.of(tails, tail_energies, is_kept, WEIGHTS["tails"]),
    ]
    common, scores = product(experts)
    if n < ENOUGH:
        return Folds(common, [], [scores[is_kept].sort().values]), scores
    part = torch.empty(n, dtype=torch.int64)
    part[order] = torch.arange(n) % PARTS
    own, references = [], []
    for number in range(PARTS):
        mine = part == number
        learned = FieldNorm(fit_denoiser(x[~mine], generator))
        energy, held_out = product([Expert.of(learned, learned(x), is_kept & mine, WEIGHTS["denoiser"])])
        scores[mine] += held_out[mine]
        own.append(energy)
        references.append(scores[is_kept & mine].sort().values)
    return Folds(common, own, references), scores


def fit_denoiser(x: Tensor, generator: Generator) -> nn.Module:
    """A denoiser trained on standardised rows x `(n, d)`."""
    seed = int(torch.randint(2**31, (), generator=generator))
    settings = Settings(
        seed,
        BATCH,
        device="cpu",
        optimizer=Adam(2e-3, beta1=0.9, schedule="cosine", warmup=100),
        ema=0.99,
        checkpoint_every=UPDATES,
    )
    with preserved_rng():
        torch.manual_seed(seed)
        denoiser = ColumnDenoiser(noise_of_columns(x), HIDDEN)
        data = SplitBatches(Split(x.float()), Reals(), BATCH, seed)
        state = trained(Loop({"denoiser": denoiser}, [Phase(ColumnDenoising(), UPDATES)], data, settings))
    denoiser.load_state_dict(state.averages["denoiser"])
    return denoiser.eval().requires_grad_(False)
