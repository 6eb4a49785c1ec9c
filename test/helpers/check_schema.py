"""Checks logs that were written with format=json: check_schema.py SCHEMA LOG… Every line must match the schema.

Prints how many lines of each type there were. A log that does not exist has no lines, but there must be at least one
line in all logs together."""

import collections
import json
import os
import sys

import jsonschema


def lines_of(path):
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as log:
        yield from enumerate(log, 1)


def main(schema_path, *logs):
    with open(schema_path, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    types, wrong = collections.Counter(), 0
    for path in logs:
        for number, line in lines_of(path):
            value = json.loads(line)
            types[value.get("type")] += 1
            for error in validator.iter_errors(value):
                wrong += 1
                print(f"{path}:{number}: {error.json_path}: {error.message}\nin {line}", file=sys.stderr)
    print(" ".join(f"{kind}={count}" for kind, count in sorted(types.items())))
    return 1 if wrong or not types else 0


sys.exit(main(*sys.argv[1:]))
