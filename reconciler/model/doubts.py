"""What speaks against a change, by code: the one place for each one's title, cause and fix.

``diff`` finds these between two revisions, from git and ciphertext alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from reconciler.model.errors import ExitCode, Mark
from reconciler.model.report import Concern, Weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One code in plain words: a short ``title``, its ``cause`` and its ``fix``, a sentence each.

    ``weight`` is its usual one; ``otherwise`` says when it is the other, empty where it never is.
    """

    code: str
    title: str
    cause: str
    fix: str
    weight: Weight = Weight.FAILS
    otherwise: str = ""

    def concern(
        self, message: str, mark: Mark | None, *, commit: str | None = None, weight: Weight | None = None
    ) -> Concern:
        """This doubt about one place; ``message`` says what was seen there, without any secret."""
        return Concern(
            code=self.code,
            message=message,
            fix=self.fix,
            mark=mark,
            weight=weight or self.weight,
            exit_code=ExitCode.SECRETS,
            commit=commit,
        )


STILL_READS: Final = Doubt(
    code="recipient-still-reads",
    title="A removed recipient can still read",
    cause=(
        "Recipients were changed with `sops updatekeys`, which keeps the data key: whoever kept an old "
        "copy of the file opens the new one with it."
    ),
    fix="Run `sops rotate --in-place` on the file, and replace the API key at the exchange.",
)
REMOVED: Final = Doubt(
    code="recipient-removed",
    title="A recipient was removed",
    cause="What a file held until now, its removed recipient could read, and may have kept.",
    fix="Replace the API key at the exchange, unless this change did so.",
    weight=Weight.ADVICE,
)
UNKNOWN: Final = Doubt(
    code="recipient-unknown",
    title="Nobody vouches for a recipient",
    cause=(
        "The file can be opened by a key that neither policy, nor the .sops.yaml above it, nor the base"
        " names."
    ),
    fix=(
        "Name it under `policy.recipients` or in .sops.yaml once somebody vouches for it, or remove it "
        "with `sops updatekeys` and `sops rotate`."
    ),
    otherwise="only told while nothing names any recipient yet",
)
RECIPIENTS_EDITED: Final = Doubt(
    code="recipients-edited",
    title="Recipients were edited by hand",
    cause=(
        "sops writes all entries of recipients anew, or none, and each name once; these are mixed or "
        "doubled. A name in an entry proves nothing: the entry may open the file for somebody else."
    ),
    fix="Name each recipient once in .sops.yaml, then run `sops updatekeys` and `sops rotate`.",
)
EDITED: Final = Doubt(
    code="edited-outside-sops",
    title="Values were edited outside sops",
    cause=(
        "Values differ and the MAC over them does not, so sops did not write both: somebody edited or "
        "merged the file by hand. sops will refuse to open it."
    ),
    fix="Restore the file from git, then change it only with `sops edit` or `sops set`.",
)
COPIED: Final = Doubt(
    code="ciphertext-copied",
    title="A ciphertext was copied",
    cause=(
        "sops binds a ciphertext to its field and to its file's data key. Elsewhere it is refused, or "
        "two connections share one secret."
    ),
    fix=("Restore the file from git, then write the value with `sops edit`; one key for one connection."),
)
PLAINTEXT: Final = Doubt(
    code="plaintext-secret",
    title="A secret stands in clear",
    cause=(
        "A value that looks like a key or a secret stands where everybody who can read the repository "
        "reads it."
    ),
    fix=(
        "Delete the key at the exchange and create a new one: whoever can read the repository has it. If"
        " it is none, write `not-a-secret` in a comment on its line."
    ),
)
IN_HISTORY: Final = Doubt(
    code="plaintext-in-history",
    title="A secret stood in clear",
    cause=(
        "A commit of the range brought it and a later one took it away; git keeps both, and so does "
        "every clone."
    ),
    fix=("Delete the key at the exchange and create a new one, also if the branch is squashed or rewritten."),
)
RECODED: Final = Doubt(
    code="checkout-recoded",
    title="A checkout holds other text than was reviewed",
    cause=(
        "`working-tree-encoding` in .gitattributes has git write files anew at every checkout: letters may "
        "become quotes or line breaks there, and a name a setting."
    ),
    fix="Take `working-tree-encoding` out of .gitattributes; configuration and secrets are UTF-8.",
)
COLLIDE: Final = Doubt(
    code="paths-collide",
    title="Two paths are one file elsewhere",
    cause=(
        "Paths that differ in the case of letters, or in how an accent is written, are one file on macOS and "
        "Windows: a checkout there holds either of the two."
    ),
    fix="Rename one of the two.",
)
NOT_SEARCHED: Final = Doubt(
    code="not-searched",
    title="A file was not searched",
    cause=(
        "A file is too large to be searched for secrets in clear, stands behind too much else in the change, "
        "or is not in this partial clone."
    ),
    fix="Look at it yourself; fetch a partial clone whole (git fetch --refetch).",
    weight=Weight.ADVICE,
)
HISTORY_CUT: Final = Doubt(
    code="history-cut",
    title="Not all commits were looked at",
    cause=(
        "The clone is shallow, or the range has more commits than are looked at, so what older ones "
        "brought and took away is not known."
    ),
    fix="Fetch the whole history (fetch-depth: 0), so that secrets in older commits are found.",
    weight=Weight.ADVICE,
    otherwise="it fails where a recipient was removed",
)
BASE_UNSOUND: Final = Doubt(
    code="base-unsound",
    title="The base has errors of its own",
    cause="What cannot be read in the base cannot be compared, and shows as new.",
    fix="Nothing, if this change mends them; else look at the base with `reconcile validate`.",
    weight=Weight.ADVICE,
)

_ALL = (
    STILL_READS,
    REMOVED,
    UNKNOWN,
    RECIPIENTS_EDITED,
    EDITED,
    COPIED,
    PLAINTEXT,
    IN_HISTORY,
    RECODED,
    COLLIDE,
    NOT_SEARCHED,
    HISTORY_CUT,
    BASE_UNSOUND,
)

#: Every doubt by its code.
DOUBTS: Final[Mapping[str, Doubt]] = MappingProxyType({doubt.code: doubt for doubt in _ALL})
