#!/usr/bin/env python3
"""Checks N-Triples files against SHACL shapes with pySHACL, which shares no code with this workspace.

usage: pyshacl_check.py SHAPES.ttl DIR

Prints one JSON object: {file: {"conforms": bool, "results": [{"path", "constraint", "focus", "value", "message"}]}}
for every *.nt file of DIR, by file name. A file that cannot be read is {"error": text}.
"""

import json
import logging
import pathlib
import sys

from pyshacl import validate
from rdflib import Graph
from rdflib.namespace import RDF, SH
import rdflib

# The lexical form has to reach the patterns as it was written, so nothing is normalised.
rdflib.NORMALIZE_LITERALS = False
logging.getLogger("rdflib").setLevel(logging.CRITICAL)
logging.getLogger("pyshacl").setLevel(logging.CRITICAL)


def text(graph, subject, predicate):
    found = graph.value(subject, predicate)
    return None if found is None else str(found)


def comparisons(shapes):
    found = Graph()
    for triple in shapes.triples((None, SH.lessThanOrEquals, None)):
        found.add(triple)
    return found


def check(shapes, path):
    data = Graph()
    data.parse(path, format="nt")
    try:
        conforms, report, _ = validate(data, shacl_graph=shapes, inference="none", advanced=False)
    except TypeError:
        # pySHACL 0.40 fails where it should say that an ill-typed number cannot be compared; its datatype is reported without.
        conforms, report, _ = validate(data, shacl_graph=shapes - comparisons(shapes), inference="none", advanced=False)
    results = [
        {
            "path": text(report, result, SH.resultPath),
            "constraint": text(report, result, SH.sourceConstraintComponent).rsplit("#", 1)[-1],
            "focus": text(report, result, SH.focusNode),
            "value": text(report, result, SH.value),
            "message": text(report, result, SH.resultMessage),
        }
        for result in report.subjects(RDF.type, SH.ValidationResult)
        # What is found inside a node and again by the node around it is told once.
        if not any(True for _ in report.subjects(SH.detail, result))
    ]
    results.sort(key=lambda result: tuple(value or "" for value in result.values()))
    return {"conforms": bool(conforms), "results": results}


def main(shapes_path, folder):
    shapes = Graph()
    shapes.parse(shapes_path, format="turtle")
    answers = {}
    for path in sorted(pathlib.Path(folder).glob("*.nt")):
        try:
            answers[path.name] = check(shapes, path)
        except Exception as error:  # noqa: BLE001: one bad file must not hide the others
            answers[path.name] = {"error": f"{type(error).__name__}: {error}"}
    json.dump(answers, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
