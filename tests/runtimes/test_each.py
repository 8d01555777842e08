"""Stopping several things that are one strategy: none waits for another to succeed."""

from __future__ import annotations

import pytest

from reconciler.model.errors import RuntimeFailed
from reconciler.model.runtime_kinds import RuntimeFailureKind as Kind
from reconciler.runtimes.each import each


@pytest.mark.parametrize(
    ("acts", "raised"),
    [
        ([None, None], None),
        ([True], True),
        ([True, True], True),
        ([True, None], False),
        ([None, True], False),
        ([True, False], False),
        ([False, True, None], False),
    ],
)
async def test_all_are_tried_and_untouched_is_only_what_all_of_them_left(acts, raised):
    """``acts``: whether each that fails says that it did nothing, ``None`` for one that does not fail."""
    tried = []

    async def act(number, untouched):
        tried.append(number)
        if untouched is not None:
            raise RuntimeFailed(
                f"{number} failed", kind=Kind.REFUSED, untouched=untouched, hint="look", status=403
            )

    doing = each(act(number, untouched) for number, untouched in enumerate(acts))
    if raised is None:
        await doing
    else:
        with pytest.raises(RuntimeFailed) as caught:
            await doing
        first = next(number for number, one in enumerate(acts) if one is not None)
        assert (caught.value.message, caught.value.untouched) == (f"{first} failed", raised)
        assert (caught.value.kind, caught.value.hint, caught.value.status) == (Kind.REFUSED, "look", 403)
    assert tried == list(range(len(acts)))


async def test_what_no_runtime_says_ends_it_at_once():
    async def act():
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await each(iter([act()]))
