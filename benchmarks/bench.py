"""Chains side by side: ours, torchebm's and a plain PyTorch loop, in turn. `make bench` writes results/bench.json.

A row's value is how many times faster ours is than the faster of the others: "equal" all in float32; "best" each in
the faster of float32 and bfloat16 autocast. Compile time stands apart. Nothing else may run beside it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from rows import row, write
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from energybased import Energy, Langevin, Network, Ring, sample
from energybased.networks import MLP, Half, groups
from energybased.networks.residual import Residual
from energybased.objectives import Batch, ContrastiveDivergence
from energybased.sampling import ReplayBuffer

COMMAND = "make bench"
ROUNDS = 7
STEP = 0.1
Run = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """Chains of one network."""

    what: str
    module: nn.Module  # maps (batch, *event) to (batch,)
    start: Tensor
    steps: int
    neural: bool = True


def cases() -> list[Case]:
    torch.manual_seed(0)
    labels = torch.arange(32) % 10
    cifar = Network(Residual((3, 32, 32), 128, groups(128, 256, 256, blocks=2), 10)).given(labels).eval()
    return [
        Case("2-D ring, 10,000 chains x 100 steps", Ring(2.0, 0.3), torch.randn(10_000, 2), 100, neural=False),
        Case("MLP of 100-200-200, 128 chains x 60 steps", MLP(100, (200, 200)), torch.randn(128, 100), 60),
        Case("digits network, 256 chains x 60 steps", MLP(64, (256, 256)), torch.randn(256, 64), 60),
        Case("MNIST network, 200 chains x 20 steps", MLP(784, (1024, 512)), torch.randn(200, 784), 20),
        Case("the paper's CIFAR-10 network, 32 chains x 6 steps", cifar, torch.rand(32, 3, 32, 32), 6),
    ]


def plain(module: nn.Module, start: Tensor, steps: int, half: bool) -> Tensor:
    """As a careful user would write it."""
    x = start
    for _ in range(steps):
        x = x.detach().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            energy = module(x)
        (gradient,) = torch.autograd.grad(energy.float().sum(), x)
        x = x.detach() - 0.5 * STEP**2 * gradient + STEP * torch.randn_like(x)
    return x


def peer(module: nn.Module) -> nn.Module:
    """The same network as torchebm's model."""
    from torchebm.core import BaseModel

    class Model(BaseModel):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, x: Tensor) -> Tensor:
            return self.module(x)

    return Model()


def torchebm(model: nn.Module, start: Tensor, steps: int, half: bool) -> Tensor:
    from torchebm.samplers import LangevinDynamics

    # Its Euler-Maruyama step is x - h grad + sqrt(2 h) noise_scale eps: h = STEP^2 / 2 makes it the others'.
    sampler = LangevinDynamics(model, step_size=0.5 * STEP**2, noise_scale=1.0)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        return sampler.sample(x=start, n_steps=steps)


def contenders(case: Case) -> dict[str, Run]:
    """What runs in turn, by who and in which precision."""
    module = case.module.requires_grad_(False)
    energy = module if isinstance(module, Energy) else Network(module)
    kernel, model = Langevin.overdamped(STEP), peer(module)
    runs: dict[str, Run] = {}
    for half in (False, True) if case.neural else (False,):
        bits = "bfloat16" if half else "float32"
        ours = Network(Half(module)) if half else energy
        runs[f"ours {bits}"] = lambda e=ours: sample(e, case.start, kernel, case.steps, engine="compiled")
        runs[f"eager {bits}"] = lambda e=ours: sample(e, case.start, kernel, case.steps)
        runs[f"torchebm {bits}"] = lambda h=half: torchebm(model, case.start, case.steps, h)
        runs[f"plain {bits}"] = lambda h=half: plain(module, case.start, case.steps, h)
    return runs


def updates(what: str, dim: int, hidden: tuple[int, ...], batch: int, steps: int) -> tuple[str, dict[str, Run]]:
    """Whole updates of persistent contrastive divergence, Adam included, of the same network."""
    from torchebm.losses import ContrastiveDivergence as TheirLoss
    from torchebm.samplers import LangevinDynamics

    capacity, data = 10 * batch, torch.rand(batch, dim)
    runs: dict[str, Run] = {}
    for bits, half in (("float32", False), ("bfloat16", True)):
        torch.manual_seed(0)
        mine, theirs, other = (MLP(dim, hidden) for _ in range(3))
        part = Network(Half(mine) if half else mine)
        buffer = ReplayBuffer(capacity, restart=0.05)
        rng = torch.Generator().manual_seed(0)
        objective = ContrastiveDivergence(Langevin.overdamped(STEP), steps, buffer, 0.0, engine="compiled")
        state = objective.init({}, data, rng)
        adam = torch.optim.Adam(part.parameters(), 1e-4, fused=True)

        def ours(objective=objective, part=part, state=state, rng=rng, adam=adam) -> None:
            result = objective.step({"energy": part}, state, Batch(data), rng)
            adam.zero_grad()
            result.losses["energy"].backward()
            adam.step()

        model = peer(theirs)
        sampler = LangevinDynamics(model, step_size=0.5 * STEP**2, noise_scale=1.0)
        loss = TheirLoss(model, sampler, k_steps=steps, persistent=True, buffer_size=capacity, init_steps=0)
        their_adam = torch.optim.Adam(model.parameters(), 1e-4, fused=True)

        def torchebm_update(loss=loss, adam=their_adam, half=half) -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                value, _ = loss(data)
            adam.zero_grad()
            value.backward()
            adam.step()

        kept, own_adam = torch.rand(capacity, dim), torch.optim.Adam(other.parameters(), 1e-4, fused=True)

        def plain_update(module=other, adam=own_adam, half=half, kept=kept) -> None:
            rows = torch.randint(capacity, (batch,))
            start = torch.where(torch.rand(batch, 1) < 0.05, torch.rand(batch, dim), kept[rows])
            module.requires_grad_(False)
            negatives = plain(module, start, steps, half)
            module.requires_grad_()
            kept[rows] = negatives
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                value = module(data).float().mean() - module(negatives).float().mean()
            adam.zero_grad()
            value.backward()
            adam.step()

        runs |= {f"ours {bits}": ours, f"torchebm {bits}": torchebm_update, f"plain {bits}": plain_update}
    return what, runs


def products(half: bool) -> float:
    """This machine's rate of matrix products, in floating-point operations a second."""
    n = 2048
    a = torch.randn(n, n).to(torch.bfloat16 if half else torch.float32)
    a @ a
    began = time.perf_counter()
    for _ in range(5):
        a @ a
    return 5 * 2 * n**3 / (time.perf_counter() - began)


def race(what: str, runs: dict[str, Run]) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of each round of each, run in turn, and of each one's first run, in which it compiles."""
    first, times = {}, {name: [] for name in runs}
    for name, run in runs.items():
        began = time.perf_counter()
        run()
        first[name] = time.perf_counter() - began
        run()
    for _ in range(ROUNDS):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    print(what, {name: f"{1e3 * statistics.median(t):.1f} ms" for name, t in times.items()}, flush=True)
    return times, first


def ratios(what: str, times: dict[str, list[float]], first: dict[str, float], **more: object) -> list[dict]:
    """Two rows a case: at equal precision, and best against best."""
    median = {name: statistics.median(t) for name, t in times.items()}
    rows = []
    for kind in ("equal", "best"):
        allowed = [name for name in times if kind == "best" or name.endswith("float32")]
        mine = min((name for name in allowed if name.startswith("ours")), key=median.__getitem__)
        other = min((name for name in allowed if name.split()[0] in ("torchebm", "plain")), key=median.__getitem__)
        each = [b / a for a, b in zip(times[mine], times[other], strict=True)]
        r = row(f"{what}, {kind}", each, [0], f"{other} / {mine}, {ROUNDS} rounds in turn", COMMAND, sum(times[mine]))
        spent = {"milliseconds": {n: round(1e3 * m, 3) for n, m in median.items()}}
        rows.append(
            {**r, "value": round(median[other] / median[mine], 3), "compile_seconds": round(first[mine], 1)}
            | spent
            | more
        )
    return rows


def work(case: Case) -> float:
    """Floating-point operations of the case's chains."""
    x = case.start.clone().requires_grad_()
    with FlopCounterMode(display=False) as counter:
        torch.autograd.grad(case.module(x).sum(), x)
    return case.steps * counter.get_total_flops()


def main() -> None:
    rates = {"float32": products(False), "bfloat16": products(True)}
    rows = []
    for case in cases():
        runs = contenders(case)
        times, first = race(case.what, runs)
        share = {
            name: round(work(case) / statistics.median(t) / rates[name.split()[1]], 3) for name, t in times.items()
        }
        rows += ratios(case.what, times, first, of_product_rate=share if case.neural else {})
        write("bench.json", rows)
    for what, runs in (
        updates("an update, digits network, 5 steps", 64, (256, 256), 256, 5),
        updates("an update, MNIST network, 5 steps", 784, (1024, 512), 200, 5),
    ):
        rows += ratios(what, *race(what, runs))
        write("bench.json", rows)


if __name__ == "__main__":
    main()
