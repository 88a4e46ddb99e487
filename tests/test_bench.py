"""The rivals of the bench sample what they should, so that their times can be compared."""

import math
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from energybased import HMC, MALA, Langevin
from energybased.networks import MLP

pytest.importorskip("ebm")
pytest.importorskip("torchebm")
sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, from its compiler
losses, rivals = pytest.importorskip("losses"), pytest.importorskip("rivals")
SPREAD = torch.tensor([1.0, 2.0])


class Normal(nn.Module):
    def forward(self, x):
        return 0.5 * (x / SPREAD).square().sum(1)


@pytest.mark.parametrize("kernel", [Langevin.overdamped(0.4), MALA(0.9), HMC(0.5, 3)], ids=lambda k: type(k).__name__)
@pytest.mark.parametrize("who", ["torchebm", "ebmkit", "plain", "compiled forward", "compiled step"])
def test_rivals_sample_a_normal(kernel, who):
    """Langevin chains at step s have the standard deviation that the discretisation gives, as this library's."""
    run = rivals.chains(Normal(), kernel, half=False).get(who)
    if run is None:
        assert (who, type(kernel)) == ("torchebm", MALA)
        return
    torch.manual_seed(0)
    found = run(SPREAD * torch.randn(4000, 2), 60).std(0)
    bias = (1 - 0.4**2 / (4 * SPREAD**2)).rsqrt() if isinstance(kernel, Langevin) else 1.0
    assert found.tolist() == pytest.approx((SPREAD * bias).tolist(), rel=0.05)  # four standard errors


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("who", ["torchebm", "ebmkit", "plain"])
def test_losses_of_rivals(who, persistent):
    torch.manual_seed(0)
    net, data = MLP(3, (8,)), torch.rand(512, 3)
    make = {"torchebm": losses._torchebm, "ebmkit": losses._ebmkit}.get(who, partial(losses._plain, who))
    value = make(net, data, 1, False, persistent)
    value().backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())
    assert net.layers[0].weight.grad.norm() > 0


def test_annealing_agrees():
    runs = losses.anneals(200)
    ours, theirs = runs["ours float32"]().estimate(), runs["ebmkit float32"]()
    base = 0.5 * losses.DIM * math.log(2 * math.pi)  # log Z of the standard normal
    assert abs(base + ours.value - theirs.log_z) < 5 * (ours.error + theirs.stderr)
