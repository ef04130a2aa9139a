"""Several processes as one run: who started them, on which devices they train, and by which strategy."""

from __future__ import annotations

import os
from typing import NamedTuple, TypedDict

import torch
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from pytorch_lightning.strategies import DDPStrategy, Strategy

from posegraph.config import TrainingConfig
from posegraph.engine.sharding import ShardedStrategy
from posegraph.errors import PoseGraphError


class Launched(NamedTuple):
    """What torchrun or SLURM has started.

    Fields:
        environment: Lightning's view of it.
        per_node: Processes on each machine.
        nodes: Machines.
    """

    environment: ClusterEnvironment
    per_node: int
    nodes: int


def launched() -> Launched | None:
    """torchrun or SLURM, where one of them started this process; else None. Lightning's own tests.

    Raises:
        PoseGraphError: the machines have different numbers of processes, or SLURM was not told how many each has.
    """
    environment: ClusterEnvironment
    try:
        if TorchElasticEnvironment.detect():
            environment, variable = TorchElasticEnvironment(), "LOCAL_WORLD_SIZE"
        elif SLURMEnvironment.detect():
            environment, variable = SLURMEnvironment(), "SLURM_NTASKS_PER_NODE"
        else:
            return None
    except RuntimeError as error:
        raise PoseGraphError(f"SLURM: {error}") from None
    world_size = environment.world_size()
    per_node = int(os.environ.get(variable, world_size))
    if world_size % per_node:
        raise PoseGraphError(
            f"{world_size} processes were started, {per_node} of them on this machine; expected the same number on "
            "every machine"
        )
    return Launched(environment, per_node, world_size // per_node)


def cluster_plugins() -> list[ClusterEnvironment]:
    """For Lightning's Trainer: SLURM without Lightning's own requeueing.

    On a signal, that would save another kind of checkpoint and later go on from it, past all that ``--resume`` checks.
    """
    if TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return []
    return [SLURMEnvironment(auto_requeue=False)]


class Devices(TypedDict):
    """Arguments of Lightning's Trainer."""

    devices: int
    num_nodes: int
    strategy: str | Strategy


def trainer_devices(settings: TrainingConfig) -> Devices:
    """On how many devices to train, and how they work together. A launcher's numbers go before ``auto`` and 1.

    Raises:
        PoseGraphError: devices that are not there, other numbers than were started, or a strategy that the settings
            exclude.
    """
    started = launched()
    devices = _devices(settings, started)
    nodes = settings.nodes if started is None else started.nodes
    if settings.nodes not in (1, nodes):
        raise PoseGraphError(f"training.nodes: {settings.nodes}, but the launcher took {nodes}; leave it at 1")
    return Devices(devices=devices, num_nodes=nodes, strategy=_strategy(settings, devices * nodes))


def on_gpu(settings: TrainingConfig) -> bool:
    """Whether training is on CUDA devices. Raises :class:`PoseGraphError` where it should be and there are none."""
    there = torch.cuda.is_available()
    if settings.accelerator == "gpu" and not there and not torch.backends.mps.is_available():
        raise PoseGraphError(
            "training.accelerator: gpu, but torch sees none; see `posegraph env`, or use training.accelerator cpu"
        )
    return there and settings.accelerator != "cpu"


def _devices(settings: TrainingConfig, started: Launched | None) -> int:
    wanted, there = settings.devices, torch.cuda.device_count()
    cuda = on_gpu(settings)
    if wanted == "auto":
        wanted = started.per_node if started is not None else there if cuda else 1
    if started is not None and wanted != started.per_node:
        raise PoseGraphError(
            f"training.devices: {wanted}, but {started.per_node} processes were started on this machine; leave it at "
            "auto to take that number"
        )
    if cuda and wanted > there:
        raise PoseGraphError(
            f"training.devices: {wanted}, but this process sees {there} GPUs; lower the number, or let every process "
            "see all GPUs of its machine"
        )
    return wanted


def _strategy(settings: TrainingConfig, world_size: int) -> str | Strategy:
    if settings.strategy == "fsdp2":
        problem = _against_fsdp2(settings, world_size)
        if problem:
            raise PoseGraphError(f"training.strategy: fsdp2 {problem}")
        return ShardedStrategy(world_size)
    if world_size == 1:
        return "auto"
    # No search for unused parameters in every step: what the loss does not reach is frozen.
    return DDPStrategy(find_unused_parameters=False, gradient_as_bucket_view=True)


def _against_fsdp2(settings: TrainingConfig, world_size: int) -> str:
    if world_size == 1:
        return "shards a model over devices, and there is one; use auto, or more training.devices"
    if settings.precision == "16-mixed":
        return "does not scale the losses of float16; use training.precision bf16-mixed or 32-true"
    if settings.ema is not None:
        return "cannot average sharded weights; use ddp, or training.ema null"
    return ""


def own_device() -> torch.device:
    """This process's GPU where there are any, else the CPU."""
    there = torch.cuda.device_count()
    if not there:
        return torch.device("cpu")
    started = launched()
    # A launcher may show every process its own GPU alone.
    return torch.device("cuda", 0 if started is None else started.environment.local_rank() % there)


def named_device(name: str) -> torch.device:
    """``auto`` (:func:`own_device`), ``cpu``, or ``cuda``: this process's GPU.

    Raises:
        PoseGraphError: ``cuda`` where torch sees no GPU.
    """
    if name == "cpu":
        return torch.device("cpu")
    if name == "cuda" and not torch.cuda.device_count():
        raise PoseGraphError("--device: cuda, but torch sees no GPU; see `posegraph env`, or use --device cpu")
    return own_device()
