"""Files that people edit: read as TOML into a strict pydantic model, and explained when they are wrong.

A key that is not known is refused with its nearest match: a misspelt key must never pass for a default.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ms5ops.errors import ConfigError

Model = TypeVar("Model", bound=BaseModel)
_SHOWN = 3


def parse_toml(text: str, file: Path) -> dict[str, Any]:
    """The document as plain values; ConfigError names the line that is not TOML."""
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and numbers longer than Python reads
        raise ConfigError(f"{file} is not valid TOML: {error}.", "Correct that line.") from error
    except RecursionError as error:
        raise ConfigError(f"{file} is not valid TOML: it is nested too deeply.", "Correct that line.") from error


def validated(
    model: type[Model], document: Mapping[str, Any], file: Path, context: Mapping[str, Any] | None = None
) -> Model:
    """The document as a model; ConfigError names file, key and what is wrong (the first three findings)."""
    try:
        return model.model_validate(document, context=context)
    except ValidationError as error:
        raise ConfigError(explain(error, file, model), "Correct it and start again.") from error


def explain(error: ValidationError, file: Path, model: type[BaseModel]) -> str:
    """What is wrong in the file, by its keys."""
    return f"{file}: " + "; ".join(_explain_one(detail, model) for detail in error.errors()[:_SHOWN]) + "."


def nearest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean oee_hourly?)``, or nothing where none of the known names comes near."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {found[0]}?)" if found else ""


def _explain_one(detail: ErrorDetails, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"unknown key {key}" + nearest(str(detail["loc"][-1]), _known_keys(model, detail["loc"][:-1]))
    if detail["type"] == "missing":
        return f"{key} is missing"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys of the model that stands at ``location`` below ``model``; none where there is no model."""
    here: Any = model
    for part in location:
        here = _below(here, part)
    found = _model_in(here)
    return [_key(name, field.alias) for name, field in found.model_fields.items()] if found else []


def _below(annotation: Any, part: int | str) -> Any:
    model = _model_in(annotation)
    if model is not None:
        fields = {_key(name, field.alias): field.annotation for name, field in model.model_fields.items()}
        return fields.get(str(part))
    inner = [choice for choice in _choices(annotation) if get_args(choice)]
    return get_args(inner[0])[-1 if isinstance(part, str) else 0] if inner else None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for choice in _choices(annotation):
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            return choice
    return None


def _choices(annotation: Any) -> list[Any]:
    """``Annotated[X | None, ...]`` as X and None."""
    if get_origin(annotation) is Annotated:
        return _choices(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [inner for choice in get_args(annotation) for inner in _choices(choice)]
    return [annotation]


def _key(name: str, alias: str | None) -> str:
    return alias or name
