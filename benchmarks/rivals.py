"""Chains, updates of training and visits to replay buffers, by this library, torchebm and plain PyTorch loops."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from energybased import HMC, MALA, Energy, Langevin, Network, Pixels, StandardNormal
from energybased.energies import Ratio, Reconstruction
from energybased.latent import LatentStage, Posterior, StagedPrior, StageRatio
from energybased.networks import MLP, BatchedMLP, BFloat16, dense_generator
from energybased.objectives import Batch, ContrastiveDivergence, Objective
from energybased.sampling import Kernel, ReplayBuffer

STEP = 0.1
RESTART, KERNEL = 0.05, Langevin.overdamped(STEP)
DIM, EVENT, STAGE, CHAINS, POOL, ROWS = 16, (1, 28, 28), 2, 10_000, 5000, 300
POSTERIOR = Posterior(0.15, Langevin.overdamped(0.1), 20, "compiled")
PRIOR, PRIOR_STEPS = MALA(0.2), 3
Loss = Callable[[], Tensor]
Runs = dict[str, Callable[[], object]]  # "program precision" -> function that is timed


def plain(module: nn.Module, start: Tensor, kernel: Kernel, steps: int, half: bool) -> Tensor:
    """Chains as a careful user would write them: frozen weights, no graph between steps, one gradient per step."""

    def evaluate(x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.detach().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            energy = module(x)
        (gradient,) = torch.autograd.grad(energy.float().sum(), x)
        return energy.detach().float(), gradient

    x = start
    if isinstance(kernel, Langevin):
        for _ in range(steps):
            x = x - kernel.step_size * evaluate(x)[1] + kernel.noise_scale * torch.randn_like(x)
        return x
    now = (x, *evaluate(x))
    for _ in range(steps):
        propose = _mala if isinstance(kernel, MALA) else _hmc
        moved, log_ratio = propose(evaluate, kernel, *now)
        accepted = torch.rand_like(log_ratio).log() < log_ratio
        wide = accepted.view(-1, *[1] * (x.ndim - 1))
        now = tuple(torch.where(accepted if b.ndim == 1 else wide, b, a) for a, b in zip(now, moved, strict=True))
    return now[0]


def _mala(evaluate, kernel: MALA, x: Tensor, energy: Tensor, gradient: Tensor):
    """The proposal with its energy and gradient, and the logarithm of its acceptance ratio."""
    step, noise = kernel.step_size, torch.randn_like(x)
    moved = x - 0.5 * step**2 * gradient + step * noise
    new_energy, new_gradient = evaluate(moved)
    back = (x - moved + 0.5 * step**2 * new_gradient) / step
    log_ratio = energy - new_energy + 0.5 * (noise.square() - back.square()).flatten(1).sum(1)
    return (moved, new_energy, new_gradient), log_ratio


def _hmc(evaluate, kernel: HMC, x: Tensor, energy: Tensor, gradient: Tensor):
    step, momentum = kernel.step_size, torch.randn_like(x)
    before = energy + 0.5 * momentum.square().flatten(1).sum(1)
    for _ in range(kernel.leapfrog_steps):
        momentum = momentum - 0.5 * step * gradient
        x = x + step * momentum
        energy, gradient = evaluate(x)
        momentum = momentum - 0.5 * step * gradient
    return (x, energy, gradient), before - energy - 0.5 * momentum.square().flatten(1).sum(1)


def peer(module: nn.Module) -> nn.Module:
    """The network as a model of torchebm."""
    from torchebm.core import BaseModel

    class Model(BaseModel):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
            return self.module(x) if y is None else self.module(x, y)

    return Model()


def sampler(model: nn.Module, kernel: Kernel):
    """The sampler of torchebm with the steps of the kernel; None if it has no such sampler."""
    from torchebm.samplers import HamiltonianMonteCarlo, LangevinDynamics

    if isinstance(kernel, HMC):
        return HamiltonianMonteCarlo(model, step_size=kernel.step_size, n_leapfrog_steps=kernel.leapfrog_steps)
    if isinstance(kernel, Langevin):
        # Its Euler-Maruyama step is x - h grad + sqrt(2 h) noise_scale eps: at temperature 1 that is the others'.
        return LangevinDynamics(model, step_size=kernel.step_size, noise_scale=1.0)
    return None


def torchebm(sampler, start: Tensor, steps: int, half: bool) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        return sampler.sample(x=start, n_steps=steps)


def updates(dim: int, hidden: tuple[int, ...], batch: int, steps: int) -> Runs:
    """One update of persistent contrastive divergence with Adam by each program, with equal networks and buffers."""
    runs: Runs = {}
    for half in (False, True):
        data = torch.rand(batch, dim)
        torch.manual_seed(0)
        for who in ("ours", "torchebm", "plain"):
            net = MLP(dim, hidden)
            loss = {"ours": _ours, "torchebm": _torchebm, "plain": _plain}[who](net, data, steps, half)
            runs[f"{who} {'bfloat16' if half else 'float32'}"] = learning(loss, net)
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
        losses, state, _ = objective.step(parts, state, batch, rng)
        return torch.stack(list(losses.values())).sum()

    return value


def _ours(net: MLP, data: Tensor, steps: int, half: bool) -> Loss:
    buffer = ReplayBuffer(10 * len(data), restart=RESTART)
    objective = ContrastiveDivergence(KERNEL, steps, buffer, 0.0, engine="compiled")
    return of_objective(objective, {"energy": Network(BFloat16(net) if half else net)}, Batch(data, domain=Pixels()))


def _torchebm(net: MLP, data: Tensor, steps: int, half: bool) -> Loss:
    from torchebm.losses import ContrastiveDivergence as Theirs

    model = peer(net)
    chains = sampler(model, KERNEL)
    loss = Theirs(model, chains, k_steps=steps, persistent=True, buffer_size=10 * len(data), init_steps=0)

    def value() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return loss(data)[0]

    return value


def _plain(net: MLP, data: Tensor, steps: int, half: bool) -> Loss:
    batch, dim = data.shape
    kept = torch.rand(10 * batch, dim)

    def value() -> Tensor:
        rows = torch.randint(len(kept), (batch,))
        start = torch.where(torch.rand(batch, 1) < RESTART, torch.rand(batch, dim), kept[rows])
        net.requires_grad_(False)
        negatives = plain(net, start, KERNEL, steps, half)
        net.requires_grad_()
        kept[rows] = negatives
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return net(data).float().mean() - net(negatives).float().mean()

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
    for half in (False, True):
        for who in ("ours", "plain"):
            torch.manual_seed(0)
            logits, generator = BatchedMLP(DIM, (200, 200), STAGE + 1), dense_generator(DIM, (256, 512), EVENT)
            with torch.no_grad():
                logits.weights[-1].normal_(std=0.07)
            learns = logits if who == "ours" else logits.one(STAGE)
            ours = _our_stage(logits, generator, x, half) if who == "ours" else None
            loss = ours or _plain_stage(logits, learns, generator, x, half)
            runs[f"{who} {'bfloat16' if half else 'float32'}"] = learning(loss, learns, generator)
    return runs


def in_turn(logits: BatchedMLP, count: int) -> Energy:
    """A standard normal and the first `count` ratios, each a separate network."""
    return sum((Ratio(logits.one(k)) for k in range(count)), start=StandardNormal(logits.weights[0].shape[1]))


def _our_stage(logits: BatchedMLP, generator: nn.Module, x: Tensor, half: bool) -> Loss:
    prior = StagedPrior(StandardNormal(DIM), logits)
    prior.active[:STAGE] = 1
    ratio = StageRatio(STAGE, PRIOR, PRIOR_STEPS, CHAINS, saturated=0.0)
    objective = LatentStage(ratio, POSTERIOR, pool=POOL, rows=ROWS)
    return of_objective(objective, {"prior": prior, "generator": BFloat16(generator) if half else generator}, Batch(x))


def _plain_stage(logits: BatchedMLP, learns: nn.Module, generator: nn.Module, x: Tensor, half: bool) -> Loss:
    before = in_turn(logits, STAGE)
    chains, pool = torch.randn(CHAINS, DIM), torch.randn(POOL, DIM)

    def value() -> Tensor:
        generator.requires_grad_(False)
        posterior = before + Reconstruction(generator, x, POSTERIOR.sigma)
        z = plain(posterior, torch.randn(len(x), DIM), POSTERIOR.kernel, POSTERIOR.steps, half)
        generator.requires_grad_()
        pool[torch.randint(POOL, (len(x),))] = z
        rows = torch.randint(CHAINS, (ROWS,))
        chains[rows] = negatives = plain(before, chains[rows], PRIOR, PRIOR_STEPS, half)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            error = (generator(z) - x).square().flatten(1).sum(1)
            positive, negative = learns(pool[torch.randint(POOL, (ROWS,))]), learns(negatives)
        return error.float().mean() + F.softplus(-positive).mean() + F.softplus(negative).mean()

    return value
