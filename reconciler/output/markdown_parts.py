"""The parts that every comment is made of: its title, a note as an item, and its foot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from reconciler.model.errors import ExitCode, Mark
from reconciler.output.clean import shortened
from reconciler.output.comment import Section
from reconciler.output.findings import LONGEST
from reconciler.output.markdown import code, inline, prose
from reconciler.output.note import Level, Note
from reconciler.output.options import Options
from reconciler.output.places import relative
from reconciler.output.words import came_and_went, quoted

_FAILS: Final = "❌"
_WARNS: Final = "⚠️"
_FINE: Final = "✅"

#: Longer lists of names are told by their number.
_NAMES: Final = 5


def status(*, fails: bool, warns: bool) -> str:
    """The symbol of a title; words beside it say the same."""
    if fails:
        return _FAILS
    return _WARNS if warns else _FINE


def notes_section(title: str, found: Iterable[Note], options: Options, *, folded: bool = False) -> Section:
    """A list of notes, each with its cause and fix."""
    return Section(title=title, rows=tuple(_item(note, options) for note in found), folded=folded)


def _item(note: Note, options: Options) -> str:
    named_by_place = note.mark is not None and note.mark.file == note.subject
    subject = "" if named_by_place else f" · {inline(note.subject)}"
    at = f" · {place(note.mark, options)}" if note.mark else ""
    word = "**unknown** " if note.unknown else ""
    message = f": {brief(note.message)}" if note.message else ""
    rows = [f"- {word}**{code(note.rule)}**{subject}{at}{message}"]
    labelled = (("cause", note.cause), ("fix", note.fix), ("accepted by", note.accepted_by))
    return "\n".join(rows + [f"  - {label}: {brief(text)}" for label, text in labelled if text])


def kind(label: str) -> str:
    """``+ added`` with its symbol as code, as some mean emphasis to Markdown, and its word in bold."""
    symbol, _, word = label.partition(" ")
    return f"{code(symbol)} **{word}**"


def place(mark: Mark, options: Options) -> str:
    """``file:line`` from the top of the repository."""
    return code(f"{relative(mark.file, options)}:{mark.line}")


def values(old: object, new: object) -> str:
    """``500`` → ``5000`` as code; of a set what comes and what goes."""
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return " ".join(code(shortened(one, LONGEST)) for one in came_and_went(old, new)) or "another order"
    return " → ".join(
        code(shortened(quoted(one), LONGEST)) if one is not None else "none" for one in (old, new)
    )


def brief(text: str) -> str:
    """A sentence of bounded length."""
    return prose(shortened(text, LONGEST))


def named(items: Iterable[str]) -> str:
    """A few ids or files, each as code, and how many more there are."""
    held = list(items)
    more = f" and {len(held) - _NAMES} more" if len(held) > _NAMES else ""
    return ", ".join(code(shortened(one, LONGEST)) for one in held[:_NAMES]) + more


def foot(exit_code: ExitCode, *facts: str, digest: str = "") -> str:
    """The last lines: digest, meaning of the exit code, and where all this comes from."""
    shown = [f"digest {code(digest)}"] if digest else []
    shown.append(f"exit {int(exit_code)}: {exit_code.meaning}")
    return f"<sub>{' · '.join([*shown, *filter(None, facts)])}</sub>"


def pressing(found: Iterable[Note], level: Level) -> list[Note]:
    """The notes of one level."""
    return [note for note in found if note.level is level]
