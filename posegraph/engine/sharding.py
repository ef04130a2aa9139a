"""FSDP2: every device keeps a shard of each parameter, of its gradient and of AdamW's state (PyTorch's fully_shard)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from pytorch_lightning.strategies import ModelParallelStrategy
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.optim import Optimizer

from posegraph.engine.module import PoseTraining
from posegraph.models.base import PoseModel


def shard(model: PoseModel, mesh: DeviceMesh) -> None:
    """Shard ``model`` in place over a mesh of one dimension: every ViT block, the decoder, every stage of the head.

    Each is gathered when it computes and let go afterwards; what is left (patch embedding, positions, norm) is gathered
    for the whole pass. Parameters keep their type: mixed precision is autocast's, as on one device.
    """
    stages = [stage for stage in model.children() if stage not in (model.backbone, model.heatmap_head)]
    for part in (*model.backbone.vit.blocks, model.heatmap_head, *stages):
        fully_shard(part, mesh=mesh)
    fully_shard(model, mesh=mesh)
    register_fsdp_forward_method(model, "run")


class ShardedPoseTraining(PoseTraining):
    """A :class:`PoseTraining` whose model :class:`ShardedStrategy` has sharded."""

    def configure_model(self) -> None:
        """Called by the Trainer once the processes are connected."""
        assert self.device_mesh is not None
        shard(self.model, self.device_mesh["data_parallel"])


class ShardedStrategy(ModelParallelStrategy):
    """Lightning's FSDP2 with the checkpoints of every other strategy: whole tensors, AdamW's state by number.

    So :func:`posegraph.load` reads them, and a run goes on with any strategy and any number of devices.

    Args:
        world_size: Processes in all.
    """

    def __init__(self, world_size: int) -> None:
        super().__init__(data_parallel_size=world_size, tensor_parallel_size=1, save_distributed_checkpoint=False)

    def on_validation_start(self) -> None:
        """Give every rank the statistics of rank 0's batch norms, which go into checkpoints; DDP does so by itself."""
        assert self.model is not None
        for buffer in self.model.buffers():
            torch.distributed.broadcast(buffer, src=0)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The whole state of ``optimizer`` on rank 0 (nothing on the others), under the numbers that it has there."""
        assert self.model is not None
        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        state: Any = get_optimizer_state_dict(self.model, optimizer, options=options)
        if not state:
            return {}
        names = [name for group in state["param_groups"] for name in group["params"]]
        return _renamed(state, {name: number for number, name in enumerate(names)})

    def load_checkpoint(self, checkpoint_path: str | Path, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint of any strategy and give every rank its shards."""
        assert self.model is not None
        checkpoint: dict[str, Any] = torch.load(
            checkpoint_path, map_location="cpu", mmap=True, weights_only=weights_only
        )
        options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
        set_model_state_dict(self.model, checkpoint["state_dict"], options=options)
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            named = _renamed(state, dict(enumerate(self._names(optimizer))))
            set_optimizer_state_dict(self.model, optimizer, named, options=options)
        return checkpoint

    def _names(self, optimizer: Optimizer) -> list[str]:
        assert self.model is not None
        name = {parameter: name for name, parameter in self.model.named_parameters()}
        return [name[parameter] for group in optimizer.param_groups for parameter in group["params"]]


def _renamed(state: Mapping[str, Any], new: Mapping[Any, Any]) -> dict[str, Any]:
    """An optimiser's state with other keys of its parameters."""
    groups = [{**group, "params": [new[key] for key in group["params"]]} for group in state["param_groups"]]
    return {"state": {new[key]: value for key, value in state["state"].items()}, "param_groups": groups}
