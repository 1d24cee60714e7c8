"""The route table without a server: for tools and tests that read what it says and call nothing."""

from typing import get_type_hints

from aparte.server import routes
from aparte.server.kit.door import FrameTable, Route


def _slices() -> routes.Slices:
    """Doors that lead nowhere."""
    return routes.Slices(**{name: object.__new__(cls) for name, cls in get_type_hints(routes.Slices).items()})


def table() -> list[Route]:
    """Every REST route."""
    return routes.rest(_slices())


def frame_table() -> FrameTable:
    """Every frame that is answered."""
    return routes.gateway(_slices())
