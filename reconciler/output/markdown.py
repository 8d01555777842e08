"""Text that others wrote, within Markdown: it shows as itself, and neither formats, links nor calls anybody.

Escaping by backslash or entity is not enough on a forge: GitHub and GitLab look for ``@name``, ``#12``,
commit ids, e-mail addresses and emoji in the text **after** Markdown was parsed, and leave nothing alone
but code. So a word is either so plain that nothing can be made of it, or it is a code span. See
https://github.github.com/gfm/ and https://docs.gitlab.com/user/markdown/#gitlab-specific-references.
"""

from __future__ import annotations

import re
from typing import Final

from reconciler.output.clean import clean

#: A bar ends a table's cell even within a code span, and only an entity means one both in and out of it.
_BAR: Final = "&#124;"

#: Characters beyond which ASCII may mean something to Markdown or to a forge; others mean nothing anywhere.
_PLAIN: Final = re.compile(r"[A-Za-z0-9.,;:()'\"/%+=?\u0080-\U0010ffff-]+")

#: Plain words that a forge makes something of: links, e-mail, commit ids, tickets, emoji, list items.
_ACTS: Final = re.compile(
    r"//|www\.|[^\W_]\.[^\W_]{2}|mailto:|xmpp:|:[a-z0-9+-]+:|gh-\d|[a-z]{2}-\d"
    r"|(?<!\w)%\w|(?<!\w)[0-9a-f]{7,}(?!\w)",
    re.IGNORECASE,
)

#: What may make a list, a heading, a rule or an order of a line that begins with it.
_OPENS: Final = re.compile(r"[-+=/].*|\d+[.)]")

#: Words in a pair of backticks, as our own fixes have them, standing free among the others.
_QUOTED: Final = re.compile(r"(?:^|(?<=\s)|(?<=\s\())`([^`]+)`(?=[.,;:?!)]*(?:\s|$))")

#: A word that is to be code, without the punctuation around it that belongs to the sentence.
_CORE: Final = re.compile(r"([(\"']*)(.*?)([.,;:?!)\"']*)")


def inline(text: str) -> str:
    """``text`` on one line of Markdown, as a paragraph, in a list or in a cell of a table.

    White space is one space; what acts on a terminal is seen instead, as :func:`clean` has it.
    """
    return _words(" ".join(clean(text).split()), first=True)


def prose(text: str) -> str:
    """The same for a sentence, in which a pair of backticks makes code, as in the fixes that we write."""
    parts = _QUOTED.split(" ".join(clean(text).split()))
    return "".join(
        code(part) if index % 2 else _words(part, first=index == 0) for index, part in enumerate(parts)
    )


def code(text: str) -> str:
    """``text`` on one line as a code span: an id, a path, a value. Nothing where there is none."""
    return _BAR.join(map(_span, clean(text).split("|")))


def _words(text: str, *, first: bool) -> str:
    return re.sub(r"\S+", lambda word: _word(word[0], first=first and not word.start()), text)


def _word(word: str, *, first: bool) -> str:
    return _BAR.join(_piece(piece, first=first) for piece in word.split("|"))


def _piece(piece: str, *, first: bool) -> str:
    opens = first and _OPENS.fullmatch(piece)
    if not piece or (_PLAIN.fullmatch(piece) and not _ACTS.search(piece) and not opens):
        return piece
    found = _CORE.fullmatch(piece)
    if opens or found is None or not found[2]:
        return _span(piece)
    return f"{found[1]}{_span(found[2])}{found[3]}"


def _span(text: str) -> str:
    """A code span whose fence is longer than any run of backticks in ``text``."""
    if not text:
        return ""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    edges = text[0] + text[-1]
    pad = " " if "`" in edges or (edges == "  " and text.strip()) else ""
    return f"{fence}{pad}{text}{pad}{fence}"
