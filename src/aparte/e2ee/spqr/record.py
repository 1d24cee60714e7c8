"""What every part of a saved SPQR state is: a frozen record with a fixed place in the bytes, which never prints."""

from typing import Annotated, Any

import msgspec

Epoch = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Index = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Record(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A part of the state. It may hold secrets, so its representation is its name alone."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []
