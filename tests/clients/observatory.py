"""Asks VOSI with pyvo. Argument: base."""
import sys
import io
import requests
from pyvo.io.vosi import parse_availability, parse_capabilities

base = sys.argv[1]
availability = parse_availability(io.BytesIO(requests.get(f"{base}/vosi/availability").content))
availability = getattr(availability, "availability", availability)
assert availability.available is True and availability.upsince, availability
capabilities = parse_capabilities(io.BytesIO(requests.get(f"{base}/vosi/capabilities").content))
standards = {str(c.standardid) for c in capabilities}
assert any("VOSI#availability" in s for s in standards) and any("VOSI#capabilities" in s for s in standards), standards
urls = {str(url.content if hasattr(url, "content") else url) for c in capabilities for i in c.interfaces for url in i.accessurls}
assert f"{base}/sparql" in urls and f"{base}/oai" in urls, urls
print("pyvo: availability and capabilities")
