"""What a training run needs of a device's memory, worked out without one.

The model runs forward once on fake tensors (sizes and types, no values), and whatever autograd keeps for the backward
pass is added up. So ViT-H at any batch size takes seconds and no memory worth naming.
"""

from __future__ import annotations

import gc
from dataclasses import asdict, dataclass

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.multiprocessing.reductions import StorageWeakRef

from posegraph.config import RunConfig
from posegraph.engine.blank_clips import blank_clips
from posegraph.engine.module import PoseTraining
from posegraph.graph import ClipData
from posegraph.models.build import model_from_config
from posegraph.skeleton import Skeleton


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes on one device.

    Fields:
        weights: Of parameters and buffers.
        gradients: Of the parameters that learn.
        optimizer: AdamW's two moments of each.
        ema: The averaged copy of the weights (``training.ema``).
        activations: Kept for the backward pass of one batch; with mixed precision also the weights in 16 bits.
        recomputed: With ``training.checkpoint_blocks``, what the backward pass keeps of one block at a time.
    """

    weights: int
    gradients: int
    optimizer: int
    ema: int
    activations: int
    recomputed: int

    @property
    def total(self) -> int:
        """All of them at once: more than is ever alive together, since gradients grow while activations go."""
        return sum(asdict(self).values())


def estimate_memory(config: RunConfig, skeleton: Skeleton) -> MemoryEstimate:
    """What a step of ``training.batch_size`` clips needs on one device, on each one with DDP.

    Left out: buffers that live inside one operation, cuDNN's and cuBLAS's workspaces, what the allocator loses to
    fragments, DDP's buckets, and the CUDA context. What sharding (FSDP2) and ``training.compile`` save is not
    subtracted.
    """
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    module = fake_training(config, skeleton, fake)
    weights = sum(_bytes(tensor) for tensor in (*module.model.parameters(), *module.model.buffers()))
    learning = sum(_bytes(parameter) for parameter in module.parameters() if parameter.requires_grad)
    clips = blank_clips(config.model, skeleton, config.training.batch_size).apply(fake.from_tensor)
    activations, recomputed = _kept(module, clips, fake), 0
    if config.training.checkpoint_blocks and (blocks := _learning_blocks(module)):
        module.model.backbone.vit.set_grad_checkpointing(False)
        recomputed = (_kept(module, clips, fake) - activations) // blocks
    ema = weights if config.training.ema is not None else 0
    return MemoryEstimate(weights, learning, 2 * learning, ema, activations, recomputed)


def fake_training(config: RunConfig, skeleton: Skeleton, fake: FakeTensorMode) -> PoseTraining:
    """The run's module on fake tensors of the CPU, never compiled."""
    eager = config.model_copy(update={"training": config.training.model_copy(update={"compile": False})})
    with torch.device("meta"):
        model = model_from_config(config.model, skeleton)
        module = PoseTraining(model, eager, torch.ones(skeleton.num_joints, dtype=torch.bool))
    with fake:
        # On the meta device autocast does nothing; fake tensors of the CPU take its part.
        return module.to_empty(device="cpu")


def _kept(module: PoseTraining, clips: ClipData, fake: FakeTensorMode) -> int:
    """Bytes that a forward pass keeps for its backward pass, weights apart; what shares memory counts once."""
    own = {_memory(tensor).cdata for tensor in (*module.parameters(), *module.buffers())}
    saved: dict[int, StorageWeakRef] = {}
    size: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        memory = _memory(tensor)
        if memory.cdata not in own:
            saved[memory.cdata], size[memory.cdata] = memory, tensor.untyped_storage().nbytes()
        return tensor.detach()

    mixed = module.config.training.precision != "32-true"  # both 16-bit types are of one size
    hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
    with fake, hooks, torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        loss = torch.stack(list(module.losses(module.run(clips), clips).values())).sum()
    # A checkpointed block saves its input even where nothing before it learns, and lets go of it at once.
    gc.collect()
    alive = [key for key, memory in saved.items() if not memory.expired()]  # type: ignore[no-untyped-call]
    del loss  # until here autograd held what it needs
    return sum(size[key] for key in alive)


def _learning_blocks(module: PoseTraining) -> int:
    blocks = module.model.backbone.vit.blocks
    return sum(1 for block in blocks if any(parameter.requires_grad for parameter in block.parameters()))


def _memory(tensor: Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]  # torch has no type for it


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
