"""The replay buffer's policies."""

import pytest
import torch

from energybased import ReplayBuffer, UserError


def fresh(n):
    return torch.full((n, 2), 0.5)


def test_slots_are_visited_in_turn_and_written_back(rng):
    buffer = ReplayBuffer(capacity=6, restart=0.0)
    state = buffer.init(fresh, rng)
    seen = []
    for value in range(3):
        x, _, slots = buffer.sample(state, 4, fresh, rng)
        assert x.shape == (4, 2)
        seen += slots.tolist()
        buffer.write(state, slots, torch.full((4, 2), float(value)))
    assert seen == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]
    assert state["x"][:, 0].tolist() == [1, 1, 2, 2, 2, 2] and state["visits"].tolist() == [2] * 6


def test_fifo_overwrites_the_oldest_and_draws_with_replacement(rng):
    buffer = ReplayBuffer(capacity=5, policy="fifo", restart=0.0)
    state = buffer.init(fresh, rng)
    x, _, slots = buffer.sample(state, 3, fresh, rng)
    assert (x == 0.5).all()  # nothing to draw from yet
    buffer.write(state, slots, torch.full((3, 2), 1.0))
    x, _, slots = buffer.sample(state, 3, fresh, rng)
    assert (x == 0.5).all()  # as the paper: only once it holds more than a batch
    buffer.write(state, slots, torch.full((3, 2), 2.0))
    assert state["x"][:, 0].tolist() == [2, 1, 1, 2, 2] and int(state["filled"]) == 5
    x, _, slots = buffer.sample(state, 3, fresh, rng)
    assert slots.tolist() == [1, 2, 3] and set(x.unique().tolist()) <= {1.0, 2.0}


def test_a_buffer_by_class_keeps_each_chain_to_its_class(rng):
    buffer = ReplayBuffer(capacity=10, restart=0.0, by_class=True)
    state = buffer.init(fresh, rng, y=torch.tensor([0, 1, 2]), classes=3)
    assert len(state["x"]) == 12  # as many for each
    for y in ([0, 0, 1, 2, 1, 0], [2, 2, 2, 0], [1, 1, 1, 0]):
        y = torch.tensor(y)
        x, _, slots = buffer.sample(state, len(y), fresh, rng, y)
        assert (slots % 3 == y).all() and len(slots.unique()) == len(slots)
        assert ((x[:, 0] == 0.5) | (x[:, 0] == y)).all()  # what lay there had the same class
        buffer.write(state, slots, y.float()[:, None].expand(-1, 2))
    assert state["visits"].tolist() == [2, 2, *[1] * 10]  # in turn within each class
    assert buffer.sample(state, 4, fresh, rng, torch.zeros(4, dtype=torch.int64))[2].tolist() == [3, 6, 9, 0]
    with pytest.raises(UserError, match="no classes"):
        buffer.sample(state, 4, fresh, rng)


def test_restart_by_probability(rng):
    """Within five standard errors of the probability."""
    buffer = ReplayBuffer(capacity=20_000, restart=0.05)
    state = buffer.init(lambda n: torch.zeros(n, 2), rng)
    x, _, _ = buffer.sample(state, 20_000, fresh, rng)
    share = (x[:, 0] == 0.5).float().mean()
    assert abs(share - 0.05) < 5 * (0.05 * 0.95 / 20_000) ** 0.5


def test_images_are_bytes_read_back_within_a_level(rng):
    buffer = ReplayBuffer(capacity=1000, restart=0.0, images=True)
    state = buffer.init(lambda n: torch.rand(n, 3, generator=rng), rng)
    x = torch.rand(1000, 3, generator=rng)
    buffer.write(state, torch.arange(1000), x)
    assert state["x"].dtype == torch.uint8
    back = buffer.contents(state, rng)[0]
    assert (back - x).abs().max() <= 1 / 256 and back.min() >= 0 and back.max() < 1


def test_storing_bytes_again_and_again_moves_no_average(rng):
    """Each of 100 rounds redraws within a level, of sd 1/256/sqrt(12) about the same mean: it does not wander."""
    buffer = ReplayBuffer(capacity=1000, restart=0.0, images=True)
    state = buffer.init(lambda n: torch.full((n, 2), 0.5), rng)
    for _ in range(100):
        x, _, slots = buffer.sample(state, 1000, fresh, rng)
        buffer.write(state, slots, x)
    assert abs(buffer.contents(state, rng)[0].mean() - (0.5 + 0.5 / 256)) < 5 / 256 / (12 * 2000) ** 0.5


def test_refresh(rng):
    buffer = ReplayBuffer(capacity=10, restart=0.0)
    state = buffer.init(fresh, rng)
    buffer.refresh(state, 0.2, lambda n: torch.full((n, 2), 9.0), rng)
    assert (state["x"][:, 0] == 9).sum() == 2


def test_drawn_chains_do_not_alias_the_storage(rng):
    buffer = ReplayBuffer(capacity=4, restart=0.0)
    state = buffer.init(fresh, rng)
    x, _, _ = buffer.sample(state, 4, fresh, rng)
    x += 1
    assert (state["x"] == 0.5).all()


@pytest.mark.parametrize(
    "settings", [{"capacity": 0}, {"restart": 1.5}, {"policy": "lifo"}, {"by_class": True, "relabel": True}], ids=str
)
def test_bad_settings(settings):
    with pytest.raises(UserError):
        ReplayBuffer(**settings)


def test_a_batch_larger_than_the_buffer_is_named(rng):
    buffer = ReplayBuffer(capacity=4)
    with pytest.raises(UserError, match="capacity 4"):
        buffer.sample(buffer.init(fresh, rng), 5, fresh, rng)
