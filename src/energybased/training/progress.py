"""What a person sees while training runs: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY = 10.0  # seconds between two plain lines


class Display:
    """Shows steps, speed, time left, the energy gap and how the guard feels."""

    def __init__(self, total: int, start: int) -> None:
        self.total, self.start = total, start
        self.began = self.spoke = time.monotonic()
        self.bar: Progress | None = None
        if sys.stderr.isatty():
            columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
            self.bar = Progress(*columns, console=Console(stderr=True))
            self.task = self.bar.add_task("", total=total, completed=start)

    def __enter__(self) -> Display:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.bar:
            self.bar.stop()

    def update(self, step: int, metrics: dict[str, float], guard: str) -> None:
        now = time.monotonic()
        speed = (step - self.start) / max(now - self.began, 1e-9)
        gap = metrics.get("gap", float("nan"))
        text = f"{speed:.1f} steps/s  gap {gap:+.3f}  guard {guard}"
        if self.bar:
            self.bar.update(self.task, completed=step, description=text)
        elif now - self.spoke >= LINE_EVERY or step >= self.total:
            self.spoke = now
            left = (self.total - step) / max(speed, 1e-9)
            print(f"step {step}/{self.total}  {text}  {left:.0f} s left", file=sys.stderr, flush=True)

    def say(self, line: str) -> None:
        if self.bar:
            self.bar.console.print(line)
        else:
            print(line, file=sys.stderr, flush=True)
