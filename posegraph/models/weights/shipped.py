"""The models that come with posegraph: folders of ``save_pretrained`` inside the package."""

from __future__ import annotations

from pathlib import Path

from posegraph import skeleton
from posegraph.errors import PoseGraphError

FOLDER = Path(skeleton.__file__).parent / "shipped"
SHIPPED_MODELS = ("ncstr-tiny",)
DEFAULT_MODEL = "ncstr-tiny"
"""What runs where no model is named."""

_CURE = (
    "it comes with posegraph, so this installation is damaged; install posegraph again (pip install --force-reinstall "
    "--no-deps posegraph), or give a model of your own"
)


def shipped_name(spec: str | Path) -> str | None:
    """Which shipped model SPEC names, by its name or its folder; None: none. What lies here goes before a name."""
    given = Path(spec)
    for name in SHIPPED_MODELS:
        if given == FOLDER / name or (str(spec) == name and not given.exists()):
            return name
    return None


def shipped_folder(name: str = DEFAULT_MODEL) -> Path:
    """Where a shipped model is. Raises :class:`PoseGraphError` where it is not: a broken installation."""
    folder = FOLDER / name
    if not folder.is_dir():
        raise PoseGraphError(f"{name}: its folder {folder} is missing; {_CURE}")
    return folder


def damaged(name: str, error: PoseGraphError) -> PoseGraphError:
    """The fault found in a shipped model's files, with what helps there."""
    return PoseGraphError(f"{name}: {error}; {_CURE}")
