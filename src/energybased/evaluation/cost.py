"""About how long metrics take, before they are measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import torch

from energybased.energy import Energy
from energybased.evaluation.compared import extractor_of
from energybased.evaluation.mixtures import fit_mixture
from energybased.evaluation.subject import Subject
from energybased.evaluation.work import Work
from energybased.sampling import sample

ROWS, TRANSITIONS, PICTURES = 250, 2, 8  # of a trial
FITTED, GAUSSIANS = 500, 10  # examples and Gaussians of a trial
SHARED = "samples and baselines"  # what several metrics need

Trial = tuple[Callable[[], object], int]  # what is timed, and how much work it is


def chains(subject: Subject, energy: Energy) -> Trial:
    """Transitions of single chains on an energy."""
    start, kernel = subject.model.start(ROWS, generator=subject.rng()), subject.model.sampler.kernel
    return lambda: sample(energy, start, kernel, TRANSITIONS, subject.rng(), engine="eager"), ROWS * TRANSITIONS


def gradients(subject: Subject) -> Trial:
    """Gradients of the logits of single examples."""
    x = subject.test[:ROWS].clone().requires_grad_()
    return lambda: torch.autograd.grad(subject.model.logits(x).sum(), x), len(x)


def mixture(subject: Subject) -> Trial:
    """Examples times Gaussians of mixtures that are fitted."""
    x = subject.train(FITTED)
    components = min(GAUSSIANS, len(x))
    return lambda: fit_mixture(x, components, subject.rng()), len(x) * components


TRIALS: Mapping[str, Callable[[Subject], Trial]] = {
    "chains": lambda subject: chains(subject, subject.model.cycle_classes(ROWS)),
    "summed chains": lambda subject: chains(subject, subject.model.marginal),  # under the sum over the classes
    "gradients": gradients,
    "mixture": mixture,
    "samples": lambda subject: (lambda: subject.model.sample(ROWS, generator=subject.rng()), ROWS),
    "scores": lambda subject: (
        lambda: subject.model.score(subject.test[:ROWS], generator=subject.rng()),
        min(ROWS, len(subject.test)),
    ),
    "posteriors": lambda subject: (
        lambda: subject.model.sample_posterior(subject.test[:ROWS], generator=subject.rng()),
        min(ROWS, len(subject.test)),
    ),
}


class Expected(NamedTuple):
    """The expected duration of an evaluation.

    Args:
        seconds: by metric; what several metrics share has an entry of its own.
        unknown: metrics whose duration cannot be known beforehand.
    """

    seconds: Mapping[str, float]
    unknown: tuple[str, ...] = ()

    def __str__(self) -> str:
        total = sum(self.seconds.values())
        long = sorted((seconds, name) for name, seconds in self.seconds.items() if seconds >= max(1, total / 20))[::-1]
        parts = ", ".join(f"{name} {duration(seconds)}" for seconds, name in long)
        unknown = f"; not known beforehand: {', '.join(self.unknown)}" if self.unknown else ""
        return f"this takes about {duration(total)}{f' ({parts})' if len(long) > 1 else ''}{unknown}"


def expected(
    subject: Subject, works: Mapping[str, Iterable[Work]], recorded: Mapping[str, float] | None = None
) -> Expected:
    """The expected duration of metrics: that of an earlier evaluation, or of what they repeat, which a trial times.

    What a metric computes in seconds is left out.

    Args:
        subject: what is measured.
        works: what each metric repeats.
        recorded: seconds of metrics in an earlier evaluation of the same run.
    """
    recorded, works = recorded or {}, {name: tuple(work) for name, work in works.items()}
    seconds = {name: recorded[name] for name in works if name in recorded}
    todo = {name: work for name, work in works.items() if name not in recorded}
    unknown = tuple(name for name, work in todo.items() if any(w.what is None for w in work))
    each = {what: seconds_each(subject, what) for what in {w.what for work in todo.values() for w in work} if what}

    def total(work: Iterable[Work]) -> float:
        return sum(w.times * each[w.what] for w in work if w.what)

    done = {w for name in seconds for w in works[name]}  # in the seconds of an earlier evaluation
    shared = {w for work in todo.values() for w in work if w.shared} - done
    seconds |= {name: total(w for w in work if not w.shared) for name, work in todo.items() if name not in unknown}
    return Expected(seconds | ({SHARED: total(shared)} if shared else {}), unknown)


def seconds_each(subject: Subject, what: str) -> float:
    """Seconds of one repetition of what is named in `TRIALS`, or one picture in the features of an extractor."""
    if what in TRIALS:
        run, count = TRIALS[what](subject)
    else:
        x = subject.test[:PICTURES]
        run, count = lambda: extractor_of(subject, what).features(x), len(x)
    run()  # the first time, memory is allocated and programs are compiled
    began = time.monotonic()
    run()
    return (time.monotonic() - began) / count


def duration(seconds: float) -> str:
    """Seconds in words.

    >>> duration(8.3), duration(200), duration(9000)
    ('8 s', '3 min', '2.5 h')
    """
    if seconds < 60:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
