"""Base class and field types of specifications: frozen pydantic models whose fields are YAML keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidatorFunctionWrapHandler,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from nncli.base import plugins
from nncli.base.bounds import LARGEST

PositiveInt = Annotated[int, Field(strict=True, ge=1)]
NonNegativeInt = Annotated[int, Field(strict=True, ge=0)]
FiniteFloat = Annotated[float, Field(strict=True, allow_inf_nan=False)]
PositiveFloat = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Setting = Annotated[float, Field(strict=True, ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
"""A number that a person sets."""
PositiveSetting = Annotated[float, Field(strict=True, gt=0, le=LARGEST, allow_inf_nan=False)]
NonNegativeSetting = Annotated[float, Field(strict=True, ge=0, le=LARGEST, allow_inf_nan=False)]
Fraction = Annotated[float, Field(strict=True, ge=0, lt=1)]  # 0 <= x < 1
StrictBool = Annotated[bool, Field(strict=True)]
StrictStr = Annotated[str, Field(strict=True)]


def _check_distinct(texts: tuple[str, ...]) -> tuple[str, ...]:
    if len({*texts}) < len(texts):
        raise ValueError("a name is there twice")
    return texts


DistinctTexts = Annotated[tuple[StrictStr, ...], AfterValidator(_check_distinct)]
"""Names of columns, labels or categories, each once."""


LONGEST_PATH = 1 << 16
"""Characters of a path or address: more than any system and most servers take."""


def _check_path(path: str) -> str:
    if "\0" in path:
        raise ValueError("a path cannot have the character U+0000")
    if len(path) > LONGEST_PATH:
        raise ValueError(f"a path or address has at most {LONGEST_PATH:,} characters, found {len(path):,}")
    return path


PathText = Annotated[StrictStr, AfterValidator(_check_path)]
"""The path of a file or folder."""

MAX_MEMBERS = 10_000
"""Members of an ensemble. Files of a run are read with this limit, since a loop over the members follows."""
Members = Annotated[int, Field(strict=True, ge=1, le=MAX_MEMBERS)]

Task: TypeAlias = str
"""What a loss or a metric is for, and what saved models know a kind of target by: classification, regression."""
Calibration: TypeAlias = Literal["none", "temperature", "auto"]
"""How predicted probabilities are calibrated, as a configuration says it."""


class Spec(BaseModel):
    """Base of layers, losses, optimizers, schedules, encoders and configuration sections.

    Immutable and comparable. An unknown key is an error, so that a misspelled key is never ignored.
    """

    # A class that is only a part of another one is not built by itself, which takes a third of the time of imports.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    plugin_kind: ClassVar[str | None] = None
    """The kind of part that a class of a union is, of which plugins may have more."""

    @classmethod
    def built_in_names(cls) -> frozenset[str]:
        """The names of the classes of this package that are of the same kind of part."""
        waiting = [base for base in cls.__mro__ if issubclass(base, Spec) and base.plugin_kind is not None][-1:]
        names = set()
        while waiting:
            base = waiting.pop()
            waiting += base.__subclasses__()
            part = plugins.part_of(base)
            if part is not None and base.__module__.startswith("nncli."):
                names.add(part[1])
        return frozenset(names)

    @classmethod
    def formula(cls) -> str:
        """The first paragraph of the docstring: of a layer, activation, loss or optimizer its formula and source."""
        return " ".join((cls.__doc__ or "").partition("\n\n")[0].split())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of pydantic, with `type` required, since it selects the class of a union."""
        described = handler(schema)
        inner = handler.resolve_ref_schema(described)
        if "const" in inner.get("properties", {}).get("type", {}):
            inner["required"] = ["type", *inner.get("required", [])]
        return described


def non_defaults(value: Any) -> Any:
    """The values of a specification that differ from their defaults, recursively, as plain JSON values.

    `type` is always included, since it selects the class of a union.
    """
    if isinstance(value, Spec):
        fields = type(value).model_fields.items()
        changed = {
            field.alias or name: getattr(value, name)
            for name, field in fields
            if name == "type" or _differs(value, name, field)
        }
        return non_defaults(changed)
    if isinstance(value, Mapping):
        return {key: non_defaults(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [non_defaults(item) for item in value]
    return value


def _differs(spec: Spec, name: str, field: FieldInfo) -> bool:
    return bool(getattr(spec, name) != field.get_default(call_default_factory=True))


def unchanged(value: object) -> object:
    """A value that has no short form."""
    return value


def expand_name(value: object) -> object:
    """`{type: adam}` for `adam`."""
    return {"type": value} if isinstance(value, str) else value


@dataclass(frozen=True)
class Shorthand:
    """Allows short forms of a specification in a discriminated union, and the classes of plugins.

    `expand` expands a short form. Each name whose class needs no other key is one; `also` is the type of other ones.
    The JSON Schema has these forms, and the classes of plugins that are loaded.
    """

    expand: Callable[[object], object] = expand_name
    also: Any = None
    discriminator: str = "type"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        full = handler(source)
        bare = self._bare_names(classes_of(source))
        short: list[CoreSchema | tuple[CoreSchema, str]] = [core_schema.literal_schema(bare)] if bare else []
        if self.also is not None:
            short.append(handler.generate_schema(self.also))
        allowed = core_schema.union_schema([*short, full])
        members = classes_of(source)
        kind = members[0].plugin_kind
        if kind is None:
            return core_schema.no_info_before_validator_function(self.expand, full, json_schema_input_schema=allowed)
        names = frozenset(member.model_fields[self.discriminator].default for member in members)
        return core_schema.no_info_wrap_validator_function(
            partial(self._validate, kind, names),
            full,
            json_schema_input_schema=allowed,
            serialization=core_schema.simple_ser_schema("any"),  # by the class of the value, which may be a plugin's
            metadata={"plugin_kind": kind},
        )

    def _validate(
        self, kind: str, names: frozenset[str], value: object, handler: ValidatorFunctionWrapHandler
    ) -> object:
        """A value of the union, or of the class of a plugin if its name is not built in."""
        value = self.expand(value)
        tag = value.get(self.discriminator) if isinstance(value, dict) else getattr(value, self.discriminator, None)
        if not isinstance(tag, str) or tag in names:
            return handler(value)
        if isinstance(value, dict) and (part := plugins.find(kind, tag)) is not None:
            return part.model_validate(value)
        return value if type(value) is plugins.loaded(kind).get(tag) else handler(value)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of the union, with the classes of plugins that are loaded as further choices."""
        described = handler(schema)
        parts = [*plugins.loaded(schema.get("metadata", {}).get("plugin_kind", "")).values()]
        bare = self._bare_names(parts)
        choices = [{"enum": bare}] if bare else []
        for part in parts:
            part.model_rebuild()
            choices.append(handler(part.__pydantic_core_schema__))
        return {"anyOf": [described, *choices]} if choices else described

    def _bare_names(self, classes: Iterable[type[Spec]]) -> list[str]:
        """The names of classes that need no other key."""
        return [
            cls.model_fields[self.discriminator].default
            for cls in classes
            if not any(field.is_required() for field in cls.model_fields.values())
        ]


def classes_of(union: Any) -> tuple[type[Spec], ...]:
    """The classes of a union, with or without annotations."""
    return get_args(get_args(union)[0] if get_origin(union) is Annotated else union)


NameShorthand = Shorthand()
"""Allows a bare name for a specification with its defaults: `adam` for `{type: adam}`."""
