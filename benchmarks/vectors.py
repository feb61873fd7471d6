"""Models of what lies in a registry and of what is screened, as unit vectors.

`photographs`: mean and covariance of real `sscd-1` vectors (pairs: mean cosine 0.01, 99.99 % below
0.26), one in ten a near-duplicate of another (0.6 to 1), one in twenty related (0.2 to 0.5).
`clusters`: half of all vectors lie in 20,000 overlapping clusters of very different sizes; one pair
in sixty is hard to tell apart by sign codes. The hardest data we have.
`faces`: 128 dimensions, strangers' cosines spread by 0.1, some people several times.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.spectra import FILE

type Floats = NDArray[np.float32]

_AT_A_TIME: Final = 50_000


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Directions of normally distributed vectors.

    Attributes:
        deviations: float32[d], along the axes.
        mean: float32[d].
    """

    deviations: Floats
    mean: Floats

    @classmethod
    def of(cls, name: str, isotropic: float) -> "Gaussian":
        """A shipped spectrum, with a share of its variance spread evenly.

        Few vectors can not say how much there is along each of many axes.
        """
        with np.load(FILE) as file:
            variances, mean = file[name]
        even = (1 - isotropic) * variances + isotropic * variances.mean()
        return cls(np.sqrt(even), mean)

    def draw(self, random: np.random.Generator, count: int) -> Floats:
        """float32[count, d] of norm 1."""
        drawn = random.standard_normal((count, len(self.mean)), dtype=np.float32)
        return unit(drawn * self.deviations + self.mean)


def unit(vectors: Floats) -> Floats:
    """Scaled to norm 1."""
    scaled: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def beside(random: np.random.Generator, model: Gaussian, to: Floats, cosines: Floats) -> Floats:
    """For each vector another one at this cosine to it, else as the model has them."""
    other = model.draw(random, len(to))
    other -= (other * to).sum(axis=1, keepdims=True) * to
    cosines = cosines.astype(np.float32)[:, None]
    return unit(cosines * to + np.sqrt(1 - cosines**2) * unit(other))


@dataclass(frozen=True, slots=True)
class Data:
    """What is registered, and what is asked.

    Attributes:
        name: of the model.
        model: that pairs are planted by.
        rows: float32[n, d].
        queries: float32[q, d].
    """

    name: str
    model: Gaussian
    rows: Floats
    queries: Floats

    def planted(
        self, random: np.random.Generator, count: int, least: float
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Queries whose cosine to a row is at most 0.02 above a threshold, and these rows."""
        rows = random.integers(0, len(self.rows), count)
        cosines = random.uniform(least, least + 0.02, count).astype(np.float32)
        return beside(random, self.model, self.rows[rows], cosines), rows


def _in_parts(count: int) -> list[slice]:
    return [slice(start, min(count, start + _AT_A_TIME)) for start in range(0, count, _AT_A_TIME)]


def _heads(random: np.random.Generator, heads: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Some of them, the first far more often than the last (Zipf)."""
    weights = 1 / (np.arange(len(heads)) + 10.0) ** 0.8
    return random.choice(heads, count, p=weights / weights.sum())


def photographs(count: int, queries: int, seed: int = 3) -> Data:
    """The model of real photographs; `queries` likewise near-duplicate, related or neither."""
    random = np.random.default_rng(seed)
    model = Gaussian.of("photographs", 0.2)
    rows = np.empty((count, 512), np.float32)
    for part in _in_parts(count):
        rows[part] = model.draw(random, part.stop - part.start)
    duplicates, related = count // 10, count // 20
    heads = random.integers(duplicates + related, count, max(1, count // 25))
    for part in _in_parts(duplicates):
        chosen = rows[_heads(random, heads, part.stop - part.start)]
        rows[part] = beside(random, model, chosen, 1 - 0.4 * random.beta(1, 2, len(chosen)))
    for part in _in_parts(related):
        chosen = rows[_heads(random, heads, part.stop - part.start)]
        here = slice(duplicates + part.start, duplicates + part.stop)
        rows[here] = beside(random, model, chosen, random.uniform(0.2, 0.5, len(chosen)))
    asked = model.draw(random, queries)
    near, loose = queries // 10, queries // 20
    chosen = rows[_heads(random, heads, near + loose)]
    cosines = np.concatenate([1 - 0.4 * random.beta(1, 2, near), random.uniform(0.2, 0.5, loose)])
    asked[: near + loose] = beside(random, model, chosen, cosines)
    random.shuffle(asked)
    return Data("photographs", model, rows, asked)


def clusters(count: int, queries: int, seed: int = 3) -> Data:
    """Heavy clusters."""
    random = np.random.default_rng(seed)
    model = Gaussian.of("edited", 0.07)
    centres = model.draw(random, 20_000)
    weights = 1 / (np.arange(len(centres)) + 20.0) ** 0.8
    weights /= weights.sum()

    def drawn(size: int) -> Floats:
        chosen = centres[random.choice(len(centres), size, p=weights)]
        near = random.beta(2, 2.5, size).astype(np.float32)[:, None] * 0.75
        near[random.random(size) < 0.5] = 0  # in no cluster
        return unit(np.sqrt(near) * chosen + np.sqrt(1 - near) * model.draw(random, size))

    rows = np.empty((count, 512), np.float32)
    for part in _in_parts(count):
        rows[part] = drawn(part.stop - part.start)
    return Data("heavy clusters", model, rows, drawn(queries))


def faces(count: int, queries: int, seed: int = 3) -> Data:
    """Faces: each tenth row and query shows somebody who is there already."""
    random = np.random.default_rng(seed)
    deviations = np.sqrt(np.linspace(1.7, 0.3, 128, dtype=np.float32))
    model = Gaussian(deviations, np.zeros(128, np.float32))
    rows = model.draw(random, count)
    again = rows[1::10]
    rows[::10][: len(again)] = beside(
        random, model, again, random.uniform(0.35, 0.8, len(again)).astype(np.float32)
    )
    asked = model.draw(random, queries)
    known = rows[random.integers(0, count, len(asked[::10]))]
    asked[::10] = beside(
        random, model, known, random.uniform(0.35, 0.8, len(known)).astype(np.float32)
    )
    return Data("faces", model, rows, asked)
