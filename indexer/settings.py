"""What an operator can set about building; the service adds its own part."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

ArticleField = Literal["id", "text", "title", "published", "source", "author", "language", "url", "seen"]
DEFAULT_COLLECTION = "default"
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
    token_bits: Annotated[
        Literal[0, 1, 2],
        Field(
            description="bits a dimension for the vectors of single tokens; 0 keeps none, and ranks without"
        ),
    ] = 2
    reader: Annotated[
        str,
        Field(
            min_length=1,
            description="what reads passages for the words that answer: none, bundled, or a "
            "question-answering model, a hub name or a folder",
        ),
    ] = "bundled"
    columns: Annotated[
        dict[ArticleField, str],
        Field(description="what the fields of an article are called in your tables and JSON"),
    ] = {}
    trusted_sources: Annotated[
        tuple[str, ...],
        Field(description="whose copy of a story is shown, the most trusted first; else the earliest"),
    ] = ()
    fetch_cache: Annotated[
        Path, Field(description="folder for fetched pages, asked for again only where they changed")
    ] = Path("~/.cache/dateline")
    fetch_pages: Annotated[int, Field(ge=1, description="most pages fetched of one feed or sitemap")] = 1000
    fetch_pause_s: Annotated[
        float, Field(ge=0, le=60, description="seconds between two pages of one host")
    ] = 1.0
    fetch_private: Annotated[
        bool, Field(description="whether addresses inside your network may be fetched")
    ] = False
    keep_generations: Annotated[
        int, Field(ge=1, le=1000, description="generations kept behind the served one, for rollback")
    ] = 2
    milvus_uri: Annotated[
        str,
        Field(
            pattern=r"^(https?://[^/?#\s@]+/?|[^:]+\.db)?$",
            description="the Milvus that serves what is built, such as http://host:19530; a file NAME.db is "
            "milvus-lite's; else the index folder itself is served",
        ),
    ] = ""
    milvus_token: Annotated[SecretStr, Field(description="its user:password, or API key")] = SecretStr("")
    milvus_ca: Annotated[
        Path | None, Field(description="certificates that its own is signed by, where the system knows none")
    ] = None
    milvus_timeout_s: Annotated[
        float, Field(gt=0, le=600, description="seconds after which a question to it is given up")
    ] = 5.0

    @property
    def collection(self) -> str:
        """The name under which the index is served."""
        return DEFAULT_COLLECTION
