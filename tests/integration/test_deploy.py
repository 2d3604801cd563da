"""What deploy/ names is there: settings, paths, metrics, commands, ports, keys of secrets.

Whether compose.yaml and the manifests are what Docker Compose and Kubernetes take, make check-deploy asks.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from service.cli import app
from service.routes import health, metrics
from service.settings import Settings, load
from service.watching.metrics import exposition
from service.watching.recording import Recorder
from tests.conftest import ROOT
from tests.integration.test_supply import DOCKERFILE, NOBODY, PROJECT

DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.suffix in {".yaml", ".yml"})
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
OURS = {name: one for name, one in COMPOSE["services"].items() if one["image"].startswith("dateline:")}
PORT = Settings.model_fields["port"].default
ENDS_WITHIN_S = 10  # docs/operations.md


def objects(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


def within(value: object, key: str) -> Iterator[Any]:
    """Whatever stands under a key, however deep."""
    if isinstance(value, dict):
        for name, one in value.items():
            if name == key:
                yield one
            yield from within(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from within(one, key)


BASE = [one for path in sorted((KUBERNETES / "base").glob("*.yaml")) for one in objects(path)]
MANIFESTS = [one for path in sorted(KUBERNETES.rglob("*.yaml")) for one in objects(path)]
PODS = [one for one in within(MANIFESTS, "spec") if "containers" in one]
DEPLOYMENT = next(one for one in BASE if one["kind"] == "Deployment")
BUILD = next(pod for pod in PODS if "initContainers" in pod)
(REPLICA,) = DEPLOYMENT["spec"]["template"]["spec"]["containers"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_every_file_is_yaml(path: Path) -> None:
    assert objects(path)


def test_every_setting_that_is_named_is_one() -> None:
    known = {f"DATELINE_{name.upper()}" for name in Settings.model_fields}
    named = {
        name
        for path in DEPLOY.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
        for name in re.findall(r"\bDATELINE_[A-Z_]+\b", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 8
    # Of a service called dateline Kubernetes would set this to an address; enableServiceLinks has to be off.
    assert named - known == set()


def environments() -> dict[str, dict[str, str]]:
    """What each of our containers is started with, where nothing is set that need not be."""
    told = {"MILVUS_ROOT_PASSWORD": "a password", "MINIO_PASSWORD": "another"}
    base = (KUBERNETES / "base/settings.env").read_text(encoding="utf-8")
    return {
        "kubernetes": dict(re.findall(r"^(\w+)=(.*)$", base, re.MULTILINE)),
        "ray": {one["name"]: one["value"] for one in next(within(MANIFESTS, "env"))},
        **{
            name: {
                key: re.sub(r"\$\{(\w+):[^}]*\}", lambda found: told.get(found[1], ""), value)
                for key, value in one["environment"].items()
            }
            for name, one in OURS.items()
        },
    }


@pytest.mark.parametrize("name", ["kubernetes", "ray", "dateline", "index", "keys"])
def test_settings_have_values_that_they_may_have(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in environments()[name].items():
        monkeypatch.setenv(key, value)
    settings = load()
    if name != "keys":
        assert settings.index == Path("/index")
        assert settings.milvus_uri in uris()
    if name in {"dateline", "index"}:
        assert settings.milvus_token.get_secret_value() == "root:a password"
    assert settings.llm_base_url == settings.llm_model == ""


def test_probes_ask_for_what_is_served() -> None:
    there = {route.path for route in health.router.routes}  # type: ignore[attr-defined]
    asked = {one["path"] for one in within(MANIFESTS, "httpGet")}
    asked |= {re.findall(r":8000(/\w+)", one["healthcheck"]["test"][3])[0] for one in [OURS["dateline"]]}
    assert asked == {"/healthz", "/readyz"} <= there
    scraped = {one["path"] for one in within(MANIFESTS, "endpoints") for one in one}
    assert scraped == {route.path for route in metrics.router.routes}  # type: ignore[attr-defined]


def test_metrics_that_replicas_are_counted_by_are_told() -> None:
    told, _ = exposition(Recorder(1, ["default"]))
    rules = yaml.safe_load((KUBERNETES / "overlays/monitoring/adapter-values.yaml").read_text())["rules"][
        "custom"
    ]
    for rule in rules:
        assert rule["name"]["matches"] in rule["seriesQuery"]
        for name in re.findall(r"dateline_\w+", rule["seriesQuery"] + rule["metricsQuery"]):
            assert re.search(rf"^{name} ", told.decode(), re.MULTILINE), name
    asked = {one["metric"]["name"] for one in within(MANIFESTS, "pods") if isinstance(one, dict)}
    assert asked == {rule["name"]["as"] for rule in rules}


@pytest.mark.parametrize(
    "arguments",
    [
        REPLICA["args"],
        *(
            [*one.get("entrypoint", ["dateline"])[1:], *one["command"]]
            for one in OURS.values()
        ),
        next(one["args"] for one in BUILD["initContainers"] if one["name"] == "build"),
    ],
)  # fmt: skip
def test_commands_are_those_of_the_command_line(arguments: list[str]) -> None:
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[arguments[0]]
        arguments = arguments[1:]
    command.make_context("dateline", list(arguments), resilient_parsing=False)


def test_images_are_named_by_their_release() -> None:
    base = next(one for one in BASE if one["kind"] == "Kustomization")
    (ours,) = base["images"]
    assert ours["newTag"] == PROJECT["version"]
    assert {one["image"] for one in OURS.values()} == {f"dateline:{PROJECT['version']}"}
    images = [one["image"] for one in COMPOSE["services"].values()]
    images += [one["image"] for pod in PODS for one in [*pod["containers"], *pod.get("initContainers", [])]]
    for image in images:
        if image != ours["name"]:
            assert re.search(r":(v?\d[\w.-]+|RELEASE\.[\w-]+)$", image), image
    for lock in re.findall(r"LOCK: (\S+?)}", (DEPLOY / "compose.yaml").read_text()):
        assert (ROOT / lock).is_file()
        assert lock in DOCKERFILE


def test_the_image_for_ray_has_the_release_that_the_cluster_is_told() -> None:
    (release,) = within(MANIFESTS, "rayVersion")
    installed = (KUBERNETES / "overlays/ray/Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r'"ray\[.*\]==(.*)"', installed) == [release]
    for one in PROJECT["optional-dependencies"].get("ray", []):
        assert one.endswith(f"=={release}")


def test_ports_are_the_services_own() -> None:
    assert OURS["dateline"]["ports"][0].endswith(f":{PORT}")
    assert f":{PORT}/" in OURS["dateline"]["healthcheck"]["test"][3]
    assert REPLICA["ports"] == [{"name": "http", "containerPort": PORT}]
    assert f"EXPOSE {PORT}" in DOCKERFILE
    milvus = {re.search(r":(\d+)$", uri)[1] for uri in uris()}  # type: ignore[index]
    allowed = {
        one["port"] for one in within(MANIFESTS, "ports") for one in one if one.get("protocol") == "TCP"
    }
    assert {int(one) for one in milvus} == allowed - {"http", 53}


def uris() -> set[str]:
    files = [DEPLOY / "compose.yaml", *KUBERNETES.rglob("*.yaml"), *KUBERNETES.rglob("*.env")]
    return {
        uri
        for path in files
        for uri in re.findall(r"DATELINE_MILVUS_URI\W+(?:value: \")?(http://[\w.:-]+)", path.read_text())
    }


def test_nothing_but_the_service_is_published_and_that_on_loopback() -> None:
    published = [port for one in COMPOSE["services"].values() for port in one.get("ports", ())]
    assert published == [f"${{PUBLISH:-127.0.0.1:{PORT}}}:{PORT}"]
    for name in ("milvus", "etcd", "minio"):
        assert COMPOSE["services"][name]["networks"] == ["storage"]
    assert COMPOSE["networks"]["storage"] == {"internal": True}


def test_secrets_come_from_outside() -> None:
    example = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / ".env.example").read_text(), re.MULTILINE))
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    for name in set(re.findall(r"\$\{(\w+):\?", text)):
        assert example[name] == ""
    assert not any(one.get("kind") == "Secret" for one in MANIFESTS)
    for one in COMPOSE["services"].values():
        for name, value in one.get("environment", {}).items():
            assert not re.search("PASSWORD|SECRET|TOKEN|API_KEY", name) or "${" in value, name
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/deploy/.env", "/keys.json"} <= set(ignored)


def test_pods_have_no_privileges_and_nothing_of_their_namespace_in_their_environment() -> None:
    assert len(PODS) == 4
    for pod in PODS:
        assert pod["enableServiceLinks"] is False
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == NOBODY
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
    for name, one in OURS.items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"]


def test_replicas_only_read_what_they_share() -> None:
    mounts = {one["mountPath"]: one.get("readOnly", False) for one in REPLICA["volumeMounts"]}
    assert mounts == {"/index": True, "/keys": True, "/tmp": False}  # noqa: S108
    assert OURS["dateline"]["volumes"] == ["index:/index:ro", "keys:/keys:ro"]


def test_what_replicas_read_is_shared_its_words_last_and_goes_when_the_index_has_it_no_longer(
    tmp_path: Path,
) -> None:
    index, shared = tmp_path / "index", tmp_path / "shared"
    shared.mkdir()

    def published(name: str, *more: str) -> None:
        for file in ("manifest.json", "corpus.sqlite", "encoder/model.xml", *more):
            path = index / "generations" / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name} {file}")
        (index / "published").mkdir(exist_ok=True)
        (index / f"published/{name}.words").write_text(name)

    def share() -> list[str]:
        subprocess.run(["/bin/sh", KUBERNETES / "base/share.sh", index, shared], check=True)
        return sorted(str(one.relative_to(shared)) for one in shared.rglob("*") if one.is_file())

    assert share() == []
    published("000001-aaaaaaaa")
    cut_off = shared / "generations/000001-aaaaaaaa/encoder"
    cut_off.mkdir(parents=True)
    (cut_off / "half").touch()
    first = [f"generations/000001-aaaaaaaa/{one}" for one in ("encoder/model.xml", "manifest.json")]
    assert share() == [*first, "published/000001-aaaaaaaa.words"]
    published("000002-bbbbbbbb", "reader/reader.xml")
    assert len(share()) == 7
    (index / "published/000001-aaaaaaaa.words").unlink()
    second = [
        f"generations/000002-bbbbbbbb/{one}"
        for one in ("encoder/model.xml", "manifest.json", "reader/reader.xml")
    ]
    assert share() == [*second, "published/000002-bbbbbbbb.words"]
    script = (KUBERNETES / "base/share.sh").read_text(encoding="utf-8")
    assert script.index("manifest.json") < script.index('.words"\ndone')


def test_there_is_time_to_answer_what_was_accepted() -> None:
    (_, seconds) = REPLICA["lifecycle"]["preStop"]["exec"]["command"]
    pod = DEPLOYMENT["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] >= int(seconds) + ENDS_WITHIN_S + 5
    assert int(OURS["dateline"]["stop_grace_period"].removesuffix("s")) >= ENDS_WITHIN_S + 5


def test_the_sizes_told_are_those_that_are_computed() -> None:
    told = subprocess.run(
        [sys.executable, DEPLOY / "sizing.py"], capture_output=True, text=True, check=True
    ).stdout
    assert told.strip() in (ROOT / "docs/scale.md").read_text(encoding="utf-8")
