"""A whole update of a latent model in its third stage, as ours and as a plain loop has it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from cases import Runs
from pcd import learn
from rivals import plain
from torch import Tensor, nn
from torch.nn import functional as F

from energybased import MALA, Langevin, StandardNormal
from energybased.energies import Ratio, Reconstruction
from energybased.latent import LatentStage, Posterior, StagedPrior, StageRatio
from energybased.networks import BatchedMLP, BFloat16, dense_generator
from energybased.objectives import Batch

DIM, EVENT, STAGE, BANK, POOL, ROWS = 16, (1, 28, 28), 2, 10_000, 5000, 300
POSTERIOR = Posterior(0.15, Langevin.overdamped(0.1), 20, "compiled")
PRIOR, DECORRELATION_STEPS = MALA(0.2), 3


def latent_updates(batch: int = 100) -> Runs:
    """One update each, Adam included: chains on posterior and prior, the generator's loss and the stage's."""
    x, runs = torch.rand(batch, *EVENT), {}
    for half in (False, True):
        bits = "bfloat16" if half else "float32"
        for who in ("ours", "plain"):
            torch.manual_seed(0)
            logits, generator = BatchedMLP(DIM, (200, 200), STAGE + 1), dense_generator(DIM, (256, 512), EVENT)
            with torch.no_grad():
                logits.weights[-1].normal_(std=0.07)
            learning = logits if who == "ours" else logits.one(STAGE)
            rest = generator, x, half
            loss = ours(logits, *rest) if who == "ours" else plainly(logits, learning, *rest)
            adam = torch.optim.Adam([*learning.parameters(), *generator.parameters()], 1e-4, fused=True)
            runs[f"{who} {bits}"] = lambda loss=loss, adam=adam: learn(loss, adam)
    return runs


def ours(logits: BatchedMLP, generator: nn.Module, x: Tensor, half: bool) -> Callable[[], Tensor]:
    prior, rng = StagedPrior(StandardNormal(DIM), logits), torch.Generator().manual_seed(0)
    prior.active[:STAGE] = 1
    parts = {"prior": prior, "generator": BFloat16(generator) if half else generator}
    objective = LatentStage(
        StageRatio(STAGE, PRIOR, DECORRELATION_STEPS, BANK, saturated=0.0), POSTERIOR, pool=POOL, rows=ROWS
    )
    state = objective.init(parts, x, rng)

    def value() -> Tensor:
        nonlocal state
        losses, state, _ = objective.step(parts, state, Batch(x), rng)
        return torch.stack(list(losses.values())).sum()

    return value


def plainly(
    logits: BatchedMLP, learning: nn.Module, generator: nn.Module, x: Tensor, half: bool
) -> Callable[[], Tensor]:
    """Earlier stages as networks of their own, one after the other, as who learns them in turn has them."""
    before = StandardNormal(DIM)
    for k in range(STAGE):
        before = before + Ratio(logits.one(k))
    bank, pool = torch.randn(BANK, DIM), torch.randn(POOL, DIM)

    def value() -> Tensor:
        generator.requires_grad_(False)
        posterior = before + Reconstruction(generator, x, POSTERIOR.sigma)
        z = plain(posterior, torch.randn(len(x), DIM), POSTERIOR.kernel, POSTERIOR.steps, half)
        generator.requires_grad_()
        pool[torch.randint(POOL, (len(x),))] = z
        rows = torch.randint(BANK, (ROWS,))
        bank[rows] = negatives = plain(before, bank[rows], PRIOR, DECORRELATION_STEPS, half)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            off = (generator(z) - x).square().flatten(1).sum(1)
            positive = learning(pool[torch.randint(POOL, (ROWS,))])
            negative = learning(negatives)
        return off.float().mean() + F.softplus(-positive).mean() + F.softplus(negative).mean()

    return value
