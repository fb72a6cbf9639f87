"""Which task a model is for, as far as its architecture's class name tells."""

from collections.abc import Iterable

__all__ = ["task_from_architectures"]

# The class name wins over its ending, and the endings are tried in this order.
_NAMES = {
    "BlipForConditionalGeneration": "image-to-text",
    "Blip2ForConditionalGeneration": "image-to-text",
    "CLIPModel": "zero-shot-image-classification",
    "ChineseCLIPModel": "zero-shot-image-classification",
    "ClapModel": "feature-extraction",
    "LayoutLMv2ForQuestionAnswering": "document-question-answering",
    "LayoutLMv3ForQuestionAnswering": "document-question-answering",
    "MusicgenForConditionalGeneration": "text-to-audio",
    "SamModel": "mask-generation",
    "SiglipModel": "zero-shot-image-classification",
    "Siglip2Model": "zero-shot-image-classification",
    "SpeechT5ForTextToSpeech": "text-to-speech",
    "TapasForQuestionAnswering": "table-question-answering",
    "ViltForQuestionAnswering": "visual-question-answering",
    "VisionEncoderDecoderModel": "image-to-text",
    "VitsModel": "text-to-speech",
    "WhisperForConditionalGeneration": "automatic-speech-recognition",
}
_TEXT_TO_TEXT = (
    "T5", "MT5", "UMT5", "LongT5", "SwitchTransformers", "Bart", "MBart", "BigBirdPegasus", "Pegasus",
    "PegasusX", "LED", "ProphetNet", "XLMProphetNet", "Blenderbot", "BlenderbotSmall", "EncoderDecoder",
    "FSMT", "PLBart", "NllbMoe",
)  # fmt: skip
_TRANSLATION = ("M2M100",)
_SPEECH = ("Speech2Text", "SeamlessM4T", "Moonshine")
_ENDINGS = (
    ("ForCausalLM", "text-generation"),
    ("LMHeadModel", "text-generation"),
    ("ForMaskedLM", "fill-mask"),
    ("ForMaskedImageModeling", "image-feature-extraction"),
    ("ForZeroShotImageClassification", "zero-shot-image-classification"),
    ("ForZeroShotObjectDetection", "zero-shot-object-detection"),
    ("ForObjectDetection", "object-detection"),
    ("ForImageClassification", "image-classification"),
    ("ForVideoClassification", "video-classification"),
    ("ForAudioClassification", "audio-classification"),
    ("ForAudioFrameClassification", "voice-activity-detection"),
    ("ForSequenceClassification", "text-classification"),
    ("ForTokenClassification", "token-classification"),
    ("ForMultipleChoice", "multiple-choice"),
    ("ForNextSentencePrediction", "text-classification"),
    ("ForTableQuestionAnswering", "table-question-answering"),
    ("ForDocumentQuestionAnswering", "document-question-answering"),
    ("ForVisualQuestionAnswering", "visual-question-answering"),
    ("ForQuestionAnswering", "question-answering"),
    ("ForSemanticSegmentation", "image-segmentation"),
    ("ForInstanceSegmentation", "image-segmentation"),
    ("ForUniversalSegmentation", "image-segmentation"),
    ("ForImageSegmentation", "image-segmentation"),
    ("ForDepthEstimation", "depth-estimation"),
    ("ForKeypointDetection", "keypoint-detection"),
    ("ForMaskGeneration", "mask-generation"),
    ("ForCTC", "automatic-speech-recognition"),
    ("ForSpeechSeq2Seq", "automatic-speech-recognition"),
    ("ForTextToSpeech", "text-to-speech"),
    ("ForTextToWaveform", "text-to-audio"),
    ("ForImageTextToText", "image-text-to-text"),
    ("ForVision2Seq", "image-to-text"),
    ("ForImageToImage", "image-to-image"),
    ("ForSuperResolution", "image-to-image"),
    ("ForTimeSeriesPrediction", "time-series-forecasting"),
    ("ForPrediction", "time-series-forecasting"),
    ("ForPreTraining", "fill-mask"),
    ("MarianMTModel", "translation"),
    ("ImageModel", "image-feature-extraction"),
)
_IMAGE_BACKBONES = ("ViT", "Dinov2", "DINOv3", "Swin", "Beit", "ConvNext", "ResNet", "Deit", "DeiT")
_GENERATION = "ForConditionalGeneration"
_FRAMEWORK_PREFIXES = ("TF", "Flax")


def task_from_architectures(architectures: Iterable[str]) -> str | None:
    """The task of the first architecture that names one; None where all are silent."""
    for architecture in architectures:
        task = _task(architecture) or _task(_without_framework(architecture))
        if task is not None:
            return task
    return None


def _without_framework(architecture: str) -> str:
    for prefix in _FRAMEWORK_PREFIXES:
        architecture = architecture.removeprefix(prefix)
    return architecture


def _task(architecture: str) -> str | None:
    if architecture in _NAMES:
        return _NAMES[architecture]
    for ending, task in _ENDINGS:
        if architecture.endswith(ending):
            return task
    if architecture.endswith(_GENERATION):
        return _generation(architecture.removesuffix(_GENERATION))
    if architecture.endswith("Model"):
        image = architecture.startswith(_IMAGE_BACKBONES)
        return "image-feature-extraction" if image else "feature-extraction"
    return None


def _generation(family: str) -> str:
    """Generation on a condition: text, speech or, for all newer families, images with text."""
    if family in _TEXT_TO_TEXT:
        return "text2text-generation"
    if family in _TRANSLATION:
        return "translation"
    return "automatic-speech-recognition" if family.startswith(_SPEECH) else "image-text-to-text"
