"""Open WebUI in front of Dateline, in a real browser: a question, its answer, its sources, and a picture.

    make demo-openwebui
    python demo/openwebui.py --open-webui DIR/bin/open-webui [--dateline DIR/bin/dateline] [--picture FILE]

Indexes seeds/ in a temporary folder, serves it, starts Open WebUI on an empty data folder with the service
as its only provider, and asks in Debian's Chromium as a reader would. It fails unless the page shows every
quote that `POST /v1/answer` gives for the question, a chip behind a claim, and as many sources as the answer
has. Nothing leaves the machine: Open WebUI runs offline, and the browser may reach loopback only.
"""

import argparse
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Error, Page, Route, ViewportSize, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
MODEL = "dateline"
QUESTION = "What does Gabuev expect from military cooperation?"
HOST = "127.0.0.1"
READY_S, ANSWER_MS = 180, 60_000
# 1280 by 800 in the picture, with letters large enough for a page of documentation.
VIEW, ENLARGED = ViewportSize(width=960, height=600), 4 / 3
CHROMIUM_FLAGS = """
    --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync
""".split()


class DemoError(Exception):
    """What did not happen, in a sentence."""


def main() -> int:
    arguments = parsed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        show(arguments)
    except DemoError as error:
        print(f"demo failed: {error}", file=sys.stderr)
        return 1
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--open-webui", type=Path, required=True, help="the command open-webui of its own environment"
    )
    parser.add_argument(
        "--dateline", type=Path, default=ROOT / ".venv/bin/dateline", help="the command dateline"
    )
    parser.add_argument("--chromium", type=Path, default=Path("/usr/bin/chromium"))
    parser.add_argument("--articles", type=Path, default=ROOT / "seeds", help="what to index")
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument("--picture", type=Path, default=ROOT / "docs/openwebui.png")
    arguments = parser.parse_args()
    # What is started runs in the temporary folder.
    arguments.open_webui, arguments.dateline = arguments.open_webui.absolute(), arguments.dateline.absolute()
    return arguments


def show(arguments: argparse.Namespace) -> None:
    for command in (arguments.open_webui, arguments.dateline):
        if not command.exists():
            raise DemoError(f"there is no {command}; make demo-openwebui installs it")
    if not arguments.chromium.exists():
        raise DemoError(
            f"there is no {arguments.chromium}: apt-get install chromium, or name another by --chromium"
        )

    with tempfile.TemporaryDirectory(prefix="dateline-openwebui-") as folder:
        scratch = Path(folder)
        index = scratch / "index"
        told(f"indexing {arguments.articles}")
        indexing = [arguments.dateline, "index", "build", arguments.articles, "--index", index]
        if subprocess.run(indexing, check=False).returncode:
            raise DemoError("the index was not built")

        ours = f"http://{HOST}:{free_port()}"
        serving = [arguments.dateline, "serve", "--index", index, *address(ours)]
        theirs = f"http://{HOST}:{free_port()}"
        fronting = [arguments.open_webui, "serve", *address(theirs)]
        with (
            running(serving, f"{ours}/readyz", scratch / "dateline.log", os.environ),
            running(fronting, f"{theirs}/health", scratch / "open-webui.log", environment(ours, scratch)),
        ):
            ask(arguments, theirs, told_by_service(ours, arguments.question))
    told(f"the picture is {arguments.picture}")


def environment(service: str, scratch: Path) -> dict[str, str]:
    """Open WebUI without accounts, network, models of its own, or requests beside the question."""
    data = scratch / "open-webui"
    data.mkdir()
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(data),
        "DATA_DIR": str(data),
        "WEBUI_SECRET_KEY": secrets.token_hex(32),
        "WEBUI_AUTH": "False",
        # One provider, ours, which asks for no key.
        "OPENAI_API_BASE_URLS": f"{service}/v1",
        "OPENAI_API_KEYS": "none",
        "ENABLE_OLLAMA_API": "False",
        # Each of these would send the conversation to the model again, with a task as its last message.
        "ENABLE_TITLE_GENERATION": "False",
        "ENABLE_TAGS_GENERATION": "False",
        "ENABLE_FOLLOW_UP_GENERATION": "False",
        "ENABLE_AUTOCOMPLETE_GENERATION": "False",
        # No weights are fetched: what would need them is left to a provider that nobody asks.
        "OFFLINE_MODE": "True",
        "HF_HUB_OFFLINE": "1",
        "RAG_EMBEDDING_ENGINE": "openai",
        "BYPASS_EMBEDDING_AND_RETRIEVAL": "True",
        "AUDIO_STT_ENGINE": "openai",
        "ENABLE_VERSION_UPDATE_CHECK": "False",
        "ANONYMIZED_TELEMETRY": "False",
        "DO_NOT_TRACK": "true",
        "SCARF_NO_ANALYTICS": "true",
    }


def told_by_service(service: str, question: str) -> tuple[list[str], int]:
    """The answer's quotes, and how many sources it has."""
    told_so = httpx.post(f"{service}/v1/answer", json={"query": question}, timeout=60)
    if told_so.is_error:
        raise DemoError(f"POST /v1/answer gave {told_so.status_code}: {told_so.text[:500]}")
    answer = told_so.json()
    if answer["status"] != "answered":
        raise DemoError(f"the articles do not answer {question!r}")
    return [citation["quote"] for citation in answer["citations"]], len(answer["sources"])


def ask(arguments: argparse.Namespace, site: str, expected: tuple[list[str], int]) -> None:
    told(f"asking in {arguments.chromium}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=CHROMIUM_FLAGS)
        page = browser.new_page(
            viewport=VIEW,
            device_scale_factor=ENLARGED,
            color_scheme="light",
            locale="en-US",
            timezone_id="UTC",
        )
        page.route("**/*", on_loopback_only)
        try:
            open_chat(page, site)
            page.locator("#chat-input").fill(arguments.question)
            page.locator("#chat-input").press("Enter")
            see(page, *expected)
            page.wait_for_timeout(500)
            arguments.picture.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=arguments.picture)
        except (AssertionError, Error) as error:
            failed = arguments.picture.with_name(f"{arguments.picture.stem}.failed.png")
            page.screenshot(path=failed)
            # Playwright goes on with a description of the whole page; the picture tells more.
            why = "\n".join(str(error).splitlines()[:3])
            raise DemoError(f"{why}\n{failed} shows the page") from error
        finally:
            browser.close()


def open_chat(page: Page, site: str) -> None:
    """A new chat with our model, the dialogs of a first visit closed."""
    page.goto(site)
    page.get_by_role("button", name="Okay, Let's Go!").click()
    page.locator("#model-selector-model-button").click()
    page.get_by_role("option", name=f"Select {MODEL} model", exact=True).click()
    expect(page.locator("#model-selector-model-button"), "the model was not chosen").to_have_accessible_name(
        f"Selected model: {MODEL}"
    )
    expect(page.locator("[data-sonner-toast]"), "a notice stayed").to_have_count(0, timeout=15_000)


def see(page: Page, quotes: list[str], sources: int) -> None:
    """The answer with its quotes, chips and sources, the list of sources open."""
    answer = page.locator("#response-content-container")
    for quote in quotes:
        # expect() folds white space; a paragraph's end is none in the page's text, hence line by line.
        for line in filter(None, map(str.strip, quote.splitlines())):
            expect(answer, "the answer did not come, or lacks a quote").to_contain_text(
                line, timeout=ANSWER_MS
            )
    chip = answer.get_by_role("button", name=re.compile("^View "))
    expect(chip.first, "no claim has a chip: did delta.annotations come?").to_be_visible()
    toggle = page.get_by_role("button", name=re.compile("^Toggle .*source"))
    expect(toggle, "the sources are not those of the answer; Open WebUI tells them by url").to_have_text(
        f"{sources} Source{'s' if sources > 1 else ''}"
    )
    toggle.click()
    expect(page.locator("button.no-toggle"), "the list of sources did not open").to_have_count(sources)
    page.mouse.move(0, 0)


def on_loopback_only(route: Route) -> None:
    """Open WebUI would ask Google for the icon of each source's site, by the source's whole address."""
    if urlsplit(route.request.url).hostname == HOST:
        route.continue_()
    else:
        route.abort()


@contextmanager
def running(
    command: list[str | Path], healthy: str, log: Path, variables: Mapping[str, str]
) -> Iterator[None]:
    """The command in the background, entered once its address is healthy, ended with the block."""
    name = Path(command[0]).name
    told(f"starting {name}")
    started = time.monotonic()
    with log.open("wb") as output:
        # In a session of its own, so that Ctrl-C reaches it by us alone, and with whatever it starts.
        process = subprocess.Popen(
            command, cwd=log.parent, env=variables, stdout=output, stderr=output, start_new_session=True
        )
        try:
            while not answers(healthy):
                if process.poll() is not None or time.monotonic() - started > READY_S:
                    fate = (
                        "took too long" if process.returncode is None else f"ended with {process.returncode}"
                    )
                    last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
                    raise DemoError("\n".join([f"{name} {fate}; its last words:", *last]))
                time.sleep(0.1)
            told(f"{name} is healthy after {time.monotonic() - started:.1f} s")
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def answers(address_: str) -> bool:
    try:
        return httpx.get(address_, timeout=5).is_success
    except httpx.TransportError:
        return False


def address(site: str) -> list[str]:
    parts = urlsplit(site)
    return ["--host", str(parts.hostname), "--port", str(parts.port)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def told(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
