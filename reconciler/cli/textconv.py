"""``reconcile textconv``: SOPS files in ``git diff``, short and without any key."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from reconciler.model.errors import UsageError
from reconciler.secrets.textconv import shortened


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def command(file: Path) -> None:
    """Print FILE with every value that sops encrypted made short, for `git diff`.

    Each becomes its type, its length and a hash of the ciphertext: equal hashes, equal values. Uses no
    key, starts no sops, and prints all else as it stands, whatever it is.

    Git runs it after `git config diff.sops.textconv 'reconcile textconv'` on the files that
    .gitattributes names: `*.sops.yaml diff=sops`.
    """
    try:
        stream = file.open("rb")
    except OSError as error:
        reason = error.strerror or "the file system refused"
        raise UsageError(f"cannot read {file}: {reason}", hint="git hands over a file itself") from None
    with stream:
        if sys.stdout is not None:
            # Bytes, not text: an old revision may be in any encoding, with any line ends.
            sys.stdout.buffer.writelines(shortened(stream))
            sys.stdout.buffer.flush()
