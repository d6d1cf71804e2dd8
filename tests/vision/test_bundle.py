"""Bundles: written whole or not at all, read with suspicion, named by a fingerprint of all that judges."""

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from inspectd.errors import BadBundle, StateError
from inspectd.vision import bundle
from inspectd.vision.bundle import FoundThreshold, fingerprint
from tests.vision import make


@pytest.fixture
def target(state):
    return state.bundle("weave", "default", 1)


@pytest.fixture
def written(target):
    return bundle.write(target, make.manifest(), make.arrays(), make.golden())


def edit(target, change):
    """Change manifest.json as a careless person or a newer release would."""
    path = target / "manifest.json"
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


class TestWrite:
    def test_what_was_written_is_read_back(self, written, target):
        read = bundle.read(target)
        assert read.manifest == written.manifest
        assert read.number == 1
        assert {role: array.tolist() for role, array in read.arrays.items()} == {
            role: array.tolist() for role, array in make.arrays().items()
        }
        assert np.array_equal(read.golden.defective, make.golden().defective)

    def test_nothing_else_is_left_beside_it(self, written, target):
        assert [path.name for path in target.parent.iterdir()] == ["1"]

    def test_a_bundle_is_never_overwritten(self, written, target):
        with pytest.raises(BadBundle, match="exists already"):
            bundle.write(target, make.manifest(), make.arrays(), make.golden())
        bundle.read(target)

    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_a_bank_with_a_number_that_is_none_is_not_written(self, target, bad):
        arrays = make.arrays()
        arrays["bank"][3, 2] = bad
        with pytest.raises(BadBundle, match=r"bank\.npy: expected finite numbers, got 1 "):
            bundle.write(target, make.manifest(), arrays, make.golden())
        assert list(target.parent.iterdir()) == []

    @pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
    def test_a_threshold_that_decides_nothing_is_not_written(self, target, threshold):
        with pytest.raises(BadBundle, match=r"manifest\.json: cannot be stored"):
            bundle.write(target, make.manifest(threshold=threshold), make.arrays(), make.golden())
        assert not target.exists()

    def test_a_member_without_its_bank_is_not_written(self, target):
        arrays = make.arrays()
        del arrays["bank"]
        with pytest.raises(BadBundle, match="expected arrays of the roles bank"):
            bundle.write(target, make.manifest(), arrays, make.golden())

    def test_a_directory_that_cannot_be_made_is_named(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(StateError, match="bundles/1: cannot be written"):
            bundle.write(tmp_path / "file" / "bundles" / "1", make.manifest(), make.arrays(), make.golden())

    def test_a_write_that_breaks_off_leaves_nothing(self, target, monkeypatch):
        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StateError, match="No space left"):
            bundle.write(target, make.manifest(), make.arrays(), make.golden())
        assert list(target.parent.iterdir()) == []


class TestRefused:
    def refusal(self, target):
        with pytest.raises(BadBundle) as caught:
            bundle.read(target)
        return str(caught.value)

    def test_no_bundle_at_all(self, target):
        assert "manifest.json: cannot be read: No such file" in self.refusal(target)

    def test_a_newer_format_even_with_fields_we_do_not_know(self, written, target):
        edit(target, lambda fields: fields.update(format=2, wavelets=True))
        assert "expected bundle format 1, got 2; update inspectd" in self.refusal(target)

    def test_an_unknown_field(self, written, target):
        edit(target, lambda fields: fields.update(wavelets=True))
        assert "wavelets" in self.refusal(target)

    def test_a_manifest_that_is_no_json(self, written, target):
        (target / "manifest.json").write_bytes(b"\xff\xfe{")
        assert "manifest.json: expected a bundle's manifest" in self.refusal(target)

    def test_a_threshold_changed_by_hand(self, written, target):
        edit(target, lambda fields: fields.update(threshold=9.0))
        assert f"expected fingerprint {written.manifest.fingerprint}" in self.refusal(target)

    @pytest.mark.parametrize("name", ["bank.npy", "channel_mean.npy", "golden.npz"])
    def test_a_missing_file(self, written, target, name):
        (target / name).unlink()
        assert f"{name}: cannot be read: No such file" in self.refusal(target)

    @pytest.mark.parametrize("name", ["bank.npy", "golden.npz"])
    def test_a_single_flipped_bit(self, written, target, name):
        data = bytearray((target / name).read_bytes())
        data[-5] ^= 1
        (target / name).write_bytes(data)
        assert f"{name}: expected sha256" in self.refusal(target)

    def reseal(self, target, array):
        """Store another bank under a manifest whose sha256 fits it, as a broken calibration would."""
        np.save(target / "bank.npy", array, allow_pickle=array.dtype == object)

        def change(fields):
            for ref in fields["arrays"]:
                if ref["role"] == "bank":
                    ref["sha256"] = bundle.checksum(target / "bank.npy")

        edit(target, change)
        edit(target, lambda fields: fields.update(fingerprint=bundle._digest_of(fields)[:16]))

    def test_nan_in_a_bank(self, written, target):
        bank = make.arrays()["bank"]
        bank[0, 0] = np.nan
        self.reseal(target, bank)
        assert "bank.npy: expected finite numbers, got 1" in self.refusal(target)

    def test_another_shape(self, written, target):
        self.reseal(target, make.arrays()["bank"][:-1])
        assert "bank.npy: expected float32 of shape (20, 8), got float32 of shape (19, 8)" in self.refusal(target)

    def test_another_dtype(self, written, target):
        self.reseal(target, make.arrays()["bank"].astype(np.float64))
        assert "got float64" in self.refusal(target)

    def test_a_pickle(self, written, target):
        self.reseal(target, np.array([{"a": 1}], object))
        assert "bank.npy: expected a NumPy array: Object arrays cannot be loaded" in self.refusal(target)

    @pytest.mark.parametrize("name", ["../bank.npy", "/etc/passwd", ".hidden"])
    def test_an_array_outside_the_bundle(self, written, target, name):
        edit(target, lambda fields: fields["arrays"][0].update(file=name))
        assert "expected a bundle's manifest" in self.refusal(target)


CHANGES = st.sampled_from(
    [
        {"threshold": 5.000001},
        {"seed": 1},
        {"station": "wave"},
        {"product": "other"},
        {"versions": {"numpy": "2.0"}},
        {"pictures": {"a.png": "00" * 32}},
        {"metrics": {"auroc": 0.9}},
        {"golden_sha256": "00" * 32},
        {"thresholds": {"f1": FoundThreshold(value=5.0, how="F1")}},
        {"members": (replace(make.manifest().members[0], sigma=1.1),)},
        {"picture": replace(make.manifest().picture, roi=(0, 0, 32, 32))},
        {"arrays": (bundle.ArrayRef("bank", "bank.npy", (1, 2), "float32", "00" * 32),)},
    ]
)
OUTSIDE = st.fixed_dictionaries(
    {"created": st.text(), "signature": st.text(), "fingerprint": st.text(), "timings": st.dictionaries(st.text(), st.floats())}
)


FIRST_RELEASE = """
{"format":1,"station":"weave","product":"default","members":[{"method":"patchcore",
"backbone":"abababababababababababababababababababababababababababababababab","backbone_name":"lite0","layers":[2,4],
"patch":3,"input_px":[64,64],"tiling":null,"score":"smoothed_max","sigma":1.0,"map_sigma_px":4.0,"normalisation":"channel",
"weight":1.0,"arrays":{"bank":"bank","channel_mean":"channel_mean","channel_scale":"channel_scale"}}],
"picture":{"camera_px":[96,96],"pixel_format":"mono8","roi":null,"mask_sha256":"","mm_per_px":null},"threshold":5.0,
"thresholds":{},"seed":0,"versions":{},"pictures":{},"metrics":{},"arrays":[],"golden_sha256":"",
"fingerprint":"13c3a93636c07814","created":"","signature":"","timings":{}}
"""


class TestFingerprint:
    @settings(max_examples=40)
    @given(OUTSIDE)
    def test_who_when_and_how_long_do_not_change_it(self, changes):
        assert fingerprint(make.manifest(**changes)) == fingerprint(make.manifest())

    @settings(max_examples=40)
    @given(CHANGES, CHANGES)
    def test_two_manifests_share_it_only_if_they_judge_alike(self, one, other):
        assert (fingerprint(make.manifest(**one)) == fingerprint(make.manifest(**other))) == (one == other)
        assert fingerprint(make.manifest(**one)) != fingerprint(make.manifest())

    @given(st.permutations(["a.png", "b.png", "c.png"]))
    def test_the_order_of_a_mapping_does_not_change_it(self, names):
        expected = fingerprint(make.manifest(pictures={"a.png": "x", "b.png": "x", "c.png": "x"}))
        assert fingerprint(make.manifest(pictures=dict.fromkeys(names, "x"))) == expected

    def test_a_manifest_of_the_first_release_is_read_as_it_was_written(self, target):
        """Members had no stride, scale or tiles yet. A refusal here means that bundles in the field are refused."""
        target.mkdir(parents=True)
        (target / "manifest.json").write_text(FIRST_RELEASE)
        read = bundle.read_manifest(target)
        assert read.fingerprint == "13c3a93636c07814"
        assert read.members == make.manifest().members

    def test_a_whole_number_in_a_field_of_fractions_is_the_same_number(self, target):
        written = bundle.write(target, make.manifest(threshold=5), make.arrays(), make.golden())
        assert bundle.read(target).manifest.fingerprint == written.manifest.fingerprint == fingerprint(written.manifest)

    def test_a_bundle_of_a_release_that_knew_fewer_settings_is_still_itself(self, written, target):
        edit(target, lambda fields: fields["members"][0].pop("tiling"))
        fields = json.loads((target / "manifest.json").read_text())
        edit(target, lambda to: to.update(fingerprint=bundle._digest_of(fields)[:16]))
        assert bundle.read(target).manifest.members == written.manifest.members

    def test_every_field_is_inside_or_deliberately_outside(self):
        assert set(bundle._OUTSIDE_FINGERPRINT) < set(asdict(make.manifest()))

    def test_the_same_inputs_give_the_same_bundle(self, state, written):
        again = bundle.write(state.bundle("weave", "default", 2), make.manifest(), make.arrays(), make.golden())
        assert again.manifest.fingerprint == written.manifest.fingerprint


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["manifest.json", "bank.npy", "golden.npz"]), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_whatever_byte_is_changed_the_bundle_is_refused_or_judges_as_before(sound, name, where, change):
    path = sound.directory / name
    before = path.read_bytes()
    damaged = bytearray(before)
    damaged[int(where * len(damaged))] ^= change
    path.write_bytes(damaged)
    try:
        read = bundle.read(sound.directory)
        assert fingerprint(read.manifest) == sound.manifest.fingerprint
        assert np.array_equal(read.arrays["bank"], sound.arrays["bank"])
    except BadBundle as error:
        assert str(error).startswith(str(sound.directory))  # noqa: PT017 (either way is right)
    finally:
        path.write_bytes(before)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return bundle.write(tmp_path_factory.mktemp("bundles") / "1", make.manifest(), make.arrays(), make.golden())


class TestVerify:
    def test_a_whole_bundle_is_verified_and_its_manifest_returned(self, state):
        made = make.idle_bundle(state)
        assert bundle.verify(made.directory) == made.manifest

    @pytest.mark.parametrize("name", ["bank.npy", "channel_mean.npy", "golden.npz", "graph"])
    @pytest.mark.parametrize("how", ["changed", "missing"])
    def test_every_file_that_judges_is_compared_with_its_checksum(self, state, name, how):
        made = make.idle_bundle(state)
        graph = f"{made.manifest.members[0].backbone}.onnx"
        path = state.backbones / graph if name == "graph" else made.directory / name
        data = path.read_bytes()
        if how == "changed":
            path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        else:
            path.unlink()
        with pytest.raises(BadBundle, match=f"{path}: {'expected sha256' if how == 'changed' else 'cannot be read'}"):
            bundle.verify(made.directory)
