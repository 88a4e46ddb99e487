"""The one training loop. It trains parts (modules) in phases, and does not depend on what an objective minimises."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import torch
from torch import Tensor, nn

from energybased.data import AnyDomain
from energybased.devices import find_device
from energybased.errors import Interrupted, require
from energybased.objectives import Batch, Coupled, Refreshing
from energybased.processes import ALONE, Processes
from energybased.training import guard
from energybased.training.batches import as_batches, prepared
from energybased.training.checkpoint import read_checkpoint, write_checkpoint
from energybased.training.ema import ema_buffers, ema_init, ema_update
from energybased.training.interrupt import interruptible
from energybased.training.optimizer import set_rate, use_gradients
from energybased.training.phase import Phase, progress
from energybased.training.progress import Display
from energybased.training.rng import seed_all
from energybased.training.run import Run
from energybased.training.settings import Settings
from energybased.training.shard import Shard, common, cut, each, fill
from energybased.training.state import TrainState
from energybased.training.update import Update, mean

WINDOW = 20  # steps over which metrics are averaged, logged and shown to the guard


class Loop:
    """One training: parts, phases, data and settings. Its results are written into a run.

    Args:
        data: anything that training takes, see `as_batches`; None if every phase has its own.
        domain: what the values of the data are; inferred if not given.
        conditional: whether batches have the y of a data set.
        processes: the processes that compute this training together.
    """

    def __init__(
        self,
        parts: Mapping[str, nn.Module],
        phases: Sequence[Phase],
        data: Any,
        settings: Settings,
        domain: AnyDomain | None = None,
        conditional: bool = True,
        processes: Processes = ALONE,
    ) -> None:
        require(len(phases) > 0, "a training needs at least one phase")
        self.phases, self.settings, self.processes = phases, settings, processes
        self.device = processes.device or find_device(settings.device)
        self.shards = settings.shards or processes.count
        seed_all(settings.seed)
        moved = {name: part.to(self.device).train() for name, part in parts.items()}
        sources = [data, *(phase.data for phase in phases)]
        require(data is not None or all(phase.data is not None for phase in phases), "a phase has no data")
        own = [as_batches(d, settings.batch_size, settings.seed, domain, conditional) for d in sources if d is not None]
        numbers = iter(range(int(data is not None), len(own)))
        self.source = [0 if phase.data is None else next(numbers) for phase in phases]
        mine = processes.share(self.shards)
        self.state = TrainState.begin(moved, settings.optimizer, own, settings.seed, mine, self.shards)
        self.ring = guard.Ring()

    def resume(self, run: Run, checkpoint: Path | None = None) -> None:
        """Restores a checkpoint, the newest of the run if not given; training continues as if it had not stopped."""
        checkpoint = run.newest_checkpoint() if checkpoint is None else checkpoint
        snapshot, self.ring = read_checkpoint(checkpoint, run.recipe["identity"], self.state.shards)
        self.state.restore(snapshot)
        if self.processes.first:
            run.forget_after(self.state.counters.seconds)
            run.clean()

    @property
    def finished(self) -> bool:
        """Whether all phases are over, or the guard has ended the training."""
        return self.state.counters.phase >= len(self.phases) or self.state.counters.stopped is not None

    def fit(self, run: Run, at_checkpoint: Callable[[TrainState], None] = lambda state: None) -> TrainState:
        """Trains to the end of the last phase, or until the guard gives up, writing into a run that is locked.

        Raises:
            Interrupted: after Ctrl-C, with a checkpoint written.
            UserError: if the data hold a NaN or nothing can be written.
        """
        self.run, self.identity = run, run.recipe["identity"]
        first = self.processes.first
        with interruptible() as interrupt, Display(self.progress, self.state.counters.step, first) as display:
            self.clock, self.used = time.monotonic(), time.process_time()
            while not self.finished:
                self._enter_phase()
                if self.state.counters.step == 0:
                    self._checkpoint()  # so that there is something to resume, however soon a run is killed
                before = self.progress
                stopping = self._step(interrupt)
                self._keep_weights(before)
                metrics = self._window()
                if metrics is not None and not self._watch(metrics, display):
                    metrics = None
                self._leave_phase(metrics)
                due = self.state.counters.step % self.settings.checkpoint_every == 0
                if due or self.finished or stopping:
                    self._checkpoint()
                    if first:
                        at_checkpoint(self.state)
                if stopping and not self.finished:
                    step = self.state.counters.step
                    message = f"stopped at step {step} with a checkpoint; ebm train --resume {run.path} goes on"
                    raise Interrupted(message, told=not first)
        return self.state

    @property
    def progress(self) -> float:
        """The part of all phases' budgets that is spent, in [0, 1]."""
        return 1.0 if self.finished else progress(self.phases, self.state.counters.phase, self._spent)

    @property
    def phase(self) -> Phase:
        """The current phase."""
        return self.phases[self.state.counters.phase]

    @property
    def _spent(self) -> float:
        """The part of the current phase's budget that is spent; 1 or more when it is over."""
        return self.phase.spent(self.state.counters.phase_step, self.state.counters.phase_seconds)

    def _stored(self) -> Batch:
        """The phase's next batch, as the data store it, of all shards."""
        return self.state.batches[self.source[self.state.counters.phase]].next()

    def _batch(self, stored: Batch, shard: Shard, number: int) -> Batch:
        """The rows of a shard, in the model's units."""
        part, step = cut(stored, number, self.shards), self.state.counters.step + 1
        return prepared(part, shard.rng, self.settings.data_noise, self.device, f"the batch for step {step}")

    def _enter_phase(self) -> None:
        counters, state = self.state.counters, self.state
        if counters.entered:
            return
        counters.entered = True
        for name in self.phase.restart_from_ema:
            state.restart_from_ema(name, self.settings.optimizer)
        everything = self._peek()

        def begin(shard: Shard, number: int) -> None:
            batch = self._batch(everything, shard, number)
            shard.objective = self.phase.objective.init(state.parts, batch, shard.rng)

        everything_shared = common(state.parts, weights=True)
        each(begin, state.shards, everything_shared)
        self.processes.copy(everything_shared)
        for name in self.phase.restart_from_ema:  # what began the phase may have changed weights
            state.averages[name] = ema_init(state.parts[name])
        vitals = [list(vital) for vital in self.phase.objective.vitals]
        kind = type(self.phase.objective).__name__
        self._event("phase", index=counters.phase, objective=kind, vitals=vitals)
        if self.settings.guard == "on":
            self.ring.keep(counters.step, state.snapshot())

    def _peek(self) -> Batch:
        """The phase's next batch; the position does not change."""
        batches = self.state.batches[self.source[self.state.counters.phase]]
        position = batches.state()
        stored = self._stored()
        batches.load(position)
        return stored

    def _step(self, interrupt: Event) -> bool:
        """One update. Returns whether any process was interrupted."""
        state, counters = self.state, self.state.counters
        everything, objective = self._stored(), self.phase.objective

        def learn(shard: Shard, number: int) -> Update:
            result = objective.step(state.parts, shard.objective, self._batch(everything, shard, number), shard.rng)
            shard.objective = result.state
            return Update.of(result, state.optimizers)

        buffers = common(state.parts)
        updates, times = each(learn, state.shards, buffers), self._times(interrupt.is_set())
        first = self.processes.first
        sums = buffers if first else [torch.zeros_like(b) for b in buffers]  # their sums are those of the first process
        update = mean(updates, self.shards, self.processes, [times, *sums])
        if not first:
            fill(buffers, sums)
        stopping = self._count(times)
        use_gradients(update.gradients)
        metrics = update.metrics
        if isinstance(objective, Coupled):
            for shard in state.shards.values():
                settled = objective.settle(state.parts, shard.objective, update.shared)
                shard.objective, metrics = settled.state, {**metrics, **settled.metrics}
        self.rate = counters.rate_scale * self.settings.optimizer.rate(self._spent, counters.phase_step)
        for name, optimizer in state.optimizers.items():
            set_rate(optimizer, self.rate * self.phase.rates.get(name, 1.0))
        for name in update.parts:
            optimizer = state.optimizers[name]
            self.settings.optimizer.clip(optimizer)
            optimizer.step()
            averaged = counters.phase_step if name in self.phase.restart_from_ema else counters.step
            ema_update(state.averages[name], state.parts[name], self.settings.ema, averaged)
        for name in state.parts.keys() - update.parts:
            ema_buffers(state.averages[name], state.parts[name])
        weights = [p for part in state.parts.values() for p in part.parameters()]
        norm = torch.nn.utils.get_total_norm(weights).detach()
        for name, value in {**metrics, "weight_norm": norm}.items():
            state.sums[name] = state.sums[name] + value if name in state.sums else value
        counters.step += 1
        counters.phase_step += 1
        counters.window += 1
        return stopping

    def _keep_weights(self, before: float) -> None:
        """Writes the weights if the step has reached one of the last hundredths of the training."""
        mark = int(100 * self.progress + 1e-9)
        if int(100 * before + 1e-9) < mark > 100 - self.settings.history and self.processes.first:
            self.run.keep_weights(mark, self.state.snapshot()["model"])

    def _times(self, interrupted: bool) -> Tensor:
        """What `_count` takes: the time since the last call, which includes checkpoints and waiting for a device.

        All processes count the time of the first one.
        """
        now, used = time.monotonic(), time.process_time()
        elapsed, spent = now - self.clock if self.processes.first else 0.0, used - self.used
        self.clock, self.used = now, used
        return torch.tensor([elapsed, spent, interrupted], device=self.device)

    def _count(self, times: Tensor) -> bool:
        """Counts the times of all processes. Returns whether any of them was interrupted."""
        elapsed, spent, interrupted = times.tolist()
        counters = self.state.counters
        counters.seconds += elapsed
        counters.phase_seconds += elapsed
        counters.processor_seconds += spent
        return bool(interrupted > 0)

    def _window(self) -> dict[str, float] | None:
        """The averages over a window that has just ended; the only place where metrics are read."""
        state, counters = self.state, self.state.counters
        if counters.window < WINDOW and self._spent < 1:
            return None
        metrics = {name: float(value) / counters.window for name, value in state.sums.items()}
        state.sums, counters.window = {}, 0
        times = {"seconds": counters.seconds, "processor_seconds": counters.processor_seconds}
        line = {"step": counters.step, "phase": counters.phase, **times, "lr": self.rate}
        if self.processes.first:
            self.run.append("metrics.jsonl", {**line, **metrics})
        return metrics

    def _watch(self, metrics: dict[str, float], display: Display) -> bool:
        """Shows the metrics to the guard; False if it restored a snapshot or gave up."""
        state, counters = self.state, self.state.counters
        vitals = self.phase.objective.vitals
        first = vitals[0].name if vitals else next(iter(metrics))
        status = "off"
        if self.settings.guard == "on":
            reason = guard.unhealthy(metrics, vitals, counters.phase_step)
            if reason is not None:
                self._go_back(reason, display)
                return False
            counters.rate_scale = min(counters.rate_scale * guard.REGROWTH, counters.rate_ceiling)
            if self.ring.due(counters.step):
                self.ring.keep(counters.step, state.snapshot())
            status = "ok" if counters.rollbacks == 0 else f"{counters.rollbacks} rollbacks"
        display.update(counters.step, self.progress, f"{first} {metrics[first]:+.3f}", status)
        return True

    def _go_back(self, reason: str, display: Display) -> None:
        """Restores the newest healthy snapshot and lowers the learning rate, or gives up."""
        state, failed = self.state, self.state.counters
        held = self.ring.back(failed.step)
        state.restore(held.snapshot)
        counters = state.counters
        if counters.phase == failed.phase:
            counters.phase_seconds = failed.phase_seconds
        counters.rollbacks, counters.rate_scale = failed.rollbacks, failed.rate_scale
        counters.seconds, counters.processor_seconds = failed.seconds, failed.processor_seconds
        if counters.rollbacks == guard.ROLLBACKS:
            counters.stopped = f"{reason} at step {failed.step}, after {counters.rollbacks} rollbacks: {guard.ADVICE}"
            self._event("stop", reason=reason, at=failed.step)
            display.say(f"guard: {counters.stopped}; stopped with the averaged weights of step {held.step}")
        else:
            counters.rollbacks += 1
            tripped, counters.rate_scale = counters.rate_scale, counters.rate_scale * guard.SLOWDOWN
            last = counters.rollbacks == guard.ROLLBACKS  # after it the rate stays low: the next trip ends the training
            counters.rate_ceiling = counters.rate_scale if last else 0.5 * tripped
            state.reseed(self.settings.seed + 7919 * counters.rollbacks)
            if isinstance(self.phase.objective, Refreshing):
                self._refresh(self.phase.objective)
            self._event("rollback", reason=reason, at=failed.step, to=held.step, rate_scale=counters.rate_scale)
            scale = f"learning rate x {counters.rate_scale:g}"
            display.say(f"guard: {reason} at step {failed.step}; back to step {held.step}, {scale}")
        self._checkpoint()
        if self.processes.first:
            self.run.drop_checkpoints_after(counters.step)

    def _refresh(self, objective: Refreshing) -> None:
        everything = self._peek()

        def refresh(shard: Shard, number: int) -> None:
            batch = self._batch(everything, shard, number)
            shard.objective = objective.refresh(self.state.parts, shard.objective, batch, shard.rng)

        buffers = common(self.state.parts)
        each(refresh, self.state.shards, buffers)
        self.processes.copy(buffers)

    def _leave_phase(self, metrics: dict[str, float] | None) -> None:
        counters, phase = self.state.counters, self.phase
        over = self._spent >= 1
        over |= metrics is not None and phase.done is not None and phase.done(metrics)
        if over and counters.stopped is None:
            self._event("phase-end", index=counters.phase, steps=counters.phase_step)
            counters.phase, counters.phase_step, counters.phase_seconds = counters.phase + 1, 0, 0.0
            counters.entered = False
            self.state.sums, counters.window = {}, 0

    def _checkpoint(self) -> None:
        folder = self.run.path / "checkpoints" / f"{self.state.counters.step:08d}"
        write_checkpoint(folder, self.state.snapshot(), self.ring, self.identity, self.shards, self.processes)

    def _event(self, kind: str, **facts: Any) -> None:
        counters = self.state.counters
        line = {"event": kind, "step": counters.step, "seconds": counters.seconds, **facts}
        if self.processes.first:
            self.run.append("events.jsonl", line)
