"""The embedded engine: rego-cpp by regopy; needs nothing installed.

The compiled bundle is kept in the user's cache under the digest of rules, catalogues, settings and
engine version, and so is each outcome under that digest and its document: rules know nothing else.
Documents are evaluated in parallel: the library releases the GIL, and each thread has an
interpreter and a bundle of its own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate import cache
from lockgate.engines import Evaluate, Outcome, entry, outcomes
from lockgate.engines.compiler import ENTRYPOINT, compile_bundle, failure, interpreter
from lockgate.engines.source import PLAIN
from lockgate.errors import LockgateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lockgate.model import Json
    from lockgate.rules import RuleSet


@contextmanager
def session(ruleset: RuleSet, settings: Mapping[str, Json], _engine: str) -> Iterator[Evaluate]:
    """A function that evaluates documents in this process.

    What was evaluated before, with the same rules, settings and engine, comes from the cache; the
    engine is not even loaded when nothing is left to evaluate.

    Raises:
        LockgateError: regopy cannot be loaded, or a module has an error (with file and line).
    """
    digest = _digest(ruleset, settings)
    with ExitStack() as stack:
        workers: list[_Workers] = []

        def evaluate(documents: Sequence[Mapping[str, Json]]) -> list[Outcome]:
            texts = [json.dumps(document, ensure_ascii=False) for document in documents]
            names = [f"{_checksum((digest + text).encode())}.outcome" for text in texts]
            values = [_remembered(name) for name in names]
            missing = [index for index, value in enumerate(values) if value is None]
            if missing and not workers:
                workers.append(stack.enter_context(_started(ruleset, settings, digest)))
            if missing:
                found = workers[0].run_all([texts[index] for index in missing])
                for index, value in zip(missing, found, strict=True):
                    values[index] = value
                    cache.write(names[index], json.dumps(value).encode())
            return outcomes(values)

        yield evaluate


def _remembered(name: str) -> Json:
    """The outcome that the cache holds under `name`; None when there is none."""
    content = cache.read(name)
    if content is None:
        return None
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) and value.keys() == {"results", "facts"} else None


@contextmanager
def _started(ruleset: RuleSet, settings: Mapping[str, Json], digest: str) -> Iterator[_Workers]:
    """The engine with the rules loaded."""
    regopy = _library()
    with (
        _compiled(ruleset, settings, digest) as bundle,
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
    ):
        yield _Workers(regopy, bundle, ruleset, pool)


def _library() -> Any:
    try:
        import regopy
        import regopy.rego_shared
    except Exception as error:
        msg = f"the embedded engine cannot be loaded: {error}"
        raise LockgateError(msg, "install `regopy`, or run with --engine opa") from error
    return regopy


@contextmanager
def _compiled(ruleset: RuleSet, settings: Mapping[str, Json], digest: str) -> Iterator[Path]:
    """The file of the compiled bundle: cached, or in a temporary folder if nothing can be cached."""
    known = _cached(digest)
    if known is not None:
        yield known
        return
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        fresh = Path(folder, "rules.rbb")
        compile_bundle(ruleset, settings, fresh)
        content = fresh.read_bytes()
        cache.write(f"{digest}-{_checksum(content)}.rbb", content)
        yield fresh


def _cached(digest: str) -> Path | None:
    """The cached bundle, if it is whole: regopy ends the process when it loads a damaged one."""
    for file in cache.folder().glob(f"{digest}-*.rbb"):
        with suppress(OSError):
            if file.stem.endswith(f"-{_checksum(file.read_bytes())}"):
                os.utime(file)  # The ones unused for longest make room.
                return file
            file.unlink()
    return None


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _digest(ruleset: RuleSet, settings: Mapping[str, Json]) -> str:
    parts = (ruleset.digest, _version(), PLAIN, entry(ruleset), json.dumps(settings, sort_keys=True))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _version() -> str:
    """What is installed of regopy: a folder's name, since importlib.metadata takes 18 ms to say it."""
    spec = importlib.util.find_spec("regopy")
    if spec is None or spec.origin is None:
        return ""
    return ",".join(sorted(folder.name for folder in Path(spec.origin).parents[1].glob("regopy-*.dist-info")))


class _Workers:
    """One interpreter with one loaded bundle for each thread that comes."""

    def __init__(self, regopy: Any, bundle: Path, ruleset: RuleSet, pool: ThreadPoolExecutor) -> None:
        self._regopy = regopy
        self._pool = pool
        self._bundle = bundle
        self._ruleset = ruleset
        self._local = threading.local()

    def run_all(self, documents: Sequence[str]) -> list[Json]:
        """The value of `outcome` for each document, which is JSON text."""
        if len(documents) == 1:
            return [self._run(documents[0])]
        return list(self._pool.map(self._run, documents))

    def _run(self, document: str) -> Json:
        loaded, bundle = self._mine()
        try:
            # As a term and not as values: values would go in without their escapes.
            loaded.set_input_term(document)
            return self._query(loaded, bundle)
        except self._regopy.RegoError as error:
            raise failure(self._ruleset.modules, str(error)) from error

    def _mine(self) -> tuple[Any, Any]:
        if not hasattr(self._local, "pair"):
            made = interpreter(self._regopy)
            binary = self._regopy.BundleFormat.Binary
            self._local.pair = (made, made.load_bundle(str(self._bundle), binary))
        pair: tuple[Any, Any] = self._local.pair
        return pair

    def _query(self, loaded: Any, bundle: Any) -> Json:
        """The answer; regopy's own `Output` would parse it twice, and fails on errors."""
        shared = self._regopy.rego_shared
        answer = shared.rego_bundle_query_entrypoint(loaded._impl, bundle._impl, ENTRYPOINT)  # noqa: SLF001
        try:
            text = str(shared.rego_output_string(answer))
            if not text.startswith('{"expressions"'):
                raise failure(self._ruleset.modules, text)
            try:
                return json.loads(text)["expressions"][0]
            except ValueError:
                # Some builtins give strings without escapes, so that the text is no JSON.
                return _value(shared, shared.rego_output_node(answer))
        finally:
            shared.rego_free_output(answer)


def _value(shared: Any, node: Any) -> Json:
    """The value of a node of the answer, read from the tree instead of the text."""
    kinds = shared.NodeKind
    kind = shared.rego_node_type(node)
    children = [shared.rego_node_get(node, index) for index in range(shared.rego_node_size(node))]
    if kind == kinds.Object:
        pairs = [[_value(shared, shared.rego_node_get(item, i)) for i in (0, 1)] for item in children]
        return dict(pairs)
    if kind in {kinds.Array, kinds.Set}:
        return [_value(shared, child) for child in children]
    if children:
        return _value(shared, children[0])
    text = shared.rego_node_value(node)
    try:
        return json.loads(f'"{text}"' if kind == kinds.String else text, strict=False)
    except ValueError:
        return text
