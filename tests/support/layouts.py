"""The planted data set in the forms that tools write."""

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from consent_client.errors import ImageError
from consent_client.fingerprints.loading import decoded
from tests.support.planted import Sample, jpeg, samples


def bordered(picture, side=256):
    """What img2dataset's `resize_mode=border` makes of a picture."""
    scale = side / max(picture.size)
    small = picture.resize(tuple(round(each * scale) for each in picture.size))
    square = Image.new("RGB", (side, side), (255, 255, 255))
    square.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
    return square


def _downloaded(sample: Sample) -> tuple[bytes, tuple[int, int]] | None:
    """A picture as img2dataset writes it, and its size before; None where it can not be decoded."""
    try:
        with decoded(sample.image, sample.key) as picture:
            return jpeg(bordered(picture, 320), 95), picture.size
    except ImageError:
        return None


def img2dataset(
    folder: Path, shards: int = 2, form: str = "webdataset", more: Sequence[Sample] = ()
) -> dict[str, str]:
    """Writes an img2dataset folder; key → name of the sample."""
    folder.mkdir(parents=True)
    names: dict[str, str] = {}
    found = [*samples(), *more]
    for shard in range(shards):
        rows, members = [], []
        for number, sample in enumerate(found[shard::shards]):
            key = f"{shard:05d}{number:04d}"
            names[key] = sample.key
            made = _downloaded(sample)
            about = {
                "url": sample.url,
                "caption": f"a {sample.key}",
                "key": key,
                "status": "success" if made else "failed_to_resize",
                "error_message": None if made else "Image decoding error",
                "width": 320 if made else None,
                "height": 320 if made else None,
                "original_width": made[1][0] if made else None,
                "original_height": made[1][1] if made else None,
                "exif": "{}" if made else None,
                "sha256": sample.sha256 if made else None,
            }
            rows.append(about | ({"jpg": made[0] if made else None} if form == "parquet" else {}))
            if made:
                members += [
                    (f"{key}.jpg", made[0]),
                    (f"{key}.json", json.dumps(about).encode()),
                    (f"{key}.txt", about["caption"].encode()),
                ]
        name = f"{shard:05d}"
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
        if form == "webdataset":
            write_tar(folder / f"{name}.tar", members)
        elif form == "files":
            (folder / name).mkdir()
            for member, data in members:
                (folder / name / member).write_bytes(data)
        stats = {
            "count": len(rows),
            "successes": len(members) // 3,
            "failed_to_download": 0,
            "failed_to_resize": len(rows) - len(members) // 3,
            "duration": 1.5,
            "status_dict": {"success": len(members) // 3},
        }
        (folder / f"{name}_stats.json").write_text(json.dumps(stats))
    return names


def write_tar(path: Path, members: list[tuple[str, bytes]]) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
