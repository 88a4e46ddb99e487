"""Kernels, chains and the replay buffer. `KERNELS` lists the kernels for the contract tests."""

from energybased.sampling.adaptation import adapt
from energybased.sampling.chain import Samples, advance, evaluating, frozen, sample
from energybased.sampling.diagnostics import ChainInfo
from energybased.sampling.hmc import HMC
from energybased.sampling.kernel import Info, Kernel, State
from energybased.sampling.langevin import Langevin
from energybased.sampling.mala import MALA
from energybased.sampling.replay import ReplayBuffer
from energybased.sampling.streams import Streams
from energybased.sampling.underdamped import Underdamped

KERNELS = (Langevin, Underdamped, MALA, HMC)

__all__ = [
    "HMC",
    "KERNELS",
    "MALA",
    "ChainInfo",
    "Info",
    "Kernel",
    "Langevin",
    "ReplayBuffer",
    "Samples",
    "State",
    "Streams",
    "Underdamped",
    "adapt",
    "advance",
    "evaluating",
    "frozen",
    "sample",
]
