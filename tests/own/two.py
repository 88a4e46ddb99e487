"""Trains two recipes with as many processes as the first argument says, into the folder of the second.

Then the processes share samples, scores and likelihoods of the models, which are written into shared.safetensors.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

import energybased as eb
from energybased.recipes import find_recipe


def recipes():
    """A small energy with a replay buffer, and a latent model of several stages, of which the first ends early."""
    energy = replace(find_recipe("digits"), batch_size=16, steps=20, checkpoint_every=10, shards=2)
    latent = replace(find_recipe("digits-latent"), batch_size=16, steps=20, checkpoint_every=10, shards=2)
    return {"energy": energy, "latent": latent}


def shared(folder, devices):
    """Numbers of both models for more rows than one chunk has."""
    energy, latent = (eb.load(Path(folder) / name, devices=devices) for name in recipes())
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(700, 1, 8, 8, generator=rng)
    return {
        "samples": energy.sample(700, steps=2, generator=rng),
        "scores": energy.score(x),
        "latent samples": latent.sample(700, generator=rng),
        "latent scores": latent.score(x, generator=rng),
        "likelihoods": latent.log_prob(x[:120], particles=5, levels=2, generator=rng),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, recipe in recipes().items():
        eb.train(recipe, out=Path(sys.argv[2]) / name, devices=int(sys.argv[1]))
    found = shared(sys.argv[2], int(sys.argv[1]))
    if eb.training.is_first():
        save_file(found, Path(sys.argv[2]) / "shared.safetensors")
