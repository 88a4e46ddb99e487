"""Tables of what energies over data were asked for, against what was measured."""

from __future__ import annotations

import math

from cells import ROOT, line, number, results, verdict


def table() -> str:
    """Asked against measured, row by row."""
    d, g, c, demo = results("digits.json"), results("guard.json"), results("chain.json"), results("demo.json")
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
            f"{fresh['value']:.1f}, as fresh ones",
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
            asked = "≤ 2 × healthy FD, each" if guard == "guard on" else "lost in at least one of these"
            worst = max(math.inf if v is None else v for v in r["per_seed"])
            met = verdict(worst, 2, 1.2) if guard == "guard on" else "yes" if worst > 1000 else ""
            lines.append(line(f"{fault}, {guard}", asked, "1.2 ×" if guard == "guard on" else "", ratio(r), met))
    lines.append(line("memory of a chain, 1,000 to 100,000 steps", "flat", "", f"+ {growth['value']:.1f} MiB", ""))
    lines.append(line("resume after kill -9", "same to the bit", "", "`tests/test_training.py`, every tensor", "yes"))
    return "\n".join(lines)


def on_demo(demo: dict, what: str) -> str:
    return verdict(demo[what]["value"], demo["fd_best_mixture"]["value"])


def unlabelled() -> str:
    d = results("digits-unlabelled.json")
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
            lines += [f"| {name} " + line for line in made(results(f"{name}.json"))]
    for what, r in results("judges.json").items():
        data = what.removeprefix("accuracy_")
        asked = JUDGED.get(data)
        bound, met = ("", "") if asked is None else (f"≥ {asked:.1%}", verdict(-r["value"], -asked))
        row = line("accuracy, test split", bound, "", f"{r['value']:.2%}", met)
        lines.append(f"| judge-{data.split('-')[0]} {row}")
    for what, r in results("updates.json").items():
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
