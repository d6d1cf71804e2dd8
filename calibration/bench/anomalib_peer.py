"""anomalib as a peer of the benchmarks: run by the Python of an environment that has it, never imported. See peer.py.

Weights are random, since speed does not depend on them; its bank is a random choice of its own patch vectors, since its
greedy one would take an hour.
"""

import json
import os
import sys
import time
from typing import Any

import anomalib
import numpy as np
import torch
from anomalib.models.components import KCenterGreedy
from anomalib.models.image.patchcore.torch_model import PatchcoreModel

BACKBONE, LAYERS = "efficientnet_lite0", ("blocks.2", "blocks.4")  # timm's stages that end with blocks 4 and 10
MEAN, STD = (torch.tensor(values).view(1, 3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


class Peer:
    """Does what is asked and says how long it took."""

    def __init__(self) -> None:
        self._model = PatchcoreModel(layers=LAYERS, backbone=BACKBONE, pre_trained=False, num_neighbors=9)
        self._pictures = np.empty((0, 0, 0, 3), np.uint8)

    def threads(self, count: int) -> dict[str, Any]:
        """Use so many threads."""
        torch.set_num_threads(count)
        return {}

    def coreset(self, vectors: str, count: int, seed: int) -> dict[str, Any]:
        """Choose vectors greedily."""
        torch.manual_seed(seed)
        embedding = torch.from_numpy(np.load(vectors))
        start = time.perf_counter()
        chosen = KCenterGreedy(embedding, (count + 0.5) / len(embedding)).select_coreset_idxs()
        return {"ms": _since(start), "chosen": [int(index) for index in chosen]}

    def learn(self, train: str, tests: str, bank: int) -> dict[str, Any]:
        """Keep so many patch vectors of uint8 pictures [n,H,W,3], and the pictures to be scored."""
        self._pictures = np.load(tests)
        self._model.train()
        self._model.feature_extractor.eval()
        with torch.no_grad():
            vectors = torch.vstack([self._model(_tensor(part[None])) for part in np.load(train)])
        self._model.embedding_store.clear()
        self._model.memory_bank = vectors[torch.randperm(len(vectors))[:bank]].clone()
        self._model.eval()
        return {"vectors": len(self._model.memory_bank), "channels": int(vectors.shape[1])}

    def score(self, some: list[int]) -> dict[str, Any]:
        """Score pictures in one batch, heat maps included."""
        batch = self._pictures[some]
        start = time.perf_counter()
        with torch.inference_mode():
            self._model(_tensor(batch))
        return {"ms": _since(start)}


def _tensor(pictures: Any) -> Any:
    return (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1000


def main() -> None:
    """Answer line by line until the input ends; what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    peer = Peer()
    print(json.dumps({"peer": f"anomalib {anomalib.__version__}, torch {torch.__version__}"}), file=answers)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = getattr(peer, asked.pop("do"))(**asked)
        except Exception as error:  # noqa: BLE001 (whatever it is, the other side must hear of it)
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
