"""Models as graphs: Keras, HDF5, ONNX, TensorFlow, TorchScript and their like."""

from allmende.scan.graphs import (
    caffe,
    coreml,
    hdf5_reader,
    keras_config,
    mxnet,
    onnx_reader,
    onnx_text,
    paddle,
    tensorflow_operators,
    tensorflow_reader,
    tensorflow_text,
    tflite,
    torchscript,
    triton,
    xml_models,
)
from allmende.scan.scanning import Reader

__all__ = ["READERS", "RULES"]

READERS: tuple[Reader, ...] = (
    hdf5_reader.READER, keras_config.READER, onnx_reader.READER, tensorflow_reader.READER,
    tensorflow_text.READER, paddle.READER, torchscript.READER, tflite.READER, xml_models.READER,
    coreml.READER, mxnet.READER, triton.READER, onnx_text.READER,
    *caffe.READERS,
)  # fmt: skip
RULES = (
    *hdf5_reader.RULES, *keras_config.RULES, *onnx_reader.RULES, *tensorflow_operators.RULES, *paddle.RULES,
    *torchscript.RULES, *tflite.RULES, *xml_models.RULES, *coreml.RULES,
    *mxnet.RULES, *triton.RULES, *caffe.RULES,
)  # fmt: skip
