"""A real browser without a network of its own: the Chromium of the machine, through Playwright."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start a browser. Where none is installed the test is skipped, except in CI."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None and "CI" not in os.environ:
        pytest.skip("no Chromium here: tools/ci-deps installs it")
    assert executable is not None
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        await browser.close()
