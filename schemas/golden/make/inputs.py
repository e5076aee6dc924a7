"""What the golden files are about: keys to place, and values to encode. Prints one JSON object a line.

    inputs.py keys              {"key"}
    inputs.py values AVRO_DIR   {"record", "name", "value"}; bytes are lists of numbers, as serde_json writes them
"""

import json
import pathlib
import random
import sys

# Every length modulo four (murmur2 reads words, then a tail), bytes above 0x7f (Java's are signed), every kind of
# customer key that design section 3 names, and what people really use as ids.
KEYS = [
    "", "a", "ab", "abc", "abcd", "abcde", " ", "0", "42", "user-123", "UPPER", "id with spaces", "\u0000", "\u007f",
    "\u0080", "é", "éé", "ééé", "ÿÿÿÿ", "café", "☃📧", "日本語のお客様", "نص", "ada@example.com", "~~escaped",
    "~cio:d9c106000001", "~eml:t1.abcdefghijklmnopqrstuv", "~dlv:RAECAAFwnUSneIa0ZXkmq8EdkAM==",
    "~evt:01E4C4CT6YDC7Y5M7FE1GWWPQJ", "x" * 150, "é" * 500, "\U0010ffff" * 3,
]
ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@/~ é☃📧"

TEXT = "Grüße, 世界! ☃📧 \u0000\t\"quoted\" \\ \U0010ffff e\u0301 " + "long " * 40
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1

# Typical values name only what differs from the defaults, so that a new field needs no change here.
TYPICAL = {
    "raw_record": {
        "kind": "webhook", "id": list(range(16)), "event_id": "01E4C4CT6YDC7Y5M7FE1GWWPQJ", "source": "default",
        "verified_by": "v0", "signed_at": 1613063089000, "verified_at": 1613063089120, "received_at": 1613063089101,
        "bytes": list(b'{"event_id":"01E4C4CT6YDC7Y5M7FE1GWWPQJ","metric":"delivered"}'),
    },
    "command": {
        "kind": "consent", "command_id": "c-1", "issuer": "preference-centre", "customer_id": "42",
        "occurred_at": 1613063089000, "channel": "sms", "granted": True, "reason": "ticked the box",
    },
    "message_outcome": {
        "event_id": "01E4C4CT6YDC7Y5M7FE1GWWPQJ", "event_type": "email_bounced", "channel": "email",
        "metric": "bounced", "occurred_at": 1613063089000, "time_source": "event", "received_at": 1613063089101,
        "appended_at": 1613063089130, "customer_id": "42", "recipient_token": "t1.abcdefghijklmnopqrstuv",
        "recipient_domain": "example.com", "delivery_id": "RPILAgUBcRhIBqSfeiIwdIYJKxTY", "campaign_id": "23",
        "action_id": "38", "subject": "Thanks for joining!", "failure_message": "550 5.1.1 no such user",
        "bounce_class": "hard", "bounce_blame": "recipient", "machine": False, "source": "default",
        "metadata": '{"content_id":1146}', "outcome_id": "5f0c6c1f9e0d4b3a8a7c2e1d0f9b8a76",
    },
    "customer_traits": {
        "customer_id": "42", "revision": 7, "as_of": 1613063089130,
        "changed": ["email_deliverable", "email_bounced", "email_bounced_at"], "email_deliverable": False,
        "email_bounced": True, "email_bounced_at": 1613063089000,
        "last_bounce_delivery_id": "RPILAgUBcRhIBqSfeiIwdIYJKxTY", "complaint_count": 0,
        "last_email_metric": "bounced",
    },
    "suppression": {
        "customer_id": "42", "as_of": 1613063089130,
        "entries": [
            {
                "scope": "address", "channel": "email", "token": "t1.abcdefghijklmnopqrstuv", "reason": "bounce",
                "class": "hard", "rule": "bounce.hard", "policy_version": "1", "origin": "outcome",
                "evidence": ["01E4C4CT6YDC7Y5M7FE1GWWPQJ"], "since": 1613063089000, "state": "active",
            },
            {
                "scope": "person", "channel": "all", "reason": "unsubscribe", "class": "unsubscribe",
                "origin": "outcome", "since": 1613063000000, "until": 1613063080000, "state": "lifted",
                "lift_reason": "subscribed", "lift_evidence": ["01E4C4CT6YDC7Y5M7FE1GWWPQK"],
            },
        ],
    },
    "identity": {
        "customer_id": "42", "as_of": 1613063089130,
        "addresses": [
            {
                "channel": "email", "address": "ada@example.com", "token": "t1.abcdefghijklmnopqrstuv",
                "seen_at": 1613063089000,
            }
        ],
    },
    "dead_letter": {
        "stage": "gateway", "reason": "malformed_json", "detail": "end of input at byte 17", "source": "default",
        "kept_at": 1613063089130, "bytes": list(b'{"event_id":"01E4'), "length": 17,
    },
}


def keys():
    dice = random.Random(2026)
    drawn = ["".join(dice.choice(ALPHABET) for _ in range(dice.randint(1, 60))) for _ in range(100)]
    return [{"key": key} for key in KEYS + drawn]


def values(avro):
    for path in sorted(pathlib.Path(avro).glob("*.avsc")):
        schema = json.loads(path.read_text())
        typical = complete(schema, TYPICAL[path.stem])
        made = {"defaults": complete(schema, {}), "typical": typical}
        made |= {style: fill(schema, style) for style in ("empty", "largest", "smallest")}
        for name, value in made.items():
            yield {"record": path.stem, "name": name, "value": value}


def complete(schema, given):
    """`given`, with every field that it leaves out at its default."""
    unknown = set(given) - {field["name"] for field in schema["fields"]}
    assert not unknown, f"{schema['name']} has no {unknown}"
    return {field["name"]: completed(field, given) for field in schema["fields"]}


def completed(field, given):
    if field["name"] not in given:
        # A default of type bytes is text with one character a byte.
        return list(field["default"].encode("latin-1")) if field["type"] == "bytes" else field["default"]
    items = field["type"].get("items") if isinstance(field["type"], dict) else None
    value = given[field["name"]]
    return [complete(items, item) for item in value] if isinstance(items, dict) else value


def fill(schema, style):
    """A value with nothing null and every leaf of one style."""
    if isinstance(schema, list):
        return fill(next(branch for branch in schema if branch != "null"), style)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        return {field["name"]: fill(field["type"], style) for field in schema["fields"]}
    if kind == "array":
        return [] if style == "empty" else [fill(schema["items"], other) for other in ("empty", style, "largest")]
    return LEAVES[kind][style]


LEAVES = {
    "string": {"empty": "", "largest": TEXT, "smallest": "\u0000"},
    "bytes": {"empty": [], "largest": list(range(256)) * 2, "smallest": [0]},
    "long": {"empty": 0, "largest": LONG_MAX, "smallest": LONG_MIN},
    "boolean": {"empty": False, "largest": True, "smallest": False},
}

if __name__ == "__main__":
    for line in keys() if sys.argv[1] == "keys" else values(sys.argv[2]):
        print(json.dumps(line))
