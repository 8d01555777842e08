"""The exchanges' own steps at a terminal: every page, readable, without what the command does itself."""

from __future__ import annotations

import re

import pytest

from reconciler.engine.connect import Answers
from reconciler.engine.connect_guide import SECTION, guide
from reconciler.exchanges import registry
from reconciler.model.desired import Market
from reconciler.output.guide import paragraphs, plain, renumbered, wrapped
from reconciler.resources import folder

PAGES = sorted(path.stem for path in (folder("docs") / "exchanges").glob("[a-z]*.md"))

PAGE = """\
# X

## Before

1. No.

## Creating the key

1. Open **API *keys*** (<https://x.test/a_b>) and
   choose `Create`.
   - *Read*: always
     and [more](https://x.test/doc) or [here](here.md).

   ```yaml
   # no heading
   secret: x
   ```

   Indented words
   go on.
2. Done, 2 * 3 * 4.

Afterwards.

## After

1. No.
"""


def test_a_section_becomes_lines():
    found = paragraphs(PAGE, SECTION)
    assert wrapped(found, width=40) == (
        "1. Open API keys (https://x.test/a_b)\n"
        "   and choose Create.\n"
        "   - Read: always and more\n"
        "     (https://x.test/doc) or here.\n"
        "   Indented words go on.\n"
        "2. Done, 2 * 3 * 4.\n"
        "Afterwards.\n"
    )
    assert paragraphs(PAGE, "Nothing") == ()


def test_numbers_close_up_after_what_was_left_out():
    assert list(renumbered(["1. a", "   1. inner", "3. b", "- c", "7. d"])) == [
        "1. a",
        "   1. inner",
        "2. b",
        "- c",
        "3. d",
    ]


@pytest.mark.parametrize("exchange", sorted({*PAGES, *registry.ids()}))
@pytest.mark.parametrize("market", Market)
def test_every_exchange_has_steps_and_the_rules(exchange, market):
    answers = Answers(exchange=exchange, market=market, id="my-key", name="My Key")
    shown = guide(answers, ["203.0.113.10", "203.0.113.11"], width=80)
    assert registry.get(exchange).name in shown.splitlines()[0]
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", shown, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 3
    for rule in ("Withdrawals never", "203.0.113.10, 203.0.113.11", "Two-factor", "my-key"):
        assert rule in shown
    assert ("no futures" in shown) is (market is not Market.FUTURES)
    assert not re.search(r"\*\*|`|\]\(|with sops|reconcile check", shown)
    assert all(len(line) <= 80 or "https://" in line for line in shown.splitlines())


def test_an_exchange_without_a_page_gets_the_usual_steps():
    answers = Answers(exchange="bitstamp", market=Market.SPOT, id="my-key", name="My Key")
    shown = guide(answers, [], width=80)
    assert "1. Log in" in shown
    assert "the addresses that the bot's calls leave from" in shown


def test_marks_that_are_none_stay():
    assert plain("2*3*4 and a * b * c") == "2*3*4 and a * b * c"
