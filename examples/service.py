"""
How do I serve a model over HTTP?
=================================

A web service around a classifier as ONNX: raw fields in, probabilities out.

A request is a row as JSON. What is null or left out is missing, and words may be ones
that training has not seen. One learns here

* that the graph tells all that a service has to know: names and types of the fields,
  and the classes;
* how to serve a model where skmlp, scikit-learn and pandas are not installed.

Make a model with: python examples/browser/train.py

Run it with: MODEL=examples/browser/dist/model.onnx python examples/service.py

Its page http://127.0.0.1:8000/docs lists the fields and lets one try.
"""

# sphinx_gallery_thumbnail_path = 'images/browser.png'

import json
import os

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI
from pydantic import ConfigDict, create_model

TYPES = {
    "tensor(double)": (float, np.float64, np.nan),
    "tensor(string)": (str, object, ""),
    "tensor(int64)": (int, np.int64, np.iinfo(np.int64).min),
    "tensor(bool)": (bool, np.bool_, False),
}
"""By type of an input: what it is in JSON, in NumPy, and what stands for null."""

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1  # requests are what runs side by side
session = onnxruntime.InferenceSession(os.environ["MODEL"], options)
classes = json.loads(session.get_modelmeta().custom_metadata_map["skmlp_classes"])
fields = {entry.name: TYPES[entry.type] for entry in session.get_inputs()}

Row = create_model(
    "Row",
    __config__=ConfigDict(extra="forbid"),
    **{name: (kind | None, None) for name, (kind, *_) in fields.items()},
)
app = FastAPI(title="How will this loan go?")


@app.post("/predict")
def predict(row: Row):
    feeds = {}
    for name, value in row:
        _, dtype, missing = fields[name]
        feeds[name] = np.array([[missing if value is None else value]], dtype)
    label, probabilities = session.run(None, feeds)
    shares = dict(zip(map(str, classes), probabilities[0].tolist(), strict=True))
    return {"label": label.tolist()[0], "probabilities": shares}


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
