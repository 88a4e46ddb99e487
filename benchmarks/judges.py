"""The judges that distances are measured by: `python benchmarks/judges.py mnist fashion`.

Writes results/judges/DATA.safetensors, and their accuracies into results/judges.json.
"""

from __future__ import annotations

import json
import sys
import time

from rows import RESULTS, row, write

from energybased.recipes import find_recipe
from energybased.runs.judge import save_judge, train_judge


def main() -> None:
    file = RESULTS / "judges.json"
    rows = {r["what"]: r for r in json.loads(file.read_text())} if file.exists() else {}
    for name in sys.argv[1:]:
        recipe, began = find_recipe(f"judge-{name}"), time.monotonic()
        data = recipe.load_data()
        judge = train_judge(recipe, f"runs/judge-{name}")
        save_judge(f"runs/judge-{name}", RESULTS / "judges" / f"{data.name}.safetensors")
        right = judge.accuracy(data.test.pixels(), data.test.y)
        protocol = f"accuracy on the {len(data.test)} examples of the test split; {recipe.steps} updates"
        command = f"python benchmarks/judges.py {name}"
        what = f"accuracy_{data.name}"
        rows[what] = row(what, [right], [recipe.seed], protocol, command, time.monotonic() - began)
    write("judges.json", list(rows.values()))


if __name__ == "__main__":
    main()
