"""The chains that `make bench` runs, as ours and as the others'."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from rivals import peer, plain, sampler, torchebm
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from energybased import HMC, MALA, Energy, Langevin, Network, Ring, StandardNormal, sample
from energybased.energies import Ratio, Ratios, Reconstruction, as_energy
from energybased.networks import MLP, BatchedMLP, BFloat16, deconvolutional_generator, dense_generator, groups
from energybased.networks.generator import SVHN
from energybased.networks.residual import Residual
from energybased.sampling import Kernel

STEP = 0.1
Runs = dict[str, Callable[[], object]]  # "who precision" -> what is timed


@dataclass(frozen=True)
class Case:
    """Chains of one energy."""

    what: str
    module: nn.Module  # as the others evaluate it: (batch, *event) -> (batch,)
    start: Tensor
    steps: int
    kernel: Kernel = Langevin.overdamped(STEP)
    ours: nn.Module | None = None  # where it is not the same
    neural: bool = True
    rows: nn.Module | None = None  # the same with its convolutions not channels-last

    def runs(self) -> Runs:
        module, own = self.module.requires_grad_(False), (self.ours or self.module).requires_grad_(False)
        theirs = sampler(peer(module), self.kernel)
        runs: Runs = {}
        for half in (False, True) if self.neural else (False,):
            bits = "bfloat16" if half else "float32"
            energy = Network(BFloat16(own)) if half else as_energy(own)
            runs[f"ours {bits}"] = lambda e=energy: sample(e, self.start, self.kernel, self.steps, engine="compiled")
            runs[f"eager {bits}"] = lambda e=energy: sample(e, self.start, self.kernel, self.steps)
            if theirs is not None:
                runs[f"torchebm {bits}"] = lambda h=half: torchebm(theirs, self.start, self.steps, h)
            runs[f"plain {bits}"] = lambda h=half: plain(module, self.start, self.kernel, self.steps, h)
        if self.rows is not None:  # as it comes, for who does not think of layouts
            rows = self.rows.requires_grad_(False)
            naive = sampler(peer(rows), self.kernel)
            runs["torchebm float32"] = lambda: torchebm(naive, self.start, self.steps, False)
            runs["plain float32"] = lambda: plain(rows, self.start, self.kernel, self.steps, False)
        return runs

    def work(self) -> float:
        """Floating-point operations of the chains."""
        leaf = self.start.clone().requires_grad_()
        with FlopCounterMode(display=False) as counter:
            torch.autograd.grad(self.module(1.0 * leaf).sum(), leaf)  # a leaf itself it cannot count from
        each = self.kernel.leapfrog_steps if isinstance(self.kernel, HMC) else 1
        return self.steps * each * counter.get_total_flops()


def chains(full: bool) -> list[Case]:
    """The networks in their sizes; `full` has the paper's batch of 128 and 60 steps."""
    torch.manual_seed(0)
    latent, z = MLP(100, (200, 200)), torch.randn(128, 100)
    batch, steps = (128, 60) if full else (32, 6)
    paper = Network(Residual((3, 32, 32), 128, groups(128, 256, 256, blocks=2), 10)).eval()
    labels = torch.arange(batch) % 10
    as_it_comes = copy.deepcopy(paper).given(labels)
    paper = paper.to(memory_format=torch.channels_last).given(labels)
    pictures = torch.rand(batch, 3, 32, 32)
    apart, together = ratios()
    small, large = dense_generator(16, (256, 512), (1, 28, 28)), deconvolutional_generator(100, SVHN)
    return [
        Case("2-D ring, 10,000 chains x 100 steps", Ring(2.0, 0.3), torch.randn(10_000, 2), 100, neural=False),
        Case("latent MLP 100-200-200, 128 chains x 60 steps", latent, z, 60),
        Case("the same, MALA", latent, z, 60, MALA(STEP)),
        Case("the same, HMC of 5 gradients, 12 steps", latent, z, 12, HMC(STEP, 5)),
        Case("four such ratios summed, ours side by side, 128 chains x 60 steps", apart, z, 60, ours=together),
        Case(
            "posterior, generator 16-256-512-784, 100 chains x 20 steps",
            StandardNormal(16) + Reconstruction(small, torch.rand(100, 1, 28, 28), 0.3),
            torch.randn(100, 16),
            20,
        ),
        Case(
            "posterior, SVHN's generator, 16 chains x 20 steps",
            StandardNormal(100) + Reconstruction(large, torch.rand(16, 3, 32, 32), 0.3),
            torch.randn(16, 100),
            20,
        ),
        Case("digits network, 256 chains x 60 steps", MLP(64, (256, 256)), torch.randn(256, 64), 60),
        Case("MNIST network, 200 chains x 20 steps", MLP(784, (1024, 512)), torch.randn(200, 784), 20),
        Case(f"the paper's CIFAR-10 network, {batch} chains x {steps} steps", paper, pictures, steps, rows=as_it_comes),
    ]


def ratios() -> tuple[nn.Module, Energy]:
    """Four networks one after the other, as others call them, and the same weights side by side."""
    together = BatchedMLP(100, (200, 200), 4)
    nn.init.normal_(together.weights[-1], std=0.07)
    energy: Energy = StandardNormal(100)
    for k in range(together.count):
        energy = energy + Ratio(together.one(k))
    return energy, StandardNormal(100) + Ratios(together, torch.ones(4))
