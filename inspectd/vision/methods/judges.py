"""Which method judges: by the name that a station file and a bundle give it."""

from collections.abc import Callable

from inspectd.vision.methods import Arrays, Kind, Mask, Method, Settings
from inspectd.vision.methods.padim import Padim
from inspectd.vision.methods.patchcore import PatchCore
from inspectd.vision.methods.spade import Spade

_JUDGES: dict[Kind, Callable[[Settings, Arrays, Mask | None], Method]] = {
    "patchcore": PatchCore,
    "padim": Padim,
    "spade": Spade,
}


def judge(kind: Kind, settings: Settings, arrays: Arrays, judged: Mask | None) -> Method:
    """Make the judge of a method's arrays, by its names for them; `judged` [h,w] are the cells that count, None: all."""
    return _JUDGES[kind](settings, arrays, judged)
