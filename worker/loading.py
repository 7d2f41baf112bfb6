"""Loading a model: the heavy step, done once in every process that needs it, before the first claim."""

import inspect
from collections.abc import Callable
from typing import Any, Protocol

from pydantic import BaseModel

from shared.model import ModelError, ModelSchema, import_part

ReportProgress = Callable[[float | None, str | None], None]
Fetch = Callable[[str], bytes]


class LoadedModel(Protocol):
    """What an instance of `Model` can do. An object that exists is loaded."""

    def predict(self, input: BaseModel, progress: ReportProgress, fetch: Fetch, /) -> Any:
        """Compute the Output of one Input."""


def load_model(schema: ModelSchema) -> LoadedModel:
    """Import `model.py` and make its `Model`: the heavy step, done once per process that needs it.

    Raises:
        ModelError: model.py is missing, does not import, has no class Model, or Model() raises.
    """
    module = import_part(schema.folder, "model")
    where = schema.folder / "model.py"
    make = getattr(module, "Model", None)
    if not inspect.isclass(make):
        raise ModelError(f"{where} has no class Model")
    if not callable(getattr(make, "predict", None)):
        raise ModelError(f"{where}: class Model has no method predict(self, input)")
    try:
        return adapted(make())
    except Exception as error:
        raise ModelError(f"{where}: Model() raised {type(error).__name__}: {error}") from error


class _Adapted:
    """A model whose predict takes the input and perhaps more, called as one that takes everything."""

    def __init__(self, model: Any, *, takes_progress: bool, takes_fetch: bool) -> None:
        self._model = model
        self._takes_progress = takes_progress
        self._takes_fetch = takes_fetch

    def predict(self, input: BaseModel, progress: ReportProgress, fetch: Fetch, /) -> Any:
        arguments = (input, progress) if self._takes_progress else (input,)
        return self._model.predict(*arguments, **({"fetch": fetch} if self._takes_fetch else {}))


def adapted(model: Any) -> LoadedModel:
    """Wrap `model`: it gets `progress` if its predict takes a second argument, and `fetch` if it takes one so named."""
    parameters = inspect.signature(model.predict).parameters.values()
    fetch = [p for p in parameters if p.name == "fetch" and p.kind is not p.POSITIONAL_ONLY]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p not in fetch]
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return _Adapted(model, takes_progress=takes_any or len(positional) > 1, takes_fetch=bool(fetch))
