"""Which pictures are not worth learning from: black, saturated, blurred, or there already.

What is refused and why is stated here, in numbers that hold for any camera of 8 bits, or are drawn from the pictures that
were kept before. Each refusal can be switched off: a station may be backlit, or its parts may truly not differ.
"""

import hashlib
from collections import deque
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from inspectd import image
from inspectd.capture.flaw import Flaw
from inspectd.vision import likeness

U8 = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

LONGEST_PX = 640  # pictures are looked at in about the size that networks see (a blur that is lost there does no harm), and
# at least halved: at full size the Laplacian of real pictures is mostly noise, which no blur takes away
BLACK = 20  # grey levels: black level and noise of a camera in the dark stay below; whatever is lit reaches it somewhere
LIT = 0.01  # so much of the picture must be lit: less are defect pixels
CLIPPED = 250  # grey levels: from here on nothing is told apart
MOST_CLIPPED = 0.2  # of the picture: glints are smaller
BLUR = 0.5  # of the usual sharpness; made flanges vary by 5 %, and a blur of sigma 1 px leaves 0.38
BLUR_MADS = 3.0  # and outside the spread of the kept ones, in standard deviations (1.4826 MAD, of the logarithm)
KNOWN = 8  # pictures from which the usual sharpness is known
REMEMBERED = 32  # pictures with which a new one is compared: a standing line repeats at once
_MAD = 1.4826  # from the median absolute deviation to the standard deviation of a normal distribution


class Seen(NamedTuple):
    """What is looked at in a picture."""

    digest: bytes  # of all its pixels
    lit: float  # share that is not black
    clipped: float  # share that is
    sharpness: float  # variance of the Laplacian, of that of the picture: exposure and contrast change nothing
    small: U8  # the picture as `likeness` compares it


class Refusal(NamedTuple):
    """A flaw, and a sentence with the figures."""

    flaw: Flaw
    why: str


def see(pixels: U8, mask: Mask | None = None) -> Seen:
    """Look at a picture [H,W] or [H,W,3] of 16 pixels a side or more, where `mask` [H,W] is True."""
    longest = min(LONGEST_PX, max(pixels.shape[:2]) // 2)
    small = image.grey(pixels, longest)
    judged = _judged(mask, small.shape, longest)
    counted = small[judged]
    digest = hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16).digest()
    lit, clipped = float(np.mean(counted > BLACK)), float(np.mean(counted >= CLIPPED))
    return Seen(digest, lit, clipped, _sharpness(small, judged), likeness.small(pixels, mask))


def _judged(mask: Mask | None, shape: tuple[int, ...], longest: int) -> Mask:
    """Shrink a mask like its picture, what is judged in part left out, unless nothing would be left."""
    if mask is None:
        return np.ones(shape, bool)
    share = image.grey(np.where(mask, np.uint8(255), np.uint8(0)), longest)
    whole: Mask = share == 255
    return whole if whole[1:-1, 1:-1].any() else np.ones(shape, bool)


class Judge:
    """Refuses pictures one by one, by what it was told to keep before."""

    def __init__(self, allowed: Collection[Flaw] = ()) -> None:
        self._allowed = allowed
        self._names: dict[bytes, str] = {}  # by digest
        self._last: deque[tuple[U8, str]] = deque(maxlen=REMEMBERED)
        self._sharpness: dict[str, float] = {}  # logarithms, by name

    def keep(self, seen: Seen, name: str) -> None:
        """Remember a picture that was kept."""
        self._names.setdefault(seen.digest, name)
        self._last.append((seen.small, name))
        if seen.lit >= LIT:  # in the dark there is none
            self._sharpness[name] = _log(seen.sharpness)

    def refuse(self, seen: Seen) -> Refusal | None:
        """Return the first flaw of a picture that is not allowed; None if it has none."""
        found = (self._black(seen), self._saturated(seen), self._duplicate(seen), self._blurred(seen))
        return next((refusal for refusal in found if refusal and refusal.flaw not in self._allowed), None)

    def doubtful(self) -> list[str]:
        """Name those of the first pictures, kept before there were others, that are blurred beside the others."""
        if Flaw.BLURRED in self._allowed:
            return []
        limit = self._blur_limit()
        return [name for name, sharpness in list(self._sharpness.items())[:KNOWN] if sharpness < limit]

    def _black(self, seen: Seen) -> Refusal | None:
        if seen.lit >= LIT:
            return None
        return Refusal(Flaw.BLACK, f"{1 - seen.lit:.1%} of it is darker than {BLACK + 1} of 255")

    def _saturated(self, seen: Seen) -> Refusal | None:
        if seen.clipped <= MOST_CLIPPED:
            return None
        most = f"at most {MOST_CLIPPED:.0%} may be"
        return Refusal(Flaw.SATURATED, f"{seen.clipped:.0%} of it is {CLIPPED} of 255 or brighter, {most}")

    def _blurred(self, seen: Seen) -> Refusal | None:
        sharpness = _log(seen.sharpness)
        if seen.lit < LIT or sharpness >= self._blur_limit():
            return None
        usual = float(np.exp(np.median(list(self._sharpness.values()))))
        return Refusal(Flaw.BLURRED, f"its sharpness is {seen.sharpness:.3g}, that of the others {usual:.3g}")

    def _blur_limit(self) -> float:
        """Return the logarithm of the least sharpness; minus infinity while too few pictures are known."""
        if len(self._sharpness) < KNOWN:
            return float("-inf")
        known = np.array(list(self._sharpness.values()))
        usual = float(np.median(known))
        spread = _MAD * float(np.median(np.abs(known - usual)))
        return usual + min(float(np.log(BLUR)), -BLUR_MADS * spread)

    def _duplicate(self, seen: Seen) -> Refusal | None:
        same = self._names.get(seen.digest)
        if same is not None:
            return Refusal(Flaw.DUPLICATE, f"the same picture as {same}, which is kept already")
        near = next((name for small, name in reversed(self._last) if likeness.alike(seen.small, small)), None)
        return None if near is None else Refusal(Flaw.DUPLICATE, f"it shows the same part as {near}, which is kept already")


def _sharpness(small: U8, judged: Mask) -> float:
    """Variance of the Laplacian of a grey picture, where it is judged (Pech-Pacheco et al., ICPR 2000)."""
    grey = small.astype(np.float32)
    curved = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return float(curved[judged[1:-1, 1:-1]].var() / max(1.0, float(grey[judged].var())))


def _log(sharpness: float) -> float:
    return float(np.log(max(sharpness, 1e-9)))  # a picture of one colour has none
