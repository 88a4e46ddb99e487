"""Steps of a chain as a CUDA graph, which a GPU launches at once instead of kernel by kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Steps = Callable[[Sequence[Tensor], Sequence[Tensor], int], list[Tensor]]  # fixed, moving, how many -> moving
OneStep = Callable[..., Sequence[Tensor]]  # (*fixed, *moving) -> moving


def loop(step: OneStep) -> Steps:
    """Steps, one call each."""

    def run(fixed: Sequence[Tensor], moving: Sequence[Tensor], steps: int) -> list[Tensor]:
        now = list(moving)
        for _ in range(steps):
            now = list(step(*fixed, *now))
        return now

    return run


def graph(step: OneStep, fixed: Sequence[Tensor], moving: Sequence[Tensor]) -> Steps:
    """Steps, each a replay of one that is captured now; for tensors as these, which are copied in.

    Nothing is allocated and nothing synchronised between two replays.
    """
    held, state = [t.clone() for t in fixed], [t.clone() for t in moving]
    step(*held, *state)  # what a first call makes once must not be captured
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        for place, after in zip(state, step(*held, *state), strict=True):
            place.copy_(after)

    def run(fixed: Sequence[Tensor], moving: Sequence[Tensor], steps: int) -> list[Tensor]:
        for place, given in zip((*held, *state), (*fixed, *moving), strict=True):
            place.copy_(given)
        for _ in range(steps):
            captured.replay()
        return [t.clone() for t in state]

    return run
