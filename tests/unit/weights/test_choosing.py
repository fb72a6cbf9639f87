"""Of many files those are chosen that hold the weights, once."""

import pytest

from allmende.weights.choosing import choose_weights, index_of

SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["model.safetensors", "pytorch_model.bin", "model.gguf"], ["model.safetensors"]),
        ([*SHARDS, "model.safetensors.index.json", "consolidated.safetensors"], SHARDS),
        ([*SHARDS, "model.safetensors", "model.safetensors.index.json"], SHARDS),
        ([*SHARDS, "model.safetensors"], ["model.safetensors"]),
        (["adapter_model.safetensors", "pytorch_model.bin"], ["pytorch_model.bin"]),
        (["adapter_model.safetensors", "model.safetensors"], ["model.safetensors"]),
        (["adapter_model.bin", "adapter_model.safetensors", "tokenizer.json"], ["adapter_model.safetensors"]),
        (
            ["pytorch_model.bin", "optimizer.pt", "training_args.bin", "scheduler.pt", "rng_state_0.pth"],
            ["pytorch_model.bin"],
        ),
        (["optimizer.bin", "rng_state.pth", "openvino_model.bin", "tokenizer.bin"], []),
        (["consolidated.00.pth", "params.json"], ["consolidated.00.pth"]),
        (["m.Q4_K_M.gguf", "m.Q8_0.gguf", "m.Q2_K.gguf", "mmproj-f16.gguf"], ["m.Q8_0.gguf"]),
        (["m-Q8_0.gguf", "m-BF16-00001-of-00002.gguf", "m-BF16-00002-of-00002.gguf"],
         ["m-BF16-00001-of-00002.gguf", "m-BF16-00002-of-00002.gguf"]),
        (["m.Q4_K_M.gguf", "m.Q4_0.gguf", "m.IQ4_XS.gguf"], ["m.Q4_K_M.gguf"]),
        (["Q4_K_M/m-Q4_K_M.gguf", "Q8_0/m-Q8_0.gguf"], ["Q8_0/m-Q8_0.gguf"]),
        (["model.onnx", "model_quantized.onnx", "model.onnx_data"], ["model.onnx", "model.onnx_data"]),
        (["decoder.onnx", "encoder.onnx", "decoder_fp16.onnx"], ["decoder.onnx", "encoder.onnx"]),
        (["weights.npz"], ["weights.npz"]),
        (["optimus.safetensors", "optim.safetensors"], ["optimus.safetensors"]),
        (["vae.safetensors", "vae.fp16.safetensors"], ["vae.safetensors"]),
        (
            ["unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors",
             "vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors", "vae/x.bin"],
            ["text_encoder/model.safetensors", "unet/diffusion_pytorch_model.safetensors",
             "vae/diffusion_pytorch_model.safetensors"],
        ),
        (["model.safetensors", "onnx/model.onnx", "2_Dense/model.safetensors"], ["model.safetensors"]),
        (
            ["checkpoint-500/model.safetensors", "checkpoint-1000/model.safetensors",
             "checkpoint-1500/optimizer.pt"],
            ["checkpoint-1000/model.safetensors"],
        ),
        (["checkpoint-500/model.safetensors", "final/model.safetensors"], ["final/model.safetensors"]),
        (["config.json", "README.md"], []),
        ([], []),
    ],
)  # fmt: skip
def test_one_set_is_chosen(names, chosen):
    assert choose_weights(names) == chosen
    assert choose_weights(reversed(names)) == chosen


def test_the_index_of_shards():
    assert index_of(SHARDS, ["model.safetensors.index.json"]) == "model.safetensors.index.json"
    assert index_of(SHARDS, ["other.safetensors.index.json"]) is None
    assert index_of(["model.safetensors"], ["model.safetensors.index.json"]) is None
