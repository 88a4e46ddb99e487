"""What each objective learns in the plane and on pictures, at equal minutes."""

from __future__ import annotations

from rows import Row, Rows

from tables.goals import number, percent, table

PLANE = (
    "objective | ring: energy distance; correlation of energies | two Gaussians: the same | mean gap from −log p, nats"
)
PICTURES = "objective | FD | samples with judge confidence > 0.9"


def plane() -> str:
    """The ring and two far Gaussians."""
    rows = Rows.read("objectives")
    systems = list(dict.fromkeys(r["system"] for r in rows))
    lines = [(s, *(learned(rows, d, s) for d in ("ring", "mixture")), gaps(rows, s)) for s in systems]
    return table(PLANE, lines) if lines else "These have not been measured."


def learned(rows: Rows, data: str, system: str) -> str:
    """The energy distance of samples and the correlation of energies."""
    found = [rows.find(data=data, system=system, metric=metric) for metric in ("energy_distance", "correlation")]
    return "; ".join("" if row is None else told(row) for row in found)


def gaps(rows: Rows, system: str) -> str:
    """The mean differences of the energies from -log p, on both densities."""
    found = [rows.find(data=data, system=system, metric="mean_difference") for data in ("ring", "mixture")]
    return "; ".join(number(row, 2) for row in found if row is not None)


def told(row: Row) -> str:
    """A value in three digits; one that is not finite has no number."""
    return "not finite" if row["value"] is None else number(row, 3)


def pictures() -> str:
    """Fashion-MNIST without labels."""
    rows = Rows.read("picture_objectives")
    systems = list(dict.fromkeys(r["system"] for r in rows))
    lines = []
    for system in systems:
        fd, sure = (rows.find(system=system, metric=metric) for metric in ("fd", "confident"))
        if fd is not None and sure is not None:
            lines.append((system, number(fd), percent(sure)))
    return table(PICTURES, lines) if lines else "These have not been measured."
