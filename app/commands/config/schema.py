"""`python -m app config schema`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping

from app.configuration.schema import KINDS, text


def schema(asked: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    """Print or write the schemas. Returns 0 right, 2 they cannot be written."""
    kinds, folder = [asked.kind] if asked.kind else list(KINDS), asked.write
    if folder is None:
        schemas = {kind: json.loads(text(kind)) for kind in kinds}
        print(
            text(kinds[0]) if asked.kind else json.dumps(schemas, indent=2, ensure_ascii=False) + "\n", end=""
        )
        return 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind in kinds:
            (folder / f"{kind}.json").write_text(text(kind), encoding="utf-8")
            print(folder / f"{kind}.json")
    except OSError as error:
        print(f"`{folder}` cannot be written: {error.strerror}.", file=sys.stderr)
        return 2
    return 0
