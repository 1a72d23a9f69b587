"""What a part is made from, as a hash. A part with the right hash is never made again."""

import ast
import hashlib
import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.stages import STAGES
from pipeline.storage import file_hash

PACKAGE = Path(__file__).parent

FRAME = [PACKAGE / name for name in ("parts.py", "parquet.py", "schema.py")]
"""The code that decides how any stage's columns become a file."""


def ingredients(stage: str, config: Config) -> Mapping[str, Any]:
    """Everything but the input that decides what a stage makes. The manifest shows it."""
    entry = STAGES[stage]
    modules = code(stage)
    return {
        "code": digest([_hash(path) for path in modules]),
        "config": {name: getattr(config, name) for name in entry.settings},
        "lexica": {path.stem: _hash(path) for path in lexica(modules)},
        "model": _model(Path(config.model)) if entry.model else {},
        "packages": {name: version(name) for name in ("pyarrow", *entry.packages)},
        "python": ".".join(platform.python_version_tuple()[:2]),  # Unicode's tables come with it
    }


def digest(value: Any) -> str:
    """Hash of anything that JSON can write."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _model(directory: Path) -> Mapping[str, str]:
    """Hashes of its files, less those for people: a new figure in `card.md` changes no table."""
    files = sorted(p for p in directory.rglob("*") if p.is_file() and p.suffix != ".md")
    if not files:
        message = f"no model in {directory}: run `make train`, or name another with --model"
        raise UsageError(message)
    return {path.relative_to(directory).as_posix(): file_hash(path) for path in files}


def code(stage: str) -> list[Path]:
    """The frame, the stage's module, and all that this imports of the package.

    Read off the import statements, so that nobody has to keep a list. `config.py` is left out: a
    stage's settings count by their values.
    """
    found: set[Path] = {PACKAGE / "config.py"}
    waiting = [PACKAGE / "stages" / f"{stage}.py"]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_imported(path))
    return sorted((found - {PACKAGE / "config.py"}).union(FRAME))


def lexica(modules: Sequence[Path]) -> list[Path]:
    """The lexica that these modules name in a string, if they can read any."""
    if PACKAGE / "lexicon.py" not in modules:
        return []
    named = {name for path in modules for name in _strings(path)}
    return sorted(path for path in (PACKAGE / "lexica").glob("*.tsv") if path.stem in named)


@cache
def _hash(path: Path) -> str:
    return file_hash(path)


@cache
def _tree(path: Path) -> ast.AST:
    return ast.parse(path.read_bytes())


@cache
def _strings(path: Path) -> frozenset[str]:
    constants = (node.value for node in ast.walk(_tree(path)) if isinstance(node, ast.Constant))
    return frozenset(value for value in constants if isinstance(value, str))


@cache
def _imported(path: Path) -> frozenset[Path]:
    return frozenset(_files(_names(_tree(path))))


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        package, *inner = name.split(".")
        if package == PACKAGE.name and inner:
            path = PACKAGE.joinpath(*inner)
            candidates = (path.with_suffix(".py"), path / "__init__.py")
            yield from (candidate for candidate in candidates if candidate.is_file())
