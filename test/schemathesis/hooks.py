"""What schemathesis has to know that OpenAPI can't say: which answers have no end, and a small world in which calls meet."""

import re

import schemathesis

POOLS = ["a", "b", "c"]
BACKENDS = ["10.0.0.1:443", "10.0.0.2:8443", "backend.example:443"]
ETAG = re.compile(r'^("[0-9]{1,15}"|\*)$')
NAME = re.compile(r"^[a-z0-9-]{1,63}$")


@schemathesis.hook
def filter_case(context, case):
    query = case.query or {}
    headers = {name.lower(): value for name, value in (case.headers or {}).items()}
    endless = query.get("follow") == "true" or query.get("format") == "sse" or "event-stream" in str(headers.get("accept", ""))
    return not endless


@schemathesis.hook
def before_call(context, case, kwargs):
    """Random names never meet; of three in four only few are left, so that pools and backends are made, changed and deleted."""
    path, body, headers = case.path_parameters, case.body, case.headers
    # It knows no header values but letters and digits, and sends one of these where it means a good one.
    if case.meta is not None and case.meta.generation.mode.name == "POSITIVE" and headers and "if-match" in headers:
        if not ETAG.match(headers["if-match"]):
            headers["if-match"] = '"1"'
    # A stateful call goes to what an answer before it named.
    if isinstance(path, dict) and not (case.meta is not None and case.meta.phase.name.name == "STATEFUL"):
        if named(path):
            path["name"] = among(POOLS, path["name"])
        if isinstance(path.get("id"), str) and "/backends/" in case.operation.path:
            path["id"] = among(BACKENDS, path["id"])
    if not isinstance(body, dict):
        return
    if named(body):
        body["name"] = among(POOLS, body["name"])
    for thing in [body] + (body["backends"] if isinstance(body.get("backends"), list) else []):
        if isinstance(thing, dict) and isinstance(thing.get("url"), str):
            thing["url"] = among(["https://" + backend for backend in BACKENDS], thing["url"])
    if case.operation.path.startswith("/api/listeners/"):
        for answer in body.values():
            if isinstance(answer, dict) and isinstance(answer.get("pool"), str) and NAME.match(answer["pool"]):
                answer["pool"] = among(POOLS, answer["pool"])
    if isinstance(body.get("listen"), str):
        body["listen"] = among(["127.0.0.1:0", "[::1]:0"], body["listen"])
    if isinstance(body.get("server_names"), list):
        body["server_names"] = [among(["app.example", "*.app.example", "**.app.example"], name) if isinstance(name, str) else name for name in body["server_names"]]
    if isinstance(body.get("file"), str) and isinstance(body.get("content"), str):
        body["file"] = among(["/etc/one.yaml", "/etc/two.yaml"], body["file"])
        body["content"] = among(["pools: []", "pools:\n  - name: d\n", "pools:\n  - name: d\n    backends:\n      - url: https://10.0.0.9\n"], body["content"])


def named(thing):
    return isinstance(thing.get("name"), str) and NAME.match(thing["name"])


def among(values, value):
    """The same value for the same one; one in four, and what is one of them, is left as it is."""
    number = sum(map(ord, value))
    return value if value in values or number % 4 == 3 else values[number % len(values)]
