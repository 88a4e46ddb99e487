"""The judges that distances are measured by: `python benchmarks/judges.py mnist fashion`.

Writes results/judges/DATA.safetensors, and their accuracies into results/judges.json. A run that is there is gone on
with.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from rows import RESULTS, row, write

from energybased.recipes import find_recipe
from energybased.runs.judge import load_judge, save_judge, train_judge
from energybased.runs.train import resume


def main() -> None:
    file = RESULTS / "judges.json"
    rows = {r["what"]: r for r in json.loads(file.read_text())} if file.exists() else {}
    for name in sys.argv[1:]:
        recipe, began = find_recipe(f"judge-{name}"), time.monotonic()
        data = recipe.load_data()
        folder = Path("runs") / f"judge-{name}"
        judge = load_judge(resume(folder).path) if folder.exists() else train_judge(recipe, folder)
        save_judge(f"runs/judge-{name}", RESULTS / "judges" / f"{data.name}.safetensors")
        right = judge.accuracy(data.test.pixels(), data.test.y)
        protocol = f"accuracy on the {len(data.test)} examples of the test split; {recipe.steps} updates"
        command = f"python benchmarks/judges.py {name}"
        what = f"accuracy_{data.name}"
        rows[what] = row(what, [right], [recipe.seed], protocol, command, time.monotonic() - began)
    write("judges.json", list(rows.values()))


if __name__ == "__main__":
    main()
