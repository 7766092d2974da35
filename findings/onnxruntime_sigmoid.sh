#!/usr/bin/env bash
# ONNX Runtime's float32 Sigmoid is 0 from -18 down, and falls where its input rises.
#
# The sigmoid of -20 is 2.1e-9, which a float32 holds with all its digits; float32 reaches 0 at about
# -104. So the logarithm of a rare event's probability is minus infinity, and two answers may come in
# another order than their logits: of 28,000 inputs 0.001 apart from -18 to 10, many are followed by
# a smaller answer. The input and the model are valid; the operator's text asks for 1 / (1 + exp(-x)).
# Seen with onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: \
  onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
def look():
    import numpy
    import onnxruntime
    from onnx import TensorProto, helper

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])
    graph = helper.make_graph([helper.make_node("Sigmoid", ["x"], ["y"])], "sigmoid", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(),
                                           providers=["CPUExecutionProvider"])

    def sigmoid(inputs):
        return session.run(None, {"x": numpy.asarray(inputs, dtype=numpy.float32)})[0]

    rising = sigmoid(numpy.arange(-18, 10, 0.001))
    return {
        "sigmoid of -18, -20 and -30": sigmoid([-18, -20, -30]).tolist(),
        "sigmoid of -17.5 is above 0": bool(sigmoid([-17.5])[0] > 0),
        "an answer is followed by a smaller one": bool((numpy.diff(rising) < 0).any()),
    }


seen = look()
expected = {"sigmoid of -18, -20 and -30": [0.0, 0.0, 0.0],
            "sigmoid of -17.5 is above 0": True,
            "an answer is followed by a smaller one": True}
for name, value in seen.items():
    print(f"{name}: {value}")
if seen != expected:
    raise SystemExit(f"CHANGED: expected {expected}")
print("as found before")
PYTHON
