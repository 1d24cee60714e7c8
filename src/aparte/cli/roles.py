"""`aparte role`, `roles`, `rights`, `nickname`: what a member is, may do and is called."""

# ruff: noqa: PLR0913 - typer reads the options of a command off its parameters

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal

import typer

from aparte.cli.arguments import Person, Target, name_of
from aparte.cli.output import as_row, done, is_json, listing, put_json
from aparte.cli.running import with_client
from aparte.client import Client, CustomRole

Permission = Literal[
    "post", "react", "invite", "pin", "manage_messages", "manage_members", "edit_profile", "manage_roles"
]


class Right(StrEnum):
    """What a role can grant or deny, as it is typed."""

    POST = "post"
    REACT = "react"
    INVITE = "invite"
    PIN = "pin"
    MANAGE_MESSAGES = "manage_messages"
    MANAGE_MEMBERS = "manage_members"
    EDIT_PROFILE = "edit_profile"
    MANAGE_ROLES = "manage_roles"


BASE = ("member", "moderator", "admin", "owner")
NONE = "none"
Rights = Annotated[list[Right] | None, typer.Option()]
RoleName = Annotated[str, typer.Argument(metavar="ROLE")]
Colour = Annotated[str | None, typer.Option(metavar="#RRGGBB")]

several = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(role)
    app.add_typer(several, name="roles")
    app.command()(rights)
    app.command()(nickname)


@several.callback()
def roles() -> None:
    """Hold the commands about custom roles together."""


def role(context: typer.Context, target: Target, person: Person, role: RoleName) -> None:
    """Give a member another base role, or a custom one beside it."""

    async def work(me: Client) -> None:
        if role in BASE:
            await me.change_role(target, person, role)  # type: ignore[arg-type]
        else:
            await me.roles.give(target, person, None if role == NONE else role)
        done(context, "role_given", {"conversation": target, "username": name_of(person), "role": role})

    with_client(context, work)


@several.command("list")
def list_roles(context: typer.Context, target: Target) -> None:
    """List the roles that a conversation defines."""

    async def work(me: Client) -> None:
        found = await me.roles.list(target)
        listing(context, found, [role_cells(one) for one in found])

    with_client(context, work)


@several.command("define")
def define_role(
    context: typer.Context,
    *,
    target: Target,
    role: RoleName,
    allow: Rights = None,
    deny: Rights = None,
    colour: Colour = None,
    default: Annotated[bool, typer.Option("--default")] = False,
) -> None:
    """Define a role."""

    async def work(me: Client) -> None:
        permissions = granted(allow, deny)
        made = await me.roles.define(target, role, permissions, colour=colour, is_default=default)
        show_role(context, made)

    with_client(context, work)


@several.command("change")
def change_role(
    context: typer.Context,
    *,
    target: Target,
    role: RoleName,
    name: Annotated[str | None, typer.Option(metavar="NAME")] = None,
    allow: Rights = None,
    deny: Rights = None,
    unset: Rights = None,
    colour: Colour = None,
    default: Annotated[bool | None, typer.Option("--default/--no-default")] = None,
) -> None:
    """Change a role."""

    async def work(me: Client) -> None:
        wanted: dict[str, object] = {"name": name, "is_default": default}
        wanted = {key: value for key, value in wanted.items() if value is not None}
        if colour is not None:
            wanted["colour"] = None if colour == NONE else colour
        if allow or deny or unset:
            known = [one.permissions for one in await me.roles.list(target) if role in {one.name, str(one.id)}]
            after = {**(known[0] if known else {}), **granted(allow, deny)}
            wanted["permissions"] = {right: is_on for right, is_on in after.items() if right not in named(unset)}
        show_role(context, await me.roles.change(target, role, **wanted))  # type: ignore[arg-type]

    with_client(context, work)


@several.command("remove")
def remove_role(context: typer.Context, target: Target, role: RoleName) -> None:
    """Define a role no longer."""

    async def work(me: Client) -> None:
        await me.roles.remove(target, role)
        done(context, "role_removed", {"conversation": target, "removed": role})

    with_client(context, work)


def rights(
    context: typer.Context,
    *,
    target: Target,
    person: Person,
    allow: Rights = None,
    deny: Rights = None,
    unset: Rights = None,
) -> None:
    """Show or change what is granted or denied to one member alone."""

    async def work(me: Client) -> None:
        wanted: dict[Permission, bool | None] = {**granted(allow, deny), **dict.fromkeys(named(unset))}
        found = await me.roles.override(target, person, wanted)
        if is_json(context):
            put_json({"conversation": target, "username": name_of(person), "permissions": dict(found)})
        else:
            listing(context, (), [(sign_of(is_granted) + right,) for right, is_granted in found.items()])

    with_client(context, work)


def nickname(
    context: typer.Context,
    target: Target,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    person: Annotated[str | None, typer.Option("--for", metavar="@USER")] = None,
) -> None:
    """Say how one is called in a conversation."""

    async def work(me: Client) -> None:
        await me.set_nickname(target, None if name == NONE else name, username=person)
        done(context, "renamed", {"conversation": target, "nickname": None if name == NONE else name})

    with_client(context, work)


def granted(allow: list[Right] | None, deny: list[Right] | None) -> dict[Permission, bool]:
    """Put what is granted and what is denied together."""
    return {**dict.fromkeys(named(allow), True), **dict.fromkeys(named(deny), False)}


def named(rights: Iterable[Right] | None) -> list[Permission]:
    """Give rights by their names."""
    return [right.value for right in rights or ()]


def show_role(context: typer.Context, role: CustomRole) -> None:
    """Show a role."""
    put_json(as_row(role)) if is_json(context) else listing(context, (), [role_cells(role)])


def role_cells(role: CustomRole) -> tuple[str, ...]:
    """Show a role to a person: what it grants and denies, its colour, whether newcomers get it."""
    permissions = " ".join(sign_of(is_granted) + right for right, is_granted in role.permissions.items())
    return (role.name, permissions, role.colour or "", "*" if role.is_default else "")


def sign_of(is_granted: bool) -> str:
    """Give the sign of what is granted or denied."""
    return "+" if is_granted else "-"
