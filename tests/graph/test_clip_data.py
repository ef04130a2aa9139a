"""A clip as PyG data: what batching does to it, with PyG's own tools."""

from __future__ import annotations

import torch
from torch_geometric.data import Batch
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GCNConv
from torch_geometric.transforms import Compose, Constant, LocalDegreeProfile

import posegraph
from posegraph.graph import AddSkeletonHops, AddTemporalChains, ClipData, temporal_chain
from posegraph.skeleton import Skeleton

T, J = 3, 4
CHAIN = Skeleton(name="chain", joints=("a", "b", "c", "d"), bones=(("a", "b"), ("b", "c"), ("c", "d")))
ADD_GRAPH = Compose([AddTemporalChains(T, J), AddSkeletonHops(CHAIN)])


def clip(fill: float) -> ClipData:
    return ADD_GRAPH(
        ClipData(
            frames=torch.full((1, T, 3, 8, 6), fill),
            keypoints_norm=torch.full((1, J, 2), fill),
            annotated=torch.ones(1, J, dtype=torch.bool),
            visibility=torch.full((1, J), -1, dtype=torch.int8),
            in_crop=torch.ones(1, J, dtype=torch.bool),
            crop_to_image=torch.full((1, 2, 3), fill, dtype=torch.float64),
            num_nodes=T * J,
        )
    )


def test_num_nodes_counts_joints_of_all_frames() -> None:
    assert clip(0.0).num_nodes == 12
    assert Batch.from_data_list([clip(0.0), clip(1.0), clip(2.0)]).num_nodes == 36


def test_a_batch_stacks_what_is_one_a_clip() -> None:
    batch = Batch.from_data_list([clip(0.0), clip(1.0)])
    assert batch.frames.shape == (2, T, 3, 8, 6)
    assert batch.frames[:, 0, 0, 0, 0].tolist() == [0.0, 1.0]
    assert batch.keypoints_norm.shape == (2, J, 2)
    assert batch.annotated.shape == batch.visibility.shape == batch.in_crop.shape == (2, J)
    assert batch.crop_to_image.shape == (2, 2, 3)
    assert batch.crop_to_image.dtype == torch.float64
    assert batch.batch.tolist() == [0] * 12 + [1] * 12


def test_edges_are_offset_by_the_nodes_that_they_count() -> None:
    one, three = clip(0.0), Batch.from_data_list([clip(0.0), clip(1.0), clip(2.0)])
    for name, step in (("temporal_edge_index", T * J), ("hop1_edge_index", J), ("hop2_edge_index", J)):
        expected = torch.cat([one[name] + place * step for place in range(3)], dim=1)
        assert torch.equal(three[name], expected), name
    assert three.temporal_edge_index.max() == 3 * T * J - 1
    assert three.hop2_edge_index.max() == 3 * J - 1


def test_features_take_the_place_of_frames() -> None:
    def cached(fill: float) -> ClipData:
        one = clip(fill)
        one.features, one.heatmaps = torch.full((1, T, 5, 4, 3), fill), torch.full((1, T, J, 8, 6), fill)
        del one.frames
        return one

    batch, seen = (Batch.from_data_list([make(0.0), make(1.0)]) for make in (cached, clip))
    assert batch.features.shape == (2, T, 5, 4, 3)
    assert batch.heatmaps[:, 0, 0, 0, 0].tolist() == [0.0, 1.0]
    for name in ("temporal_edge_index", "hop1_edge_index", "hop2_edge_index"):
        assert torch.equal(batch[name], seen[name]), name
    assert "frames" not in batch.to_data_list()[1]


def test_a_loader_gives_the_same_batches_and_clips_come_back_out() -> None:
    batches = list(DataLoader([clip(float(n)) for n in range(5)], batch_size=2))
    assert [batch.frames.size(0) for batch in batches] == [2, 2, 1]
    again = batches[1].to_data_list()[1]
    assert isinstance(again, ClipData)
    assert again.frames[0, 0, 0, 0, 0] == 3.0
    assert torch.equal(again.temporal_edge_index, clip(0.0).temporal_edge_index)
    assert torch.equal(again.hop1_edge_index, clip(0.0).hop1_edge_index)


def test_a_layer_of_pyg_runs_on_a_batch_and_keeps_clips_apart() -> None:
    layer, batch = GCNConv(5, 7), Batch.from_data_list([clip(0.0), clip(1.0)])
    x = torch.randn(batch.num_nodes, 5)
    out = layer(x, batch.temporal_edge_index)
    assert out.shape == (24, 7)
    x[12:] = 0
    torch.testing.assert_close(layer(x, batch.temporal_edge_index)[:12], out[:12])


def test_transforms_of_pyg_run_on_a_clip() -> None:
    data = LocalDegreeProfile()(clip(0.0).update({"edge_index": temporal_chain(T, J)}))
    assert data.x.shape == (12, 5)
    assert data.x[:, 0].tolist() == [1.0] * 8 + [0.0] * 4  # edges that leave: none from the key frame
    assert Constant()(clip(0.0)).x.shape == (12, 1)


def test_public_name() -> None:
    assert posegraph.ClipData is ClipData
