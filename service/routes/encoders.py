"""Which collection's encoder a request means."""

from fastapi import Request

from indexer.errors import NoIndexError, NotFoundError
from service.routes.chat import spoken_to
from service.state import state


def collection_of(request: Request, model: str) -> str:
    """The collection whose encoder a model's id means: one that answers, or the encoder's own name, with or
    without its owner's.

    Raises NotFoundError for anything else, NoIndexError while no encoder is known yet.
    """
    collections = state(request).collections
    encoders = {
        name: models.encoder.facts.model for name in collections if (models := collections[name].models)
    }
    for name, own in encoders.items():
        if model in {own, own.rpartition("/")[2]}:
            return name
    try:
        return spoken_to(request, model)[0]
    except NotFoundError as error:
        if not encoders:
            raise NoIndexError("no index is served yet; try again in a moment") from error
        names = ", ".join(sorted(set(encoders.values())))
        raise NotFoundError(f"{error}, and {names} will do here", error.param) from error
