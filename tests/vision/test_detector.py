"""A bundle at work: it finds the scratch, says the same at any batch size, and is refused when it would not."""

import numpy as np
import pytest
from msgspec.structs import replace

from inspectd.errors import BadBundle
from inspectd.station.schema import Tiling
from inspectd.vision import bundle
from inspectd.vision.backbone import Backbone
from inspectd.vision.bundle import Bundle
from inspectd.vision.detector import Detector, judge, label
from inspectd.wire.enums import Verdict
from tests.vision import make


@pytest.fixture
def directory(state):
    return make.real_bundle(state).directory


@pytest.fixture
def detector(directory):
    return Detector.open(directory)


class TestJudging:
    def test_good_parts_pass_and_scratched_parts_fail(self, detector):
        assert {result.label for result in detector.score([make.good_part(i) for i in range(20, 24)])} == {Verdict.PASS}
        assert {result.label for result in detector.score([make.defective_part(i) for i in range(20, 24)])} == {Verdict.FAIL}

    def test_the_map_is_hottest_on_the_scratch(self, detector):
        hot = detector.score([make.defective_part(30)])[0].map
        assert hot.shape == (make.SIDE, make.SIDE)
        assert hot.dtype == np.float32
        row, column = np.unravel_index(hot.argmax(), hot.shape)
        assert 36 <= row <= 50
        assert 16 <= column <= 80

    def test_the_map_travels_per_mille_of_the_threshold(self, detector):
        result = detector.score([make.defective_part(30)])[0]
        travels = detector.map_per_mille(result)
        assert travels.dtype == np.uint16
        assert travels.max() == round(float(result.map.max()) * 1000 / detector.threshold)

    @pytest.mark.parametrize("score", ["power_mean", "smoothed_max", "max", "eq7"])
    def test_scores_do_not_depend_on_the_batch(self, state, score):
        detector = Detector.open(make.real_bundle(state, score=score).directory)
        parts = [make.good_part(i) for i in range(3)] + [make.defective_part(i) for i in range(3)]
        alone = [detector.score([part])[0].score for part in parts]
        assert [result.score for result in detector.score(parts)] == pytest.approx(alone, rel=1e-4)

    def test_the_three_steps_apart_give_what_score_gives(self, detector):
        part = make.defective_part(7)
        vectors = detector.backbone.run(detector.prepare(part)[None])
        assert detector.judge(vectors[0]).score == pytest.approx(detector.score([part])[0].score, rel=1e-6)

    def test_no_pictures_give_no_results(self, detector):
        assert detector.score([]) == []

    def test_a_masked_scratch_is_not_seen(self, state):
        stored = make.real_bundle(state)
        mask = np.full((make.SIDE, make.SIDE), 255, np.uint8)
        mask[30:56, 10:86] = 0
        graph = make.backbone(state)
        picture = replace(stored.manifest.picture, mask_sha256="ab" * 32)
        masked = Bundle(
            stored.directory, replace(stored.manifest, picture=picture), {**stored.arrays, "mask": mask}, stored.golden
        )
        good, scratched = Detector(masked, graph).score([make.good_part(9), make.defective_part(9)])
        assert good.score == scratched.score
        assert not np.array_equal(
            *(Detector(stored, graph).score([part])[0].map for part in (make.good_part(9), make.defective_part(9)))
        )


class TestMembers:
    """Two members: one sees the part in 64 x 64 with every patch, one in 2 x 2 tiles with every other patch."""

    @pytest.fixture
    def both(self, state):
        return make.two_members(state)

    def test_the_score_is_the_weighted_sum_in_units_of_each_members_spread(self, both):
        part = make.defective_part(31)
        one, other = (member.judge(member.backbone.run(member.view.prepare(part))).scores[0] for member in both.members)
        assert both.score([part])[0].score == pytest.approx(one / 0.5 + 3 * other / 2.0, rel=1e-5)

    def test_the_map_is_the_same_sum_of_maps_in_roi_pixels(self, both):
        part = make.defective_part(31)
        maps = [
            member.view.heat(member.judge(member.backbone.run(member.view.prepare(part))).distances[0])
            for member in both.members
        ]
        got = both.score([part])[0].map
        assert got.shape == (make.SIDE, make.SIDE)
        np.testing.assert_allclose(got, maps[0] / 0.5 + 3 * maps[1] / 2.0, rtol=1e-4)

    def test_good_parts_score_below_scratched_ones_and_the_map_is_hottest_on_the_scratch(self, both):
        good = both.score([make.good_part(i) for i in range(20, 24)])
        bad = both.score([make.defective_part(i) for i in range(20, 24)])
        assert max(result.score for result in good) < min(result.score for result in bad)
        row, column = np.unravel_index(bad[0].map.argmax(), bad[0].map.shape)
        assert 34 <= row <= 52
        assert 14 <= column <= 82

    def test_scores_do_not_depend_on_the_batch(self, both):
        parts = [make.good_part(i) for i in range(3)] + [make.defective_part(i) for i in range(3)]
        alone = [both.score([part])[0].score for part in parts]
        assert [result.score for result in both.score(parts)] == pytest.approx(alone, rel=1e-4)

    def test_scores_do_not_depend_on_the_threads(self, state, both):
        parts = [make.good_part(3), make.defective_part(3)]
        expected = [result.score for result in both.score(parts)]
        for threads in (2, 3):
            again = make.two_members(state, threads)
            assert [result.score for result in again.score(parts)] == pytest.approx(expected, rel=1e-4)

    def test_members_of_one_graph_share_its_session_and_the_batch_key_names_all(self, both):
        one, other = both.members
        assert one.backbone is other.backbone
        assert both.batch_key == f"{one.backbone.sha256}+{one.backbone.sha256}x4"

    def test_several_detectors_are_asked_at_once(self, both, detector):
        parts = [make.good_part(8), make.defective_part(8)]
        asked = [(both, parts[0]), (detector, parts[0]), (both, parts[1]), (detector, parts[1])]
        expected = [one.score([part])[0].score for one, part in asked]
        assert [result.score for result in judge(asked)] == pytest.approx(expected, rel=1e-4)

    def test_tensors_of_one_member_cannot_be_asked_of_several(self, both):
        with pytest.raises(ValueError, match="expected a bundle of one member, got 2"):
            both.prepare(make.good_part(0))

    @pytest.mark.parametrize("score", ["power_mean", "smoothed_max", "max", "eq7"])
    def test_a_tiled_score_is_taken_from_the_stitched_map(self, state, score):
        """The three steps apart give what score gives; a scratch across the tiles' borders counts once, not once a tile."""
        tiled = make.real_bundle(state, score=score, tiling=Tiling(rows=2, columns=2, overlap_px=24), stride=1)
        detector = Detector.open(tiled.directory)
        part = make.defective_part(7)
        inputs = detector.prepare(part)
        assert inputs.shape == (4, 64, 64, 3)
        result = detector.judge(detector.backbone.run(inputs))
        assert result.score == pytest.approx(detector.score([part])[0].score, rel=1e-5)
        if score == "max":
            assert result.score == pytest.approx(float(result.layers[0].distances.max()))
        assert result.map.shape == (make.SIDE, make.SIDE)


class TestLabel:
    @pytest.mark.parametrize(
        ("score", "expected"),
        [(4.9, "PASS"), (5.0, "FAIL"), (5.1, "FAIL"), (float("nan"), "FAIL"), (float("inf"), "FAIL"), (float("-inf"), "PASS")],
    )
    def test_only_a_score_below_the_threshold_passes(self, score, expected):
        assert label(score, 5.0) == expected


class TestOpening:
    def test_it_knows_its_bundle(self, detector, directory):
        manifest = bundle.read_manifest(directory)
        assert (detector.fingerprint, detector.threshold) == (manifest.fingerprint, manifest.threshold)
        assert detector.batch_key == manifest.members[0].backbone

    def test_stations_with_the_same_graph_share_a_session(self, state):
        sessions: dict[str, Backbone] = {}
        one, other = (Detector.open(make.real_bundle(state, number).directory, backbones=sessions) for number in (1, 2))
        assert one.backbone is other.backbone
        assert list(sessions) == [one.batch_key]

    def test_graphs_may_lie_elsewhere(self, state, directory, tmp_path):
        state.backbones.rename(tmp_path / "elsewhere")
        assert Detector.open(directory, backbone_dir=tmp_path / "elsewhere").threshold > 0
        with pytest.raises(BadBundle, match=r"\.onnx: cannot be read"):
            Detector.open(directory)

    def test_a_bundle_that_lies_nowhere_in_a_state_directory_says_which_graph_it_misses(self, directory, run_dir):
        directory.rename(run_dir / "1")
        with pytest.raises(BadBundle, match=r"backbones/[0-9a-f]{64}\.onnx: cannot be read"):
            Detector.open(run_dir / "1")

    def test_a_bundle_whose_scores_moved_is_refused_with_its_file(self, state):
        stored = make.real_bundle(state)
        moved = replace_golden(stored.golden, good_scores=stored.golden.good_scores * 1.05)
        other = bundle.write(state.bundle("weave", "default", 2), stored.manifest, stored.arrays, moved)
        with pytest.raises(BadBundle, match=r"2/golden\.npz: golden good picture 1: expected score"):
            Detector.open(other.directory)

    def test_a_bundle_without_members_is_refused(self, state):
        stored = make.real_bundle(state)
        with pytest.raises(BadBundle, match=r"manifest\.json: cannot be stored"):
            bundle.write(
                state.bundle("weave", "default", 2), replace(stored.manifest, members=()), stored.arrays, stored.golden
            )

    def test_a_bank_that_does_not_fit_the_graph_is_refused(self, state):
        stored = make.real_bundle(state)
        arrays = {**stored.arrays, **make.arrays(channels=8)}
        other = bundle.write(state.bundle("weave", "default", 2), stored.manifest, arrays, stored.golden)
        with pytest.raises(BadBundle, match="expected arrays for 64 channels"):
            Detector.open(other.directory)


def replace_golden(golden, **changes):
    return type(golden)(**{**vars(golden), **changes})
