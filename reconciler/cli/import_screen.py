"""What an import shows: the entries to be, what stays behind, and how to go on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from reconciler.desired.edit import entry_lines
from reconciler.engine.takeover import Draft, one_of
from reconciler.importing.found import Found, Left
from reconciler.output.clean import clean
from reconciler.output.words import counted


def begun(made: Draft, found: Found) -> str:
    """Everything before it is written. Of other people's files it holds names and places, and no secret."""
    return "".join(f"{line}\n" for line in _begun(made, found))


def _begun(made: Draft, found: Found) -> Iterator[str]:
    for file in found.files:
        yield f"read {clean(file)}"
    if made.entries:
        yield ""
        yield f"to be written to {clean(str(made.addition.place.target))}:"
        for section, items in groupby(made.entries, key=lambda item: item.section):
            yield f"  {section}:"
            yield from (f"  {clean(line)}" for item in items for line in entry_lines(item.id, item.fields))
    for secret, keys in made.keys:
        yield f"to be written to {clean(str(secret.path))}: {', '.join(keys.secrets)}, encrypted"
    for one in made.known:
        what = f"{one_of(one.item.section)} {one.item.id}"
        other = f", with other {' and '.join(one.other)}" if one.other else ""
        yield f"{what} is there already{other}: {clean(str(one.mark))}"
    yield from _left(found.left)
    yield ""
    counts = f"{len(made.entries)} new, {len(made.known)} there already, {len(found.left)} not taken over"
    yield f"import: {counts}"


def _left(left: Iterable[Left]) -> Iterator[str]:
    """What was not taken over, by the reason, each with its place."""
    ordered = sorted(left, key=lambda one: (one.why, one.mark, one.what))
    for number, (why, group) in enumerate(groupby(ordered, key=lambda one: one.why)):
        if not number:
            yield ""
            yield "not taken over:"
        yield f"  {clean(why)}"
        for one in group:
            yield f"    {clean(str(one.mark))}  {clean(one.what)}"


def closing(made: Draft, found: Found, files: str) -> str:
    """What to do next, once it is written. ``files`` are the options that name the files."""
    return "".join(f"{line}\n" for line in _closing(made, found, files))


def _closing(made: Draft, found: Found, files: str) -> Iterator[str]:
    target = clean(str(made.addition.place.target))
    yield f"Written: {counted(len(made.entries), 'item')} in {target}. Nothing was started."
    connections = [item for item in made.entries if item.section == "connections"]
    yield ""
    yield "Next:"
    yield f"- reconcile validate{files}"
    if connections:
        yield f"- reconcile check{files} {' '.join(item.id for item in connections)}"
    if any("egress" not in item.fields for item in connections):
        yield "- Name the addresses that the bot leaves from under `egress`, and that egress in it."
    for hint in found.hints:
        yield f"- {hint}"
    if any(item.section == "strategies" for item in made.entries):
        yield f"- Where a strategy may run, write `enabled: true`; then: reconcile{files} --dry-run"
    if found.plain:
        yield "- Secrets stand in clear in the other project's files, which were not changed: remove what the"
        yield "  bot does not need, and replace what was ever shared or committed:"
        for one in found.plain:
            yield f"    {clean(str(one.mark))}  {clean(one.what)}"
