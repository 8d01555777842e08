"""What a type of runtime does with the parameters that a strategy states."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeAlias


class Parameter(StrEnum):
    """What a strategy can state beside ``settings``, by its name in the files.

    ``averaging`` is three: a runtime may keep to the number of additions and know nothing of their size.
    """

    PAIRS = "pairs"
    RISK_LEVEL = "risk_level"
    MARGIN_LIMIT = "margin_limit"
    MAX_ADDITIONS = "averaging.max_additions"
    STEP = "averaging.step"
    MULTIPLIER = "averaging.multiplier"
    RECOVERY_MODE = "recovery_mode"

    @property
    def field(self) -> str:
        """The field of the strategy that holds it: ``averaging`` of ``averaging.step``."""
        return self.value.partition(".")[0]


class Taking(StrEnum):
    """Why a bot keeps to a parameter. One that is neither is written in git, and nobody enforces it.

    ``GIVEN``: the driver hands it to the runtime, whose it is to keep. ``COMPARED``: the runtime tells its
    own, and a check of the bot judges that.
    """

    GIVEN = "given"
    COMPARED = "compared"


Takes: TypeAlias = Mapping[Parameter, Taking]
"""What becomes of each parameter; of one that is left out, nothing."""

NOTHING: Final[Takes] = MappingProxyType({})
EVERYTHING: Final[Takes] = MappingProxyType(dict.fromkeys(Parameter, Taking.GIVEN))
"""For drivers that hand over all parameters as they are."""


def stated(parameters: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """Those that are written in a strategy's ``parameters``."""
    return tuple(one for one in Parameter if one.field in parameters)
