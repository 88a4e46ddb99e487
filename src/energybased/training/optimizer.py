"""Adam as the first paper uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from energybased.errors import require


@dataclass(frozen=True)
class Adam:
    """Settings of the optimiser; the defaults are the paper's.

    Args:
        lr: learning rate.
        beta1: decay of the mean of gradients.
        beta2: decay of the mean of squared gradients.
        clip_sigma: clip each entry of a gradient to +-(clip_sigma sqrt(v) + 0.1), v being Adam's bias-corrected
            mean square before the update; the paper takes 3.
        clip_norm: clip each part's whole gradient to this norm.
        schedule: learning rate over the budget: "constant", or "cosine" down to zero.
        weight_decay: each update also takes weights by lr x weight_decay towards zero (Loshchilov & Hutter 2019).
        warmup: updates over which the learning rate rises to that, in each phase.
    """

    lr: float = 1e-4
    beta1: float = 0.0
    beta2: float = 0.999
    clip_sigma: float | None = None
    clip_norm: float | None = None
    schedule: Literal["constant", "cosine"] = "constant"
    weight_decay: float = 0.0
    warmup: int = 0

    def __post_init__(self) -> None:
        require(0 < self.lr < float("inf"), f"lr must be positive, got {self.lr}")
        require(0 <= self.beta1 < 1, f"beta1 must be in [0, 1), got {self.beta1}")
        require(0 <= self.beta2 < 1, f"beta2 must be in [0, 1), got {self.beta2}")
        for name, clip in (("clip_sigma", self.clip_sigma), ("clip_norm", self.clip_norm)):
            require(clip is None or clip > 0, f"{name} must be positive, got {clip}")
        require(self.weight_decay >= 0, f"weight_decay must not be negative, got {self.weight_decay}")
        require(self.warmup >= 0, f"warmup must not be negative, got {self.warmup}")
        require(self.schedule in ("constant", "cosine"), f"no such schedule: {self.schedule!r}")

    def build(self, module: nn.Module) -> torch.optim.Adam:
        wanted = [p for p in module.parameters() if p.requires_grad]
        require(len(wanted) > 0, f"{type(module).__name__} has no parameters to train")
        dense = all(torch.empty_like(p).stride() == p.stride() for p in wanted)  # the fused one writes past others
        settings: Any = {"lr": self.lr, "betas": (self.beta1, self.beta2), "fused": dense}
        if self.weight_decay:
            return torch.optim.AdamW(wanted, weight_decay=self.weight_decay, **settings)
        return torch.optim.Adam(wanted, **settings)

    def rate(self, progress: float, step: int) -> float:
        """The learning rate of this update of a phase, when this part of the budget, in [0, 1], is spent."""
        risen = min((step + 1) / self.warmup, 1.0) * self.lr if self.warmup else self.lr
        if self.schedule == "constant":
            return risen
        return risen * 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * min(progress, 1.0)))))

    def clip(self, optimizer: torch.optim.Adam) -> None:
        """Clips the gradients that the optimiser is about to use."""
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if self.clip_sigma is not None:
            for p in parameters:
                past = optimizer.state.get(p)
                if past:
                    mean_square = past["exp_avg_sq"] / (1 - self.beta2 ** past["step"])
                    limit = self.clip_sigma * mean_square.sqrt() + 0.1
                    p.grad = torch.minimum(torch.maximum(p.grad, -limit), limit)
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, self.clip_norm)


def laid_out(value: Tensor, parameter: Tensor) -> Tensor:
    """The value in the strides of its parameter: the fused optimiser reads both alike, whatever theirs are."""
    same = value.stride() == parameter.stride()
    return value if same else torch.empty_like(parameter).copy_(value)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
