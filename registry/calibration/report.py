"""What the operator is told of a calibration."""

from typing import Any

from registry.calibration.run import Matched, Publication


def matched_json(matched: Matched) -> dict[str, Any]:
    """For programs."""
    return {
        "images": matched.images,
        "unreadable": matched.unreadable,
        "hits": matched.hits,
        "matchedImages": matched.matched_images,
        "pages": [str(path) for path in matched.pages],
        "review": str(matched.review),
    }


def matched_text(matched: Matched) -> str:
    """For people."""
    found = ", ".join(
        f"{images} under the policy {name}" for name, images in matched.matched_images.items()
    )
    first = (
        f"{matched.images} images matched with the whole registry, {matched.unreadable} could not "
        f"be read. Images with a hit: {found}."
    )
    lines = [first]
    if matched.hits:
        pages = ", ".join(str(path) for path in matched.pages)
        lines.append(
            f"Look at {pages} and write copy, different or unsure behind each of the "
            f"{matched.hits} hits in {matched.review}."
        )
    lines.append(
        f"Then publish: consent-registry calibrate --out {matched.review.parent} --review "
        f"{matched.review} --name 'the data set'"
    )
    return "\n".join(lines)


def published_json(done: Publication) -> dict[str, Any]:
    """For programs."""
    calibration = done.calibration
    return {
        "new": done.new,
        "sample": calibration.sample,
        "images": calibration.images,
        "unreadable": calibration.unreadable,
        "logSize": calibration.log_size,
        "inForce": calibration.in_force,
        "policies": [
            {
                "name": each.name,
                "version": each.version,
                "hits": each.hits,
                "falseHits": each.false_hits,
                "unsureHits": each.unsure_hits,
                "matchedImages": each.matched_images,
                "falseImages": each.false_images,
                "unsureImages": each.unsure_images,
                "rate": each.rate,
                "low": each.low,
                "high": each.high,
            }
            for each in calibration.policies
        ],
        "lookAt": [
            {"recordEntry": each.record, "falseImages": each.false_images, "quota": each.quota}
            for each in done.suspects
        ],
    }


def published_text(done: Publication) -> str:
    """For people."""
    calibration = done.calibration
    verb = "Published" if done.new else "Published before, unchanged"
    first = (
        f"{verb}: {calibration.images} images of {calibration.sample}, "
        f"{calibration.active_records} active records at log size {calibration.log_size}."
    )
    lines = [first]
    for each in calibration.policies:
        force = " (in force)" if each.name == calibration.in_force else ""
        lines.append(
            f"Policy {each.name}{force}: {each.false_images} falsely excluded, "
            f"{each.unsure_images} unsure, of {each.matched_images} with a hit. Rate "
            f"{each.rate:.2e}, 95 % interval {each.low:.2e} to {each.high:.2e}."
        )
    lines += [
        f"Look at the record of entry {suspect.record}: {suspect.false_images} false hits, "
        f"{suspect.quota} is its quota. If it is no honest record: consent-registry erase "
        f"{suspect.record} --reason ABUSE"
        for suspect in done.suspects
    ]
    return "\n".join(lines)
