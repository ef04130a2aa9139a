"""What tells one source, model or file of a run from another."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from posegraph.engine.exporting.exported import ExportedModel, StreamModel
from posegraph.engine.feature_key import digest_of_modules
from posegraph.files import sha256


def id_of_model(model: StreamModel) -> str:
    """A hash of its weights and of the settings that its poses depend on."""
    run = model.run_config
    settings = f"{model.config.model_dump_json()} {run.data.box_scale} {run.evaluation.keypoint_score}"
    weights = model.files_id if isinstance(model, ExportedModel) else digest_of_modules(model)
    digest = hashlib.sha256(f"{weights} {settings}".encode()).hexdigest()
    return f"{type(model).__name__} {digest[:16]}"


def identity(source: str | Path) -> str:
    """A source's own name and size, wherever it lies: a data set that is moved is the same."""
    path = Path(source)
    if path.is_file():
        return f"{path.name}, {path.stat().st_size} bytes"
    if path.is_dir():
        return f"{path.resolve().name}, {sum(1 for _ in path.iterdir())} files"
    return without_password(source)


def without_password(source: str | Path) -> str:
    """The source as the user named it, but for ``user:password@`` in an address."""
    return re.sub(r"(?<=://)[^/@]*@", "", str(source))


def content_id(path: str | Path) -> str:
    """A hash of a file, or of all files below a folder."""
    if Path(path).is_dir():
        parts = [f"{part.name} {sha256(part)}" for part in sorted(Path(path).rglob("*")) if part.is_file()]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return sha256(path)[:16]
