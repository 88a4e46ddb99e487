"""Features of torch-fidelity's Inception network with random weights, which `test_features.py` compares ours with.

This file is also the script that writes them to `data/inception.npz`, and prints how far our features are from all of
theirs. It needs torch-fidelity 0.4.0, which is no dependency of the project:

    pip install --no-deps --target OTHER torch-fidelity==0.4.0 tqdm
    PYTHONPATH=OTHER:src python tests/inception_fixture.py

torch-fidelity imports torchvision at its start and does not use it for features, so an empty module takes its place.
"""

import sys
import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

FILE = Path(__file__).parent / "data" / "inception.npz"
EVERY = 4  # of the features and logits, one in four is kept
SIZES = ((32, 40), (310, 330))  # one picture is enlarged, the other reduced


def weights(shapes):
    """Random weights by name, for shapes by name. RandomState's numbers are the same in all versions of numpy."""
    rng, found = np.random.RandomState(0), {}
    for name in sorted(shapes):
        shape = tuple(shapes[name])
        value = rng.standard_normal(shape).astype(np.float32)
        if len(shape) > 1:
            value *= np.sqrt(2 / np.prod(shape[1:]))  # keeps the size of what passes through
        elif name.endswith(("bn.weight", "running_var")):
            value = np.exp(0.1 * value)
        else:
            value *= 0.1
        found[name] = torch.from_numpy(np.asarray(value, dtype=np.float32))
    return found


def pictures():
    """One picture of bytes `(1, 3, height, width)` of each size: noise of several scales."""
    rng = np.random.RandomState(1)
    for height, width in SIZES:
        coarse = np.kron(rng.standard_normal((3, height // 2 + 1, width // 2 + 1)), np.ones((2, 2)))[:, :height, :width]
        noise = 128 + 40 * coarse + 20 * rng.standard_normal((3, height, width))
        yield torch.from_numpy(noise.clip(0, 255).round().astype(np.uint8))[None]


class Nothing(ModuleType):
    """A module in which every name is an empty class."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def theirs(state):
    """Features `(2, 2048)` and logits without bias `(2, 1008)` of the pictures, by torch-fidelity."""
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.datasets"):
        sys.modules[name] = Nothing(name)
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], own, sys.modules[name])
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    with tempfile.NamedTemporaryFile(suffix=".pth") as file:
        torch.save(state, file.name)
        network = FeatureExtractorInceptionV3("inception", ["2048", "logits_unbiased"], file.name)
    return (torch.cat(parts) for parts in zip(*(network(x) for x in pictures()), strict=True))


def ours(state):
    """The same by this library."""
    from energybased.evaluation.extractors import Inception
    from energybased.networks.inception import Inception2015

    network = Inception2015().eval()
    network.load_state_dict(state, strict=False)
    features = torch.cat([Inception(network).features(x / 255) for x in pictures()])
    return features, features @ network.fc.weight.detach().T


def shapes():
    """The shapes of the network's floating-point tensors, by name."""
    from energybased.networks.inception import Inception2015

    with torch.device("meta"):
        state = Inception2015().state_dict()
    return {name: value.shape for name, value in state.items() if value.is_floating_point()}


def main():
    state = weights(shapes())
    kept = {}
    for name, a, b in zip(("features", "logits"), theirs(state), ours(state), strict=True):
        print(f"{name} {tuple(a.shape)}: at most {a.abs().max():.3g}, largest difference {(a - b).abs().max():.3g}")
        kept[name] = a.numpy()[:, ::EVERY]
    np.savez_compressed(FILE, **kept)


if __name__ == "__main__":
    main()
