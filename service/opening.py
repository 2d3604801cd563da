"""Where the generations of each collection are found."""

from indexer.folder import IndexFolder
from indexer.generation import Generation, Index
from indexer.local.generation import LocalIndex
from indexer.milvus.connection import Connection
from indexer.milvus.generation import MilvusIndex
from service.settings import Settings


def indexes(settings: Settings) -> dict[str, Index[Generation]]:
    """Every collection's index, by its name."""
    folders = {name: IndexFolder(path) for name, path in settings.folders().items()}
    if not settings.milvus_uri:
        return {name: LocalIndex(folder, cores=settings.cores) for name, folder in folders.items()}
    connection = Connection.by(settings)
    return {
        name: MilvusIndex(folder, connection, name, cores=settings.cores) for name, folder in folders.items()
    }
