"""Where the generations of each collection are found."""

from indexer.folder import IndexFolder
from indexer.generation import Index
from indexer.local.generation import LocalIndex
from service.settings import Settings


def indexes(settings: Settings) -> dict[str, Index]:
    """Every collection's index, by its name."""
    return {
        name: LocalIndex(IndexFolder(path), cores=settings.cores) for name, path in settings.folders().items()
    }
