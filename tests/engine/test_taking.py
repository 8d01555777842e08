"""What ``validate`` says where git states what no runtime takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from reconciler.engine.validate import validate
from reconciler.model.report import Weight

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


def concerns(path, code):
    return [one for one in validate([path]).concerns if one.code == code]


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
