"""What a long step says while it runs. The engine speaks to this; only the command line draws it."""

from __future__ import annotations

from collections.abc import Mapping


class Progress:
    """Hears how a long step goes. This one is silent: the default everywhere."""

    def begin(self, title: str, items: int, size: int | None) -> None:
        """A step of `items` items starts; `size` is the estimate of all its bytes, None when unknown."""

    def places(self, hosts: Mapping[str, str]) -> None:
        """Which machine each item of the step is on, by its key."""

    def waits(self, host: str, why: str) -> None:
        """Work on a machine waits, since that is short of what `why` says; empty once it goes on."""

    def started(self, key: str, label: str) -> None:
        """The item `key` runs now; `label` is what to call it."""

    def moved(self, key: str, size: int) -> None:
        """`size` more plain bytes of `key` came."""

    def ended(self, key: str, status: str) -> None:
        """The item `key` is over."""

    def tick(self) -> None:
        """Time passes: called a few times a second by whoever waits, so that what is slow can be shown."""

    def say(self, message: str) -> None:
        """One line for the person who waits."""

    def end(self) -> None:
        """The step is over."""
