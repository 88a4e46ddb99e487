"""A trained run, ready for use."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import TypeVar, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from energybased.energies import as_energy
from energybased.energy import Energy, mixture
from energybased.errors import UserError, require
from energybased.latent import LatentModel
from energybased.recipes import EnergyRecipe, LatentRecipe, Recipe
from energybased.runs.settings import read_recipe, to_json
from energybased.sampling import Samples, Streams, sample
from energybased.tasks.denoise import denoise
from energybased.training.checkpoint import load_group, read_state
from energybased.training.run import Run

M = TypeVar("M", bound=nn.Module)
FORMAT = "energybased-model-1"
CHUNK = 500  # rows at a time


@dataclass(frozen=True)
class Model:
    """The averaged weights of a run, in eval mode, with the settings they were trained under.

    A conditional model takes its classes in turn, row i the class i modulo classes; `given` binds it to others.

    Args:
        energy: over x of shape `(batch, *event)`, frozen.
        own: the recipe it was trained by; None for a run on a network of the user's own.
        event: shape of one example.
    """

    energy: Energy
    own: EnergyRecipe | None
    event: tuple[int, ...]

    @property
    def recipe(self) -> EnergyRecipe:
        """The settings; a run on a network of the user's own has none."""
        if self.own is None:
            raise UserError("this run has no recipe to sample by: use sample(model.energy, start, kernel, steps)")
        return self.own

    @property
    def classes(self) -> int:
        """Number of classes that the energy still waits for; 0 if it is unconditional or bound."""
        return 0 if self.own is None or self.energy.bound else self.own.classes or 0

    def given(self, y: Tensor | int) -> Model:
        """The model of one class, or of one class a row `(n,)`."""
        require(self.classes > 0, "the model is not conditional, or bound already")
        labels = torch.as_tensor(y) if isinstance(y, (Integral, Tensor)) else torch.empty(0)
        whole = labels.numel() > 0 and labels.dtype != torch.bool and not labels.is_floating_point()
        require(whole, f"a class is a whole number, or a tensor of them, got {y!r}")
        known = int(labels.min()) >= 0 and int(labels.max()) < self.classes
        require(known, f"the model knows the classes 0 ... {self.classes - 1}")
        return replace(self, energy=self.energy.given(y if isinstance(y, Tensor) else int(y)))

    def cycle_classes(self, n: int) -> Energy:
        """The energy of n rows, bound to the classes in turn if it waits for any."""
        return self.energy.given(torch.arange(n) % self.classes) if self.classes else self.energy

    @property
    def marginal(self) -> Energy:
        """-log sum_y exp(-E(x, y)); the energy itself where there is no class to sum over."""
        if self.classes == 0:
            return self.energy
        return mixture([self.energy.given(y) for y in range(self.classes)])

    def start(self, n: int, seed: int = 0) -> Tensor:
        """n fresh starts of chains, `(n, *event)`: uniform noise in [0, 1]."""
        return torch.rand((n, *self.event), generator=torch.Generator().manual_seed(seed))

    def run_chains(
        self, start: Tensor, steps: int | None = None, seed: int = 0, keep_every: int | None = None
    ) -> Samples:
        """Runs the recipe's kernel from `start`, by default for the recipe's length."""
        steps = self.recipe.sampler.length if steps is None else steps
        generator = torch.Generator().manual_seed(seed)
        return sample(self.cycle_classes(len(start)), start, self.recipe.sampler.kernel, steps, generator, keep_every)

    def sample(self, n: int, steps: int | None = None, seed: int = 0) -> Tensor:
        """n pictures `(n, *event)` in [0, 1], the ends of fresh chains."""
        require(n >= 1, f"n must be at least 1, got {n}")
        sampler, start, energy = self.recipe.sampler, self.start(n, seed), self.cycle_classes(n)
        steps = sampler.length if steps is None else steps
        streams, ends = Streams.of(torch.Generator().manual_seed(seed), start), []
        for rows in _chunks(n):
            engine = self.recipe.engine if len(rows) == CHUNK < n else "eager"  # a program pays from the second part on
            part = energy.select(rows), start[rows], sampler.kernel, steps, streams.select(rows)
            ends.append(sample(*part, engine=engine).x)
        return self.denoise(torch.cat(ends))

    def denoise(self, x: Tensor) -> Tensor:
        """Chains live among data with noise; this takes the noise off, and keeps pixels in [0, 1]."""
        energy, noise, times = self.cycle_classes(len(x)), self.recipe.data_noise, self.recipe.sampler.denoise
        return torch.cat([denoise(energy.select(r), x[r], noise, times).clamp(0, 1) for r in _chunks(len(x))])

    @torch.no_grad()
    def score(self, x: Tensor) -> Tensor:
        """Marginal energies `(n,)` of x `(n, *event)`; high means strange."""
        require(isinstance(x, Tensor) and x.is_floating_point(), "x must be a tensor of floating-point numbers")
        fits = tuple(x.shape[1:]) == tuple(self.event)
        require(fits, f"x must be (n, {', '.join(map(str, self.event))}), got {tuple(x.shape)}")
        require(len(x) >= 1 and bool(x.isfinite().all()), "x must hold examples, all of finite numbers")
        energy = self.marginal
        return torch.cat([energy.select(r)(x[r]) for r in _chunks(len(x))])

    def export(self, file: Path | str) -> None:
        """Writes weights and settings into one safetensors file, which `load` reads."""
        header = {"format": FORMAT, "recipe": json.dumps(to_json(self.recipe)), "event": json.dumps(self.event)}
        try:
            save_file({k: v.contiguous() for k, v in self.energy.state_dict().items()}, file, metadata=header)
        except (OSError, SafetensorError) as error:
            raise UserError(f"cannot write the model {file}: {error}") from error


def _chunks(n: int) -> list[Tensor]:
    """The rows of a batch in parts that memory holds; what becomes of a row depends on its part by rounding alone."""
    return list(torch.arange(n).split(CHUNK))


def load(path: Path | str, energy: nn.Module | None = None, step: int | None = None) -> Model | LatentModel:
    """The model of a run, with the averaged weights of its newest checkpoint, or of an exported file.

    Args:
        path: a run's folder, or a file that `Model.export` wrote.
        energy: the network, for a run that was trained on one of the user's own; it is copied.
        step: of another checkpoint than the newest.
    """
    path = Path(path)
    if path.is_file():
        require(step is None, f"{path} is one model, without checkpoints")
        return _from_file(path)
    run = Run.open(path)
    facts = run.recipe
    folder = run.checkpoint(step)
    read_state(folder, facts["identity"])
    weights, event = load_group(folder, "ema"), tuple(facts["event"])
    recipe = None if facts["settings"] is None else read_recipe(facts["settings"])
    require(energy is None or recipe is None, f"{path} is a run of a recipe, which has its own network")
    if isinstance(recipe, LatentRecipe):
        return _latent(recipe, event, weights, str(path))
    own = None if recipe is None else _of_energies(recipe, path)
    return _model(own, event, _of_part(weights, "energy"), str(path), energy)


def load_energy(path: Path | str) -> Model:
    """`load`, of what must be an energy over data."""
    model = load(path)
    require(isinstance(model, Model), f"{path} holds a latent model, not an energy over data")
    return cast(Model, model)


def load_latent(path: Path | str, step: int | None = None) -> LatentModel:
    """`load`, of what must be a latent model."""
    model = load(path, step=step)
    require(isinstance(model, LatentModel), f"{path} holds no latent model")
    return cast(LatentModel, model)


def _from_file(path: Path) -> Model:
    try:
        with safe_open(path, framework="pt") as file:
            header: Mapping[str, str] = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is not a model: {error}") from error
    require(header.get("format") == FORMAT, f"{path} is not a model that this version of energybased exported")
    try:
        recipe = _of_energies(read_recipe(json.loads(header["recipe"])), path)
        event = tuple(json.loads(header["event"]))
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"the settings in {path} cannot be read: {error}") from error
    return _model(recipe, event, weights, str(path), None)


def _of_energies(recipe: Recipe, path: Path) -> EnergyRecipe:
    if not isinstance(recipe, EnergyRecipe):
        raise UserError(f"{path} holds no energy: its recipe is {recipe.recipe}")
    return recipe


def _model(
    recipe: EnergyRecipe | None,
    event: tuple[int, ...],
    weights: dict[str, Tensor],
    path: str,
    network: nn.Module | None,
) -> Model:
    if network is not None:
        energy = as_energy(copy.deepcopy(network)).cpu()
    elif recipe is not None:
        energy = recipe.build(event)
    else:
        raise UserError(f"{path} was trained on a network of your own: pass it, load(path, energy=network)")
    return Model(_filled(energy, weights, path), recipe, event)


def _latent(recipe: LatentRecipe, event: tuple[int, ...], weights: Mapping[str, Tensor], path: str) -> LatentModel:
    parts = recipe.build(event)
    return recipe.model({name: _filled(part, _of_part(weights, name), path) for name, part in parts.items()})


def _of_part(weights: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    prefix = f"{part}/"
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def _filled(module: M, weights: Mapping[str, Tensor], path: str) -> M:
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"the weights of {path} do not fit the networks of its recipe") from error
    return module.eval().requires_grad_(False)


def buffer_samples(run: Run, recipe: EnergyRecipe, n: int, seed: int = 0) -> Tensor:
    """Chains that rest in the newest checkpoint's replay buffer, as they are, `(n, *event)`; all if they are fewer.

    Those of a conditional model come with the classes in turn, if the buffer keeps chains by class.
    """
    prefix = "objective/"
    state = load_group(run.newest_checkpoint(), "state")
    state = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    rng = torch.Generator().manual_seed(seed)
    chains = recipe.buffer.contents(state, rng)
    lanes = len(state["pointer"])
    rows = torch.randperm(len(chains) // lanes, generator=rng)[: -(-n // lanes)]
    return chains.unflatten(0, (-1, lanes))[rows].flatten(0, 1)[:n]
