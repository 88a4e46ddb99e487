"""Writes the tables of the pages from results/*.json: `python benchmarks/pages.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import contest
import papers
import speed
import tables
from rows import ROOT

PAGES: Mapping[str, Mapping[str, Callable[[], str]]] = {  # page -> mark -> function that makes the text at the mark
    "README.md": {"summary": tables.summary},
    "RESULTS.md": {
        "results": tables.energies,
        "pictures": tables.pictures,
        "tasks": tables.tasks,
        "rivals": contest.contest,
        "reals": tables.reals,
        "latent-targets": tables.latent_targets,
        "ratios": tables.known_ratios,
        "first-paper": partial(papers.papers, papers.FIRST),
        "second-paper": partial(papers.papers, papers.LATENT),
    },
    "docs/latent.md": {"latent": tables.systems, "ablation": tables.ablation, "anomaly": tables.anomalies},
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
