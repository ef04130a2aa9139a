"""Position tables: the row before the grid, and another grid."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from posegraph.errors import PoseGraphError
from posegraph.models.weights.positions import fit_patches, fit_positions, source_grid


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (193, (16, 12)), (192, (16, 12)), (433, (24, 18)), (432, (24, 18)), (197, (14, 14)), (196, (14, 14)),
        (257, (16, 16)), (1370, (37, 37)), (1369, (37, 37)),
    ],
)  # fmt: skip
def test_the_grid_of_a_table(rows: int, wanted: tuple[int, int]) -> None:
    assert source_grid(rows, (8, 6), None, "file") == wanted


def test_what_the_file_says_goes_first_then_the_models_own_grid() -> None:
    assert source_grid(193, (16, 12), (12, 16), "file") == (12, 16)
    assert source_grid(193, (24, 8), None, "file") == (24, 8)
    assert source_grid(193, (24, 18), (14, 14), "file") == (16, 12)
    with pytest.raises(PoseGraphError, match=r"file: its position table has 200 rows, which are no 4:3 and no square"):
        source_grid(200, (16, 12), None, "file")


def test_193_rows_add_row_0_to_every_patch_and_192_add_nothing() -> None:
    table = torch.randn(1, 193, 4)
    fitted, said = fit_positions(table, (16, 12), None, class_token=False, spec="file")
    assert torch.equal(fitted, table[:, 1:] + table[:, :1])
    assert said == "row 0 of the positions added to every patch"
    fitted, said = fit_positions(table[:, 1:], (16, 12), None, class_token=False, spec="file")
    assert torch.equal(fitted, table[:, 1:])
    assert said is None


def test_a_class_tokens_row_is_dropped() -> None:
    table = torch.randn(1, 197, 4)
    fitted, said = fit_positions(table, (14, 14), None, class_token=True, spec="file")
    assert torch.equal(fitted, table[:, 1:])
    assert said == "row 0 of the positions is the class token's, left out"


def test_another_grid_is_interpolated_as_vitpose_does() -> None:
    table = torch.randn(1, 193, 4)
    fitted, said = fit_positions(table, (24, 18), None, class_token=False, spec="file")
    grid = table[:, 1:].transpose(1, 2).unflatten(2, (16, 12))  # [1, C, 16, 12]
    wanted = functional.interpolate(grid, size=(24, 18), mode="bicubic", align_corners=False) + table[0, 0].view(
        4, 1, 1
    )
    torch.testing.assert_close(fitted, wanted.flatten(2).transpose(1, 2))
    assert said == "positions 16x12 -> 24x18, bicubic; row 0 of the positions added to every patch"


def test_patch_kernels_keep_what_they_say_of_a_flat_image() -> None:
    """FlexiViT's resize is the one under which a kernel gives an enlarged patch what it gave the patch."""
    kernel = torch.randn(3, 3, 14, 14)
    resized, said = fit_patches(kernel, 16)
    assert (tuple(resized.shape), said) == ((3, 3, 16, 16), "patch kernel 14x14 -> 16x16")
    torch.testing.assert_close(resized.sum((2, 3)), kernel.sum((2, 3)), atol=1e-3, rtol=0)
    assert fit_patches(resized, 16) == (resized, None)


def test_a_model_for_larger_crops(vitpose, tiny, coco_labels, tmp_path: Path) -> None:
    theirs = vitpose("tiny", labels=coco_labels)
    theirs.save_pretrained(tmp_path)
    model = tiny(weights=tmp_path, input_hw=(384, 288))
    table = theirs.backbone.embeddings.position_embeddings.detach()
    grid = table[:, 1:].transpose(1, 2).unflatten(2, (16, 12))
    wanted = functional.interpolate(grid, size=(24, 18), mode="bicubic", align_corners=False).flatten(2).transpose(1, 2)
    torch.testing.assert_close(model.backbone.vit.pos_embed.detach(), wanted + table[:, :1])
    assert model.heatmaps(torch.zeros(1, 3, 384, 288)).shape == (1, 17, 96, 72)


def test_a_left_over_class_token_in_an_official_file(vitpose, official, tiny, tmp_path: Path) -> None:
    """ViTPose's multi-data-set files hold that of their MAE start; ViTPose does not use it, and adds row 0."""
    theirs = vitpose("tiny")
    names = official(theirs.state_dict())
    save_file(names | {"backbone.cls_token": torch.zeros(1, 1, 32)}, tmp_path / "multi.safetensors")
    model = tiny(weights=tmp_path / "multi.safetensors")
    table = load_file(tmp_path / "multi.safetensors")["backbone.pos_embed"]
    assert torch.equal(model.backbone.vit.pos_embed.detach(), table[:, 1:] + table[:, :1])
    assert model.weights_report.left_out == ("backbone.cls_token",)


def test_posegraphs_own_table_for_another_crop(tiny, tmp_path: Path) -> None:
    """16 rows are also a square, but the file says that they are 2 x 8."""
    source = tiny(input_hw=(32, 128))
    source.save_pretrained(tmp_path)
    model = tiny(input_hw=(64, 48), weights=tmp_path)
    grid = source.backbone.vit.pos_embed.detach().transpose(1, 2).unflatten(2, (2, 8))
    wanted = functional.interpolate(grid, size=(4, 3), mode="bicubic", align_corners=False)
    torch.testing.assert_close(model.backbone.vit.pos_embed.detach(), wanted.flatten(2).transpose(1, 2))
    assert model.weights_report.resized == ("positions 2x8 -> 4x3, bicubic",)
