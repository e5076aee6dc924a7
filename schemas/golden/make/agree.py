"""Checks Java's answers with fastavro, and writes the golden files if all agree.

    agree.py AVRO_DIR JAVA_DIR GOLDEN_DIR
"""

import io
import json
import pathlib
import sys

import fastavro
import fastavro.schema

MARKER = b"\xc3\x01"


def main(avro, java, golden):
    schemas = {path.stem: load(path) for path in avro.glob("*.avsc")}
    fingerprints, records = lines(java / "fingerprints.jsonl"), lines(java / "records.jsonl")
    assert {line["record"] for line in fingerprints} == set(schemas)
    for line in fingerprints:
        agree(line["crc64"], fingerprint(schemas[line["record"]]).hex(), line["record"])
    for line in records:
        schema, named = schemas[line["record"]], f"{line['record']} {line['name']}"
        agree(line["hex"], encoded(schema, line["value"]).hex(), named)
        agree(line["value"], decoded(schema, bytes.fromhex(line["hex"])), named)

    write(golden / "murmur2.jsonl", lines(java / "murmur2.jsonl"))
    write(golden / "fingerprints.jsonl", fingerprints)
    for record in sorted(schemas):
        mine = [line for line in records if line["record"] == record]
        mine = [{key: line[key] for key in ("name", "value", "hex")} for line in mine]
        write(golden / f"{record}.jsonl", mine)
        keep_version(avro, golden, record, mine)
    print(f"{len(schemas)} schemas, {len(records)} values: Java and fastavro agree", file=sys.stderr)


def keep_version(avro, golden, record, mine):
    """Keeps a schema whose fingerprint is not the latest version's as the next version, with its bytes."""
    schemas, values = avro / "history" / record, golden / "history" / record
    current, number = avro / f"{record}.avsc", len(list(schemas.glob("*.avsc")))
    latest = schemas / f"{number}.avsc"
    if latest.exists() and fingerprint(load(latest)) == fingerprint(load(current)):
        return
    for folder in schemas, values:
        folder.mkdir(parents=True, exist_ok=True)
    (schemas / f"{number + 1}.avsc").write_text(current.read_text())
    write(values / f"{number + 1}.jsonl", mine)
    print(f"list avro/history/{record}/{number + 1}.avsc in the record's VERSIONS", file=sys.stderr)


def load(path):
    return json.loads(path.read_text())


def fingerprint(schema):
    """CRC-64-AVRO of the canonical form, as the eight bytes that go on the wire (little-endian)."""
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    return bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))


def encoded(schema, value):
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(plain(schema)), with_bytes(schema, value))
    return MARKER + fingerprint(schema) + body.getvalue()


def decoded(schema, data):
    body = io.BytesIO(data[10:])
    value = fastavro.schemaless_reader(body, fastavro.parse_schema(plain(schema)), None)
    assert not body.read(), "bytes left over"
    return without_bytes(value)


def plain(schema):
    """The schema without logical types: a time stays the number that travels, however extreme."""
    if isinstance(schema, list):
        return [plain(branch) for branch in schema]
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in schema.items() if key != "logicalType"}
    return schema


def with_bytes(schema, value):
    if isinstance(schema, list):
        return None if value is None else with_bytes(next(branch for branch in schema if branch != "null"), value)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        return {field["name"]: with_bytes(field["type"], value[field["name"]]) for field in schema["fields"]}
    if kind == "array":
        return [with_bytes(schema["items"], item) for item in value]
    return bytes(value) if kind == "bytes" else value


def without_bytes(value):
    if isinstance(value, dict):
        return {key: without_bytes(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_bytes(item) for item in value]
    return list(value) if isinstance(value, bytes) else value


def agree(java, python, about):
    assert java == python, f"{about}: Java says\n{java}\nfastavro says\n{python}"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:4]))
