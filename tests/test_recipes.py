"""Every recipe in `RECIPES`: it goes through JSON, takes a step, and draws; those of the paper have its sizes."""

import shutil
from dataclasses import replace

import pytest
import torch

from energybased import Adam, ContrastiveDivergence, Langevin, Sampler, UserError, load, resume, train
from energybased.conditions import as_conditions
from energybased.data import DataSpec, Pixels, load_data
from energybased.networks import groups
from energybased.recipes import (
    RECIPES,
    Dense,
    EnergyRecipe,
    Images,
    JudgeRecipe,
    LatentRecipe,
    StagedRecipe,
    find_recipe,
)
from energybased.recipes.network import DenseCoder, MLPField, UNetField
from energybased.recipes.noise_conditional import NoiseConditionalRecipe
from energybased.recipes.systems import SYSTEMS, system
from energybased.runs.judge import load_judge
from energybased.settings import differences
from formats import picture, write_all


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    import numpy as np

    folder = tmp_path_factory.mktemp("root")
    write_all(folder)
    for i in range(24):
        picture(folder / "own" / "ab"[i % 2] / f"{i}.png", np.random.default_rng(i))
    return folder


def seeded():
    return torch.Generator().manual_seed(0)


def tiny(recipe, root):
    """The recipe with a small network, two examples and one transition an update."""
    changes = {
        "steps": 2,
        "minutes": None,
        "batch_size": 2,
        "data_root": str(root),
        "data": recipe.data or str(root / "own"),
    }
    if isinstance(recipe, EnergyRecipe):
        network = (
            Dense((8,))
            if isinstance(recipe.network, Dense)
            else replace(recipe.network, stem=4, stages=groups(4, 8, blocks=1))
        )
        sampler = replace(recipe.sampler, steps=1, length=2, engine="eager")
        changes |= {"network": network, "sampler": sampler, "buffer": replace(recipe.buffer, capacity=40)}
    if isinstance(recipe, NoiseConditionalRecipe):
        changes |= {"network": replace(recipe.network, widths=(8, 16), blocks=1), "flow_levels": 2}
    if isinstance(recipe, LatentRecipe):
        # One of the networks for GPUs is enough to see that recipes build them; they are counted in test_networks.
        coder = recipe.coder if recipe.recipe == "svhn-latent" else DenseCoder((8,))
        posterior = replace(recipe.posterior, steps=min(recipe.posterior.steps, 1), engine="eager")
        changes |= {"dim": 2, "ratio": (8,), "coder": coder, "posterior": posterior}
        changes |= {"holdout_class": None} if recipe.holdout_class is None else {"holdout_class": 1}
        changes |= {"persistent_chains": 8, "stages": 2} if isinstance(recipe, StagedRecipe) else {}
    return replace(recipe, **changes)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_and_draws(name, root, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recipe = tiny(find_recipe(name), root)
    run = train(recipe, out=tmp_path / "a")
    if isinstance(recipe, JudgeRecipe):
        assert load_judge(run.path).probabilities(torch.rand(3, *run.recipe["spec"]["event"])).shape[0] == 3
        return
    x = load(run.path).sample(3)
    assert list(x.shape) == [3, *run.recipe["spec"]["event"]] and x.isfinite().all() and x.min() >= 0 and x.max() <= 1


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_trains_resumes_and_draws(name, root, tmp_path):
    """Stopped before a switch of phases and gone on with, a run is the same to the bit."""
    recipe = replace(tiny(find_recipe("mnist-latent-small"), root), steps=6, checkpoint_every=1)
    recipe = system(name, recipe)
    whole, halted = train(recipe, out=tmp_path / "a"), train(recipe, out=tmp_path / "b")
    for folder in sorted((halted.path / "checkpoints").iterdir())[3:]:
        shutil.rmtree(folder)
    resume(halted.path)
    x = [load(path).sample(3, generator=seeded()) for path in (whole.path, halted.path)]
    assert torch.equal(*x) and x[0].shape == (3, 1, 28, 28)
    assert load(whole.path).score(x[0]).shape == (3,)


@pytest.mark.parametrize("name", ["stages", "stages-afterwards", "stages-moment-matched", "one-stage-afterwards"])
def test_the_phases_of_stages_visit_the_posterior_as_often_as_the_budget_says(name):
    recipe = system(name, find_recipe("mnist-latent-small"))
    phases = recipe.phases(None)
    visits = sum(phase.steps / getattr(phase.objective, "ratio_updates_per_draw", 1) for phase in phases)
    assert visits == pytest.approx(recipe.steps, abs=len(phases))
    timed = replace(recipe, minutes=2.0).phases(None)
    assert sum(phase.minutes for phase in timed) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("name", "event", "millions"),
    [
        ("cifar10-conditional", (3, 32, 32), 5.3),
        ("cifar10", (3, 32, 32), 18.6),
        ("imagenet32", (3, 32, 32), 74.3),
        ("imagenet128", (3, 128, 128), 15.7),
    ],
)
def test_the_papers_networks(name, event, millions):
    """Weights of convolutions and dense layers alone, as the paper's are counted; conditioning comes on top."""
    recipe = find_recipe(name)
    assert isinstance(recipe.network, Images)
    network = recipe.network.build(
        event, as_conditions(10 if name != "cifar10" else 0) if "imagenet" not in name else as_conditions(1000)
    )
    count = sum(p.numel() for name, p in network.named_parameters() if "weight" in name)
    assert round(count / 1e6, 1) == millions


@pytest.mark.parametrize(
    ("name", "event", "classes", "millions"),
    [
        ("cifar10-energy", (3, 32, 32), 10, 5.6),
        ("cifar10-energy-gpu", (3, 32, 32), 10, 21.4),
        ("images-energy", (3, 64, 64), 0, 5.6),
        ("imagenet32-energy", (3, 32, 32), 1000, 55.0),
        ("imagenet128-energy", (3, 128, 128), 1000, 92.8),
    ],
)
def test_the_networks_over_levels_of_noise(name, event, classes, millions):
    recipe = replace(find_recipe(name), conditional=classes > 0)
    with torch.device("meta"):  # weights without values
        energy = recipe.build(DataSpec(event, Pixels(), as_conditions(classes)))["energy"]
    assert round(sum(p.numel() for p in energy.parameters()) / 1e6, 1) == millions


def test_the_papers_settings():
    """Du & Mordatch 2019, released code: the table of settings a reader of the recipe expects."""
    for name in ("cifar10", "cifar10-conditional"):
        recipe = find_recipe(name)
        kernel, buffer, adam = recipe.sampler.kernel, recipe.buffer, recipe.optimizer
        assert (kernel.step_size, kernel.noise_scale, kernel.grad_clip, kernel.bounds) == (
            10.0,
            0.005,
            0.01,
            (0.0, 1.0),
        )
        assert kernel.noise_first and recipe.sampler.steps == 60 and recipe.batch_size == 128
        assert (buffer.capacity, buffer.policy, buffer.restart, buffer.images) == (10_000, "fifo", 0.05, True)
        assert (adam.lr, adam.beta1, adam.beta2, adam.clip_sigma) == (1e-4, 0.0, 0.999, 3.0)
        assert recipe.energy_l2 == 1.0 and recipe.data_noise == 0 and recipe.base == "none" and buffer.relabel
    assert find_recipe("cifar10").network.dropout == 0.5 and find_recipe("cifar10").sampler.dropout


def test_the_first_papers_method_on_mnist():
    """The settings that Du & Mordatch's code says for MNIST, those of CIFAR-10 elsewhere, and each technique off."""
    for name, conditional in (("mnist-paper", False), ("mnist-paper-conditional", True)):
        recipe = find_recipe(name)
        kernel, buffer = recipe.sampler.kernel, recipe.buffer
        assert (kernel.step_size, kernel.noise_scale, kernel.grad_clip) == (10.0, 0.005, 0.01) and kernel.noise_first
        assert (buffer.capacity, buffer.policy, buffer.restart, buffer.images) == (10_000, "fifo", 0.05, True)
        assert (recipe.optimizer.lr, recipe.optimizer.beta1, recipe.optimizer.clip_sigma) == (3e-4, 0.0, 3.0)
        assert recipe.sampler.steps == 20 and recipe.batch_size == 128 and recipe.conditional == conditional
        assert (recipe.energy_l2, recipe.base, recipe.data_noise, recipe.ema) == (1.0, "none", 0.0, 0.0)
        bare = replace(recipe, network=replace(recipe.network, spectral=False))
        assert differences(bare, recipe) == ["--network.no-spectral"]
        spec = DataSpec((1, 28, 28), Pixels(), as_conditions(10 if conditional else 0))
        normalised = [
            any("parametrizations" in n for n in r.build(spec)["energy"].state_dict()) for r in (recipe, bare)
        ]
        assert normalised == [True, False]


def test_a_joint_run_goes_on_to_the_bit_and_classifies(root, tmp_path):
    recipe = replace(tiny(find_recipe("mnist-jem"), root), steps=6, checkpoint_every=1)
    whole, halted = train(recipe, out=tmp_path / "a"), train(recipe, out=tmp_path / "b")
    for folder in sorted((halted.path / "checkpoints").iterdir())[3:]:
        shutil.rmtree(folder)
    resume(halted.path)
    models = [load(path) for path in (whole.path, halted.path)]
    x = torch.rand(3, 1, 28, 28, generator=seeded())
    assert torch.equal(models[0].logits(x), models[1].logits(x)) and models[0].logits(x).shape == (3, 10)
    torch.testing.assert_close(models[0].score(x), -models[0].logits(x).logsumexp(1))
    assert models[0].given(3).sample(2).shape == (2, 1, 28, 28)


def test_the_engine_is_decided_once_and_written_into_the_run(root, tmp_path, monkeypatch):
    recipe = tiny(find_recipe("digits"), root)
    recipe = replace(recipe, sampler=replace(recipe.sampler, engine="auto"))
    monkeypatch.setattr("energybased.recipes.energy.fastest", lambda *parts: "eager")
    run = train(recipe, out=tmp_path / "a")
    assert run.recipe["settings"]["sampler"]["engine"] == "eager"
    monkeypatch.setattr("energybased.recipes.energy.fastest", lambda *parts: pytest.fail("tried again"))
    assert resume(run.path).path == run.path


@pytest.mark.parametrize("pays", [True, False])
def test_bfloat16_is_used_where_it_is_faster(root, monkeypatch, pays):
    monkeypatch.setattr("energybased.recipes.recipe.bfloat16_pays", lambda device: pays)
    for recipe in (find_recipe("digits"), find_recipe("judge-digits"), find_recipe("digits-latent")):
        resolved = replace(tiny(recipe, root), precision="bfloat16").resolve(load_data("digits", root))
        assert resolved.precision == ("bfloat16" if pays else "float32")


def test_a_network_that_breaks_in_bfloat16_runs_in_float32(root, tmp_path, monkeypatch):
    recipe = replace(tiny(find_recipe("digits"), root), precision="bfloat16")
    monkeypatch.setattr("energybased.recipes.recipe.bfloat16_pays", lambda device: True)
    monkeypatch.setattr("energybased.networks.BFloat16.fault", lambda self, x, y: "its gradient is not finite")
    with pytest.warns(UserWarning, match="runs in float32: in bfloat16, its gradient is not finite"):
        run = train(recipe, out=tmp_path / "a")
    assert run.recipe["settings"]["precision"] == "float32"
    assert not any("module" in name for name in load(run.path).energy.state_dict())


def test_every_setting_of_a_recipe_can_be_changed():
    sampler, optimizer = Sampler(steps=3), Adam(lr=0.5)
    for name, build in RECIPES.items():
        if isinstance(find_recipe(name), EnergyRecipe):
            assert build(sampler=sampler).sampler == sampler
        assert build(optimizer=optimizer).optimizer == optimizer


@pytest.mark.parametrize("name", ["digits", "digits-latent-lebm", "digits-latent"])
def test_steps_are_updates(name, root, tmp_path):
    recipe = replace(tiny(find_recipe(name), root), steps=20)
    run = train(recipe, out=tmp_path / "a")
    ends = [line["steps"] for line in run.lines("events.jsonl") if line["event"] == "phase-end"]
    assert sum(ends) == 20 and run.newest_checkpoint().name == "00000020"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"levels": (0.01, float("inf"))}, "levels are 0 < smallest < largest"),
        ({"flow_levels": 2.5}, "flow_levels must be a whole number"),
        ({"precision": "float16"}, "precision is 'float32' or 'bfloat16'"),
        ({"objective": ContrastiveDivergence(Langevin(0.1, 0.1), 2)}, "no objective over levels of noise"),
    ],
)
def test_settings_over_levels_of_noise_that_cannot_be(changes, words):
    with pytest.raises(UserError, match=words):
        replace(find_recipe("mnist-energy"), **changes)


def test_fields_without_layers():
    for make in (
        lambda: UNetField(()),
        lambda: MLPField(()),
        lambda: UNetField((8, 16), 1, 0),
        lambda: UNetField((-8,)),
    ):
        with pytest.raises(UserError, match="must be"):
            make()
