"""What samples are taken for: `python benchmarks/named.py MODEL` writes runs/named.png, 100 samples in random order.

MODEL is a run, or the name of a model that comes with the package.

Somebody who has not seen the order looks at the picture and writes the names of the classes, as numbers or words, one a
line from the top left, into a file. `python benchmarks/named.py MODEL --names FILE --by WHO` then writes
results/named.json: the share that is named by the class that was asked for. A second picture of 100 random test
pictures (`--test`) says what share of real ones is named rightly.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import tyro
from rows import Measured
from subjects import subject_at
from tyro.conf import Positional

from energybased.data.pictures import grid, save_png
from energybased.errors import require
from energybased.recipes import find_recipe

COUNT, ENLARGED = 100, 3


def main(
    path: Annotated[Positional[Path], tyro.conf.arg(name="MODEL")],
    /,
    names: Path | None = None,
    by: str = "",
    test: bool = False,
    picture: Path = Path("runs/named.png"),
) -> None:
    subject, made = subject_at(path, "named.py")
    recipe = subject.system
    require(subject.data.name == "cifar10", "the names are those of the classes of CIFAR-10")
    order = torch.randperm(COUNT, generator=subject.rng())
    held = subject.data.test.some(COUNT)
    y = held.y if test else torch.arange(COUNT) % subject.model.classes
    assert isinstance(y, torch.Tensor)
    if names is None:
        now = find_recipe(recipe)
        model = replace(subject.model, guidance=now.guidance, flow_levels=now.flow_levels)  # type: ignore[attr-defined]
        x = subject.data.values(held) if test else model.sample(COUNT, generator=subject.rng())
        picture.parent.mkdir(parents=True, exist_ok=True)
        large = x[order].repeat_interleave(ENLARGED, 2).repeat_interleave(ENLARGED, 3)
        save_png(grid(large, 10), picture)
        print(picture)
        return
    given = [line.strip().lower() for line in names.read_text().split("\n") if line.strip()]
    require(len(given) == COUNT, f"{names} has {len(given)} names, but there are {COUNT} pictures")
    numbers = [subject.data.conditions[0].number(name) for name in given]
    share = float((torch.tensor(numbers) == y[order]).float().mean())
    what = "random test pictures" if test else "samples"
    told = f"{COUNT} {what} in a shuffled order, each named from the picture alone, out of ten classes, by {by}"
    found = Measured("named", [subject.seed], made)
    found.add(share, told, 0.0, data=subject.data.name, system=recipe, metric="named_rightly", kind=what)
    found.write()


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
