"""``parsl top`` without textual: the picture, redrawn until the run is over or ``q`` is pressed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live

from parsl.cli.live.picture import picture
from parsl.cli.live.snapshot import snapshot
from parsl.eventlog.watch import RunWatch

_PERIOD_S = 0.5
#: How much is read between two pictures.
_READ_BYTES = 4 * 1024 * 1024


def show_live(watch: RunWatch, run_dir: str, screen: Console) -> None:
    """Redraw the picture until the run is over, or until ``q`` or Ctrl-C."""
    seen = snapshot(watch, run_dir)
    with _single_keys(), Live(picture(seen), console=screen, auto_refresh=False, screen=False) as live:
        while True:
            watch.advance(_READ_BYTES)
            seen = snapshot(watch, run_dir)
            live.update(picture(seen), refresh=True)
            is_read = seen.share_read >= 1
            if (is_read and not seen.is_live) or _pressed_q(_PERIOD_S if is_read else 0.0):
                return


@contextmanager
def _single_keys() -> Iterator[None]:
    """Receive keys without Enter, if stdin is a terminal."""
    if not sys.stdin.isatty():
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _pressed_q(timeout_s: float) -> bool:
    """Wait for a key; return whether it was ``q``."""
    from select import select
    from time import sleep

    if not sys.stdin.isatty():
        sleep(timeout_s)
        return False
    ready, _, _ = select([sys.stdin], [], [], timeout_s)
    return bool(ready) and sys.stdin.read(1) in ("q", "Q", "")
