"""Follows the signposts of record pages, as FAIR assessors do. Arguments: base, paths of pages."""
import sys
import httplink
import requests
from signposting import find_signposting_http
from signposting.signpost import LinkRel

base = sys.argv[1]
for path in sys.argv[2:]:
    page = find_signposting_http(base + path)
    assert page.citeAs and page.citeAs.target.startswith(f"{base}/id/"), page.citeAs
    types = {str(d.type) for d in page.describedBy}
    assert {"text/turtle", "application/ld+json", "application/vnd.datacite.datacite+xml"} <= types, types
    assert any("schema.org/AboutPage" in str(t.target) for t in page.types), page.types
    assert page.linksets, "no link set"
    # Level 2: the link set says the same of the page, and leads back from metadata and content.
    by_type = {str(link.type): link.target for link in page.linksets}
    assert set(by_type) == {"application/linkset+json", "application/linkset"}, by_type
    linkset = requests.get(by_type["application/linkset+json"])
    assert linkset.headers["content-type"] == "application/linkset+json", linkset.headers
    contexts = linkset.json()["linkset"]
    about = contexts[0]
    text = requests.get(by_type["application/linkset"])
    assert text.headers["content-type"] == "application/linkset", text.headers
    links = httplink.parse_link_header(text.text.replace("\n", " ")).links
    read = {(link.target, *link.rel, dict(link.attributes)["anchor"]) for link in links}
    said = {(t["href"], rel, c["anchor"]) for c in contexts for rel, ts in c.items() if rel != "anchor" for t in ts}
    assert read == said, read ^ said
    assert about["anchor"] == base + path, about["anchor"]
    assert about["cite-as"][0]["href"] == page.citeAs.target
    assert {d["href"] for d in about["describedby"]} == {d.target for d in page.describedBy}
    for described in about["describedby"]:
        answer = requests.get(described["href"])
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(described["type"]), described
        back = next(c for c in contexts if c["anchor"] == described["href"])
        assert back["describes"][0]["href"] == base + path
    for item in about.get("item", []):
        assert requests.head(item["href"]).status_code == 200, item
        back = next(c for c in contexts if c["anchor"] == item["href"])
        assert back["collection"][0]["href"] == base + path
    first = next(iter(page.describedBy))
    metadata = find_signposting_http(first.target)
    assert any(s.target == base + path for s in metadata.signposts if s.rel == LinkRel.describes) or "describes" in requests.get(first.target).headers["link"]
print(f"signposting: {len(sys.argv) - 2} pages")
