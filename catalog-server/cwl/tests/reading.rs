//! Workflows as they are written, and everything that can be wrong with them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeMap;

use catalog_cwl::{Needs, read, svg};
use proptest::prelude::*;

/// The standard flow of the source deck: Detector1, then Image2, with lists and outputs on the way.
const FLOW: &str = r#"cwlVersion: v1.2
class: Workflow
label: JWST standard flow
requirements:
  ScatterFeatureRequirement: {}
  ResourceRequirement: {coresMin: 2, ramMin: 4096}
inputs:
  uncal: {type: File, format: "edam:format_3989"}
  overrides: {type: 'string[]?'}
outputs:
  rates:
    type: File[]
    outputSource: detector1/rate
  images: {type: 'File[]', outputSource: image2/cal}
steps:
  detector1:
    run: tools/detector1.cwl
    in: {exposure: uncal, overrides: overrides}
    out: [rate, ramp]
  image2:
    run: tools/image2.cwl
    scatter: rate
    in:
      rate: {source: detector1/rate}
    out: [cal]
"#;

const DETECTOR1: &str = r#"cwlVersion: v1.2
class: CommandLineTool
baseCommand: [strun, calwebb_detector1]
requirements:
  - {class: DockerRequirement, dockerPull: "quay.io/jwst/pipeline:1.15"}
  - {class: ResourceRequirement, coresMin: 0.5, ramMin: 16384, tmpdirMin: 1024, outdirMin: 512}
inputs:
  exposure: File
  overrides: string[]?
outputs:
  rate: {type: 'File[]', outputBinding: {glob: "*rate.fits"}}
  ramp: {type: File?, outputBinding: {glob: "*ramp.fits"}}
"#;

const IMAGE2: &str = r#"cwlVersion: v1.2
class: CommandLineTool
$namespaces: {cwltool: "http://commonwl.org/cwltool#"}
baseCommand: [strun, calwebb_image2]
hints:
  DockerRequirement: {dockerPull: "quay.io/jwst/pipeline:1.15"}
  cwltool:CUDARequirement: {cudaVersionMin: "11.4", cudaComputeCapability: "3.0", cudaDeviceCountMin: 2}
inputs: {rate: File}
outputs: {cal: {type: File, outputBinding: {glob: "*cal.fits"}}}
"#;

fn package(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

fn standard() -> BTreeMap<String, Vec<u8>> {
    package(&[
        ("pipeline/flow.cwl", FLOW),
        ("pipeline/tools/detector1.cwl", DETECTOR1),
        ("pipeline/tools/image2.cwl", IMAGE2),
    ])
}

fn faults(files: &BTreeMap<String, Vec<u8>>, entry: &str) -> Vec<String> {
    read(entry, files).faults.iter().map(|fault| format!("{} {} {}", fault.code, fault.field, fault)).collect()
}

#[test]
fn the_standard_flow_is_read_with_its_tools() {
    let reading = read("pipeline/flow.cwl", &standard());
    assert_eq!(reading.faults, []);
    assert!(reading.is_valid());
    let facts = reading.facts.unwrap();
    assert_eq!((facts.version.as_str(), facts.class.as_str()), ("v1.2", "Workflow"));
    let of = |all: &[catalog_cwl::Parameter]| -> Vec<String> {
        all.iter().map(|it| format!("{} {} {}", it.name, it.kind, it.required)).collect()
    };
    assert_eq!(of(&facts.inputs), ["uncal File true", "overrides string[]? false"]);
    assert_eq!(of(&facts.outputs), ["rates File[] true", "images File[] true"]);
    let steps: Vec<_> =
        facts.steps.iter().map(|step| (step.name.as_str(), step.image.as_deref(), step.scatters)).collect();
    let image = Some("quay.io/jwst/pipeline:1.15");
    assert_eq!(steps, [("detector1", image, false), ("image2", image, true)]);
    assert_eq!(
        facts.needs,
        Needs {
            cpu_milli: Some(2000),
            memory_mib: Some(16_384),
            scratch_mib: Some(1536),
            gpus: Some(2),
            cuda: Some((11, 4)),
        }
    );
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("standard_flow", svg(&facts));
    });
}

#[test]
fn a_packed_document_and_json_say_the_same() {
    let packed = r##"{"cwlVersion": "v1.0", "$graph": [
        {"class": "Workflow", "id": "#main",
         "inputs": [{"id": "#main/x", "type": "File"}],
         "outputs": [{"id": "#main/y", "type": "File", "outputSource": "#main/copy/out"}],
         "steps": [{"id": "#main/copy", "run": "#tool", "in": [{"id": "#main/copy/in", "source": "#main/x"}], "out": ["#main/copy/out"]}]},
        {"class": "CommandLineTool", "id": "#tool", "baseCommand": "cp",
         "inputs": [{"id": "#tool/in", "type": "File"}], "outputs": [{"id": "#tool/out", "type": "File", "outputBinding": {"glob": "*"}}]}
    ]}"##;
    let reading = read("flow.cwl.json", &package(&[("flow.cwl.json", packed)]));
    assert_eq!(reading.faults, []);
    let facts = reading.facts.unwrap();
    assert_eq!(facts.steps[0].sources, ["x"]);
    assert_eq!(facts.outputs[0].sources, ["copy/out"]);
}

#[test]
fn an_import_is_put_in_its_place() {
    let tool =
        "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: echo\ninputs: {$import: inputs.yml}\noutputs: {}\n";
    let files = package(&[("t.cwl", tool), ("inputs.yml", "word: string\n")]);
    let reading = read("t.cwl", &files);
    assert_eq!((reading.faults.len(), reading.facts.unwrap().inputs[0].name.as_str()), (0, "word"));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_place() {
    let wrong = r#"cwlVersion: v9
class: Workflow
colour: red
inputs:
  a: Flie
  b: {doc: no type}
outputs:
  o: {type: File, outputSource: nowhere/out}
steps:
  one:
    run: tool.cwl
    in: {x: a, extra: b}
    out: [y, z]
    speed: fast
  two:
    run: missing.cwl
    in: {}
    out: []
  three:
    run: ../../etc/passwd
    in: {}
    out: []
  four:
    in: []
"#;
    let tool = "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: cp\ninputs: {x: File, need: int}\noutputs: {y: {type: File, outputBinding: {glob: y}}}\n";
    let files = package(&[("flow.cwl", wrong), ("tool.cwl", tool)]);
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("faults", faults(&files, "flow.cwl").join("\n"));
    });
}

#[test]
fn circles_and_broken_files_end() {
    let of = |text: &str| {
        let all = faults(&package(&[("a.cwl", text)]), "a.cwl");
        all.into_iter().map(|fault| fault.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let head = "cwlVersion: v1.2\nclass: Workflow\ninputs: {}\noutputs: {}\n";
    assert_eq!(of(&format!("{head}steps: {{s: {{run: a.cwl, in: {{}}, out: []}}}}")), ["cwl.reference_cycle"]);
    assert_eq!(of("$import: a.cwl"), ["cwl.reference_cycle", "cwl.field_missing", "cwl.class"]);
    assert_eq!(of("a: [1"), ["cwl.syntax"]);
    assert_eq!(of(""), ["cwl.syntax"]);
    let circle = "steps:\n  p: {run: {class: Operation, inputs: {i: File}, outputs: {o: File}}, in: {i: q/o}, out: [o]}\n  q: {run: {class: Operation, inputs: {i: File}, outputs: {o: File}}, in: {i: p/o}, out: [o]}\n";
    assert_eq!(of(&format!("{head}{circle}")), ["cwl.step_cycle"]);
    assert_eq!(
        faults(&package(&[]), "none.cwl"),
        ["cwl.reference_missing  none.cwl:1:1: the package holds no `none.cwl`"]
    );
}

#[test]
fn a_strangers_words_are_text_in_the_drawing() {
    let tool = "cwlVersion: v1.2\nclass: CommandLineTool\nbaseCommand: cp\ninputs: {'<script>alert(1)</script>&\"': File}\noutputs: {}\n";
    let drawn = svg(&read("t.cwl", &package(&[("t.cwl", tool)])).facts.unwrap());
    assert!(!drawn.contains("<script") && drawn.contains("&lt;script&gt;"), "{drawn}");
}

proptest! {
    #[test]
    fn nothing_that_is_written_ends_the_reader(text in ".{0,200}|(\\PC|\n){0,300}") {
        let reading = read("a.cwl", &package(&[("a.cwl", &text)]));
        prop_assert!(reading.facts.is_some() || !reading.faults.is_empty());
        if let Some(facts) = reading.facts {
            prop_assert!(svg(&facts).starts_with("<svg"));
        }
    }

    #[test]
    fn a_flow_with_a_line_changed_is_read_to_its_end(line in 0usize..28, put in "[ -~]{0,30}") {
        let mut lines: Vec<&str> = FLOW.lines().collect();
        let line = line % lines.len();
        lines[line] = &put;
        let mut files = standard();
        files.insert("pipeline/flow.cwl".to_owned(), lines.join("\n").into_bytes());
        let reading = read("pipeline/flow.cwl", &files);
        prop_assert!(reading.faults.iter().all(|fault| fault.line > 0 && !fault.message.is_empty()));
    }
}
