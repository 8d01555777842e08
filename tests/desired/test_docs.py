"""The page on the configuration is what the schema says."""

from __future__ import annotations

import json
from pathlib import Path

from reconciler.desired.docs import render
from reconciler.resources import schema

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_generated_from_the_schema():
    assert PAGE.read_text(encoding="utf-8") == render(), "run: make docs"


def test_every_field_of_the_schema_stands_on_it():
    def fields(rule):
        if isinstance(rule, dict):
            yield from rule.get("properties", {})
            for value in rule.values():
                yield from fields(value)

    page = render()
    missing = {
        name for name in fields(json.loads(schema("connections.schema.json"))) if f"`{name}`" not in page
    }
    assert missing == set()
