"""Kernels, chains and the replay buffer.

Devices and dtypes: random numbers are drawn on the device of their generator, or on the CPU without a generator. Fresh
starts of chains are drawn there and then moved to the device of the energy. Replay buffers are on the CPU. Results are
on the device and in the dtype of the input. Chains run in float32 or float64; a network may compute in bfloat16 inside
(`networks.BFloat16`).

To add a kernel, write its file, add an example to `KERNELS`, which the contract tests run over, and add its class to
`AnyKernel`.
"""

from typing import Union

from energybased.sampling.adaptation import adapt
from energybased.sampling.chain import Samples, advance, sample
from energybased.sampling.diagnostics import ChainInfo
from energybased.sampling.engine import Engine
from energybased.sampling.fastest import fastest
from energybased.sampling.frozen import frozen
from energybased.sampling.hmc import HMC
from energybased.sampling.kernel import Info, Kernel, State
from energybased.sampling.langevin import Langevin
from energybased.sampling.mala import MALA
from energybased.sampling.replay import ReplayBuffer
from energybased.sampling.starts import Starting, fresh_starts
from energybased.sampling.streams import Streams
from energybased.sampling.underdamped import Underdamped

KERNELS: tuple[Kernel, ...] = (Langevin.overdamped(0.3), Underdamped(0.3, 0.8), MALA(0.8), HMC(0.4, 5))
AnyKernel = Union[Langevin, Underdamped, MALA, HMC]  # what the settings of a recipe can hold

__all__ = [
    "HMC",
    "KERNELS",
    "MALA",
    "AnyKernel",
    "ChainInfo",
    "Engine",
    "Info",
    "Kernel",
    "Langevin",
    "ReplayBuffer",
    "Samples",
    "Starting",
    "State",
    "Streams",
    "Underdamped",
    "adapt",
    "advance",
    "fastest",
    "fresh_starts",
    "frozen",
    "sample",
]
