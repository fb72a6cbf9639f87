"""What torch saves is read as torch has it."""

import io
from pathlib import Path

import numpy as np
import pytest

from allmende.weights.number_types import number_type
from allmende.weights.places import BytesPlace
from allmende.weights.reading_torch import read_torch_tensors
from allmende.weights.tensors import WeightTensor
from tests.unit.formats.torch_files import Saved, torch_zip

FLOATS = ["float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]
INTEGERS = ["int64", "int32", "int16", "int8", "uint8", "bool", "uint16", "uint32"]


def read(data: bytes) -> dict[str, WeightTensor]:
    return {tensor.name: tensor for tensor in read_torch_tensors(BytesPlace("model.pt", data))[0]}


def test_views_have_the_values_and_digest_of_what_they_show():
    w = np.arange(16, dtype=np.float32).reshape(4, 4)
    view = read(torch_zip({"w": Saved(w.T, storage=w)}))["w"]
    plain = read(torch_zip({"w": Saved(np.ascontiguousarray(w.T))}))["w"]
    other = read(torch_zip({"w": Saved(w)}))["w"]
    assert np.array_equal(view.values(), w.T.ravel())
    assert view.digest() == plain.digest() != other.digest()
    assert np.array_equal(view.at(np.array([[1, 14]])), w.T.ravel()[[[1, 14]]])
    assert np.array_equal(view.rows(np.array([2, 0])), w.T[[2, 0]])


def test_empty_tensors_and_scalars():
    found = read(torch_zip({"e": Saved(np.empty((0, 4), np.float32)), "s": Saved(np.array(3.0, np.float32))}))
    assert found["e"].values().size == 0
    assert found["s"].shape == ()
    assert found["s"].values().tolist() == [3.0]


@pytest.mark.torch
class TestAgainstTorch:
    @staticmethod
    def saved(value, **options) -> bytes:
        import torch

        buffer = io.BytesIO()
        torch.save(value, buffer, **options)
        return buffer.getvalue()

    @pytest.mark.parametrize("zipped", [True, False])
    @pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
    def test_every_type(self, dtype, zipped):
        import torch

        values = torch.randn(5, 7).mul(20).abs().to(getattr(torch, dtype))
        data = self.saved({"w": values, "t": values.t()}, _use_new_zipfile_serialization=zipped)
        found = read(data)
        assert number_type(found["w"].dtype) is not None
        assert np.array_equal(found["w"].values().reshape(5, 7), values.double().numpy())
        assert np.array_equal(found["t"].values().reshape(7, 5), values.double().numpy().T)

    @pytest.mark.parametrize("zipped", [True, False])
    def test_views_slices_and_spread_tensors(self, zipped):
        import torch

        w = torch.randn(6, 8, 10)
        views = {
            "permuted": w.permute(2, 0, 1),
            "sliced": w[1:5:2, ::3, 4],
            "spread": w[0, 0, :1].expand(4, 1),
            "tail": w.view(-1)[100:],
            "last": w.to(memory_format=torch.contiguous_format)[:, 7:8],
            "channels": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        }
        found = read(self.saved(views, _use_new_zipfile_serialization=zipped))
        for name, tensor in views.items():
            assert found[name].shape == tuple(tensor.shape)
            assert np.array_equal(found[name].values().reshape(tensor.shape), tensor.numpy())
            places = np.arange(0, tensor.numel(), 3)
            assert np.array_equal(found[name].at(places), tensor.numpy().ravel()[places])

    def test_checkpoints_of_training_and_whole_modules(self):
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Sequential(nn.Linear(5, 2)))
        adam = torch.optim.Adam(model.parameters())
        model(torch.randn(3, 4)).sum().backward()
        adam.step()
        state = model.state_dict()
        checkpoint = {"epoch": 1, "model": state, "optimizer": adam.state_dict(), "args": {"lr": 0.1}}
        scripted = torch.jit.trace(model.eval(), torch.randn(3, 4))
        buffer = io.BytesIO()
        torch.jit.save(scripted, buffer)
        for data in (self.saved(state), self.saved(checkpoint), self.saved(model), buffer.getvalue()):
            found = read(data)
            assert set(found) == set(state)
            for name, tensor in state.items():
                assert np.array_equal(found[name].values().reshape(tensor.shape), tensor.double().numpy())

    def test_parameters_and_subclasses(self):
        import torch
        from torch import nn

        weight = nn.Parameter(torch.randn(3, 3))
        marked = nn.Parameter(torch.randn(2))
        marked.note = "kept"
        found = read(
            self.saved({"w": weight, "tied": weight, "m": marked, "d": nn.ParameterDict({"x": weight})})
        )
        assert set(found) == {"w", "tied", "m", "d.x"}

    def test_sparse_and_quantised_tensors_are_passed_over(self):
        import torch

        quantised = torch.quantize_per_tensor(torch.randn(4), 0.1, 0, torch.qint8)
        value = {"q": quantised, "s": torch.eye(3).to_sparse(), "w": torch.ones(2), "c": torch.ones(2) * 1j}
        assert "w" in read(self.saved(value))
        assert not {"q", "c"} & set(read(self.saved(value)))

    def test_real_folders(self, tmp_path: Path):
        import torch

        torch.save({"w": torch.ones(3)}, tmp_path / "pytorch_model.bin")
        from allmende.weights.opening import open_model

        assert open_model(tmp_path).layout == "torch"
