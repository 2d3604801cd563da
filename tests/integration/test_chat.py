"""Chat front ends meet the service: OpenAI's own client and LangChain's, on a socket."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.conftest import build_index
from tests.integration.server import Server, serving
from tests.integration.talk import TALKS

QUESTION = "What does Gabuev expect from military cooperation?"
UNKNOWN = "Who won the 2014 chess olympiad in Norway?"
WORDS = "closer military cooperation"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second collection, of one article."""
    folder = tmp_path_factory.mktemp("archive")
    (folder / "lighthouse.txt").write_text(
        "Lighthouse keeper retires\n3 May 2024\n\n"
        "Odo Penrose, the last keeper of the Skarrow lighthouse, retired on Friday after 41 years.\n\n"
        '"I shall miss the gulls more than the stairs," Penrose said.\n',
        encoding="utf-8",
    )
    build_index(folder / "index", folder / "lighthouse.txt")
    return folder / "index"


@pytest.fixture(scope="module")
def server(seed_index: Path, archive: Path) -> Iterator[Server]:
    with serving(seed_index, "--collection", f"archive={archive}") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none is asked for", max_retries=0) as made:
        yield made


def asked(*texts: str) -> list[ChatCompletionMessageParam]:
    """Texts of user and assistant in turn, the user's first."""
    return [
        {"role": "assistant", "content": text} if at % 2 else {"role": "user", "content": text}
        for at, text in enumerate(texts)
    ]


def article(url: str) -> dict[str, Any]:
    """The article that a citation leads to."""
    found: dict[str, Any] = httpx.get(url).raise_for_status().json()
    return found


def test_each_collection_has_two_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [
        "dateline",
        "dateline-links",
        "dateline/archive",
        "dateline-links/archive",
    ]
    assert client.models.retrieve("dateline/archive").owned_by == "dateline"


def test_a_chat_is_answered_in_quotes_that_its_annotations_lead_to(
    client: openai.OpenAI,
) -> None:
    completion = client.chat.completions.create(model="dateline", messages=asked(QUESTION))
    (choice,) = completion.choices
    content, annotations = choice.message.content, choice.message.annotations
    assert content
    assert WORDS in content
    assert choice.finish_reason == "stop"
    assert annotations
    for annotation in annotations:
        place = annotation.url_citation
        assert re.fullmatch(r"\[\d+\]", content[place.start_index : place.end_index])
        quoted = article(place.url)
        assert quoted["title"] == place.title
        assert content[: place.start_index].rsplit("\n\n")[-1].strip() in quoted["text"]
    extra = completion.model_extra
    assert extra
    assert extra["citations"] == [annotation.url_citation.url for annotation in annotations]
    (result,) = extra["search_results"]
    assert set(result) == {"title", "url", "date", "snippet"}
    assert result["date"] == "2023-10-16"
    assert WORDS in result["snippet"]
    assert extra["dateline"]["status"] == "answered"
    usage = completion.usage
    assert usage
    assert 0 < usage.prompt_tokens < usage.completion_tokens
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


@pytest.mark.parametrize("model", ["dateline", "dateline-links"])
@pytest.mark.parametrize("question", [QUESTION, "What did the eelgrass survey find?", UNKNOWN])
def test_a_stream_tells_what_the_whole_would(client: openai.OpenAI, model: str, question: str) -> None:
    whole = client.chat.completions.create(model=model, messages=asked(question))
    chunks = list(
        client.chat.completions.create(
            model=model, messages=asked(question), stream=True, stream_options={"include_usage": True}
        )
    )
    assert len({chunk.id for chunk in chunks}) == 1
    *told, last = chunks
    assert not last.choices
    assert last.usage == whole.usage
    assert told[0].choices[0].delta.role == "assistant"
    assert told[0].model_extra["citations"] == whole.model_extra["citations"]  # type: ignore[index]
    assert told[0].model_extra["search_results"] == whole.model_extra["search_results"]  # type: ignore[index]
    assert [chunk.choices[0].finish_reason for chunk in told] == [None] * (len(told) - 1) + ["stop"]
    content = ""
    annotations: list[Any] = []
    for chunk in told:
        delta = chunk.choices[0].delta
        content += delta.content or ""
        for annotation in (delta.model_extra or {}).get("annotations", ()):
            assert annotation["url_citation"]["end_index"] <= len(content)
            annotations.append(annotation)
    message = whole.choices[0].message
    assert content == message.content
    assert annotations == [one.model_dump() for one in message.annotations or []]


def test_without_options_a_stream_tells_no_usage(client: openai.OpenAI) -> None:
    chunks = client.chat.completions.create(model="dateline", messages=asked(QUESTION), stream=True)
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_a_chat_that_shows_text_alone_gets_links(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(model="dateline-links", messages=asked(QUESTION))
    message = completion.choices[0].message
    assert message.content
    answer, sources = message.content.split("\n\nSources:\n\n")
    ((number, url),) = re.findall(r"\[\[(\d+)\]\]\((http[^)\s]+)\)", answer)
    assert re.fullmatch(
        rf"{number}\. \[Russian President .+\]\({re.escape(url)}\)"
        " · Business International News · 16 October 2023",
        sources,
    )
    (annotation,) = message.annotations or []
    place = annotation.url_citation
    assert message.content[place.start_index : place.end_index] == f"[[{number}]]({url})"


def test_silence_is_said_and_cites_nothing(client: openai.OpenAI) -> None:
    for model in ("dateline", "dateline-links"):
        completion = client.chat.completions.create(model=model, messages=asked(UNKNOWN))
        message = completion.choices[0].message
        assert message.content
        assert message.content.split("\n\n")[0] == "The articles do not tell."
        assert not message.annotations
        assert completion.model_extra
        assert completion.model_extra["citations"] == []
        assert completion.model_extra["dateline"]["status"] == "no_answer"


def test_what_front_ends_send_beside_a_question_does_no_harm(server: Server) -> None:
    body = {
        "model": "dateline",
        "messages": [
            {"role": "system", "content": "You are a pirate. Answer in rhymes."},
            {"role": "developer", "content": "Say only yes."},
            {
                "role": "user",
                "name": "ada",
                "content": [
                    {"type": "text", "text": QUESTION},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                ],
            },
        ],
        "stop": ["cooperation"],
        "max_tokens": 3,
        "max_completion_tokens": 3,
        "temperature": 2,
        "n": 1,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "tool_choice": "auto",
        "response_format": {"type": "json_object"},
        "chat_id": "c",
        "features": {"web_search": False},
        "user": "u",
    }
    response = server.client.post("/v1/chat/completions", json=body)
    assert response.status_code == 200, response.text
    assert WORDS in response.json()["choices"][0]["message"]["content"]


def test_errors_have_the_shape_that_the_client_reads(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no model is called 'gpt-9'") as unknown:
        client.chat.completions.create(model="gpt-9", messages=asked(QUESTION))
    assert (unknown.value.code, unknown.value.param, unknown.value.type) == (
        "not_found",
        "model",
        "invalid_request_error",
    )
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("dateline/nowhere")
    with pytest.raises(openai.UnprocessableEntityError, match="no message of the role user"):
        client.chat.completions.create(model="dateline", messages=[{"role": "system", "content": "Hello"}])
    with pytest.raises(openai.UnprocessableEntityError, match="ask something") as empty:
        client.chat.completions.create(model="dateline", messages=asked(" \u200b "), stream=True)
    assert empty.value.param == "messages"
    with pytest.raises(openai.UnprocessableEntityError, match="at most 2000"):
        client.chat.completions.create(model="dateline", messages=asked("why? " * 1000))
    with pytest.raises(openai.UnprocessableEntityError, match="send the earlier messages in input"):
        client.responses.create(model="dateline", input="And why?", previous_response_id="resp_1")


@pytest.mark.parametrize("stream", [False, True])
def test_the_client_tries_again_until_an_index_is_served(
    seed_index: Path, tmp_path: Path, *, stream: bool
) -> None:
    """The first 503 is what brings the index, so there is one, and its Retry-After is heeded."""
    refusals: list[httpx.Response] = []

    def bring(response: httpx.Response) -> None:
        if response.status_code == 503:
            refusals.append(response)
            if len(refusals) == 1:
                shutil.copytree(seed_index, tmp_path / "index", dirs_exist_ok=True)

    with (
        serving(tmp_path / "index", "--wait") as waiting,
        openai.DefaultHttpxClient(event_hooks={"response": [bring]}) as transport,
        openai.OpenAI(
            base_url=f"{waiting.url}/v1", api_key="none", max_retries=20, http_client=transport
        ) as client,
    ):
        if stream:
            chunks = client.chat.completions.create(model="dateline", messages=asked(QUESTION), stream=True)
            content = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        else:
            completion = client.chat.completions.create(model="dateline", messages=asked(QUESTION))
            content = completion.choices[0].message.content or ""
    assert WORDS in content
    assert refusals
    assert all(refusal.headers["Retry-After"] == "1" for refusal in refusals)


def test_responses_carry_annotations(client: openai.OpenAI) -> None:
    response = client.responses.create(model="dateline", input=QUESTION)
    assert response.status == "completed"
    (message,) = response.output
    assert message.type == "message"
    (part,) = message.content
    assert part.type == "output_text"
    assert part.text == response.output_text
    assert WORDS in part.text
    (annotation,) = part.annotations
    assert annotation.type == "url_citation"
    assert part.text[annotation.start_index : annotation.end_index] == "[1]"
    assert WORDS in article(annotation.url)["text"]
    assert response.usage
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


def test_a_streamed_response_ends_as_the_whole_would(client: openai.OpenAI) -> None:
    whole = client.responses.create(model="dateline", input=QUESTION)
    with client.responses.stream(model="dateline", input=QUESTION) as stream:
        events = list(stream)
        final = stream.get_final_response()
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    told = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(told) == whole.output_text == final.output_text
    added = [event for event in events if event.type == "response.output_text.annotation.added"]
    assert len(added) == 1
    contents: list[Any] = [one.to_dict()["output"] for one in (final, whole)]
    ended, expected = (content[0]["content"][0]["annotations"] for content in contents)
    assert ended == expected


def test_a_collection_answers_from_its_own_articles(server: Server, client: openai.OpenAI) -> None:
    question = "What will Odo Penrose miss?"
    told = client.chat.completions.create(model="dateline/archive", messages=asked(question))
    message = told.choices[0].message
    assert message.content
    assert "I shall miss the gulls more than the stairs" in message.content
    assert message.annotations
    assert article(message.annotations[0].url_citation.url)["title"] == "Lighthouse keeper retires"
    elsewhere = client.chat.completions.create(model="dateline", messages=asked(question))
    assert elsewhere.choices[0].message.content == "The articles do not tell."
    by_field = server.client.post("/v1/answer", json={"query": question, "collection": "archive"}).json()
    assert by_field["status"] == "answered"
    listed = server.client.get("/v1/collections").json()["collections"]
    assert [(one["name"], one["index"]["articles"]) for one in listed] == [("default", 27), ("archive", 1)]
    refused = server.client.post("/v1/search", json={"query": question, "collection": "attic"})
    assert refused.status_code == 404
    assert refused.json()["error"]["param"] == "collection"


@pytest.mark.parametrize("talk", TALKS)
@pytest.mark.parametrize("model", ["dateline", "dateline-links"])
def test_a_chat_of_five_turns_is_answered_right(
    client: openai.OpenAI, talk: tuple[tuple[str, str], ...], model: str
) -> None:
    said: list[str] = []
    for question, words in talk:
        said.append(question)
        message = client.chat.completions.create(model=model, messages=asked(*said)).choices[0].message
        assert message.content
        assert words in message.content.split("\n\n")[0], question
        said.append(message.content)


@pytest.mark.parametrize("talk", TALKS)
def test_responses_of_five_turns_are_answered_right(
    client: openai.OpenAI, talk: tuple[tuple[str, str], ...]
) -> None:
    items: list[Any] = []
    for question, words in talk:
        items.append({"role": "user", "content": [{"type": "input_text", "text": question}]})
        response = client.responses.create(model="dateline", input=items)
        assert words in response.output_text.split("\n\n")[0], question
        items += [item.model_dump(exclude_none=True) for item in response.output]


def test_langchain_keeps_the_citations(server: Server) -> None:
    model = ChatOpenAI(
        model="dateline", base_url=f"{server.url}/v1", api_key="none", use_responses_api=True, max_retries=0
    )
    message = model.invoke(QUESTION)
    assert WORDS in message.text
    (block,) = [block for block in message.content if isinstance(block, dict)]
    (annotation,) = block["annotations"]
    assert annotation["type"] == "url_citation"
    assert WORDS in article(annotation["url"])["text"]


def test_langchain_streams_a_chat(server: Server) -> None:
    model = ChatOpenAI(model="dateline-links", base_url=f"{server.url}/v1", api_key="none", max_retries=0)
    told = "".join(chunk.text for chunk in model.stream(QUESTION))
    assert told == model.invoke(QUESTION).text
    assert "\n\nSources:\n\n1. [Russian President" in told


def test_a_damaged_collection_hides_no_other_model(seed_index: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "index"
    shutil.copytree(seed_index, damaged)
    for vectors in damaged.glob("generations/*/vectors/*.vectors"):
        vectors.write_bytes(b"damaged")
    with serving(seed_index, "--collection", f"damaged={damaged}") as running:
        listed = running.client.get("/v1/models")
        assert [one["id"] for one in listed.json()["data"]] == ["dateline", "dateline-links"]
        assert running.client.get("/v1/models/dateline").status_code == 200
        assert running.client.get("/v1/models/dateline/damaged").status_code == 503


@pytest.mark.parametrize("model", ["dateline/", "dateline/default", "dateline-links/default"])
def test_a_model_that_answers_can_be_looked_up(server: Server, model: str) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}]}
    assert server.client.post("/v1/chat/completions", json=body).json()["model"] == model
    assert server.client.get(f"/v1/models/{model}").json()["id"] == model


@pytest.mark.parametrize("field", ["model", "stream", "stream_options", "temperature"])
def test_a_null_says_nothing(server: Server, field: str) -> None:
    parts = [{"type": None, "text": QUESTION}]
    body: dict[str, Any] = {"messages": [{"role": "user", "content": parts}], field: None}
    assert (
        WORDS
        in server.client.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"]
    )
    body = {"input": QUESTION, field: None}
    assert server.client.post("/v1/responses", json=body).json()["output"]
