"""Rows of results as a few tables that a person can read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from energybased.evaluation.row import Row

TITLES: Mapping[str, tuple[str, ...]] = {  # of a table, and the metrics, or beginnings of their names, that it holds
    "samples": ("fd", "kd", "is", "precision_recall", "confidence"),
    "density": ("ksd", "c2st", "mmd", "energy", "joint_energy", "prior_fit", "log_likelihood"),
    "classification": ("accuracy", "calibration", "robustness"),
}
NETWORKS = {  # in words, by the endings of metrics in their features
    "lite0": "EfficientNet-Lite0",
    "lite1": "EfficientNet-Lite1",
    "inception": "Inception",
}
DETECTION = {"ood": "detection of changed pictures, AUROC", "ood_sets": "detection of other data sets, AUROC"}
SHOWN = "auroc_"  # of the statistics of detection
GAP = 2  # characters between columns
ENDINGS = ("_error", "_p", "_low")  # of values that stand behind another: its error, p-value, and interval's lower end


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
    order = [title for title in TITLES if title in groups] + [title for title in groups if title not in TITLES]
    return [table(title, groups[title], system) for title in order]


def narrow(table: Table, width: int) -> list[Table]:
    """The table in parts that are at most `width` characters wide, with some of its columns each.

    >>> parts = narrow(Table("t", ("", "a", "b"), [("row", "1.25", "2.5")]), 12)
    >>> [part.lines for part in parts]
    [[('row', '1.25')], [('row', '2.5')]]
    """
    columns = list(zip(table.head, *table.lines, strict=True))
    columns[0] = table.title, *columns[0][1:]
    widths = [max(map(len, column)) for column in columns]
    parts, used = list[list[int]](), width
    for i, wide in enumerate(widths[1:], start=1):
        used += wide + GAP
        if used > width or not parts:
            parts, used = [*parts, []], widths[0] + GAP + wide
        parts[-1].append(i)
    return [
        Table(
            table.title,
            ("", *(table.head[i] for i in part)),
            [(line[0], *(line[i] for i in part)) for line in table.lines],
        )
        for part in parts
    ]


def title_of(row: Row) -> str:
    """The title of the table that holds a row."""
    name = row.measured_by or row.metric
    if name in DETECTION:
        return DETECTION[name]
    network = name.rpartition("_")[2]
    if network in NETWORKS:
        return f"samples, in the features of {NETWORKS[network]}"
    for title, starts in TITLES.items():
        if any(name == start or name.startswith(f"{start}_") for start in starts):
            return title
    return name.replace("_", " ")


def table(title: str, rows: Sequence[Row], system: str) -> Table:
    """The table of rows that belong together."""
    found = cells(rows)
    metrics = list(dict.fromkeys(metric for metric, _ in found))
    systems = sorted(dict.fromkeys(name for _, name in found), key=lambda s: (s != system, shortened(s, system) == s))
    names = [shortened(name, system) for name in systems]
    if len(metrics) >= len(systems):
        lines = [(m, *(found.get((m, s), "") for s in systems)) for m in metrics]
        return Table(title, ("", *names), lines)
    rows_of = zip(names, systems, strict=True)
    return Table(title, ("", *metrics), [(name, *(found.get((m, s), "") for m in metrics)) for name, s in rows_of])


def shortened(name: str, system: str) -> str:
    """The name of a system; of a variant of the model, only what varies.

    >>> shortened("digits (typicality)", "digits"), shortened("best mixture", "digits")
    ('typicality', 'best mixture')
    """
    variant = name.removeprefix(f"{system} (")
    return name if variant == name else variant.removesuffix(")")


def cells(rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """The texts of the values, by the name of the metric and of the system."""
    values = {(label(row), row.system): row.value for row in rows}
    texts, added = dict[tuple[str, str], str](), set[tuple[str, str]]()
    for row in rows:
        own = label(row), row.system
        parts = {end: (label(row._replace(metric=with_ending(row.metric, end))), row.system) for end in ENDINGS}
        found = {end: values[place] for end, place in parts.items() if place in values}
        added |= {parts[end] for end in found}
        error = found.get("_error")
        texts[own] = rounded(row.value) if error is None else with_error(row.value, error)
        texts[own] += f" (p {found['_p']:.2g})" if "_p" in found else ""
        texts[own] += f" (≥ {found['_low']:.2g})" if "_low" in found else ""
    return {place: text for place, text in texts.items() if place not in added}


def rounded(value: float) -> str:
    """A value with three significant digits, or all digits before the point.

    >>> [rounded(value) for value in (1234.5, 43.04, 9.906, 1.0, 0.9996, 0.0139)]
    ['1234', '43.0', '9.91', '1.000', '1.000', '0.0139']
    """
    size = abs(value)
    if not 0.1 <= size < math.inf:
        return f"{value:.3g}"
    return f"{value:.{0 if size >= 100 else 1 if size >= 10 else 2 if size > 1 else 3}f}"


def with_error(value: float, error: float) -> str:
    """A value and its standard error, which has one significant digit.

    >>> with_error(-1234.52, 0.31), with_error(9900.1, 7012.0)
    ('-1234.5 ± 0.3', '9900 ± 7000')
    """
    if not 0 < error < math.inf:
        return f"{rounded(value)} ± {error:g}"
    decimals = max(0, -math.floor(math.log10(error)))
    return f"{value:.{decimals}f} ± {float(f'{error:.1g}'):.{decimals}f}"


def with_ending(metric: str, ending: str) -> str:
    """The name of a metric with an ending, which stands before the name of a network.

    >>> with_ending("kd_lite0", "_error")
    'kd_error_lite0'
    """
    base, _, network = metric.rpartition("_")
    return f"{base}{ending}_{network}" if network in NETWORKS else f"{metric}{ending}"


def label(row: Row) -> str:
    """The name of a value: its metric, without the statistic of detection, and the split if it is not the test one."""
    name = row.metric.removeprefix(SHOWN) if row.measured_by in DETECTION else row.metric
    return name if row.split == "test" else f"{name} ({row.split})"
