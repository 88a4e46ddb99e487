"""Progress of a training: a bar on a terminal, log records elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

LINE_EVERY = 10.0  # seconds between two log records

log = logging.getLogger("energybased")


class Display:
    """Shows steps, speed, the time left, the first vital and the state of the guard."""

    def __init__(self, progress: float, step: int, visible: bool = True) -> None:
        self.first, self.step = progress, step
        self.began = self.spoke = time.monotonic()
        self.bar: Progress | None = None
        if visible and sys.stderr.isatty():
            from rich.console import Console  # imported here, because it takes long
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

            columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
            self.bar = Progress(*columns, console=Console(stderr=True))
            self.task = self.bar.add_task("", total=1.0)
            self.bar.update(self.task, completed=progress)

    def __enter__(self) -> Display:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.bar:
            self.bar.stop()

    def update(self, step: int, progress: float, vital: str, guard: str) -> None:
        now = time.monotonic()
        elapsed = max(now - self.began, 1e-9)
        text = f"step {step}  {(step - self.step) / elapsed:.1f} steps/s  {vital}  guard {guard}"
        if self.bar:
            self.bar.update(self.task, completed=progress, description=text)
        elif now - self.spoke >= LINE_EVERY or progress >= 1:
            self.spoke = now
            left = elapsed * (1 - progress) / max(progress - self.first, 1e-9)
            log.info("%4.0f%%  %s  %.0f s left", 100 * progress, text, left)

    def say(self, line: str) -> None:
        if self.bar:
            self.bar.console.print(line)
        else:
            log.warning("%s", line)
