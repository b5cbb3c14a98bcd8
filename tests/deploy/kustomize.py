"""As much of `kubectl kustomize` as deploy/kubernetes uses; anything else in a file is an error."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Resource = dict[str, Any]


def build(directory: Path) -> list[Resource]:
    """The resources that a kustomization makes. Names of ConfigMaps get no hash."""
    return _build(directory, [])


def _build(directory: Path, resources: list[Resource]) -> list[Resource]:
    told = yaml.safe_load((directory / "kustomization.yaml").read_text())
    told.pop("apiVersion")
    assert told.pop("kind") in {"Kustomization", "Component"}
    for name in told.pop("resources", []):
        resources += _resources(directory / name)
    for name in told.pop("components", []):
        resources = _build(directory / name, resources)
    for wanted in told.pop("configMapGenerator", []):
        _generate(wanted, resources)
    for patch in told.pop("patches", []):
        _patch(patch, resources)
    for labels in told.pop("labels", []):
        assert labels.pop("includeSelectors") is False
        for resource in resources:
            resource["metadata"].setdefault("labels", {}).update(labels["pairs"])
    for image in told.pop("images", []):
        for container in _containers(resources):
            if container["image"] == image["name"]:
                container["image"] += ":" + image["newTag"]
    if namespace := told.pop("namespace", ""):
        for resource in resources:
            resource["metadata"]["namespace"] = namespace
    assert not told, f"{directory}: {sorted(told)} is not known here"
    return resources


def _resources(path: Path) -> list[Resource]:
    if path.is_dir():
        return build(path)
    return list(yaml.safe_load_all(path.read_text()))


def _generate(wanted: dict[str, Any], resources: list[Resource]) -> None:
    data = dict(line.split("=", 1) for line in wanted["literals"])
    if wanted.get("behavior") == "merge":
        (there,) = (r for r in resources if _is(r, kind="ConfigMap", name=wanted["name"]))
        there["data"].update(data)
    else:
        metadata = {"name": wanted["name"]}
        resources.append(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        )


def _patch(patch: dict[str, Any], resources: list[Resource]) -> None:
    targets = [resource for resource in resources if _is(resource, **patch["target"])]
    assert targets, f"nothing is {patch['target']}"
    for resource in targets:
        for operation in yaml.safe_load(patch["patch"]):
            assert operation["op"] == "add"
            *way, last = operation["path"].strip("/").split("/")
            place: Any = resource
            for step in way:
                place = place[step]
            value = copy.deepcopy(operation["value"])
            if isinstance(place, list):
                assert last == "-"
                place.append(value)
            else:
                place[last] = value


def _is(resource: Resource, *, kind: str = "", name: str = "", group: str = "") -> bool:
    return (
        kind in {"", resource["kind"]}
        and name in {"", resource["metadata"]["name"]}
        and group in {"", resource["apiVersion"].rpartition("/")[0]}
    )


def _containers(resources: list[Resource]) -> Iterator[dict[str, Any]]:
    for resource in resources:
        if resource["kind"] == "Deployment":
            yield from resource["spec"]["template"]["spec"]["containers"]
