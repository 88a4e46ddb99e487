"""The training loop and what it stands on."""

from energybased.training.loop import Loop, Settings
from energybased.training.optimizer import Adam
from energybased.training.phase import Phase
from energybased.training.run import Run
from energybased.training.state import TrainState

__all__ = ["Adam", "Loop", "Phase", "Run", "Settings", "TrainState"]
