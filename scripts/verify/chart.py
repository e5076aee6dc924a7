"""Checks of the chart that need no cluster: `chart.py lint | keys | refusals | golden [FOLDER] | variables | settings | queries | examples | render FOLDER | version`.

Renders with Helm's own library (PyPI helm-python-sdk). `golden FOLDER` compares what another Helm rendered into FOLDER.
"""

import json
import os
import pathlib
import re
import sys

import yaml

CHART = pathlib.Path("helm/aftersend")
RENDERED = CHART / "ci" / "rendered"
KUBE_VERSION = "1.36.4"
# What a parent chart hands down.
NOT_LISTED = {"enabled"}


# Variables that the chart sets and no role reads yet. A name leaves this list with the change that makes a role read it.
AWAITED = {
    "AFTERSEND_KAFKA_OAUTH_TOKEN_FILE",
    "AFTERSEND_KAFKA_OAUTH_TOKEN_ENDPOINT",
    "AFTERSEND_KAFKA_OAUTH_CLIENT_ID",
    "AFTERSEND_KAFKA_OAUTH_CLIENT_SECRET_FILE",
    "AFTERSEND_KAFKA_OAUTH_SCOPE",
}


class Unique(yaml.SafeLoader):
    """A loader that refuses a key given twice, where YAML would silently take the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.YAMLError(f"{sorted(twice)} twice{node.start_mark}")
        return super().construct_mapping(node, deep)


def cases():
    """Each set of values by its name."""
    found = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}
    return {name: yaml.load(path.read_text(), Unique) for name, path in found.items()}


def documents(texts):
    return [document for text in texts for document in yaml.load_all(text, Unique) if document]


def canonical(found):
    """One text for one set of objects, in whatever order and style they came."""
    found = sorted(found, key=lambda it: (it["kind"], it["metadata"]["name"]))
    return "---\n".join(yaml.safe_dump(it, sort_keys=True, width=160, allow_unicode=True) for it in found)


def render(name, values):
    import helm_python

    with helm_python.Chart.load(CHART) as chart:
        files = chart.render(values, name="prod", namespace="messaging")
    return documents(text for path, text in files.items() if not path.endswith("NOTES.txt"))


def lint():
    import helm_python

    for name, values in cases().items():
        report = helm_python.lint(CHART, values, strict=True, kube_version=KUBE_VERSION)
        print(name, json.dumps(report))
        # 1 is a hint, 2 a warning, 3 an error.
        if report["errors"] or any(message["severity"] > 1 for message in report["messages"]):
            raise SystemExit(f"{name}: lint found something")


def keys():
    """Each key of values.yaml is in the schema, with a type; each key of the schema is in values.yaml, or in `defaults`."""
    values = yaml.load((CHART / "values.yaml").read_text(), Unique)
    schema = json.loads((CHART / "values.schema.json").read_text())
    shared = set(values["defaults"])
    faults = []

    def resolve(it):
        return schema["definitions"][it["$ref"].rsplit("/", 1)[1]] if "$ref" in it else it

    def walk(path, value, of):
        of = resolve(of)
        known = of.get("properties")
        if not isinstance(value, dict) or known is None:
            return
        if path and of.get("additionalProperties") is not False and path != "global":
            faults.append(f"{path}: takes unknown keys")
        faults.extend(f"{path}.{key}: not in the schema" for key in value.keys() - known.keys())
        # An empty map's keys are told by the schema alone; a probe's and a container's resources are Kubernetes' own.
        if value and not path.endswith(("Probe", "resources")):
            elsewhere = NOT_LISTED | (shared if "resources" in known else set())
            faults.extend(f"{path}.{key}: not in values.yaml" for key in known.keys() - value.keys() - elsewhere)
        for key in value.keys() & known.keys():
            walk(f"{path}.{key}".lstrip("."), value[key], known[key])

    walk("", values, schema)
    if faults:
        raise SystemExit("\n".join(sorted(faults)))


def refusals():
    import helm_python

    values = cases()["minimal"]
    wrong = [
        {"gatway": {}},
        {"gateway": {"replica": 3}},
        {"processor": {"replicas": "3"}},
        {"processor": {"replicas": -1}},
        {"processor": {"persistence": {"size": "big"}}},
        {"kafka": {"securityProtocol": "SASL_SSL"}},
        {"kafka": {"bootstrap": "kafka"}},
        {"kafka": {"sasl": {"mechanism": "GSSAPI"}}},
        {"environment": "prod"},
        {"gateway": {"extraEnv": [{"name": "A", "value": "b"}]}},
        {"customerioSink": {"region": "de"}},
        {"image": {"digest": "sha256:12"}},
        {"topics": {"partitions": 0}},
        {"defaults": {"extraEnv": {"NOT-A-NAME": "x"}}},
    ]
    right = [{"global": {"imageRegistry": "", "anything": {"of": "a parent"}}}, {"enabled": True}, {"bootstrap": {"extraEnv": {"A": 1}}}]
    with helm_python.Chart.load(CHART) as chart:

        def fits(more):
            try:
                chart.validate_schema({**values, **{k: {**values.get(k, {}), **v} if isinstance(v, dict) else v for k, v in more.items()}})
                return True
            except helm_python.HelmError as error:
                print(json.dumps(more), "->", str(error).strip().splitlines()[-1])
                return False

        faults = [f"accepted: {more}" for more in wrong if fits(more)] + [f"refused: {more}" for more in right if not fits(more)]
    if faults:
        raise SystemExit("\n".join(faults))


def golden(folder=None):
    """What is rendered is what lies under ci/rendered; with UPDATE=1 it is written there."""
    faults = []
    for name, values in cases().items():
        if folder:
            text = canonical(documents([(pathlib.Path(folder) / f"{name}.yaml").read_text()]))
        else:
            text = canonical(render(name, values))
        path = RENDERED / f"{name}.yaml"
        if os.environ.get("UPDATE"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            import difflib

            before = path.read_text().splitlines() if path.exists() else []
            faults += list(difflib.unified_diff(before, text.splitlines(), str(path), "rendered", lineterm="", n=2))[:80]
    if faults:
        raise SystemExit("\n".join([*faults, "", "if that is meant: UPDATE=1 scripts/verify/run 1"]))


def variables():
    """Names of variables are unique in each container, the pod's name comes first, and no secret is a variable."""
    faults = []
    for name, values in cases().items():
        for it in render(name, values):
            pod = it["spec"] if it["kind"] == "Pod" else it.get("spec", {}).get("template", {}).get("spec", {}) if isinstance(it.get("spec"), dict) else {}
            for container in pod.get("containers", []):
                where = f"{name}: {it['kind']} {it['metadata']['name']}"
                names = [entry["name"] for entry in container["env"]]
                faults += [f"{where}: {entry} twice" for entry in {entry for entry in names if names.count(entry) > 1}]
                if names[:2] != ["POD_NAME", "POD_NAMESPACE"]:
                    faults.append(f"{where}: the pod's name comes too late to be replaced")
                for entry in container["env"]:
                    secret = entry.get("valueFrom", {}).get("secretKeyRef")
                    if secret and entry["name"] != "AFTERSEND_KAFKA_SASL_USERNAME":
                        faults.append(f"{where}: {entry['name']} has a secret as a variable")
                for mount in container["volumeMounts"]:
                    if "subPath" in mount:
                        faults.append(f"{where}: {mount['name']} by subPath, which doesn't follow a changed Secret")
    if faults:
        raise SystemExit("\n".join(faults))


def settings():
    """The chart's and the compose file's variables are settings of the product, as docs/settings.md lists them."""
    listed = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", pathlib.Path("docs/settings.md").read_text()))
    templates = "".join(path.read_text() for path in (CHART / "templates").glob("*.tpl"))
    used = set(re.findall(r"^((?:AFTERSEND|CUSTOMERIO)_[A-Z0-9_]+):", templates, re.MULTILINE))
    services = yaml.safe_load(pathlib.Path("docker-compose.yml").read_text())["services"].values()
    used |= {name for service in services if service["image"].startswith("aftersend") for name in service["environment"]}
    faults = [f"{name}: no setting has this variable" for name in sorted(used - listed - AWAITED)]
    faults += [f"{name}: is a setting by now, take it out of AWAITED" for name in sorted(AWAITED & listed)]
    faults += [f"{name}: nothing sets it, take it out of AWAITED" for name in sorted(AWAITED - used)]
    print(len(used), "variables,", len(AWAITED), "of them awaited")
    if faults:
        raise SystemExit("\n".join(faults))


def queries():
    """Each query of the alerts and dashboards is PromQL, and asks only for metrics that docs/metrics.md lists."""
    import promql_parser

    found = []
    for file in sorted((CHART / "alerts").glob("*.yaml")):
        for group in yaml.load(file.read_text(), Unique)["groups"]:
            found += [(f"{file.name} {rule['alert']}", rule["expr"]) for rule in group["rules"]]
    for file in sorted((CHART / "dashboards").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            found += [(f"{file.name} {panel['title']}", target["expr"]) for target in panel["targets"]]
    page = pathlib.Path("docs/metrics.md")
    listed = set(re.findall(r"`(aftersend_\w+)`", page.read_text())) if page.exists() else None
    faults = []
    for where, query in found:
        # What Grafana puts in its place.
        query = query.replace("$__rate_interval", "5m").replace("$namespace", ".*")
        try:
            promql_parser.parse(query)
        except ValueError as error:
            faults.append(f"{where}: {error}")
        for name in re.findall(r"aftersend_\w+", query):
            if listed is not None and re.sub("_(bucket|sum|count)$", "", name) not in listed:
                faults.append(f"{where}: {name} is no metric of docs/metrics.md")
    print(len(found), "queries", "" if listed else "(docs/metrics.md isn't there: names not compared)")
    if faults:
        raise SystemExit("\n".join(faults))


def examples():
    """What the examples set is what the chart takes."""
    import helm_python

    found = {}
    for file in sorted((CHART / "examples").glob("*.yaml")):
        for it in yaml.load_all(file.read_text(), Unique):
            match it:
                case {"kind": "Application", "spec": {"source": {"helm": {"valuesObject": values}}}}:
                    found[file.name] = values
                case {"kind": "HelmRelease", "spec": {"values": values}}:
                    found[file.name] = values
                case {"kind": "ExternalSecret", "spec": {"data": data}}:
                    # Each key that the chart asks for by default.
                    keys = {entry["secretKey"] for entry in data}
                    if keys != {"signing-keys", "site-id", "api-key", "token-key"}:
                        raise SystemExit(f"{file.name}: makes {sorted(keys)}")
                case {"kafka": _}:
                    found[file.name] = it
    for name, values in found.items():
        print(name, len(render(name, values)), "objects")
    if len(found) != 3:
        raise SystemExit(f"values were found in {sorted(found)}")


def render_into(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in cases().items():
        (folder / f"{name}.yaml").write_text(canonical(render(name, values)))


def version():
    import helm_python

    print(helm_python.helm_sdk_version())


if __name__ == "__main__":
    commands = {"lint": lint, "keys": keys, "refusals": refusals, "golden": golden, "variables": variables}
    commands |= {"settings": settings, "queries": queries, "examples": examples, "render": render_into, "version": version}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        raise SystemExit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
