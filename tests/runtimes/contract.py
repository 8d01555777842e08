"""What the two runtimes of the contract share in their tests: its schemas, and what they are asked for."""

from __future__ import annotations

import importlib.util
import json

import jsonschema_rs

from reconciler.resources import folder, schema

REQUESTS = json.loads(schema("runtime-request.schema.json"))
ANSWERS = json.loads(schema("runtime-answer.schema.json"))
PARAMETERS = {"pairs": ["BTC/USDT"], "settings": {"free": [1, None, {"x": "é"}]}}

a_request = jsonschema_rs.Draft202012Validator(REQUESTS)
an_answer = jsonschema_rs.Draft202012Validator(ANSWERS)

#: What does not fit, whatever was asked.
UNFIT = [
    None,
    [],
    ["nothing", 1],
    "done",
    {},
    {"done": False},
    {"done": 1},
    {"done": True, "strategies": {}},
    {"refused": "because"},
    {"error": "x"},
    {"strategies": []},
    {"strategies": {"btc": {}}},
    {"strategies": {"btc": {"enabled": "yes"}}},
    {"strategies": {"btc": {"enabled": 1}}},
    {"strategies": {"BTC ETH": {"enabled": True}}},
    {"strategies": {"btc\n": {"enabled": True}}},
    {"strategies": {"btc": {"enabled": True, "conection": "main"}}},
    {"strategies": {"btc": {"enabled": True, "connection": "\x1b[2J"}}},
    {"strategies": {"btc": {"enabled": True, "parameters": []}}},
    {"strategies": {"btc": {"enabled": False, "paused": None}}},
    {"strategies": {"btc": {"enabled": False, "open_positions": "BTC/USDT"}}},
    {"strategies": {"btc": {"enabled": False, "open_positions": ["\x1b[2J"]}}},
    {"strategies": {"btc": {"enabled": False, "open_positions": [""]}}},
]


def example(*path):
    """A module of ``examples/runtimes``, as it ships."""
    file = folder("examples").joinpath("runtimes", *path)
    found = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
