"""Cross entropy of a classifier, by which judges are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from energybased.errors import UserError, require
from energybased.objectives.objective import Batch, Parts, Result, State, Stateless, Vital, scalar


@dataclass(frozen=True)
class CrossEntropy(Stateless):
    """-mean log softmax(judge(x))_y, on pictures that are augmented at random.

    Args:
        shift: largest random shift in pixels, along height and along width; the margin is filled with black.
        mirror: mirror each picture left to right with probability 1/2.
        cutout: side, in pixels, of a square that is set to black at a random place (DeVries & Taylor 2017); 0 for none.
        smoothing: label smoothing: the probability that is spread evenly over all classes (Szegedy et al. 2016).
        precision: dtype in which the judge computes during training.

    Raises:
        UserError: for settings out of range, or if the batch has no class labels.
    """

    vitals: ClassVar[tuple[Vital, ...]] = (Vital("loss", 0.0, 20.0, 20, "lower the learning rate"),)

    shift: int = 0
    mirror: bool = False
    cutout: int = 0
    smoothing: float = 0.0
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        require(self.shift >= 0, f"shift must not be negative, got {self.shift}")
        require(self.cutout >= 0, f"cutout must not be negative, got {self.cutout}")
        require(0 <= self.smoothing < 1, f"smoothing must be in [0, 1), got {self.smoothing}")

    def step(self, parts: Parts, state: State, batch: Batch, rng: Generator) -> Result:
        if not isinstance(batch.y, Tensor):
            raise UserError("a judge is trained on class labels, but the batch has none")
        # Convolutions are twice as fast if the channels are last in memory.
        x = self.augmented(batch.x, rng).contiguous(memory_format=torch.channels_last)
        half = self.precision == "bfloat16"
        with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
            logits = parts["judge"](x)
        loss = F.cross_entropy(logits.to(x.dtype), batch.y, label_smoothing=self.smoothing)
        right = (logits.argmax(1) == batch.y).float().mean()
        return Result({"judge": loss}, state, {"loss": scalar(loss), "accuracy": scalar(right)})

    def augmented(self, x: Tensor, rng: Generator) -> Tensor:
        """Pictures `(batch, channels, height, width)`, each augmented independently."""
        if self.mirror:
            turned = torch.rand(len(x), generator=rng, device=rng.device).to(x.device) < 0.5
            x = torch.where(turned[:, None, None, None], x.flip(-1), x)
        if self.shift:
            height, width = x.shape[2:]
            down, right = torch.randint(2 * self.shift + 1, (2, len(x)), generator=rng, device=rng.device).to(x.device)
            rows = torch.arange(height, device=x.device) + down[:, None]
            columns = torch.arange(width, device=x.device) + right[:, None]
            padded = F.pad(x, (self.shift,) * 4)
            each = torch.arange(len(x), device=x.device)[:, None, None]
            x = padded.movedim(1, 3)[each, rows[:, :, None], columns[:, None, :]].movedim(3, 1)
        if self.cutout:
            height, width = x.shape[2:]
            corner = torch.rand(2, len(x), 1, 1, 1, generator=rng, device=rng.device).to(x.device)
            top, left = corner[0] * height - self.cutout / 2, corner[1] * width - self.cutout / 2
            rows, columns = torch.arange(height, device=x.device)[:, None], torch.arange(width, device=x.device)
            inside = (rows >= top) & (rows < top + self.cutout) & (columns >= left) & (columns < left + self.cutout)
            x = x.masked_fill(inside, 0.0)
        return x
