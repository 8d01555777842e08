"""What is said of the exchanges comes from their readers, on the screen, in JSON and in the docs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from reconciler.cli.root import root
from reconciler.exchanges import docs, registry
from reconciler.resources import schema

PAGES = Path(__file__).parents[2] / "docs" / "exchanges"


def run(*arguments):
    result = CliRunner().invoke(root, ["exchanges", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_every_exchange_is_listed_with_what_it_tells():
    shown = run()
    blocks = dict(re.findall(r"^\S.*\(exchange: (\w+);.*\n((?:    .*\n)+)", shown, re.MULTILINE))
    assert tuple(blocks) == registry.ids()
    assert "tells      read and trade, futures, withdrawal" in blocks["kucoin"]
    assert "withdrawal: yes; unknown beside the reading of transfers" in blocks["mexc"]
    assert "tells not  label, master or sub" in blocks["binance"]
    assert "whitelist: no, only whether there is one" in blocks["binance"]


def test_the_others_are_named_and_counted():
    shown = run()
    assert "cryptocom" in shown.split("ids ")[1]
    own, others, refused = len(registry.ids()), len(registry.others()), len(docs.refused())
    last = f"exchanges: {own} exchanges, {others} others, {refused} that cannot be read"
    assert shown.splitlines()[-1] == last


def test_json_follows_its_schema():
    told = json.loads(run("--output", "json"))
    jsonschema.validate(
        told, json.loads(schema("exchanges.schema.json")), cls=jsonschema.Draft202012Validator
    )
    assert [each["id"] for each in told["exchanges"]] == list(registry.ids())
    assert [each["id"] for each in told["others"]] == list(registry.others())
    assert all(each["tells"]["withdrawal"] == "no" for each in told["others"])
    assert {"id": "hyperliquid", "reason": docs.refused()["hyperliquid"]} in told["refused"]
    assert told["exchanges"][0]["credentials"] == ["api_key", "secret"]


def test_the_page_of_all_exchanges_is_that_of_the_readers():
    written = (PAGES / "README.md").read_text(encoding="utf-8")
    assert written == docs.render(), "python -m reconciler.exchanges.docs > docs/exchanges/README.md"


@pytest.mark.parametrize("name", registry.ids())
def test_every_exchange_with_a_reader_has_a_page(name):
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith("# ")
    for heading in ("## Creating the key", "## What can be read", "## Errors", "## Sources"):
        assert heading in page


def test_the_list_needs_no_ccxt():
    code = (
        "import sys; from reconciler.cli.entry import run; run(['exchanges']);"
        "print(sorted(m for m in sys.modules if m in {'ccxt', 'aiohttp', 'rich', 'sqlalchemy'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
