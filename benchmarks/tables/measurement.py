"""What the measurements themselves are worth, with targets."""

from __future__ import annotations

from collections.abc import Iterator

from rows import Rows

from tables.goals import GOALS, Line, goal, number, table, unmeasured

TESTED = (  # what is checked by a test at every change: what, target, test
    (
        "Inception features with equal random weights, against torch-fidelity",
        "largest difference ≤ 1e-4",
        "`tests/test_features.py`: test_inception_with_random_weights_is_that_of_torch_fidelity",
    ),
    (
        "log Z of a known density through `ebm evaluate`",
        "inside",
        "`tests/test_partition.py`: test_a_known_density_through_the_command_line",
    ),
    (
        "`ebm evaluate --metrics all` says how long it will take",
        "says it",
        "`tests/test_cost.py`: test_all_metrics_are_those_that_the_run_can_be_measured_by",
    ),
)


def measurement() -> str:
    checked = [(what, target, "", test, "yes") for what, target, test in TESTED]
    return table(GOALS, [*sandwiches(), *statistics(), *rates(), *duration(), *checked])


def sandwiches() -> Iterator[Line]:
    """log Z from both ends, where it is known; each seed must meet the target."""
    rows = Rows.read("partition")
    for data in dict.fromkeys(r["data"] for r in rows):
        width, inside = (rows.one(data=data, metric=metric) for metric in ("width", "inside"))
        count, seeds = sum(inside["per_seed"]), len(inside["per_seed"])
        each = ", ".join(f"{value:.3f}" for value in width["per_seed"])
        worst = max(width["per_seed"]) if count == seeds else float("inf")
        measured = f"{each}; the true value is inside in {count:.0f} of {seeds}"
        bound = 0.1, "≤ 0.1 and the true value inside, each seed"
        yield goal(f"log Z of {data}: width between both ends, nats", measured, worst, bound)


def statistics() -> Iterator[Line]:
    """Means and covariances part by part, against all rows at once."""
    rows = Rows.read("moments")
    error, growth = rows.find(metric="relative_error"), rows.find(metric="growth_mib")
    what, flat = "moments of 50,000 × 2,048 features by parts: relative error", "its peak of memory, beside a tenth"
    bounds = (100.0, "≤ 1e-10"), (32.0, "flat: ≤ 32 MiB, one covariance")
    if error is None or growth is None:
        for name, bound in zip((what, flat), bounds, strict=True):
            yield unmeasured(name, "waits for `python benchmarks/moments.py`", bound[1])
        return
    yield goal(what, f"{1e-12 * error['value']:.1e}", error["value"], bounds[0])
    yield goal(flat, f"+ {number(growth)} MiB", growth["value"], bounds[1])


def rates() -> Iterator[Line]:
    """False alarms and found differences of the tests, the extremes over all cases."""
    rows = Rows.read("fit_tests")
    for metric, what, low, high in (
        ("false_alarms", "false alarms at level 0.05", 0.02, 0.09),
        ("found", "means moved by half a standard deviation: found", 0.95, 1.0),
    ):
        values = [r["value"] for r in rows.all(metric=metric)]
        off = max(low - min(values), max(values) - high)
        target = f"{low:.0%} to {high:.0%}, each" if high < 1 else f"≥ {low:.0%}, each"
        measured = f"{min(values):.1%} to {max(values):.1%} over {len(values)} cases"
        yield goal(f"ksd, mmd, c2st on 200 draws, 400 repeats: {what}", measured, off, (0.0, target))


def duration() -> Iterator[Line]:
    row = Rows.read("evaluation").find(metric="minutes")
    what, bounds = "`ebm evaluate` of an MNIST run: FD, detection, calibration, histograms", (5.0, "≤ 5 min, two cores")
    if row is None:
        yield unmeasured(what, "waits for `python benchmarks/evaluation.py RUN` on an idle machine", bounds[1], "2 min")
    else:
        yield goal(what, f"{number(row)} min", row["value"], bounds, (2.0, "2 min"))
