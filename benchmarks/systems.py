"""Trains and measures systems over several seeds, such as `python benchmarks/systems.py pictures mnist-conditional`.

    pictures RECIPE   samples of an energy: results/RECIPE.json and pictures
    latent RECIPE     latent models with the same generator, inference and number of updates. Autoencoders, which need
                      no chains in training, have three times as many updates: results/RECIPE.json
    ablation          MNIST's latent recipe with one setting changed at a time: results/ablation.json
    techniques        the paper's recipe for MNIST with one of its techniques left out: results/techniques.json
    anomaly           detection of an MNIST digit that was held out of training, by scores of the last checkpoints
    denoise RECIPE    numbers of denoising steps, compared on the validation split with the run runs/RECIPE-0
    judges NAME       training and accuracy of judge-NAME, which comes with the library
    demo              `ebm demo` and `ebm demo latent`

Runs are in runs/. A run that exists is continued if it is unfinished, and then measured.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import get_args

import torch
import tyro
from rows import RESULTS, Measured
from tyro.conf import Positional

from energybased.data.pictures import beside, grid, save_png, sheet
from energybased.errors import UserError, require
from energybased.evaluation import METRICS, Subject
from energybased.evaluation.detection import auprc
from energybased.evaluation.frechet import judge_distance
from energybased.evaluation.metrics.confidence import confidence
from energybased.evaluation.metrics.frechet_row import frechet_row, reference
from energybased.latent import ShortRun
from energybased.models.latent import LatentScoreBy
from energybased.recipes import SYSTEMS, EnergyRecipe, LatentRecipe, Recipe, StagedRecipe, find_recipe, system
from energybased.runs.evaluate import read_rows, subject_of, timed
from energybased.runs.judge import SHIPPED, train_judge
from energybased.runs.load import load
from energybased.runs.train import resume, train
from energybased.training import Run, checkpoint

MORE = 3  # factor of the number of updates of autoencoders
ANOMALY, DIGITS = ("stages", "lebm", "vae"), (1, 4, 5, 7, 9)  # systems that are compared; digits that are held out
CHECKPOINTS, LAST = 20, 3  # checkpoints of a run; last checkpoints, whose average precisions are averaged
FEW = 1000  # samples of a run of `techniques`
ABLATED, SHORT = 2000, 60  # updates of the ablation; steps of its short runs, as many as LEBM's
Seeds, Names = tuple[int, ...], tuple[str, ...]


def trained(prefix: str, recipes: Mapping[str, Recipe], seeds: Sequence[int]) -> Iterator[tuple[int, str, Recipe, Run]]:
    """Trains the run of each recipe with each seed, one after another."""
    for seed in seeds:
        for name, recipe in recipes.items():
            recipe, words = replace(recipe, seed=seed, shards=1), (prefix, name.replace(" ", ""), str(seed))
            folder = Path("runs") / "-".join(filter(None, words))
            if folder.exists():
                wanted = recipe.resolve(recipe.load_data()).settings()
                require(Run.open(folder).recipe["settings"] == wanted, f"{folder} was trained with other settings")
            yield seed, name, recipe, resume(folder) if folder.exists() else train(recipe, out=folder)


def spent(run: Run) -> float:
    """CPU seconds of the training. With one thread, they hardly depend on the load of the machine."""
    return run.lines("metrics.jsonl")[-1]["processor_seconds"]


def steps_of(run: Run) -> list[int]:
    """The steps of the checkpoints."""
    return sorted(int(folder.name) for folder in checkpoint.whole(run.path / "checkpoints"))


def measure(found: Measured, subject: Subject, metrics: Sequence[str], seconds: float) -> None:
    """Adds the rows of those metrics whose needs the subject meets."""
    for name in metrics:
        if not subject.missing(METRICS[name].needs):
            for r in timed(name, subject):
                more = {"data": r.data, "system": r.system, "metric": r.metric}
                found.add(r.value, r.protocol, r.seconds + seconds, **more)


def pictures(
    recipe: Positional[str], /, seeds: Seeds = (0, 1, 2), unlabelled: bool = False, long: bool = False
) -> None:
    base, name = find_recipe(recipe), f"{recipe}{'-unlabelled' * unlabelled}"
    base, found = replace(base, recipe=name, conditional=False) if unlabelled else base, Measured(name, seeds)
    for seed, _, _, run in trained(name, {"": base}, seeds):
        subject, seconds = subject_of(run), run.lines("metrics.jsonl")[-1]["seconds"]
        data = subject.data
        measure(found, subject, ["fd_buffer", "fd", *["fd_long"] * long], seconds)
        measure(found, subject, ["fd_baselines", "confidence", "ood"], seconds)
        fields = {"data": data.name, "system": name, "metric": "minutes"}
        found.add(seconds / 60, "wall time of the training alone", seconds, **fields)
        if seed == seeds[0]:
            classes, y = subject.model.classes, data.test.take().y
            rows = [(y == label).nonzero()[:10, 0] for label in range(classes)]  # cycling through the classes
            test = data.values(data.test, torch.stack(rows, 1).flatten() if classes else slice(100))
            for metric, file in (("fd", "fd_fresh"), ("fd_long", "fd_long")):
                if metric in subject.pictures:
                    drawn = sheet(subject.pictures[metric][:100], classes)
                    save_png(beside(drawn, sheet(test, classes)), RESULTS / f"{name}-{file}.png")
        found.write()


def latent(
    recipe: Positional[str], /, systems: Names = tuple(SYSTEMS), seeds: Seeds = (0, 1, 2), steps: int | None = None
) -> None:
    base = find_recipe(recipe) if steps is None else replace(find_recipe(recipe), steps=steps)
    recipes = {name: budgeted(system(name, base)) for name in systems}
    if "stages" in recipes:  # to find the time to the FD of LEBM
        recipes["stages"] = replace(recipes["stages"], checkpoint_every=max(1, base.steps // CHECKPOINTS))
    found, made = Measured(recipe, seeds), {}
    for seed, name, _, run in trained(recipe, recipes, seeds):
        subject, seconds = replace(subject_of(run), system=name), spent(run)
        measure(found, subject, ["fd", "fd_stages", "fd_posterior", "mse"], seconds)
        model, fields = subject.model, {"data": subject.data.name, "system": name}
        if "stages" not in model.offers:
            x = model.generate(model.base.sample(subject.count, subject.rng()))
            protocol = f"fd@{len(x)}(judge, test split): g(z), z from the base of the prior"
            found.add(distance(subject, x), protocol, seconds, **fields, metric="fd_stage_0")
        found.add(seconds / 60, "CPU time of the training, one thread", seconds, **fields, metric="minutes")
        if seed == seeds[0]:
            save_png(grid(subject.samples[:64]), RESULTS / f"{recipe}-{name}.png")
        made[name] = run, subject
        if {"stages", "lebm"} <= made.keys():
            part = sooner(*made["stages"], *made["lebm"])
            protocol = "CPU time until the FD of LEBM, as a fraction of LEBM's training time; null if it is not reached"
            found.add(part, protocol, seconds, data=subject.data.name, system="stages", metric="time_to_lebm")
            made.clear()
        found.write()


def budgeted(recipe: LatentRecipe) -> LatentRecipe:
    return replace(recipe, steps=recipe.steps * (MORE if recipe.posterior.steps == 0 else 1))


def distance(subject: Subject, x: torch.Tensor) -> float:
    return judge_distance(subject.judge, x, subject.test)


def sooner(run: Run, subject: Subject, other: Run, of_other: Subject) -> float:
    """Time until a run reaches the last FD of another run, divided by the time of the other; inf if it never does."""
    times = {line["step"]: line["processor_seconds"] for line in run.lines("metrics.jsonl")}
    goal = distance(of_other, of_other.samples)
    for step in steps_of(run)[1:]:
        if distance(subject, load(run.path, step=step).sample(subject.count, generator=subject.rng())) <= goal:
            return max(time for at, time in times.items() if at <= step) / spent(other)
    return math.inf


VARIANTS: dict[str, Callable[[StagedRecipe], LatentRecipe]] = {
    **{f"K = {k}": lambda recipe, k=k: replace(recipe, stages=k) for k in range(1, 6)},
    "short runs": lambda recipe: replace(recipe, restart=1.0, prior_steps=SHORT),
    "pool": lambda recipe: replace(recipe, prior_steps=0),
    "frozen generator": lambda recipe: system("stages-afterwards", recipe),
    "frozen generator, auto": lambda recipe: system("stages-afterwards", replace(recipe, stages=8)),
}


def ablation(variants: Names = tuple(VARIANTS), seeds: Seeds = (0,)) -> None:
    base = replace(find_recipe("mnist-latent-small"), steps=ABLATED)
    found = Measured("ablation", seeds)
    for _, name, recipe, run in trained("ablation", {name: VARIANTS[name](base) for name in variants}, seeds):
        subject, seconds = subject_of(run), spent(run)
        prior, x = subject.model.prior, subject.samples
        if name == "short runs":  # a prior that was trained with short runs is sampled with them
            short = ShortRun(base.kernel, SHORT)
            x = subject.model.generate(short.sample(prior, prior.base, len(x), subject.rng(), prior.log_z_offset))
        more = {"stages": recipe.stages} if name.startswith("K") else {}
        fields = {"data": subject.data.name, "system": "stages", "variant": name, **more}
        protocol = f"fd@{len(x)}(judge, test split): g(z), z from annealed chains (for short runs, from short runs)"
        found.add(distance(subject, x), protocol, seconds, metric="fd", **fields)
        found.add(len(prior.stages), "active stages after training", seconds, metric="active_stages", **fields)
        found.add(seconds / 60, "CPU time of the training, one thread", seconds, metric="minutes", **fields)
        found.write()


TECHNIQUES: dict[str, Callable[[EnergyRecipe], EnergyRecipe]] = {
    "all": lambda recipe: recipe,
    "chains from noise": lambda recipe: replace(recipe, buffer=replace(recipe.buffer, restart=1.0)),
    "no spectral norm": lambda recipe: replace(recipe, network=replace(recipe.network, spectral=False)),
    "no penalty": lambda recipe: replace(recipe, energy_l2=0.0),
}


def techniques(variants: Names = tuple(TECHNIQUES), seeds: Seeds = (0,), steps: int = 600) -> None:
    base = replace(find_recipe("mnist-paper-conditional"), steps=steps)
    found = Measured("techniques", seeds)
    for seed, name, _, run in trained("techniques", {name: TECHNIQUES[name](base) for name in variants}, seeds):
        subject, seconds = subject_of(run), spent(run)
        last = run.lines("metrics.jsonl")[-1]
        fields = {"data": subject.data.name, "system": "mnist-paper-conditional", "variant": name}
        (row,) = timed("fd_buffer", subject)
        found.add(row.value, row.protocol, seconds, metric="fd_buffer", **fields)
        try:
            x = subject.model.sample(FEW, generator=subject.rng())
        except UserError as error:  # a training that diverged
            found.add(math.nan, f"none: {error}", seconds, metric="fd", **fields)
        else:
            how = f"fresh chains of {subject.model.sampler.length} steps"
            row = frechet_row(subject, "fd", x, reference(subject), how)
            found.add(row.value, row.protocol, seconds, metric="fd", **fields)
            if seed == seeds[0]:
                save_png(sheet(x[:100], 10), RESULTS / f"techniques-{name.replace(' ', '-')}.png")
        found.add(seconds / 60, "CPU time of the training, one thread", seconds, metric="minutes", **fields)
        protocol = "energy of data less that of chains, mean over the last updates"
        found.add(last["gap"], protocol, seconds, metric="gap", **fields)
        found.write()


def anomaly(systems: Names = ANOMALY, digits: Seeds = DIGITS, seeds: Seeds = (0, 1, 2), pooled: bool = False) -> None:
    found, split = Measured("anomaly", seeds), "pooled" if pooled else "official"
    recipes, base = {}, find_recipe("mnist-anomaly-small")
    for digit, name in ((digit, name) for digit in digits for name in systems):
        recipe = replace(budgeted(system(name, base)), holdout_class=digit, pooled_split=pooled)
        recipes[f"{name}-{digit}"] = replace(recipe, checkpoint_every=recipe.steps // CHECKPOINTS)
    names = {f"{name}-{digit}": name for digit in digits for name in systems}
    for _, key, recipe, run in trained(f"anomaly-{split}", recipes, seeds):
        subject, digit = subject_of(run), recipe.holdout_class
        x, n = torch.cat([subject.test, subject.held_out_class]), len(subject.test)
        models = [load(run.path, step=step) for step in steps_of(run)[-LAST:]]
        drawn = [model.posterior_samples(x, generator=subject.rng()) for model in models]
        protocol = f"digit {digit} held out, {split} split, prevalence {1 - n / len(x):.3f}, mean of {LAST} checkpoints"
        for score in get_args(LatentScoreBy):
            scored = ((replace(model, score_by=score), z) for model, z in zip(models, drawn, strict=True))
            scores = [torch.stack([model.score_at(x, each) for each in z]).mean(0) for model, z in scored]
            value = mean(auprc(each[:n], each[n:]) for each in scores)
            fields = {"data": subject.data.name, "system": names[key], "metric": "auprc", "split": split}
            found.add(value, protocol, spent(run), **fields, score=score, label=digit)
        found.write()


def denoise(recipe: Positional[str], /) -> None:
    subject = subject_of(Run.open(Path("runs") / f"{recipe}-0"))
    model, data, found, began = subject.model, subject.data, Measured("denoise"), time.perf_counter()
    validation = data.values(data.validation)
    ends = model.run_chains(model.start(2000)).x
    for times in (0, 1, 2, 4, 8):
        x = replace(model, sampler=replace(model.sampler, denoise=times)).denoise(ends)
        protocol = f"{len(x)} samples against {len(validation)} validation examples, denoised {times} times"
        fields = {"data": data.name, "system": recipe, "split": "validation", "times": times}
        confident = confidence(subject.judge.probabilities(x))[0]
        values = {"fd": judge_distance(subject.judge, x, validation), "confident": confident}
        for metric, value in values.items():
            found.add(value, protocol, time.perf_counter() - began, metric=metric, **fields)
    found.write()


def judges(name: Positional[str], /) -> None:
    found, folder = Measured("judges"), Path("runs") / f"judge-{name}"
    if not folder.exists():
        train_judge(find_recipe(f"judge-{name}"), folder)
    subject = subject_of(resume(folder))
    subject.model.export(SHIPPED / f"{subject.data.name}.safetensors")
    measure(found, subject, ["accuracy"], 0.0)
    found.write()


def demo(seeds: Seeds = (0, 1, 2)) -> None:
    for name, arguments in {"demo": [], "demo-latent": ["latent"]}.items():
        found = Measured(name, seeds)
        for seed in seeds:
            began = time.monotonic()
            subprocess.run([sys.executable, "-m", "energybased", "demo", *arguments, "--seed", str(seed)], check=True)
            seconds, protocol = time.monotonic() - began, "wall time of the whole command on an idle machine"
            run = Run.open(Path("runs") / name)
            for r in read_rows(run):
                found.add(r.value, r.protocol, seconds, data=r.data, system=r.system, metric=r.metric)
            found.add(seconds, protocol, seconds, data="digits", system=run.recipe["recipe"], metric="seconds")
        found.write()


EXPERIMENTS = (pictures, latent, ablation, techniques, anomaly, denoise, judges, demo)

if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict({f.__name__: f for f in EXPERIMENTS}, description=__doc__)
