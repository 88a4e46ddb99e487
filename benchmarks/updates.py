"""What the paper's recipes cost here: `EBM_DATA=FOLDER python benchmarks/updates.py cifar10-conditional cifar10`.

Times three updates of each recipe, exactly as it is written, and the way from the disk to the first batch of CIFAR-10;
writes results/updates.json. Nothing else may run beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace

from rows import RESULTS, row, write

from energybased.recipes import find_recipe
from energybased.training import Loop, Run

COMMAND = "EBM_DATA=FOLDER python benchmarks/updates.py"
UPDATES = 3
DAY = 86_400
LOADING = {
    "cifar10_first_batch": "seconds from asking for CIFAR-10 to its first batch, three processes",
    "cifar10_with_import": "the same, and the import of the library before it",
}
FIRST_BATCH = """
import time
began = time.perf_counter()
from energybased.data import load_data
from energybased.training.batches import as_batches
imported = time.perf_counter()
data = load_data("cifar10")
as_batches((data.train.x, data.train.y), 128, 0).next()
print(time.perf_counter() - imported, time.perf_counter() - began)
"""


def update(name: str):
    """Seconds of each update."""
    recipe = replace(find_recipe(name), steps=UPDATES)
    data = recipe.load_data()
    loop = Loop(recipe.parts(data), recipe.phases(), recipe.examples(data), recipe)
    run, times = Run.create(f"runs/updates-{name}", {}, overwrite=True), []
    inner = loop._step

    def timed():
        began = time.perf_counter()
        inner()
        times.append(time.perf_counter() - began)
        print(name, len(times), f"{times[-1]:.1f} s", flush=True)

    loop._step = timed
    loop.fit(run)
    run.release()
    return times


def main() -> None:
    file = RESULTS / "updates.json"
    rows = {r["what"]: r for r in json.loads(file.read_text())} if file.exists() else {}
    printed = [subprocess.check_output([sys.executable, "-c", FIRST_BATCH], text=True).split() for _ in range(3)]
    for i, (what, protocol) in enumerate(LOADING.items()):
        loads = [float(words[i]) for words in printed]
        rows[what] = row(what, loads, [0], protocol, COMMAND, sum(loads))
    write("updates.json", list(rows.values()))
    for name in sys.argv[1:]:
        times, what, steps = update(name), f"{name}_update", find_recipe(name).steps
        days = steps * sum(times) / len(times) / DAY
        protocol = f"seconds of each of {UPDATES} updates; {steps} would take {days:.0f} days"
        rows[what] = row(what, times, [0], protocol, f"{COMMAND} {name}", sum(times), days=round(days, 1))
        write("updates.json", list(rows.values()))


if __name__ == "__main__":
    main()
