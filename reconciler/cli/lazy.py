"""A click group whose commands are imported when they are asked for, so that ``--help`` is instant."""

from __future__ import annotations

from importlib import import_module

import click


class LazyGroup(click.Group):
    """``commands`` maps a name to (module, one-line help); nothing is imported to list them."""

    def __init__(self, *args: object, lazy: dict[str, tuple[str, str]], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # click's own parameters pass through
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command in the order of the table."""
        del ctx
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one command that was asked for."""
        del ctx
        if cmd_name not in self._lazy:
            return None
        module, _ = self._lazy[cmd_name]
        command = import_module(module).command
        assert isinstance(command, click.Command)  # noqa: S101 - holds by the table's own test
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without importing anything."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self._lazy.items()])
