//! From a document to its facts: what a process must have, what its steps are fed from, what it needs.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Facts, Needs, Parameter, Step};
use crate::files::{Loaded, Reader, escaped};
use crate::tree::{Node, Place, Value};
use crate::types::{is_optional, written};

/// How deep workflows may hold one another.
const MAX_DEPTH: usize = 8;

const VERSIONS: [&str; 3] = ["v1.0", "v1.1", "v1.2"];

const COMMON: [&str; 12] = [
    "class",
    "cwlVersion",
    "id",
    "label",
    "doc",
    "inputs",
    "outputs",
    "requirements",
    "hints",
    "intent",
    "$namespaces",
    "$schemas",
];
const OF_WORKFLOW: [&str; 1] = ["steps"];
const OF_TOOL: [&str; 8] = [
    "baseCommand",
    "arguments",
    "stdin",
    "stdout",
    "stderr",
    "successCodes",
    "temporaryFailCodes",
    "permanentFailCodes",
];
const OF_STEP: [&str; 12] =
    ["id", "in", "out", "run", "label", "doc", "requirements", "hints", "scatter", "scatterMethod", "when", "name"];

/// A process and where it stands.
struct Process<'d> {
    file: &'d str,
    field: String,
    node: &'d Node,
}

/// Reads the document that a package names as its workflow.
pub(crate) fn document(reader: &mut Reader<'_>, entry: &str) -> Option<Facts> {
    let loaded = reader.load(entry)?;
    let version = loaded.root.get("cwlVersion");
    match version.and_then(Node::text) {
        Some(word) if VERSIONS.contains(&word) => {}
        Some(word) => {
            let at = version.map_or(loaded.root.at, |node| node.at);
            reader.fault("cwl.version", entry, at, "/cwlVersion", format!("`{word}` is not v1.0, v1.1 or v1.2"));
        }
        None => {
            reader.fault("cwl.field_missing", entry, loaded.root.at, "/cwlVersion", "a document says its `cwlVersion`")
        }
    }
    let version = version.and_then(Node::text).unwrap_or_default().to_owned();
    let (field, node) = chosen(reader, &loaded, None)?;
    let facts = process(reader, &loaded, Process { file: entry, field, node: &node }, 0)?;
    Some(Facts { version, ..facts })
}

/// Chooses a process of a file: the one named, else `main`, else the only workflow; the file itself when it holds one.
fn chosen(reader: &mut Reader<'_>, loaded: &Loaded, name: Option<&str>) -> Option<(String, Node)> {
    let Some(graph) = loaded.root.get("$graph") else {
        return Some((String::new(), loaded.root.clone()));
    };
    let Some(items) = graph.list() else {
        reader.fault("cwl.graph", &loaded.file, graph.at, "/$graph", "`$graph` is a list of processes");
        return None;
    };
    let id_of = |node: &Node| node.get("id").and_then(Node::text).map(|id| local(id).to_owned());
    let named = |name: &str| items.iter().position(|item| id_of(item).as_deref() == Some(name));
    let is_workflow = |item: &&Node| item.get("class").and_then(Node::text) == Some("Workflow");
    let position = match name {
        Some(name) => named(name),
        None => named("main").or_else(|| {
            let only = items.iter().filter(is_workflow).count() == 1;
            items.iter().position(|item| only && is_workflow(&item))
        }),
    };
    let Some(position) = position else {
        let wanted = name.unwrap_or("main");
        reader.fault("cwl.graph", &loaded.file, graph.at, "/$graph", format!("no process here is called `{wanted}`"));
        return None;
    };
    Some((format!("/$graph/{position}"), items[position].clone()))
}

/// Returns the last part of an id such as `#main/step1/out`.
fn local(id: &str) -> &str {
    id.trim_start_matches('#')
}

fn process(reader: &mut Reader<'_>, loaded: &Loaded, it: Process<'_>, depth: usize) -> Option<Facts> {
    let Process { file, field, node } = it;
    let Some(entries) = node.map() else {
        reader.fault("cwl.class", file, node.at, &field, format!("a process is a mapping, not {}", node.kind()));
        return None;
    };
    let class = node.get("class");
    let Some(word) = class.and_then(Node::text) else {
        reader.fault("cwl.field_missing", file, node.at, &format!("{field}/class"), "a process says its `class`");
        return None;
    };
    let own: &[&str] = match word {
        "Workflow" => &OF_WORKFLOW,
        "CommandLineTool" => &OF_TOOL,
        "ExpressionTool" => &["expression"],
        "Operation" => &[],
        _ => {
            let at = class.map_or(node.at, |class| class.at);
            let message = format!("`{word}` is not Workflow, CommandLineTool, ExpressionTool or Operation");
            reader.fault("cwl.class", file, at, &format!("{field}/class"), message);
            return None;
        }
    };
    for (key, _) in entries {
        if !is_known(&key.name, &COMMON) && !own.contains(&key.name.as_str()) {
            let message = format!("a {word} has no field `{}`", key.name);
            reader.fault("cwl.field_unknown", file, key.at, &format!("{field}/{}", escaped(&key.name)), message);
        }
    }
    let inputs = parameters(reader, file, node, &field, "inputs");
    let outputs = parameters(reader, file, node, &field, "outputs");
    let needs = needs(reader, file, node, &field);
    let image = image(node);
    let label = node.get("label").and_then(Node::text).map(str::to_owned);
    let mut facts = Facts { class: word.to_owned(), label, inputs, outputs, needs, ..Facts::default() };
    if word == "Workflow" {
        steps(reader, loaded, &Process { file, field, node }, &mut facts, image.as_deref(), depth);
    } else {
        let has_command = ["baseCommand", "arguments", "expression"].iter().any(|name| node.get(name).is_some());
        if word == "CommandLineTool" && !has_command && image.is_none() {
            let message = "a tool has a `baseCommand`, or `arguments`, or an image that has a command of its own";
            reader.fault("cwl.field_missing", file, node.at, &format!("{field}/baseCommand"), message);
        }
        let name = node.get("id").and_then(Node::text).map_or_else(|| stem(file), |id| local(id).to_owned());
        let outputs = facts.outputs.iter().map(|output| output.name.clone()).collect();
        let sources = facts.inputs.iter().map(|input| input.name.clone()).collect();
        for output in &mut facts.outputs {
            output.sources = vec![format!("{name}/{}", output.name)];
        }
        facts.steps.push(Step { name, image, sources, outputs, scatters: false });
    }
    Some(facts)
}

/// A name of ours in a namespace of its own, such as `s:author`, is metadata and not CWL.
fn is_known(name: &str, known: &[&str]) -> bool {
    known.contains(&name) || name.contains(':') || name == "$graph" || name == "$base"
}

fn stem(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name).to_owned()
}

/// Reads what may be written as a list of mappings with `id`, or as a mapping from id.
fn entries<'d>(reader: &mut Reader<'_>, file: &str, node: &'d Node, field: &str) -> Vec<(String, String, &'d Node)> {
    match &node.value {
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| (key.name.clone(), format!("{field}/{}", escaped(&key.name)), value))
            .collect(),
        Value::List(items) => {
            let mut found = Vec::with_capacity(items.len());
            for (number, item) in items.iter().enumerate() {
                let field = format!("{field}/{number}");
                match item.get("id").or(item.get("name")).and_then(Node::text) {
                    // An id of a packed document carries those around it.
                    Some(id) => found.push((local(id).rsplit('/').next().unwrap_or(id).to_owned(), field, item)),
                    None => reader.fault(
                        "cwl.field_missing",
                        file,
                        item.at,
                        &format!("{field}/id"),
                        "an item of this list has an `id`",
                    ),
                }
            }
            found
        }
        _ => {
            reader.fault("cwl.type", file, node.at, field, format!("this is a mapping or a list, not {}", node.kind()));
            Vec::new()
        }
    }
}

fn parameters(reader: &mut Reader<'_>, file: &str, node: &Node, field: &str, name: &str) -> Vec<Parameter> {
    let field = format!("{field}/{name}");
    let Some(list) = node.get(name) else {
        reader.fault("cwl.field_missing", file, node.at, &field, format!("a process has `{name}`, be it empty"));
        return Vec::new();
    };
    let mut found: Vec<Parameter> = Vec::new();
    for (id, field, value) in entries(reader, file, list, &field) {
        if found.iter().any(|known| known.name == id) {
            reader.fault("cwl.duplicate", file, value.at, &field, format!("`{id}` is there twice"));
            continue;
        }
        // In short, the value is the type itself; a list can only be a union of types.
        let kind = match value.map() {
            Some(_) => value.get("type"),
            None => Some(value),
        };
        let kind = match kind.map(|kind| (kind.at, written(kind))) {
            Some((_, Ok(kind))) => kind,
            // The name is known all the same, so that what uses it is not called wrong too.
            Some((at, Err(message))) => {
                reader.fault("cwl.type", file, at, &field, format!("`{id}`: {message}"));
                "Any?".to_owned()
            }
            None => {
                reader.fault(
                    "cwl.field_missing",
                    file,
                    value.at,
                    &format!("{field}/type"),
                    format!("`{id}` says its `type`"),
                );
                "Any?".to_owned()
            }
        };
        let texts = |name: &str| match value.get(name).map(|node| &node.value) {
            Some(Value::Text(text)) => vec![text.clone()],
            Some(Value::List(items)) => items.iter().filter_map(|item| item.text().map(str::to_owned)).collect(),
            _ => Vec::new(),
        };
        found.push(Parameter {
            required: !is_optional(&kind) && value.get("default").is_none(),
            name: id,
            kind,
            format: texts("format").into_iter().next().filter(|format| !format.starts_with("$(")),
            sources: texts("outputSource"),
        });
    }
    found
}

/// A source of a packed document, `#main/step/out`, in the words of one that is not, `step/out`.
fn plain_source(source: &str, workflow: Option<&str>) -> String {
    let plain = local(source);
    match workflow.and_then(|name| plain.strip_prefix(name)?.strip_prefix('/')) {
        Some(rest) if source.starts_with('#') => rest.to_owned(),
        _ => plain.to_owned(),
    }
}

fn steps(
    reader: &mut Reader<'_>,
    loaded: &Loaded,
    it: &Process<'_>,
    facts: &mut Facts,
    image: Option<&str>,
    depth: usize,
) {
    let Process { file, field, node } = it;
    let field = format!("{field}/steps");
    let Some(list) = node.get("steps") else {
        reader.fault("cwl.field_missing", file, node.at, &field, "a workflow has `steps`");
        return;
    };
    let workflow = node.get("id").and_then(Node::text).map(local);
    let mut found: Vec<Found> = Vec::new();
    for (name, field, value) in entries(reader, file, list, &field) {
        if found.iter().any(|(step, ..)| step.name == name) {
            reader.fault("cwl.duplicate", file, value.at, &field, format!("the step `{name}` is there twice"));
            continue;
        }
        for (key, _) in value.map().unwrap_or_default() {
            if !is_known(&key.name, &OF_STEP) {
                let message = format!("a step has no field `{}`", key.name);
                reader.fault("cwl.field_unknown", file, key.at, &format!("{field}/{}", escaped(&key.name)), message);
            }
        }
        let tool = tool(reader, loaded, file, value, &field, depth);
        let (sources, given) = step_inputs(reader, file, value, &field, workflow);
        let outputs = step_outputs(reader, file, value, &field);
        if let Some(tool) = &tool {
            check_step(reader, file, &Process { file, field: field.clone(), node: value }, tool, &given, &outputs);
        }
        let own = needs(reader, file, value, &field);
        let around = facts.needs;
        let tool_needs = tool.as_ref().map(|tool| tool.needs).unwrap_or_default();
        // What a step says counts before what its tool says, and that before what the workflow says for all.
        facts.needs = facts.needs.most(own.or(tool_needs).or(around));
        let of_tool = tool.as_ref().and_then(|tool| match tool.steps.as_slice() {
            [one] => one.image.clone(),
            _ => None,
        });
        let step = Step {
            name,
            image: self::image(value).or(of_tool).or(image.map(str::to_owned)),
            sources: sources.iter().map(|(source, _)| source.clone()).collect(),
            outputs: outputs.into_iter().map(|(output, _)| output).collect(),
            scatters: value.get("scatter").is_some(),
        };
        found.push((step, value.at, field, sources));
    }
    check_sources(reader, file, facts, &found, workflow);
    facts.steps = found.into_iter().map(|(step, ..)| step).collect();
    for output in &mut facts.outputs {
        output.sources = output.sources.iter().map(|source| plain_source(source, workflow)).collect();
    }
    check_cycles(reader, file, node, &field, &facts.steps);
}

/// Reads what a step runs: a process written there, one of the same document, or one of another file.
fn tool(reader: &mut Reader<'_>, loaded: &Loaded, file: &str, step: &Node, field: &str, depth: usize) -> Option<Facts> {
    let field = format!("{field}/run");
    let Some(run) = step.get("run") else {
        reader.fault("cwl.field_missing", file, step.at, &field, "a step says what it `run`s");
        return None;
    };
    if depth >= MAX_DEPTH {
        reader.fault(
            "cwl.reference_cycle",
            file,
            run.at,
            &field,
            "workflows hold one another in a circle, or too deep",
        );
        return None;
    }
    let Some(target) = run.text() else {
        return process(reader, loaded, Process { file, field, node: run }, depth + 1);
    };
    let (path, name) = target.split_once('#').map_or((target, None), |(path, name)| (path, Some(name)));
    if path.is_empty() {
        let (field, node) = chosen(reader, loaded, name)?;
        return process(reader, loaded, Process { file: &loaded.file, field, node: &node }, depth + 1);
    }
    let path = reader.resolve(file, path, run.at, &field)?;
    if !reader.holds(&path) {
        reader.fault("cwl.reference_missing", file, run.at, &field, format!("the package holds no `{path}`"));
        return None;
    }
    let Some(other) = reader.load(&path) else {
        if path == loaded.file {
            reader.fault("cwl.reference_cycle", file, run.at, &field, format!("`{path}` runs itself"));
        }
        return None;
    };
    let (field, node) = chosen(reader, &other, name)?;
    process(reader, &other, Process { file: &path, field, node: &node }, depth + 1)
}

/// What feeds a step, and which of its tool's inputs are given.
fn step_inputs(
    reader: &mut Reader<'_>,
    file: &str,
    step: &Node,
    field: &str,
    workflow: Option<&str>,
) -> (Vec<(String, Place)>, BTreeMap<String, Place>) {
    let field = format!("{field}/in");
    let Some(list) = step.get("in") else {
        reader.fault("cwl.field_missing", file, step.at, &field, "a step has `in`, be it empty");
        return (Vec::new(), BTreeMap::new());
    };
    let (mut sources, mut given) = (Vec::new(), BTreeMap::new());
    for (name, _, value) in entries(reader, file, list, &field) {
        given.insert(name, value.at);
        let source = if value.map().is_some() { value.get("source") } else { Some(value) };
        let mut add = |node: &Node| {
            if let Some(text) = node.text() {
                sources.push((plain_source(text, workflow), node.at));
            }
        };
        match source.map(|node| (node, &node.value)) {
            Some((_, Value::List(items))) => items.iter().for_each(add),
            Some((node, _)) => add(node),
            None => {}
        }
    }
    (sources, given)
}

fn step_outputs(reader: &mut Reader<'_>, file: &str, step: &Node, field: &str) -> Vec<(String, Place)> {
    let field = format!("{field}/out");
    let Some(list) = step.get("out") else {
        reader.fault("cwl.field_missing", file, step.at, &field, "a step has `out`, be it empty");
        return Vec::new();
    };
    let Some(items) = list.list() else {
        reader.fault("cwl.type", file, list.at, &field, format!("`out` is a list, not {}", list.kind()));
        return Vec::new();
    };
    let name = |item: &Node| {
        let id = item.text().or(item.get("id").and_then(Node::text))?;
        Some((local(id).rsplit('/').next().unwrap_or(id).to_owned(), item.at))
    };
    items.iter().filter_map(name).collect()
}

fn check_step(
    reader: &mut Reader<'_>,
    file: &str,
    step: &Process<'_>,
    tool: &Facts,
    given: &BTreeMap<String, Place>,
    outputs: &[(String, Place)],
) {
    for (name, at) in given {
        if !tool.inputs.iter().any(|input| input.name == *name) {
            let message = format!("what it runs has no input `{name}`; it is left out");
            reader.warning(
                "cwl.step_input_unknown",
                file,
                *at,
                &format!("{}/in/{}", step.field, escaped(name)),
                message,
            );
        }
    }
    for input in tool.inputs.iter().filter(|input| input.required && !given.contains_key(&input.name)) {
        let message = format!("what it runs needs the input `{}` of type {}", input.name, input.kind);
        reader.fault("cwl.step_input_missing", file, step.node.at, &format!("{}/in", step.field), message);
    }
    for (name, at) in outputs {
        if !tool.outputs.iter().any(|output| output.name == *name) {
            let message = format!("what it runs has no output `{name}`");
            reader.fault("cwl.step_output_unknown", file, *at, &format!("{}/out", step.field), message);
        }
    }
}

type Found = (Step, Place, String, Vec<(String, Place)>);

fn check_sources(reader: &mut Reader<'_>, file: &str, facts: &Facts, steps: &[Found], workflow: Option<&str>) {
    let mut known: BTreeSet<String> = facts.inputs.iter().map(|input| input.name.clone()).collect();
    for (step, ..) in steps {
        known.extend(step.outputs.iter().map(|output| format!("{}/{output}", step.name)));
    }
    for (step, _, field, sources) in steps {
        for (source, at) in sources.iter().filter(|(source, _)| !known.contains(source)) {
            let message = format!(
                "the step `{}` is fed from `{source}`, which is neither an input nor an output of a step",
                step.name
            );
            reader.fault("cwl.source_unknown", file, *at, &format!("{field}/in"), message);
        }
    }
    let at = steps.first().map_or(Place { line: 1, column: 1 }, |(_, at, ..)| *at);
    for output in &facts.outputs {
        if output.sources.is_empty() {
            let message = format!("the output `{}` says its `outputSource`", output.name);
            reader.fault(
                "cwl.field_missing",
                file,
                at,
                &format!("/outputs/{}/outputSource", escaped(&output.name)),
                message,
            );
        }
        for source in
            output.sources.iter().map(|source| plain_source(source, workflow)).filter(|it| !known.contains(it))
        {
            let message = format!(
                "the output `{}` comes from `{source}`, which is neither an input nor an output of a step",
                output.name
            );
            reader.fault("cwl.source_unknown", file, at, &format!("/outputs/{}", escaped(&output.name)), message);
        }
    }
}

fn check_cycles(reader: &mut Reader<'_>, file: &str, node: &Node, field: &str, steps: &[Step]) {
    let mut left: Vec<&Step> = steps.iter().collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    loop {
        let before = left.len();
        left.retain(|step| {
            let waits = step
                .sources
                .iter()
                .filter_map(|source| source.split_once('/'))
                .any(|(from, _)| !done.contains(from) && steps.iter().any(|other| other.name == from));
            if !waits {
                done.insert(&step.name);
            }
            waits
        });
        if left.is_empty() {
            return;
        }
        if left.len() == before {
            let names = left.iter().map(|step| step.name.as_str()).collect::<Vec<_>>().join(", ");
            reader.fault("cwl.step_cycle", file, node.at, field, format!("these steps wait for one another: {names}"));
            return;
        }
    }
}

/// Finds a requirement or a hint by its class, in a list or in a mapping.
fn requirement<'d>(node: &'d Node, class: &str) -> Option<&'d Node> {
    let is_it = |name: &str| name == class || name.rsplit(':').next() == Some(class);
    ["requirements", "hints"].iter().find_map(|name| match &node.get(name)?.value {
        Value::List(items) => items.iter().find(|item| item.get("class").and_then(Node::text).is_some_and(is_it)),
        Value::Map(entries) => entries.iter().find(|(key, _)| is_it(&key.name)).map(|(_, value)| value),
        _ => None,
    })
}

fn image(node: &Node) -> Option<String> {
    let docker = requirement(node, "DockerRequirement")?;
    docker.get("dockerPull").or(docker.get("dockerImageId")).and_then(Node::text).map(str::to_owned)
}

fn needs(reader: &mut Reader<'_>, file: &str, node: &Node, field: &str) -> Needs {
    let mut amount = |of: Option<&Node>, name: &str, factor: u64| -> Option<u64> {
        let value = of?.get(name)?;
        match &value.value {
            // Rounded up: a fraction of a core or of a MiB is granted whole thousandths or a whole MiB.
            Value::Number(number) => {
                let amount = number.parse::<f64>().ok().filter(|amount| (0.0..1e12).contains(amount));
                if amount.is_none() {
                    reader.fault("cwl.resource", file, value.at, field, format!("`{name}` is an amount, not {number}"));
                }
                amount.map(|amount| (amount * factor as f64).ceil() as u64)
            }
            // An expression is only known when it runs.
            Value::Text(text) if text.contains("$(") || text.contains("${") => None,
            _ => {
                reader.fault(
                    "cwl.resource",
                    file,
                    value.at,
                    field,
                    format!("`{name}` is a number, not {}", value.kind()),
                );
                None
            }
        }
    };
    let resources = requirement(node, "ResourceRequirement");
    let cuda = requirement(node, "CUDARequirement");
    let scratch = [amount(resources, "tmpdirMin", 1), amount(resources, "outdirMin", 1)];
    let count = cuda.map(|_| amount(cuda, "cudaDeviceCountMin", 1).unwrap_or(1));
    let version = cuda.and_then(|cuda| match &cuda.get("cudaVersionMin")?.value {
        Value::Text(text) | Value::Number(text) => {
            let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
            Some((major.parse().ok()?, minor.parse().ok()?))
        }
        _ => None,
    });
    Needs {
        cpu_milli: amount(resources, "coresMin", 1000),
        memory_mib: amount(resources, "ramMin", 1),
        scratch_mib: scratch.iter().flatten().copied().reduce(|sum, one| sum + one),
        gpus: count,
        cuda: version,
    }
}
