"""A self-contained HTML file."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from string import Template

from torch import Tensor

from energybased.data.pictures import png_uri

PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:0 auto;padding:1rem;color:#1f2328;background:#fff}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
figure{margin:.5rem 0}figcaption,.note{color:#57606a;font-size:.9rem}
img{width:100%;height:auto;image-rendering:pixelated;background:#eee}svg{width:100%;height:auto}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1rem}
@media(max-width:30rem){.pair{grid-template-columns:1fr}}
table{border-collapse:collapse;width:100%;font-size:.92rem;margin:.5rem 0 1.5rem}td,th{
padding:.3rem .5rem;border-bottom:1px solid #d0d7de;text-align:left}
th.number{text-align:right}td.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.bar{position:relative;padding:0 .25rem}.bar i{position:absolute;inset:.1rem auto .1rem 0;background:#ddf4ff;z-index:-1}
pre{background:#f6f8fa;padding:.75rem;overflow-x:auto;font-size:.82rem}summary{cursor:pointer}
</style></head><body>
<h1>$title</h1>
$sections
</body></html>
""")


def page(title: str, sections: Mapping[str, Sequence[str]]) -> str:
    """A page as HTML. Each section has a title, and pieces of HTML; one without pieces is left out."""
    parts = [f"<section><h2>{html.escape(name)}</h2>{''.join(s)}</section>" for name, s in sections.items() if s]
    return PAGE.substitute(title=html.escape(title), sections="\n".join(parts))


def picture(x: Tensor, caption: str) -> str:
    """HTML of a picture `(channels, height, width)` with a caption."""
    caption = html.escape(caption)
    return f'<figure><img src="{png_uri(x)}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


def note(text: str) -> str:
    """HTML of a remark."""
    return f'<p class="note">{html.escape(text)}</p>'


def bar(text: str, share: float) -> str:
    """HTML of a line of text over a bar, whose length is this share of the width, in [0, 1]."""
    width = 100 * min(max(share, 0.0), 1.0)
    return f'<div class="bar"><i style="width:{width:.1f}%"></i>{html.escape(text)}</div>'
