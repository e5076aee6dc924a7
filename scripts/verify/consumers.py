"""Other teams' consumers read every public topic: `consumers.py BROKER JARS`.

Writes the golden values of each public topic (schemas/golden) as Aftersend would, in a transaction, and again in one that is rolled back, with
a tombstone and, on one topic, a record in Confluent's framing. Both examples of tests/contract/consumers must print exactly what was committed.
JARS are those of the Java one.
"""

import http.server
import json
import pathlib
import secrets
import struct
import subprocess
import sys
import threading

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

GOLDEN = pathlib.Path("schemas/golden")
AVRO = pathlib.Path("schemas/avro")
CONSUMERS = pathlib.Path("tests/contract/consumers")
PARTITIONS = 3
REGISTERED = 7


class Registry(http.server.BaseHTTPRequestHandler):
    """What a schema registry answers to a consumer. One schema is registered."""

    def do_GET(self):
        known = self.path == f"/schemas/ids/{REGISTERED}"
        self.send_response(200 if known else 404)
        self.end_headers()
        if known:
            self.wfile.write(json.dumps({"schema": (AVRO / "suppression.avsc").read_text()}).encode())

    def log_message(self, *_):
        pass


def golden(record):
    lines = [json.loads(line) for line in (GOLDEN / f"{record}.jsonl").read_text().splitlines()]
    return [(line["name"], bytes.fromhex(line["hex"]), line["value"]) for line in lines]


def write(producer, topic, records, committed):
    producer.begin_transaction()
    for number, (key, data, _) in enumerate(records):
        producer.produce(topic, data, key=key.encode(), partition=number % PARTITIONS)
    producer.flush()
    if committed:
        producer.commit_transaction()
    else:
        producer.abort_transaction()


def read(command):
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if ran.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit code {ran.returncode}\n{ran.stderr[-2000:]}")
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    return sorted((line["partition"], line["key"], line["value"]) for line in lines)


def main(broker, jars):
    registry = http.server.HTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=registry.serve_forever, daemon=True).start()
    prefix = f"verify-{secrets.token_hex(4)}."
    admin = AdminClient({"bootstrap.servers": broker})
    producer = Producer({"bootstrap.servers": broker, "transactional.id": prefix})
    producer.init_transactions(60)

    topics = {"outcomes.suppression.v1": "suppression", "outcomes.trait.v1": "customer_traits", "outcomes.warehouse.v1": "message_outcome"}
    for name, record in topics.items():
        topic = prefix + name
        for made in admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values():
            made.result()
        records = [*golden(record), ('a "tombstone"', None, None)]
        if record == "suppression":
            _, data, value = records[1]
            records.append(("confluent", b"\0" + struct.pack(">I", REGISTERED) + data[10:], value))
        write(producer, topic, [(f"rolled back {key}", data, value) for key, data, value in records], committed=False)
        write(producer, topic, records, committed=True)

        wanted = sorted((number % PARTITIONS, key, value) for number, (key, _, value) in enumerate(records))
        where = ["--brokers", broker, "--topic", topic, "--schemas", str(AVRO), "--registry", f"http://127.0.0.1:{registry.server_port}"]
        for language, program in {
            "Python": [sys.executable, str(CONSUMERS / "python" / "subscribe.py")],
            "Java": ["java", "-cp", f"{jars}/*", str(CONSUMERS / "java" / "Subscribe.java")],
        }.items():
            found = read([*program, *where])
            if found != wanted:
                raise SystemExit(f"{language} reads {name} otherwise:\nwanted {wanted}\nfound  {found}")
            print(f"{language} reads {len(found)} records of {name}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
