"""The table of results in README.md, made from results/*.json: `python benchmarks/table.py` rewrites it."""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path

ROOT = Path(__file__).parent.parent


def rows(name: str) -> dict[str, dict]:
    return {r["what"]: r for r in json.loads((ROOT / "results" / name).read_text())}


def number(r: dict, digits: int = 1) -> str:
    spread = "" if r["sd"] is None else f" ± {r['sd']:.{digits}f}"
    return f"{r['value']:.{digits}f}{spread}"


def line(what: str, reach: str, stretch: str, measured: str, met: str) -> str:
    return f"| {what} | {reach} | {stretch} | {measured} | {met} |"


def verdict(value: float, reach: float, stretch: float | None = None) -> str:
    """Both bounds are named where they disagree: the stretch is not always the narrower."""
    if value > reach:
        return "**missed**" if stretch is None or value > stretch else "**missed**; the stretch is met"
    return "yes, and the stretch" if stretch is not None and value <= stretch else "yes"


def table() -> str:
    """Asked against measured, row by row."""
    d, g, c, demo = rows("digits.json"), rows("guard.json"), rows("chain.json"), rows("demo.json")
    mixture, floor = d["fd_best_mixture"]["value"], d["fd_floor"]["value"]
    buffer, fresh, long = d["fd_buffer"], d["fd_fresh"], d["fd_long"]
    seconds, growth = demo["demo_seconds"], c["memory_growth_100k_steps"]
    lines = [
        "| what | asked | stretch | measured | met |",
        "|---|---|---|---|---|",
        line("`ebm demo`, two cores", "≤ 120 s", "60 s", f"{number(seconds)} s", verdict(seconds["value"], 120, 60)),
        line(
            "digits FD, replay-buffer chains",
            f"< {mixture:.1f}, best mixture",
            f"{1.5 * floor:.1f}, 1.5 × floor",
            number(buffer),
            verdict(buffer["value"], mixture, 1.5 * floor),
        ),
        line(
            "digits FD, fresh chains",
            f"< {mixture:.1f}, best mixture",
            f"{2 * floor:.1f}, 2 × floor",
            number(fresh),
            verdict(fresh["value"], mixture, 2 * floor),
        ),
        line(
            "the same chains, ten times as long",
            f"≤ {3 * mixture:.1f}, 3 × best mixture",
            f"{fresh['value']:.1f}, as at length",
            number(long),
            verdict(long["value"], 3 * mixture, fresh["value"]),
        ),
        line("the same without labels: buffer; fresh; long", "", "", unlabelled(), ""),
        line("one Gaussian; best mixture; floor", "", "", baselines(d), ""),
        line(
            "the demo, the same recipe on two threads: buffer; fresh",
            f"< {demo['fd_best_mixture']['value']:.1f}, best mixture",
            f"floor {demo['fd_floor']['value']:.1f}",
            f"{number(demo['fd_buffer'])}; {number(demo['fd_fresh'])}",
            f"{on_demo(demo, 'fd_buffer')}; {on_demo(demo, 'fd_fresh')}",
        ),
        line("energies tell flipped digits, AUROC", f"mixture {auroc(d, 'mixture')}", "", auroc(d, "energy"), ""),
    ]
    for what, r in g.items():
        fault, guard = what.rsplit(", ", 1)
        if fault != "none":
            asked = "≤ 2 × healthy FD, each" if guard == "guard on" else "lost in at least one"
            worst = max(math.inf if v is None else v for v in r["per_seed"])
            met = verdict(worst, 2, 1.2) if guard == "guard on" else ""
            lines.append(line(f"{fault}, {guard}", asked, "1.2 ×" if met else "", ratio(r), met))
    lines.append(line("memory of a chain, 1,000 to 100,000 steps", "flat", "", f"+ {growth['value']:.1f} MiB", ""))
    lines.append(line("resume after kill -9", "same to the bit", "", "`tests/test_training.py`, every tensor", "yes"))
    return "\n".join(lines)


def on_demo(demo: dict, what: str) -> str:
    return verdict(demo[what]["value"], demo["fd_best_mixture"]["value"])


def unlabelled() -> str:
    d = rows("digits-unlabelled.json")
    return "; ".join(number(d[name]) for name in ("fd_buffer", "fd_fresh", "fd_long"))


def baselines(d: dict) -> str:
    return "; ".join(number(d[name]) for name in ("fd_gaussian", "fd_best_mixture", "fd_floor"))


def auroc(d: dict, who: str) -> str:
    return number(d[f"auroc_flipped_{who}"], 3)


def ratio(r: dict) -> str:
    lost = sum(v is None or v > 1000 for v in r["per_seed"])
    said = f"lost (not finite or > 1000 ×) in {lost} of {len(r['per_seed'])}"
    return said if lost else f"{number(r, 2)} ×"


PICTURES = ("mnist-conditional", "fashion", "cifar10-small")
JUDGED = {"mnist": 0.994, "fashion-mnist": 0.93, "cifar10": 0.93}


def pictures() -> str:
    """The recipes over pictures whose results are there."""
    lines = ["| `ebm train` | what | asked | stretch | measured | met |", "|---|---|---|---|---|---|"]
    for name in PICTURES:
        if (ROOT / "results" / f"{name}.json").exists():
            made = small_lines if name == "cifar10-small" else recipe_lines
            lines += [f"| {name} " + line for line in made(rows(f"{name}.json"))]
    for what, r in rows("judges.json").items():
        data = what.removeprefix("accuracy_")
        asked = JUDGED.get(data)
        bound, met = ("", "") if asked is None else (f"≥ {asked:.1%}", verdict(-r["value"], -asked))
        row = line("accuracy, test split", bound, "", f"{r['value']:.2%}", met)
        lines.append(f"| judge-{data.split('-')[0]} {row}")
    for what, r in rows("updates.json").items():
        name, _, rest = what.partition("_")
        if rest == "update":
            days = f"{number(r)} s; all of them {r['days']:.0f} days"
            lines.append(f"| {name} " + line("an update as the paper writes it", "", "", days, ""))
        elif rest == "first_batch":
            lines.append(
                f"| {name} " + line("first batch from disk", "≤ 3 s", "", f"{number(r)} s", verdict(r["value"], 3))
            )
        else:
            lines.append(f"| {name} " + line("the same, the library's import before it", "", "", f"{number(r)} s", ""))
    return "\n".join(lines)


def small_lines(r: dict[str, dict]) -> list[str]:
    """Of a recipe that is asked for no more than to be beside simple baselines."""
    gaussian, mixture = r["fd_gaussian"]["value"], r["fd_best_mixture"]["value"]
    lowest = min(gaussian, mixture)
    return [
        line("minutes, one thread of a busy machine", "60, two cores", "", number(r["minutes"]), ""),
        line(
            "FD, 5,000 fresh samples",
            f"beside one Gaussian, {gaussian:.1f}, and the best mixture, {mixture:.1f}",
            f"< {lowest:.1f}, both",
            number(r["fd_fresh"]),
            verdict(r["fd_fresh"]["value"], float("inf"), lowest),
        ),
        line("FD, replay buffer; floor", "", "", f"{number(r['fd_buffer'])}; {number(r['fd_floor'])}", ""),
        line("samples the judge is > 0.9 sure of (test)", "", "", sure(r), ""),
        line("energies tell flipped ones, AUROC (mixture)", "", "", told_apart(r), ""),
    ]


def sure(r: dict[str, dict]) -> str:
    return f"{r['sure_fresh']['value']:.1%} ({r['sure_test']['value']:.1%})"


def told_apart(r: dict[str, dict]) -> str:
    return f"{auroc(r, 'energy')} ({auroc(r, 'mixture')})"


def recipe_lines(r: dict[str, dict]) -> list[str]:
    mixture, minutes = r["fd_best_mixture"]["value"], r["minutes"]
    seeds = len(minutes["seeds"])
    told = f"{number(r['fd_gaussian'])}; {number(r['fd_best_mixture'])}; {number(r['fd_floor'])}"
    certain, entropy = r["sure_fresh"], r["entropy_fresh"]
    return [
        line(
            "minutes, one thread of a busy machine",
            "≤ 40, two cores",
            "",
            f"{number(minutes)} ({seeds} seed{'s' * (seeds > 1)})",
            verdict(minutes["value"], 40),
        ),
        line(
            "FD, 5,000 fresh samples",
            f"< {mixture:.1f}, best mixture",
            f"{mixture / 2:.1f}, half of it",
            number(r["fd_fresh"]),
            verdict(r["fd_fresh"]["value"], mixture, mixture / 2),
        ),
        line("FD, replay buffer", "", "", number(r["fd_buffer"]), ""),
        line("FD, one Gaussian; best mixture; floor", "", "", told, ""),
        line(
            "samples the judge is > 0.9 sure of (test)",
            "≥ 70 %",
            "≥ 90 %",
            sure(r),
            verdict(-certain["value"], -0.7, -0.9),
        ),
        line("entropy of their classes", "≥ 2.2 nats", "", number(entropy, 2), verdict(-entropy["value"], -2.2)),
        line("energies tell flipped ones, AUROC (mixture)", "", "", told_apart(r), ""),
    ]


SYSTEMS = {
    "stages": "**stages**",
    "stages-encoder": "stages, chains from an encoder",
    "one-stage-afterwards": "one stage, once the generator has learned",
    "stages-afterwards": "stages, once the generator has learned",
    "stages-matched": "the same, from a base with the moments of posteriors",
    "one-stage": "one stage (noise-contrastive)",
    "lebm": "LEBM",
    "lebm-encoder": "LEBM, chains from an encoder",
    "vae": "VAE",
    "ncp-vae": "VAE, one ratio afterwards (NCP-VAE)",
    "telescope": "VAE, telescoping ratios afterwards",
    "intensified": "VAE, telescoping ratios with a hundred times the noise",
    "discrepancy": "VAE, energy discrepancy afterwards",
    "two-stage": "two-stage VAE",
    "rae": "regularised autoencoder, ten Gaussians over its latent vectors",
}
DISTANCES = ("fd", "fd of the base", "fd of posteriors")


LATENT = {"MNIST": "mnist-latent-small", "Fashion-MNIST": "fashion-latent-small", "CIFAR-10": "cifar10-latent-small"}
RATIOS = ("one-stage", "ncp-vae", "telescope", "intensified", "one-stage-afterwards")  # ratio methods beside ours


def systems() -> str:
    """Latent models side by side, one data set after the other."""
    lines = ["| data | system | FD | after 1, 2, … stages | FD of the base | FD of posteriors | MSE | minutes |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for data, name in LATENT.items():
        found = rows(f"{name}.json")
        for system, said in SYSTEMS.items():
            if f"{system}: fd" in found:
                values = [number(found[f"{system}: {what}"]) for what in DISTANCES]
                after = [number(r) for what, r in found.items() if what.startswith(f"{system}: fd after")]
                values.insert(1, ", ".join(after))
                values += [number(found[f"{system}: mse"], 4), number(found[f"{system}: minutes"])]
                lines.append(f"| {data} | {said} | {' | '.join(values)} |")
    return "\n".join(lines)


def latent_asked() -> str:
    """What was asked of latent models, and what was measured."""
    lines = ["| what | asked | stretch | measured | met |", "|---|---|---|---|---|"]
    for data, name in LATENT.items():
        found = rows(f"{name}.json")
        distances = {s: found[f"{s}: fd"]["value"] for s in SYSTEMS if f"{s}: fd" in found}
        others = {s: value for s, value in distances.items() if not s.startswith("stages")}
        rivals = {s: others[s] for s in (*RATIOS, "lebm") if s in others}
        nearest = min(rivals, key=lambda s: rivals[s])
        ours = found["stages: fd"]
        lines.append(
            line(
                f"{data}: FD, against the best ratio method and LEBM",
                f"< {rivals[nearest]:.1f}, {SYSTEMS[nearest]}",
                f"< {min(others.values()):.1f}, every row",
                number(ours),
                verdict(ours["value"], rivals[nearest], min(others.values())),
            )
        )
        part = found.get("stages: part of LEBM's minutes")
        if part is not None:
            lines.append(line(f"{data}: time to LEBM's FD", "≤ 0.9", "0.5", *reached(part)))
    counts = rows("gradients.json")
    share = counts["stages: energies"]["value"] / counts["lebm: energies"]["value"]
    told = (
        f"{share:.3f}; counting networks {counts['stages: networks']['value'] / counts['lebm: networks']['value']:.2f}"
    )
    lines.append(
        line("gradients for samples of the prior, against LEBM's", "≤ 0.2", "0.1", told, verdict(share, 0.2, 0.1))
    )
    return "\n".join(lines)


def reached(part: dict) -> tuple[str, str]:
    """What part of a time was needed, and the verdict; it is null if the mark was never reached."""
    if part["value"] is None:
        return "not reached", "**missed**"
    return number(part, 2), verdict(part["value"], 0.9, 0.5)


def ablation() -> str:
    """One thing changed at a time."""
    found = rows("ablation.json")
    lines = ["| MNIST, a third of the updates | FD | stages that count | minutes |", "|---|---|---|---|"]
    for what, r in found.items():
        name, _, kind = what.partition(": ")
        if kind == "fd":
            learned, minutes = found[f"{name}: learned"], found[f"{name}: minutes"]
            lines.append(f"| {name} | {number(r)} | {learned['value']:.0f} | {number(minutes)} |")
    return "\n".join(lines)


DIGITS = (1, 4, 5, 7, 9)
PUBLISHED = {  # pooled split
    "Xiao & Han 2022, as recalled": (0.531, 0.729, 0.742, 0.620, 0.499),
    "LEBM, as published by others": (0.336, 0.630, 0.619, 0.463, 0.413),
}


def anomalies() -> str:
    """Area under the precision-recall curve, digit by digit."""
    found = rows("anomaly.json")
    lines = [f"| split | system | score | {' | '.join(map(str, DIGITS))} |", "|---|---|---|" + "---|" * len(DIGITS)]
    for split, system, how in product(("official", "pooled"), SYSTEMS, ("joint", "ratio")):
        made = [found.get(f"{system}, {how}, {split}: digit {digit}") for digit in DIGITS]
        if any(made):
            values = " | ".join("" if r is None else number(r, 3) for r in made)
            lines.append(f"| {split} | {SYSTEMS[system]} | {how} | {values} |")
    pooled = any(", pooled: " in what for what in found)
    for who, values in PUBLISHED.items() if pooled else ():
        lines.append(f"| pooled | {who} | joint | {' | '.join(f'{value:.3f}' for value in values)} |")
    return "\n".join(lines)


def known_ratios() -> str:
    """Staged ratios against densities that are known."""
    r = rows("ratios.json")
    kl, off = r["ring, staged: kl"], [r[what] for what in r if what.endswith("staged: log_prob_off")]
    lines = [
        "| what | asked | stretch | measured | met |",
        "|---|---|---|---|---|",
        line("KL(ring, prior), nats", "≤ 0.2", "0.05", number(kl, 3), verdict(kl["value"], 0.2, 0.05)),
        line("the same with one stage", "", "", number(r["ring, one stage: kl"], 3), ""),
    ]
    for name in ("chasm", "pinwheel", "pairs"):
        staged, one = r[f"{name}, staged: rmse"], r[f"{name}, one stage: rmse"]
        part = staged["value"] / one["value"]
        told = f"{number(staged, 3)} and {number(one, 3)}: {part:.2f}"
        lines.append(
            line(
                f"{name}: error of the log-ratio, against one stage's", "≤ 1/5", "1/20", told, verdict(part, 0.2, 0.05)
            )
        )
    worst = max(off, key=lambda found: found["value"])
    lines.append(
        line(
            "log_prob against quadrature, nats", "≤ 0.05", "0.01", number(worst, 3), verdict(worst["value"], 0.05, 0.01)
        )
    )
    return "\n".join(lines)


def rewritten(text: str) -> str:
    """The README with its tables made anew."""
    tables = {
        "results": table(),
        "pictures": pictures(),
        "latent": systems(),
        "latent-asked": latent_asked(),
        "ablation": ablation(),
        "anomaly": anomalies(),
        "ratios": known_ratios(),
    }
    for mark, made in tables.items():
        before, rest = text.split(f"<!-- {mark} -->")
        text = f"{before}<!-- {mark} -->\n{made}\n<!-- /{mark} -->{rest.split(f'<!-- /{mark} -->')[1]}"
    return text


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(rewritten(readme.read_text()))
    print(readme.read_text())
