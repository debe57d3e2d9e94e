"""
How do I serve a model over HTTP?
=================================

A web service around a classifier as ONNX: raw fields in, probabilities out.

A request is a row as JSON. What is null or left out is missing, and words may be ones
that training has not seen. Any other body is refused, with what is wrong. One learns
here

* that the graph tells all that a service has to know: names and types of the fields,
  and the classes;
* how to serve a model where skmlp, scikit-learn and pandas are not installed.

Make a model with: python examples/browser/train.py

Run it with: MODEL=examples/browser/dist/model.onnx python examples/service.py

Its page http://127.0.0.1:8000/docs lists the fields and lets one try.
"""

# sphinx_gallery_thumbnail_path = 'images/browser.png'

import asyncio
import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, HTTPException, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ConfigDict, Field, create_model

INT64 = np.iinfo(np.int64)
# some libraries write 12 as 12.0
Integer = Annotated[int | float, Field(ge=INT64.min, le=INT64.max, multiple_of=1)]
# pydantic decodes a string only to count its characters, and refuses lone surrogates
Text = Annotated[str, Field(min_length=0)]
TYPES = {
    "tensor(double)": (float, np.float64, np.nan),
    "tensor(string)": (Text, object, ""),
    "tensor(int64)": (Integer, np.int64, INT64.min),
    "tensor(bool)": (bool, np.bool_, False),
}
"""By type of an input: what it is in JSON, in NumPy, and what stands for null."""

MAX_BODY_SIZE = 1 << 20
"""Maximum number of bytes of a request."""

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1  # requests are what runs side by side
session = onnxruntime.InferenceSession(os.environ["MODEL"], options)
executor = ThreadPoolExecutor(os.cpu_count())  # more threads only slow each other down
classes = json.loads(session.get_modelmeta().custom_metadata_map["skmlp_classes"])
inputs = session.get_inputs()

Row = create_model(
    "Row",
    # strict: neither true nor "12.5" is a number
    __config__=ConfigDict(extra="forbid", strict=True, allow_inf_nan=False),
    # by alias, since a field itself can't be called "_age" or "model_config"
    **{
        f"field_{place}": (TYPES[entry.type][0] | None, Field(None, alias=entry.name))
        for place, entry in enumerate(inputs)
    },
)
app = FastAPI(title="How will this loan go?")


@app.post("/predict")
async def predict(row: Row):
    loop = asyncio.get_running_loop()  # free for other requests while a thread computes
    return await loop.run_in_executor(executor, predict_row, row)


def predict_row(row):
    feeds = {}
    for entry, (_, value) in zip(inputs, row, strict=True):
        _, dtype, missing = TYPES[entry.type]
        feeds[entry.name] = np.array([[missing if value is None else value]], dtype)
    label, probabilities = session.run(None, feeds)
    shares = dict(zip(map(str, classes), probabilities[0].tolist(), strict=True))
    return {"label": label.tolist()[0], "probabilities": shares}


@app.exception_handler(RequestValidationError)
async def explain_invalid(request, error):
    # not with the input, which may hold what JSON can't express, such as NaN
    return refuse([{"loc": one["loc"], "msg": one["msg"]} for one in error.errors()])


@app.exception_handler(400)
async def explain_unreadable(request, error):
    return refuse(error.detail)  # not UTF-8, or nested too deeply


def refuse(detail):
    content = json.dumps({"detail": detail})  # escapes all that is not ASCII
    return Response(content, 422, media_type="application/json")


class BodyLimit:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        size = 0

        async def receive_within_limit():
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > MAX_BODY_SIZE:
                raise HTTPException(413, f"Expected at most {MAX_BODY_SIZE} bytes.")
            return message

        await self.app(scope, receive_within_limit, send)


app.add_middleware(BodyLimit)

if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
