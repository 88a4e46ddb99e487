"""Whole updates of persistent contrastive divergence, and replay buffers, as ours and as the others'."""

from __future__ import annotations

from collections.abc import Callable

import torch
from cases import STEP, Runs
from rivals import peer, plain, sampler
from torch import Tensor

from energybased import Langevin, Network
from energybased.networks import MLP, BFloat16
from energybased.objectives import Batch, ContrastiveDivergence
from energybased.sampling import ReplayBuffer

RESTART, KERNEL = 0.05, Langevin.overdamped(STEP)


def updates(dim: int, hidden: tuple[int, ...], batch: int, steps: int) -> Runs:
    """One update each, Adam included, of the same network and buffer."""
    runs: Runs = {}
    for half in (False, True):
        bits, data = "bfloat16" if half else "float32", torch.rand(batch, dim)
        torch.manual_seed(0)
        nets = [MLP(dim, hidden) for _ in range(3)]
        adams = [torch.optim.Adam(net.parameters(), 1e-4, fused=True) for net in nets]
        makers = (ours(nets[0], data, steps, half), torchebm(nets[1], data, steps, half))
        losses = [*makers, plainly(nets[2], data, steps, half)]
        for who, loss, adam in zip(("ours", "torchebm", "plain"), losses, adams, strict=True):
            runs[f"{who} {bits}"] = lambda loss=loss, adam=adam: learn(loss, adam)
    return runs


def learn(loss: Callable[[], Tensor], adam: torch.optim.Optimizer) -> None:
    value = loss()
    adam.zero_grad()
    value.backward()
    adam.step()


def ours(net: MLP, data: Tensor, steps: int, half: bool) -> Callable[[], Tensor]:
    part, rng = Network(BFloat16(net) if half else net), torch.Generator().manual_seed(0)
    buffer = ReplayBuffer(10 * len(data), restart=RESTART)
    objective = ContrastiveDivergence(KERNEL, steps, buffer, 0.0, engine="compiled")
    state = objective.init({}, data, rng)
    return lambda: objective.step({"energy": part}, state, Batch(data), rng).losses["energy"]


def torchebm(net: MLP, data: Tensor, steps: int, half: bool) -> Callable[[], Tensor]:
    from torchebm.losses import ContrastiveDivergence as Loss

    model = peer(net)
    chains = sampler(model, KERNEL)
    loss = Loss(model, chains, k_steps=steps, persistent=True, buffer_size=10 * len(data), init_steps=0)

    def value() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return loss(data)[0]

    return value


def plainly(net: MLP, data: Tensor, steps: int, half: bool) -> Callable[[], Tensor]:
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
    """A batch drawn and written back; pictures of 28 x 28. torchebm's buffer is a part of its loss."""
    event, rng = (1, 28, 28), torch.Generator().manual_seed(0)
    fresh = lambda n: torch.rand((n, *event), generator=rng)  # noqa: E731
    own = ReplayBuffer(capacity, restart=RESTART)
    state = own.init(fresh, rng)
    kept = torch.rand(capacity, *event)

    def visit() -> None:
        x, slots = own.sample(state, batch, fresh, rng)
        own.write(state, slots, x)

    def plain_visit() -> None:
        rows = torch.randint(capacity, (batch,))
        anew = (torch.rand(batch) < RESTART).view(-1, 1, 1, 1)
        kept[rows] = torch.where(anew, torch.rand(batch, *event), kept[rows])

    return {"ours float32": visit, "plain float32": plain_visit}
