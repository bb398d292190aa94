//! Draws a workflow as SVG: inputs above, steps in layers, outputs below. Colours are the page's, so it is at home in
//! light and in dark; everything in it is text or a shape, and every word of a stranger is escaped.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::facts::Facts;

const WIDTH: usize = 168;
const HEIGHT: usize = 34;
const GAP_X: usize = 18;
const GAP_Y: usize = 46;
/// Characters that fit into a box.
const FITS: usize = 22;
/// Boxes beside one another before a row becomes another row.
const ROW: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Input,
    Step,
    Output,
}

struct Boxed<'f> {
    kind: Kind,
    name: &'f str,
    note: &'f str,
    sources: Vec<String>,
    layer: usize,
}

/// Draws a workflow, with a text for those who do not see it.
pub fn svg(facts: &Facts) -> String {
    let boxes = boxes(facts);
    let layers = boxes.iter().map(|it| it.layer).max().unwrap_or_default() + 1;
    let mut rows: Vec<Vec<usize>> = Vec::new();
    for layer in 0..layers {
        let of_layer: Vec<usize> = (0..boxes.len()).filter(|at| boxes[*at].layer == layer).collect();
        rows.extend(of_layer.chunks(ROW).map(<[usize]>::to_vec));
    }
    let widest = rows.iter().map(Vec::len).max().unwrap_or(1);
    let (width, height) = (widest * (WIDTH + GAP_X) + GAP_X, rows.len() * (HEIGHT + GAP_Y) + 12);
    let mut places: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (number, row) in rows.iter().enumerate() {
        let indent = (width - row.len() * (WIDTH + GAP_X) + GAP_X) / 2;
        for (column, at) in row.iter().enumerate() {
            places.insert(*at, (indent + column * (WIDTH + GAP_X), 6 + number * (HEIGHT + GAP_Y)));
        }
    }
    let (steps, inputs, outputs) = (facts.steps.len(), facts.inputs.len(), facts.outputs.len());
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"workflow\" role=\"img\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\
         <title>Workflow of {steps} steps, from {inputs} inputs to {outputs} outputs</title>"
    );
    for (at, it) in boxes.iter().enumerate() {
        for source in &it.sources {
            let from = boxes.iter().position(|other| match source.split_once('/') {
                Some((step, _)) => other.kind == Kind::Step && other.name == step,
                None => other.kind == Kind::Input && other.name == source,
            });
            let (Some(from), Some(to)) = (from.and_then(|from| places.get(&from)), places.get(&at)) else { continue };
            let (x1, y1, x2, y2) = (from.0 + WIDTH / 2, from.1 + HEIGHT, to.0 + WIDTH / 2, to.1);
            let bend = (y1 + y2) / 2;
            let _ = write!(
                text,
                "<path d=\"M{x1} {y1}C{x1} {bend} {x2} {bend} {x2} {y2}\" fill=\"none\" stroke=\"currentColor\" stroke-opacity=\"0.4\"/>"
            );
        }
    }
    for (at, it) in boxes.iter().enumerate() {
        let Some((x, y)) = places.get(&at) else { continue };
        let (radius, fill, dash) = match it.kind {
            Kind::Input => (HEIGHT / 2, "0.04", ""),
            Kind::Step => (4, "0.1", ""),
            Kind::Output => (HEIGHT / 2, "0.04", " stroke-dasharray=\"4 3\""),
        };
        let (middle, base) = (x + WIDTH / 2, y + HEIGHT / 2 + 4);
        let (whole, shown) = (escaped(it.name), escaped(&cut(it.name)));
        let note = if it.note.is_empty() { String::new() } else { format!(": {}", escaped(it.note)) };
        let _ = write!(
            text,
            "<g><title>{whole}{note}</title><rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"{radius}\" fill=\"currentColor\" fill-opacity=\"{fill}\" stroke=\"currentColor\"{dash}/>\
             <text x=\"{middle}\" y=\"{base}\" text-anchor=\"middle\" font-size=\"12\" fill=\"currentColor\">{shown}</text></g>"
        );
    }
    text.push_str("</svg>");
    text
}

fn boxes(facts: &Facts) -> Vec<Boxed<'_>> {
    let mut boxes: Vec<Boxed<'_>> = Vec::new();
    for input in &facts.inputs {
        boxes.push(Boxed { kind: Kind::Input, name: &input.name, note: &input.kind, sources: Vec::new(), layer: 0 });
    }
    let first = usize::from(!facts.inputs.is_empty());
    let mut layers: BTreeMap<&str, usize> = facts.steps.iter().map(|step| (step.name.as_str(), first)).collect();
    // A step stands below everything that feeds it; a circle, which is a fault, ends with the count of steps.
    for _ in 0..facts.steps.len() {
        for step in &facts.steps {
            let below = step.sources.iter().filter_map(|source| layers.get(source.split_once('/')?.0)).max();
            let layer = below.map_or(first, |layer| (layer + 1).min(facts.steps.len() + 1));
            layers.insert(&step.name, layer);
        }
    }
    for step in &facts.steps {
        let note = step.image.as_deref().unwrap_or(if step.scatters { "once for each item" } else { "" });
        let layer = layers[step.name.as_str()];
        boxes.push(Boxed { kind: Kind::Step, name: &step.name, note, sources: step.sources.clone(), layer });
    }
    let last = boxes.iter().map(|it| it.layer).max().unwrap_or_default() + 1;
    for output in &facts.outputs {
        let sources = output.sources.clone();
        boxes.push(Boxed { kind: Kind::Output, name: &output.name, note: &output.kind, sources, layer: last });
    }
    boxes
}

fn cut(name: &str) -> String {
    if name.chars().count() <= FITS {
        return name.to_owned();
    }
    let mut cut: String = name.chars().take(FITS - 1).collect();
    cut.push('…');
    cut
}

fn escaped(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.fold(String::new(), |mut text, c| {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            c => text.push(c),
        }
        text
    })
}
