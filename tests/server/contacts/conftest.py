"""People of these stories."""

import pytest
from tests.support.sign_in import gate, register

from aparte.server.authentication.model import Gate
from aparte.server.kit.caller import Caller
from aparte.server.kit.db import Database


@pytest.fixture
def here(db: Database) -> Gate:
    return gate(db)


@pytest.fixture
async def alice(here: Gate) -> Caller:
    return await register(here, "alice")


@pytest.fixture
async def bob(here: Gate) -> Caller:
    return await register(here, "Bob", display_name="Bob the builder")
