"""What a running line takes from a station file that was edited, and what needs a restart. Pure.

`reload` sends this much of the file to those who obey it; the camera's process is started anew with the whole file.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Struct, structs

from inspectd.station.schema import Keep, Roi, Station

_OF_THE_CAMERA = ("camera", "group_by", "mm_per_px")  # ingestd's alone
_OF_CALIBRATION = ("method", "threshold", "seed")  # no running process reads them


class Reread(Struct, frozen=True):
    """The keys that workers and dispatch obey."""

    roi: Roi | None
    mask: str | None
    keep: Keep

    @classmethod
    def of(cls, station: Station) -> "Reread":
        """Take them from a station."""
        return cls(station.roi, station.mask, station.keep)

    @classmethod
    def parse(cls, text: str) -> "Reread":
        """Read them as they are sent."""
        return msgspec.json.decode(text, type=cls)

    def text(self) -> str:
        """Write them to be sent."""
        return msgspec.json.encode(self).decode()

    def onto(self, station: Station) -> Station:
        """Return the station with these keys."""
        return structs.replace(station, roi=self.roi, mask=self.mask, keep=self.keep)


def fixed(before: Station, after: Station) -> Iterator[str]:
    """Yield the keys that differ and cannot change while the line runs."""
    free = {*Reread.__struct_fields__, *_OF_THE_CAMERA, *_OF_CALIBRATION}
    for key in Station.__struct_fields__:
        if key not in free and getattr(before, key) != getattr(after, key):
            yield key
