"""A model as a signed folder of text: written, verified, and only then read.

A damaged LightGBM file can kill the process that parses it, and a changed digit can silently change scores. So
nothing is parsed before the signature over the manifest and the sha256 of every file have been checked, on the very
bytes that are parsed afterwards; and `verify_in_child` lets another process try first. There is no pickle anywhere.

``manifest.json`` lists every file with sha256 and size, and the model's columns. ``manifest.sig`` is an Ed25519
signature over its bytes. The digest is over the content files alone: ``about.json`` (run, times, commit) and
``card.md`` are signed but outside it, so that training twice with one seed gives one digest.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import lightgbm as lgb
import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chekara.domain.decision import ModelIdentity
from chekara.errors import (
    BundleColumnsError,
    BundleDigestError,
    BundleGoldenError,
    BundleRefusedError,
    BundleSignatureError,
    ChekaraError,
    ConfigurationError,
)
from chekara.explain.evidence import Evidence
from chekara.explain.quadrature import QuadratureTreeShap
from chekara.features.catalogue import find_feature
from chekara.modelling.calibration import Calibration
from chekara.modelling.encode import Encoder
from chekara.modelling.golden import check_golden
from chekara.modelling.keys import load_signing_key, load_trusted_keys, public_key_from_hex, public_key_hex
from chekara.modelling.model import Model
from chekara.modelling.severity import Severity
from chekara.modelling.spec import parse_spec

__all__ = ["load_signing_key", "load_trusted_keys", "read_bundle", "verify_in_child", "write_bundle"]

Files: TypeAlias = Mapping[str, bytes]

FORMAT = "chekara-bundle/3"
CONTENT_FILES = (
    "calibration.json",
    "encoding.json",
    "evidence.json",
    "golden.json",
    "model.txt",
    "reference.json",
    "severity.json",
    "spec.toml",
)
SIDE_FILES = ("about.json", "card.md")
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
LARGEST_FILE_BYTES = 256 * 1024 * 1024
CHILD_SECONDS = 120
_REFUSED_EXIT = 3
_KEYS_FOLLOW = "--keys"


def write_bundle(
    model: Model, folder: Path, signing_key: Ed25519PrivateKey, about: Mapping[str, Any], card: str = ""
) -> str:
    """Write and sign a bundle.

    Parameters
    ----------
    model : Model
    folder : Path
        Made here; it must not exist, or be empty.
    signing_key : Ed25519PrivateKey
    about : mapping
        What JSON can hold: ``version``, ``run_id``, ``trained_by``, ``commit``, times ... Outside the digest.
    card : str
        Markdown, outside the digest.

    Returns
    -------
    str
        ``sha256:...`` over the content files.

    Raises
    ------
    ConfigurationError
        The folder holds something already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError("a bundle is written once, into an empty folder", where=folder.name)
    content = _content(model)
    files = content | {"about.json": _json(dict(about)), "card.md": card.encode()}
    manifest = _json(
        {
            "format": FORMAT,
            "name": model.spec.name,
            "domain": model.spec.domain,
            "digest": _digest_of(content),
            "files": {name: {"sha256": _sha256(data), "bytes": len(data)} for name, data in sorted(files.items())},
            "columns": _columns_here(model.names, model.spec.extensions),
        }
    )
    # Written beside and renamed, so that nobody ever sees half a bundle.
    draft = folder.with_name(folder.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name, data in {**files, MANIFEST: manifest, SIGNATURE: signing_key.sign(manifest)}.items():
        (draft / name).write_bytes(data)
    if folder.exists():
        folder.rmdir()
    draft.rename(folder)
    return _digest_of(content)


def read_bundle(folder: Path, trusted_keys: Sequence[Ed25519PublicKey]) -> Model:
    """Verify a bundle and only then parse it.

    Signature, then the list of files and the sha256 of each, then the columns against this code's catalogue.

    Parameters
    ----------
    folder : Path
    trusted_keys : sequence of Ed25519PublicKey

    Returns
    -------
    Model

    Raises
    ------
    BundleSignatureError
        No signature, or by no trusted key.
    BundleDigestError
        A file was changed, cut, added or lost.
    BundleColumnsError
        The model wants other features than this code computes; the message is the difference.
    BundleRefusedError
        Anything else that a bundle cannot be.
    """
    manifest = _verified_manifest(folder, trusted_keys)
    files = _verified_files(folder, manifest)
    _check_columns(manifest, folder)
    return _parse(files, manifest, folder)


def verify_in_child(folder: Path, trusted_keys: Sequence[Ed25519PublicKey], *more: Path) -> None:
    """Load a bundle in a child process and check its golden vectors there.

    A bundle that kills its reader kills the child, and is refused here.

    Parameters
    ----------
    folder : Path
    trusted_keys : sequence of Ed25519PublicKey
    *more : Path
        Folders of other bundles to try in the same process, which costs more to start than a bundle to try. Where one
        of them is refused, or kills the child, the error does not say that the others are sound.

    Raises
    ------
    BundleRefusedError
        As `read_bundle`; `BundleGoldenError` where the golden vectors come out differently.
    """
    keys = [public_key_hex(key) for key in trusted_keys]
    folders = [str(one) for one in (folder, *more)]
    command = [sys.executable, "-m", "chekara.modelling.bundle", *folders, _KEYS_FOLLOW, *keys]
    try:
        child = subprocess.run(command, capture_output=True, timeout=CHILD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise BundleRefusedError(f"not verified within {CHILD_SECONDS} s", where=folder.name) from None
    if child.returncode == 0:
        return
    if child.returncode != _REFUSED_EXIT:
        raise BundleRefusedError(
            f"the process that tried it ended with code {child.returncode}",
            where=folder.name,
            hint="the bundle is not served; the process here is unharmed",
        )
    # LightGBM may have printed before, bytes of the damaged file included; the reason is the last line.
    told = json.loads(child.stdout.splitlines()[-1])
    kinds = (BundleSignatureError, BundleDigestError, BundleColumnsError, BundleGoldenError)
    kind = next((kind for kind in kinds if kind.code == told["code"]), BundleRefusedError)
    raise kind(told["detail"], where=told["where"], hint=told["hint"])


def _content(model: Model) -> dict[str, bytes]:
    return {
        "calibration.json": _json(model.calibration.to_json()),
        "encoding.json": _json(model.encoder.to_json()),
        "evidence.json": _json(model.evidence.to_json()),
        "golden.json": _json(dict(model.golden)),
        "model.txt": model.booster.model_to_string().encode(),
        "reference.json": _json({"margins": model.reference_margins.tolist()}),
        "severity.json": _json(None if model.severity is None else model.severity.to_json()),
        "spec.toml": model.spec.text.encode(),
    }


def _json(value: Any) -> bytes:
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _digest_of(content: Files) -> str:
    listed = "".join(f"{name} {_sha256(content[name])}\n" for name in sorted(content))
    return _sha256(f"{FORMAT}\n{listed}".encode())


def _read(folder: Path, name: str, error: type[BundleRefusedError]) -> bytes:
    path = folder / name
    if path.is_symlink() or not path.is_file():
        raise error("a file is missing, or not a plain file", where=f"{folder.name}/{name}")
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise error("a file is larger than any bundle has", where=f"{folder.name}/{name}")
    return path.read_bytes()


def _verified_manifest(folder: Path, trusted_keys: Sequence[Ed25519PublicKey]) -> dict[str, Any]:
    if folder.is_symlink() or not folder.is_dir():
        raise BundleRefusedError("no such bundle folder", where=folder.name)
    manifest = _read(folder, MANIFEST, BundleSignatureError)
    signature = _read(folder, SIGNATURE, BundleSignatureError)
    if not any(_is_signed_by(key, signature, manifest) for key in trusted_keys):
        raise BundleSignatureError(
            "signed by none of the keys trusted here",
            where=f"{folder.name}/{SIGNATURE}",
            hint=f"{len(trusted_keys)} trusted; to trust its maker, copy bundle_signing.pub.pem into keys/trusted",
        )
    stored: dict[str, Any] = json.loads(manifest)
    if stored.get("format") != FORMAT:
        raise BundleRefusedError("another format of bundle", where=folder.name, hint=f"this code reads {FORMAT}")
    return stored


def _is_signed_by(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _verified_files(folder: Path, manifest: Mapping[str, Any]) -> dict[str, bytes]:
    listed = manifest["files"]
    expected = {*CONTENT_FILES, *SIDE_FILES}
    if set(listed) != expected:
        raise BundleDigestError("the manifest lists other files than a bundle has", where=folder.name)
    present = {path.name for path in folder.iterdir()}
    extra, missing = present - expected - {MANIFEST, SIGNATURE}, expected - present
    if extra or missing:
        parts = [f"{len(extra)} files too many"] * bool(extra) + [f"missing {', '.join(sorted(missing))}"] * bool(
            missing
        )
        raise BundleDigestError("; ".join(parts), where=folder.name, hint="fetch the bundle again")
    files = {name: _read(folder, name, BundleDigestError) for name in sorted(expected)}
    for name, data in files.items():
        if len(data) != listed[name]["bytes"] or _sha256(data) != listed[name]["sha256"]:
            raise BundleDigestError(
                "a file was changed or cut since it was signed",
                where=f"{folder.name}/{name}",
                hint="fetch the bundle again",
            )
    if _digest_of({name: files[name] for name in CONTENT_FILES}) != manifest["digest"]:
        raise BundleDigestError("the digest is not that of the files", where=folder.name)
    return files


def _columns_here(names: Sequence[str], extensions: Mapping[str, str]) -> list[dict[str, str]]:
    """Describe columns as this code would compute them; a name that it does not know is left without kind."""
    described = []
    for name in names:
        found = find_feature(name)
        if found is not None:
            described.append({"name": name, "kind": found.kind, "unit": found.unit})
        else:
            described.append({"name": name, "kind": extensions.get(name, "unknown"), "unit": ""})
    return described


def _check_columns(manifest: Mapping[str, Any], folder: Path) -> None:
    wanted = manifest["columns"]
    extensions = {c["name"]: c["kind"] for c in wanted if c["name"].startswith("x_")}
    here = _columns_here([c["name"] for c in wanted], extensions)
    differences = [
        f"- {there['name']}: {there['kind']} ({there['unit']})\n+ {ours['name']}: {ours['kind']} ({ours['unit']})"
        for there, ours in zip(wanted, here, strict=True)
        if there != ours
    ]
    if differences:
        raise BundleColumnsError(
            "made for other features than this code computes (- the bundle, + here)\n" + "\n".join(differences) + "\n",
            where=folder.name,
            hint="train again with this version",
        )


def _parse(files: Files, manifest: Mapping[str, Any], folder: Path) -> Model:
    """Parse files that were verified."""
    reference = json.loads(files["reference.json"])
    about, severity = json.loads(files["about.json"]), json.loads(files["severity.json"])
    encoder = Encoder.from_json(json.loads(files["encoding.json"]))
    booster = lgb.Booster(model_str=files["model.txt"].decode())
    columns = tuple(column["name"] for column in manifest["columns"])
    for where, names in (("model.txt", tuple(booster.feature_name())), ("encoding.json", encoder.names)):
        if names != columns:
            place = next((i for i, (a, b) in enumerate(zip(names, columns, strict=False)) if a != b), len(columns))
            raise BundleColumnsError(f"columns are shifted from column {place} on", where=f"{folder.name}/{where}")
    return Model(
        spec=parse_spec(files["spec.toml"].decode(), f"{folder.name}/spec.toml"),
        booster=booster,
        explainer=QuadratureTreeShap(booster),
        encoder=encoder,
        calibration=Calibration.from_json(json.loads(files["calibration.json"])),
        severity=None if severity is None else Severity.from_json(severity),
        evidence=Evidence.from_json(json.loads(files["evidence.json"])),
        reference_margins=np.asarray(reference["margins"], dtype=np.float64),
        golden=json.loads(files["golden.json"]),
        identity=ModelIdentity(manifest["name"], str(about.get("version", "")), manifest["digest"]),
        about=about,
    )


def main(arguments: Sequence[str]) -> int:
    """Verify bundles and score their golden vectors: the child of `verify_in_child`.

    Parameters
    ----------
    arguments : sequence of str
        Folders, ``--keys``, then the trusted public keys as hexadecimal.

    Returns
    -------
    int
        0, or 3 with the reason as JSON on standard output.
    """
    end = arguments.index(_KEYS_FOLLOW)
    try:
        trusted = [public_key_from_hex(key) for key in arguments[end + 1 :]]
        for folder in arguments[:end]:
            check_golden(read_bundle(Path(folder), trusted))
    except ChekaraError as error:
        print(json.dumps({"code": error.code, "detail": error.detail, "where": error.where, "hint": error.hint}))
        return _REFUSED_EXIT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
