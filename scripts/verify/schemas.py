"""Schemas that kubeconform reads without a network: `schemas.py OUT VERSION… -- CRD…`.

Kubernetes' own come from PyPI's kubernetes-validate, made relative and without their ids; other projects' from the files of their
CustomResourceDefinitions, made strict where a type doesn't take unknown fields.
"""

import json
import pathlib
import sys

import kubernetes_validate
import yaml


def kubernetes(out, version):
    source = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{version}-local-strict"
    if not source.is_dir():
        raise SystemExit(f"kubernetes-validate has no schemas of {version}")
    folder = out / f"v{version}-standalone-strict"
    folder.mkdir(parents=True, exist_ok=True)
    for file in source.glob("*.json"):
        schema = json.loads(file.read_text().replace('"/api/_definitions.json', '"_definitions.json'))
        schema.pop("$id", None)
        (folder / file.name).write_text(json.dumps(schema))


def strict(schema):
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            schema.setdefault("additionalProperties", False)
        for part in schema.values():
            strict(part)
    elif isinstance(schema, list):
        for part in schema:
            strict(part)


def custom(out, file):
    folder = out / "crds"
    folder.mkdir(parents=True, exist_ok=True)
    for definition in yaml.safe_load_all(pathlib.Path(file).read_text()):
        spec = definition["spec"]
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            schema.setdefault("properties", {})["metadata"] = {"type": "object"}
            strict(schema)
            name = f"{spec['names']['kind'].lower()}-{spec['group'].split('.')[0]}-{version['name']}.json"
            (folder / name).write_text(json.dumps(schema))


if __name__ == "__main__":
    out = pathlib.Path(sys.argv[1])
    split = sys.argv.index("--")
    for version in sys.argv[2:split]:
        kubernetes(out, version)
    for file in sys.argv[split + 1 :]:
        custom(out, file)
