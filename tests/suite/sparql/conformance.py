#!/usr/bin/env python3
"""Runs the W3C suites for SPARQL 1.1 through our HTTP endpoint and its workers, with both evaluators.

usage: conformance.py SUITE BINARY NOT_APPLICABLE KNOWN_FAULTS FOLDER

SUITE is the W3C's sparql11 tree, BINARY is `alidade`, NOT_APPLICABLE lists the tests that do not apply with their reasons,
KNOWN_FAULTS those that fail with theirs, FOLDER is an empty one for datasets. Ends with the number of passed tests; each failure is printed whole.
"""
import collections
import csv
import decimal
import fnmatch
import http.client
import io
import json
import os
import socket
import subprocess
import sys
import urllib.parse

import rdflib
import rdflib.compare
from rdflib import RDF, RDFS, BNode, Literal, URIRef
from rdflib.collection import Collection
from rdflib.plugins.serializers.nquads import _nq_row
from rdflib.plugins.serializers.nt import _nt_row
from rdflib.query import Result

# What is compared is what was written, not what Python makes of it.
rdflib.NORMALIZE_LITERALS = False

MF = rdflib.Namespace("http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#")
QT = rdflib.Namespace("http://www.w3.org/2001/sw/DataAccess/tests/test-query#")
UT = rdflib.Namespace("http://www.w3.org/2009/sparql/tests/test-update#")
RS = rdflib.Namespace("http://www.w3.org/2001/sw/DataAccess/tests/result-set#")
HT = rdflib.Namespace("http://www.w3.org/2011/http#")
CNT = rdflib.Namespace("http://www.w3.org/2011/content#")
SD = rdflib.Namespace("http://www.w3.org/ns/sparql-service-description#")
XSD = str(rdflib.XSD)

SYNTAX = {".ttl": "turtle", ".nt": "nt", ".rdf": "xml", ".n3": "n3"}
ACCEPT = {
    ".srx": "application/sparql-results+xml",
    ".srj": "application/sparql-results+json",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
}


class Failed(Exception):
    pass


def table(file):
    """Reads rows of a name and a reason."""
    with open(file, encoding="utf-8") as lines:
        return [line.rstrip("\n").split("\t") for line in lines if line.strip() and line[0] != "#"]


def path_of(iri):
    return urllib.parse.unquote(urllib.parse.urlparse(str(iri)).path)


class Datasets:
    """Datasets as files of N-Quads, each written once."""

    def __init__(self, folder, base):
        self.folder, self.base, self.names = folder, base, {}

    def name(self, default, named):
        """Takes files of the default graph, and pairs of a graph's IRI and its file."""
        key = (tuple(sorted(default)), tuple(sorted(named)))
        if key not in self.names:
            name = f"d{len(self.names)}"
            with open(os.path.join(self.folder, f"{name}.nq"), "w", encoding="utf-8") as out:
                for file in default:
                    for triple in self.graph(file):
                        out.write(_nt_row(triple))
                for iri, file in named:
                    for triple in self.graph(file):
                        out.write(_nq_row(triple, URIRef(iri)))
            self.names[key] = name
        return self.names[key]

    def graph(self, file):
        graph = rdflib.Graph()
        graph.parse(file, format=SYNTAX[os.path.splitext(file)[1]], publicID=self.base + os.path.basename(file))
        return graph


def canonical(term):
    """Makes terms comparable: numbers by value, strings by one datatype."""
    if term is None:
        return None
    if isinstance(term, BNode):
        return ("b", str(term))
    if isinstance(term, URIRef):
        return ("u", str(term))
    lexical, datatype = str(term), str(term.datatype) if term.datatype else XSD + "string"
    if term.language:
        return ("l", lexical, term.language.lower())
    try:
        if datatype == XSD + "integer":
            lexical = int(lexical)
        elif datatype == XSD + "decimal":
            lexical = decimal.Decimal(lexical).normalize()
        elif datatype in (XSD + "double", XSD + "float"):
            lexical = repr(float(lexical))
    except (ValueError, decimal.InvalidOperation):
        pass
    return ("l", str(lexical), datatype)


def same_rows(ours, theirs, ordered, lax):
    """Compares solutions as bags, with blank nodes renamed one to one."""
    if lax:
        ours, theirs = [list(x) for x in set(map(tuple, ours))], [list(x) for x in set(map(tuple, theirs))]
    if len(ours) != len(theirs):
        return False
    masked = lambda rows: collections.Counter(tuple(t if not t or t[0] != "b" else "b" for t in row) for row in rows)
    if masked(ours) != masked(theirs):
        return False
    if len(ours) > 150:
        return True

    def match(at, there, back, used):
        if at == len(ours):
            return True
        for other in [at] if ordered else range(len(theirs)):
            if other in used:
                continue
            to, fro, fits = dict(there), dict(back), True
            for mine, yours in zip(ours[at], theirs[other]):
                if mine and yours and mine[0] == "b" and yours[0] == "b":
                    fits = to.setdefault(mine, yours) == yours and fro.setdefault(yours, mine) == mine
                else:
                    fits = mine == yours
                if not fits:
                    break
            if fits and match(at + 1, to, fro, used | {other}):
                return True
        return False

    return match(0, {}, {}, frozenset())


def rows_of(result):
    names = sorted(str(name) for name in result.vars)
    rows = [[canonical(row.get(rdflib.Variable(name))) for name in names] for row in result.bindings]
    return names, rows


def result_set(graph):
    """Reads a result set that is written as RDF: a truth value, or names, rows, and whether their order counts."""
    node = graph.value(predicate=RDF.type, object=RS.ResultSet)
    if node is None:
        return None
    truth = graph.value(node, RS.boolean)
    if truth is not None:
        return str(truth) == "true"
    names = sorted(str(name) for name in graph.objects(node, RS.resultVariable))
    rows = []
    for solution in graph.objects(node, RS.solution):
        values = {str(graph.value(b, RS.variable)): graph.value(b, RS.value) for b in graph.objects(solution, RS.binding)}
        index = graph.value(solution, RS["index"])
        rows.append((int(index) if index is not None else None, [canonical(values.get(name)) for name in names]))
    ordered = bool(rows) and all(index is not None for index, _ in rows)
    return names, [row for _, row in (sorted(rows) if ordered else rows)], ordered


class Suite:
    def __init__(self, tree, binary, not_applicable, known_faults, folder):
        self.tree = tree
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.base = f"http://{self.address}/"
        self.datasets = Datasets(folder, self.base)
        self.skipped = collections.Counter()
        self.not_applicable, self.faults = table(not_applicable), dict(table(known_faults))
        self.used = set()
        command = [binary, "sparql-suite", folder, "--listen", self.address, "--base", self.base]
        self.server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.server.stdout.readline()
        self.connection = http.client.HTTPConnection(self.address, timeout=120)
        self.passed, self.failures, self.faulty = 0, [], 0

    def ask(self, method, path, body=None, headers=None):
        """Sends a request as it is; a used-up connection is opened again."""
        for attempt in (0, 1):
            try:
                self.connection.request(method, path, body=body, headers=headers or {})
                response = self.connection.getresponse()
                return response, response.read()
            except (http.client.HTTPException, ConnectionError):
                self.connection.close()
                if attempt:
                    raise

    def query(self, store, query, accept, plain):
        path = f"/{store}/sparql" + ("?evaluator=plain" if plain else "")
        headers = {"content-type": "application/sparql-query", "accept": accept}
        response, body = self.ask("POST", path, query.encode("utf-8"), headers)
        if response.status != 200:
            raise Failed(f"{response.status} {body.decode('utf-8', 'replace')}")
        return body

    def manifests(self):
        """Yields every manifest of the tree that the W3C lists, with its folder's name."""
        whole = rdflib.Graph()
        whole.parse(os.path.join(self.tree, "manifest-all.ttl"), format="turtle")
        for head in set(whole.objects(None, MF.include)):
            for iri in Collection(whole, head):
                yield from self.manifest(path_of(iri))

    def manifest(self, file):
        graph = rdflib.Graph()
        graph.parse(file, format="turtle")
        name = os.path.basename(os.path.dirname(file))
        yield name, graph
        for head in set(graph.objects(None, MF.include)):
            for iri in Collection(graph, head):
                yield from self.manifest(path_of(iri))

    def reason(self, name):
        for pattern, reason in self.not_applicable:
            if fnmatch.fnmatchcase(name, pattern):
                self.used.add(pattern)
                return reason
        return None

    def run(self):
        seen = set()
        for folder, graph in self.manifests():
            for entries in set(graph.objects(None, MF.entries)):
                for test in Collection(graph, entries):
                    kind = str(graph.value(test, RDF.type)).rsplit("#", 1)[-1]
                    name = f"{folder}/{str(test).rsplit('#', 1)[-1]}"
                    if name in seen:
                        continue
                    seen.add(name)
                    reason = self.reason(name)
                    if reason:
                        self.skipped[reason] += 1
                        continue
                    self.run_one(name, kind, graph, test)
        for pattern, _ in self.not_applicable:
            if pattern not in self.used:
                self.failures.append((pattern, "names no test"))
        for name in set(self.faults) - seen:
            self.failures.append((name, "names no test"))

    def run_one(self, name, kind, graph, test):
        run = {
            "QueryEvaluationTest": self.evaluation,
            "CSVResultFormatTest": self.evaluation,
            "PositiveSyntaxTest11": self.syntax,
            "NegativeSyntaxTest11": self.syntax,
            "ProtocolTest": self.protocol,
            "GraphStoreProtocolTest": self.protocol,
            "ServiceDescriptionTest": self.description,
        }.get(kind)
        evaluators = ["best", "plain"] if run == self.evaluation else [""]
        for evaluator in evaluators:
            try:
                if run is None:
                    raise Failed(f"there is no way to run a {kind}")
                run(name, kind, graph, test, evaluator == "plain")
                if name in self.faults:
                    self.failures.append((f"{name} {evaluator}", "passes: take it off the list of known faults"))
                self.passed += 1
            except Failed as error:
                if name in self.faults:
                    self.faulty += 1
                    continue
                self.failures.append((f"{name} {evaluator}".strip(), str(error)))

    def evaluation(self, name, kind, graph, test, plain):
        action, expected = graph.value(test, MF.action), path_of(graph.value(test, MF.result))
        named = []
        for data in graph.objects(action, QT.graphData):
            file = graph.value(data, QT.graph)
            label = graph.value(data, RDFS.label)
            file = path_of(file if file is not None else data)
            named.append((str(label) if label is not None else self.base + os.path.basename(file), file))
        store = self.datasets.name([path_of(data) for data in graph.objects(action, QT.data)], named)
        with open(path_of(graph.value(action, QT.query)), encoding="utf-8") as lines:
            query = lines.read()
        ending = os.path.splitext(expected)[1]
        lax = graph.value(test, MF.resultCardinality) == MF.LaxCardinality
        if ending in (".csv", ".tsv"):
            return self.table(store, query, expected, ending, plain)
        if ending in (".srx", ".srj"):
            kind = "xml" if ending == ".srx" else "json"
            ours = Result.parse(io.BytesIO(self.query(store, query, ACCEPT[ending], plain)), format=kind)
            with open(expected, "rb") as file:
                theirs = Result.parse(io.BytesIO(file.read()), format=kind)
            if theirs.type == "ASK":
                if ours.askAnswer != theirs.askAnswer:
                    raise Failed(f"{ours.askAnswer} instead of {theirs.askAnswer}\n{query}")
                return None
            return self.compare(query, rows_of(ours), rows_of(theirs), False, lax)
        graph = self.datasets.graph(expected)
        theirs = result_set(graph)
        if theirs is None:
            ours = rdflib.Graph()
            ours.parse(io.BytesIO(self.query(store, query, "text/turtle", plain)), format="turtle")
            if not rdflib.compare.isomorphic(ours, graph):
                raise Failed(f"{ours.serialize(format='nt')}\ninstead of\n{graph.serialize(format='nt')}\n{query}")
            return None
        ours = Result.parse(io.BytesIO(self.query(store, query, ACCEPT[".srj"], plain)), format="json")
        if isinstance(theirs, bool):
            if ours.askAnswer != theirs:
                raise Failed(f"{ours.askAnswer} instead of {theirs}\n{query}")
            return None
        names, rows, ordered = theirs
        return self.compare(query, rows_of(ours), (names, rows), ordered, lax)

    def compare(self, query, ours, theirs, ordered, lax):
        if ours[0] != theirs[0] or not same_rows(ours[1], theirs[1], ordered, lax):
            shown = lambda rows: "\n".join(map(str, sorted(rows, key=str)))
            raise Failed(f"{ours[0]}\n{shown(ours[1])}\ninstead of {theirs[0]}\n{shown(theirs[1])}\n{query}")

    def table(self, store, query, expected, ending, plain):
        separator = "," if ending == ".csv" else "\t"

        def read(text):
            if ending == ".tsv":
                rows = [line.split("\t") for line in text.splitlines()]
            else:
                rows = list(csv.reader(io.StringIO(text)))
            cell = lambda text: ("b", text) if text.startswith("_:") else ("t", self.number(text))
            order = sorted(range(len(rows[0])), key=lambda at: rows[0][at])
            return [rows[0][at] for at in order], [[cell(row[at]) for at in order] for row in rows[1:]]

        ours = read(self.query(store, query, ACCEPT[ending], plain).decode("utf-8"))
        with open(expected, encoding="utf-8", newline="") as lines:
            theirs = read(lines.read())
        self.compare(query + f"\n(separated by {separator!r})", ours, theirs, False, False)

    def number(self, text):
        try:
            return str(decimal.Decimal(text).normalize())
        except decimal.InvalidOperation:
            return text

    def syntax(self, name, kind, graph, test, plain):
        with open(path_of(graph.value(test, MF.action)), encoding="utf-8") as lines:
            query = lines.read()
        path = f"/{self.datasets.name([], [])}/sparql?" + urllib.parse.urlencode({"query": query})
        response, _ = self.ask("HEAD", path)
        expected = 200 if kind.startswith("Positive") else 400
        if response.status != expected:
            raise Failed(f"{response.status} instead of {expected}\n{query}")

    def protocol(self, name, kind, graph, test, plain):
        named = [(str(graph.value(data, RDFS.label)), path_of(graph.value(data, UT.graph)))
                 for data in graph.objects(test, UT.graphData)]
        store = self.datasets.name([], named)
        connection = graph.value(test, MF.action)
        for request in Collection(graph, graph.value(connection, HT.requests)):
            path = str(graph.value(request, HT.absolutePath))
            path = path.replace("/sparql/", f"/{store}/sparql", 1).replace("/gsp", f"/{store}/rdf-graph-store", 1)
            headers, head = {}, graph.value(request, HT.headers)
            for field in Collection(graph, head) if head is not None else []:
                headers[str(graph.value(field, HT.fieldName))] = str(graph.value(field, HT.fieldValue))
            content = graph.value(request, HT.body)
            body = None
            if content is not None:
                encoding = str(graph.value(content, CNT.characterEncoding) or "utf-8")
                body = str(graph.value(content, CNT.chars)).encode(encoding)
            response, answer = self.ask(str(graph.value(request, HT.methodName)), path, body, headers)
            self.check(graph, graph.value(request, HT.resp), response, answer, path)

    def check(self, graph, expected, response, answer, path):
        words = {"NotFound": "404", "OK": "200"}
        short = lambda status: str(status).rsplit("#", 1)[-1].removeprefix("StatusCode")
        statuses = [words.get(short(status), short(status)) for status in graph.objects(expected, MF.expectedStatus)]
        if statuses and not any(fnmatch.fnmatchcase(str(response.status), s.replace("xx", "??")) for s in statuses):
            raise Failed(f"{response.status} instead of {statuses}: {path}\n{answer[:500]}")
        media_type = response.headers.get_content_type()
        formats = {
            "boolean": {"application/sparql-results+json", "application/sparql-results+xml"},
            "tabular": set(ACCEPT.values()),
            "RDF": {"text/turtle", "application/rdf+xml", "application/n-triples", "application/ld+json"},
        }
        wanted = graph.value(expected, MF.expectedFormat)
        if wanted is not None and media_type not in formats[str(wanted)]:
            raise Failed(f"{media_type} is not {wanted}")
        truth = graph.value(expected, MF.expectedBoolean)
        if truth is not None and json.loads(answer)["boolean"] != (str(truth) == "true"):
            raise Failed(f"{answer} instead of {truth}")

    def description(self, name, kind, graph, test, plain):
        store = self.datasets.name([], [])
        for accept in ("*/*", "text/turtle", "application/rdf+xml", "application/n-triples", "application/ld+json"):
            response, body = self.ask("GET", f"/{store}/sparql", headers={"accept": accept})
            if response.status != 200:
                raise Failed(f"{response.status} for {accept}")
            said = rdflib.Graph()
            said.parse(io.BytesIO(body), format=response.headers.get_content_type())
            endpoint = URIRef(f"{self.base}{store}/sparql")
            services = list(said.subjects(RDF.type, SD.Service))
            if len(services) != 1 or (services[0], SD.endpoint, endpoint) not in said:
                raise Failed(f"{services} do not have the endpoint {endpoint}")
            service = services[0]
            for term in list(said.predicates(service)) + list(said.objects(service, SD.feature)):
                if str(term).startswith(str(SD)) and term not in KNOWN:
                    raise Failed(f"{term} is no term of the vocabulary")
            dataset = said.value(service, SD.defaultDataset)
            default = said.value(dataset, SD.defaultGraph)
            if (dataset, RDF.type, SD.Dataset) not in said or (default, RDF.type, SD.Graph) not in said:
                raise Failed("the default dataset is not described")
            if not all(str(format).startswith("http://www.w3.org/ns/formats/") for format in said.objects(service, SD.resultFormat)):
                raise Failed("a result format has no IRI of the W3C")

    def stop(self):
        self.server.terminate()
        self.server.wait()


KNOWN = {SD[name] for name in (
    "endpoint", "feature", "defaultEntailmentRegime", "defaultSupportedEntailmentProfile", "extensionFunction", "extensionAggregate",
    "languageExtension", "supportedLanguage", "propertyFeature", "defaultDataset", "availableGraphs", "resultFormat", "inputFormat",
    "UnionDefaultGraph", "RequiresDataset", "EmptyGraphs", "BasicFederatedQuery", "DereferencesURIs")}


def main():
    suite = Suite(*sys.argv[1:6])
    try:
        suite.run()
    finally:
        suite.stop()
    for name, error in suite.failures:
        print(f"FAILED {name}: {error}\n")
    for reason, count in sorted(suite.skipped.items()):
        print(f"{count:4} do not apply: {reason}")
    counts = f"{suite.passed} passed, {len(suite.failures)} failed, {suite.faulty} fail as known"
    print(f"{counts}, {sum(suite.skipped.values())} do not apply")
    # A tree that was not read would pass, too.
    sys.exit(1 if suite.failures or suite.passed < 580 else 0)


if __name__ == "__main__":
    main()
