"""Steps of a chain as a CUDA graph, which a GPU launches at once instead of kernel by kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Visit = Callable[[Sequence[Tensor]], object]  # is given the moving tensors after every step
Steps = Callable[[Sequence[Tensor], Sequence[Tensor], int, Visit], list[Tensor]]  # fixed, moving, how many -> moving
OneStep = Callable[..., Sequence[Tensor]]  # (*fixed, *moving) -> moving


def loop(step: OneStep) -> Steps:
    """Steps, one call each."""

    def run(fixed: Sequence[Tensor], moving: Sequence[Tensor], steps: int, visit: Visit) -> list[Tensor]:
        now = list(moving)
        for _ in range(steps):
            now = list(step(*fixed, *now))
            visit(now)
        return now

    return run


class Graph:
    """Steps, each a replay of one that is captured now.

    Nothing is allocated and nothing synchronised between two replays.

    Args:
        step: what is captured.
        fixed: tensors that it only reads; they become the graph's own, into which those of a call are copied.
        moving: tensors in whose place it makes new ones; the same.
    """

    def __init__(self, step: OneStep, fixed: Sequence[Tensor], moving: Sequence[Tensor]) -> None:
        self.step, self.fixed, self.moving = step, list(fixed), list(moving)
        self.captured = torch.cuda.CUDAGraph()
        # A capture that fails leaves its stream behind: the outer one brings back that of the caller.
        with torch.cuda.device(moving[0].device), torch.cuda.stream(torch.cuda.current_stream()):
            step(*self.fixed, *self.moving)  # what a first call makes once must not be captured
            with torch.cuda.graph(self.captured, capture_error_mode="thread_local"):
                made = [t.clone() if any(t is m for m in self.moving) else t for t in step(*self.fixed, *self.moving)]
                for place, after in zip(self.moving, made, strict=True):
                    place.copy_(after)

    def __call__(self, fixed: Sequence[Tensor], moving: Sequence[Tensor], steps: int, visit: Visit) -> list[Tensor]:
        for place, given in zip((*self.fixed, *self.moving), (*fixed, *moving), strict=True):
            place.copy_(given)
        for _ in range(steps):
            self.captured.replay()
            visit(self.moving)
        return [t.clone() for t in self.moving]
