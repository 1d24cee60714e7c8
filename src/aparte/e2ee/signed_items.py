"""Device lists and membership statements as they were signed, in a row: what one device passes on to another.

Items are kind || length in 2 bytes || that many bytes; kinds that we do not know are passed over. Only lengths are
settled here: whether a list or statement holds is for those who know what came before it. Source:
docs/protocol/e2ee.md, 3.2.
"""

from collections.abc import Sequence

from aparte.e2ee import device_list, statement
from aparte.e2ee.errors import InvalidMessage

ITEMS_MAX = 100
"""Lists and statements together."""

Items = tuple[tuple[device_list.Signed, ...], tuple[statement.Signed, ...]]

_SIGNATURE_BYTES = 64
_LIST_BYTES_MIN = 108
_ITEM_BYTES_MAX = 0xFFFF
_LIST, _LIST_OF_A_ROTATION, _STATEMENT = 1, 2, 3


def read(data: bytes) -> Items:
    """Lists and statements, each in their order; InvalidMessage unless there are 1 to 100 items of sound lengths."""
    lists: list[device_list.Signed] = []
    statements: list[statement.Signed] = []
    items = 0
    while data:
        length = int.from_bytes(data[1:3], "big")
        item, rest = data[3 : 3 + length], data[3 + length :]
        items += 1
        if len(data) < 3 + length or items > ITEMS_MAX:
            raise InvalidMessage
        if data[0] in (_LIST, _LIST_OF_A_ROTATION):
            lists.append(_read_list(item, 1 if data[0] == _LIST else 2))
        elif data[0] == _STATEMENT:
            statements.append(_read_statement(item))
        data = rest
    if not items:
        raise InvalidMessage
    return tuple(lists), tuple(statements)


def write(lists: Sequence[device_list.Signed], statements: Sequence[statement.Signed]) -> bytes:
    """Lists, then statements."""
    return b"".join([_write_list(signed) for signed in lists] + [_write_statement(signed) for signed in statements])


def _read_list(item: bytes, signatures: int) -> device_list.Signed:
    end = len(item) - signatures * _SIGNATURE_BYTES
    if end < _LIST_BYTES_MIN:
        raise InvalidMessage
    first, second = item[end : end + _SIGNATURE_BYTES], item[end + _SIGNATURE_BYTES :]
    return device_list.Signed(item[:end], first, second or None)


def _write_list(signed: device_list.Signed) -> bytes:
    kind = _LIST if signed.previous_signature is None else _LIST_OF_A_ROTATION
    return _write(kind, signed.list + signed.signature + (signed.previous_signature or b""))


def _read_statement(item: bytes) -> statement.Signed:
    """165 bytes, the actor's signature and, of a joining, the link's."""
    said, signatures = item[: statement.STATEMENT_BYTES], item[statement.STATEMENT_BYTES :]
    first, second = signatures[:_SIGNATURE_BYTES], signatures[_SIGNATURE_BYTES:]
    if len(first) != _SIGNATURE_BYTES or len(second) not in (0, _SIGNATURE_BYTES):
        raise InvalidMessage
    return statement.Signed(said, first, second or None)


def _write_statement(signed: statement.Signed) -> bytes:
    return _write(_STATEMENT, signed.statement + signed.signature + (signed.link_signature or b""))


def _write(kind: int, item: bytes) -> bytes:
    if len(item) > _ITEM_BYTES_MAX:
        raise InvalidMessage
    return bytes([kind]) + len(item).to_bytes(2, "big") + item
