#!/usr/bin/env python3
"""Checks records of Waybill that kcat read from Kafka, with nothing but the standard library and nothing of Waybill.

Every source has to be gapless from 0 and chained; nothing may be there twice with other bytes; every connection that was
opened has to be closed exactly once; and every connection that a ledger says had a byte has to be on record before it.

    kcat -C -e -u -q -b HOST:PORT -t waybill.connections -f '%t %p %o %T %K %S\n%k%s\n' > connections.dump
    check-records.py [--ledger FILE] [--stored-first] connections.dump operations.dump control.dump

A line of the ledger: {"at": ms, "name": server name or null, "port": n, "saw": "client" | "backend"}. The port is the
client's own, or the one that the backend saw. Times are of one clock. Exits with 1 when anything is not so.
"""

import argparse
import base64
import hashlib
import json
import sys
from collections import defaultdict

EMPTY_CHAIN = base64.b64encode(bytes(32)).decode()
SHOWN_PER_KIND = 10


class Violations:
    def __init__(self):
        self.by_kind = defaultdict(list)

    def add(self, kind, sentence):
        self.by_kind[kind].append(sentence)

    def show(self):
        for kind, sentences in sorted(self.by_kind.items()):
            print(f"VIOLATION {kind}: {len(sentences)}")
            for sentence in sentences[:SHOWN_PER_KIND]:
                print(f"  {sentence}")

    def count(self):
        return sum(len(sentences) for sentences in self.by_kind.values())


class Source:
    """All records of one source: sequence -> (bytes, stored, prevhash)."""

    def __init__(self, place):
        self.place = place
        self.records = {}
        self.highest = -1


def read_messages(path, violations):
    """Yields (topic, partition, offset, stored, key, value); lengths come first, so no byte of a record can mislead."""
    with open(path, "rb") as dump:
        while header := dump.readline():
            try:
                topic, partition, offset, stored, key_length, value_length = header.decode().split()
                key = dump.read(max(0, int(key_length)))
                value = dump.read(max(0, int(value_length)))
                whole = len(value) == int(value_length) and dump.read(1) == b"\n"
            except ValueError:
                whole = False
            if not whole:
                violations.add("framing", f"{path} is cut or damaged at byte {dump.tell()}")
                return
            yield topic, int(partition), int(offset), int(stored), key, value


def take(sources, message, violations):
    """Puts a record into its source; answers whether it was there already."""
    topic, partition, offset, stored, key, value = message
    where = f"{topic}/{partition}@{offset}"
    try:
        record = json.loads(value)
        source, sequence, prevhash = record["source"], record["sequence"], record["prevhash"]
        partition_key, number = record["partitionkey"], int(sequence)
    except (ValueError, KeyError, TypeError):
        violations.add("record", f"{where} is no record")
        return False
    if len(sequence) != 20 or not sequence.isdigit():
        violations.add("record", f"{where} has the sequence {sequence}")
    if key.decode(errors="replace") != partition_key:
        violations.add("key", f"{where} has the key {key!r} and the partitionkey {partition_key}")
    if source.rsplit("/", 1)[-1] != topic.rsplit(".", 1)[-1]:
        violations.add("place", f"{where} is of {source}")
    held = sources.setdefault(source, Source((topic, partition)))
    if held.place != (topic, partition):
        violations.add("place", f"{where}: {source} is also in {held.place[0]}/{held.place[1]}")
    earlier = held.records.get(number)
    if earlier is not None:
        if earlier[0] != value:
            violations.add("contradiction", f"{where}: {source} has other bytes at sequence {number} before")
        return True
    if number < held.highest:
        violations.add("order", f"{where}: {source} comes with {number} after {held.highest}")
    held.highest = max(held.highest, number)
    held.records[number] = (value, stored, prevhash)
    return False


def check_chain(name, source, violations):
    missing = [number for number in range(source.highest + 1) if number not in source.records]
    if missing:
        violations.add("gap", f"{name} lacks {len(missing)} of {source.highest + 1} records, the first is {missing[0]}")
    for number, (_, _, prevhash) in source.records.items():
        before = source.records.get(number - 1)
        if number > 0 and before is None:
            continue
        expected = EMPTY_CHAIN if number == 0 else leaf_hash(before[0])
        if prevhash != expected:
            violations.add("chain", f"{name} sequence {number}: prevhash is not the hash of the record before")


def leaf_hash(value):
    return base64.b64encode(hashlib.sha256(b"\0" + value).digest()).decode()


def connections_of(sources, violations):
    """Answers every connection.opened with its time in Kafka, after checking that each is closed once."""
    opened, closed = {}, defaultdict(int)
    for name, source in sources.items():
        if not name.endswith("/connections"):
            continue
        for value, stored, _ in source.records.values():
            record = json.loads(value)
            fact = record["type"].rsplit(".", 2)[-2]
            if fact == "closed":
                closed[record["data"]["connection_id"]] += 1
            if fact != "opened":
                continue
            connection = record["data"]["connection_id"]
            if connection in opened:
                violations.add("opened twice", connection)
            opened[connection] = (record["data"], stored)
    for connection in opened:
        if closed[connection] != 1:
            violations.add("not closed once", f"{connection} is closed {closed[connection]} times")
    for connection in closed.keys() - opened.keys():
        violations.add("never opened", f"{connection} is closed")
    return list(opened.values())


def check_ledger(path, opened, stored_first, violations):
    by_name, by_port = defaultdict(list), defaultdict(list)
    for data, stored in opened:
        by_name[data["server_name"]].append((data, stored))
        by_port[port_of(data, "backend")].append((data, stored))
    counts = defaultdict(int)
    with open(path, encoding="utf-8") as ledger:
        for line in ledger:
            entry = json.loads(line)
            saw, port, at = entry["saw"], entry["port"], entry["at"]
            counts[saw] += 1
            candidates = by_port[port] if entry["name"] is None else by_name[entry["name"]]
            found = [(data, stored) for data, stored in candidates if port_of(data, saw) == port]
            what = f"{entry['name']}: the {saw} got a byte at {at} on port {port}"
            if not found:
                violations.add("byte without a record", what)
            elif stored_first and all(stored > at for _, stored in found):
                violations.add("byte before its record", f"{what}, and Kafka has the record since {found[0][1]}")
    return counts


def port_of(data, side):
    endpoint = data["client"] if side == "client" else data["local_address"]
    return None if endpoint is None else endpoint["port"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dumps", nargs="+", metavar="DUMP", help="what kcat wrote")
    parser.add_argument("--ledger", help="who got a byte, as clients and backends saw it")
    parser.add_argument("--stored-first", action="store_true", help="Kafka has to have the record before the byte came")
    options = parser.parse_args()

    violations, sources = Violations(), {}
    messages = repeats = 0
    for dump in options.dumps:
        for message in read_messages(dump, violations):
            messages += 1
            repeats += take(sources, message, violations)
    for name, source in sorted(sources.items()):
        print(f"{name}: {len(source.records)} records")
        check_chain(name, source, violations)
    opened = connections_of(sources, violations)
    print(f"{messages} messages, {repeats} of them repeats; {len(sources)} sources; {len(opened)} connections opened")
    if not messages:
        violations.add("nothing", "there is no message at all")
    if options.ledger is not None:
        counts = check_ledger(options.ledger, opened, options.stored_first, violations)
        print(f"ledger: {counts['client']} clients and {counts['backend']} backends got a byte")
        if not counts["client"] or not counts["backend"]:
            violations.add("nothing", "the ledger says that nobody got a byte")
    violations.show()
    print(f"{violations.count()} violations")
    return 1 if violations.count() else 0


if __name__ == "__main__":
    sys.exit(main())
