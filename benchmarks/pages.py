"""Writes the tables of the pages from results/*.json: `python benchmarks/pages.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import speed
from rows import ROOT
from tables.anomalies import anomalies
from tables.attacks import attacks
from tables.choices import choices
from tables.contest import contest
from tables.digits import energies
from tables.latent import ablation, prior_fit, systems
from tables.latent_targets import latent_targets
from tables.level_tasks import level_tasks
from tables.measurement import measurement
from tables.noise_levels import noise_levels
from tables.objectives import pictures as picture_objectives
from tables.objectives import plane
from tables.papers import FIRST, LATENT, papers
from tables.picture_anomalies import picture_anomalies
from tables.pictures import pictures
from tables.ratios import known_ratios
from tables.reals import reals
from tables.summary import summary
from tables.tabular import costs, tabular, tabular_goals
from tables.tasks import tasks
from tables.techniques import method, techniques

PAGES: Mapping[str, Mapping[str, Callable[[], str]]] = {  # page -> mark -> function that makes the text at the mark
    "README.md": {"summary": summary},
    "RESULTS.md": {
        "results": energies,
        "pictures": pictures,
        "noise-levels": noise_levels,
        "level-tasks": level_tasks,
        "method": method,
        "techniques": techniques,
        "tasks": tasks,
        "attacks": attacks,
        "rivals": contest,
        "measurement": measurement,
        "choices": choices,
        "reals": reals,
        "latent-targets": latent_targets,
        "ratios": known_ratios,
        "first-paper": partial(papers, FIRST),
        "second-paper": partial(papers, LATENT),
    },
    "docs/latent.md": {"latent": systems, "prior-fit": prior_fit, "ablation": ablation, "anomaly": anomalies},
    "docs/detection.md": {
        "tabular-goals": tabular_goals,
        "tabular-published-normal": partial(tabular, "published", "semi-supervised"),
        "tabular-clean-normal": partial(tabular, "clean", "semi-supervised"),
        "tabular-unseen-normal": partial(tabular, "clean", "semi-supervised", unseen=True),
        "tabular-published-mixed": partial(tabular, "published", "unsupervised"),
        "tabular-clean-mixed": partial(tabular, "clean", "unsupervised"),
        "picture-anomalies": picture_anomalies,
        "detector-costs": costs,
    },
    "docs/noise-levels.md": {"objectives": plane, "picture-objectives": picture_objectives},
    "docs/speed.md": {"processes": speed.processes, "annealing": speed.annealing},
    "docs/chains.md": {
        "bench": speed.bench,
        "rates": speed.rates,
        "bench-avx512": partial(speed.bench, "bench-avx512"),
        "rates-avx512": partial(speed.rates, "bench-avx512"),
        "parts": speed.parts,
        "quality": speed.quality,
    },
}


def rewritten(text: str, page: str) -> str:
    """The text of a page, with its tables made from results/*.json."""
    for mark, make in PAGES[page].items():
        before, rest = text.split(f"<!-- {mark} -->")
        text = f"{before}<!-- {mark} -->\n{make()}\n<!-- /{mark} -->{rest.split(f'<!-- /{mark} -->')[1]}"
    return text


if __name__ == "__main__":
    for page in PAGES:
        file = ROOT / page
        file.write_text(rewritten(file.read_text(), page))
