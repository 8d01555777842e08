"""What ``--out``, ``--output-file`` and ``--plan`` do to the files, links and devices they are given."""

from __future__ import annotations

import os
import threading

import pytest

from reconciler.cli.entry import run
from reconciler.cli.screen import Screen, write, write_file
from reconciler.model.errors import UsageError


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path):
    target = tmp_path / "report.json"
    target.write_text("old and longer")
    write_file(target, "new")
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_link_stays_a_link_and_its_target_gets_the_text(tmp_path):
    target, link = tmp_path / "real.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    write_file(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    write_file(pipe, "new")
    reader.join(timeout=120)
    assert got == ["new"]
    assert pipe.is_fifo()


def test_a_folder_is_refused_and_stays(tmp_path):
    with pytest.raises(UsageError, match="cannot write"):
        write_file(tmp_path, "new")
    assert tmp_path.is_dir()


def test_an_endless_plan_is_refused(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["--plan", "/dev/zero"]) == 3
    assert "too large to be a plan" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["nan", "inf", "0", "-1", "soon"])
def test_a_time_limit_is_a_time(capsys, seconds):
    assert run(["--dry-run", "--timeout", seconds]) == 3
    assert "timeout" in capsys.readouterr().err


def test_a_closed_standard_output_stops_nothing(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    write("lost\n")
    Screen(output="text")
