"""Speed of chains, updates and annealing of this library and of its rivals. `make bench` writes results/bench.json.

The value of a row is the time of the fastest rival divided by that of this library; its field `rival` names that rival.
In rows "equal", all compute in float32. In rows "best", each uses the faster of float32 and bfloat16 autocast, with
channels-last convolutions; a processor on which bfloat16 is slower has no such rows. Compile time is a separate field.
Rows "eager" have the time of eager chains divided by that of a plain loop. No other program may run at the same time.
`python benchmarks/bench.py WORDS` measures only the cases whose name contains these words, and keeps the other rows.
"""

from __future__ import annotations

import copy
import statistics
import sys
import time
from dataclasses import dataclass
from functools import partial

import torch
import torch._inductor.config
from losses import Runs, anneals, buffers, halves, in_turn, latent_updates, updates
from rivals import STEP
from rivals import chains as rival_chains
from rows import Measured
from startup import startups
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from energybased import HMC, MALA, Energy, Langevin, Network, Ring, StandardNormal, sample
from energybased.energies import Ratios, Reconstruction, as_energy
from energybased.networks import MLP, BatchedMLP, BFloat16, deconvolutional_generator, dense_generator, groups
from energybased.networks.generator import SVHN
from energybased.networks.residual import Residual
from energybased.sampling import Kernel

ROUNDS, PATIENCE = 7, 10.0  # most rounds; after these seconds and three rounds, a case gets no more
OURS = ("ours", "eager")  # what this library computes compiled, and eager
PERSISTENT, FRESH = "an update, PCD of 5 steps", "an update, CD of 5 steps"
Times = dict[str, list[float]]


@dataclass(frozen=True)
class Case:
    """Chains of one energy."""

    variant: str
    what: str
    module: nn.Module  # the module of the rivals: (batch, *event) -> (batch,)
    start: Tensor
    steps: int
    kernel: Kernel = Langevin.overdamped(STEP)
    ours: nn.Module | None = None  # the module of this library, if it differs
    neural: bool = True
    contiguous: nn.Module | None = None  # the module without channels-last convolutions

    def runs(self, rivals: bool = True) -> Runs:
        module, ours = self.module.requires_grad_(False), (self.ours or self.module).requires_grad_(False)
        runs: Runs = {}
        for half in halves() if self.neural else (False,):
            bits = "bfloat16" if half else "float32"
            energy = Network(BFloat16(ours)) if half else as_energy(ours)
            runs[f"ours {bits}"] = lambda e=energy: sample(e, self.start, self.kernel, self.steps, engine="compiled")
            runs[f"eager {bits}"] = lambda e=energy: sample(e, self.start, self.kernel, self.steps, engine="eager")
            theirs = module if half or self.contiguous is None else self.contiguous.requires_grad_(False)
            for who, run in rival_chains(theirs, self.kernel, half).items() if rivals else ():
                runs[f"{who} {bits}"] = partial(run, self.start, self.steps)
        return runs

    def work(self) -> float:
        """Floating-point operations of the chains."""
        leaf = self.start.clone().requires_grad_()
        with FlopCounterMode(display=False) as counter:
            torch.autograd.grad(self.module(1.0 * leaf).sum(), leaf)  # the counter cannot start at a leaf
        each = self.kernel.leapfrog_steps if isinstance(self.kernel, HMC) else 1
        return self.steps * each * counter.get_total_flops()


def chains(full: bool) -> list[Case]:
    """All cases. With `full`, the network of the paper has its batch of 128 and its 60 steps."""
    torch.manual_seed(0)
    mlp, z = MLP(100, (200, 200)), torch.randn(128, 100)
    batch, steps = (128, 60) if full else (32, 3)
    paper = Network(Residual((3, 32, 32), 128, groups(128, 256, 256, blocks=2), 10)).eval()
    labels = torch.arange(batch) % 10
    contiguous = copy.deepcopy(paper).given(labels)
    paper = paper.to(memory_format=torch.channels_last).given(labels)
    pictures = torch.rand(batch, 3, 32, 32)
    separate, batched = ratios()
    small, large = dense_generator(16, (256, 512), (1, 28, 28)), deconvolutional_generator(100, SVHN)
    dense = StandardNormal(16) + Reconstruction(small, torch.rand(100, 1, 28, 28), 0.3)
    svhn = StandardNormal(100) + Reconstruction(large, torch.rand(16, 3, 32, 32), 0.3)
    posterior = "posterior, generator 16-256-512-784, 100 chains x 20 steps"
    summed = "four such ratios summed, ours side by side, 128 chains x 60 steps"
    cifar = f"the paper's CIFAR-10 network, {batch} chains x {steps} steps"
    ring, points = Ring(2.0, 0.3), torch.randn(10_000, 2)
    return [
        Case("ring", "2-D ring, 10,000 chains x 100 steps", ring, points, 100, neural=False),
        Case("mlp", "latent MLP 100-200-200, 128 chains x 60 steps", mlp, z, 60),
        Case("mlp-mala", "the same, MALA", mlp, z, 60, MALA(STEP)),
        Case("mlp-hmc", "the same, HMC of 5 gradients, 12 steps", mlp, z, 12, HMC(STEP, 5)),
        Case("ratios", summed, separate, z, 60, ours=batched),
        Case("posterior-mnist", posterior, dense, torch.randn(100, 16), 20),
        Case("posterior-svhn", "posterior, SVHN's generator, 16 chains x 20 steps", svhn, torch.randn(16, 100), 20),
        Case("digits", "digits network, 256 chains x 60 steps", MLP(64, (256, 256)), torch.randn(256, 64), 60),
        Case("mnist", "MNIST network, 200 chains x 20 steps", MLP(784, (1024, 512)), torch.randn(200, 784), 20),
        Case("cifar10", cifar, paper, pictures, steps, contiguous=contiguous),
    ]


def ratios() -> tuple[nn.Module, Energy]:
    """Four networks that are called one after another, for the rivals, and a batched network with the same weights."""
    together = BatchedMLP(100, (200, 200), 4)
    nn.init.normal_(together.weights[-1], std=0.07)
    return in_turn(together, 4), StandardNormal(100) + Ratios(together, torch.ones(4))


def products(bits: str) -> float:
    """The rate of matrix products on this machine, in floating-point operations per second: the best of five."""
    n, times = 2048, []
    a = torch.randn(n, n).to(getattr(torch, bits))
    for _ in range(6):
        began = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - began)
    return 2 * n**3 / min(times[1:])


def program(name: str) -> str:
    """The name of a run without its precision."""
    return name.rsplit(" ", 1)[0]


def race(what: str, runs: Runs) -> tuple[Times, dict[str, float]]:
    """Seconds of each round of each program, run in turn, and of its first run, in which it compiles."""
    torch._dynamo.reset()  # so that no case reaches the limit of recompilations
    times: Times = {name: [] for name in runs}
    started = time.perf_counter()
    for i in range(ROUNDS + 1):
        if i > 3 and time.perf_counter() - started > PATIENCE:
            break
        for name, run in runs.items():
            anew = i == 0 and program(name) in OURS  # so that our compile time is that of a first run
            with torch._inductor.config.patch(force_disable_caches=anew):
                began = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - began)
        started = started if i else time.perf_counter()
    print(what, {name: f"{1e3 * statistics.median(t[1:]):.2f} ms" for name, t in times.items()}, flush=True)
    return {name: t[1:] for name, t in times.items()}, {name: t[0] for name, t in times.items()}


def peak(run) -> float:
    """Peak memory of tensors in MiB, without those that existed before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run()
    current = most = 0
    for event in sorted(seen.profiler.kineto_results.events(), key=lambda e: e.start_ns()):
        if event.name() == "[memory]":
            current += event.nbytes()
            most = max(most, current)
    return most / 2**20


def compare(found: Measured, variant: str, what: str, runs: Runs, work: float | None, rates: dict[str, float]) -> None:
    """Adds rows for a case: at equal precision, with the best precision of each program, and for eager chains."""
    times, first = race(what, runs)
    median = {name: statistics.median(t) for name, t in times.items()}
    shared: dict[str, object] = {"milliseconds": {name: round(1e3 * m, 3) for name, m in median.items()}}
    if work is not None:
        shared["of_product_rate"] = {n: round(work / m / rates[n.split()[-1]], 3) for n, m in median.items()}
    fields = {"data": "", "system": "ours", "variant": variant, "case": what}

    def add(metric: str, kind: str, above: str, below: str, more: dict[str, object]) -> None:
        """A row of the time of one program divided by that of another."""
        each = [a / b for a, b in zip(times[above], times[below], strict=True)]
        value, seconds = median[above] / median[below], sum(times[above]) + sum(times[below])
        spread = {"sd": round(statistics.stdev(each), 4), "per_seed": [round(ratio, 4) for ratio in each]}
        protocol = f"{above} / {below}, {len(each)} rounds in turn"
        found.add(value, protocol, seconds, {**spread, **more}, **fields, metric=metric, kind=kind)

    for kind in ("equal", "best") if any(name.endswith("bfloat16") for name in runs) else ("equal",):
        allowed = [name for name in times if kind == "best" or name.endswith("float32")]
        mine = min((name for name in allowed if program(name) in OURS), key=median.__getitem__)
        rival = min((name for name in allowed if program(name) not in OURS), key=median.__getitem__)
        more = {
            "rival": rival,
            "compile_seconds": round(first[mine] - median[mine], 1),
            "peak_mib": {name: round(peak(runs[name]), 2) for name in (mine, rival)},
            **shared,
        }
        add("speedup", kind, rival, mine, more)
    if {"eager float32", "plain float32"} <= runs.keys():
        add("eager_time", "eager", "eager float32", "plain float32", {})
    found.write()


def main() -> None:
    full = "--full" in sys.argv
    wanted = " ".join(word for word in sys.argv[1:] if word != "--full")
    found = Measured("bench", command="make bench-full" if full else "make bench")
    rates = {bits: products(bits) for bits in ("float32", "bfloat16")[: len(halves())]}
    for bits, rate in () if wanted else rates.items():  # the rate of the run that measured all cases
        fields = {"data": "", "system": "matrix products", "metric": "gflops", "precision": bits}
        found.add(rate / 1e9, "GFLOP/s, 2048 x 2048", 0.0, **fields)
    for case in chains(full):
        if wanted in case.what:
            work = case.work() if case.neural else None
            compare(found, case.variant, case.what, case.runs(), work, rates)
    for variant, what, runs in (
        ("update-digits", f"{PERSISTENT}, digits network", lambda: updates(64, (256, 256), 256, 5, True)),
        ("update-mnist", f"{PERSISTENT}, MNIST network", lambda: updates(784, (1024, 512), 200, 5, True)),
        ("fresh-digits", f"{FRESH}, digits network", lambda: updates(64, (256, 256), 256, 5, False)),
        ("fresh-mnist", f"{FRESH}, MNIST network", lambda: updates(784, (1024, 512), 200, 5, False)),
        ("update-latent", "a latent update in stage 3, MNIST", latent_updates),
        ("buffer-10000", "a visit to a replay buffer of 10,000 pictures", lambda: buffers(10_000)),
        ("buffer-1000000", "a visit to a replay buffer of 1,000,000 pictures", lambda: buffers(1_000_000)),
        ("anneal-500", "annealing through three ratios, 500 chains", lambda: anneals(500)),
        ("anneal-2000", "annealing through three ratios, 2,000 chains", lambda: anneals(2000)),
    ):
        if wanted in what:
            compare(found, variant, what, runs(), None, rates)
    if wanted in "a new process":
        startups(found)
    found.write()


if __name__ == "__main__":
    main()
