"""Harvests with sickle, as aggregators do. Arguments: base, number of records of the type Dataset, number of all."""
import sys
import requests
from lxml import etree
from sickle import Sickle, oaiexceptions

base, datasets, everything = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sickle = Sickle(f"{base}/oai")

identity = sickle.Identify()
assert identity.granularity == "YYYY-MM-DDThh:mm:ssZ", identity.granularity
assert identity.deletedRecord == "persistent" and identity.protocolVersion == "2.0"
assert identity.baseURL == f"{base}/oai"
assert {f.metadataPrefix for f in sickle.ListMetadataFormats()} == {"oai_dc", "oai_datacite", "dcat"}
sets = {s.setSpec for s in sickle.ListSets()}
assert "type:Dataset" in sets and any(s.startswith("source:") for s in sets), sets

for prefix in ["oai_dc", "oai_datacite", "dcat"]:
    seen = [r.header.identifier for r in sickle.ListRecords(metadataPrefix=prefix)]
    assert len(seen) == len(set(seen)) == everything, (prefix, len(seen), everything)
headers = list(sickle.ListIdentifiers(metadataPrefix="oai_dc", set="type:Dataset"))
assert len(headers) == datasets, (len(headers), datasets)
assert all("type:Dataset" in h.setSpecs for h in headers)

# Selective: every record is between its own datestamp and itself, in seconds and in days.
stamp, identifier = headers[-1].datestamp, headers[-1].identifier
for window in ({"from": stamp, "until": stamp}, {"from": stamp[:10], "until": stamp[:10]}):
    found = [h.identifier for h in sickle.ListIdentifiers(metadataPrefix="oai_dc", **window)]
    assert identifier in found, (window, found)

record = sickle.GetRecord(identifier=identifier, metadataPrefix="oai_dc")
assert record.metadata["title"] and identifier in record.metadata["identifier"], record.metadata
assert "<resource" in sickle.GetRecord(identifier=identifier, metadataPrefix="oai_datacite").raw
rdf = etree.fromstring(sickle.GetRecord(identifier=identifier, metadataPrefix="dcat").raw.encode())
assert rdf.find(".//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}RDF") is not None

def fails(error, call):
    try:
        list(call()) if callable(call) else None
    except error:
        return
    raise AssertionError(f"no {error.__name__}")

fails(oaiexceptions.NoRecordsMatch, lambda: sickle.ListRecords(metadataPrefix="oai_dc", until="1970-01-01"))
fails(oaiexceptions.BadArgument, lambda: sickle.ListRecords(metadataPrefix="oai_dc", **{"from": "yesterday"}))
fails(oaiexceptions.CannotDisseminateFormat, lambda: sickle.ListRecords(metadataPrefix="marc21"))
fails(oaiexceptions.BadResumptionToken, lambda: sickle.ListRecords(resumptionToken="nonsense"))
fails(oaiexceptions.IdDoesNotExist, lambda: [sickle.GetRecord(identifier=f"{base}/id/no/such.thing", metadataPrefix="oai_dc")])

# A list in parts says how long it is; the last part ends with an empty token. Forms are read too.
def part(**arguments):
    answer = requests.post(f"{base}/oai", data=arguments)
    assert answer.headers["content-type"].startswith("text/xml"), answer.headers
    tree = etree.fromstring(answer.content)
    token = tree.find(".//{http://www.openarchives.org/OAI/2.0/}resumptionToken")
    return tree, token

tree, token = part(verb="ListIdentifiers", metadataPrefix="oai_dc")
parts = 1
while token is not None and token.text:
    assert token.get("completeListSize") == str(everything) and token.get("cursor") == str((parts - 1) * 100), dict(token.attrib)
    tree, token = part(verb="ListIdentifiers", resumptionToken=token.text)
    parts += 1
assert parts == -(-everything // 100), (parts, everything)
if parts > 1:
    assert token is not None and not token.text
print(f"sickle: {everything} records in {parts} parts")
