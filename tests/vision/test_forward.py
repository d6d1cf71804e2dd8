"""Inputs of many pictures, members and stations take as few forward passes as their graphs and shapes allow."""

from dataclasses import dataclass, field

import numpy as np

from inspectd.vision import forward


@dataclass
class Counting:
    """A graph whose map is its input's mean brightness; it remembers the batches that it ran."""

    sha256: str
    batches: list = field(default_factory=list)

    def run(self, batch):
        self.batches.append(batch.shape)
        return batch.mean(axis=(1, 2, 3), dtype=np.float32).reshape(-1, 1, 1, 1)


def levels(*values, size=(32, 32)):
    return np.stack([np.full((*size, 3), value, np.uint8) for value in values])


def test_each_input_gets_its_own_maps_in_the_order_asked_for():
    one, other = Counting("a"), Counting("b")
    asked = [(one, levels(1, 2)), (other, levels(3)), (one, levels(4)), (one, levels(5, size=(64, 32))), (other, levels(6))]
    assert [maps[:, 0, 0, 0].tolist() for maps in forward.run(asked)] == [[1, 2], [3], [4], [5], [6]]
    assert one.batches == [(3, 32, 32, 3), (1, 64, 32, 3)]
    assert other.batches == [(2, 32, 32, 3)]


def test_a_pass_is_bounded_whatever_is_asked():
    graph = Counting("a")
    maps = forward.run([(graph, levels(*range(7))), (graph, levels(7, 8))], largest=4)
    assert np.concatenate(maps)[:, 0, 0, 0].tolist() == list(range(9))
    assert [shape[0] for shape in graph.batches] == [4, 4, 1]


def test_nothing_asked_is_nothing_run():
    assert forward.run([]) == []
