"""Library, task, tags and summary of model repos, from files and configuration."""

import pytest

from allmende.formats import (
    JsonValue,
    library_from_files,
    tags_from_files,
    task_from_architectures,
    task_of,
    transformers_summary,
)

_BERT: dict[str, JsonValue] = {
    "architectures": ["BertForMaskedLM"],
    "model_type": "bert",
    "vocab_size": 30522,
}


@pytest.mark.parametrize(
    ("paths", "config", "library"),
    [
        (["config.json", "model.safetensors"], _BERT, "transformers"),
        (["config.json", "modules.json", "1_Pooling/config.json"], _BERT, "sentence-transformers"),
        (["config_sentence_transformers.json"], _BERT, "sentence-transformers"),
        (["model_index.json", "unet/config.json"], None, "diffusers"),
        (["config.json"], {"_class_name": "UNet2DModel", "_diffusers_version": "0.30"}, "diffusers"),
        (["adapter_config.json", "adapter_model.safetensors", "config.json"], _BERT, "peft"),
        (["model-Q4_K_M.gguf"], None, "gguf"),
        (["config.json"], {"architecture": "resnet50", "pretrained_cfg": {}}, "timm"),
        (["sub/model.gguf"], None, None),
        (["model.safetensors"], {"hidden_size": 3}, None),
        ([], None, None),
    ],
)
def test_the_library_is_told_by_the_files_it_writes(
    paths: list[str], config: dict[str, JsonValue] | None, library: str | None
) -> None:
    assert library_from_files(paths, config) == library


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("BertForMaskedLM", "fill-mask"),
        ("LlamaForCausalLM", "text-generation"),
        ("GPT2LMHeadModel", "text-generation"),
        ("T5ForConditionalGeneration", "text2text-generation"),
        ("WhisperForConditionalGeneration", "automatic-speech-recognition"),
        ("Qwen2VLForConditionalGeneration", "image-text-to-text"),
        ("DistilBertForSequenceClassification", "text-classification"),
        ("TFBertForTokenClassification", "token-classification"),
        ("FlaxBertForQuestionAnswering", "question-answering"),
        ("ViTForImageClassification", "image-classification"),
        ("Wav2Vec2ForCTC", "automatic-speech-recognition"),
        ("MarianMTModel", "translation"),
        ("CLIPModel", "zero-shot-image-classification"),
        ("ViTModel", "image-feature-extraction"),
        ("BertModel", "feature-extraction"),
        ("Something", None),
    ],
)
def test_the_task_is_told_by_the_architecture(architecture: str, task: str | None) -> None:
    assert task_from_architectures([architecture]) == task
    assert task_from_architectures(["Unheard", architecture]) == task


def test_the_library_can_decide_the_task() -> None:
    assert task_of("sentence-transformers", _BERT) == "sentence-similarity"
    assert task_of("transformers", _BERT) == "fill-mask"
    assert task_of("peft", _BERT) is None
    assert task_of(None, None) is None


def test_the_summary_holds_what_a_model_info_shows() -> None:
    config: dict[str, JsonValue] = {
        **_BERT,
        "torch_dtype": "float32",
        "quantization_config": {"quant_method": "gptq", "bits": 4, "secret": {"a": 1}},
    }
    assert transformers_summary(config) == {
        "architectures": ["BertForMaskedLM"],
        "model_type": "bert",
        "torch_dtype": "float32",
        "quantization_config": {"quant_method": "gptq", "bits": 4},
    }


def test_the_summary_is_bounded_whatever_the_configuration_holds() -> None:
    architectures: list[JsonValue] = ["x" * 1000, 3, None, "Ok", *["A"] * 100]
    odd: dict[str, JsonValue] = {
        "architectures": architectures,
        "model_type": ["bert"],
        "quantization_config": "yes",
    }
    summary = transformers_summary(odd)
    assert summary == {"architectures": ["Ok"] + ["A"] * 12}
    assert transformers_summary({"architectures": "BertModel"}) == {}


def test_tags_come_from_files_and_configuration() -> None:
    paths = [
        "pytorch_model.bin",
        "a/model.safetensors",
        "x.onnx",
        "runs/events.out.tfevents.1",
        "data.bin",
        "README.md",
    ]
    config: dict[str, JsonValue] = {
        **_BERT,
        "auto_map": {},
        "quantization_config": {"quant_method": "awq", "bits": 4},
    }
    assert tags_from_files(paths, config) == [
        "onnx", "pytorch", "safetensors", "tensorboard", "bert", "4-bit", "awq", "custom_code",
    ]  # fmt: skip
    assert tags_from_files([]) == []
