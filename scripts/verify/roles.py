"""Starts each role as the chart and the compose file would, against a real broker, and asks it on its own probes.

    roles.py chart RENDERED.yaml BINARY BROKER
    roles.py compose CONFIG.json BINARY BROKER

Arguments and variables are the rendered ones. What only a cluster has is put in their place: names of hosts, the folders
/etc/aftersend/secrets and /var/lib/aftersend, and ports, since all roles share one machine here. RENDERED is what `helm template` makes,
CONFIG what `docker compose config --format json` prints.
"""

import json
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import yaml

PATIENCE_S = 90
# What a Secret holds under each path that the chart mounts.
SECRETS = {"signing-keys": "a-signing-key", "site-id": "site", "api-key": "key", "token-key": "0123456789abcdef0123456789abcdef"}


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


class Role:
    """A container of the chart or the compose file, as a process here."""

    def __init__(self, name, arguments, environment, probes, places):
        self.name, self.probes = name, probes
        self.admin, self.listen = free_port(), free_port()
        environment = dict(environment)
        for variable, port in (("AFTERSEND_ADMIN", self.admin), ("AFTERSEND_LISTEN", self.listen)):
            if variable in environment:
                environment[variable] = f"127.0.0.1:{port}"
        # What Kubernetes does with $(NAME).
        expand = lambda text: re.sub(r"\$\((\w+)\)", lambda it: environment.get(it[1], it[0]), text)
        self.environment = {key: places(expand(value)) for key, value in environment.items()}
        self.arguments = [places(expand(argument)) for argument in arguments]

    def run(self, binary, log):
        kept = {key: value for key, value in os.environ.items() if key in ("PATH", "TMPDIR")}
        with open(log, "w") as file:
            return subprocess.Popen([binary, *self.arguments], env={**kept, **self.environment}, stdout=file, stderr=file)

    def ask(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)


def chart(file, places):
    """Jobs before installing, then everything that runs on."""
    jobs, roles = [], []
    for it in yaml.safe_load_all(pathlib.Path(file).read_text()):
        if it["kind"] not in ("Job", "Deployment", "StatefulSet"):
            continue
        hook = it["metadata"].get("annotations", {}).get("helm.sh/hook", "")
        container = it["spec"]["template"]["spec"]["containers"][0]
        fields = {"metadata.name": f"{it['metadata']['name']}-0", "metadata.namespace": it["metadata"]["namespace"]}
        environment = {}
        for entry in container["env"]:
            reference = entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            environment[entry["name"]] = entry["value"] if "value" in entry else fields.get(reference, "from-a-secret")
        probes = {container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe") if probe in container}
        role = Role(it["metadata"]["name"], container["args"], environment, sorted(probes), places)
        role.hook = hook
        (jobs if it["kind"] == "Job" else roles).append(role)
    before = [job for job in jobs if "pre-install" in job.hook]
    after = [job for job in jobs if "post-upgrade" in job.hook]
    return before, roles, after


def compose(file, places):
    before, roles = [], []
    for name, service in json.loads(pathlib.Path(file).read_text())["services"].items():
        if service["image"] != "aftersend:dev":
            continue
        one_shot = service["command"] == ["bootstrap"]
        environment = {key: value or "" for key, value in service["environment"].items()}
        role = Role(name, service["command"], environment, [] if one_shot else ["/livez", "/readyz"], places)
        # A volume of its own for each.
        role.environment = {k: v.replace("/data/", f"/data-{name}/") for k, v in role.environment.items()}
        (before if one_shot else roles).append(role)
    return before, roles, []


def ended_well(role, binary, folder, faults):
    log = folder / f"{role.name}.log"
    code = role.run(binary, log).wait(timeout=PATIENCE_S)
    print(f"{role.name}: {' '.join(role.arguments)}: exit code {code}")
    if code != 0:
        faults.append(f"{role.name}: exit code {code}\n{log.read_text()[-2000:]}")


def main(kind, file, binary, broker):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="aftersend-roles."))
    (folder / "secrets").mkdir()
    for name, content in SECRETS.items():
        (folder / "secrets" / name).write_text(content)
    prefix = f"verify-{secrets.token_hex(4)}."

    def places(text):
        text = text.replace("/etc/aftersend/secrets", str(folder / "secrets")).replace("/var/lib/aftersend", str(folder / "data"))
        return broker if re.fullmatch(r"(kafka|redpanda):9092", text) else text

    before, roles, after = {"chart": chart, "compose": compose}[kind](file, places)
    faults, running = [], []
    for role in [*before, *roles, *after]:
        # Topics of this run's own, on a broker that others may use.
        role.environment["AFTERSEND_TOPIC_PREFIX"] = prefix
        for value in role.environment.values():
            path = value.removeprefix("sqlite:")
            if path.startswith(str(folder)):
                pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    try:
        for role in before:
            ended_well(role, binary, folder, faults)
        running = [(role, role.run(binary, folder / f"{role.name}.log")) for role in roles]
        for role, process in running:
            await_probes(role, process, folder, faults)
        for role in after:
            ended_well(role, binary, folder, faults)
    finally:
        for role, process in running:
            process.send_signal(signal.SIGTERM)
        for role, process in running:
            try:
                code = process.wait(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                code = "none after SIGTERM"
            print(f"{role.name}: after SIGTERM exit code {code}")
            if code != 0 and not any(fault.startswith(role.name) for fault in faults):
                faults.append(f"{role.name}: exit code {code} after SIGTERM\n{(folder / f'{role.name}.log').read_text()[-2000:]}")
    if faults:
        raise SystemExit("\n".join(faults))


def await_probes(role, process, folder, faults):
    for path in role.probes:
        until, status, body = time.monotonic() + PATIENCE_S, 0, ""
        while time.monotonic() < until and process.poll() is None:
            status, body = role.ask(path)
            if status == 200:
                break
            time.sleep(0.2)
        print(f"{role.name}: {' '.join(role.arguments)}: {path} {status}")
        if status != 200:
            faults.append(f"{role.name}: {path} says {status} {body}\n{(folder / f'{role.name}.log').read_text()[-2000:]}")
            return


if __name__ == "__main__":
    if len(sys.argv) != 5 or sys.argv[1] not in ("chart", "compose"):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
