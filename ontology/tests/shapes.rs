//! The published shapes, judged by pySHACL, which shares no code with this workspace.
#![allow(clippy::unwrap_used, reason = "integration tests may panic")]
#![allow(clippy::print_stderr, reason = "a skipped cross-check has to be seen")]

use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

const EXAMPLE: &str = include_str!("../src/generate/tests/example.nq");

/// What is changed in the example (text, its replacement), and the property and constraint that must be reported.
const BROKEN: &[(&str, &str, &str, &str, &str)] = &[
    ("no-identifier", "_:b0 <https://schema.org/identifier> \"esa.esdc.aladin\" .\n", "", "identifier", "MinCount"),
    ("identifier-form", "\"esa.esdc.aladin\"", "\"Aladin\"", "identifier", "Pattern"),
    ("name-without-language", "\"Aladin Sky Atlas\"@en", "\"Aladin Sky Atlas\"", "name", "Datatype"),
    (
        "two-names-in-english",
        "\"Aladin Sky Atlas\"@en .",
        "\"Aladin Sky Atlas\"@en .\n_:b0 <https://schema.org/name> \"Aladin\"@en .",
        "name",
        "UniqueLang",
    ),
    ("short-name-form", "\"aladin\"", "\"Aladin!\"", "alternateName", "Pattern"),
    (
        "two-short-names",
        "\"aladin\" .",
        "\"aladin\" .\n_:b0 <https://schema.org/alternateName> \"b\" .",
        "alternateName",
        "MaxCount",
    ),
    (
        "abstract-empty",
        "\"Interactive sky atlas for images, surveys and catalogues.\"@en",
        "\"\"@en",
        "abstract",
        "MinLength",
    ),
    ("not-a-boolean", "\"true\"^^<http://www.w3.org/2001/XMLSchema#boolean>", "\"yes\"", "ESAOfficial", "Datatype"),
    ("unknown-domain", "domain/space-science>", "domain/cooking>", "domain", "Node"),
    ("unknown-mission", "mission/gaia>", "mission/gaya>", "mission", "Node"),
    ("mission-as-text", "<https://w3id.org/esado/mission/gaia>", "\"gaia\"", "mission", "NodeKind"),
    ("interface-not-listed", "\"desktop\"", "\"telepathy\"", "interfaceType", "In"),
    ("licence-as-text", "<https://spdx.org/licenses/GPL-3.0-only>", "\"GPL\"", "license", "NodeKind"),
    ("author-as-text", "<https://schema.org/author> _:b1", "<https://schema.org/author> \"CDS\"", "author", "NodeKind"),
    ("author-without-name", "_:b1 <http://xmlns.com/foaf/0.1/name> \"CDS\" .\n", "", "name", "MinCount"),
    ("cores-as-text", "\"2\"^^<http://www.w3.org/2001/XMLSchema#decimal>", "\"two\"", "minCpuCores", "Datatype"),
    (
        "too-many-cores",
        "\"2\"^^<http://www.w3.org/2001/XMLSchema#decimal>",
        "\"4000\"^^<http://www.w3.org/2001/XMLSchema#decimal>",
        "minCpuCores",
        "MaxInclusive",
    ),
    (
        "too-little-memory",
        "\"2048\"^^<http://www.w3.org/2001/XMLSchema#integer>",
        "\"1\"^^<http://www.w3.org/2001/XMLSchema#integer>",
        "minMemoryMiB",
        "MinInclusive",
    ),
    ("relative-mount-path", "\"/data/user/pla_legacy\"", "\"../etc\"", "mountPath", "Pattern"),
    ("mode-not-listed", "\"ro\"", "\"rx\"", "accessMode", "In"),
    ("image-reference-form", "\"registry.example/aladin:11.0\"", "\"Not An Image\"", "imageReference", "Pattern"),
    (
        "ill-typed-date",
        "\"0.3.1\" .",
        "\"0.3.1\" .\n_:b0 <https://schema.org/dateCreated> \"2022-13-45\"^^<http://www.w3.org/2001/XMLSchema#date> .",
        "dateCreated",
        "Pattern",
    ),
    (
        "privileged",
        "\"0.3.1\" .",
        "\"0.3.1\" .\n_:b0 <https://w3id.org/esado#runtime> _:r .\n_:r <https://w3id.org/esado#privileged> \"true\"^^<http://www.w3.org/2001/XMLSchema#boolean> .",
        "privileged",
        "MaxCount",
    ),
    (
        "command-of-numbers",
        "\"0.3.1\" .",
        "\"0.3.1\" .\n_:b0 <https://w3id.org/esado#runtime> _:r .\n_:r <https://w3id.org/esado#command> _:l .\n\
         _:l <http://www.w3.org/1999/02/22-rdf-syntax-ns#first> \"1\"^^<http://www.w3.org/2001/XMLSchema#integer> .\n\
         _:l <http://www.w3.org/1999/02/22-rdf-syntax-ns#rest> <http://www.w3.org/1999/02/22-rdf-syntax-ns#nil> .",
        "first",
        "Datatype",
    ),
];

fn python_has_pyshacl() -> bool {
    Command::new("python3").args(["-c", "import pyshacl"]).output().is_ok_and(|output| output.status.success())
}

#[test]
fn pyshacl_accepts_the_example_and_finds_what_is_broken() {
    if !python_has_pyshacl() {
        eprintln!(
            "SKIPPED: python3 has no pyshacl, so the shapes are not cross-checked; `pip install pyshacl` mends it"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("example.nt"), EXAMPLE).unwrap();
    for (name, text, replacement, ..) in BROKEN {
        assert!(EXAMPLE.contains(text), "{name} changes nothing");
        std::fs::write(folder.path().join(format!("{name}.nt")), EXAMPLE.replacen(text, replacement, 1)).unwrap();
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("python3")
        .arg(here.join("tests/pyshacl_check.py"))
        .arg(here.join("generated/shapes.ttl"))
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers["example.nt"], serde_json::json!({ "conforms": true, "results": [] }));
    let mut wrong = Vec::new();
    for (name, _, _, property, constraint) in BROKEN {
        let answer = &answers[format!("{name}.nt")];
        let expected = format!("{constraint}ConstraintComponent");
        let found = answer["results"].as_array().is_some_and(|results| {
            results.iter().any(|result| {
                let path = result["path"].as_str().unwrap_or_default();
                // The path into a list is a blank node.
                let named = path.ends_with(&format!("#{property}")) || path.ends_with(&format!("/{property}"));
                (named || *property == "first") && result["constraint"] == expected.as_str()
            })
        });
        if answer["conforms"] != false || !found {
            wrong.push(format!("{name}: {answer}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
