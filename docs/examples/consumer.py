#!/usr/bin/env python3
"""Reads the records of a Waybill cluster from Kafka, checks them, and prints the connections.

    pip install confluent-kafka jsonschema pyyaml
    python3 docs/examples/consumer.py --brokers kafka1:9092,kafka2:9092
    python3 docs/examples/consumer.py --brokers kafka1:9092 --follow
    python3 docs/examples/consumer.py --brokers kafka1:9093 --client-config client.properties

Checks what anyone can check who has the bytes and nothing else of ours: that every source counts without a gap, that
each record names the hash of the one before it, that nothing is there twice with other bytes, and that each record fits
its schema in docs/asyncapi.yaml (when jsonschema and pyyaml are installed). Says which changes of the configuration are
in force and which lost a race. Ends with 1 when anything was found, and 0 otherwise.

It commits nothing and joins no consumer group: reading leaves no trace in the cluster, and needs the right to read the
three topics only. Records can also come from somewhere else, one a line:

    kcat -C -e -q -b kafka1:9092 -t waybill.connections | python3 docs/examples/consumer.py --stdin
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

STREAMS = ("control", "connections", "operations")
CONTENT_TYPE = b"application/cloudevents+json"
ZERO_HASH = base64.b64encode(bytes(32)).decode()
SOURCE = re.compile(r"^/clusters/[^/]+/nodes/([^/]+)/[^/]+/(control|connections|operations)$")
SEQUENCE = re.compile(r"^[0-9]{20}$")
# A repeat is compared with what came first; of repeats older than this only the number is known.
COMPARED_PER_SOURCE = 10_000


def leaf_hash(record: bytes) -> str:
    """RFC 6962, section 2.1: SHA-256 over a zero byte and the exact bytes."""
    return base64.b64encode(hashlib.sha256(b"\x00" + record).digest()).decode()


@dataclass
class Source:
    """How far the records of one writer were seen: one node, one life of its log folder, one stream."""

    first: int
    next: int
    last_hash: str
    hashes: OrderedDict[int, str] = field(default_factory=OrderedDict)
    missing: list[range] = field(default_factory=list)

    def remember(self, sequence: int, leaf: str) -> None:
        self.hashes[sequence] = leaf
        if len(self.hashes) > COMPARED_PER_SOURCE:
            self.hashes.popitem(last=False)


class Records:
    """Takes the bytes of every message in the order of its partition; gives back what is new."""

    def __init__(self, schemas=None):
        self.schemas = schemas
        self.sources: dict[str, Source] = {}
        self.problems = 0
        self.records = 0
        self.repeats = 0
        self.unknown: dict[str, int] = {}
        # The configuration is a chain of its own over all nodes: see `_effective`.
        self.revision = 0
        self.basis = ZERO_HASH
        self.void = 0

    def problem(self, where: str, what: str) -> None:
        self.problems += 1
        print(f"PROBLEM  {where}: {what}", file=sys.stderr)

    def take(self, value: bytes, where: str, key: bytes | None = None) -> dict | None:
        """The record as an object; None when it was seen before, or can't be read."""
        try:
            record = json.loads(value)
            source, sequence = record["source"], record["sequence"]
            stream = SOURCE.match(source).group(2)
            if not SEQUENCE.match(sequence):
                raise ValueError("sequence")
        except (ValueError, KeyError, TypeError, AttributeError):
            self.problem(where, "this is no record of Waybill")
            return None
        leaf = leaf_hash(value)
        place = f"{where}, record {int(sequence)} of {source}"
        if not self._is_next(source, int(sequence), record.get("prevhash"), leaf, place):
            return None
        self.records += 1
        if key is not None and key.decode(errors="replace") != record.get("partitionkey"):
            self.problem(place, f"the key is {key!r}, the record says {record.get('partitionkey')!r}")
        fits = self._fits(record, place)
        record["void"] = stream == "control" and "revision" in record and not self._effective(record, leaf)
        return record if fits else None

    def _is_next(self, name: str, sequence: int, prevhash: str, leaf: str, place: str) -> bool:
        source = self.sources.get(name)
        if source is None:
            # What is older than the retention of the topic is gone, so a source may begin anywhere.
            source = self.sources[name] = Source(first=sequence, next=sequence, last_hash=prevhash if sequence else ZERO_HASH)
        if sequence < source.next:
            before = source.hashes.get(sequence)
            if before is not None and before != leaf:
                self.problem(place, "it was there before with other bytes")
            elif before is None and (sequence < source.first or any(sequence in gap for gap in source.missing)):
                self.problem(place, "it comes after later ones")
            else:
                self.repeats += 1
            return False
        if sequence > source.next:
            self.problem(place, f"records {source.next} to {sequence - 1} are missing")
            source.missing.append(range(source.next, sequence))
        elif prevhash != source.last_hash:
            self.problem(place, "its prevhash is not the hash of the record before it")
        source.next = sequence + 1
        source.last_hash = leaf
        source.remember(sequence, leaf)
        return True

    def _effective(self, record: dict, leaf: str) -> bool:
        """A change is in force if it is the next one, made on the one before. Any other one lost the race to it."""
        if record["revision"] == self.revision + 1 and record.get("basis") == self.basis:
            self.revision, self.basis = record["revision"], leaf
            return True
        self.void += 1
        return False

    def _fits(self, record: dict, place: str) -> bool:
        if self.schemas is None:
            return True
        validator = self.schemas.get(record.get("type"))
        if validator is None:
            # Written by a newer Waybill: nothing is wrong with it, we only can't read it.
            name = str(record.get("type"))
            self.unknown[name] = self.unknown.get(name, 0) + 1
            return False
        errors = list(validator.iter_errors(record))
        for error in errors:
            self.problem(place, f"{'.'.join(map(str, error.absolute_path)) or 'the record'}: {error.message}")
        return not errors


def load_schemas(path: Path) -> dict | None:
    """A validator for each type, from the document that describes the topics."""
    try:
        import yaml
        from jsonschema import Draft7Validator
    except ImportError as missing:
        print(f"records are not compared with their schemas: {missing}", file=sys.stderr)
        return None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    components = {"schemas": document["components"]["schemas"]}
    return {
        name: Draft7Validator({"$ref": message["payload"]["$ref"], "components": components})
        for name, message in document["components"]["messages"].items()
    }


def show(record: dict | None) -> None:
    if record is None:
        return
    data, kind = record["data"], record["type"].split(".")[2:4]
    node = SOURCE.match(record["source"]).group(1)
    if kind[0] != "connection":
        if record.get("revision") is not None:
            force = "VOID, it lost the race" if record["void"] else "in force"
            print(f"{record['time']}  {node}  {'.'.join(kind)}  {record['subject']}  revision={record['revision']} ({force})")
        return
    client = data.get("client")
    who = f"{client['ip']}:{client['port']}" if client else "unknown"
    line = f"{record['time']}  {node}  {kind[1]:8}  client={who}  name={data.get('server_name') or '-'}"
    if kind[1] == "refused":
        print(f"{line}  because={data['because']}  count={data.get('count', 1)}")
    elif kind[1] == "opened":
        print(f"{line}  backend={data['pool']}/{data['backend']}  id={data['connection_id']}")
    else:
        end = f"  because={data['close']['because']}" if "close" in data else ""
        print(f"{line}  to_backend={data['bytes_to_backend']}  to_client={data['bytes_to_client']}{end}  id={data['connection_id']}")


def client_config(path: Path | None) -> dict:
    """Settings of librdkafka (security.protocol, sasl.mechanism, ssl.ca.location, ...), one `name=value` a line."""
    if path is None:
        return {}
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def read_topics(arguments, records: Records) -> None:
    from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

    consumer = Consumer({
        # Named because the library asks for it; with partitions assigned by hand there is no group.
        "group.id": "waybill-example-consumer",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        # The brokers' checksums, too.
        "check.crcs": True,
        **client_config(arguments.client_config),
        "bootstrap.servers": arguments.brokers,
    })
    # Control first: then it is known what the connections were routed by.
    for streams in [("control",), ("connections", "operations")] if not arguments.follow else [STREAMS]:
        places = []
        for topic in (f"{arguments.prefix}.{stream}" for stream in streams):
            found = consumer.list_topics(topic, timeout=20).topics[topic]
            if found.error is not None:
                raise KafkaException(found.error)
            places += [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in found.partitions]
        consumer.assign(places)
        unfinished = {(place.topic, place.partition) for place in places}
        while unfinished or arguments.follow:
            message = consumer.poll(1.0)
            if message is None:
                continue
            error = message.error()
            if error is None:
                take_message(message, records)
            elif error.code() == KafkaError._PARTITION_EOF:
                unfinished.discard((message.topic(), message.partition()))
            elif not error.retriable() and error.code() not in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
                raise KafkaException(error)
        consumer.unassign()
    consumer.close()


def take_message(message, records: Records) -> None:
    where = f"{message.topic()}[{message.partition()}]@{message.offset()}"
    if ("content-type", CONTENT_TYPE) not in (message.headers() or []):
        records.problem(where, f"no header content-type: {CONTENT_TYPE.decode()}")
    record = records.take(message.value() or b"", where, message.key())
    show(record)


def read_lines(records: Records) -> None:
    for number, line in enumerate(sys.stdin.buffer, start=1):
        record = records.take(line.rstrip(b"\n"), f"line {number}")
        show(record)


def summary(records: Records) -> None:
    for name, source in sorted(records.sources.items()):
        print(f"{name}: {source.first} to {source.next - 1}", file=sys.stderr)
    newer = "".join(f", {count} of the unknown type {name}" for name, count in sorted(records.unknown.items()))
    print(
        f"{records.records} records, {records.repeats} repeats left out{newer}; the configuration is at revision {records.revision}, "
        f"{records.void} changes are void; {records.problems} problems",
        file=sys.stderr,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Reads and checks the records of a Waybill cluster.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--brokers", help="host:port of some brokers, separated by commas")
    where.add_argument("--stdin", action="store_true", help="records from standard input, one a line, of one topic")
    parser.add_argument("--prefix", default="waybill", help="setting topic_prefix of the cluster (default: waybill)")
    parser.add_argument("--follow", action="store_true", help="go on until interrupted")
    parser.add_argument("--client-config", type=Path, help="file with settings of librdkafka, for TLS and SASL")
    parser.add_argument(
        "--asyncapi", type=Path, default=Path(__file__).resolve().parent.parent / "asyncapi.yaml",
        help="the document with the schemas (default: docs/asyncapi.yaml)",
    )
    arguments = parser.parse_args()
    records = Records(load_schemas(arguments.asyncapi))
    try:
        if arguments.stdin:
            read_lines(records)
        else:
            read_topics(arguments, records)
    except KeyboardInterrupt:
        pass
    summary(records)
    return 1 if records.problems else 0


if __name__ == "__main__":
    sys.exit(main())
