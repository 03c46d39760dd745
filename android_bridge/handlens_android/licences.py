"""Which artifacts an app may carry without a second thought, and the text about licences that goes along."""

import re
from collections.abc import Sequence

from handlens.artifact import Artifact
from handlens.errors import OptionError

# Named at the start of `Provenance.weights_licence`, these let an app carry the weights, sold or not.
_OPEN = re.compile(
    r"(Apache-2\.0|MIT(-0)?|BSD-[23]-Clause|0BSD|ISC|Unlicense|CC0(-1\.0)?|CC[ -]BY([ -]SA)?[ -][34]\.0|public domain)"
    r"(?![\w-])",
    re.IGNORECASE,
)
_LIMITED = re.compile(r"research|academic|non-?commercial|evaluation only|unknown|\bNC\b|\bND\b", re.IGNORECASE)


def is_open(licence: str) -> bool:
    """Tells whether a licence of weights is one that an app can be published under.

    Args:
        licence: as in `Provenance.weights_licence`: a licence's name, and perhaps a remark.

    Returns:
        True for a known open licence without a limiting remark; what is not known counts as limited.
    """
    return _OPEN.match(licence.strip()) is not None and _LIMITED.search(licence) is None


def check(artifacts: Sequence[Artifact], accepted: bool) -> tuple[str, ...]:
    """Holds back weights whose licence limits what an app may do, unless the caller says that it may.

    Args:
        artifacts: that are to go in.
        accepted: whether the caller has read the licences and keeps to them.

    Returns:
        A line about each limited artifact, for whoever builds.

    Raises:
        OptionError: there is one, and `accepted` is off.
    """
    limited = tuple(
        f"{artifact.path.name}: {artifact.manifest.provenance.weights_licence.strip() or 'no licence is named'}"
        for artifact in artifacts
        if not is_open(artifact.manifest.provenance.weights_licence)
    )
    if limited and not accepted:
        raise OptionError(
            f"{len(limited)} of {len(artifacts)} artifacts must not go into just any app: {'; '.join(limited)}; leave "
            "them out, or, where your use keeps to these terms, say so with --accept-licence"
        )
    return limited


def notice(artifacts: Sequence[Artifact]) -> str:
    """The text that travels in the archive: each artifact's licence, and the data behind its weights."""
    parts = ["The code is under the Apache License 2.0. Each model is under the terms of its weights:\n"]
    for artifact in artifacts:
        made = artifact.manifest.provenance
        parts.append(f"{artifact.path.name} ({artifact.manifest.task}, {artifact.manifest.name})")
        parts.append(f"  weights: {made.weights_licence.strip() or 'no licence is named'}")
        parts += [f"  data: {source.name}; {source.licence}" for source in made.data]
        parts.append("")
    return "\n".join(parts)
