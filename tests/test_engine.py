"""The compiled engine: the same chains as the eager one, or the eager one with a reason."""

import importlib
import random
import warnings
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from energybased import Langevin, Network, StandardNormal, Underdamped, sample
from energybased.energies import ANALYTIC, NEURAL, Ratios
from energybased.errors import UserError
from energybased.networks import MLP, BatchedMLP, BFloat16, Residual, Stage
from energybased.sampling import KERNELS, Streams, engine
from energybased.sampling.graph import Graph, loop

CONDITIONAL = NEURAL[1]  # a Gaussian tilted by a network of classes
ROUNDING = 1e-6  # relative, over one step in float32


@pytest.fixture(autouse=True)
def forget():
    engine._programs.clear()
    engine._said.clear()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def ends(energy, kernel, steps=1, n=8, event=(1, 8, 8)):
    start = torch.rand(n, *event, generator=generator(1))
    return [sample(energy, start, kernel, steps, generator(2), engine=name) for name in ("compiled", "eager")]


def same(compiled, eager, tolerance=ROUNDING):
    torch.testing.assert_close(compiled.x, eager.x, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(compiled.info.gradient, eager.info.gradient, rtol=10 * tolerance, atol=10 * tolerance)
    # An acceptance is exp of a difference of energies of about a hundred, each rounded in its seventh digit.
    torch.testing.assert_close(compiled.info.acceptance, eager.info.acceptance, rtol=0, atol=100 * tolerance)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_one_step_is_the_eager_one(kernel):
    energy, state = Network(MLP(64, (16,), 10)).given(torch.arange(8)), torch.get_rng_state()
    same(*ends(energy, kernel))
    assert torch.equal(state, torch.get_rng_state())  # compiling leaves the global generator alone as well
    assert len(engine._programs) == 1 and None not in engine._programs.values()


class Expanded(Network):
    """Holds and computes tensors that are not dense: all entries of a row in one place, and entries with gaps."""

    def __init__(self):
        super().__init__(nn.Identity())
        self.register_buffer("shift", torch.tensor([1.0]).expand(8))
        self.register_buffer("wide", torch.rand(2, 4, generator=generator())[:, :2])
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x, y=None):
        return self.scale.sin().expand(8) * ((x - self.shift[:, None]) @ self.wide).square().sum(1)


@pytest.mark.filterwarnings("error::UserWarning")  # that its chains run eager
def test_tensors_that_are_not_dense():
    same(*ends(Expanded(), Langevin.overdamped(0.1), 2, event=(2,)), 2 * ROUNDING)
    assert None not in engine._programs.values()


@pytest.fixture
def traced(monkeypatch):
    """Traces and splits, without the seconds that compiling takes."""
    monkeypatch.setattr("energybased.sampling.program._loop", lambda step, fixed, moving, threads: loop(step))


def test_a_program_is_kept_and_reads_the_energy_anew(traced):
    energy, kernel = CONDITIONAL(10), Langevin.overdamped(0.1)
    first, _ = ends(energy.given(torch.arange(8)), kernel)
    with torch.no_grad():
        for p in energy.parameters():
            p.mul_(1.5)
    changed, eager = ends(energy.given(torch.arange(8)), kernel, 3)
    same(changed, eager, 3 * ROUNDING)
    other, eager = ends(energy.given(torch.arange(8).flip(0)), kernel)
    same(other, eager)
    assert not torch.equal(first.x, changed.x) and not torch.equal(other.x, changed.x)
    assert len(engine._programs) == 1


def test_every_energy_can_be_compiled(traced):
    same(*ends(CONDITIONAL(10).given(torch.arange(8)) + 0.5 * CONDITIONAL(0), Langevin.overdamped(0.1)))
    for make in ANALYTIC:
        same(*ends(make(), Langevin.overdamped(0.1), 3, event=(2,)), 3 * ROUNDING)
    for make in NEURAL:
        same(*ends(make(10).given(torch.arange(8)), Langevin.overdamped(0.1), 3), 3 * ROUNDING)
    ratios = StandardNormal(2) + Ratios(BatchedMLP(2, (4,), 3), torch.ones(2), after=1)
    same(*ends(ratios, Langevin.overdamped(0.1), 3, event=(2,)), 3 * ROUNDING)
    assert len(engine._programs) == 2 + len(ANALYTIC) + len(NEURAL) and None not in engine._programs.values()


def test_doubles_and_algebra_can_be_compiled(traced):
    energy = StandardNormal(2).double() * torch.arange(1.0, 9.0) + 1.0
    start = torch.rand(8, 2, generator=generator(1)).double()
    for kernel in KERNELS:
        compiled, eager = (sample(energy, start, kernel, 5, generator(2), engine=e) for e in ("compiled", "eager"))
        torch.testing.assert_close(compiled.x, eager.x, rtol=1e-12, atol=1e-12)
    assert None not in engine._programs.values()


def test_a_compiled_chain_reports_as_the_eager_one(traced):
    start = torch.rand(8, 2, generator=generator(1))
    reports = [
        sample(StandardNormal(2), start, Langevin.overdamped(0.5), 450, generator(2), engine=name).info
        for name in ("compiled", "eager")
    ]
    for name in ("states", "energies", "r_hat", "ess", "ess_tail", "energy_ess"):
        torch.testing.assert_close(*(getattr(report, name) for report in reports), rtol=1e-3, atol=1e-4)


def test_what_is_shared_makes_another_program(traced):
    a, b = CONDITIONAL(3), CONDITIONAL(3)
    for last in (a, b):
        same(*ends(a.given(0) + b.given(1) + last.given(2), Langevin.overdamped(0.1)))
    assert len(engine._programs) == 2


class Scaled(Network):
    """Multiplies by what a function says."""

    def __init__(self, function):
        super().__init__(nn.Identity())
        self.function = function

    def forward(self, x, y=None):
        return self.function(x).square().sum(1)


def test_what_a_function_closes_over_is_seen(traced):
    scale = [1.0]
    energy = Scaled(lambda x: scale[0] * x)
    for scale[0] in (1.0, 5.0):
        same(*ends(energy, Langevin.overdamped(0.1), event=(2,)))
    assert len(engine._programs) == 2


def test_hooks_run_eager(traced):
    energy = Network(MLP(2, (4,)))
    energy.module.layers.register_forward_hook(lambda module, given, made: 5 * made)
    with pytest.warns(UserWarning, match="hooks"):
        compiled, eager = ends(energy, Langevin.overdamped(0.1), event=(2,))
    assert torch.equal(compiled.x, eager.x)


def test_what_an_energy_counts_or_draws_runs_eager(traced):
    class Counting(Network):
        def __init__(self):
            super().__init__(nn.Identity())
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x, y=None):
            self.calls += 1
            return x.square().sum(1) * (1 + self.calls)

    with pytest.warns(UserWarning, match="write into parameters or buffers"):
        compiled, _ = ends(Counting(), Langevin.overdamped(0.1), 3, event=(2,))
    energy = Counting()
    start = torch.rand(8, 2, generator=generator(1))
    assert torch.equal(compiled.x, sample(energy, start, Langevin.overdamped(0.1), 3, generator(2)).x)
    with pytest.warns(UserWarning, match="not the same"):
        ends(Scaled(lambda x: random.random() * x), Langevin.overdamped(0.1), 3, event=(2,))


def test_programs_and_steps_draw_from_one_stream(traced):
    """Eager draws take blocks ahead; a program moves on without them."""
    start, kernel, energy = torch.rand(8, 64), Langevin.overdamped(0.1), StandardNormal(64)
    drawn = []
    for name in ("compiled", "eager"):
        streams = Streams.of(generator(2), start)
        sample(energy, start, kernel, 3, streams)
        sample(energy, start, kernel, 20, streams, engine=name)
        drawn.append(streams.normal(start))
    assert torch.equal(*drawn)


def test_a_constant_of_the_energy_makes_another_program(traced):
    a, b = (ends(weight * StandardNormal(2), Langevin.overdamped(0.5), event=(2,)) for weight in (1.0, 3.0))
    same(*a)
    same(*b)
    assert not torch.equal(a[0].x, b[0].x)


def test_an_energy_may_write_into_tensors_of_its_own(traced):
    class Writing(Network):
        def forward(self, x, y=None):
            total, shift = torch.zeros(len(x)), torch.zeros(2)
            for _ in range(3):
                total += (x + shift).square().sum(1)
                shift += 1
            return total

    same(*ends(Writing(nn.Identity()), Langevin.overdamped(0.1), 4, event=(2,)), 4 * ROUNDING)
    assert None not in engine._programs.values()


def test_spectral_norms_are_those_of_the_weights(traced):
    module = Residual((1, 8, 8), 4, (Stage(4, halve=True),), classes=3)
    same(*ends(Network(module).given(torch.arange(8) % 3), Langevin.overdamped(0.1), 2), 2 * ROUNDING)


def test_bfloat16_is_within_its_precision():
    """Eight bits of mantissa: half a percent a rounding, of which a gradient of three layers has a few."""
    compiled, eager = ends(Network(BFloat16(MLP(64, (32, 32)))), Underdamped(0.1, 0.7), 5)
    torch.testing.assert_close(compiled.info.gradient, eager.info.gradient, rtol=0.02, atol=0)
    moved = eager.x - torch.rand(8, 1, 8, 8, generator=generator(1))
    assert float((compiled.x - eager.x).norm() / moved.norm()) < 0.005


def test_chains_do_not_depend_on_their_batch(traced):
    start, kernel, energy = torch.rand(12, 1, 8, 8), Underdamped(0.2, 0.5), Network(MLP(64, (16,)))
    whole = sample(energy, start, kernel, 5, generator(2), engine="compiled").x
    streams = Streams.of(generator(2), start)
    parts = [
        sample(energy, start[rows], kernel, 5, streams.select(rows), engine="compiled").x
        for rows in (slice(0, 6), slice(6, 12))
    ]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-5, atol=1e-5)


class Kept(Network):
    """Holds a tensor that is neither parameter nor buffer."""

    def __init__(self):
        super().__init__(nn.Identity())
        self.target = torch.ones(2)

    def forward(self, x, y=None):
        return (x - self.target).square().sum(1)


class Branching(Network):
    def forward(self, x, y=None):
        return x.square().sum(1) if x.sum() > 0 else x.abs().sum(1)


class Own(Langevin):
    """A kernel of the user's own: it has not said that it can be compiled."""


@pytest.mark.parametrize("energy", [Kept(), Branching(nn.Identity())], ids=lambda energy: type(energy).__name__)
def test_what_cannot_be_compiled_runs_eager_and_says_so(energy):
    with pytest.warns(UserWarning, match="run eager"):
        compiled, eager = ends(energy, Langevin.overdamped(0.1), 3, event=(2,))
    assert torch.equal(compiled.x, eager.x)


def test_random_numbers_in_the_energy_are_not_frozen_into_a_program():
    class Noisy(Network):
        def forward(self, x, y=None):
            return (x + torch.randn_like(x)).square().sum(1)

    with pytest.warns(UserWarning, match="random"):
        compiled, _ = ends(Noisy(nn.Identity()), Langevin.overdamped(0.1), 2, event=(2,))
    assert compiled.x.isfinite().all()


def test_an_engine_that_there_is_not():
    with pytest.raises(UserError, match="engine"):
        sample(StandardNormal(2), torch.zeros(4, 2), Langevin.overdamped(0.1), 1, engine="fast")


def test_a_kernel_of_ones_own_runs_eager():
    with pytest.warns(UserWarning, match="Own run eager: it does not say that it is compilable"):
        compiled, eager = ends(StandardNormal(2), Own(0.1, 0.1), 3, event=(2,))
    assert torch.equal(compiled.x, eager.x) and not engine._programs


def test_a_kernel_that_cannot_be_told_from_another_runs_eager(traced):
    listed = Langevin(0.1, 0.1, bounds=[0.0, 1.0])
    with pytest.warns(UserWarning, match="unhashable"):
        compiled, eager = ends(StandardNormal(2), listed, event=(2,))
    assert torch.equal(compiled.x, eager.x)


def test_a_compiler_that_fails_is_said_once(monkeypatch):
    def broken(*args, **settings):
        raise OSError("no C++ compiler found")

    monkeypatch.setattr("torch._inductor.compile", broken)
    with pytest.warns(UserWarning, match="no C\\+\\+ compiler found"):
        compiled, eager = ends(StandardNormal(2), Langevin.overdamped(0.1), 3, event=(2,))
    assert torch.equal(compiled.x, eager.x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ends(StandardNormal(2), Langevin.overdamped(0.1), 3, event=(2,))


def test_the_faster_engine_is_found_by_trying(monkeypatch):
    """With a clock that each engine moves by what it is said to cost."""
    module = importlib.import_module("energybased.sampling.fastest")  # whose function hides it in the package
    clock, cost = [0.0], {"eager": 3.0, "compiled": 1.0}

    def advance(energy, start, kernel, steps, generator, engine):
        clock[0] += cost[engine]
        return real(energy, start, kernel, steps, generator)

    real = module.advance
    monkeypatch.setattr(module, "advance", advance)
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])
    assert module.fastest(StandardNormal(2), torch.zeros(4, 2), Langevin.overdamped(0.1), 3) == "compiled"
    cost["compiled"] = 4.0
    assert module.fastest(StandardNormal(2), torch.zeros(4, 2), Langevin.overdamped(0.1), 3) == "eager"


class Recorder(TorchDispatchMode):
    """What a CUDA graph does, on a processor: the same operators on the same memory, again at every replay."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        self.calls.append((function, args, kwargs or {}, made))
        return made

    def replay(self):
        for function, args, kwargs, made in self.calls:
            again = function(*args, **kwargs)
            if again is not made:
                made.copy_(again)


def test_a_captured_step_is_the_step(monkeypatch):
    monkeypatch.setattr("torch.cuda.CUDAGraph", Recorder)
    monkeypatch.setattr("torch.cuda.graph", lambda recorder, **settings: recorder)
    for name in ("device", "stream", "current_stream"):
        monkeypatch.setattr(f"torch.cuda.{name}", lambda *given: nullcontext())
    step = lambda a, x, y, n: (torch.sin(a * x) + n, x, n + 1)  # noqa: E731  # the second was the first
    run = Graph(step, [torch.tensor(2.0)], [torch.zeros(3), torch.zeros(3), torch.tensor(0)])
    for a, steps in ((1.5, 4), (-0.5, 1), (0.7, 0)):  # other tensors than those that it was captured with
        fixed, moving = [torch.tensor(a)], [torch.rand(3, generator=generator()), torch.ones(3), torch.tensor(5)]
        for mine, expected in zip(run(fixed, moving, steps), loop(step)(fixed, moving, steps), strict=True):
            assert torch.equal(mine, expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_a_graph_on_a_gpu_is_the_eager_chain(kernel):
    start = torch.rand(8, 1, 8, 8, generator=generator(1)).cuda()
    for make in NEURAL:
        energy = make(10).cuda().given(torch.arange(8).cuda())
        ends = [sample(energy, start, kernel, 3, generator(2), engine=name) for name in ("compiled", "eager")]
        same(*ends, 3 * ROUNDING)
    assert len(engine._programs) == len(NEURAL) and None not in engine._programs.values()
