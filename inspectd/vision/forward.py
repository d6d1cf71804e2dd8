"""As few forward passes as possible: inputs of any pictures, members and stations go together where graph and shape agree."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from inspectd.vision.backbone import Backbone

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]

LARGEST = 64  # inputs in one pass: a full batch of pictures; a batch of pictures in tiles would take gigabytes at once


def run(inputs: Sequence[tuple[Backbone, U8]], largest: int = LARGEST) -> list[F32]:
    """Maps float32 [T,h,w,d] for inputs uint8 [T,H,W,3] of each backbone, in the order asked for; `largest` in one pass."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, (backbone, tensor) in enumerate(inputs):
        groups.setdefault((backbone.sha256, tensor.shape[1:]), []).append(place)
    maps: dict[int, F32] = {}
    for places in groups.values():
        tensors = [inputs[place][1] for place in places]
        vectors = _pass(inputs[places[0]][0], tensors[0] if len(tensors) == 1 else np.concatenate(tensors), largest)
        ends = np.cumsum([len(tensor) for tensor in tensors])[:-1]
        maps |= zip(places, np.split(vectors, ends), strict=True)
    return [maps[place] for place in range(len(inputs))]


def _pass(backbone: Backbone, tensor: U8, largest: int) -> F32:
    if len(tensor) <= largest:
        return backbone.run(tensor)
    return np.concatenate([backbone.run(tensor[start : start + largest]) for start in range(0, len(tensor), largest)])
