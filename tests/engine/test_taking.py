"""What ``validate`` says where git states what no runtime takes: advice, in every format."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from reconciler.cli.entry import run
from reconciler.cli.options import FORMATS
from reconciler.engine.validate import validate
from reconciler.model.errors import ExitCode
from reconciler.model.report import Weight

CHECK = "strategy-settings-taken"
FILE = """\
version: 1
connections:
  main: {{name: Main, exchange: mexc, market: spot, credentials: secrets/main.sops.yaml}}
runtimes:
  rt: {runtime}
strategies:
  grid:
    name: Grid
    connection: main
    runtime: rt
    enabled: false
    pairs: [BTC/USDT]
    risk_level: {risk}
    margin_limit: {{amount: "5", currency: USDT}}
    averaging:
      max_additions: 3
      step: "2%"
      multiplier: "1"
    recovery_mode: {{enabled: false}}
    settings:
      {settings}
"""
LEDGER = ("{type: ledger}", "anything: 1")
KUBERNETES = ("{type: kubernetes, namespace: trading}", "workload: deployment/grid")
FREQTRADE = (
    "{type: freqtrade, url: 'http://127.0.0.1:8080', credentials: secrets/ft.sops.yaml}",
    "strategy: Grid",
)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A checkout with one strategy, on a runtime that takes such settings; gives the path of its file."""

    def work(runtime, settings, risk="balanced"):
        (tmp_path / "secrets").mkdir(exist_ok=True)
        for name in ("main", "ft"):
            (tmp_path / "secrets" / f"{name}.sops.yaml").touch()
        (tmp_path / "connections.yaml").write_text(FILE.format(runtime=runtime, settings=settings, risk=risk))
        monkeypatch.chdir(tmp_path)
        return "connections.yaml"

    return work


def concerns(path, code=CHECK):
    return [one for one in validate([path]).concerns if one.code == code]


def test_a_runtime_that_takes_all_is_told_nothing_of(write):
    assert concerns(write(*LEDGER)) == []


def test_a_strategy_that_is_only_scaled_is_told_of_as_a_whole(write):
    (one,) = concerns(write(*KUBERNETES))
    assert (one.weight, one.mark.line) == (Weight.ADVICE, 12)
    assert one.message == (
        "nothing makes the bot of grid keep to pairs (line 12), risk_level (line 13), "
        "margin_limit (line 14), averaging (line 15), recovery_mode (line 19): "
        "a kubernetes runtime does not take that"
    )
    assert "bot's own configuration" in one.fix


def test_what_a_freqtrade_is_compared_with_is_not_told(write):
    (one,) = concerns(write(*FREQTRADE))
    assert one.message == (
        "nothing makes the bot of grid keep to risk_level (line 13), averaging.step (line 17), "
        "averaging.multiplier (line 18), recovery_mode (line 19): a freqtrade runtime does not take that"
    )


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_tells_it_and_it_fails_nothing_by_itself(name, write, capsys):
    path = write(*KUBERNETES)
    before = run(["validate", "-f", write(*LEDGER), "--output", name])
    capsys.readouterr()
    write(*KUBERNETES)
    assert run(["validate", "-f", path, "--output", name]) == before
    out = capsys.readouterr().out
    assert CHECK in out
    assert "recovery" in out


def test_the_document_of_validate_holds_its_place_and_weight(write, capsys):
    run(["validate", "-f", write(*KUBERNETES), "--output", "json"])
    problems = json.loads(capsys.readouterr().out)["problems"]
    (one,) = (problem for problem in problems if problem["code"] == CHECK)
    assert (one["weight"], one["file"], one["line"]) == ("advice", "connections.yaml", 12)


def test_explain_says_what_it_means(capsys):
    assert run(["explain", CHECK]) == ExitCode.DONE
    assert "advisory" in capsys.readouterr().out


def test_each_setting_that_no_runtime_knows_is_an_error_on_its_line(write):
    found = concerns(
        write(FREQTRADE[0], "strategy: Grid\n      stoploss: '-10%'\n      roi: '3%'"), "unknown-setting"
    )
    assert [(one.weight, one.mark.line) for one in found] == [(Weight.FAILS, 22), (Weight.FAILS, 23)]


def test_it_is_told_with_every_other_error_at_once(write):
    path = write(FREQTRADE[0], "stoploss: '-10%'")
    file = Path(path)
    document = yaml.safe_load(file.read_text())
    document["strategies"]["other"] = {**document["strategies"]["grid"], "settings": {}}
    document["strategies"]["broken"] = {"name": "Broken", "risk_level": "wild"}
    document["strategies"]["lost"] = {**document["strategies"]["grid"], "runtime": "gone"}
    file.write_text(json.dumps(document))
    codes = {one.code for one in validate([path]).concerns}
    assert {"unknown-setting", "runtime-runs-one", "dangling-reference", "missing-field"} <= codes


def test_nothing_is_advised_of_files_with_errors(write):
    assert concerns(write(*KUBERNETES, risk="wild")) == []
