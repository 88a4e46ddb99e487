"""Updates of training, visits to replay buffers and annealing, by this library and its rivals."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import torch
from rivals import chains, ebmkit, peer, torchebm
from torch import Tensor, nn
from torch.nn import functional as F

from energybased import HMC, MALA, Energy, Langevin, Network, Pixels, StandardNormal
from energybased.devices import bfloat16_pays
from energybased.energies import Ratio, Reconstruction
from energybased.latent import LatentStage, Posterior, StagedPrior, StageRatio
from energybased.networks import MLP, BatchedMLP, BFloat16, dense_generator
from energybased.objectives import Batch, ContrastiveDivergence, Objective
from energybased.sampling import ReplayBuffer
from energybased.sampling.annealed import anneal

RESTART, KERNEL = 0.05, Langevin.overdamped(0.1)
DIM, EVENT, STAGE, CHAINS, POOL, ROWS = 16, (1, 28, 28), 2, 10_000, 5000, 300
POSTERIOR = Posterior(0.15, Langevin.overdamped(0.1), 20, "compiled")
PRIOR, PRIOR_STEPS, PRIOR_ENGINE = MALA(0.2), 3, "compiled"
PATH, LEVELS = HMC(0.2, 5), 20
Loss = Callable[[], Tensor]
Runs = dict[str, Callable[[], object]]  # "program precision" -> function that is timed


def halves() -> tuple[bool, ...]:
    """Whether to race in bfloat16: never, and also if it pays."""
    return (False, True) if bfloat16_pays(torch.device("cpu")) else (False,)


def updates(dim: int, hidden: tuple[int, ...], batch: int, steps: int, persistent: bool) -> Runs:
    """One update of contrastive divergence with Adam by each program, with equal networks and buffers.

    If not `persistent`, chains start at uniform noise; those of torchebm at the data.
    """
    runs, programs = {}, {"ours": _ours, "torchebm": _torchebm, "ebmkit": _ebmkit}
    programs |= {who: partial(_plain, who) for who in ("plain", "compiled step")}
    for half, (who, make) in product(halves(), programs.items()):
        torch.manual_seed(0)
        net, data = MLP(dim, hidden), torch.rand(batch, dim)
        runs[f"{who} {'bfloat16' if half else 'float32'}"] = learning(make(net, data, steps, half, persistent), net)
    return runs


def learning(loss: Loss, *nets: nn.Module) -> Callable[[], None]:
    adam = torch.optim.Adam([p for net in nets for p in net.parameters()], 1e-4, fused=True)

    def learn() -> None:
        value = loss()
        adam.zero_grad()
        value.backward()
        adam.step()

    return learn


def of_objective(objective: Objective, parts: dict[str, nn.Module], batch: Batch) -> Loss:
    """The sum of the losses of an objective, whose state is passed from update to update."""
    rng = torch.Generator().manual_seed(0)
    state = objective.init(parts, batch, rng)

    def value() -> Tensor:
        nonlocal state
        result = objective.step(parts, state, batch, rng)
        state = result.state
        return torch.stack(list(result.losses.values())).sum()

    return value


def _ours(net: MLP, data: Tensor, steps: int, half: bool, persistent: bool) -> Loss:
    buffer = ReplayBuffer(10 * len(data), restart=RESTART) if persistent else ReplayBuffer(len(data), restart=1.0)
    objective = ContrastiveDivergence(KERNEL, steps, buffer, 0.0, engine="compiled")
    return of_objective(objective, {"energy": Network(BFloat16(net) if half else net)}, Batch(data, domain=Pixels()))


def _torchebm(net: MLP, data: Tensor, steps: int, half: bool, persistent: bool) -> Loss:
    from torchebm.losses import ContrastiveDivergence as Theirs

    model, kept = peer(net), {"persistent": persistent, "buffer_size": 10 * len(data), "init_steps": 0}
    loss = Theirs(model, torchebm(model, KERNEL), k_steps=steps, energy_reg_weight=0.0, **kept)

    def value() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return loss(data)[0]

    return value


def _ebmkit(net: MLP, data: Tensor, steps: int, half: bool, persistent: bool) -> Loss:
    import ebm

    sampler, shape = ebmkit(KERNEL), data.shape[1:]
    sampler.steps = steps
    buffer = ebm.ReplayBuffer(10 * len(data), shape, RESTART, torch.rand) if persistent else None
    loss = ebm.ContrastiveDivergence(sampler, buffer, init_fn=torch.rand)

    def value() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return loss(net, data).loss

    return value


def _plain(who: str, net: MLP, data: Tensor, steps: int, half: bool, persistent: bool) -> Loss:
    """A loop with the chains of one rival. With those of "compiled step", the loss is compiled as well."""
    batch, dim = data.shape
    kept, run = torch.rand(10 * batch, dim), chains(net, KERNEL, half)[who]

    def contrast(negatives: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            positive, negative = net(torch.cat([data, negatives])).float().chunk(2)
        return positive.mean() - negative.mean()

    loss = torch.compile(contrast) if who == "compiled step" else contrast

    def value() -> Tensor:
        start, rows = torch.rand(batch, dim), torch.randint(len(kept), (batch,))
        if persistent:
            start = torch.where(torch.rand(batch, 1) < RESTART, start, kept[rows])
        net.requires_grad_(False)
        negatives = run(start, steps)
        net.requires_grad_()
        if persistent:
            kept[rows] = negatives
        return loss(negatives)

    return value


def buffers(capacity: int, batch: int = 128) -> Runs:
    """Sampling a batch of 28 x 28 pictures and writing it back. The buffer of torchebm is a part of its loss."""
    rng = torch.Generator().manual_seed(0)
    fresh = lambda n: torch.rand((n, *EVENT), generator=rng)  # noqa: E731
    buffer = ReplayBuffer(capacity, restart=RESTART)
    state = buffer.init(fresh, rng)
    kept = torch.rand(capacity, *EVENT)

    def visit() -> None:
        drawn = buffer.sample(state, batch, fresh, rng)
        buffer.write(state, drawn.slots, drawn.x)

    def plain_visit() -> None:
        rows = torch.randint(capacity, (batch,))
        anew = (torch.rand(batch) < RESTART).view(-1, 1, 1, 1)
        kept[rows] = torch.where(anew, torch.rand(batch, *EVENT), kept[rows])

    return {"ours float32": visit, "plain float32": plain_visit}


def latent_updates(batch: int = 100) -> Runs:
    """One update in the third stage: chains on posterior and prior, the losses of the generator and of the stage."""
    x, runs = torch.rand(batch, *EVENT), {}
    for half, who in product(halves(), ("ours", "ebmkit", "plain", "compiled step")):
        torch.manual_seed(0)
        logits, generator = small_ratios(), dense_generator(DIM, (256, 512), EVENT)
        learns = logits if who == "ours" else logits.one(STAGE)
        ours = _our_stage(logits, generator, x, half) if who == "ours" else None
        loss = ours or _plain_stage(who, logits, learns, generator, x, half)
        runs[f"{who} {'bfloat16' if half else 'float32'}"] = learning(loss, learns, generator)
    return runs


def small_ratios() -> BatchedMLP:
    """Logits of three stages that have learned something."""
    logits = BatchedMLP(DIM, (200, 200), STAGE + 1)
    nn.init.normal_(logits.weights[-1], std=0.07)
    return logits


def in_turn(logits: BatchedMLP, count: int) -> Energy:
    """A standard normal and the first `count` ratios, each a separate network."""
    return sum((Ratio(logits.one(k)) for k in range(count)), start=StandardNormal(logits.weights[0].shape[1]))


def _our_stage(logits: BatchedMLP, generator: nn.Module, x: Tensor, half: bool) -> Loss:
    prior = StagedPrior(StandardNormal(DIM), logits)
    prior.active[:STAGE] = 1
    ratio = StageRatio(STAGE, PRIOR, PRIOR_STEPS, CHAINS, saturated=0.0, engine=PRIOR_ENGINE)
    objective = LatentStage(ratio, POSTERIOR, pool=POOL, rows=ROWS)
    return of_objective(objective, {"prior": prior, "generator": BFloat16(generator) if half else generator}, Batch(x))


def _plain_stage(who: str, logits: BatchedMLP, learns: nn.Module, generator: nn.Module, x: Tensor, half: bool) -> Loss:
    """A loop with the chains of one rival. With those of "compiled step", the loss is compiled as well."""
    before = in_turn(logits, STAGE).requires_grad_(False)
    kept, pool = torch.randn(CHAINS, DIM), torch.randn(POOL, DIM)
    posterior = chains(before + Reconstruction(generator, x, POSTERIOR.sigma), POSTERIOR.kernel, half)[who]
    prior = chains(before, PRIOR, half)[who]

    def summed(z: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            error = (generator(z) - x).square().flatten(1).sum(1)
            positive, negative = learns(positives), learns(negatives)
        return error.float().mean() + F.softplus(-positive).mean() + F.softplus(negative).mean()

    loss = torch.compile(summed) if who == "compiled step" else summed

    def value() -> Tensor:
        generator.requires_grad_(False)
        z = posterior(torch.randn(len(x), DIM), POSTERIOR.steps)
        generator.requires_grad_()
        pool[torch.randint(POOL, (len(x),))] = z
        rows = torch.randint(CHAINS, (ROWS,))
        kept[rows] = negatives = prior(kept[rows], PRIOR_STEPS)
        return loss(z, pool[torch.randint(POOL, (ROWS,))], negatives)

    return value


def anneals(n: int) -> Runs:
    """Annealed importance sampling of n chains through a prior of three ratios; ebmkit adds all three at once."""
    import ebm

    prior = StagedPrior(StandardNormal(DIM), small_ratios()).requires_grad_(False)
    prior.active[:] = 1
    start, sampler = prior.base.sample(n), ebmkit(PATH)
    return {
        "ours float32": lambda: anneal(prior.base, prior.ratios(STAGE + 1), start, PATH, LEVELS, engine="compiled"),
        "eager float32": lambda: anneal(prior.base, prior.ratios(STAGE + 1), start, PATH, LEVELS),
        "ebmkit float32": lambda: ebm.ais_log_z(
            prior, (DIM,), n_temps=(STAGE + 1) * LEVELS, n_chains=n, sampler=sampler
        ),
    }
