"""How much the time of an answer tells of a block's images: what docs/threat-model.md says of it.

    python -m benchmarks.answer_times --images 64

Blocks that match, that come near the border of a match, and that do neither are asked in random
order, through the whole application in one process. Given is how often a block of a kind was slower
than one that has nothing to do with any record ("far"), of all pairs; half is chance, and what "far
again" comes to shows how much accident there is in it.
"""

import argparse
import asyncio
import random
import tempfile
from pathlib import Path

import numpy as np

from tests.attacks.test_timing import KINDS, watching

AGAIN = "far again"
RECORDS = 64


async def measured(images: int, blocks: int) -> dict[str, list[float]]:
    """Seconds of each block, by kind."""
    seconds: dict[str, list[float]] = {kind: [] for kind in (*KINDS, AGAIN)}
    with tempfile.TemporaryDirectory() as folder:
        async with watching(Path(folder), RECORDS) as watcher:
            for number in range(-3, blocks):
                for kind in random.sample(list(seconds), len(seconds)):
                    taken, _ = await watcher.ask("far" if kind == AGAIN else kind, images)
                    if number >= 0:  # the first are slower
                        seconds[kind].append(taken)
    return seconds


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1, choices=range(1, RECORDS + 1), metavar="N")
    parser.add_argument("--blocks", type=int, default=120)
    chosen = parser.parse_args()
    seconds = asyncio.run(measured(chosen.images, chosen.blocks))
    far = np.array(seconds["far"])
    chance = np.sqrt((2 * len(far) + 1) / 12) / len(far)
    print(f"{chosen.images} images, {len(far)} blocks of each kind; chance is 50 % +- {chance:.0%}")
    for kind, each in seconds.items():
        low, middle = np.percentile(each, [10, 50]) * 1e3
        slower = (np.array(each)[:, None] > far).mean()
        print(f"{kind}: 10th percentile {low:.1f} ms, median {middle:.1f} ms, slower {slower:.0%}")


if __name__ == "__main__":
    main()
