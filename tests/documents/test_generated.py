"""Generated documents are fresh. A stale one is worse than none: people believe it."""

import pytest
from tools import docs


@pytest.mark.parametrize("name", docs.FILES)
def test_is_what_make_docs_writes(name: str) -> None:
    assert (docs.ROOT / name).read_text() == docs.rendered(name), "run `make docs`"


def test_every_folder_of_the_package_is_in_the_map() -> None:
    folders = {path.parent.name for path in (docs.ROOT / "src" / "aparte").glob("*/__init__.py")}
    assert folders <= set(docs.FOLDERS)
