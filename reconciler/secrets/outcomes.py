"""What an exit of sops means, in our own words.

sops' own words can quote plaintext (``Input string <PLAINTEXT> does not match``), the command
line of a key command, or a hash that helps to guess a secret. They decide which sentence is
shown and are never part of it. Codes: github.com/getsops/sops, ``cmd/sops/codes/codes.go``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from reconciler.child import Cut, Ended
from reconciler.model.errors import (
    IntegrityFailed,
    KeyUnavailable,
    Mark,
    NotASecretFile,
    PlaintextSecret,
    SecretsError,
    SopsFailed,
    SopsHung,
)

_GENERIC: Final = 1
_NO_KEY: Final = 128


@dataclass(frozen=True, slots=True)
class _Meaning:
    """One way in which sops fails: the words that tell it apart, and what we say."""

    words: tuple[str, ...]
    error: type[SecretsError]
    message: str
    hint: str


_LOCATIONS: Final = "SOPS_AGE_KEY, SOPS_AGE_KEY_FILE, SOPS_AGE_KEY_CMD or ~/.config/sops/age/keys.txt"
_RESTORE: Final = "restore the file from git, then change it only with `sops edit` or `sops set`"
_DAMAGED: Final = "restore the file from git, or encrypt it anew with `sops encrypt`"

#: Exit 128, the most telling first: sops tries several places and reports on each.
_NO_KEY_MEANINGS: Final = (
    _Meaning(
        ("invalid armor", "failed to read header", "parsing age header", "unexpected intro"),
        NotASecretFile,
        "the file's own key block is damaged",
        _DAMAGED,
    ),
    _Meaning(
        ("shamir threshold",),
        KeyUnavailable,
        "the file needs the keys of several groups together, and too few are available",
        "make the missing keys available, or lower the Shamir threshold of the file",
    ),
    _Meaning(
        ("failed to execute command",),
        KeyUnavailable,
        "the key command (SOPS_AGE_KEY_CMD or SOPS_AGE_SSH_PRIVATE_KEY_CMD) failed",
        "run the command by hand: it must print a private key and exit 0",
    ),
    _Meaning(
        ("malformed secret key", "unknown identity type", "no secret keys found"),
        KeyUnavailable,
        "the private age key is malformed",
        f"put a whole AGE-SECRET-KEY-… line into {_LOCATIONS}",
    ),
    _Meaning(
        ("failed to open sops_age_key_file", "failed to open file"),
        KeyUnavailable,
        "the private key file cannot be opened",
        "check SOPS_AGE_KEY_FILE and that this user may read the file",
    ),
    _Meaning(
        ("could not read passphrase", "passphrase"),
        KeyUnavailable,
        "the private key is protected by a passphrase, and sops is never let ask for one",
        "use an agent, or a key without a passphrase kept in a secret store",
    ),
    _Meaning(
        ("did not match any of the recipients", "incorrect identity"),
        KeyUnavailable,
        "the private key here is not one of the file's recipients",
        "use the right key, or ask a holder to add yours with `sops updatekeys`",
    ),
    _Meaning(
        ("did not find keys in locations",),
        KeyUnavailable,
        "no private key was found",
        f"provide one in {_LOCATIONS}",
    ),
    _Meaning(
        ("gpg", "no secret key", "pgp"),
        KeyUnavailable,
        "no PGP secret key here opens the file",
        "import the key, and check that gpg is installed and its agent answers",
    ),
)

#: Exit 1: sops has no code of its own for a file that it cannot take.
_GENERIC_MEANINGS: Final = (
    _Meaning(
        ("sops metadata not found",),
        NotASecretFile,
        "the file is not encrypted with sops",
        "encrypt it with `sops encrypt --in-place FILE`; replace any key that was ever committed",
    ),
    _Meaning(
        ("no keys found in file",),
        NotASecretFile,
        "the file names no recipient, so nobody can open it",
        _DAMAGED,
    ),
    _Meaning(
        ("error unmarshalling", "cannot parse", "major.minor.patch", "version string empty"),
        NotASecretFile,
        "the file's `sops` block is damaged",
        _DAMAGED,
    ),
)

_TAMPERED: Final = _Meaning(
    (),
    PlaintextSecret,
    "a value stands in clear where ciphertext must stand, or its ciphertext was altered",
    "if a real key was written in clear, delete it at the exchange; then set the value with `sops edit`",
)
_ALTERED: Final = _Meaning(
    (), IntegrityFailed, "the file was changed without sops: its MAC does not hold", _RESTORE
)
_NO_KEY_OTHERWISE: Final = _Meaning(
    (),
    KeyUnavailable,
    "none of the file's key holders could be used here: no key, or the key service does not answer",
    "run `reconcile doctor`, then `sops decrypt FILE` on this machine to see which holder fails",
)
_CRASHED: Final = _Meaning(
    (), SopsFailed, "sops crashed", "update sops; `reconcile doctor` shows the version in use"
)
_BY_CODE: Final = {25: _TAMPERED, 51: _ALTERED, 52: _ALTERED}
_CUT: Final = {
    Cut.TIME: _Meaning(
        (),
        SopsHung,
        "sops did not finish in time and was ended",
        "a key command, an agent or a key service hangs: try `sops decrypt FILE` on this machine",
    ),
    Cut.OUTPUT: _Meaning((), SopsFailed, "sops gave more output than a secret file can hold", _DAMAGED),
    Cut.CANCELLED: _Meaning((), SopsFailed, "decryption was interrupted", "run the command again"),
}


def failure(ended: Ended, *, file: str) -> SecretsError:
    """The error for a sops that did not succeed; it holds nothing of what sops printed."""
    meaning = _meaning(ended)
    mark = Mark(file=file, line=1) if file else None
    return meaning.error(meaning.message, hint=meaning.hint, mark=mark)


def not_understood(*, file: str) -> SopsFailed:
    """The error for a sops that claims success without giving a JSON document."""
    return SopsFailed(
        "sops succeeded but gave no JSON document",
        hint="check that RECONCILER_SOPS or PATH leads to sops itself: `reconcile doctor` tells",
        mark=Mark(file=file, line=1) if file else None,
    )


def _meaning(ended: Ended) -> _Meaning:
    if ended.cut:
        return _CUT[ended.cut]
    said = _unwrapped(ended.stderr)
    if ended.code < 0 or ("panic:" in said and "goroutine" in said):
        return _CRASHED
    if ended.code == _NO_KEY:
        return _first(_NO_KEY_MEANINGS, said) or _NO_KEY_OTHERWISE
    if ended.code == _GENERIC and (found := _first(_GENERIC_MEANINGS, said)):
        return found
    return _BY_CODE.get(ended.code) or _unknown(ended.code)


def _unknown(code: int) -> _Meaning:
    return _Meaning(
        (),
        SopsFailed,
        f"sops failed with exit code {code}",
        "run `sops decrypt FILE` on this machine to see why; its output can hold plaintext",
    )


def _first(meanings: tuple[_Meaning, ...], said: str) -> _Meaning | None:
    return next((item for item in meanings if any(word in said for word in item.words)), None)


def _unwrapped(stderr: bytes) -> str:
    """The text of sops in one line of lower case: it wraps at 70 columns inside a ``|`` gutter."""
    text = stderr.decode("utf-8", "replace").lower()
    return re.sub(r"[\s|]+", " ", text)
