"""A folder to import from, and configurations in the format that freqtrade documents."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # what the tests of this room share

#: Planted: none of these may be seen anywhere but in the decrypted file.
KEY, SECRET, PASSWORD = "plantedFtKey0canary42", "9d8c7b6a-planted-ft-secret", "planted-Login-canary"


@pytest.fixture
def bot() -> dict[str, Any]:
    """What https://www.freqtrade.io/en/stable/configuration/ documents, as far as an import looks at it."""
    return {
        "$schema": "https://schema.freqtrade.io/schema.json",
        "max_open_trades": 3,
        "stake_currency": "USDT",
        "stake_amount": 0.05,
        "tradable_balance_ratio": 0.99,
        "dry_run": False,
        "trading_mode": "spot",
        "margin_mode": "",
        "timeframe": "5m",
        "strategy": "SampleStrategy",
        "bot_name": "Grid Pilot",
        "initial_state": "stopped",
        "pairlists": [{"method": "StaticPairList"}],
        "exchange": {
            "name": "binance",
            "key": KEY,
            "secret": SECRET,
            "ccxt_config": {},
            "pair_whitelist": ["BTC/USDT", "ETH/USDT"],
            "pair_blacklist": [],
        },
        "api_server": {
            "enabled": True,
            "listen_ip_address": "127.0.0.1",
            "listen_port": 8089,
            "username": "reconciler",
            "password": PASSWORD,
        },
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Writes a configuration, and gives its path."""

    def writing(document: dict[str, Any], name: str = "config.json") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=4))
        return str(path)

    return writing
