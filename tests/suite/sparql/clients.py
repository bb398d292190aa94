#!/usr/bin/env python3
"""Asks an endpoint the way Python programs do, and compares what each way gives.

usage: clients.py BASE
"""
import sys
import warnings

import rdflib
import rdflib.compare
from rdflib.plugins.stores.sparqlstore import SPARQLStore
from SPARQLWrapper import CSV, JSON, JSONLD, N3, RDFXML, TSV, TURTLE, XML, POST, SPARQLWrapper
from SPARQLWrapper.SPARQLExceptions import QueryBadFormed

BASE = sys.argv[1]
VOLUMES = "SELECT ?r WHERE { ?r a <https://w3id.org/esado#DataVolume> } ORDER BY ?r"
GRAPH = "CONSTRUCT { ?s ?p ?o } WHERE { ?s a <https://w3id.org/esado#DataVolume> ; ?p ?o }"
warnings.simplefilter("ignore")

# SPARQLWrapper: every format of rows, by GET and by POST.
found = {}
for method in ("GET", POST):
    for form in (JSON, XML, CSV, TSV):
        wrapper = SPARQLWrapper(f"{BASE}/sparql")
        wrapper.setMethod(method)
        wrapper.setReturnFormat(form)
        wrapper.setQuery(VOLUMES)
        answer = wrapper.query().convert()
        if form == JSON:
            rows = [row["r"]["value"] for row in answer["results"]["bindings"]]
        elif form == XML:
            rows = [node.firstChild.nodeValue for node in answer.getElementsByTagName("uri")]
        else:
            rows = [line.strip("<>") for line in answer.decode("utf-8").split()[1:]]
        found[method, form] = rows
assert len(found["GET", JSON]) == 9, found
assert all(rows == found["GET", JSON] for rows in found.values()), found

# Every syntax of graphs says the same.
graphs = {}
for form in (TURTLE, RDFXML, JSONLD, N3):
    wrapper = SPARQLWrapper(f"{BASE}/sparql")
    wrapper.setReturnFormat(form)
    wrapper.setQuery(GRAPH)
    answer = wrapper.query().convert()
    graph = answer if isinstance(answer, rdflib.Graph) else rdflib.Graph().parse(data=answer, format="turtle")
    graphs[form] = graph
for media_type, name in [("text/turtle", "turtle"), ("application/n-triples", "nt"), ("application/rdf+xml", "xml"),
                         ("application/ld+json", "json-ld"), ("application/trig", "trig"), ("application/n-quads", "nquads")]:
    from urllib.parse import urlencode
    from urllib.request import Request, urlopen
    request = Request(f"{BASE}/sparql?" + urlencode({"query": GRAPH}), headers={"accept": media_type})
    with urlopen(request) as response:
        assert response.headers.get_content_type() == media_type, response.headers
        dataset = rdflib.Dataset(default_union=True)
        dataset.parse(data=response.read(), format=name)
        graphs[media_type] = rdflib.Graph()
        for triple in dataset.triples((None, None, None)):
            graphs[media_type].add(triple)
    assert len(graphs[media_type]) > 50, media_type
for name, graph in graphs.items():
    assert rdflib.compare.isomorphic(graph, graphs[TURTLE]), name

# SPARQLWrapper understands what is wrong.
wrapper = SPARQLWrapper(f"{BASE}/sparql")
wrapper.setQuery("SELECT WHERE")
try:
    wrapper.query()
    raise AssertionError("a query that is none was answered")
except QueryBadFormed as error:
    assert "query.syntax" in str(error), error

# rdflib's own store over the endpoint.
remote = rdflib.Graph(SPARQLStore(f"{BASE}/sparql"))
assert sorted(str(row.r) for row in remote.query(VOLUMES)) == found["GET", JSON]
volume = rdflib.URIRef(found["GET", JSON][0])
assert (volume, rdflib.RDF.type, rdflib.URIRef("https://w3id.org/esado#DataVolume")) in remote
local = rdflib.Graph()
for triple in remote.triples((volume, None, None)):
    local.add(triple)
assert len(local) > 3
assert bool(remote.query("ASK { ?s ?p ?o }"))

# Federation by another: rdflib asks our endpoint as a service of its own query.
joined = rdflib.Graph().query("SELECT ?r { SERVICE <%s/sparql> { ?r a <https://w3id.org/esado#DataVolume> } }" % BASE)
assert len(list(joined)) == 9

# The service description, and a graph by the Graph Store Protocol.
description = rdflib.Graph().parse(f"{BASE}/sparql")
SD = rdflib.Namespace("http://www.w3.org/ns/sparql-service-description#")
assert (rdflib.URIRef(f"{BASE}/sparql"), SD.endpoint, rdflib.URIRef(f"{BASE}/sparql")) in description
names = sorted(description.objects(None, SD.name))
assert names, "no named graph is described"
for name in names:
    graph = rdflib.Graph().parse(f"{BASE}/rdf-graph-store?" + urlencode({"graph": str(name)}), format="turtle")
    counted = next(iter(remote.query("SELECT (COUNT(*) AS ?n) { GRAPH <%s> { ?s ?p ?o } }" % name)))
    assert len(graph) == int(counted.n), (name, len(graph), counted)
print("SPARQLWrapper and rdflib agree")
