"""The recipes over MNIST beside their rivals, task by task."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mnist_rivals import RIVALS
from rows import Row, Rows

from tables.goals import Line, number, pictures, table
from tables.likelihood import NAMES, own_ends
from tables.ours import OWN, is_rival

WHAT = {  # metric: words, digits, and 1 if more is better, -1 if less
    "fd": ("FD of samples", 1, -1),
    "fd_lite0": ("FD of samples, in the features of EfficientNet-Lite0", 1, -1),
    "bits_per_dim": ("bits a dimension, test pictures with noise .3", 4, -1),
    "auroc_fashion-mnist": ("AUROC against Fashion-MNIST", 4, 1),
    "auroc_kmnist": ("AUROC against KMNIST", 4, 1),
    "auroc_omniglot": ("AUROC against Omniglot", 4, 1),
    "denoised_psnr": ("salt and pepper, 30 %: PSNR in dB", 1, 1),
    **{f"robust_linf_{e}_least": (f"accuracy under all attacks, ℓ∞ {e}", 3, 1) for e in ("0.1", "0.2", "0.3")},
    **{f"robust_l2_{e}_least": (f"accuracy under all attacks, ℓ2 {e}", 3, 1) for e in ("1", "2", "3")},
}


def contest() -> str:
    """A line for each task that a rival was measured on, and the rivals that were not measured."""
    found = {r["system"] for r in Rows.read("mnist-rivals")}
    missing = [key for key, rival in RIVALS.items() if rival.name not in found]
    note = f"\n\nNot measured: waits for `python benchmarks/mnist_rivals.py {' '.join(missing)}`." if missing else ""
    drawn = pictures({f"Samples: {rival.name}": f"mnist-rivals-{key}.png" for key, rival in RIVALS.items()})
    return table("what | ours | rivals, the best first | ahead", [minutes(), *lines()]) + note + drawn


def minutes() -> Line:
    """Minutes of training."""
    ours = Rows.read("mnist-tasks").find(system=OWN, metric="minutes")
    spent = {r["system"]: r["minutes"] for r in Rows.read("mnist-rivals") if "minutes" in r}
    each = "; ".join(f"{r.name} {spent[r.name]:g}" for r in RIVALS.values() if r.name in spent)
    return (
        "CPU minutes of training, one thread",
        "not yet measured" if ours is None else f"{OWN} {number(ours)}",
        each,
        "",
    )


def lines() -> Iterator[Line]:
    of_rivals = Rows.read("mnist-rivals")
    for metric, (words, digits, sign) in WHAT.items():
        if of_rivals.all(metric=metric):
            ours = own(metric)
            all_rows = Rows([*Rows.read("mnist-tasks"), *of_rivals]).all(split="test").by_system(metric)
            rivals = {name: r for name, r in all_rows.items() if is_rival(name)}
            ranked = sorted((ours | rivals).items(), key=lambda item: -sign * item[1]["value"])
            ahead = first(ranked) if ours else ""
            others = [(name, r) for name, r in ranked if name in rivals]
            yield words, told(ours.items(), digits) or "not yet measured", told(others, digits), ahead


def first(ranked: list[tuple[str, Row]]) -> str:
    """The name of the best system, or of those that are level: within the spread of their seeds, or of their examples.

    An accuracy on n examples has the spread of a binomial; two are level within two standard errors of the difference.
    """
    (name, best), *others = ranked
    level = [other for other, r in others if abs(r["value"] - best["value"]) <= spread(best, r)]
    return f"level: {', '.join([name, *level])}" if level else name


def spread(a: Row, b: Row) -> float:
    """How far two values may lie apart by chance."""
    counts = [re.search(r"n = (\d+)|(\d+) random test pictures", r["protocol"]) for r in (a, b)]
    if a["metric"].startswith("robust_") and all(counts):
        of = zip((a, b), counts, strict=True)
        return 2 * sum(r["value"] * (1 - r["value"]) / int(n[1] or n[2]) for r, n in of if n) ** 0.5
    return (a["sd"] or 0.0) + (b["sd"] or 0.0)


def own(metric: str) -> dict[str, Row]:
    """Our rows of a metric, by what they are called in the table."""
    if metric == "bits_per_dim":
        worse = max(own_ends(), key=lambda r: r["value"], default=None)  # one direction flatters the model
        return {} if worse is None else {f"{OWN}, {NAMES[worse['metric']]}": worse}
    if metric == "fd":
        return Rows.read(OWN).all(system=OWN).by_system(metric)  # of several seeds
    found = Rows.read("mnist-tasks").all(split="test").by_system(metric)
    if metric == "denoised_psnr":
        names = {f"{OWN} (one chain)": OWN} | {f"{OWN} ({n})": n for n in found if n.startswith("mean of")}
        return {name: found[system] for name, system in names.items() if system in found}
    return {OWN: found[OWN]} if OWN in found else attacked(metric)


def attacked(metric: str) -> dict[str, Row]:
    """The rows of classifiers, alone and with each way to refine an example before."""
    rows, found = Rows.read("robust").all(split="test"), dict[str, Row]()
    for r in rows.all(metric=metric):
        found.setdefault(f"{r['system']}, logits", r)
    for r in rows.all(metric=metric.replace("least", "sampler")):
        found[f"{r['system']}, refined ({r['variant']})"] = r
    return found


def told(rows: Iterable[tuple[str, Row]], digits: int) -> str:
    return "; ".join(f"{name} {number(r, digits)}" for name, r in rows)
