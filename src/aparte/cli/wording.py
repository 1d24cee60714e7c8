"""Puts the catalogue's words into help pages and wrong use, in the language of the environment.

The commands themselves carry no words: what they and their options mean stands under their names in the section `help`,
`send.reply` or, where an option means the same everywhere, `*.reply`. What the library says by itself (`Missing option
'--email'.`) is recognised by its English words in the section `usage`.
"""

import os
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import IO, Any

import typer
from typer._click.exceptions import NoArgsIsHelpError, UsageError
from typer._click.formatting import HelpFormatter

from aparte.catalogue import Tongue, language_of, section, text

EXTRAS = re.compile(r"\s*\[([^\[\]]*)\]$")
"""What the library puts behind an option's help: its default, whether it must be given."""


def tongue() -> Tongue:
    """Give the language of the environment."""
    return language_of(os.environ)


def colon() -> str:
    """Give a colon; in French a space that does not break stands before it."""
    return "\u00a0:" if tongue() == "fr" else ":"


class Page(HelpFormatter):
    """A help page whose headings and remarks are of the catalogue."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write how a command is called."""
        super().write_usage(prog, args, prefix or f"{worded('Usage')}{colon()} ")

    def write_heading(self, heading: str) -> None:
        """Write a heading."""
        self.write(f"{'':>{self.current_indent}}{worded(heading)}{colon()}\n")

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write options or commands with what they mean."""
        super().write_dl([(first, remarked(second)) for first, second in rows], col_max, col_spacing)


class WordedContext(typer.Context):
    """What a command runs in; its help is a `Page`."""

    formatter_class = Page


class WrongUse(UsageError):
    """Wrong use, in the words of the catalogue."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Say how it is used, where to read more and what was wrong."""
        del file
        lines = []
        if self.ctx is not None:
            lines = [self.ctx.get_usage(), worded(f"Try '{self.ctx.command_path} --help' for help."), ""]
        typer.echo("\n".join([*lines, f"{worded('Error')}{colon()} {worded(self.format_message())}"]), err=True)


def in_words(error: UsageError) -> UsageError:
    """Word what the library found wrong; a page of help, for who gave nothing, is worded already."""
    return error if isinstance(error, NoArgsIsHelpError) else WrongUse(error.format_message(), error.ctx)


def explain(command: Any, path: str) -> Any:
    """Give a command, its options and the commands below it their help."""
    command.help = help_of(path)
    command.context_class = WordedContext
    for parameter in command.params:
        parameter.help = help_of(key_of(path, parameter.name))
    for name, below in getattr(command, "commands", {}).items():
        explain(below, f"{path} {name}".strip())
    return command


def key_of(path: str, name: str) -> str:
    """Name the help of an option: of this command, or of all that have it."""
    own = f"{path}.{name}"
    return own if own in section("help") else f"*.{name}"


def help_of(key: str) -> str | None:
    """Read a help text."""
    return text("help", key, tongue()) if key in section("help") else None


def short_help_of(command: str) -> str:
    """Give the first sentence of a command's help."""
    words = (help_of(command) or "").split("\n\n")[0]
    return re.split(r"(?<=[.;:]) ", words, maxsplit=1)[0].rstrip(" .;:")


def remarked(words: str) -> str:
    """Word the remarks behind an option's help."""
    found = EXTRAS.search(words)
    if found is None:
        return worded(words)
    remarks = "; ".join(worded(remark) for remark in found[1].split("; "))
    return f"{words[: found.start()]}  [{remarks}]".strip()


def worded(said: str) -> str:
    """Say what the library says in the language of the environment; as it is, if the catalogue does not know it."""
    if tongue() == "en":
        return said
    for pattern, words in patterns():
        if found := pattern.fullmatch(said):
            return words.format(**{name: worded(value) for name, value in found.groupdict().items()})
    return said


@cache
def patterns() -> list[tuple[re.Pattern[str], str]]:
    """Read the section `usage` as what is recognised and how it is said."""
    return list(_patterns())


def _patterns() -> Iterator[tuple[re.Pattern[str], str]]:
    for words in section("usage").values():
        english = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(str(words["en"])))
        yield re.compile(english, re.DOTALL), str(words["fr"])
