"""Training curves and actions of the guard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from energybased.report.charts import curve
from energybased.report.page import note
from energybased.report.section import Contents

CURVES = {
    "gap": "E(data) - E(negatives)",
    "separation": "P(E(data) < E(negatives))",
    "chain_gradient": "gradient norm in the chains",
    "mse": "squared error of g(z+), pixels on [-1, 1]",
    "loss": "loss",
    "divergence": "KL(q(z | x), N(0, I)), nats",
}


class Training:
    """Curves of the most important metrics, and the rollbacks by the guard."""

    title: ClassVar[str] = "Training"
    needs: ClassVar[tuple[str, ...]] = ()

    def bodies(self, contents: Contents) -> Iterator[str]:
        metrics, events = contents.run.lines("metrics.jsonl"), contents.run.lines("events.jsonl")
        trips = [line for line in events if line["event"] in ("rollback", "stop")]
        last = metrics[-1] if metrics else {"step": 0, "seconds": 0.0}
        yield note(f"{last['step']} updates in {last['seconds']:.0f} s.")
        shown = {name: label for name, label in CURVES.items() if name != "loss" or "gap" not in last}
        for name, label in shown.items():
            points = [(line["step"], line[name]) for line in metrics if name in line]
            if points:
                x, y = zip(*points, strict=True)
                yield curve(x, y, label, [line["at"] for line in trips])
        back = sum(line["event"] == "rollback" for line in trips)
        yield note(f"The guard rolled training back {back} times." if trips else "The guard never intervened.")
        yield from (note(f"step {line['at']}: {line['reason']}") for line in trips)
