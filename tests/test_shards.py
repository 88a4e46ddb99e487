"""Chains in shards, on threads, and copies of modules that threads can share."""

import gc
import threading

import pytest
import torch
from torch import nn

from energybased import Energy, Langevin, Network, Ring, StandardNormal, sample
from energybased.energies import NEURAL
from energybased.networks import MLP, Residual, Stage
from energybased.sampling import MALA, Streams, Underdamped, annealed, engine, frozen
from energybased.sampling.annealed import anneal
from energybased.sampling.graph import loop
from energybased.sampling.shards import cut, together


@pytest.fixture(autouse=True)
def traced(monkeypatch):
    """Without the seconds that compiling takes, and on two threads wherever the tests run."""
    monkeypatch.setattr("energybased.sampling.shards.FEWEST", 8)
    monkeypatch.setattr("energybased.sampling.program._loop", lambda step, fixed, moving, threads: loop(step))
    engine._programs.clear()
    engine._said.clear()
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("n", "count", "size"), [(1, 1, 1), (15, 1, 15), (16, 2, 8), (17, 2, 9), (200, 2, 100)])
def test_shards_have_one_size(n, count, size):
    rows = [torch.arange(n)[part] for part in cut(n, torch.device("cpu"))]
    assert [len(part) for part in rows] == [size] * count
    whole = torch.cat(rows)
    assert torch.equal(whole[:n], torch.arange(n)) and (whole[n:] == n - 1).all()
    assert len(cut(n, torch.device("meta"))) == 1


@pytest.mark.parametrize("n", [16, 17, 40])
@pytest.mark.parametrize("kernel", [Langevin.overdamped(0.1), Underdamped(0.2, 0.5), MALA(0.3)], ids=repr)
def test_shards_are_the_chains_of_the_batch(n, kernel):
    energy = NEURAL[1](10).given(torch.arange(n) % 10)
    start = torch.rand(n, 1, 8, 8, generator=generator(1))
    streams = [Streams.of(generator(2), start) for _ in range(2)]
    runs = [
        sample(energy, start, kernel, 25, each, keep_every=5, engine=name)
        for each, name in zip(streams, ("compiled", "eager"), strict=True)
    ]
    compiled, eager = runs
    assert (compiled.info.engine, eager.info.engine) == ("compiled", "eager")
    torch.testing.assert_close(compiled.x, eager.x, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(compiled.trace, eager.trace, rtol=1e-4, atol=1e-4)
    for name in ("energies", "acceptance", "movement", "gradient"):
        torch.testing.assert_close(*(getattr(run.info, name) for run in runs), rtol=1e-3, atol=1e-3)
    assert torch.equal(streams[0].normal(start), streams[1].normal(start))  # both are as far


def test_only_what_holds_rows_is_made_anew_for_a_shard():
    energy = 0.5 * StandardNormal(2) + torch.tensor(2.0) * Network(MLP(2, (8,)))
    assert energy.select(slice(0, 2)) is energy
    rows = torch.arange(1.0, 5.0) * StandardNormal(2) + StandardNormal(2)
    x = torch.rand(4, 2, generator=generator())
    assert torch.equal(rows.select([1, 3])(x[[1, 3]]), rows(x)[[1, 3]])


class Coupled(Energy):
    """Its rows depend on each other."""

    def forward(self, x, y=None):
        return (x - x.mean(0)).square().sum(1)


@pytest.mark.parametrize("n", [32, 4096])  # in a large batch, the other chains hardly change the mean
def test_an_energy_that_cannot_be_cut_is_said_and_not_cut(n):
    start = torch.randn(n, 2, generator=generator(1))
    with pytest.warns(UserWarning, match="not cut: the energy of a chain depends on the other chains"):
        compiled = sample(Coupled(), start, Langevin.overdamped(0.5), 5, generator(2), engine="compiled")
    assert compiled.info.engine == "compiled" and [program.whole for program in engine._programs.values()] == [True]
    eager = sample(Coupled(), start, Langevin.overdamped(0.5), 5, generator(2), engine="eager")
    torch.testing.assert_close(compiled.x, eager.x, rtol=1e-4, atol=1e-4)


def test_items_are_worked_on_together():
    """Each waits for the other, which one thread alone could not."""
    both = threading.Barrier(2, timeout=60)
    seen = together(lambda item: (item, both.wait() >= 0, torch.is_grad_enabled()), [1, 2])
    assert seen == [(1, True, False), (2, True, False)]
    assert torch.get_num_threads() == 2 and torch.is_grad_enabled()
    with pytest.raises(ZeroDivisionError):
        together(lambda item: 1 / item, [1, 0])


def test_a_frozen_copy_shares_tensors_and_leaves_the_module_alone():
    module = Residual((1, 8, 8), 4, (Stage(4, halve=True),), classes=3, dropout=0.5).train()
    states = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    copy, y = frozen(module), torch.zeros(2, dtype=torch.int64)
    x = torch.rand(2, 1, 8, 8)
    assert not any(m.training for m in copy.modules()) and all(m.training for m in module.modules())
    assert not any(p.requires_grad for p in copy.parameters()) and all(p.requires_grad for p in module.parameters())
    assert {p.data_ptr() for p in copy.parameters()} <= {p.data_ptr() for p in module.parameters()}
    dropping = frozen(nn.Dropout().train(), keep_mode=True)
    assert not torch.equal(dropping(x), dropping(x)) and torch.equal(frozen(dropping)(x), x)
    assert all(torch.equal(states[name], tensor) for name, tensor in module.state_dict().items())
    torch.testing.assert_close(copy(x, y), module.eval()(x, y))
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    copied = frozen(tied)
    assert copied[0].weight is copied[1].weight


@pytest.mark.parametrize("name", ["eager", "compiled"])
def test_many_threads_sample_one_module_while_another_is_trained(name):
    """A thousand rounds in all. The module is in train mode, and has weights that its train mode would change."""
    module, kernel = Network(Residual((1, 4, 4), 2, (Stage(2),), dropout=0.5)).train(), Langevin.overdamped(0.1)
    start = torch.rand(4, 1, 4, 4, generator=generator(1))
    expected = sample(module, start, kernel, 2, generator(2), engine=name).x
    wrong, stop = [], threading.Event()

    def many():
        for _ in range(125):
            if not torch.equal(sample(module, start, kernel, 2, generator(2), engine=name).x, expected):
                wrong.append(1)

    def train():
        other = MLP(16, (8,))
        optimizer = torch.optim.Adam(other.parameters())
        while not stop.is_set():
            optimizer.zero_grad()
            other(torch.rand(8, 1, 4, 4)).sum().backward()
            optimizer.step()

    threads = [threading.Thread(target=many) for _ in range(8)]
    trainer = threading.Thread(target=train)
    for thread in (trainer, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    trainer.join()
    assert not wrong and all(m.training for m in module.modules())
    assert all(p.requires_grad for p in module.parameters())


def test_auto_compiles_where_that_pays(monkeypatch):
    start, kernel = torch.zeros(16, 2), Langevin.overdamped(0.1)
    x = sample(StandardNormal(2), start, kernel, 50, generator())
    assert x.info.engine == "eager" and not engine._programs
    monkeypatch.setattr(engine, "COMPILING", 0.0)
    monkeypatch.setattr(engine, "PER_OPERATION", 1e9)
    assert sample(StandardNormal(2), start, kernel, 50, generator()).info.engine == "eager"
    monkeypatch.setattr(engine, "PER_OPERATION", 0.0)
    compiled = sample(StandardNormal(2), start, kernel, 50, generator())
    assert compiled.info.engine == "compiled" and len(engine._programs) == 1
    torch.testing.assert_close(compiled.x, x.x, rtol=1e-4, atol=1e-5)
    monkeypatch.setattr(engine, "COMPILING", 1e9)
    assert sample(StandardNormal(2), start, kernel, 1, generator()).info.engine == "compiled"  # there is a program


def test_annealing_runs_on_one_program_for_each_energy():
    start = torch.randn(64, 2, generator=generator(1))
    added = [0.5 * StandardNormal(2), Network(MLP(2, (8,)))]
    ends = [
        anneal(StandardNormal(2), added, start, MALA(0.5), 10, generator=generator(2), engine=name)
        for name in ("compiled", "eager")
    ]
    torch.testing.assert_close(ends[0].log_weights, ends[1].log_weights, rtol=1e-3, atol=1e-3)
    assert len(engine._programs) == 2 and None not in engine._programs.values()


KEPT = (torch.Tensor, nn.Parameter)  # a trace leaves tensors of other types, which have no memory


def held():
    """Bytes of the memory that tensors hold."""
    gc.collect()
    storages = [thing.untyped_storage() for thing in gc.get_objects() if type(thing) in KEPT]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


@pytest.mark.parametrize("name", ["compiled", "eager"])
def test_annealing_holds_no_more_with_more_levels(name, monkeypatch):
    """At the last of 40 levels and of 400, memory differs by less than the states of one level."""
    start, calls, most, real = torch.randn(64, 2, generator=generator(1)), 0, [], annealed.chains

    def noting(*given, **settings):
        nonlocal calls
        calls += 1
        if calls in (10, 10 + 40, 10 + 40 + 400):  # the first path loads what is loaded once
            most.append(held())
        return real(*given, **settings)

    monkeypatch.setattr(annealed, "chains", noting)
    for levels in (10, 40, 400):
        anneal(StandardNormal(2), [Ring(2.0, 0.3)], start, MALA(0.3), levels, generator=generator(2), engine=name)
    assert len(most) == 3 and abs(most[2] - most[1]) < start.nbytes
    assert [name == "compiled"] == [len(engine._programs) == 1]
