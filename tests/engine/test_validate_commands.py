"""What ``validate`` says of runtimes that are programs."""

from __future__ import annotations

import shutil

import yaml

from reconciler.engine.validate import validate
from reconciler.model.report import Weight
from reconciler.resources import folder


def test_a_program_that_the_files_choose_is_told_as_advice_at_its_place(tmp_path):
    path = shutil.copytree(folder("examples"), tmp_path / "examples") / "connections.yaml"
    before = validate([str(path)])
    document = yaml.safe_load(path.read_text())
    document["runtimes"]["mine"] = {"type": "command", "command": ["/usr/local/bin/bots"]}
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    told = validate([str(path)])
    (one,) = (concern for concern in told.concerns if concern.code == "command-from-files")
    assert (one.weight, told.exit_code) == (Weight.ADVICE, before.exit_code)
    assert "mine" in one.message
    assert "--allow-commands" in one.message
    assert "command" in path.read_text().splitlines()[one.mark.line - 1]
