"""What a loop goes by: the newest files that can be used, from the disk or a repository, and their commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from reconciler.engine.asked import Asked
from reconciler.engine.changes import Changes
from reconciler.engine.checkout import Checkout
from reconciler.engine.configuration import Configuration
from reconciler.engine.memory import Memory
from reconciler.engine.settings import Settings
from reconciler.engine.source import Begun, Revision
from reconciler.engine.voice import Voice
from reconciler.model.desired import Desired
from reconciler.model.errors import ConfigError, NotFastForward, NotSigned, ReconcilerError, TreeRefused
from reconciler.model.report import concerns_of

#: What is wrong with a commit, and no matter of the way to it: whoever reads the audit log has to know.
_OF_COMMITS: Final = (ConfigError, NotFastForward, NotSigned, TreeRefused)


class Intake:
    """The files of one loop. What cannot be used changes nothing: the last good configuration goes on.

    ``following`` is asked beside the passes where the files lie next; without it they stay where they are.
    ``adopt`` gets ready for what new files want, and may refuse it; ``changed`` is called when there may be
    something new; ``unwatched`` when that is not noticed at once.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        following: Begun | None,
        adopt: Callable[[Desired], Awaitable[None]],
        changed: Callable[[], None],
        unwatched: Callable[[str], None],
        voice: Voice,
        memory: Memory,
    ) -> None:
        self._now = settings.now
        self._configuration = Configuration(settings.files, top=settings.top, sleep=settings.sleep)
        self._checkout = Checkout(settings.files, settings.environ)
        self._newest = following.first if following else None
        self._asked = Asked(following.source, new=self._moved, failed=self._not_moved) if following else None
        self._adopt = adopt
        self._changed = changed
        self._changes = Changes(self._look, unwatched)
        self._voice = voice
        self._memory = memory
        self._look_again = False
        self._refused: str | None = None
        self._taken_again = False
        self._read: str | None = None
        self._commit: str | None = None

    @property
    def desired(self) -> Desired:
        """What the last good files want. They are there once :meth:`begin` is done."""
        assert self._configuration.desired is not None  # noqa: S101 - without any, the loop did not begin
        return self._configuration.desired

    @property
    def stands_in(self) -> bool:
        """Whether :attr:`desired` is not what the files say now."""
        return self._configuration.stands_in

    @property
    def commit(self) -> str | None:
        """The commit that :attr:`desired` is of, where that can be told."""
        return self._commit

    def pending(self) -> bool:
        """Whether files changed that are yet to be read: cheap unless something was noticed."""
        self._look_again = self._look_again and self._configuration.changed()
        return self._look_again

    def again(self) -> None:
        """Read the files at the next :meth:`refresh` whether they changed or not, and ask for newer ones."""
        self._configuration.again()
        self._checkout.forget()
        self.ask()

    def ask(self) -> None:
        """Have the source asked for something newer, beside whatever goes on."""
        if self._asked:
            self._asked.ask()

    async def begin(self) -> None:
        """Have files to go by: the newest, or the last good ones of a repository.

        Raise the ``ReconcilerError`` that is wrong with the newest where there are no others.
        """
        await self.refresh()
        if self._configuration.problem:
            await self._fall_back()
        if self._configuration.problem:
            raise self._configuration.problem

    async def refresh(self) -> bool:
        """Read the files where they changed, and give whether they want something else now."""
        self._look_again, before = False, self._configuration.desired
        candidate = await self._configuration.candidate()
        new = candidate is not None and candidate != before
        if candidate is not None and new:
            try:
                await self._adopt(candidate)
            except ReconcilerError as error:
                self._configuration.refuse(error)
                candidate, new = None, False
        if candidate is not None:
            self._configuration.accept(candidate)
        await self._date()
        if candidate is not None:
            await self._found_good()
        if before is not None:
            self._tell()
        await self._changes.watch(self._configuration.folders())
        return new

    async def close(self) -> None:
        """Watch and ask no longer."""
        await self._changes.close()
        if self._asked:
            await self._asked.close()

    async def _date(self) -> None:
        """Learn of which commit the files are that were read last; it is told once they are good."""
        if self._asked:
            if newest := self._taken():
                self._read = newest.commit
        else:
            self._read = await asyncio.to_thread(
                self._checkout.commit,
                self._configuration.files,
                reading=self._configuration.reading,
                unchanged=lambda: not self._configuration.changed(),
            )
        if self._configuration.problem is None:
            self._commit = self._read

    def _taken(self) -> Revision | None:
        """The newest revision, unless it came in while an older one was read."""
        newest = self._newest
        return newest if newest and newest.top == self._configuration.top else None

    async def _found_good(self) -> None:
        """What was accepted is what to fall back on."""
        if self._asked and (newest := self._taken()):
            await asyncio.to_thread(self._asked.source.good, newest)

    async def _fall_back(self) -> None:
        """Take the last good commit where the newest one cannot be used."""
        kept = await asyncio.to_thread(self._asked.source.last_good) if self._asked else None
        if kept is None:
            return
        self._tell()
        self._newest = kept
        self._configuration.move(kept.files, kept.top)
        await self.refresh()

    def _moved(self, revision: Revision) -> None:
        """The newest commit has its files here."""
        self._voice.tell("source", None)
        self._taken_again = self._taken_again or self._refused is not None
        self._refused = None
        self._newest = revision
        self._configuration.move(revision.files, revision.top)
        self._look()

    def _not_moved(self, error: ReconcilerError) -> None:
        """Nothing new may be taken, or can be had: what was taken goes on."""
        found = concerns_of(error)
        text = f"the repository gives nothing new, so what was taken goes on: {found[0].message}"
        self._voice.tell("source", text)
        if isinstance(error, _OF_COMMITS) and text != self._refused:
            self._refused = text
            self._memory.note(text, at=self._now(), commit=self._commit)

    def _look(self) -> None:
        self._look_again = True
        self._changed()

    def _tell(self) -> None:
        text, again = self._configuration.summary(), self._taken_again
        self._taken_again = False
        if self._voice.tell("configuration", text) or (again and text is None):
            self._memory.note(text, at=self._now(), commit=self._read)
