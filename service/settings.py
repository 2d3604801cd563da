"""Every setting, read once, validated, then passed."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError
from pydantic_settings import PydanticBaseSettingsSource, SettingsError, TomlConfigSettingsSource

from indexer.errors import UsageError
from indexer.settings import IndexSettings

_PREFIX = "DATELINE_"
_CONFIG = f"{_PREFIX}CONFIG"
_NOT_SETTINGS = {_CONFIG, f"{_PREFIX}EVAL"}
_DEFAULT_CONFIG = Path("dateline.toml")


class Settings(IndexSettings):
    """Flag > environment (DATELINE_…) > dateline.toml > default."""

    host: Annotated[str, Field(min_length=1, description="the address to serve on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="the port to serve on; 0 takes a free one")] = 8000
    workers: Annotated[
        int, Field(ge=1, le=256, description="questions worked on at once; default: the cores")
    ] = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    max_body_bytes: Annotated[
        int, Field(ge=1024, le=1 << 30, description="the largest request body taken")
    ] = 1 << 20
    rescored_passages: Annotated[
        int, Field(ge=0, le=100, description="passages of a question put in order once more; 0 does without")
    ] = 20
    reranker: Annotated[
        str, Field(description="cross-encoder that does this, a hub name or a folder; else late interaction")
    ] = ""
    reader: Annotated[
        Path | None,
        Field(description="folder of a reader that helps to choose sentences (training/README.md)"),
    ] = None
    min_confidence: Annotated[
        float, Field(ge=0, le=1, description="an answer below it becomes no_answer")
    ] = 0.82

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type["Settings"],  # type: ignore[override]
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config_file())


def config_file() -> Path | None:
    """The TOML file that is read: DATELINE_CONFIG, else ./dateline.toml where it exists.

    Raises UsageError where the named file is not there.
    """
    named = os.environ.get(_CONFIG)
    path = Path(named) if named else _DEFAULT_CONFIG
    if path.is_file():
        return path
    if named:
        raise UsageError(f"{path}: no such file; mend {_CONFIG}")
    return None


def load(**flags: Any) -> Settings:  # noqa: ANN401  pydantic checks them
    """The settings in force; a flag that is None was not given.

    Raises UsageError, naming the setting and where it was set, for a value or a name that is none.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    known = {_PREFIX + name.upper() for name in Settings.model_fields} | _NOT_SETTINGS
    for name in os.environ:
        if name.startswith(_PREFIX) and name not in known:
            raise UsageError(f"{name}: no such setting; run: dateline config show")
    try:
        return Settings(**given)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{config_file()}: is not TOML ({error})") from error
    except SettingsError as error:  # of tables and lists, whose variables are JSON
        name = next(name for name in Settings.model_fields if f'"{name}"' in str(error))
        example = '{"text": "story_body"}' if name == "columns" else '["Meridian Wire"]'
        raise UsageError(f"{name}: is not JSON, such as {example} (set by {origin(name, given)})") from error
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0])
        raise UsageError(f"{name}: {problem['msg']} (set by {origin(name, given)})") from error


def origin(name: str, flags: dict[str, Any]) -> str:
    """Where a setting's value comes from, in words."""
    if name in flags:
        return "flag"
    if (variable := _PREFIX + name.upper()) in os.environ:
        return variable
    config = config_file()
    if config and name in tomllib.loads(config.read_text(encoding="utf-8")):
        return str(config)
    return "default"
