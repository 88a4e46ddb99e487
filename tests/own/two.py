"""Trains two recipes with as many processes as the first argument says, into the folder of the second."""

import sys
from dataclasses import replace
from pathlib import Path

import torch

import energybased as eb
from energybased.recipes import find_recipe


def recipes():
    """A small energy with a replay buffer, and a latent model of several stages, of which the first ends early."""
    energy = replace(find_recipe("digits"), batch_size=16, steps=20, checkpoint_every=10, shards=2)
    latent = replace(find_recipe("digits-latent"), batch_size=16, steps=20, checkpoint_every=10, shards=2)
    return {"energy": energy, "latent": latent}


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, recipe in recipes().items():
        eb.train(recipe, out=Path(sys.argv[2]) / name, devices=int(sys.argv[1]))
