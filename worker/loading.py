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

    def predict_batch(self, inputs: list[BaseModel], fetch: Fetch, /) -> Any:
        """Compute the Outputs of some Inputs, in their order."""


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
    if schema.max_batch > 1 and not callable(getattr(make, "predict_batch", None)):
        raise ModelError(
            f"{where}: class Model has no method predict_batch(self, inputs), and MAX_BATCH is {schema.max_batch}"
        )
    try:
        return adapted(make())
    except Exception as error:
        raise ModelError(f"{where}: Model() raised {type(error).__name__}: {error}") from error


class _Adapted:
    """A model whose methods take the input and perhaps more, called as one that takes everything."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._takes_progress = _takes_second(model.predict)
        self._takes_fetch = _takes_fetch(model.predict)
        self._batch_takes_fetch = hasattr(model, "predict_batch") and _takes_fetch(model.predict_batch)

    def predict(self, input: BaseModel, progress: ReportProgress, fetch: Fetch, /) -> Any:
        arguments = (input, progress) if self._takes_progress else (input,)
        return self._model.predict(*arguments, **({"fetch": fetch} if self._takes_fetch else {}))

    def predict_batch(self, inputs: list[BaseModel], fetch: Fetch, /) -> Any:
        return self._model.predict_batch(inputs, **({"fetch": fetch} if self._batch_takes_fetch else {}))


def adapted(model: Any) -> LoadedModel:
    """Wrap `model`: it gets `progress` if its predict takes a second argument, and `fetch` if it takes one so named."""
    return _Adapted(model)


def _takes_fetch(method: Callable[..., Any]) -> bool:
    parameters = inspect.signature(method).parameters.values()
    return any(p.name == "fetch" and p.kind is not p.POSITIONAL_ONLY for p in parameters)


def _takes_second(method: Callable[..., Any]) -> bool:
    parameters = inspect.signature(method).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return True
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len([p for p in positional if p.name != "fetch" or p.kind is p.POSITIONAL_ONLY]) > 1
