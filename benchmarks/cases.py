"""The chains that `make bench` runs, as ours and as the rivals'."""

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

    variant: str
    what: str
    module: nn.Module  # as the rivals evaluate it: (batch, *event) -> (batch,)
    start: Tensor
    steps: int
    kernel: Kernel = Langevin.overdamped(STEP)
    ours: nn.Module | None = None  # where it is another one
    neural: bool = True
    contiguous: nn.Module | None = None  # the same with its convolutions not channels-last

    def runs(self, rivals: bool = True) -> Runs:
        module, own = self.module.requires_grad_(False), (self.ours or self.module).requires_grad_(False)
        runs: Runs = {}
        for half in (False, True) if self.neural else (False,):
            bits = "bfloat16" if half else "float32"
            energy = Network(BFloat16(own)) if half else as_energy(own)
            runs[f"ours {bits}"] = lambda e=energy: sample(e, self.start, self.kernel, self.steps, engine="compiled")
            runs[f"eager {bits}"] = lambda e=energy: sample(e, self.start, self.kernel, self.steps)
            if not rivals:
                continue
            theirs = module if half or self.contiguous is None else self.contiguous.requires_grad_(False)
            chains = sampler(peer(theirs), self.kernel)
            if chains is not None:
                runs[f"torchebm {bits}"] = lambda c=chains, h=half: torchebm(c, self.start, self.steps, h)
            runs[f"plain {bits}"] = lambda m=theirs, h=half: plain(m, self.start, self.kernel, self.steps, h)
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
    mlp, z = MLP(100, (200, 200)), torch.randn(128, 100)
    batch, steps = (128, 60) if full else (32, 6)
    paper = Network(Residual((3, 32, 32), 128, groups(128, 256, 256, blocks=2), 10)).eval()
    labels = torch.arange(batch) % 10
    contiguous = copy.deepcopy(paper).given(labels)
    paper = paper.to(memory_format=torch.channels_last).given(labels)
    pictures = torch.rand(batch, 3, 32, 32)
    apart, together = ratios()
    small, large = dense_generator(16, (256, 512), (1, 28, 28)), deconvolutional_generator(100, SVHN)
    dense = StandardNormal(16) + Reconstruction(small, torch.rand(100, 1, 28, 28), 0.3)
    svhn = StandardNormal(100) + Reconstruction(large, torch.rand(16, 3, 32, 32), 0.3)
    summed = "four such ratios summed, ours side by side, 128 chains x 60 steps"
    cifar = f"the paper's CIFAR-10 network, {batch} chains x {steps} steps"
    ring, points = Ring(2.0, 0.3), torch.randn(10_000, 2)
    return [
        Case("ring", "2-D ring, 10,000 chains x 100 steps", ring, points, 100, neural=False),
        Case("mlp", "latent MLP 100-200-200, 128 chains x 60 steps", mlp, z, 60),
        Case("mlp-mala", "the same, MALA", mlp, z, 60, MALA(STEP)),
        Case("mlp-hmc", "the same, HMC of 5 gradients, 12 steps", mlp, z, 12, HMC(STEP, 5)),
        Case("ratios", summed, apart, z, 60, ours=together),
        Case(
            "posterior-mnist",
            "posterior, generator 16-256-512-784, 100 chains x 20 steps",
            dense,
            torch.randn(100, 16),
            20,
        ),
        Case("posterior-svhn", "posterior, SVHN's generator, 16 chains x 20 steps", svhn, torch.randn(16, 100), 20),
        Case("digits", "digits network, 256 chains x 60 steps", MLP(64, (256, 256)), torch.randn(256, 64), 60),
        Case("mnist", "MNIST network, 200 chains x 20 steps", MLP(784, (1024, 512)), torch.randn(200, 784), 20),
        Case("cifar10", cifar, paper, pictures, steps, contiguous=contiguous),
    ]


def ratios() -> tuple[nn.Module, Energy]:
    """Four networks one after the other, as the rivals call them, and the same weights side by side."""
    together = BatchedMLP(100, (200, 200), 4)
    nn.init.normal_(together.weights[-1], std=0.07)
    energy: Energy = StandardNormal(100)
    for k in range(together.count):
        energy = energy + Ratio(together.one(k))
    return energy, StandardNormal(100) + Ratios(together, torch.ones(4))
