"""Randomness for tests: the same bytes each time."""

import hashlib
from collections.abc import Callable


def seeded(seed: bytes) -> Callable[[int], bytes]:
    """A source of randomness determined by a seed."""
    count = 0

    def random(length: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(seed + count.to_bytes(8, "big")).digest(length)

    return random
