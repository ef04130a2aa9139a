"""Backbones without a decoder: timm, MAE, DINO, DINOv2 and Hugging Face's ViTs.

posegraph's patches are padded and its grid has no class token, so features of the whole backbone are another project's
only from the tokens on: the blocks and the last norm are compared on the same tokens, and the rest part by part.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
import transformers
from timm.layers import resample_patch_embed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from posegraph.errors import PoseGraphError

TOKENS = torch.randn(2, 192, 32, generator=torch.Generator().manual_seed(3))


def after_blocks(vit: VisionTransformer) -> Tensor:
    with torch.no_grad():
        tokens: Tensor = vit.norm(vit.blocks(TOKENS))
    return tokens


def scrambled(module: nn.Module) -> nn.Module:
    """With random weights of ordinary size everywhere."""
    torch.manual_seed(5)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.normal_(std=0.3).add_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
    return module.eval()


def timm_vit(**changes: object) -> VisionTransformer:
    settings = {"img_size": 224, "patch_size": 16, "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 10}
    return scrambled(VisionTransformer(**{**settings, **changes}))


def test_a_vit_of_timm_or_mae(tiny, tmp_path: Path) -> None:
    theirs = timm_vit()
    decoder = {"decoder_blocks.0.norm1.weight": torch.ones(8), "mask_token": torch.zeros(1, 1, 8)}
    torch.save({"model": theirs.state_dict() | decoder}, tmp_path / "mae.pth")
    model = tiny(weights=tmp_path / "mae.pth")
    vit = model.backbone.vit
    torch.testing.assert_close(after_blocks(vit), after_blocks(theirs))
    assert torch.equal(vit.patch_embed.proj.weight, theirs.patch_embed.proj.weight)
    report = model.weights_report
    assert report.layout == "ViT (timm, MAE, DINO), no decoder"
    assert report.resized == (
        "positions 14x14 -> 16x12, bicubic; row 0 of the positions is the class token's, left out",
    )
    assert set(report.left_out) == {"cls_token", "head.weight", "head.bias", *decoder}
    assert {name.split(".")[0] for name in report.initialised} == {"heatmap_head"}
    assert report.initialised_joints == ()
    assert report.assumptions == ("it was trained with 2 heads (the file does not say)",)


def test_dinov2_folds_its_layer_scale_and_resizes_its_patches(tiny, tmp_path: Path) -> None:
    theirs = timm_vit(patch_size=14, img_size=518, init_values=1e-5, reg_tokens=4, no_embed_class=True)
    torch.save(theirs.state_dict(), tmp_path / "dinov2.pth")
    model = tiny(weights=tmp_path / "dinov2.pth")
    vit = model.backbone.vit
    torch.testing.assert_close(after_blocks(vit), after_blocks(theirs))
    wanted = resample_patch_embed(theirs.patch_embed.proj.weight.detach(), [16, 16])
    torch.testing.assert_close(vit.patch_embed.proj.weight.detach(), wanted)
    report = model.weights_report
    assert report.resized == (
        "LayerScale folded into attn.proj and mlp.fc2",
        "positions 37x37 -> 16x12, bicubic",
        "patch kernel 14x14 -> 16x16",
    )
    assert {"cls_token", "reg_token"} < set(report.left_out)


def test_dinov2s_training_groups_its_blocks_in_chunks(tiny, tmp_path: Path) -> None:
    theirs = timm_vit()
    chunked = {
        key.replace("blocks.0", "blocks.0.0").replace("blocks.1", "blocks.1.1"): v
        for key, v in theirs.state_dict().items()
    }
    torch.save({"teacher": {f"backbone.{key}": value for key, value in chunked.items()}}, tmp_path / "teacher.pth")
    model = tiny(weights=tmp_path / "teacher.pth")
    torch.testing.assert_close(after_blocks(model.backbone.vit), after_blocks(theirs))


SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 224, "patch_size": 16}
HUGGING_FACE = {
    "vit": lambda: transformers.ViTForImageClassification(transformers.ViTConfig(intermediate_size=128, **SIZES)),
    "mae": lambda: transformers.ViTMAEForPreTraining(
        transformers.ViTMAEConfig(intermediate_size=128, decoder_hidden_size=16, decoder_num_hidden_layers=1, **SIZES)
    ),
    "dinov2": lambda: transformers.Dinov2Model(transformers.Dinov2Config(**SIZES)),
    "dinov2 with registers": lambda: transformers.Dinov2WithRegistersModel(
        transformers.Dinov2WithRegistersConfig(**SIZES)
    ),
}


@pytest.mark.parametrize("names", ["as saved", "as in memory"])
@pytest.mark.parametrize("kind", HUGGING_FACE)
def test_vits_of_hugging_face(kind: str, names: str, tiny, tmp_path: Path) -> None:
    """transformers 5 renamed its tensors in memory, and saves them under the old names: both are read."""
    theirs = scrambled(HUGGING_FACE[kind]())
    theirs.save_pretrained(tmp_path)
    if names == "as in memory":
        assert any("q_proj" in key for key in theirs.state_dict())
        torch.save(theirs.state_dict(), tmp_path / "file.pth")
    model = tiny(weights=tmp_path / "file.pth" if names == "as in memory" else tmp_path)
    inside = getattr(theirs, "vit", theirs)
    hidden = TOKENS
    with torch.no_grad():
        for block in inside.encoder.layer if hasattr(inside, "encoder") else inside.layers:
            hidden = block(hidden)
        wanted = inside.layernorm(hidden)
    torch.testing.assert_close(after_blocks(model.backbone.vit), wanted, atol=1e-4, rtol=1e-4)
    report = model.weights_report
    assert report.layout == "ViT (Hugging Face), no decoder"
    assert "row 0 of the positions is the class token's, left out" in str(report)
    assert {name.split(".")[0] for name in report.initialised} == {"heatmap_head"}
    assert report.assumptions == (
        () if names == "as saved" else ("it was trained with 2 heads (the file does not say)",)
    )


def test_timms_own_names(tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = timm_vit()
    asked = []

    def create_model(name: str, pretrained: bool) -> nn.Module:
        asked.append((name, pretrained))
        return theirs

    monkeypatch.setattr(timm, "create_model", create_model)
    model = tiny(weights="timm:vit_tiny_of_this_test")
    assert asked == [("vit_tiny_of_this_test", True)]
    torch.testing.assert_close(after_blocks(model.backbone.vit), after_blocks(theirs))
    assert model.weights_report.assumptions == ()  # timm says how many heads there are
    with pytest.raises(PoseGraphError, match=r"was trained with 2 heads, the model has 4; set model\.num_heads=2"):
        tiny(weights="timm:vit_tiny_of_this_test", num_heads=4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet18.none", r"timm:resnet18\.none: timm gives no such weights \(.*\); timm\.list_pretrained"),
        ("vit_base_patch99", r"timm gives no such weights \(Unknown model"),
    ],
)
def test_names_that_timm_does_not_know(name: str, message: str, tiny) -> None:
    with pytest.raises(PoseGraphError, match=message):
        tiny(weights=f"timm:{name}")


def test_another_kind_of_model_of_timm(tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained: nn.Linear(2, 2))
    with pytest.raises(PoseGraphError, match=r"timm:resnet: is a Linear; expected a plain vision transformer"):
        tiny(weights="timm:resnet")


@pytest.mark.parametrize("changes", [{"qk_norm": True}, {"mlp_layer": timm.layers.SwiGLU}])
def test_blocks_that_compute_something_else_are_refused(changes: dict[str, object], tiny, tmp_path: Path) -> None:
    torch.save(timm_vit(**changes).state_dict(), tmp_path / "other.pth")
    with pytest.raises(
        PoseGraphError, match=r"its blocks also hold blocks\.0\.\w+\.\w+.*, which a plain ViT's do not; give"
    ):
        tiny(weights=tmp_path / "other.pth")


def test_a_backbone_alone_predicts_nothing(tiny, tmp_path: Path) -> None:
    import posegraph

    torch.save(timm_vit().state_dict(), tmp_path / "vit.pth")
    with pytest.raises(PoseGraphError, match=r"holds a backbone without a decoder, which predicts nothing yet; train "):
        posegraph.load(tmp_path / "vit.pth")
