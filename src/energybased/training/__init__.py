"""The training loop: phases, optimisers, the guard, checkpoints and run folders."""

from energybased.processes import is_first
from energybased.training.loop import Loop
from energybased.training.optimizer import Adam, AnyOptimizer, Optimizer, TorchOptimizer
from energybased.training.phase import Phase
from energybased.training.run import Run
from energybased.training.settings import Settings
from energybased.training.state import TrainState

__all__ = [
    "Adam",
    "AnyOptimizer",
    "Loop",
    "Optimizer",
    "Phase",
    "Run",
    "Settings",
    "TorchOptimizer",
    "TrainState",
    "is_first",
]
