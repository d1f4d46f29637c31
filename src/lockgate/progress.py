"""A line on the terminal when work takes longer than a moment; nothing in a pipe."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOMENT = 0.4
"""Seconds of silence before a person starts to wonder."""


class Progress:
    """Says what is being done; told by the pipeline, shown only on a terminal."""

    def __init__(self) -> None:
        self._text = ""
        self._shown = threading.Event()

    def step(self, text: str) -> None:
        """Replaces the line by `text`."""
        self._text = text
        if self._shown.is_set():
            self._draw()

    def show(self) -> None:
        """Starts to show; called once the moment has passed."""
        self._shown.set()
        self._draw()

    def clear(self) -> None:
        """Takes the line away again."""
        if self._shown.is_set():
            self._shown.clear()
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()

    def _draw(self) -> None:
        sys.stderr.write(f"\r\x1b[2K\x1b[2m{self._text} ...\x1b[0m")
        sys.stderr.flush()


@contextmanager
def progress() -> Iterator[Progress]:
    """A `Progress` that appears after a moment and is gone at the end, whatever the end is."""
    line = Progress()
    timer = threading.Timer(MOMENT, line.show)
    timer.daemon = True
    if sys.stderr.isatty():
        timer.start()
    try:
        yield line
    finally:
        timer.cancel()
        line.clear()
