"""What a route made, as it leaves."""

from fastapi import Response
from pydantic import BaseModel


def sent(made: BaseModel) -> Response:
    """A model as JSON, written once and where this is called: the web framework would validate it anew, make
    dictionaries of it and then JSON, on the event loop. The route still has to name its `response_model`."""
    return Response(made.__pydantic_serializer__.to_json(made), media_type="application/json")
