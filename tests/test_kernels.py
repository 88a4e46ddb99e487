"""A contract for every kernel in `KERNELS`, and their stationary distributions against theory."""

import copy
import gc
import math
import tracemalloc
from dataclasses import FrozenInstanceError, dataclass, replace

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from energybased import HMC, MALA, Banana, Gaussian, Langevin, Network, StandardNormal, Underdamped, UserError, sample
from energybased.energies import MLP
from energybased.sampling import KERNELS, Info, State, Streams, adapt, advance
from energybased.sampling.streams import _uniforms

EXACT = (MALA(0.9), HMC(0.5, 4), HMC(0.5, 4, jitter=0))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_a_kernel_is_a_frozen_value(kernel):
    with pytest.raises(FrozenInstanceError):
        kernel.step_size = 1.0
    assert f"{kernel.step_size:g}" in repr(kernel)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_seeded_to_the_bit_and_independent_of_neighbours(kernel):
    start = torch.randn(9, 2, generator=generator(1))
    first = sample(Banana(), start, kernel, 20, generator()).x
    assert torch.equal(first, sample(Banana(), start, kernel, 20, generator()).x)
    for rows in (slice(0, 4), slice(4, 9), [8, 2]):
        streams = Streams.of(generator(), start).select(rows)
        assert torch.equal(first[rows], sample(Banana(), start[rows], kernel, 20, streams).x)
    assert not torch.equal(first, sample(Banana(), start, kernel, 20, generator(1)).x)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_nothing_in_the_energy_changes_or_keeps_a_graph(kernel):
    net = nn.Sequential(spectral_norm(nn.Linear(3, 8)), nn.Dropout(0.5), nn.SiLU(), nn.Linear(8, 1), nn.Flatten(0))
    energy = Network(net).train()
    before = copy.deepcopy(energy.state_dict())
    samples = sample(energy, torch.randn(4, 3), kernel, 5, generator())
    advance(energy, samples.x, kernel, 5, generator())
    assert all(torch.equal(before[name], value) for name, value in energy.state_dict().items())
    assert not samples.x.requires_grad and energy.training and net[1].training
    assert all(p.requires_grad and p.grad is None for p in energy.parameters())


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_a_step_alone_is_differentiable(kernel):
    energy = MLP(3, (8,))
    x = torch.randn(4, 3, generator=generator(), requires_grad=True)
    state, _ = kernel.step(energy, kernel.init(energy, x), generator())
    state.x.square().sum().backward()
    assert x.grad.abs().sum() > 0
    assert sum(p.grad.abs().sum() for p in energy.parameters() if p.grad is not None) > 0


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_pinned_entries_never_move(kernel):
    held = torch.full((6, 2), 0.5)
    energy = StandardNormal(2).pin(held, torch.tensor([True, False]))
    samples = sample(energy, torch.zeros(6, 2), kernel, 50, generator(), keep_every=1)
    assert (samples.trace[..., 1] == 0.5).all() and samples.trace[..., 0].std() > 0.1


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_a_nan_is_never_masked(kernel):
    class Broken(Network):
        def forward(self, x, y=None):
            return (x - 100).log().sum(1) * x.sum(1)

    with pytest.raises(UserError, match="not finite"):
        sample(Broken(nn.Identity()), torch.zeros(2, 2), kernel, 3, generator())


def standard_error(x):
    """Of the mean of independent rows."""
    return x.std(0) / math.sqrt(len(x))


@pytest.mark.parametrize("kernel", EXACT, ids=str)
def test_exact_kernels_keep_the_density(kernel):
    """From exact samples, the moments after 20 transitions lie within five standard errors of the true ones."""
    for energy in (Gaussian(torch.tensor([1.0, 0.0]), torch.tensor([[1.0, 0.5], [0.5, 0.7]])), Banana(1.0, 0.5)):
        exact = energy.sample(400_000, generator(3)).double()
        x = sample(energy, energy.sample(20_000, generator(4)), kernel, 20, generator(5)).x.double()
        for f in (lambda x: x, torch.square, lambda x: x[:, :1] * x[:, 1:]):
            error = (standard_error(f(x)).square() + standard_error(f(exact)).square()).sqrt()
            assert ((f(x).mean(0) - f(exact).mean(0)).abs() < 5 * error).all(), kernel


def test_hmc_does_not_resonate():
    """Ten steps of pi / 10 are half a period of a standard normal: x goes to -x, and the chain keeps its |x|.

    From starts at a tenth of the scale, the variances of ten Gaussians come to be those of the density. A mean square
    over n chains has the relative standard error sqrt(2 / n).
    """
    n, scales = 4000, torch.logspace(-1, 0, 10)
    start = 0.1 * torch.randn(n, 10, generator=generator(1))
    normal, resonant = StandardNormal(1), HMC(math.pi / 10, 10)
    stuck = sample(normal, start[:, :1], replace(resonant, jitter=0.0), 100, generator(2))
    assert stuck.x.var() < 0.1 and stuck.info.acceptance.mean() > 0.99
    x = sample(normal, start[:, :1], resonant, 100, generator(2)).x.double()
    assert abs(x.square().mean() - 1) < 5 * math.sqrt(2 / n)
    energy = Gaussian(torch.zeros(10), scales.square().diag())
    x = sample(energy, start * scales, HMC(0.1, 10), 300, generator(2)).x.double() / scales
    assert ((x.square().mean(0) - 1).abs() < 5 * math.sqrt(2 / n)).all()


@pytest.mark.parametrize("kernel", EXACT, ids=str)
def test_detailed_balance(kernel):
    """E[a(x0) b(x1)] = E[b(x0) a(x1)] from exact starts, within five standard errors."""
    energy = Banana(1.0, 0.5)
    x0 = energy.sample(60_000, generator(6))
    x1 = sample(energy, x0, kernel, 1, generator(7)).x
    a, b = (lambda x: x[:, 0].double()), (lambda x: (x[:, 1] > 0.3).double())
    difference = a(x0) * b(x1) - b(x0) * a(x1)
    assert abs(difference.mean()) < 5 * standard_error(difference)


def test_mala_would_fail_without_its_correction():
    """The power of the test above: plain Langevin at the same step is far outside its tolerance."""
    energy = StandardNormal(1)
    x = sample(energy, energy.sample(20_000, generator(4)), Langevin.overdamped(0.9), 20, generator(5)).x.double()
    assert abs(x.square().mean() - 1) > 5 * standard_error(x.square())


def test_overdamped_langevin_has_the_known_bias():
    """On a standard normal its stationary variance is 1 / (1 - s^2/4)."""
    for s in (0.5, 1.0):
        expected = 1 / (1 - s * s / 4)
        start = math.sqrt(expected) * torch.randn(40_000, 1, generator=generator(1))
        x = sample(StandardNormal(1), start, Langevin.overdamped(s), 10, generator(2)).x.double()
        assert abs(x.square().mean() - expected) < 5 * standard_error(x.square())


def test_langevin_samples_its_implied_temperature():
    """The paper's order on |x|^2/2: x' = (1 - step)(x + noise eps), variance (1-a)^2 n^2 / (1 - (1-a)^2)."""
    kernel = Langevin(step_size=0.1, noise_scale=0.2)
    shrink = (1 - 0.1) ** 2
    expected = shrink * 0.2**2 / (1 - shrink)
    start = math.sqrt(expected) * torch.randn(40_000, 1, generator=generator(1))
    x = sample(StandardNormal(1), start, kernel, 10, generator(2)).x.double()
    assert abs(x.square().mean() - expected) < 5 * standard_error(x.square())
    assert "temperature 0.2" in repr(kernel)


def test_underdamped_positions_are_exact_on_gaussians():
    """BAOAB at large steps: no bias in the positions of a Gaussian."""
    energy = Gaussian(torch.zeros(2), torch.diag(torch.tensor([1.0, 4.0])))
    x = sample(energy, energy.sample(40_000, generator(1)), Underdamped(1.2, 0.7), 30, generator(2)).x.double()
    error = standard_error(x.square())
    assert ((x.square().mean(0) - torch.tensor([1.0, 4.0])).abs() < 5 * error).all()


def test_bounds():
    half = Gaussian(torch.zeros(1), torch.eye(1))  # on [0, 3], half a normal: mean sqrt(2/pi) but for the tail
    start = half.sample(40_000, generator(1)).abs().clamp(max=3)
    for kernel in (MALA(0.8, bounds=(0.0, 3.0)), HMC(0.4, 4, bounds=(0.0, 3.0))):
        x = sample(half, start, kernel, 20, generator(2)).x.double()
        assert x.min() >= 0 and x.max() <= 3
        mass = math.erf(3 / math.sqrt(2))
        expected = math.sqrt(2 / math.pi) * (1 - math.exp(-4.5)) / mass
        assert abs(x.mean() - expected) < 5 * standard_error(x)
    clamped = sample(half, start, Langevin(0.1, 0.5, bounds=(0.0, 1.0)), 5, generator()).x
    assert clamped.min() == 0 and clamped.max() == 1


def test_exact_kernels_do_not_start_outside_their_bounds():
    for kernel in (MALA(0.1, bounds=(0.0, 1.0)), HMC(0.1, 2, bounds=(0.0, 1.0))):
        with pytest.raises(UserError, match="outside the bounds"):
            sample(StandardNormal(2), torch.full((3, 2), 3.0), kernel, 5)


def test_trajectories_that_diverge_are_rejected():
    class Quartic(StandardNormal):
        def forward(self, x, y=None):
            return x.pow(4).sum(1)

    start = torch.ones(50, 2)
    assert torch.equal(sample(Quartic(2), start, HMC(5.0, 10), 5, generator()).x, start)
    assert adapt(HMC(5.0, 10), Quartic(2), start, steps=500, generator=generator())[0].step_size < 1


def test_a_pin_in_a_sum_is_a_pin_of_the_sum():
    """N(0, I) pinned at the second entry = 2, plus a correlated Gaussian: the first entry is normal by algebra."""
    precision = torch.tensor([[2.0, 3.0], [3.0, 6.0]])
    other = Gaussian(torch.zeros(2), torch.linalg.inv(precision))
    held = torch.full((20_000, 2), 2.0)
    mixed = StandardNormal(2).pin(held, torch.tensor([True, False])) + other
    for kernel in (MALA(0.8), HMC(0.4, 4)):
        x = sample(mixed, held, kernel, 100, generator()).x[:, :1].double()
        # E = x1^2/2 + (2 x1^2 + 2 * 3 * 2 x1)/2: precision 3, mean -6/3.
        assert abs(x.mean() + 2) < 5 * standard_error(x)
        assert abs((x + 2).square().mean() - 1 / 3) < 5 * standard_error((x + 2).square())


def test_grad_clip_bounds_the_drift():
    steep = 1000.0 * StandardNormal(3)
    kernel = Langevin(step_size=10.0, noise_scale=0.0, grad_clip=0.01)
    start = torch.ones(2, 3)
    moved = sample(steep, start, kernel, 1, generator()).x
    torch.testing.assert_close(start - moved, torch.full((2, 3), 0.1))


def test_adaptation_reaches_its_target():
    energy = StandardNormal(20)
    start = energy.sample(200, generator())
    for kernel, target in ((MALA(0.01), 0.574), (HMC(3.0, 5), 0.651), (MALA(0.01), 0.8)):
        tuned, x = adapt(kernel, energy, start, target, steps=300, generator=generator(1))
        rate = sample(energy, x, tuned, 50, generator(2)).info.acceptance.mean()
        assert abs(rate - target) < 0.05  # the step still wobbles by the last gain, 4 / 60^0.6 x the rate's error
    with pytest.raises(UserError, match="accepts everything"):
        adapt(Langevin(0.1, 0.1), energy, start)


def test_diagnostics():
    energy, start = StandardNormal(2), StandardNormal(2).sample(50, generator())
    good = sample(energy, start, HMC(1.0, 2), 400, generator(1)).info
    assert good.acceptance.shape == (50,) and good.r_hat.shape == (2,)
    assert (good.r_hat < 1.05).all() and (good.ess > 2000).all()
    apart = torch.linspace(-10, 10, 50)[:, None].expand(50, 2).contiguous()
    stuck = sample(energy, apart, Langevin.overdamped(0.01), 400, generator(1)).info
    assert (stuck.r_hat > 2).all() and (stuck.ess < 200).all()
    assert sample(energy, start, MALA(0.1), 1, generator()).info.r_hat.isnan().all()


def test_a_long_chain_takes_no_more_memory():
    """What Python and torch hold after 3,000 steps is what they hold after 300: no state piles up."""
    energy, start = StandardNormal(4), torch.zeros(8, 4)
    tensors, peaks = [], []
    for steps in (300, 300, 3000):  # the first may load what is loaded once
        gc.collect()
        tracemalloc.start()
        samples = sample(energy, start, MALA(0.5), steps, generator())
        gc.collect()
        tensors.append(sum(type(thing) is torch.Tensor for thing in gc.get_objects()))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert samples.trace is None
    assert tensors[2] == tensors[1]
    assert peaks[2] < peaks[1] + 2**18  # a state kept a step would be megabytes


class Small(Network):
    """An energy that finds memory for so many rows."""

    def __init__(self, rows):
        super().__init__(torch.nn.Linear(2, 1))
        self.rows = rows

    def forward(self, x, y=None):
        if len(x) > self.rows:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return self.module(x).square().squeeze(1)


def test_chains_that_do_not_fit_into_memory_run_in_parts():
    start, kernel, energy = torch.randn(7, 2), Underdamped(0.2), Small(7)
    whole = sample(energy, start, kernel, 40, torch.Generator().manual_seed(0), keep_every=20)
    energy.rows = 2
    with pytest.warns(UserWarning, match="memory"):
        parts = sample(energy, start, kernel, 40, torch.Generator().manual_seed(0), keep_every=20)
    for a, b in ((whole.x, parts.x), (whole.trace, parts.trace), (whole.info.movement, parts.info.movement)):
        torch.testing.assert_close(a, b)
    for name in ("r_hat", "ess", "ess_tail", "energy_r_hat", "energy_ess"):
        torch.testing.assert_close(getattr(parts.info, name), getattr(whole.info, name))
    energy.rows = 0
    with pytest.raises(RuntimeError, match="memory"), pytest.warns(UserWarning, match="memory"):
        sample(energy, start, kernel, 40)


def test_trace():
    samples = sample(StandardNormal(1), torch.zeros(3, 1), MALA(0.5), 10, generator(), keep_every=5)
    assert samples.trace.shape == (2, 3, 1) and torch.equal(samples.trace[-1], samples.x)


@pytest.mark.parametrize(
    "start, steps, words",
    [
        (torch.zeros(3), 1, "(batch, *event)"),
        (torch.zeros(3, 2, dtype=torch.int64), 1, "floating-point"),
        (torch.full((3, 2), torch.nan), 1, "not finite"),
        (torch.zeros(3, 2), -1, "negative"),
    ],
)
def test_bad_starts_are_named(start, steps, words):
    with pytest.raises(UserError) as error:
        sample(StandardNormal(2), start, MALA(0.1), steps)
    assert words in str(error.value)


def test_what_is_no_kernel_is_named():
    for kernel in ("langevin", Langevin, None):
        with pytest.raises(UserError, match="a kernel has"):
            sample(StandardNormal(2), torch.zeros(3, 2), kernel, 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: MALA(0),
        lambda: HMC(0.1, 0),
        lambda: HMC(0.1, 1, jitter=1.0),
        lambda: Langevin(-1, 0),
        lambda: Underdamped(0.1, 1.0),
        lambda: MALA(1, (1, 0)),
    ],
)
def test_bad_settings_are_named(make):
    with pytest.raises(UserError, match="must be"):
        make()


def test_streams_in_other_types_and_widths():
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        z = Streams.of(generator(), torch.zeros(2000, 3)).normal(torch.zeros(2000, 3, dtype=dtype))
        assert z.dtype == dtype and z.isfinite().all() and abs(float(z.double().var()) - 1) < 0.1  # sd 0.018
    streams = Streams.of(generator(), torch.zeros(4, 2))
    for width in (2, 9, 2, 3, 1):
        assert streams.normal(torch.zeros(4, width)).shape == (4, width)
    assert all(0 < u < 1 for u in _uniforms(torch.tensor([-1, 0, 1, 2**62])).tolist())


def test_streams_are_normal_uniform_and_uncorrelated():
    """Moments and correlations over chains, steps and entries, within five standard errors."""
    x = torch.zeros(50, 40)
    streams = Streams.of(generator(), x)
    z = torch.stack([streams.normal(x) for _ in range(500)]).double()
    n = z.numel()
    assert abs(z.mean()) < 5 / math.sqrt(n)
    assert abs(z.square().mean() - 1) < 5 * math.sqrt(2 / n)
    assert abs(z.pow(4).mean() - 3) < 5 * math.sqrt(96 / n)
    for a, b in ((z[1:], z[:-1]), (z[:, 1:], z[:, :-1]), (z[..., 1:], z[..., :-1]), (z[..., :20], z[..., 20:])):
        assert abs((a * b).mean()) < 5 / math.sqrt(a.numel())
    u = torch.stack([streams.uniform(x) for _ in range(500)]).double()
    assert u.min() > 0 and u.max() < 1
    assert abs(u.mean() - 0.5) < 5 * math.sqrt(1 / 12 / u.numel())
    assert abs((u.flatten() * z[:, :, 0].flatten()).mean()) < 5 / math.sqrt(3 * u.numel())


def test_normals_of_doubles_are_doubles():
    """The same streams in both types, and no float64 entry is a float32 number."""
    single, double = (Streams.of(generator(), torch.zeros(50, 3)) for _ in range(2))
    x = torch.zeros(50, 3)
    a, b = single.normal(x), double.normal(x.double())
    torch.testing.assert_close(a.double(), b, rtol=0, atol=1e-4)
    assert (b != b.float()).all()
    u = double.uniform(x.double())
    assert (u != u.float()).all() and ((u > 0) & (u < 1)).all()
    torch.testing.assert_close(single.uniform(x).double(), u)


@dataclass(frozen=True)
class Metropolis:
    """A kernel of the user's own, with torch's functions."""

    scale: float = 1.0

    def init(self, energy, x):
        return State(x, energy(x))

    def step(self, energy, state, generator):
        proposal = state.x + self.scale * torch.randn(state.x.shape, generator=generator)
        value = energy(proposal)
        moved = torch.rand(len(value), generator=generator) < (state.value - value).exp()
        value = torch.where(moved, value, state.value)
        return State(torch.where(moved[:, None], proposal, state.x), value), Info(
            energy=value, acceptance=moved.float()
        )


def test_a_kernel_of_ones_own_draws_with_torch():
    energy, start, kernel = StandardNormal(2), torch.zeros(5000, 2), Metropolis()
    x = sample(energy, start, kernel, 100, generator()).x
    assert torch.equal(x, sample(energy, start, kernel, 100, generator()).x)
    assert not torch.equal(x, sample(energy, start, kernel, 100, generator(1)).x)
    assert abs(x.double().square().mean() - 1) < 5 * math.sqrt(2 / x.numel())
    streams = Streams.of(generator(), start)
    first = sample(energy, start, kernel, 60, streams).x
    assert torch.equal(x, sample(energy, first, kernel, 40, streams).x)  # resumed
    parts = [Streams.of(generator(), start).select(rows) for rows in (slice(0, 2500), slice(2500, 5000))]
    halves = [sample(energy, start[:2500], kernel, 100, part).x for part in parts]
    assert not torch.equal(*halves)
    kept = copy.deepcopy(parts[0])
    assert torch.equal(torch.randn(3, generator=kept), torch.randn(3, generator=parts[0]))
    assert torch.equal(kept.normal(start[:2500]), parts[0].normal(start[:2500]))


@pytest.mark.parametrize("kernel", [*KERNELS, Metropolis()], ids=lambda kernel: type(kernel).__name__)
def test_the_global_random_state_is_left_alone(kernel):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    sample(StandardNormal(2), torch.zeros(3, 2), kernel, 5, generator())
    assert torch.equal(before, torch.get_rng_state())
    first = sample(StandardNormal(2), torch.zeros(3, 2), kernel, 5).x  # one seed, from the global generator
    after = torch.get_rng_state()
    torch.set_rng_state(before)
    torch.randint(2**62, (1,))
    assert torch.equal(after, torch.get_rng_state())
    torch.manual_seed(3)
    assert torch.equal(first, sample(StandardNormal(2), torch.zeros(3, 2), kernel, 5).x)
