"""A secret as Hummingbot keeps it: an Ethereum key store in JSON, as hexadecimal text.

``hummingbot/client/config/config_crypt.py`` writes it, by PBKDF2 alone, and ``eth_account.Account.decrypt``
opens it: https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage/. The parts
are here already: the key from ``hashlib``, AES from ``cryptography``, and the one hash that neither has from
ccxt, which brings both. ``eth-account`` would bring thirty packages for the same ten lines.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any, Final

from reconciler.live.light import package
from reconciler.model.secret import Secret

_LIMIT: Final = 64 << 10
#: What a file may ask of this machine: ten times as much as Hummingbot's own.
_ROUNDS: Final = 10_000_000
_KEY: Final = 32
_BLOCK: Final = 16


class NotAKeystore(Exception):
    """The text is no such key store, or asks for more than anybody's does."""


class WrongPassword(Exception):
    """The password does not open it, or it was altered."""


def decrypt(text: str, password: Secret) -> Secret:
    """The secret in ``text``. Raise :class:`NotAKeystore` or :class:`WrongPassword`; neither quotes it."""
    try:
        crypto = json.loads(bytes.fromhex(text[: 2 * _LIMIT]))["crypto"]
        key = _derived(crypto, password)
        sealed, mac = bytes.fromhex(crypto["ciphertext"]), bytes.fromhex(crypto["mac"])
        # Hummingbot writes the counter without its leading zeros.
        counter = bytes.fromhex(crypto["cipherparams"]["iv"].zfill(32))
        if crypto["cipher"] != "aes-128-ctr" or len(counter) != _BLOCK:
            raise NotAKeystore
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        raise NotAKeystore from None
    if not hmac.compare_digest(_keccak(key[16:32] + sealed), mac):
        raise WrongPassword
    return _opened(key, counter, sealed)


def _derived(crypto: dict[str, Any], password: Secret) -> bytes:
    given, salt = crypto["kdfparams"], bytes.fromhex(crypto["kdfparams"]["salt"])
    typed = password.reveal().encode()
    if given["dklen"] != _KEY:
        raise NotAKeystore
    if crypto["kdf"] != "pbkdf2" or given["prf"] != "hmac-sha256" or not 0 < given["c"] <= _ROUNDS:
        raise NotAKeystore
    return hashlib.pbkdf2_hmac("sha256", typed, salt, given["c"], _KEY)


def _keccak(data: bytes) -> bytes:
    """Keccak-256 as it was before it became SHA-3: no library of Python's own has it."""
    package()  # ccxt without its exchanges: only this hash of it is needed
    from ccxt.static_dependencies.keccak import SHA3  # noqa: PLC0415 - when it is sure that it is needed

    return bytes(SHA3(data))


def _opened(key: bytes, counter: bytes, sealed: bytes) -> Secret:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415 - as above

    opener = Cipher(algorithms.AES(key[:16]), modes.CTR(counter)).decryptor()
    try:
        return Secret((opener.update(sealed) + opener.finalize()).decode())
    except ValueError:
        raise NotAKeystore from None
