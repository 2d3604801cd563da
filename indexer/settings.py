"""What an operator can set about building; the service adds its own part."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"


class IndexSettings(BaseSettings):
    """Flag > environment (DATELINE_…) > dateline.toml > default."""

    model_config = SettingsConfigDict(env_prefix="DATELINE_", extra="forbid", frozen=True)

    index: Annotated[Path, Field(description="the index folder")] = Path("index")
    model: Annotated[
        str, Field(min_length=1, description="sentence-transformers model: a name on the hub, or a folder")
    ] = DEFAULT_MODEL
    passage_tokens: Annotated[
        int, Field(ge=16, le=4096, description="most tokens of a passage, as the model counts them")
    ] = 200
    keep_generations: Annotated[
        int, Field(ge=1, le=1000, description="generations kept behind the served one, for rollback")
    ] = 2
