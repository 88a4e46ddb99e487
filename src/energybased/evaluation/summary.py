"""Rows of results as a few tables that a person can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from energybased.evaluation.row import Row

TITLES: Mapping[str, tuple[str, ...]] = {  # of a table, and the metrics, or beginnings of their names, that it holds
    "samples": ("fd", "kd", "is", "precision_recall", "confidence"),
    "density": ("ksd", "c2st", "mmd", "energy", "joint_energy", "prior_fit", "log_likelihood"),
    "classification": ("accuracy", "calibration", "robustness"),
}
NETWORKS = ("lite0", "lite1", "inception")  # whose names metrics in their features end with
DETECTION = {"ood": "detection of changed pictures, AUROC", "ood_sets": "detection of other data sets, AUROC"}
SHOWN = "auroc_"  # of the statistics of detection
ADDED = {"_error": " ± {:.2g}", "_p": " (p {:.2g})", "_low": " (≥ {:.2g})"}  # what stands behind another value


class Table(NamedTuple):
    """A table of values.

    Args:
        title: what it is about.
        head: names of the columns; the first one is empty.
        lines: cells, each line with a name first. A cell is empty if its value was not measured.
    """

    title: str
    head: tuple[str, ...]
    lines: list[tuple[str, ...]]


def summary(rows: Sequence[Row], system: str) -> list[Table]:
    """Tables of rows, with the model's own values first; the shorter side of a table runs across.

    A standard error stands behind its value, and so do a p-value and the lower end of an interval. Of detection, the
    AUROC is shown alone.

    Args:
        rows: the measured values.
        system: name of the model.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.measured_by not in DETECTION or row.metric.startswith(SHOWN):
            groups.setdefault(title_of(row), []).append(row)
    return [table(title, group, system) for title, group in groups.items()]


def title_of(row: Row) -> str:
    """The title of the table that holds a row."""
    name = row.measured_by or row.metric
    if name in DETECTION:
        return DETECTION[name]
    network = name.rpartition("_")[2]
    if network in NETWORKS:
        return f"samples, in the features of {network}"
    for title, starts in TITLES.items():
        if any(name == start or name.startswith(f"{start}_") for start in starts):
            return title
    return name.replace("_", " ")


def table(title: str, rows: Sequence[Row], system: str) -> Table:
    """The table of rows that belong together."""
    found = cells(rows)
    metrics = list(dict.fromkeys(metric for metric, _ in found))
    systems = sorted(dict.fromkeys(name for _, name in found), key=lambda name: name != system)
    if len(metrics) >= len(systems):
        lines = [(m, *(found.get((m, s), "") for s in systems)) for m in metrics]
        return Table(title, ("", *systems), lines)
    return Table(title, ("", *metrics), [(s, *(found.get((m, s), "") for m in metrics)) for s in systems])


def cells(rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """The texts of the values, by the name of the metric and of the system."""
    texts = {(label(row), row.system): row.text for row in rows}
    added = set[tuple[str, str]]()
    for row in rows:
        for part, words in ADDED.items():
            base = label(row._replace(metric=without(row.metric, part))), row.system
            if base != (label(row), row.system) and base in texts:
                texts[base] += words.format(row.value)
                added.add((label(row), row.system))
    return {place: text for place, text in texts.items() if place not in added}



def without(metric: str, part: str) -> str:
    """The name of a metric without its ending, which may stand before the name of a network."""
    base, _, network = metric.rpartition("_")
    return f"{base.removesuffix(part)}_{network}" if network in NETWORKS else metric.removesuffix(part)


def label(row: Row) -> str:
    """The name of a value: its metric, without the statistic of detection, and the split if it is not the test one."""
    name = row.metric.removeprefix(SHOWN) if row.measured_by in DETECTION else row.metric
    return name if row.split == "test" else f"{name} ({row.split})"
