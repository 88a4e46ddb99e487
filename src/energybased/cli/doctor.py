"""`ebm doctor [RUN]`."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import torch
import tyro

from energybased.data.source import roots
from energybased.models import EnergyModel
from energybased.networks.bfloat16 import BFloat16, unwrapped
from energybased.objectives import Vital
from energybased.runs.load import load, run_of
from energybased.sampling import fresh_starts
from energybased.training import guard
from energybased.training.checkpoint import read_state
from energybased.training.run import Run

PACKAGES = ("energybased", "torch", "numpy", "scikit-learn", "safetensors", "tyro", "rich")
MIN_DISK_GIB = 1.0  # GiB
STARTS = 64  # starts of chains at which energies in two precisions are compared
LARGEST_ERROR = 0.1  # of energies in bfloat16, in standard deviations of the energies


class Finding(NamedTuple):
    """The result of one check."""

    good: bool
    what: str
    value: str
    advice: str = ""


def doctor(path: tyro.conf.Positional[Path | None] = None, /) -> int:
    """Checks this machine or, if its path is given, a run. The exit status is 1 if a check fails.

    Args:
        path: a run; this machine is checked if not given.
    """
    findings = list(check_machine() if path is None else check_run(path))
    for finding in findings:
        line = f"{'ok  ' if finding.good else 'BAD '} {finding.what:<22} {finding.value}"
        print(line if finding.good or not finding.advice else f"{line}; {finding.advice}")
    return 0 if all(finding.good for finding in findings) else 1


def check_machine() -> Iterator[Finding]:
    """Checks versions, CPU, compiler, disk and data."""
    yield Finding(True, "python", platform.python_version())
    for package in PACKAGES:
        try:
            yield Finding(True, package, version(package))
        except PackageNotFoundError:
            yield Finding(False, package, "missing", f"pip install {package}")
    yield Finding(True, "threads", f"{torch.get_num_threads()} of {os.cpu_count()} cores")
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none; everything runs on the CPU"
    yield Finding(True, "gpu", gpu)
    compiler = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++") or shutil.which("clang++")
    yield Finding(compiler is not None, "c++ compiler", compiler or "none", "install g++ or clang++")
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    yield Finding(free >= MIN_DISK_GIB, "free disk here", f"{free:.1f} GiB", f"{MIN_DISK_GIB:g} GiB are recommended")
    writable = os.access(Path.cwd(), os.W_OK)
    yield Finding(writable, "this folder", "writable" if writable else "not writable", "runs/ is written here")
    for folder in roots(None):
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        yield Finding(True, f"data in {folder}", ", ".join(names) or "none")


def check_run(path: Path) -> Iterator[Finding]:
    """Checks the newest checkpoint of a run, its newest vitals, and the actions of the guard."""
    run = run_of(path)
    checkpoint = run.newest_checkpoint()
    read_state(checkpoint, run.recipe["identity"])  # raises if it is damaged
    yield Finding(True, "checkpoint", checkpoint.name)
    metrics, events = run.lines("metrics.jsonl"), run.lines("events.jsonl")
    if metrics:
        latest = metrics[-1]
        for vital in _vitals(run):
            if vital.name in latest:
                yield read(vital, float(latest[vital.name]), int(latest.get("step", 0)))
    yield from check_precision(run)
    rollbacks = sum(event["event"] == "rollback" for event in events)
    yield Finding(True, "rollbacks", str(rollbacks))
    stops = [event["reason"] for event in events if event["event"] == "stop"]
    yield Finding(not stops, "guard", stops[-1] if stops else "did not stop the run", guard.ADVICE)


def check_precision(run: Run) -> Iterator[Finding]:
    """Compares the energies of a model that computes in bfloat16 with those of the same weights in float32.

    Sixteen bits hold numbers to two or three digits, so energies of thousands of nats can be off by tens.
    """
    if run.recipe.get("settings", {}).get("precision") != "bfloat16":
        return
    model = load(run.path)
    if not isinstance(model, EnergyModel) or not any(isinstance(m, BFloat16) for m in model.energy.modules()):
        return
    energy, rng = model.marginal, torch.Generator().manual_seed(0)
    with torch.no_grad():
        x = fresh_starts(energy, model.spec.domain, STARTS, model.spec.event, rng, torch.float32)
        single = unwrapped(energy)(x)
        error, spread = float((energy(x) - single).std()), float(single.std())
    value = f"differ from float32 by {error:.2g} nats, their own standard deviation is {spread:.2g}"
    yield Finding(error <= LARGEST_ERROR * spread, "energies in bfloat16", value, "train with --precision float32")


def _vitals(run: Run) -> tuple[Vital, ...]:
    """The vitals of the phase that began last, from the events of the run."""
    phases = [event for event in run.lines("events.jsonl") if event["event"] == "phase"]
    return tuple(Vital(*vital) for vital in phases[-1]["vitals"]) if phases else ()


def read(vital: Vital, value: float, step: int) -> Finding:
    measured = f"{value:.4g} in {vital.low:g} ... {vital.high:g}"
    return Finding(vital.healthy(value, step), vital.name, measured, vital.advice)


def run(arguments: Sequence[str]) -> int:
    return tyro.cli(doctor, args=arguments, prog="ebm doctor")
