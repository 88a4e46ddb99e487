"""Optimisers as settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Union

import torch
from torch import Tensor, nn

from energybased.errors import UserError, require

Gradients = dict[Tensor, Union[Tensor, None]]  # by parameter


@dataclass(frozen=True)
class Optimizer:
    """What all optimisers share; subclasses say which one `build` makes.

    Args:
        lr: learning rate.
        clip_norm: clip the norm of each part's gradient to this value.
        schedule: learning rate over the budget of a phase: "constant", or "cosine" down to zero.
        warmup: updates over which the learning rate rises to `lr` at the start of each phase.
    """

    lr: float = 1e-3
    clip_norm: float | None = None
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: int = 0

    def __post_init__(self) -> None:
        require(0 < self.lr < math.inf, f"lr must be positive, got {self.lr}")
        require(self.clip_norm is None or self.clip_norm > 0, f"clip_norm must be positive, got {self.clip_norm}")
        require(self.warmup >= 0, f"warmup must not be negative, got {self.warmup}")
        require(self.schedule in ("constant", "cosine"), f"schedule is 'constant' or 'cosine', got {self.schedule!r}")

    def build(self, module: nn.Module) -> torch.optim.Optimizer:
        """The optimiser of a module's parameters."""
        raise NotImplementedError

    def rate(self, progress: float, step: int) -> float:
        """The learning rate of this update of a phase, when this part of its budget, in [0, 1], is spent."""
        risen = min((step + 1) / self.warmup, 1.0) * self.lr if self.warmup else self.lr
        if self.schedule == "constant":
            return risen
        return risen * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))

    def clip(self, optimizer: torch.optim.Optimizer) -> None:
        """Clips the gradients that the optimiser is about to use."""
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters_of(optimizer), self.clip_norm)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma & Ba 2015) as Du & Mordatch 2019 use it, without momentum.

    Args:
        beta1: decay of the mean of gradients.
        beta2: decay of the mean of squared gradients.
        clip_sigma: clip each entry of a gradient to +-(clip_sigma sqrt(v) + 0.1), v being Adam's bias-corrected
            mean square before the update; the paper takes 3.
        weight_decay: each update also multiplies the weights by 1 - lr x weight_decay (Loshchilov & Hutter 2019).
    """

    beta1: float = 0.0
    beta2: float = 0.999
    clip_sigma: float | None = None
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.beta1 < 1, f"beta1 must be in [0, 1), got {self.beta1}")
        require(0 <= self.beta2 < 1, f"beta2 must be in [0, 1), got {self.beta2}")
        require(self.clip_sigma is None or self.clip_sigma > 0, f"clip_sigma must be positive, got {self.clip_sigma}")
        require(self.weight_decay >= 0, f"weight_decay must not be negative, got {self.weight_decay}")

    def build(self, module: nn.Module) -> torch.optim.Adam:
        wanted = trainable(module)
        dense = all(torch.empty_like(p).stride() == p.stride() for p in wanted)  # the fused one writes past others
        settings: Any = {"lr": self.lr, "betas": (self.beta1, self.beta2), "fused": dense}
        if self.weight_decay:
            return torch.optim.AdamW(wanted, weight_decay=self.weight_decay, **settings)
        return torch.optim.Adam(wanted, **settings)

    def clip(self, optimizer: torch.optim.Optimizer) -> None:
        if self.clip_sigma is not None:
            for p in parameters_of(optimizer):
                past = optimizer.state.get(p)
                if past:
                    mean_square = past["exp_avg_sq"] / (1 - self.beta2 ** past["step"])
                    limit = self.clip_sigma * mean_square.sqrt() + 0.1
                    p.grad = torch.minimum(torch.maximum(p.grad, -limit), limit)  # type: ignore[arg-type]
        super().clip(optimizer)


@dataclass(frozen=True)
class TorchOptimizer(Optimizer):
    """Any optimiser of `torch.optim` that needs no closure.

    Args:
        name: of the class, such as "SGD" or "RMSprop".
        options: its other arguments, such as {"momentum": 0.9}.
    """

    name: str = "SGD"
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        kind = getattr(torch.optim, self.name, None)
        known = isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer) and self.name != "Optimizer"
        require(known, f"torch.optim has no optimiser {self.name!r}")
        require(self.name != "LBFGS", "LBFGS evaluates its loss several times an update, which training does not")
        self.build(nn.Linear(2, 2, device="cpu"))  # so that wrong options are named at once

    def build(self, module: nn.Module) -> torch.optim.Optimizer:
        try:
            made: torch.optim.Optimizer = getattr(torch.optim, self.name)(trainable(module), lr=self.lr, **self.options)
        except (TypeError, ValueError) as error:
            raise UserError(f"torch.optim.{self.name} cannot be made: {error}") from error
        return made


AnyOptimizer = Union[Adam, TorchOptimizer]


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """The parameters that learn; raises `UserError` if there are none."""
    wanted = [p for p in module.parameters() if p.requires_grad]
    require(len(wanted) > 0, f"{type(module).__name__} has no parameters to train")
    return wanted


def parameters_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """The parameters of an optimiser that have a gradient."""
    return [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]


def laid_out(value: Tensor, parameter: Tensor) -> Tensor:
    """The value in the strides of its parameter: the fused optimiser reads both alike, whatever theirs are."""
    same = value.stride() == parameter.stride()
    return value if same else torch.empty_like(parameter).copy_(value)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Sets the learning rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def gradients(losses: Mapping[str, Tensor], optimizers: Mapping[str, torch.optim.Optimizer]) -> Gradients:
    """The gradient of each part's own loss alone, by parameter; parts that share a loss are differentiated together."""
    found: Gradients = {}
    sharing: dict[int, list[str]] = {}
    for name, loss in losses.items():
        sharing.setdefault(id(loss), []).append(name)
    for names in sharing.values():
        parameters = [p for name in names for group in optimizers[name].param_groups for p in group["params"]]
        grads = torch.autograd.grad(losses[names[0]], parameters, retain_graph=len(sharing) > 1, allow_unused=True)
        found.update(zip(parameters, grads, strict=True))
    return found


def use_gradients(found: Gradients) -> None:
    """Gives each parameter its gradient."""
    for parameter, grad in found.items():
        parameter.grad = None if grad is None else laid_out(grad, parameter)
