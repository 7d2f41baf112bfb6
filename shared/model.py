"""The model contract: a folder with a light `schema.py` and a heavy `model.py`, read without running the heavy one.

A model's folder may be anywhere; its name is the folder's name, and its modules are imported as `models.<name>.*`
wherever the folder is, so `from .schema import Input` works in any `model.py`. Nothing in a folder imports Penstock.

    schema.py    class Input(BaseModel), class Output(BaseModel); optionally TIME_LIMIT_SECONDS, MAX_BATCH,
                 MAX_WAIT_MS, LOAD_IN, URLS
    model.py     class Model: __init__(self); predict(self, input[, progress][, fetch]) -> Output;
                 if MAX_BATCH is above 1, predict_batch(self, inputs[, fetch]) -> list[Output]
"""

import gc
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast, get_args

from pydantic import BaseModel

from shared.ledger.payload import is_large

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
LoadIn = Literal["child", "parent"]
DEFAULT_TIME_LIMIT_SECONDS = 600.0
LARGEST_BATCH = 1000  # each task of it has a place in the memory that a child shares with its parent


class ModelError(Exception):
    """A model's folder does not keep the contract. The message names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class ModelSchema:
    """Everything about a model that is known without loading it."""

    name: str
    folder: Path
    input: type[BaseModel]
    output: type[BaseModel]
    time_limit_seconds: float  # a prediction that runs longer is killed and fails as `timeout`
    max_batch: int  # how many inputs one prediction may take; 1: no batching
    load_in: LoadIn  # child: every child loads its own copy; parent: one copy, shared by fork
    description: str | None
    urls: tuple[str, ...] = ()  # the fields of Input with a URL that the model fetches
    max_wait_ms: int = 0  # how long a task may wait for others to be computed with, if there are fewer than max_batch

    def example(self) -> Any | None:
        """Return the first example of Input's own JSON Schema, or None."""
        examples = self.input.model_json_schema().get("examples") or [None]
        return examples[0]


def read_schemas(folders: Iterable[Path]) -> dict[str, ModelSchema]:
    """Import the `schema.py` of every folder, in order; the first is the default model.

    Raises:
        ModelError: a folder is missing or breaks the contract, or two folders have the same name.
    """
    schemas: dict[str, ModelSchema] = {}
    for folder in folders:
        schema = read_schema(folder)
        if schema.name in schemas:
            raise ModelError(f"two models are named {schema.name!r}: {schemas[schema.name].folder} and {folder}")
        schemas[schema.name] = schema
    return schemas


def read_schema(folder: Path) -> ModelSchema:
    """Import `folder/schema.py` and check it against the contract.

    Raises:
        ModelError: with the file and the name that is missing or wrong.
    """
    module = import_part(folder.resolve(), "schema")
    where = folder / "schema.py"
    return ModelSchema(
        name=folder.resolve().name,
        folder=folder.resolve(),
        input=_data_class(module, "Input", where),
        output=_data_class(module, "Output", where),
        time_limit_seconds=_positive(module, "TIME_LIMIT_SECONDS", where, DEFAULT_TIME_LIMIT_SECONDS),
        max_batch=_max_batch(module, where),
        load_in=_load_in(module, where),
        description=inspect.getdoc(module),
        urls=_urls(module, where),
        max_wait_ms=_max_wait_ms(module, where),
    )


def by_name(schemas: Mapping[str, ModelSchema], names: Iterable[str]) -> dict[str, ModelSchema]:
    """Return the named models in the order asked for.

    Raises:
        ModelError: a name that is not served, with those that are.
    """
    wanted = list(names)
    unknown = [name for name in wanted if name not in schemas]
    if unknown:
        raise ModelError(f"unknown model {unknown[0]!r}; PENSTOCK_MODELS serves {', '.join(schemas)}")
    return {name: schemas[name] for name in wanted}


def read_json(validate: Callable[[bytes], BaseModel], text: bytes) -> BaseModel:
    """Return the instance that `validate`, an Input's model_validate_json, makes of `text`.

    Python's collector goes through all objects again and again while many are made. Here none of them is garbage, and
    it took four fifths of the time.

    Raises:
        ValidationError: as `validate` does.
    """
    if not is_large(len(text)) or not gc.isenabled():
        return validate(text)
    gc.disable()
    try:
        return validate(text)
    finally:
        gc.enable()


def json_of(instance: BaseModel, *, warnings: Literal["warn", "error"] = "warn") -> bytes:
    """Return an instance as JSON, without the copies of pydantic's own way: from bytes to a text, and back to bytes."""
    if type(instance).model_dump_json is not BaseModel.model_dump_json:  # the model has a way of its own
        return instance.model_dump_json(warnings=warnings).encode()
    return instance.__pydantic_serializer__.to_json(instance, warnings=warnings)


def import_part(folder: Path, name: str) -> ModuleType:
    """Import `folder/<name>.py` as `models.<folder>.<name>`, making the folder a package of that name if need be.

    Raises:
        ModelError: the file is missing or raises when imported, or the folder's name is no identifier.
    """
    if not NAME.fullmatch(folder.name):
        raise ModelError(f"{folder}: a model's folder is named in lower case, like 'my_model'")
    if not (folder / f"{name}.py").is_file():
        raise ModelError(f"{folder / f'{name}.py'} does not exist")
    package = f"models.{folder.name}"
    _make_package(package, folder)
    try:
        return importlib.import_module(f"{package}.{name}")
    except Exception as error:
        raise ModelError(f"{folder / f'{name}.py'} does not import: {type(error).__name__}: {error}") from error


def _make_package(package: str, folder: Path) -> None:
    present = sys.modules.get(package)
    if present is not None and [Path(p) for p in present.__path__] == [folder]:
        return
    for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        del sys.modules[name]  # another folder of the same name was read before: its modules are not this one's
    init = folder / "__init__.py"
    spec = (
        importlib.util.spec_from_file_location(package, init, submodule_search_locations=[str(folder)])
        if init.is_file()
        else ModuleSpec(package, None, is_package=True)
    )
    if spec is None:
        raise ModelError(f"{init} cannot be imported")
    spec.submodule_search_locations = [str(folder)]
    module = importlib.util.module_from_spec(spec)
    sys.modules[package] = module
    if spec.loader is not None:
        spec.loader.exec_module(module)


def _data_class(module: ModuleType, name: str, where: Path) -> type[BaseModel]:
    found = getattr(module, name, None)
    if not (inspect.isclass(found) and issubclass(found, BaseModel)):
        raise ModelError(f"{where} has no pydantic model named {name}")
    return found


def _urls(module: ModuleType, where: Path) -> tuple[str, ...]:
    value = getattr(module, "URLS", ())
    fields = _data_class(module, "Input", where).model_fields
    if isinstance(value, str) or not all(name in fields for name in value):
        raise ModelError(f"{where}: URLS names fields of Input, not {value!r}")
    return tuple(value)


def _positive(module: ModuleType, name: str, where: Path, default: float) -> float:
    value = getattr(module, name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ModelError(f"{where}: {name} is a number above 0, not {value!r}")
    return value


def _whole(value: float, name: str, where: Path) -> int:
    if value != int(value):
        raise ModelError(f"{where}: {name} is a whole number, not {value!r}")
    return int(value)


def _max_batch(module: ModuleType, where: Path) -> int:
    value = _whole(_positive(module, "MAX_BATCH", where, 1), "MAX_BATCH", where)
    if value > LARGEST_BATCH:
        raise ModelError(f"{where}: MAX_BATCH is at most {LARGEST_BATCH}, not {value}")
    return value


def _max_wait_ms(module: ModuleType, where: Path) -> int:
    if getattr(module, "MAX_WAIT_MS", 0) == 0:
        return 0
    return _whole(_positive(module, "MAX_WAIT_MS", where, 0), "MAX_WAIT_MS", where)


def _load_in(module: ModuleType, where: Path) -> LoadIn:
    value = getattr(module, "LOAD_IN", "child")
    if value not in get_args(LoadIn):
        raise ModelError(f"{where}: LOAD_IN is 'child' or 'parent', not {value!r}")
    return cast("LoadIn", value)
