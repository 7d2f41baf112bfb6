"""Loading a model: the heavy step, done once in every process that needs it, before the first claim."""

import inspect
from collections.abc import Callable
from typing import Any, Protocol, cast

from pydantic import BaseModel

from shared.model import ModelError, ModelSchema, import_part

ReportProgress = Callable[[float | None, str | None], None]


class LoadedModel(Protocol):
    """What an instance of `Model` can do. An object that exists is loaded."""

    def predict(self, input: BaseModel, progress: ReportProgress, /) -> Any:
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
        return with_progress(make())
    except Exception as error:
        raise ModelError(f"{where}: Model() raised {type(error).__name__}: {error}") from error


class _WithoutProgress:
    """A model whose predict takes the input alone, called as one that takes progress too."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def predict(self, input: BaseModel, progress: ReportProgress, /) -> Any:  # noqa: ARG002 (the point)
        return self._model.predict(input)


def with_progress(model: Any) -> LoadedModel:
    """Wrap `model` unless its predict already takes `progress` as its second argument."""
    parameters = inspect.signature(model.predict).parameters.values()
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    takes_progress = takes_any or len(positional) > 1
    return cast("LoadedModel", model) if takes_progress else _WithoutProgress(model)
