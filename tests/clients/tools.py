"""Asks the Tool Registry Service with trs-cli. Arguments: base, number of tools, a pipeline's id, its version."""
import io
import sys
import zipfile
import requests
from trs_cli.client import TRSClient

base, count, pipeline, version = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
host, port = base.split("://")[1].split(":")
client = TRSClient(uri=f"http://{host}", port=int(port), use_http=True)
info = client.get_service_info()
assert info.type.artifact == "trs", info
assert {c.name for c in client.get_tool_classes()} == {"Datalab", "Workflow"}
tool = client.get_tool(id=pipeline)
assert tool.id == pipeline and tool.versions, tool
one = client.get_version(id=pipeline, version_id=version)
assert one.id == version, one
descriptor = client.get_descriptor(type="CWL", id=pipeline, version_id=version)
assert "cwlVersion" in descriptor.content, descriptor
files = client.get_files(type="CWL", id=pipeline, version_id=version)
assert sum(f.file_type.value == "PRIMARY_DESCRIPTOR" for f in files) == 1 and len(files) > 1, files
# The same files as a zip.
packed = requests.get(f"{base}/ga4gh/trs/v2/tools/{pipeline}/versions/{version}/CWL/files?format=zip")
assert packed.headers["content-type"] == "application/zip", packed.headers
with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
    assert set(archive.namelist()) == {f.path for f in files}, archive.namelist()
# Pages lead on by the header, and hold every tool once.
address, seen = f"{base}/ga4gh/trs/v2/tools?limit=7", []
while address:
    answer = requests.get(address)
    seen += [t["id"] for t in answer.json()]
    address = answer.headers.get("next_page")
assert len(seen) == len(set(seen)) == count, (len(seen), count)
print(f"trs-cli: {count} tools")
