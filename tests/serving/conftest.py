"""What the tests of the programs share: a hub, a cache, a release."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import loopback
import pytest
from serving.hub import MODEL, REVISION, Hub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def hub() -> Iterator[Hub]:
    with loopback.serving(Hub()) as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "serve.yaml"
    file.write_text(f"model: {MODEL}\nrevision: {json.dumps(REVISION)}\n")
    return file
