"""Content credentials: a signed C2PA manifest in a finished file, the last thing that is written to it; and its check.

C2PA 2.2 (c2pa.org), through c2pa-python. Nothing is fetched: no time stamps, no revocation lists, no remote manifests.
"""

import json
import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from magicpose_cli import __version__
from magicpose_cli.core.disk import file_sha256
from magicpose_cli.core.temporaries import temporary_beside
from magicpose_cli.provenance.fixed_salts import RecordingSigner, with_fixed_salts
from magicpose_cli.provenance.identity import Identity

TOOL = "magicpose"
FACTS = "org.magicpose.generation"  # the label of our own assertion
_SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
AI_GENERATED = _SOURCES + "trainedAlgorithmicMedia"
PARTLY_AI = _SOURCES + "compositeWithTrainedAlgorithmicMedia"
_UNTRUSTED = "signingCredential.untrusted"  # nobody but its maker knows a local root: expected


@dataclass(frozen=True)
class Credentials:
    """What a file's manifest says. ``intact`` is True where the signature holds and the file is as it was signed.

    ``ours`` means that it names this tool as its maker; ``own_key`` that the given identity signed it; ``trusted`` that
    its certificate leads to a root that c2pa knows. ``facts`` are those given to ``sign``.
    """

    intact: bool
    ours: bool
    ai_generated: bool
    generator: str
    signer: str
    trusted: bool = False
    own_key: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def sign(file: Path, facts: dict[str, Any], identity: Identity, source_type: str = AI_GENERATED) -> bool:
    """Put signed credentials into the finished ``file``, in its place; False where its kind holds none (Matroska).

    ``facts`` is plain data: model, versions, hashes of inputs. With an Ed25519 key the same file, facts and key give
    the same bytes. Raises ValueError where c2pa refuses the certificates.
    """
    import c2pa

    kind = _kind(file)
    if kind is None:
        return False
    scratch = temporary_beside(file).with_suffix(".tmp")
    signer = RecordingSigner(identity)
    try:
        builder = c2pa.Builder(_manifest(facts, file_sha256(file), kind, source_type), context=_offline(c2pa))
        with file.open("rb") as source, scratch.open("w+b") as target:
            manifest = builder.sign(signer.for_c2pa(), kind, source, target)
        with_fixed_salts(scratch, manifest, signer)
        os.replace(scratch, file)
        return True
    except c2pa.C2paError as error:
        raise ValueError(str(error)) from error
    finally:
        scratch.unlink(missing_ok=True)


def read_credentials(file: Path, own: Identity | None = None) -> Credentials | None:
    """The credentials in ``file``; None where there are none, or none can be. ``own`` tells our signature by."""
    import c2pa

    kind = _kind(file)
    if kind is None:
        return None
    try:
        with file.open("rb") as stream:
            reader = c2pa.Reader.try_create(kind, stream, None, context=_offline(c2pa))
            if reader is None:
                return None
            with reader:
                store, state = json.loads(reader.json()), reader.get_validation_state()
    except (c2pa.C2paError, ValueError) as error:
        return Credentials(False, False, False, "unknown", "unknown", problems=(f"cannot be read: {error}",))
    return _understood(store, state, own)


def _kind(file: Path) -> str | None:
    """The MIME type by the file's first bytes; None for a kind that holds no credentials."""
    with file.open("rb") as stream:
        head = stream.read(12)
    if head[4:8] == b"ftyp":
        return "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    starts = {b"GIF8": "image/gif", b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg"}
    return next((kind for start, kind in starts.items() if head.startswith(start)), None)


def _manifest(facts: dict[str, Any], sha256: str, kind: str, source_type: str) -> dict[str, Any]:
    """The same file gets the same names, so that it is signed to the same bytes."""
    name = uuid.UUID(bytes=bytes.fromhex(sha256)[:16], version=4)
    agent = {"name": TOOL, "version": __version__}
    created = {"action": "c2pa.created", "digitalSourceType": source_type, "softwareAgent": agent}
    return {
        "label": f"urn:c2pa:{name}",
        "instance_id": f"xmp:iid:{name}",
        "claim_generator_info": [agent],
        "format": kind,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}, "created": True},
            {"label": FACTS, "data": facts, "created": True},
        ],
    }


def _offline(c2pa: Any) -> Any:
    return c2pa.Context.from_dict(
        {
            "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
            "builder": {"thumbnail": {"enabled": False}},
        }
    )


def _understood(store: dict[str, Any], state: str | None, own: Identity | None) -> Credentials:
    manifest = store.get("manifests", {}).get(store.get("active_manifest"), {})
    maker = (manifest.get("claim_generator_info") or [{}])[0]
    signature = manifest.get("signature_info") or {}
    assertions = {each.get("label"): each.get("data") for each in manifest.get("assertions", [])}
    actions = (assertions.get("c2pa.actions.v2") or assertions.get("c2pa.actions") or {}).get("actions", [])
    failures = store.get("validation_results", {}).get("activeManifest", {}).get("failure", [])
    problems = [str(each.get("explanation")) for each in failures if each.get("code") != _UNTRUSTED]
    facts = assertions.get(FACTS)
    return Credentials(
        intact=state in ("Valid", "Trusted"),
        ours=maker.get("name") == TOOL,
        ai_generated=any(action.get("digitalSourceType") in (AI_GENERATED, PARTLY_AI) for action in actions),
        generator=" ".join(str(maker[key]) for key in ("name", "version") if maker.get(key)) or "unknown",
        signer=str(signature.get("common_name") or signature.get("issuer") or "unknown"),
        trusted=state == "Trusted",
        own_key=own is not None and signature.get("cert_serial_number") == own.serial,
        facts=facts if isinstance(facts, dict) else {},
        problems=tuple(problems),
    )
