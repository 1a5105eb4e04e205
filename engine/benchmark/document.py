"""A report as blocks, written as Markdown and as a page of HTML."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Block", "Heading", "Paragraph", "Picture", "Table", "as_html", "as_markdown"]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is the page's own."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text; `code` is set in between backticks."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Cells are plain text, as in a Paragraph."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A file beside the report."""

    path: str  # relative
    caption: str


Block = Heading | Paragraph | Table | Picture


def as_markdown(blocks: Sequence[Block]) -> str:
    """The whole text."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def as_html(blocks: Sequence[Block], title: str) -> str:
    """The whole page."""
    body = "\n".join(_html(block) for block in blocks)
    return _PAGE.format(title=html.escape(title), style=_STYLE, body=body)


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, Paragraph):
        return block.text
    if isinstance(block, Picture):
        return f"![{block.caption}]({block.path})\n\n*{block.caption}*"
    lines = [block.header, ["---"] * len(block.header), *block.rows]
    text = "\n".join("| " + " | ".join(_cell(c) for c in line) + " |" for line in lines)
    return f"{text}\n\n{block.note}" if block.note else text


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{_inline(block.text)}</h{block.level}>"
    if isinstance(block, Paragraph):
        return f"<p>{_inline(block.text)}</p>"
    if isinstance(block, Picture):
        source, caption = html.escape(block.path, quote=True), _inline(block.caption)
        return f'<figure><img src="{source}" alt=""><figcaption>{caption}</figcaption></figure>'
    head = "".join(f"<th>{_inline(c)}</th>" for c in block.header)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{_inline(c)}</td>" for c in row) + "</tr>" for row in block.rows
    )
    note = f'<p class="note">{_inline(block.note)}</p>' if block.note else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table>{note}"


def _inline(text: str) -> str:
    """Escaped, with what is between backticks as code."""
    parts = html.escape(text).split("`")
    if len(parts) % 2 == 0:  # a stray backtick
        return html.escape(text)
    return "".join(f"<code>{p}</code>" if k % 2 else p for k, p in enumerate(parts))


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 78rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c2024; background: #fff; }
h1 { font-size: 1.7rem; } h2 { margin-top: 2.2rem; border-bottom: 1px solid #d8dce0; }
table { border-collapse: collapse; margin: 1rem 0 0.3rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.7rem; text-align: right; border-bottom: 1px solid #e4e7ea; }
th { background: #f3f5f7; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; white-space: nowrap; }
th:last-child, td:last-child { max-width: 22rem; }
figure { margin: 1.2rem 0; } img { max-width: 100%; } code { background: #f3f5f7; }
figcaption, .note { color: #59636e; font-size: 0.9rem; }
"""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{style}</style></head>
<body>
{body}
</body></html>
"""
