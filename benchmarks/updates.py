"""What the paper's recipes cost here: `EBM_DATA=FOLDER python benchmarks/updates.py` writes results/updates.json.

Times three updates of each recipe, exactly as it is written, after one that is not counted, and the way from the disk
to the first batch of CIFAR-10. Nothing else may run beside it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

from rows import row, write

from energybased.recipes import find_recipe
from energybased.training import Loop, Run

COMMAND = "EBM_DATA=FOLDER python benchmarks/updates.py"
RECIPES = ("cifar10-conditional", "cifar10")
UPDATES = 3
DAY = 86_400
FIRST_BATCH = """
import time
began = time.perf_counter()
from energybased.data import load_data
from energybased.training.batches import as_batches
data = load_data("cifar10")
as_batches((data.train.x, data.train.y), 128, 0).next()
print(time.perf_counter() - began)
"""


def update(name: str):
    """Seconds of each update."""
    recipe = replace(find_recipe(name), steps=UPDATES + 1, guard="off")
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
    return times[1:]


def main() -> None:
    rows = []
    loads = [float(subprocess.check_output([sys.executable, "-c", FIRST_BATCH])) for _ in range(3)]
    protocol = "seconds from importing the library to the first batch of CIFAR-10, three processes"
    rows.append(row("cifar10_first_batch", loads, [0], protocol, COMMAND, sum(loads)))
    for name in RECIPES:
        times = update(name)
        days = find_recipe(name).steps * sum(times) / len(times) / DAY
        protocol = (
            f"seconds an update, {UPDATES} of them after one; {find_recipe(name).steps} would take {days:.0f} days"
        )
        rows.append(row(f"{name}_update", times, [0], protocol, COMMAND, sum(times), days=round(days, 1)))
    write("updates.json", rows)


if __name__ == "__main__":
    main()
