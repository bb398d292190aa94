"""Opens RO-Crates with rocrate, and reads citations and DataCite with the tools of their communities. Arguments: base, paths of records."""
import json, pathlib, sys, tempfile
import requests
from rocrate.rocrate import ROCrate

base, missing = sys.argv[1], []
try:
    from datacite import schema45
except ImportError:
    schema45 = None
    missing.append("datacite")
try:
    import bibtexparser
except ImportError:
    bibtexparser = None
    missing.append("bibtexparser")
try:
    from cffconvert import Citation
except ImportError:
    Citation = None
    missing.append("cffconvert")

def get(path, suffix):
    answer = requests.get(f"{base}{path}.{suffix}")
    assert answer.status_code == 200, (path, suffix, answer.text)
    return answer.text

for path in sys.argv[2:]:
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "ro-crate-metadata.json").write_text(get(path, "ro-crate.jsonld"))
        crate = ROCrate(folder)
        assert crate.name and crate.root_dataset["identifier"] == base + path, path
        assert crate.mainEntity.id == base + path and crate.mainEntity["name"] == crate.name
        assert crate.root_dataset["author"] and crate.root_dataset["datePublished"]
    if schema45:
        document = json.loads(get(path, "datacite.json"))
        errors = [e.message for e in schema45.validator.iter_errors(document)]
        assert not errors, (path, errors)
    if bibtexparser:
        text = get(path, "bib")
        parse = getattr(bibtexparser, "parse_string", None) or bibtexparser.loads
        assert len(parse(text).entries) == 1, text
    if Citation:
        Citation(get(path, "cff")).validate()
    csl = json.loads(get(path, "csl.json"))[0]
    assert csl["title"] and csl["author"] and csl["issued"]["date-parts"][0][0] > 1900, csl
    assert get(path, "ris").startswith("TY  - ") and get(path, "ris").rstrip().endswith("ER  -")
print(f"rocrate: {len(sys.argv) - 2} records" + (f"; without {', '.join(missing)}" if missing else ""))
