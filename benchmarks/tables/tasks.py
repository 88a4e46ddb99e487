"""What a trained run does beside sampling, with its targets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rows import Row, Rows

from tables.goals import GOALS, Line, goal, number, table

OWN, CHOICE = "mnist-conditional", "the recipe's choice: "  # after which a protocol names the score
MEASURED = {
    "accuracy": "lowest energy: accuracy, clean test pictures",
    "ece": "expected calibration error of softmax(-E)",
    "fd_fresh": "FD of 2,000 fresh samples",
    "fd_replay": "FD of 2,000 samples of a buffer at test time",
    "fd_ensemble": "FD of 2,000 samples of the historical ensemble",
    "fd_fresh_lite0": "FD of 2,000 fresh samples, in the features of EfficientNet-Lite0",
    "fd_replay_lite0": "the same, of a buffer at test time",
    "fd_ensemble_lite0": "the same, of the historical ensemble",
    "bits_per_dim": "bits a dimension, test pictures with noise .3",
}


def tasks() -> str:
    """What `mnist-conditional` does beside sampling, and its targets."""
    rows, lines = Rows.read("mnist-tasks"), list[Line]()

    def of(metric: str, system: str = OWN, split: str = "test") -> Row | None:
        found = rows.all(metric=metric, system=system, split=split)
        return found[0] if found else None

    def others(metric: str) -> list[Row]:
        mine = (OWN, "mean of")
        return [r for r in rows.all(metric=metric, split="test") if not r["system"].startswith(mine)]

    lines += outside("mnist-tasks", OWN, 0.98, ("fashion-mnist", "kmnist", "omniglot"))
    lines += outside("fashion-tasks", "fashion", 0.95, ("mnist",))
    plain, filled, near = (of("inpainted_accuracy", s) for s in (OWN, "mean-fill", "nearest neighbour"))
    if plain and filled and near:
        least = max(filled["value"], near["value"])
        words = f"> {least:.3f}, mean-fill {filled['value']:.3f} and nearest neighbour {near['value']:.3f}"
        whole = of("inpainted_accuracy", "untouched")
        assert whole is not None
        stretch = (0.05 - whole["value"], f"{whole['value']:.3f} less 5 points")
        what = "right half inpainted: the judge is right"
        lines.append(goal(what, f"{plain['value']:.3f}", least - plain["value"] + 1e-9, (0.0, words)))
        lines.append(goal("the same", f"{plain['value']:.3f}", -plain["value"], stretch))
    denoised = of("denoised_psnr")
    if denoised:
        best = max(others("denoised_psnr"), key=lambda r: r["value"])
        bound = (-best["value"], f"> {best['value']:.1f}, {best['system']}")
        what = "salt and pepper, 30 %: PSNR in dB"
        lines.append(goal(what, f"{denoised['value']:.1f}", -denoised["value"], bound))
    mapped, distance = of("mapped"), of("mapped_distance")
    if mapped and distance:
        fresh = next(r for r in others("mapped_distance"))
        lines.append(
            goal(
                "mapped to another class: the judge calls it",
                f"{mapped['value']:.1%}",
                -mapped["value"],
                (-0.8, "≥ 80 %"),
                (-0.95, "95 %"),
            )
        )
        bound = (fresh["value"], f"< {fresh['value']:.3f}, a fresh sample")
        lines.append(goal("its distance to the source", f"{distance['value']:.3f}", distance["value"], bound))
    found = [(words, of(metric)) for metric, words in MEASURED.items()]
    lines += [goal(words, number(r, 3)) for words, r in found if r is not None]
    return table(GOALS, [*lines, *attacked()])


def outside(file: str, system: str, least: float, sets: Sequence[str]) -> Iterator[Line]:
    """Detection of pictures of other sets: all scores, judged by the one that the recipe has."""
    rows = Rows.read(file)
    for other in sets:
        found = {r["system"]: r for r in rows.all(metric=f"auroc_{other}", split="test")}
        ours = {name.removeprefix(system).strip(" ()"): r for name, r in found.items() if name.startswith(system)}
        if "" not in ours:
            continue
        rival = max((r for name, r in found.items() if not name.startswith(system)), key=lambda r: r["value"])
        chosen = re.split("[,:]", ours[""]["protocol"].partition(CHOICE)[2])[0]
        shown = {chosen: ours.pop(""), **{name: r for name, r in ours.items() if name != chosen}}
        measured = "; ".join(f"{number(r, 4)} {name}" for name, r in shown.items())
        bounds = (-least, f"≥ {least}, by {chosen}"), (-rival["value"], f"{rival['value']:.4f}, {rival['system']}")
        yield goal(f"{system}: AUROC against {other}", measured, -shown[chosen]["value"], *bounds)


def attacked() -> Iterator[Line]:
    """Accuracy without attack and under all attacks, recipe by recipe."""
    rows = Rows.read("robust").all(split="test")
    for system in dict.fromkeys(r["system"] for r in rows):
        for variant in dict.fromkeys(r["variant"] for r in rows.all(system=system)):
            of = {r["metric"]: r for r in rows.all(system=system, variant=variant)}
            if "robust_linf_0.2_sampler_low" not in of:
                continue  # being measured
            clean, low = of["robust_clean"], of["robust_linf_0.2_sampler_low"]
            yield goal(
                f"{system}: accuracy without attack", f"{clean['value']:.1%}", -clean["value"], (-0.97, "≥ 97 %")
            )
            logits, sampler = (of[f"robust_linf_0.2_{name}"]["value"] for name in ("least", "sampler"))
            measured = f"logits {logits:.1%}; after the sampler ({variant}) {sampler:.1%}, at least {low['value']:.1%}"
            bounds = (-0.3, "≥ 30 %, at least"), (-0.6, "60 %")
            yield goal("under all attacks, ℓ∞ 0.2", measured, -low["value"], *bounds)
