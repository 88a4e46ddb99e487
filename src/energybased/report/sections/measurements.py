"""The measured values."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import ClassVar

from energybased.report.page import note
from energybased.report.section import Contents

NETWORKS = {"lite0": "EfficientNet-Lite0", "lite1": "EfficientNet-Lite1", "inception": "Inception"}
NAMES = {
    "fd": "Fréchet distance (judge)",
    "fd_buffer": "Fréchet distance, chains of the replay buffer",
    "fd_long": "Fréchet distance, chains ten times as long",
    "fd_posterior": "Fréchet distance, posteriors of training data",
    "mse": "reconstruction error",
    "auprc": "held-out class, average precision",
    "kd": "kernel distance (judge)",
    "is": "Inception score (judge)",
    "confident": "fraction with judge confidence > 0.9",
    "class_entropy": "entropy of the judge's classes, nats",
    "energy_distance": "energy distance",
    "joint_energy_distance": "energy distance, x and its condition",
    "accuracy": "accuracy",
}


class Measurements:
    """The rows of results.json as a table."""

    title: ClassVar[str] = "Measurements"
    needs: ClassVar[tuple[str, ...]] = ()

    def bodies(self, contents: Contents) -> Iterator[str]:
        if not contents.rows:
            return
        cells = ""
        for row in contents.rows:
            mark = ' class="ours"' if row.system == contents.subject.system else ""
            words = (NAMES.get(row.metric) or named(row.metric), row.system)
            texts = "".join(f"<td>{html.escape(text)}</td>" for text in words)
            cells += f'<tr{mark}>{texts}<td class="number">{row.text}</td><td>{html.escape(row.protocol)}</td></tr>'
        head = "".join(f"<th>{name}</th>" for name in ("metric", "system", "value", "protocol"))
        yield f"<table><tr>{head}</tr>{cells}</table>"
        if any(row.metric.startswith("fd") for row in contents.rows):
            yield note(
                "Fréchet distance to held-out data in the features of a network, which the protocol names. "
                "The judge is a small classifier. Less is better."
            )
        if any(row.metric.startswith("auroc") for row in contents.rows):
            yield note("AUROC: held-out data against as many changed copies. 1 is perfect, 0.5 is chance.")


def named(metric: str) -> str:
    """The name of a metric in words."""
    kind, _, rest = metric.partition("_")
    base, _, network = metric.rpartition("_")
    if network in NETWORKS:
        return f"{(NAMES.get(base) or named(base)).removesuffix(' (judge)')} ({NETWORKS[network]})"
    if network == "error":
        return f"{NAMES.get(base) or named(base)}, standard error"
    if kind == "auroc":
        return f"AUROC, {rest}"
    return f"Fréchet distance after {rest.split('_')[1]} stages" if metric.startswith("fd_stage_") else metric
