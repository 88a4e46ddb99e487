"""A training whose run nobody asked for."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from energybased.errors import Interrupted
from energybased.training.loop import Loop
from energybased.training.run import Run
from energybased.training.state import TrainState


def trained(loop: Loop) -> TrainState:
    """Trains to the end, with a run in a temporary folder.

    Raises:
        Interrupted: after Ctrl-C.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", {}, overwrite=True)
        try:
            with torch.enable_grad():
                return loop.fit(run)
        except Interrupted:
            raise Interrupted("the fit was stopped") from None
        finally:
            run.release()
