"""Charts as inline SVG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from torch import Tensor

SIZE = (6.4, 3.0)
COLOURS = ("#1f6feb", "#e36209", "#6f42c1", "#2da44e", "#bf3989", "#57606a")


def histograms(groups: Mapping[str, Tensor], label: str) -> str:
    """A histogram of each group of numbers `(n,)`, over common bins. Values in the far tails are drawn at the edge."""
    values = {name: group.double().cpu().numpy() for name, group in groups.items()}
    everything = np.concatenate(list(values.values()))
    low, high = np.quantile(everything, [0.001, 0.97 if len(values) > 2 else 0.999])
    bins = np.linspace(low, high if high > low else low + 1, 60)
    figure, axes = _figure(label, "density")
    for (name, group), colour in zip(values.items(), COLOURS, strict=False):
        axes.hist(
            np.clip(group, low, high), bins, density=True, histtype="stepfilled", alpha=0.35, color=colour, label=name
        )
        axes.hist(np.clip(group, low, high), bins, density=True, histtype="step", color=colour)
    axes.legend(frameon=False, fontsize=9)
    return _svg(figure)


def curve(x: Sequence[float], y: Sequence[float], label: str, events: Sequence[float] = ()) -> str:
    """Values y over training steps x, with a mark at every event of the guard."""
    figure, axes = _figure("step", label)
    axes.plot(x, y, color=COLOURS[0], linewidth=1.2)
    for step in events:
        axes.axvline(step, color="#cf222e", linestyle="--", linewidth=1)
    return _svg(figure)


def curves(groups: Mapping[str, tuple[Sequence[float], Sequence[float]]], x: str, y: str) -> str:
    """A line for each group of values of x and y."""
    figure, axes = _figure(x, y)
    for (name, points), colour in zip(groups.items(), COLOURS, strict=False):
        axes.plot(*points, color=colour, marker=".", linewidth=1.2, label=name)
    axes.legend(frameon=False, fontsize=9)
    return _svg(figure)


def clouds(groups: Mapping[str, Tensor]) -> str:
    """A two-dimensional histogram for each group of points `(n, 2)`, over common axes, at most six in a row."""
    columns = min(6, len(groups))
    lines = -(-len(groups) // columns)
    figure = Figure(figsize=(SIZE[0], lines * SIZE[0] / columns), layout="constrained")
    FigureCanvasSVG(figure)
    low, high = np.quantile(np.concatenate([group.numpy() for group in groups.values()]), [0.001, 0.999])
    for place, (name, group) in enumerate(groups.items(), 1):
        axes = figure.add_subplot(lines, columns, place)
        x, y = group.numpy().T
        axes.hist2d(x, y, bins=40, range=[[low, high]] * 2, cmap="Blues")
        axes.set_title(name, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
    return _svg(figure)


def bands(groups: Mapping[str, Tensor]) -> str:
    """A chart for each group of curves `(n, time, channels)`, over common axes, with one colour per channel."""
    figure = Figure(figsize=SIZE, layout="constrained")
    FigureCanvasSVG(figure)
    shared = None
    for place, (name, group) in enumerate(groups.items(), 1):
        axes = figure.add_subplot(1, len(groups), place, sharey=shared)
        shared = axes if shared is None else shared
        for channel, colour in zip(range(group.shape[2]), COLOURS, strict=False):
            axes.plot(group[:, :, channel].numpy().T, color=colour, linewidth=0.6, alpha=0.4)
        axes.set_title(name, fontsize=9)
    return _svg(figure)


def _figure(x: str, y: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=SIZE, layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_title(y, loc="left", fontsize=10)  # a title has more room than an axis label
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True)
    text = stream.getvalue()
    return text[text.index("<svg") :]
