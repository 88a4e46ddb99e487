"""The page of a latent model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from energybased.data import DataSet
from energybased.data.pictures import grid
from energybased.evaluation.detection import out_of_distribution_inputs
from energybased.latent import LatentModel
from energybased.report.charts import clouds, histograms
from energybased.report.page import Page, detection, note, picture, repeat, table, training
from energybased.training.run import Run

CURVES = {
    "mse": "squared error of g(z+), pixels on [-1, 1]",
    "loss": "loss of the prior; a stage's classifier has 1.386 at chance",
    "divergence": "KL(q(z | x), N(0, I)), nats",
    "gap": "E(z+) - E(z-)",
}
NAMES = {
    "fd_fresh": "the prior",
    "fd_stage_0": "its base",
    "fd_posterior": "posteriors of training data",
    "mse": "error of reconstructions",
    "auprc": "what was left out, found again: average precision",
}
SHOWN = 2000  # latent vectors in a cloud
DRAWN = 16  # draws that go through the stages
BETWEEN = 10  # pictures from one example to another


def latent_report(
    run: Run, model: LatentModel, data: DataSet, rows: Sequence[dict[str, Any]], command: str = ""
) -> str:
    """The page of a latent model's run: how its prior was learned, what it draws, and what it finds strange."""
    page = Page(f"A latent energy-based model of {data.name}")
    if data.is_image:
        drawn = picture(grid(model.sample(80), columns=10), "drawn by the model: z of the prior, not picked")
        held = picture(grid(data.test.pixels(slice(80)), columns=10), "held-out data")
        page.add("Samples beside data", '<div class="pair">', drawn, held, "</div>")
    names = NAMES | {f"fd_stage_{k}": f"after {k} of its stages" for k in range(1, len(model.prior.active))}
    distances = [row for row in rows if row["what"].startswith("fd_") or row["what"] in NAMES]
    if distances:
        page.add(
            "How good they are",
            table(distances, ("samples of", "distance", "protocol"), ("fd_fresh",), names),
            note("Fréchet distance to held-out data in the features of a small classifier; less is better."),
        )
    if model.chains is None:
        title = "The prior, stage by stage" if model.prior.stages else "The prior, and what it is to become"
        page.add(title, *_stages(model, data))
    if data.is_image:
        page.add("Reconstructed, and from one to another", *_reproduced(model, data))
    page.add("Energies of ordinary and of strange inputs", *_energies(model, data), *detection(rows))
    page.add("Training", *training(run, CURVES))
    page.add("How to repeat it", *repeat(run, command))
    return page.render()


def _stages(model: LatentModel, data: DataSet) -> list[str]:
    learned = [k + 1 for k, counts in enumerate(model.prior.active) if counts]
    inferred = model.sample_posterior(data.train.pixels(slice(SHOWN)))
    groups = {f"{k} stages" if k else "base": model.sample_prior(SHOWN, k=k) for k in (0, *learned)}
    groups["data: posteriors"] = inferred
    centre = inferred.mean(0)
    _, _, axes = torch.linalg.svd(inferred - centre, full_matrices=False)
    bodies = (
        []
        if model.dim == 1
        else [
            clouds({name: (z - centre) @ axes[:2].T for name, z in groups.items()}),
            note(
                "Samples of the prior along the two widest directions of the data's posteriors, which it is to become."
            ),
        ]
    )
    if data.is_image and learned:
        told = "the same draws, above of the base, on their way through the stages"
        bodies.append(picture(grid(model.stages(DRAWN).flatten(0, 1), columns=DRAWN), told))
    return bodies


def _reproduced(model: LatentModel, data: DataSet) -> list[str]:
    x = data.test.pixels(slice(BETWEEN))
    beside = torch.cat([x, model.reconstruct(x)])
    z = model.sample_posterior(x)
    pairs = len(z) // 2
    way = torch.linspace(0, 1, BETWEEN)[None, :, None]
    between: Tensor = torch.lerp(z[:pairs, None], z[pairs : 2 * pairs, None], way)
    return [
        picture(grid(beside, columns=len(x)), "held-out data, and below them g(z) of their posteriors"),
        picture(grid(model.generate(between.flatten(0, 1)), columns=BETWEEN), "straight lines between posteriors"),
    ]


def _energies(model: LatentModel, data: DataSet) -> list[str]:
    test = data.test.pixels(slice(SHOWN // 4))
    groups = {"train": data.train.pixels(slice(len(test))), "held out": test}
    if data.is_image:
        groups |= out_of_distribution_inputs(test)
    return [
        histograms({name: model.score(x) for name, x in groups.items()}, "score (low: ordinary)"),
        note("Training and held-out data should lie together. Values beyond the right edge are drawn at it."),
    ]
