"""Has what is deployed read by those who know: Docker Compose, kubectl, the schemas of Kubernetes, promtool.

    python deploy/check.py

Run by make check-deploy, in an environment of deploy/requirements-check.txt. Asks no cluster, no engine and
no network. Kinds that Kubernetes itself does not know (of Prometheus' operator, of KubeRay) are only counted.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import compose
import kubernetes_validate
import yaml

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
COMPOSE = Path(compose.__file__).parent / "docker-compose"  # the package's own command forgets how it ended
RELEASES = ("1.30", "1.37")  # of Kubernetes: the oldest that is meant, the newest there is a schema of
FOREIGN = {"monitoring.coreos.com/v1", "ray.io/v1"}
PASSWORDS = {"MILVUS_ROOT_PASSWORD": "a", "MINIO_PASSWORD": "b"}


def ran(*command: str | Path, folder: Path = HERE) -> str:
    """What it wrote; ends the check where it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, **PASSWORDS}
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def composed() -> Iterator[str]:
    text = ran(COMPOSE, "--env-file", ".env.example", "--profile", "*", "config")
    yield f"compose.yaml: {len(yaml.safe_load(text)['services'])} services, by Docker Compose"
    ran(BIN / "compose-lint", "check", "--strict-config", "--fail-on", "low", "--no-env", "compose.yaml")
    yield "compose.yaml: nothing found that has no reason, by compose-lint"


def kubernetes() -> Iterator[str]:
    for place in sorted(HERE.glob("kubernetes/**/kustomization.yaml")):
        objects: list[dict[str, Any]] = list(
            yaml.safe_load_all(ran(BIN / "kubectl", "kustomize", place.parent))
        )
        known = [one for one in objects if one["apiVersion"] not in FOREIGN]
        for one in known:
            for release in RELEASES:
                try:
                    kubernetes_validate.validate(one, release, strict=True)
                except kubernetes_validate.ValidationError as error:
                    where = ".".join(map(str, error.path))
                    name = f"{one['kind']} {one['metadata']['name']}"
                    sys.exit(f"{place.parent}: {name}: {where}: {error.message} (Kubernetes {release})")
        told = f"{place.parent.relative_to(HERE)}: {len(known)} objects, by the schemas of "
        told += " and ".join(RELEASES)
        if foreign := ", ".join(one["kind"] for one in objects if one not in known):
            told += f"; not looked at: {foreign}"
        yield told


def prometheus() -> Iterator[str]:
    if not (promtool := shutil.which("promtool")):
        yield "prometheus: not tried, there is no promtool here (apt-get install prometheus)"
        return
    ran(promtool, "check", "rules", "alerts.yml", folder=HERE / "prometheus")
    ran(promtool, "test", "rules", "alerts.test.yml", folder=HERE / "prometheus")
    yield "prometheus: the alerts pass their tests, by promtool"


def main() -> None:
    for told in (*composed(), *kubernetes(), *prometheus()):
        print(told)


if __name__ == "__main__":
    main()
