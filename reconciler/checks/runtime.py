"""What a run tells of each runtime as a whole: whether it could be read."""

from __future__ import annotations

from typing import Final

from reconciler.checks.check import Entry

TEST: Final = Entry(
    id="runtime-test",
    title="Runtime answers",
    asks="Does the runtime answer, with its credentials, as one of its type?",
    cause="The runtime could not be read.",
    fix="Start it, or mend its url and its credentials; then run again.",
    explanation=(
        "While a runtime cannot be read nobody knows what runs there: nothing is started in it, and what "
        "has to stop waits until it can be told. The finding names one of the failure kinds that begin "
        "with `runtime_`."
    ),
    waivable=False,
)
