"""Extracts schema.org from record pages, and checks what Google's dataset and software search ask for. Arguments: base, paths."""
import sys
import extruct
import requests

base = sys.argv[1]
for path in sys.argv[2:]:
    html = requests.get(base + path, headers={"accept": "text/html"}).text
    found = extruct.extract(html, base_url=base + path, syntaxes=["json-ld"], uniform=False)["json-ld"]
    assert len(found) == 1, (path, found)
    node = found[0]
    kind = node["@type"]
    assert node["@context"].rstrip("/") == "https://schema.org" and node["url"] == base + path, node
    for key in ["name", "description", "identifier", "publisher", "dateModified", "datePublished"]:
        assert node.get(key), (path, key)
    if kind == "Dataset":
        # https://developers.google.com/search/docs/appearance/structured-data/dataset: name and description are required.
        assert 50 <= len(node["description"]) <= 5000, (path, len(node["description"]))
        for key in ["creator", "includedInDataCatalog", "isAccessibleForFree"]:
            assert key in node, (path, key)
        assert all("@type" in c and "name" in c for c in node["creator"])
        for download in node.get("distribution", []):
            assert download["@type"] == "DataDownload" and download["contentUrl"], download
    elif kind == "SoftwareApplication":
        # .../structured-data/software-app: name and offers.price are required, category and system recommended.
        assert str(node["offers"]["price"]) == "0" and node["offers"]["priceCurrency"], node
        assert node["applicationCategory"] and node["operatingSystem"], node
    else:
        assert kind == "SoftwareSourceCode" and node["programmingLanguage"], node
print(f"extruct: {len(sys.argv) - 2} pages")
