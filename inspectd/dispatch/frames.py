"""The pixels that dispatch holds: from their arrival until the verdict of their key. Pure.

A station may hold at most `share` frames, so that one fast station cannot take the memory of the others.
"""

from collections import Counter
from dataclasses import dataclass

from inspectd.wire.messages import Frame, Key


@dataclass(frozen=True)
class Pixels:
    """One picture as it came: header and zero-copy part."""

    frame: Frame
    part: memoryview


class Frames:
    """Pixels by key: waiting for a worker, or in work."""

    def __init__(self, share: int) -> None:
        self._share = share
        self._held: dict[Key, Pixels] = {}
        self._per_station: Counter[str] = Counter()
        self.waiting: dict[Key, None] = {}  # in order of arrival

    def put(self, pixels: Pixels) -> bool:
        """Hold a picture until its key is closed; False if its station has its full share already."""
        key = pixels.frame.key
        if self._per_station[key.station] >= self._share:
            return False
        self._held[key] = pixels
        self._per_station[key.station] += 1
        self.waiting[key] = None
        return True

    def get(self, key: Key) -> Pixels | None:
        """Return the picture of a key, if it is held."""
        return self._held.get(key)

    def to_work(self, key: Key) -> None:
        """Note that a frame went to a worker."""
        self.waiting.pop(key, None)

    def back(self, key: Key) -> bool:
        """Let a frame wait for another worker; False if it is not held any more."""
        if key in self._held:
            self.waiting[key] = None
        return key in self._held

    def drop(self, key: Key) -> Pixels | None:
        """Let go of a picture; returns it."""
        self.waiting.pop(key, None)
        pixels = self._held.pop(key, None)
        if pixels:
            self._per_station[key.station] -= 1
        return pixels
