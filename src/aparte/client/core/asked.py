"""What somebody asks for, in the form of the wire: checked here before the server is asked."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from aparte.client.errors import ClientError

T = TypeVar("T")


def asked(fields: Mapping[str, Any], wanted: type[T]) -> T:
    """Build what is asked for. Raises ClientError `invalid`, also for a field that is not there."""
    unknown = fields.keys() - set(getattr(wanted, "__struct_fields__", ()))
    if unknown:
        raise ClientError("invalid", ", ".join(sorted(unknown)))
    try:
        return msgspec.convert(dict(fields), wanted)
    except msgspec.ValidationError as error:
        raise ClientError("invalid", str(error)) from None
