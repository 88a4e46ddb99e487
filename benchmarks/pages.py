"""The pages whose tables are made from results/*.json: `python benchmarks/pages.py` makes them anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import latent_table
import speed
import table
from cells import ROOT

PAGES: Mapping[str, Mapping[str, Callable[[], str]]] = {  # page -> mark -> what stands there
    "README.md": {
        "results": table.table,
        "pictures": table.pictures,
        "latent-asked": latent_table.asked,
        "ratios": latent_table.known_ratios,
    },
    "docs/latent.md": {
        "latent": latent_table.systems,
        "ablation": latent_table.ablation,
        "anomaly": latent_table.anomalies,
    },
    "docs/chains.md": {"bench": speed.bench, "rates": speed.rates, "parts": speed.parts, "quality": speed.quality},
}


def rewritten(text: str, page: str) -> str:
    """The text of a page with its tables made anew."""
    for mark, make in PAGES[page].items():
        before, rest = text.split(f"<!-- {mark} -->")
        text = f"{before}<!-- {mark} -->\n{make()}\n<!-- /{mark} -->{rest.split(f'<!-- /{mark} -->')[1]}"
    return text


if __name__ == "__main__":
    for page in PAGES:
        file = ROOT / page
        file.write_text(rewritten(file.read_text(), page))
