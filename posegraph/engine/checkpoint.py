"""Models from what is on disk or on the hub: runs, checkpoints, saved folders, other people's weights."""

from __future__ import annotations

from pathlib import Path

from posegraph.config import RunConfig, preset_names
from posegraph.engine.run_folder import open_run
from posegraph.errors import PoseGraphError
from posegraph.models.base import PoseModel
from posegraph.models.foreign import model_from_weights
from posegraph.models.pretrained import restored
from posegraph.models.weights import read_weights
from posegraph.models.weights.own import CHECKPOINTS, LAST
from posegraph.models.weights.shipped import SHIPPED_MODELS, shipped_folder, shipped_name
from posegraph.skeleton import Skeleton


def load(
    spec: str | Path | None = None,
    *,
    preset: str | None = None,
    skeleton: str | Path | Skeleton | None = None,
    expert: int = 0,
) -> PoseModel:
    """A model ready to predict, in evaluation mode on the CPU.

    Its settings of data and scoring are at ``model.run_config``; ``model.weights_report`` says what became of weights
    that posegraph did not write.

    Args:
        spec: ``ncstr-tiny``, which comes with posegraph; a run, a checkpoint, a folder that ``save_pretrained`` wrote;
            or other people's ViTPose: a file, a folder, an id on the Hugging Face hub (docs/weights.md). None: the
            ``ncstr-tiny`` that comes along, whatever lies in the working folder under that name.
        preset: What to build and give these weights to; None: what posegraph wrote, or the ViTPose of their size.
        skeleton: The joints of other people's decoder rows, where their file does not say.
        expert: ViTPose+: which of its experts is taken; 0 is COCO's.

    Raises:
        PoseGraphError: nothing there, a damaged file, or weights of which no model can be made.
    """
    spec = shipped_folder() if spec is None else spec
    unknown = not Path(spec).exists() and shipped_name(spec) is None
    if preset is None and unknown and str(spec) in preset_names():
        raise PoseGraphError(
            f"{spec}: is a preset, and its weights are random; name weights for it: --weights SPEC (with weights comes "
            f"{', '.join(SHIPPED_MODELS)})"
        )
    source = open_run(spec)
    given = None if skeleton is None else Skeleton.load(skeleton)
    if source.own is None or preset is not None:
        return model_from_weights(read_weights(source, expert), preset, given)
    if given is not None or expert:
        raise PoseGraphError(f"{spec}: says itself which joints it has, and has no experts; leave both away")
    return restored(source)


def location(spec: str | Path) -> str:
    """What results name as their model: a run's last checkpoint, else SPEC itself."""
    last = Path(spec) / CHECKPOINTS / LAST
    return str(last if last.is_file() else spec)


def with_recorded_decoder(config: RunConfig, record: Path) -> RunConfig:
    """A run's configuration whose decoder is the one that ``record``, its config.yaml, settled on."""
    if config.model.decoder != "auto" or not record.is_file():
        return config
    decoder = RunConfig.from_file(record).model.decoder
    return config.model_copy(update={"model": config.model.model_copy(update={"decoder": decoder})})
