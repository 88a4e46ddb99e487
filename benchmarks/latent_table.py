"""Tables of latent models: what was asked, against what was measured, and all systems side by side."""

from __future__ import annotations

from itertools import product

from cells import line, number, results, verdict

from energybased.recipes.systems import SYSTEMS

DISTANCES = ("fd", "fd of the base", "fd of posteriors")
LATENT = {"MNIST": "mnist-latent-small", "Fashion-MNIST": "fashion-latent-small", "CIFAR-10": "cifar10-latent-small"}
RATIOS = ("one-stage", "ncp-vae", "telescope", "intensified", "one-stage-afterwards")  # ratio methods beside ours
OURS = {"": "stages", ", chains from an encoder": "stages-encoder"}
FEWER = "0.4 times the updates"  # as a protocol says it
DIGITS = (1, 4, 5, 7, 9)
PUBLISHED = {  # pooled split
    "Xiao & Han 2022, as recalled": (0.531, 0.729, 0.742, 0.620, 0.499),
    "LEBM, as published by others": (0.336, 0.630, 0.619, 0.463, 0.413),
}
BEST = (0.684, 0.941, 0.964, 0.815, 0.796)  # of any method, digit by digit


def named(system: str) -> str:
    """What a system's row is called; ours stand out."""
    words = SYSTEMS[system].words
    return f"**{words}**" if system.startswith("stages") else words


def systems() -> str:
    """Latent models side by side, one data set after the other."""
    lines = [
        "| data | system | FD | after the stages before the last | FD of the base | FD of posteriors | MSE | minutes |"
    ]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for data, name in LATENT.items():
        found = results(f"{name}.json")
        for system in SYSTEMS:
            if f"{system}: fd" in found:
                values = [number(found[f"{system}: {what}"]) for what in DISTANCES]
                after = [number(r) for what, r in found.items() if what.startswith(f"{system}: fd after")]
                values.insert(1, ", ".join(after))
                values += [number(found[f"{system}: mse"], 4), number(found[f"{system}: minutes"])]
                lines.append(f"| {data} | {named(system)} | {' | '.join(values)} |")
    return "\n".join(lines)


def asked() -> str:
    """What was asked of latent models, and what was measured."""
    lines = ["| what | asked | stretch | measured | met |", "|---|---|---|---|---|"]
    for data, file in LATENT.items():
        found = results(f"{file}.json")
        ours = [(who, name) for who, name in OURS.items() if f"{name}: fd" in found]
        lines += [
            against(data + who, found, name, what, digits)
            for who, name in ours
            for what, digits in (("fd", 1), ("mse", 4))
        ]
        part = found.get("stages: part of LEBM's minutes")
        if part is not None:
            lines.append(
                line(f"{data}: time until LEBM's last FD, of LEBM's whole time", "≤ 0.9", "0.5", *reached(part))
            )
    counts = results("gradients.json")
    share = counts["stages: energies"]["value"] / counts["lebm: energies"]["value"]
    told = f"{share:.3f}; of networks {counts['stages: networks']['value'] / counts['lebm: networks']['value']:.2f}"
    lines.append(
        line(
            "gradients of energies for samples of the prior, against LEBM's",
            "≤ 0.2",
            "0.1",
            told,
            verdict(share, 0.2, 0.1),
        )
    )
    return "\n".join([*lines, *digits_left_out()])


def against(label: str, found: dict[str, dict], system: str, what: str, digits: int) -> str:
    """Stages against the best of the ratio methods and LEBM, and against every other system; less is better."""
    others = {
        s: found[f"{s}: {what}"]["value"] for s in SYSTEMS if f"{s}: {what}" in found and not s.startswith("stages")
    }
    rivals = {s: others[s] for s in (*RATIOS, "lebm", "lebm-encoder") if s in others}
    nearest, first = min(rivals, key=rivals.__getitem__), min(others, key=others.__getitem__)
    ours = found[f"{system}: {what}"]
    return line(
        f"{label}: {what.upper()}, against the best ratio method and LEBM",
        f"< {rivals[nearest]:.{digits}f}, {SYSTEMS[nearest].words}",
        f"< {others[first]:.{digits}f}, every row",
        number(ours, digits),
        verdict(ours["value"], rivals[nearest], others[first]),
    )


def digits_left_out() -> list[str]:
    """Of how many of the five digits that were left out the stages are above what was asked."""
    found = results("anomaly.json")
    of = lambda system, how, split: [  # noqa: E731
        found[f"{system}, {how}, {split}: digit {digit}"]["value"] for digit in DIGITS
    ]
    rivals = [of(system, how, "official") for system in ("lebm", "vae") for how in ("joint", "ratio")]
    marks = {
        "official split: above every score of LEBM and VAE": ([max(each) for each in zip(*rivals, strict=True)], 4),
        "pooled split: above the recalled row of the paper": (PUBLISHED["Xiao & Han 2022, as recalled"], 4),
        "pooled split: above LEBM's row, as published by others": (PUBLISHED["LEBM, as published by others"], 5),
        "pooled split: above the best that was published of each": (BEST, None),
    }
    lines = []
    for what, (mark, least) in marks.items():
        ours = of("stages", "ratio", what.split()[0])
        above = sum(a > b for a, b in zip(ours, mark, strict=True))
        bounds = ("", "5 of 5") if least is None else (f"{least} of 5", "")
        met = "yes" if above >= (least or 5) else "**missed**"
        lines.append(line(f"MNIST digits left out, {what}", *bounds, f"{above} of 5", met))
    return lines


def reached(part: dict) -> tuple[str, str]:
    """What part of a time was needed, and the verdict; it is null if the mark was never reached."""
    if part["value"] is None:
        return "not reached", "**missed**"
    return number(part, 2), verdict(part["value"], 0.9, 0.5)


def ablation() -> str:
    """One thing changed at a time."""
    found = results("ablation.json")
    lines = ["| MNIST, a third of the updates | FD | stages that count | minutes |", "|---|---|---|---|"]
    for what, r in found.items():
        name, _, kind = what.partition(": ")
        if kind == "fd":
            learned, minutes = found[f"{name}: learned"], found[f"{name}: minutes"]
            lines.append(f"| {name} | {number(r)} | {learned['value']:.0f} | {number(minutes)} |")
    return "\n".join(lines)


def anomalies() -> str:
    """Area under the precision-recall curve, digit by digit."""
    found = results("anomaly.json")
    lines = [f"| split | system | score | {' | '.join(map(str, DIGITS))} |", "|---|---|---|" + "---|" * len(DIGITS)]
    for split, system, how in product(("official", "pooled"), SYSTEMS, ("joint", "ratio")):
        made = [found.get(f"{system}, {how}, {split}: digit {digit}") for digit in DIGITS]
        if any(made):
            values = " | ".join("" if r is None else number(r, 3) for r in made)
            fewer = any(r is not None and FEWER in r["protocol"] for r in made)
            lines.append(f"| {split} | {named(system)}{f', {FEWER}' * fewer} | {how} | {values} |")
    for who, values in PUBLISHED.items():
        lines.append(f"| pooled | {who} | joint | {' | '.join(f'{value:.3f}' for value in values)} |")
    return "\n".join(lines)


def known_ratios() -> str:
    """Staged ratios against densities that are known."""
    r = results("ratios.json")
    kl, seconds = r["ring, staged: kl"], r["ring, staged: seconds"]
    off = [r[what] for what in r if what.endswith("staged: log_prob_off")]
    lines = [
        "| what | asked | stretch | measured | met |",
        "|---|---|---|---|---|",
        line("KL(ring, prior), nats", "≤ 0.2", "0.05", number(kl, 3), verdict(kl["value"], 0.2, 0.05)),
        line("the same with one stage", "", "", number(r["ring, one stage: kl"], 3), ""),
        line(
            "the ring with all defaults, processor seconds",
            "≤ 180",
            "",
            number(seconds, 0),
            verdict(seconds["value"], 180),
        ),
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
            "log_prob against quadrature on ring and pinwheel, the worse, nats",
            "≤ 0.05",
            "0.01",
            number(worst, 3),
            verdict(worst["value"], 0.05, 0.01),
        )
    )
    return "\n".join(lines)
