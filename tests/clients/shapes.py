"""Crawls the catalogue as harvesters of DCAT do, and judges it by official shapes. Arguments: base, number of records, releases of
the shapes of DCAT-AP (with commas between), shapes of the FAIR Data Point (several files)."""
import sys
import rdflib
import requests
from pyshacl import validate

base, records, dcat_ap, fdp_shapes = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(","), sys.argv[4:]
SH = rdflib.Namespace("http://www.w3.org/ns/shacl#")
DCAT = rdflib.Namespace("http://www.w3.org/ns/dcat#")
HYDRA = rdflib.Namespace("http://www.w3.org/ns/hydra/core#")
LDP = rdflib.Namespace("http://www.w3.org/ns/ldp#")
FDP = rdflib.Namespace("https://w3id.org/fdp/fdp-o#")

def crawl(address):
    graph, pages = rdflib.Graph(), 0
    while address:
        page = rdflib.Graph().parse(data=requests.get(address, headers={"accept": "text/turtle"}).text, format="turtle")
        following = {str(o) for o in page.objects(None, HYDRA.next)}
        assert len(following) <= 1, following
        graph += page
        address, pages = (following.pop() if following else None), pages + 1
        assert pages < 1000
    return graph, pages

def read(files):
    shapes = rdflib.Graph()
    for file in files:
        shapes.parse(file, format="turtle")
    # Release 3.0.1 refers to two property shapes that it does not define; no validator can judge by them.
    for shape, prop in list(shapes.subject_objects(SH.property)):
        if shapes.value(prop, SH.path) is None:
            shapes.remove((shape, SH.property, prop))
    return shapes

def judge(name, graph, files):
    shapes = read(files)
    conforms, _, text = validate(graph, shacl_graph=shapes, inference="none", advanced=False)
    assert conforms, f"{name}:\n{text[:4000]}"

graph, pages = crawl(f"{base}/catalog?size=25")
catalogue = rdflib.URIRef(f"{base}/catalog")
assert len(set(graph.objects(catalogue, DCAT.record))) == records, len(set(graph.objects(catalogue, DCAT.record)))
assert {int(n) for n in graph.objects(catalogue, HYDRA.totalItems)} == {records}
assert pages == -(-records // 25), (pages, records)
assert len(set(graph.objects(catalogue, DCAT.service))) == 3
for release in dcat_ap:
    judge(release, graph, [release])

# The shapes must be able to fail, or they prove nothing.
broken = rdflib.Graph() + graph
broken.remove((None, rdflib.URIRef("http://purl.org/dc/terms/title"), None))
assert not validate(broken, shacl_graph=read(dcat_ap[:1]), inference="none")[0]

root = rdflib.Graph().parse(data=requests.get(f"{base}/", headers={"accept": "text/turtle"}).text, format="turtle")
point = rdflib.URIRef(f"{base}/fdp")
assert (point, rdflib.RDF.type, FDP.FAIRDataPoint) in root
catalogues = set(root.objects(point, FDP.metadataCatalog))
assert catalogues and catalogues == set(root.objects(rdflib.URIRef(f"{base}/fdp/catalog/"), LDP.contains)), catalogues
members = 0
if fdp_shapes:
    judge("FDP root", root, fdp_shapes)
for one in catalogues:
    inner, _ = crawl(str(one))
    members += len(set(inner.objects(one, DCAT.dataset))) + len(set(inner.objects(one, DCAT.resource)))
    if fdp_shapes:
        judge("FDP catalogue", inner, fdp_shapes)
assert members == records, (members, records)
print(f"pyshacl: {len(graph)} statements of {records} records on {pages} pages conform")
