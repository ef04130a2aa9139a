"""Weights that others publish: the Hugging Face hub, and timm's models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import timm
from huggingface_hub import hf_hub_download, snapshot_download
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from posegraph.errors import PoseGraphError

_ID = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(?:/(?P<file>[\w./+-]+))?", re.ASCII)
_WANTED = (["config.json", "model*.safetensors", "model*.safetensors.index.json"], ["pytorch_model*.bin*"])
"""safetensors first: what else a model's page holds is often the same weights again."""


def fetched_from_hub(spec: str) -> Path:
    """The folder, or the one file, of ``owner/name`` or ``owner/name/file`` in the hub's local cache.

    Raises :class:`PoseGraphError` for what is no such id, and for what is neither in the cache nor to be fetched.
    """
    parts = _ID.fullmatch(spec)
    if parts is None:
        raise PoseGraphError(
            f"{spec}: no such file or folder, and no id of a model on the Hugging Face hub (owner/name); check the path"
        )
    with hub_errors(spec):
        if parts["file"]:
            return Path(hf_hub_download(parts["repo"], parts["file"]))
        return folder_from_hub(parts["repo"])


def folder_from_hub(repo: str, **options: Any) -> Path:
    """Settings and weights of a repository in the hub's local cache; fetched where they are not there yet.

    Args:
        repo: ``owner/name``.
        options: ``revision``, ``token``, ``cache_dir``, ``force_download`` and ``local_files_only`` are handed on.
    """
    known = ("revision", "token", "cache_dir", "force_download", "local_files_only")
    handed_on = {key: value for key, value in options.items() if key in known}
    folder = Path(snapshot_download(repo, allow_patterns=_WANTED[0], **handed_on))
    if not any(folder.glob("*.safetensors")):
        folder = Path(snapshot_download(repo, allow_patterns=[*_WANTED[0], *_WANTED[1]], **handed_on))
    return folder


@contextmanager
def hub_errors(spec: str) -> Iterator[None]:
    """Turn what the hub's client raises into one line that says what to do."""
    try:
        yield
    except PoseGraphError:
        raise
    except Exception as error:  # the client lets through what its HTTP library raises
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise PoseGraphError(
            f"{spec}: is no file or folder here, and could not be fetched from the Hugging Face hub ({reason}); check "
            "the path or the id, or download it where there is a connection and give the folder"
        ) from None


def timm_model(name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights of one of timm's pretrained vision transformers, and what they do not say: its heads.

    Raises :class:`PoseGraphError` for an unknown name, another kind of model, or weights that cannot be fetched.
    """
    try:
        model = timm.create_model(name, pretrained=True)
    except Exception as error:  # timm raises what its registry, the hub and the file raise
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise PoseGraphError(
            f"timm:{name}: timm gives no such weights ({reason}); timm.list_pretrained('vit*') lists its names; "
            "without a connection, give a downloaded file"
        ) from None
    if not isinstance(model, VisionTransformer):
        raise PoseGraphError(
            f"timm:{name}: is a {type(model).__name__}; expected a plain vision transformer, such as "
            "timm:vit_base_patch16_224.mae"
        )
    first_block: Any = model.blocks[0]
    return dict(model.state_dict()), {"num_attention_heads": first_block.attn.num_heads}
