"""A peer in NumPy: greedy k-centre one centre at a time, and a detector that compares pixels. It speaks as peer.py says."""

import json
import sys
import time

import numpy as np


def coreset(vectors, count, seed):
    x = np.load(vectors)
    start = time.perf_counter()
    chosen = [int(np.random.default_rng(seed).integers(len(x)))]
    nearest = np.full(len(x), np.inf)
    while len(chosen) < count:
        nearest = np.minimum(nearest, ((x - x[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(nearest.argmax()))
    return {"ms": (time.perf_counter() - start) * 1000, "chosen": chosen}


class Detector:
    def learn(self, train, tests, bank):
        self.bank = np.load(train).reshape(-1, 3)[:bank].astype(np.float64)
        self.tests = np.load(tests)
        return {"vectors": len(self.bank), "channels": 3}

    def score(self, some):
        start = time.perf_counter()
        pixels = self.tests[some][:, ::8, ::8].reshape(-1, 1, 3)
        np.abs(pixels - self.bank).sum(axis=2).min(axis=1)
        return {"ms": (time.perf_counter() - start) * 1000}


def main():
    detector = Detector()
    does = {"coreset": coreset, "learn": detector.learn, "score": detector.score, "threads": lambda count: {"count": count}}
    print(json.dumps({"peer": "NumPy"}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = does[asked.pop("do")](**asked)
        except (OSError, ValueError, KeyError, TypeError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
