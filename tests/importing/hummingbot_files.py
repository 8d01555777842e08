"""Folders as Hummingbot's client and hummingbot-api write them, with keys that open quickly.

The key store is that of https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage/
as ``hummingbot/client/config/config_crypt.py`` writes it, but with few rounds.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import yaml
from ccxt.static_dependencies.keccak import SHA3
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

PASSWORD = "canary-Hb-Pass7"
VALUES = {
    "api_key": "plantedHbKey0canary42",
    "secret": "9d8c7b6a-planted-hb-secret",
    "passphrase": "plantedHbPhrase7",
}


def keystore(
    value: str, password: str = PASSWORD, *, iv: int = 0xE426EA5502C9F1A501AADAEC5D228ED7, **kdf
) -> str:
    """``value`` as it stands in a file of Hummingbot's."""
    salt = b"a salt of 16 byt"
    params = {"c": 10, "dklen": 32, "prf": "hmac-sha256", "salt": salt.hex(), **kdf}
    derived = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, 10, 32)
    sealed = (
        Cipher(algorithms.AES(derived[:16]), modes.CTR(iv.to_bytes(16, "big")))
        .encryptor()
        .update(value.encode())
    )
    document = {
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": iv.to_bytes((iv.bit_length() + 7) // 8 or 1, "big").hex()},
            "ciphertext": sealed.hex(),
            "kdf": "pbkdf2",
            "kdfparams": params,
            "mac": bytes(SHA3(derived[16:32] + sealed)).hex(),
        },
        "version": 3,
        "alias": "",
    }
    return json.dumps(document).encode().hex()


class Client:
    """A folder of the client; ``conf`` is where all of it lies."""

    def __init__(self, root: Path, conf: str = "conf", keys: str = "conf") -> None:
        self.root, self.conf, self.keys = root, root / conf, root / keys
        (self.keys / "connectors").mkdir(parents=True)

    def connector(
        self, name: str, prefix: str, secret: str = "api_secret", *, passphrase: bool = False
    ) -> None:
        fields = {f"{prefix}_api_key": VALUES["api_key"], f"{prefix}_{secret}": VALUES["secret"]}
        if passphrase:
            fields[f"{prefix}_passphrase"] = VALUES["passphrase"]
        # The head, and blank lines between fields, as ClientConfigAdapter writes them.
        lines = [f"connector: {name}", *(f"{key}: {keystore(value)}" for key, value in fields.items())]
        self.write(
            "connectors", f"{name}.yml", "####\n###   config   ###\n####\n\n" + "\n\n".join(lines) + "\n"
        )

    def verified(self) -> None:
        (self.keys / ".password_verification").write_text(keystore("HummingBot"))

    def write(self, kind: str, name: str, document: str | dict) -> Path:
        folder = self.keys if kind == "connectors" else self.conf
        path = folder / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False))
        return path


#: ``controllers/market_making/pmm_simple.py``'s, as the client writes it.
PMM = {
    "id": "4Fy5sQ",
    "controller_name": "pmm_simple",
    "controller_type": "market_making",
    "total_amount_quote": 100.5,
    "manual_kill_switch": False,
    "candles_config": [],
    "connector_name": "binance_perpetual",
    "trading_pair": "WLD-USDT",
    "buy_spreads": [0.01, 0.02],
    "leverage": 20,
}
#: ``hummingbot/strategy/avellaneda_market_making``'s.
AVELLANEDA = {
    "strategy": "avellaneda_market_making",
    "exchange": "kucoin",
    "market": "BTC-USDT",
    "execution_timeframe_mode": {"start_time": "09:30:00"},
    "order_amount": 0.1,
}
