"""Other people's ViTPose gives the heatmaps that their own code gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import posegraph
from posegraph.errors import PoseGraphError
from posegraph.models.weights import load_weights


@pytest.mark.parametrize("decoder", ["classic", "simple"])
@pytest.mark.parametrize("size", ["s", "b"])
def test_heatmaps_are_those_of_transformers(
    size: str, decoder: str, vitpose, official, mmpose1, images, coco_labels, tmp_path: Path
) -> None:
    """The folder that transformers saves, the official file's names, and mmpose 1.x's: one ViTPose, three times."""
    theirs = vitpose(size, decoder, coco_labels)
    with torch.no_grad():
        wanted = theirs(images).heatmaps
    assert wanted.std() > 0.1
    theirs.save_pretrained(tmp_path / "hf")
    torch.save({"state_dict": official(theirs.state_dict()), "meta": {"epoch": 210}}, tmp_path / "vitpose.pth")
    if size == "s":
        torch.save({"state_dict": mmpose1(theirs.state_dict())}, tmp_path / "td-hm.pth")
    model = posegraph.build_model(f"vitpose-{size}", skeleton="coco17", weights=tmp_path / "hf").eval()
    assert model.config.decoder == decoder
    reports = [model.weights_report]
    torch.testing.assert_close(model.heatmaps(images), wanted, atol=1e-4, rtol=0)
    for spec in ("vitpose.pth", "td-hm.pth") if size == "s" else ("vitpose.pth",):
        for tensor in model.state_dict().values():
            tensor.zero_()
        reports.append(load_weights(model, tmp_path / spec))
        found = model.heatmaps(images)
        assert found.shape == (1, 17, 64, 48)
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)
    for report in reports:
        assert len(report.loaded) == len(model.state_dict())
        assert (report.left_out, report.initialised, report.initialised_joints) == ((), (), ())


def test_a_downloaded_vitpose_is_recognised_by_its_shapes(vitpose, coco_labels, tmp_path: Path) -> None:
    theirs = vitpose("s", "simple", coco_labels, image_size=(128, 96))
    theirs.save_pretrained(tmp_path)
    model = posegraph.load(tmp_path)
    assert (model.config.preset, model.config.input_hw, model.config.decoder) == ("vitpose-s", (128, 96), "simple")
    assert (model.skeleton.name, model.training) == ("coco17", False)
    images = torch.randn(1, 3, 128, 96)
    with torch.no_grad():
        torch.testing.assert_close(model.heatmaps(images), theirs(images).heatmaps, atol=1e-4, rtol=0)


@pytest.mark.parametrize("expert", [0, 2])
def test_an_expert_of_vitpose_plus_folds_into_a_plain_vitpose(
    expert: int, vitpose, official, tiny, images, coco_labels, tmp_path: Path
) -> None:
    """Against transformers' own mixture of experts, told by ``dataset_index`` which one to take."""
    theirs = vitpose("tiny", labels=coco_labels, num_experts=3, part_features=8)
    with torch.no_grad():
        wanted = theirs(images, dataset_index=torch.tensor([expert])).heatmaps
        other = theirs(images, dataset_index=torch.tensor([1])).heatmaps
    assert (wanted - other).abs().max() > 1e-3
    theirs.save_pretrained(tmp_path / "hf")
    # Expert 0's decoder is the file's first in both layouts; the official one holds the others' as well.
    names = official(theirs.state_dict())
    if expert:
        for key in [key for key in names if key.startswith("keypoint_head.")]:
            names[key.replace("keypoint_head", "associate_keypoint_heads.1")] = names[key]
            names[key] = torch.full_like(names[key], 9)
    torch.save({"state_dict": names}, tmp_path / "vitpose+.pth")
    for spec in ("hf", "vitpose+.pth"):
        model = tiny(skeleton="coco17", weights=tmp_path / spec, weights_expert=expert, weights_skeleton="coco17")
        torch.testing.assert_close(model.heatmaps(images), wanted, atol=1e-5, rtol=0)
        report = model.weights_report
        assert f"expert {expert} of 3 folded into mlp.fc2" in str(report)
        others = {key for key in report.left_out if ".experts." in key}
        assert len(others) == 2 * 2 * 2  # two other experts in two blocks, weight and bias
        assert not any(f".experts.{expert}." in key for key in others)


def test_an_expert_that_is_not_there(vitpose, tiny, tmp_path: Path) -> None:
    vitpose("tiny", num_experts=3, part_features=8).save_pretrained(tmp_path / "plus")
    vitpose("tiny").save_pretrained(tmp_path / "plain")
    with pytest.raises(PoseGraphError, match=r"has experts 0 to 2, got weights_expert 3; choose one that is there"):
        tiny(weights=tmp_path / "plus", weights_expert=3)
    with pytest.raises(PoseGraphError, match=r"has no mixture of experts, got weights_expert 1"):
        tiny(weights=tmp_path / "plain", weights_expert=1)


def test_other_experts_know_other_joints(vitpose, official, tiny, tmp_path: Path) -> None:
    """17 rows of expert 3 are an animal's: nothing is taken for granted."""
    names = official(vitpose("tiny", num_experts=4, part_features=8).state_dict())
    heads = {
        key.replace("keypoint_head", "associate_keypoint_heads.2"): value
        for key, value in names.items()
        if "keyp" in key
    }
    torch.save(names | heads, tmp_path / "plus.pth")
    with pytest.raises(PoseGraphError, match=r"does not say which joints its decoder's 17 rows are"):
        tiny(weights=tmp_path / "plus.pth", weights_expert=3)


def test_weights_in_shards_and_in_half_precision(vitpose, tiny, images, coco_labels, tmp_path: Path) -> None:
    theirs = vitpose("tiny", labels=coco_labels)
    theirs.save_pretrained(tmp_path / "shards", max_shard_size="60KB")
    assert (tmp_path / "shards/model.safetensors.index.json").is_file()
    with torch.no_grad():
        wanted = theirs(images).heatmaps
    torch.testing.assert_close(tiny(weights=tmp_path / "shards").heatmaps(images), wanted, atol=1e-5, rtol=0)
    theirs.save_pretrained(tmp_path / "whole")
    half = {key: value.half() for key, value in load_file(tmp_path / "whole/model.safetensors").items()}
    save_file(half, tmp_path / "half.safetensors")
    model = tiny(weights=tmp_path / "half.safetensors")
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32, torch.int64}
    torch.testing.assert_close(model.heatmaps(images), wanted, atol=0.05, rtol=0)


def test_what_torch_saved_before_its_zip_files(vitpose, official, tiny, images, tmp_path: Path) -> None:
    """OpenMMLab publishes in that format."""
    theirs = vitpose("tiny")
    content = {"state_dict": official(theirs.state_dict())}
    torch.save(content, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    with torch.no_grad():
        wanted = theirs(images).heatmaps
    torch.testing.assert_close(tiny(weights=tmp_path / "old.pth").heatmaps(images), wanted, atol=1e-5, rtol=0)


def test_a_decoder_that_the_configuration_excludes_is_left_out(vitpose, tiny, tmp_path: Path) -> None:
    vitpose("tiny", "simple").save_pretrained(tmp_path)
    model = tiny(weights=tmp_path, decoder="classic")
    report = model.weights_report
    assert {"head.conv.weight", "head.conv.bias"} == set(report.left_out)
    assert {name.split(".")[0] for name in report.initialised} == {"heatmap_head"}


def test_the_graph_head_starts_on_top_of_a_vitpose(vitpose, tiny, images, coco_labels, tmp_path: Path) -> None:
    theirs = vitpose("tiny", "simple", coco_labels)
    theirs.save_pretrained(tmp_path)
    model = tiny("ncstr-s", weights=tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(model.heatmaps(images), theirs(images).heatmaps, atol=1e-4, rtol=0)
    assert (model.config.variant, model.config.decoder) == ("full", "simple")
    head = {name.split(".")[0] for name in model.weights_report.initialised}
    assert head == {"joint_embedding", "pose_query", "local", "global_", "cross_branch", "fusion"}


def test_load_weights_changes_a_model_in_place(vitpose, tiny, images, tmp_path: Path) -> None:
    theirs = vitpose("tiny")
    theirs.save_pretrained(tmp_path)
    model = tiny()
    before = model.heatmaps(images)
    report = load_weights(model, tmp_path, skeleton="coco17")
    with torch.no_grad():
        wanted = theirs(images).heatmaps
    assert (before - wanted).abs().max() > 0.01
    torch.testing.assert_close(model.heatmaps(images), wanted, atol=1e-5, rtol=0)
    assert report.assumptions == ()
    assert str(report).splitlines()[:2] == [
        f"weights from {tmp_path}: ViTPose (Hugging Face), classic decoder",
        "  loaded 43 tensors",
    ]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"embed_dim": 48}, r"its backbone has 32 channels and 2 blocks, the model's 48 and 2; choose the preset of "),
        ({"depth": 3}, r"its backbone has 32 channels and 2 blocks, the model's 32 and 3"),
        ({"num_heads": 4}, r"was trained with 2 heads, the model has 4; set model.num_heads=2"),
        (
            {"deconv_channels": (64, 256)},
            r"head.batchnorm1.bias has shape \(256,\), the model's heatmap_head.deconv.1",
        ),
    ],
)
def test_other_sizes_are_refused(overrides: dict[str, object], message: str, vitpose, tiny, tmp_path: Path) -> None:
    vitpose("tiny").save_pretrained(tmp_path)
    with pytest.raises(PoseGraphError, match=message):
        tiny(weights=tmp_path, **overrides)


def test_heatmaps_are_those_of_evaluation_and_leave_the_mode_alone(vitpose, tiny, images, tmp_path: Path) -> None:
    """A model is built in training mode, whose batch norms and stochastic depth would spoil a first look."""
    theirs = vitpose("tiny")
    theirs.save_pretrained(tmp_path)
    model = tiny(weights=tmp_path, drop_path=0.5).train()
    model.heatmap_head.eval()
    with torch.no_grad():
        torch.testing.assert_close(model.heatmaps(images), theirs(images).heatmaps, atol=1e-5, rtol=0)
    assert model.training
    assert model.backbone.training
    assert not model.heatmap_head.training
    assert not model.heatmap_head.final.training


def test_patches_of_another_kind_are_refused(vitpose, official, tiny, tmp_path: Path) -> None:
    names = official(vitpose("tiny").state_dict())
    key = "backbone.patch_embed.proj.weight"
    torch.save(names | {key: names[key].flatten(1)}, tmp_path / "linear.pth")
    with pytest.raises(PoseGraphError, match=r"patch_embed\.proj\.weight has shape \(32, 768\), the model's backbone"):
        tiny(weights=tmp_path / "linear.pth")
