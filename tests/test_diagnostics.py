"""R-hat and effective sample sizes against an established implementation, and how they are recorded."""

import math

import numpy as np
import pytest
import torch

from energybased import Langevin, StandardNormal, sample
from energybased.sampling import ChainInfo, Info
from energybased.sampling.diagnostics import ENTRIES, RECORDED, Diagnostics, Last, ess_bulk, ess_tail, r_hat


def autoregressive(a, chains, n, random):
    x = random.normal(size=(n, chains))
    for t in range(1, n):
        x[t] = a * x[t - 1] + math.sqrt(1 - a * a) * x[t]
    return x


def draws(kind):
    """From numpy's legacy generator, whose numbers never change."""
    random = np.random.RandomState(0)
    x = {
        "slow": lambda: autoregressive(0.95, 4, 200, random),
        "short": lambda: autoregressive(0.5, 30, 21, random),
        "antithetic": lambda: autoregressive(-0.6, 4, 200, random),
        "one stuck": lambda: np.concatenate([random.normal(size=(200, 3)), np.full((200, 1), 3.0)], 1),
        "apart": lambda: 0.1 * random.normal(size=(200, 4)) + np.arange(4),
        "other scales": lambda: random.normal(size=(200, 4)) * [1, 1, 1, 5],
        "cauchy": lambda: random.standard_cauchy(size=(200, 4)),
        "ties": lambda: np.round(random.normal(size=(200, 4))),
    }[kind]()
    return torch.from_numpy(x)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [  # of arviz-stats 0.8.0: rhat(x, method="rank"), ess(x, method="bulk"), ess(x, method="tail", prob=(0.05, 0.95))
        ("slow", [1.37649000493, 9.13249191577, 34.5880579131]),
        ("short", [1.10283876236, 239.661058173, 348.979591837]),
        ("antithetic", [1.00409315403, 2322.47198959, 491.515105893]),
        ("one stuck", [1.52916412568, 7.49427784703, 627.982736494]),
        ("apart", [2.85439106204, 4.78527498638, 38.9605370756]),
        ("other scales", [1.23141200394, 874.755144843, 29.181755975]),
        ("cauchy", [1.00606460046, 911.100615031, 813.863692459]),
        ("ties", [1.00372311339, 773.561431553, 816.49316187]),
    ],
)
def test_diagnostics_are_those_of_arviz(kind, expected):
    x = draws(kind)
    assert [float(f(x)) for f in (r_hat, ess_bulk, ess_tail)] == pytest.approx(expected, rel=1e-9)


def test_chains_that_never_move_and_numbers_that_are_not_finite():
    still = torch.randn(1, 4).expand(200, 4)
    assert r_hat(still).isinf() and ess_bulk(still) < 5  # each chain is one draw
    for broken in (torch.ones(200, 4), torch.full((200, 4), torch.nan)):
        assert r_hat(broken).isnan() and ess_bulk(broken).isnan() and ess_tail(broken).isnan()


def run(steps, dim=2, chains=6):
    start = torch.randn(chains, dim, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    return sample(StandardNormal(dim), start, Langevin.overdamped(0.5), steps, generator, keep_every=1)


@pytest.mark.parametrize("steps", [20, 199, 200, 201, 999])
def test_evenly_spaced_states_are_recorded(steps):
    samples = run(steps)
    states, every = samples.info.states, -(-steps // RECORDED)
    assert len(states) == len(samples.info.energies) == steps // every <= RECORDED
    recorded = steps - every * torch.arange(len(states)).flip(0)
    assert torch.equal(states, samples.trace[recorded - 1])
    before = samples.trace[recorded[1:] - 2]  # where this kernel took its gradients
    energies = StandardNormal(2)(before.flatten(0, 1)).view(-1, 6)
    torch.testing.assert_close(samples.info.energies[1:], energies.double())


def test_the_record_is_bounded():
    many = Diagnostics(torch.empty(2000, 4, device="meta"), 1000)
    assert many.states.numel() <= 2**18 and len(many.states) == len(many.energies) == 1000 // 32
    assert len(Diagnostics(torch.empty(10**6, 64, device="meta"), 1000).states) == 20
    assert Diagnostics(torch.empty(40, 4, device="meta"), 1000, record=False).energies is None


def test_what_is_reported():
    info = run(400).info
    for value in (info.r_hat, info.ess, info.ess_bulk, info.ess_tail):
        assert value.shape == (2,) and value.dtype == torch.float64 and value.isfinite().all()
    for value in (info.energy_r_hat, info.energy_ess, info.energy_ess_tail):
        assert value.shape == () and value.isfinite()
    assert info.r_hat is info.r_hat and torch.equal(info.ess, info.ess_bulk)
    large = run(20, dim=ENTRIES + 1).info
    assert large.states is None and large.r_hat.shape == (ENTRIES + 1,) and large.r_hat.isnan().all()
    assert large.energy_ess.isfinite()
    short = run(19).info
    assert short.r_hat.isnan().all() and short.energy_r_hat.isnan() and short.ess_tail.shape == (2,)


def test_joined_chains_are_diagnosed_together():
    """Each half is sound, and both together are not."""
    x = draws("apart")[..., None]
    ones = torch.ones(2)
    a, b = (ChainInfo(ones, ones, ones, (1,), x[:, rows], x[:, rows, 0]) for rows in (slice(0, 2), slice(2, 4)))
    joined = ChainInfo.join([a, b])
    assert joined.r_hat == r_hat(x[..., 0]) and joined.energy_ess == ess_bulk(x[..., 0])
    assert joined.acceptance.shape == (4,)


def test_a_kernel_may_leave_the_energy_out():
    last = Last.of(torch.zeros(3, 2), torch.ones(3, 2), Info())
    assert last.energy.isnan().all() and last.gradient.isnan().all() and (last.movement > 1.41).all()


def test_effective_sample_size_of_a_known_chain():
    """AR(1) with coefficient a = 1 - s^2/2 has n (1 - a)/(1 + a) effective samples."""
    s, steps, chains = 1.0, 200, 100
    a = 1 - s * s / 2
    start = math.sqrt(1 / (1 - s * s / 4)) * torch.randn(chains, 1, generator=torch.Generator().manual_seed(0))
    info = sample(StandardNormal(1), start, Langevin.overdamped(s), steps, torch.Generator().manual_seed(1)).info
    expected = chains * steps * (1 - a) / (1 + a)
    assert abs(info.ess / expected - 1) < 0.1  # over 20,000 draws: a sum of ten autocorrelations, each to 0.007
    assert info.r_hat < 1.02  # about sqrt(1 + (3 - 1) / 100), from half-chains of 100 with (1 + a)/(1 - a) = 3
