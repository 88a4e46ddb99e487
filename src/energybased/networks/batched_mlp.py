"""Several multilayer perceptrons of one shape, computed as one batched network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from energybased.errors import require
from energybased.networks.mlp import MLP

ALL = slice(None)


class BatchedMLP(nn.Module):
    """`count` multilayer perceptrons of one shape, with GELU between their layers.

    Each layer is one batched matrix product. Hidden layers are initialised as by `nn.Linear`, and the last layer with
    zeros, so that each perceptron begins as the constant 0.

    Args:
        dim: number of entries of the flattened event.
        hidden: width of each hidden layer.
        count: number of perceptrons.

    Raises:
        UserError: if count is not positive.

    >>> BatchedMLP(4, (8,), count=3)(torch.zeros(5, 4)).shape
    torch.Size([5, 3])
    """

    def __init__(self, dim: int, hidden: Sequence[int], count: int) -> None:
        super().__init__()
        require(count >= 1, f"count must be at least 1, got {count}")
        self.count = count
        widths = [dim, *hidden]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for a, b in pairwise(widths):
            bound = 1 / math.sqrt(a)
            self.weights.append(torch.empty(count, a, b).uniform_(-bound, bound))
            self.biases.append(torch.empty(count, 1, b).uniform_(-bound, bound))
        self.weights.append(torch.zeros(count, widths[-1], 1))
        self.biases.append(torch.zeros(count, 1, 1))

    @torch.no_grad()
    def follow(self, k: int) -> None:
        """Copies the hidden layers of perceptron k - 1 to perceptron k. The last layer of k is not changed."""
        for layers in (self.weights, self.biases):
            for layer in list(layers)[:-1]:
                layer[k] = layer[k - 1]

    def one(self, k: int) -> MLP:
        """A copy of perceptron k as a single network, from `(batch, *event)` to `(batch,)`."""
        widths = [weight.shape[1] for weight in self.weights]
        alone = MLP(widths[0], widths[1:], activation=nn.GELU)
        linear = [layer for layer in alone.layers if isinstance(layer, nn.Linear)]
        with torch.no_grad():
            for layer, weight, bias in zip(linear, self.weights, self.biases, strict=True):
                layer.weight.copy_(weight[k].T)
                layer.bias.copy_(bias[k, 0])
        return alone

    def forward(self, x: Tensor, which: slice = ALL) -> Tensor:
        """x `(batch, *event)` -> `(batch, count)`, or only the columns of the perceptrons `which`."""
        flat = x.flatten(1)
        h = flat.expand(len(self.weights[0][which]), *flat.shape)
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = torch.baddbmm(bias[which], nn.functional.gelu(h) if i else h, weight[which])
        return h.squeeze(2).T
