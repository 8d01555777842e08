"""The progress line: there while work lasts, gone afterwards, silent where nobody watches."""

from __future__ import annotations

import io

import pytest

from reconciler.output.progress import ProgressLine


def screen(written: str) -> str:
    """What a terminal shows of ``written``: a carriage return goes back, text overwrites."""
    cells: list[str] = []
    column = 0
    for character in written:
        if character == "\r":
            column = 0
            continue
        cells[column : column + 1] = [character]
        column += 1
    return "".join(cells).rstrip()


def test_it_is_rewritten_in_place():
    stream = io.StringIO()
    line = ProgressLine(stream, isatty=True, environment={})
    line.show(9, 40)
    line.show(12, 40)
    assert screen(stream.getvalue()) == "checking 12/40 connections…"
    line.show(3, 4, "keys")
    assert screen(stream.getvalue()) == "checking 3/4 keys…"


def test_it_leaves_nothing_behind_even_when_work_fails():
    def work(stream: io.StringIO) -> None:
        with ProgressLine(stream, isatty=True, environment={"CI": "false"}) as line:
            line.show(12, 40)
            raise RuntimeError

    stream = io.StringIO()
    with pytest.raises(RuntimeError):
        work(stream)
    assert screen(stream.getvalue()) == ""
    assert stream.getvalue().endswith("\r")


def test_text_that_follows_starts_at_the_margin():
    stream = io.StringIO()
    with ProgressLine(stream, isatty=True, environment={}) as line:
        line.show(1, 2)
    stream.write("done")
    assert screen(stream.getvalue()) == "done"


def test_the_same_line_is_written_once():
    stream = io.StringIO()
    line = ProgressLine(stream, isatty=True, environment={})
    line.show(1, 2)
    before = stream.getvalue()
    line.show(1, 2)
    assert stream.getvalue() == before


@pytest.mark.parametrize(
    ("isatty", "environment"),
    [(False, {}), (True, {"CI": "true"}), (True, {"CI": "1"}), (True, {"TERM": "dumb"})],
)
def test_it_is_silent_where_nobody_watches(isatty, environment):
    stream = io.StringIO()
    with ProgressLine(stream, isatty=isatty, environment=environment) as line:
        line.show(1, 2)
    assert stream.getvalue() == ""


def test_a_stream_without_the_ellipsis_gets_dots():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    ProgressLine(stream, isatty=True, environment={}).show(1, 2)
    assert raw.getvalue() == b"\rchecking 1/2 connections..."
