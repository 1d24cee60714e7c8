"""The part of Protocol Buffers that Signal's messages need: varints and byte strings in one flat message.

Stricter than the format: a known field comes at most once and in its one wire type, numbers fit 32 bits, and a
message has at most 32 fields. Unknown fields are skipped, so a newer peer may add some.
"""

from aparte.e2ee.errors import InvalidMessage

FIELDS_MAX = 32
_UINT32_MAX = 0xFFFF_FFFF
_VARINT_BYTES_MAX = 10
_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}


class Fields:
    """One decoded message: the accessors raise InvalidMessage where a field is missing or of another kind."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[int, int | bytes]) -> None:
        self._values = values

    def uint32(self, number: int) -> int:
        """A number that must be there."""
        value = self._values.get(number)
        if not isinstance(value, int) or value > _UINT32_MAX:
            raise InvalidMessage
        return value

    def optional_uint32(self, number: int) -> int | None:
        """A number that may be missing."""
        return self.uint32(number) if number in self._values else None

    def blob(self, number: int) -> bytes:
        """A byte string that must be there."""
        value = self._values.get(number)
        if not isinstance(value, bytes):
            raise InvalidMessage
        return value

    def optional_blob(self, number: int) -> bytes | None:
        """A byte string that may be missing."""
        return self.blob(number) if number in self._values else None


def encode(*fields: tuple[int, int | bytes | None]) -> bytes:
    """Write (number, value) pairs in the given order; None is left out, zero is written."""
    output = bytearray()
    for number, value in fields:
        if value is None:
            continue
        if isinstance(value, int):
            _write_varint(output, number << 3 | _VARINT)
            _write_varint(output, value)
        else:
            _write_varint(output, number << 3 | _LENGTH_DELIMITED)
            _write_varint(output, len(value))
            output += value
    return bytes(output)


def decode(data: bytes, known: frozenset[int]) -> Fields:
    """Read the fields with the numbers in `known`; InvalidMessage on anything malformed."""
    values: dict[int, int | bytes] = {}
    position = count = 0
    while position < len(data):
        tag, position = _read_varint(data, position)
        number, value, position = _read_value(data, position, tag)
        count += 1
        if count > FIELDS_MAX or number in values:
            raise InvalidMessage
        if number in known:
            if value is None:
                raise InvalidMessage
            values[number] = value
    return Fields(values)


def _read_value(data: bytes, position: int, tag: int) -> tuple[int, int | bytes | None, int]:
    """One value and the position after it; None for the fixed-width kinds, which no message here uses."""
    number, wire_type = tag >> 3, tag & 7
    if not 1 <= number <= 0x1FFF_FFFF:
        raise InvalidMessage
    if wire_type == _VARINT:
        value, position = _read_varint(data, position)
        return number, value, position
    if wire_type == _LENGTH_DELIMITED:
        length, position = _read_varint(data, position)
        end = position + length
        if end > len(data):
            raise InvalidMessage
        return number, data[position:end], end
    end = position + _FIXED_BYTES.get(wire_type, len(data) + 1)
    if end > len(data):
        raise InvalidMessage
    return number, None, end


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    """A number below 2^64 and the position after it."""
    value = 0
    for shift in range(_VARINT_BYTES_MAX):
        if position >= len(data):
            raise InvalidMessage
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            if value >> 64:
                raise InvalidMessage
            return value, position
    raise InvalidMessage


def _write_varint(output: bytearray, value: int) -> None:
    while value > 0x7F:
        output.append(value & 0x7F | 0x80)
        value >>= 7
    output.append(value)
