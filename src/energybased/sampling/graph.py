"""Steps of a chain as a CUDA graph, whose operations a GPU launches together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Steps = Callable[[Sequence[Tensor], Sequence[Tensor], int], list[Tensor]]  # fixed, moving, how many -> moving
OneStep = Callable[..., Sequence[Tensor]]  # (*fixed, *moving) -> moving


def loop(step: OneStep) -> Steps:
    """A function that runs steps by one call each."""

    def run(fixed: Sequence[Tensor], moving: Sequence[Tensor], steps: int) -> list[Tensor]:
        now = list(moving)
        for _ in range(steps):
            now = list(step(*fixed, *now))
        return now

    return run


class Graph:
    """Steps that replay one captured step, without allocation or synchronisation in between.

    Args:
        step: the step to capture.
        fixed: tensors that the step only reads. The graph keeps them, and a call copies its arguments into them.
        moving: tensors that the step computes anew. The graph keeps and fills them in the same way.
    """

    def __init__(self, step: OneStep, fixed: Sequence[Tensor], moving: Sequence[Tensor]) -> None:
        self.step, self.fixed, self.moving = step, list(fixed), list(moving)
        self.captured = torch.cuda.CUDAGraph()
        # A failed capture leaves its stream as the current one: the outer context restores that of the caller.
        with torch.cuda.device(moving[0].device), torch.cuda.stream(torch.cuda.current_stream()):
            step(*self.fixed, *self.moving)  # the first call may allocate or compile, which must not be captured
            with torch.cuda.graph(self.captured, capture_error_mode="thread_local"):
                made = [t.clone() if any(t is m for m in self.moving) else t for t in step(*self.fixed, *self.moving)]
                for place, after in zip(self.moving, made, strict=True):
                    place.copy_(after)

    def __call__(self, fixed: Sequence[Tensor], moving: Sequence[Tensor], steps: int) -> list[Tensor]:
        for place, given in zip((*self.fixed, *self.moving), (*fixed, *moving), strict=True):
            place.copy_(given)
        for _ in range(steps):
            self.captured.replay()
        return [t.clone() for t in self.moving]
