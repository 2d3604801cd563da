"""Every setting, read once, validated, then passed."""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import PydanticBaseSettingsSource, SettingsError, TomlConfigSettingsSource

from indexer.cores import cores
from indexer.errors import UsageError
from indexer.settings import DEFAULT_COLLECTION, IndexSettings

_PREFIX = "DATELINE_"
_CONFIG = f"{_PREFIX}CONFIG"
_NOT_SETTINGS = {_CONFIG, f"{_PREFIX}EVAL"}
_DEFAULT_CONFIG = Path("dateline.toml")
_EXAMPLES = {
    "columns": '{"text": "story_body"}',
    "collections": '{"archive": "/srv/archive"}',
    "articles": '["/srv/articles"]',
    "cors_origins": '["https://news.example"]',
}


def _collection_name(name: str) -> str:
    if name == DEFAULT_COLLECTION or not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", name):
        raise ValueError(
            f"a collection's name is made of a-z, 0-9, ., _ and -; {DEFAULT_COLLECTION!r} is the index"
        )
    return name


def _origin(text: str) -> str:
    if text != "*" and not re.fullmatch(r"https?://[^/?#\s@]+", text):
        raise ValueError(f"{text!r} is no origin, such as https://news.example")
    return text.lower()


Name = Annotated[str, AfterValidator(_collection_name)]
Origin = Annotated[str, AfterValidator(_origin)]


class Settings(IndexSettings):
    """Flag > environment (DATELINE_…) > dateline.toml > default."""

    host: Annotated[str, Field(min_length=1, description="the address to serve on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="the port to serve on; 0 takes a free one")] = 8000
    workers: Annotated[
        int,
        Field(ge=1, le=256, description="processes that serve, sharing the port, the index and the cores"),
    ] = 1
    max_body_bytes: Annotated[
        int, Field(ge=1024, le=1 << 30, description="the largest request body taken")
    ] = 1 << 20
    queue: Annotated[
        int, Field(ge=0, le=10_000, description="requests that may wait for their turn; others are refused")
    ] = 32
    lasting_queue: Annotated[
        int, Field(ge=0, le=10_000, description="as many of them once there has been a queue for a second")
    ] = 0
    deadline_s: Annotated[
        float, Field(gt=0, le=3600, description="seconds after which a request without an answer is given up")
    ] = 60.0
    patience_s: Annotated[
        float,
        Field(gt=0, le=3600, description="seconds that a client may take to send a head, or may stand still"),
    ] = 10.0
    rescored_passages: Annotated[
        int, Field(ge=0, le=100, description="passages of a question put in order once more; 0 does without")
    ] = 20
    reranker: Annotated[
        str, Field(description="cross-encoder that does this, a hub name or a folder; else late interaction")
    ] = ""
    collections: Annotated[
        dict[Name, Path], Field(description="more indexes to serve, each under its name")
    ] = {}
    articles: Annotated[
        tuple[Path, ...], Field(description="files and folders that a rebuild started from the page reads")
    ] = ()
    admin: Annotated[
        bool,
        Field(
            description="whether it can be operated at /admin: with a key for it, or where none is asked for "
            "from this machine alone"
        ),
    ] = True
    keys: Annotated[
        Path, Field(description="file of the keys (dateline keys add); where it is there, one is asked for")
    ] = Path("keys.json")
    open: Annotated[bool, Field(description="serve without keys on an address that others can reach")] = False
    cors_origins: Annotated[
        tuple[Origin, ...],
        Field(description="sites whose pages may ask, such as https://news.example; * for all"),
    ] = ()
    log_format: Annotated[
        Literal["text", "json"],
        Field(description="what the log is made of: lines for people, or JSON with an event a request"),
    ] = "text"
    public_url: Annotated[
        str,
        Field(
            pattern=r"^(https?://[^?#\s]+)?$", description="where readers reach the service; else as asked"
        ),
    ] = ""
    allowed_hosts: Annotated[
        tuple[str, ...],
        Field(
            description="names that it is served under, beside localhost and addresses; * for all, which is "
            "what an address that others can reach has for all but MCP"
        ),
    ] = ()
    llm_base_url: Annotated[
        str,
        Field(
            pattern=r"^(https?://\S+)?$",
            description="an OpenAI-compatible server that words the answers, such as http://127.0.0.1:11434/v1",
        ),
    ] = ""
    llm_model: Annotated[str, Field(description="its model")] = ""
    llm_api_key: Annotated[SecretStr, Field(description="its key")] = SecretStr("")
    llm_deadline_s: Annotated[
        float, Field(gt=0, le=600, description="seconds after which the answer is made of quotes")
    ] = 30.0
    llm_at_once: Annotated[
        int, Field(ge=1, le=10_000, description="answers that it words at once; others are made of quotes")
    ] = 16
    llm_unproven: Annotated[
        Literal["removed", "marked"],
        Field(description="what becomes of its sentences that no quote bears out"),
    ] = "removed"
    min_confidence: Annotated[
        float, Field(ge=0, le=1, description="an answer below it becomes no_answer")
    ] = 0.82

    @property
    def cores(self) -> int:
        """Those that each worker may keep busy, and so how many questions it works on at once."""
        return max(1, cores() // self.workers)

    def folders(self) -> dict[str, Path]:
        """Every index that is served, by its collection's name; `index` is the first."""
        return {DEFAULT_COLLECTION: self.index, **self.collections}

    @property
    def collection(self) -> str:
        """The name under which the index is served: a command is told the folder."""
        here = self.index.absolute()
        return next(
            (name for name, path in self.collections.items() if path.absolute() == here), DEFAULT_COLLECTION
        )

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
        example = _EXAMPLES.get(name, '["Meridian Wire"]')
        raise UsageError(f"{name}: is not JSON, such as {example} (set by {origin(name, given)})") from error
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0])
        message = problem["msg"].removeprefix("Value error, ")
        raise UsageError(f"{name}: {message} (set by {origin(name, given)})") from error


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
