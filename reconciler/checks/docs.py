"""``docs/checks.md``, generated: ``python -m reconciler.checks.docs > docs/checks.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from reconciler.checks.catalogue import (
    BOT_CHECKS,
    CATALOGUE,
    ENTRIES,
    GUARD_CHECKS,
    MARKET_CHECKS,
    RUNTIME_CHECKS,
    STRATEGY_CHECKS,
    TAKING_CHECKS,
    severity_words,
)
from reconciler.checks.check import Entry
from reconciler.model.kinds import KINDS, KindText
from reconciler.model.live import RETRYABLE
from reconciler.model.runtime_kinds import RUNTIME_KINDS

_HEAD = """\
# Checks

Every connection is asked every check, and each answers pass, fail or unknown. A strategy runs only while
every blocking check of its connection passes; an advisory one is only told. A strategy that should run is
also asked what policy sets of the checks that begin with `policy-`: one that fails never starts, is never
changed to such settings, and is disabled where it runs. So it is with those that begin with `bot-`, which
compare what a runtime really runs with the files. `reconcile explain CHECK` prints one of them.

This page is generated from the catalogue (`python -m reconciler.checks.docs`); change it there.
"""


def render() -> str:
    """The whole page as Markdown, with a newline at its end."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield from _table(CATALOGUE.values())
    yield "\nOf each strategy that should run, as far as policy sets them:\n"
    yield from _table(STRATEGY_CHECKS.values())
    yield "\nOf each strategy in the files, on or off, told by `validate`:\n"
    yield from _table(TAKING_CHECKS.values())
    yield (
        "\nOf what each strategy that should run finds on its connection, as far as the exchange tells "
        "(see [exchanges](exchanges/README.md)):\n"
    )
    yield from _table(MARKET_CHECKS.values())
    yield (
        "\nOf the bot behind each strategy that should run, as far as its runtime tells "
        "(see [runtimes](runtimes/README.md)):\n"
    )
    yield from _table(BOT_CHECKS.values())
    yield "\nOf each runtime:\n"
    yield from _table(RUNTIME_CHECKS.values())
    yield "\nOf each run as a whole (see [guards](guards.md)):\n"
    yield from _table(GUARD_CHECKS.values())
    for check in ENTRIES.values():
        yield from _check(check)
    yield "\n## Failure kinds"
    yield (
        "\nWhy a live read did not succeed; connection-test, balance-unreadable and orders-unreadable "
        "name one.\n"
    )
    yield "| kind | title | a retry may help |"
    yield "|---|---|---|"
    for kind, texts in KINDS.items():
        yield f"| [{kind.value}](#{kind.value}) | {texts.title} | {'yes' if kind in RETRYABLE else 'no'} |"
    for kind, texts in KINDS.items():
        yield from _kind(kind.value, texts)
    yield "\n## Failure kinds of runtimes"
    yield (
        "\nWhy a runtime could not be read, or did not obey; runtime-test and the outcomes of actions "
        "name one.\n"
    )
    yield "| kind | title |"
    yield "|---|---|"
    for name, texts in RUNTIME_KINDS.items():
        yield f"| [{name.value}](#{name.value}) | {texts.title} |"
    for name, texts in RUNTIME_KINDS.items():
        yield from _kind(name.value, texts)


def _table(checks: Iterable[Entry]) -> Iterator[str]:
    yield "| check | asks | weight |"
    yield "|---|---|---|"
    for check in checks:
        yield f"| [{check.id}](#{check.id}) | {check.asks} | {severity_words(check)} |"


def _check(check: Entry) -> Iterator[str]:
    yield f"\n## {check.id}"
    yield f"\n**{check.title}** ({severity_words(check)}). {check.asks}"
    yield f"\n{check.explanation}"
    yield f"\n- Usual cause: {check.cause}"
    yield f"- Fix: {check.fix}"


def _kind(name: str, texts: KindText) -> Iterator[str]:
    yield f"\n### {name}"
    yield f"\n**{texts.title}.**"
    yield f"\n- Cause: {texts.cause}"
    yield f"- Fix: {texts.fix}"


if __name__ == "__main__":
    sys.stdout.write(render())
