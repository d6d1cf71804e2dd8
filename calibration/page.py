"""The small HTML templates of a report: one self-contained page, for screen and A4 paper. Everything put in is escaped.

A `Markup` is text that is HTML already; any other value is escaped where it enters a template.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape
from string import Template

LISTED = 20  # rows of a table that names parts; the figures in JSON name all

_PAGE = Template("""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>$title</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>$style</style></head>
<body><main>
$body
</main></body></html>
""")

_STYLE = Template("""
:root { --ink: #1b2430; --soft: #5d6b7a; --line: #d8dee5; --wash: #f4f6f8; --warn: #b45309; --warn-wash: #fff6e6;
        --good: #2f6f9f; --bad: #c2452d; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--wash); color: var(--ink);
       font: 14px/1.5 "Helvetica Neue", Arial, "Liberation Sans", sans-serif; }
main { max-width: 60rem; margin: 2rem auto; padding: 2.5rem 3rem; background: #fff; border: 1px solid var(--line); }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.2; letter-spacing: -.01em; }
h2 { margin: 2.2rem 0 .7rem; padding-bottom: .3rem; font-size: 1.1rem; border-bottom: 1px solid var(--line);
     break-after: avoid; }
p { margin: .4rem 0; max-width: 46rem; }
.soft { color: var(--soft); }
.mono, code { font-family: "DejaVu Sans Mono", Consolas, monospace; font-size: .88em; }
.warnings { margin: 1.5rem 0 0; padding: .9rem 1.2rem; list-style: none; background: var(--warn-wash);
            border-left: 4px solid var(--warn); print-color-adjust: exact; }
.warnings li + li { margin-top: .4rem; }
.none { border-color: var(--good); background: #eef5fa; }
.figures { display: flex; flex-wrap: wrap; margin: 1.5rem 0 0; border: solid var(--line); border-width: 1px 0 0 1px; }
.figures div { flex: 1 1 7rem; padding: .7rem .9rem; border: solid var(--line); border-width: 0 1px 1px 0; }
.figures dt { color: var(--soft); font-size: .8rem; }
.figures dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 600; font-size: .85rem; color: var(--soft); }
td { overflow-wrap: anywhere; } td:first-child { width: 16rem; } thead { display: table-header-group; }
tr, svg { break-inside: avoid; }
svg { display: block; width: 100%; height: auto; }
.half { max-width: 26rem; break-inside: avoid; }
.sheet { display: grid; grid-template-columns: repeat(3, 1fr); gap: 1rem; }
figure { margin: 0; break-inside: avoid; }
figure img { display: block; width: 100%; background: #000; }
figcaption { padding-top: .3rem; font-size: .8rem; line-height: 1.35; overflow-wrap: anywhere; }
.pass { color: var(--good); } .fail { color: var(--bad); } .recheck { color: var(--warn); }
.pass, .fail, .recheck { font-weight: 600; }
.hashes { columns: 2; column-gap: 2rem; font-size: .68rem; line-height: 1.5; }
.hashes div { display: flex; justify-content: space-between; gap: .8rem; break-inside: avoid; }
.hashes span:first-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.release { break-inside: avoid; }
.sign { display: grid; grid-template-columns: 2fr 2fr 1fr; gap: 2rem; margin-top: 3.5rem; }
.sign div { padding-top: .3rem; border-top: 1px solid var(--ink); font-size: .8rem; color: var(--soft); }
@page { size: A4; margin: 15mm 14mm 18mm; @bottom-left { content: "$footer"; font: 8px sans-serif; }
        @bottom-right { content: counter(page) " / " counter(pages); font: 8px sans-serif; } }
@media print {
  :root { --ink: #000; --soft: #333; --line: #aaa; }
  body { background: #fff; font-size: 10.5px; } main { margin: 0; padding: 0; border: 0; max-width: none; }
  section > p { break-after: avoid; } p { max-width: none; break-inside: avoid; }
  th, figcaption, .figures dt { font-size: .9em; } .figures dd { font-size: 1.4em; } .sign div { font-size: 1em; }
}
@media (max-width: 40rem) {
  main { margin: 0; padding: 1.2rem; } .sheet { grid-template-columns: 1fr; } .hashes { columns: 1; }
}
""")


class Markup(str):
    """HTML already."""

    __slots__ = ()


def fill(template: str, **values: object) -> Markup:
    """Put values into a template with $names, escaping all that is not Markup."""
    return Markup(Template(template).substitute({name: _safe(value) for name, value in values.items()}))


def join(parts: Iterable[str]) -> Markup:
    """Put pieces one after the other, escaping all that is not Markup."""
    return Markup("\n".join(_safe(part) for part in parts))


def page(title: str, parts: Iterable[Markup], footer: str) -> Markup:
    """Return the whole page; the footer stands on every sheet of paper."""
    style = _STYLE.substitute(footer=re.sub(r"[^\w ,.-]", "", footer))
    return Markup(_PAGE.substitute(title=escape(title), style=style, body=join(parts)))


def header(kind: str, station: str, product: str, made: str, fingerprint: str) -> Markup:
    """Return the top of a page: of what station and product, and which bundle."""
    return fill(
        '<header><p class="soft">$kind</p><h1>$name</h1>'
        '<p class="soft">Fingerprint <code>$fingerprint</code>, $made</p></header>',
        kind=kind,
        name=station if product == "default" else f"{station}, product {product}",
        fingerprint=fingerprint,
        made=made,
    )


def release(what: str, fingerprint: str) -> Markup:
    """Return the line to sign on."""
    cells = join(fill("<div>$what</div>", what=cell) for cell in ("Name", "Signature", "Date"))
    return fill(
        '<section class="release"><h2>Release</h2><p>$what, fingerprint <code>$fingerprint</code>, may judge parts.</p>'
        '<div class="sign">$cells</div></section>',
        what=what, fingerprint=fingerprint, cells=cells,
    )  # fmt: skip


def section(title: str, *parts: Markup) -> Markup:
    """Return a headed part of the page."""
    return fill("<section><h2>$title</h2>\n$body</section>", title=title, body=join(parts))


def note(text: str) -> Markup:
    """Return a paragraph."""
    return fill("<p>$text</p>", text=text)


def items(kind: str, texts: Sequence[str]) -> Markup:
    """Return a list of one class."""
    return fill('<ul class="$kind">$items</ul>', kind=kind, items=join(fill("<li>$text</li>", text=text) for text in texts))


def figures(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Return the row of key figures: name, value."""
    cells = (fill("<div><dt>$name</dt><dd>$value</dd></div>", name=name, value=value) for name, value in pairs)
    return fill('<dl class="figures">$cells</dl>', cells=join(cells))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """Return a table; cells that are Markup stay as they are."""
    top = fill("<thead>$row</thead>", row=_row("th", head)) if head else Markup()
    return fill("<table>$top$rows</table>", top=top, rows=join(_row("td", row) for row in rows))


def hashes(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Return names and their hashes in two columns of small print."""
    lines = (fill("<div><span>$name</span><span>$value</span></div>", name=name, value=value) for name, value in pairs)
    return fill('<div class="hashes mono">$lines</div>', lines=join(lines))


def _row(tag: str, cells: Sequence[str]) -> Markup:
    inner = join(fill(f"<{tag}>$cell</{tag}>", cell=cell) for cell in cells)
    return fill("<tr>$inner</tr>", inner=inner)


def _safe(value: object) -> str:
    return value if isinstance(value, Markup) else escape(str(value))
