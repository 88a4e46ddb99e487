"""Times the recipes of the paper: `EBM_DATA=FOLDER python benchmarks/updates.py cifar10-conditional cifar10`.

Measures three updates of each recipe, with all its settings, and the loading of CIFAR-10 up to the first batch. Writes
results/updates.json. No other program may run at the same time.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from threading import Event

from rows import Measured

from energybased.recipes import find_recipe
from energybased.training import Loop, Run

UPDATES, PROCESSES, DAY = 3, 3, 86_400
LOADING = {
    "": "seconds to load CIFAR-10 up to its first batch, three processes",
    "with import": "the same, with the import of the library",
}
FIRST_BATCH = """
import time
began = time.perf_counter()
from energybased.data import load_data
from energybased.training.batches import as_batches
imported = time.perf_counter()
as_batches(load_data("cifar10"), 128, 0).next()
print(time.perf_counter() - imported, time.perf_counter() - began)
"""


def update(name: str) -> list[float]:
    """Seconds of each update."""
    recipe = replace(find_recipe(name), steps=UPDATES, checkpoint_every=1)
    data, times = recipe.load_data(), [time.perf_counter()]
    loop = Loop(recipe.parts(data), recipe.phases(data), data, recipe, data.domain, bool(recipe.conditional))
    inner = loop._step

    def timed(interrupt: Event) -> bool:
        began = time.perf_counter()
        stopping = inner(interrupt)
        times.append(time.perf_counter() - began)
        return stopping

    loop._step = timed
    run = Run.create(f"runs/updates-{name}", {}, overwrite=True)
    loop.fit(run)
    run.release()
    return times[1:]


def main() -> None:
    found = Measured("updates", range(PROCESSES), command="EBM_DATA=FOLDER python benchmarks/updates.py")
    for _ in range(PROCESSES):
        spent = subprocess.check_output([sys.executable, "-c", FIRST_BATCH], text=True).split()
        for (variant, protocol), seconds in zip(LOADING.items(), map(float, spent), strict=True):
            fields = {"variant": variant} if variant else {}
            names = {"data": "cifar10", "system": "cifar10", "metric": "first_batch_seconds"}
            found.add(seconds, protocol, seconds, **names, **fields)
    found.write()
    for name in sys.argv[1:]:
        times, steps = update(name), find_recipe(name).steps
        days = steps * sum(times) / len(times) / DAY
        protocol = f"seconds per update, of {UPDATES} updates; {steps} would take {days:.0f} days"
        made = Measured("updates", range(UPDATES), command=f"{found.command} {name}")
        for seconds in times:
            fields = {"data": "cifar10", "system": name, "metric": "update_seconds"}
            made.add(seconds, protocol, seconds, {"days": round(days, 1)}, **fields)
        made.write()


if __name__ == "__main__":
    main()
