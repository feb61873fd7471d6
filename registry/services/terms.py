"""What a session is answered by: fixed when it opens, for all of its blocks.

Terms are canonical JSON (RFC 8785): keys sorted, no spaces, numbers as short as they can be. They
say the use, the spaces, what matches in each of them, by which policy and bank that was chosen,
from which similarity on a contested match stands, and after how many days the owners of records are
told that images were left out.
They are stored with the session and read back for every block, so that neither a registry that
grows nor an operator who changes a setting changes what was promised while it runs.
"""

import json
from collections.abc import Collection
from typing import Any, Final

from consent_client.protocol.spaces import SPACES, WORK_SPACES, Kind, Space
from consent_client.protocol.statements import Use
from registry.errors import CorruptRegistry, ScreeningClosed
from registry.matching.policies import Band, Policy, Thresholds

TERMS_VERSION: Final = 1

_UNSAID: Final = 0.70
"""From where on contested matches stood before terms said it."""

_UNREADABLE = "The terms of a session can not be read."

_UPGRADED = (
    "The registry was upgraded since this screening was opened and can not keep its terms any "
    "more. What it answered stays; close it and open a new one for the rest."
)


def write_terms(
    use: Use,
    required_spaces: Collection[str],
    opt_in_spaces: Collection[str],
    policy: Policy,
    bank_version: int,
    told_after_days: int | None = None,
) -> str:
    """The terms of a session, canonical JSON.

    Args:
        use: what is screened for.
        required_spaces: ids of the spaces without which an image is UNKNOWN.
        opt_in_spaces: ids of the spaces of people that are looked in, too.
        policy: which pairs match.
        bank_version: of the specificity bank that records were measured against.
        told_after_days: see `registry.services.became`; None: nobody is told.
    """
    told = {} if told_after_days is None else {"told": {"afterDays": told_after_days}}
    spaces = sorted({*WORK_SPACES, *opt_in_spaces})
    return json.dumps(
        {
            "bank": bank_version,
            "contest": {"standsFrom": _short(policy.stands_from)},
            "optInSpaces": sorted(opt_in_spaces),
            "policy": {"name": policy.name, "version": policy.version},
            "requiredSpaces": sorted(required_spaces),
            "spaces": {name: _rule(SPACES[name], policy) for name in spaces},
            **told,
            "use": Use(use).cawg,
            "version": TERMS_VERSION,
        },
        sort_keys=True,
        separators=(",", ":"),
    )


def policy_in(terms: str, bank_version: int) -> Policy:
    """The policy that terms promise, if it can be kept.

    Args:
        terms: as stored; empty for a session that was opened before there were any.
        bank_version: of the bank that records are measured against now.

    Raises:
        ScreeningClosed: another bank than promised: after an upgrade of the registry.
        CorruptRegistry: these are no terms.
    """
    if not terms:
        raise ScreeningClosed(_UPGRADED)
    try:
        read = json.loads(terms)
        spaces = {
            name: _thresholds(rule["bands"])
            for name, rule in read["spaces"].items()
            if "bands" in rule
        }
        stands_from = float(read["contest"]["standsFrom"]) if "contest" in read else _UNSAID
        policy = Policy(read["policy"]["name"], read["policy"]["version"], spaces, stands_from)
        promised = read["bank"]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise CorruptRegistry(_UNREADABLE) from None
    if promised != bank_version:
        raise ScreeningClosed(_UPGRADED)
    return policy


def told_after(terms: str) -> int | None:
    """After how many days the owners of records are told; None: never, as terms once were.

    Args:
        terms: as stored; empty for a session that was opened before there were any.

    Raises:
        CorruptRegistry: these are no terms.
    """
    try:
        told = json.loads(terms or "{}").get("told")
        return None if told is None else int(told["afterDays"])
    except (ValueError, TypeError, KeyError, AttributeError):
        raise CorruptRegistry(_UNREADABLE) from None


def _rule(space: Space, policy: Policy) -> dict[str, Any]:
    thresholds = policy.thresholds(space.id)
    if thresholds is not None:
        return {"bands": [_band(band) for band in thresholds.bands]}
    if space.kind is Kind.BINARY:
        return {"radius": space.radius}
    return {"equal": True}


def _band(band: Band) -> dict[str, float]:
    return {
        "ceiling": _short(band.ceiling),
        "floor": _short(band.floor),
        "margin": _short(band.margin),
        "upTo": _short(band.up_to),
    }


def _thresholds(bands: list[dict[str, float]]) -> Thresholds:
    return Thresholds(
        tuple(
            Band(
                float(band["upTo"]), *(float(band[name]) for name in ("floor", "margin", "ceiling"))
            )
            for band in bands
        )
    )


def _short(number: float) -> float:
    """As RFC 8785 writes it: a whole number without a fraction."""
    return int(number) if number.is_integer() else number
