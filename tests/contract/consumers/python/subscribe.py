"""Reads a topic of Aftersend, and prints each record as a line of JSON.

    pip install -r requirements.txt
    python subscribe.py --brokers localhost:19092 --topic outcomes.suppression.v1 --schemas ../../../../schemas/avro

Ends at what was the topic's end when it started; --follow goes on. --config KEY=VALUE passes anything to the client, such as
security.protocol=SASL_SSL. A library of yours would keep `Decoder` and the settings of `consumer`; the rest is a command line.
"""

import argparse
import io
import json
import pathlib
import sys
import urllib.request

import confluent_kafka
import fastavro
import fastavro.schema

EARLIEST = confluent_kafka.OFFSET_BEGINNING
SINGLE_OBJECT = b"\xc3\x01"
CONFLUENT = 0


class Decoder:
    """Bytes to values. Knows the writers' schemas by their fingerprints from files, and by their ids from a registry."""

    def __init__(self, folder, registry=None):
        self.registry = registry
        self.by_id = {}
        self.by_fingerprint = {}
        for file in pathlib.Path(folder).rglob("*.avsc"):
            schema = json.loads(file.read_text())
            self.by_fingerprint[fingerprint(schema)] = fastavro.parse_schema(plain(schema))

    def value(self, data):
        """The value, or None for a tombstone. An unknown schema is an error that a newer file mends: never skip the record."""
        if data is None:
            return None
        if data[:2] == SINGLE_OBJECT:
            schema, body = self.by_fingerprint.get(data[2:10]), data[10:]
        elif data[:1] == bytes([CONFLUENT]):
            schema, body = self.registered(int.from_bytes(data[1:5], "big")), data[5:]
        else:
            raise ValueError("framed in neither way")
        if schema is None:
            raise ValueError(f"written with an unknown schema, fingerprint {data[2:10].hex()}: get the newer schemas")
        return fastavro.schemaless_reader(io.BytesIO(body), schema, None)

    def registered(self, number):
        if number not in self.by_id:
            if self.registry is None:
                raise ValueError(f"written with schema {number} of a registry: name it with --registry")
            with urllib.request.urlopen(f"{self.registry}/schemas/ids/{number}", timeout=10) as answer:
                self.by_id[number] = fastavro.parse_schema(plain(json.loads(json.load(answer)["schema"])))
        return self.by_id[number]


def fingerprint(schema):
    """CRC-64-AVRO of the canonical form, as it travels."""
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    return bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))


def plain(schema):
    """The schema without logical types: a time stays the number of milliseconds that travels, as Java shows it too."""
    if isinstance(schema, list):
        return [plain(branch) for branch in schema]
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in schema.items() if key != "logicalType"}
    return schema


def consumer(brokers, group, more):
    return confluent_kafka.Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": group,
            # Without it, records of transactions that were rolled back come too.
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            # Commit behind what is done, not by the clock.
            "enable.auto.commit": False,
            **more,
        }
    )


def records(source, topic, follow):
    """Each record of every partition from the beginning; ends at the end that was found, unless it is to follow."""
    metadata = source.list_topics(topic, timeout=10).topics[topic]
    if metadata.error is not None:
        raise SystemExit(f"{topic}: {metadata.error}")
    ends = {}
    for partition in metadata.partitions:
        first, end = source.get_watermark_offsets(confluent_kafka.TopicPartition(topic, partition), timeout=10)
        if follow or end > first:
            ends[partition] = end
    source.assign([confluent_kafka.TopicPartition(topic, partition, EARLIEST) for partition in ends])
    while ends:
        record = source.poll(1.0)
        if record is not None and record.error():
            raise SystemExit(str(record.error()))
        if record is not None:
            yield record
        if not follow:
            # By position and not by the last record: the last offsets may be a transaction's own markers.
            for place in source.position([confluent_kafka.TopicPartition(topic, partition) for partition in ends]):
                if place.offset >= ends[place.partition]:
                    del ends[place.partition]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--schemas", required=True, help="folder with .avsc files")
    parser.add_argument("--registry", help="URL of a schema registry that speaks Confluent's API")
    parser.add_argument("--group", default="aftersend-subscribe-example")
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("--config", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()

    decoder = Decoder(arguments.schemas, arguments.registry)
    source = consumer(arguments.brokers, arguments.group, dict(pair.split("=", 1) for pair in arguments.config))
    try:
        for record in records(source, arguments.topic, arguments.follow):
            try:
                value = decoder.value(record.value())
            except ValueError as error:
                raise SystemExit(f"{record.topic()}/{record.partition()} at {record.offset()}: {error}") from error
            key = record.key().decode() if record.key() is not None else None
            line = {"partition": record.partition(), "offset": record.offset(), "key": key, "value": value}
            print(json.dumps(line, ensure_ascii=False), flush=arguments.follow)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.stderr.close()
    finally:
        source.close()


if __name__ == "__main__":
    main()
