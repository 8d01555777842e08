"""What the pages say that each type takes is what the registry says."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.taking import Parameter, Taking
from reconciler.runtimes.registry import TYPES

PAGES = Path(__file__).parents[2] / "docs" / "runtimes"
NOT_TAKEN = "not taken"


def word(type_, parameter):
    return TYPES[type_].takes.get(parameter, NOT_TAKEN)


def table():
    """Parameter by type, as docs/runtimes/README.md holds it."""
    yield "| | " + " | ".join(f"[{name}]({name}.md)" for name in TYPES) + " |"
    yield "|---|" + "---|" * len(TYPES)
    for parameter in Parameter:
        cells = (
            f"**{NOT_TAKEN}**" if word(name, parameter) == NOT_TAKEN else word(name, parameter)
            for name in TYPES
        )
        yield f"| `{parameter}` | {' | '.join(cells)} |"
    yield f"| `settings` | {' | '.join(map(settings, TYPES))} |"


def settings(type_):
    known = TYPES[type_].settings
    return "any" if known is None else ", ".join(f"`{name}`" for name in sorted(known)) or "none"


def row(type_):
    """One row of the type's own page: ``| parameters | given: all |``."""
    parts = []
    for how in (*Taking, NOT_TAKEN):
        held = [f"`{one}`" for one in Parameter if word(type_, one) == how]
        if held:
            parts.append(f"{how}: {'all' if len(held) == len(Parameter) else ', '.join(held)}")
    return f"| parameters | {'; '.join(parts)} |"


def test_the_table_of_all_types_is_what_the_registry_says():
    expected = "\n".join(table())
    assert expected in (PAGES / "README.md").read_text(), f"docs/runtimes/README.md needs:\n{expected}"


@pytest.mark.parametrize("type_", TYPES)
def test_the_page_of_each_type_says_it_too(type_):
    lines = (PAGES / f"{type_}.md").read_text().splitlines()
    assert row(type_) in lines, f"docs/runtimes/{type_}.md needs:\n{row(type_)}"
