"""The formats by name, and when a screen is styled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.output import formats, terminal, text
from reconciler.output.formats import json
from reconciler.output.options import Options
from reconciler.output.registry import FORMATS, colour_wanted, render


def test_the_formats_in_the_order_of_the_help():
    assert list(FORMATS) == ["text", "json", "markdown", "github", "gitlab", "sarif", "junit", "rdjson"]


def test_each_format_is_one_file_and_each_file_a_format():
    folder = Path(formats.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(FORMATS)


def test_no_run_imports_a_format_that_it_does_not_write():
    program = (
        "import sys, reconciler.output.registry as r; r.FORMATS['text'].load(); "
        "print([m for m in sys.modules if m.startswith('reconciler.output.formats.')],"
        " 'xml.etree.ElementTree' in sys.modules, 'hashlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['reconciler.output.formats.text'] False False\n"


def test_each_name_renders_its_format(dry_run):
    assert render(dry_run, "text") == text.render(dry_run)
    assert render(dry_run, "text", Options(colour=True, width=72)) == terminal.render(dry_run, width=72)
    assert render(dry_run, "text", Options(verbose=True)) == text.render(dry_run, verbose=True)
    assert render(dry_run, "json", Options(verbose=True, colour=True, width=40)) == json.render(dry_run)


def test_an_unknown_format_is_an_error(dry_run):
    with pytest.raises(KeyError, match="yaml"):
        render(dry_run, "yaml")


@pytest.mark.parametrize(
    ("environment", "isatty", "no_color", "wanted"),
    [
        ({}, True, False, True),
        ({}, False, False, False),
        ({}, True, True, False),
        ({"NO_COLOR": "1"}, True, False, False),
        ({"NO_COLOR": ""}, True, False, True),
        ({"TERM": "dumb"}, True, False, False),
        ({"FORCE_COLOR": "1"}, False, False, True),
        ({"FORCE_COLOR": "0"}, False, False, False),
        ({"FORCE_COLOR": "0"}, True, False, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False, False),
        ({"FORCE_COLOR": "1"}, True, True, False),
    ],
)
def test_when_a_screen_is_styled(environment, isatty, no_color, wanted):
    assert colour_wanted(environment, isatty=isatty, no_color=no_color) is wanted


def test_rich_is_imported_by_a_styled_screen_alone():
    program = (
        "import sys, reconciler.output.registry, reconciler.output.formats.text; print('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
