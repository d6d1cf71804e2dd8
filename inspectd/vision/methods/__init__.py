"""The methods that judge, one file each, under one contract: `Method`."""

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt


class Judged(NamedTuple):
    """What a method says of B pictures."""

    distances: npt.NDArray[np.float32]  # [B,h,w], how unusual each patch is; 0 where it is not judged
    scores: npt.NDArray[np.float64]  # [B], higher is worse


class Method(Protocol):
    """A method knows a station's good parts and judges patch vectors."""

    def judge(self, vectors: npt.NDArray[np.float32]) -> Judged:
        """float32 [B,h,w,d], as the backbone gives them, to distances and scores."""
        ...
