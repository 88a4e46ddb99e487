"""Systems for comparison with a latent recipe. They share its data, networks and steps, but not its inference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, NamedTuple, TypeVar

from energybased.errors import UserError, nearest
from energybased.latent import ShortRun
from energybased.recipes.latent import LatentRecipe
from energybased.recipes.lebm import LebmRecipe
from energybased.recipes.rae import RaeRecipe
from energybased.recipes.staged import StagedRecipe
from energybased.recipes.two_stage import TwoStageRecipe
from energybased.recipes.vae import VaeRecipe
from energybased.sampling import Engine

R = TypeVar("R", bound=LatentRecipe)
BRIDGES = 6  # number of telescoping ratios
MAGNITUDE = 100.0  # M of noise-intensified telescoping
FROZEN: dict[str, Any] = {
    "first_fraction": 0.85,
    "ratio_updates_per_draw": 10,
}  # posteriors that do not change need fewer draws


def _like(recipe: StagedRecipe, kind: type[R], **changes: Any) -> R:
    """A recipe of another class, with all settings that both classes have."""
    shared = {f.name: getattr(recipe, f.name) for f in fields(LatentRecipe)}
    return kind(**shared | changes)


def _coded(recipe: StagedRecipe, kind: type[R], **changes: Any) -> R:
    """A recipe of another class whose inference is an encoder without chains."""
    inference = replace(recipe.posterior, steps=0)
    return _like(recipe, kind, encoder=True, posterior=inference, **{"stages": 1} | changes)


def _lebm(recipe: StagedRecipe, **changes: Any) -> LebmRecipe:
    engine: Engine = "compiled" if recipe.posterior.engine == "compiled" else "eager"
    defaults = {"stages": 1, "prior_rate": 1.0, "prior_sampler": ShortRun(engine=engine)}  # below 1 in the literature
    return _like(recipe, LebmRecipe, **defaults | changes)


class System(NamedTuple):
    """A system with which a latent recipe can be compared.

    Args:
        words: description of the system.
        like: makes the system's recipe from a latent recipe.
    """

    words: str
    like: Callable[[StagedRecipe], LatentRecipe]


SYSTEMS: dict[str, System] = {
    "stages": System("stages, trained with the generator", lambda recipe: recipe),
    "one-stage": System("one stage (noise-contrastive)", lambda recipe: replace(recipe, stages=1)),
    "one-stage-afterwards": System(
        "one stage, generator trained first",
        lambda recipe: replace(recipe, stages=1, pretrain_generator=True, frozen_stages=1, **FROZEN),
    ),
    "stages-afterwards": System(
        "stages, generator trained first",
        lambda recipe: replace(recipe, pretrain_generator=True, frozen_stages=recipe.stages, **FROZEN),
    ),
    "stages-moment-matched": System(
        "stages, generator trained first, Gaussian base fitted to posteriors",
        lambda recipe: replace(
            recipe, pretrain_generator=True, frozen_stages=recipe.stages, moment_matched=True, **FROZEN
        ),
    ),
    "stages-encoder": System(
        "stages, posterior chains start at an encoder", lambda recipe: replace(recipe, encoder=True)
    ),
    "lebm": System("LEBM", lambda recipe: _lebm(recipe)),
    "lebm-encoder": System("LEBM, posterior chains start at an encoder", lambda recipe: _lebm(recipe, encoder=True)),
    "vae": System("VAE", lambda recipe: _coded(recipe, VaeRecipe)),
    "ncp-vae": System(
        "VAE, then a prior of one ratio (NCP-VAE)", lambda recipe: _coded(recipe, VaeRecipe, prior="nce")
    ),
    "telescope": System(
        "VAE, then a prior of telescoping ratios",
        lambda recipe: _coded(recipe, VaeRecipe, prior="telescope", stages=BRIDGES),
    ),
    "intensified": System(
        "VAE, then a prior of noise-intensified telescoping ratios",
        lambda recipe: _coded(recipe, VaeRecipe, prior="telescope", stages=BRIDGES, magnitude=MAGNITUDE),
    ),
    "discrepancy": System(
        "VAE, then a prior by energy discrepancy", lambda recipe: _coded(recipe, VaeRecipe, prior="discrepancy")
    ),
    "two-stage": System("two-stage VAE", lambda recipe: _coded(recipe, TwoStageRecipe)),
    "rae": System("regularised autoencoder, then ten Gaussians as prior", lambda recipe: _coded(recipe, RaeRecipe)),
}


def system(name: str, recipe: StagedRecipe) -> LatentRecipe:
    """The recipe of a system with the settings that it shares with `recipe`. The system "stages" is `recipe` itself.

    Raises:
        UserError: if there is no system of this name.
    """
    if name not in SYSTEMS:
        raise UserError(f"there is no system {name!r}: {nearest(name, SYSTEMS)}")
    made = SYSTEMS[name].like(recipe)
    return made if made is recipe else replace(made, recipe=f"{recipe.recipe}-{name}")
