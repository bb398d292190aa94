//! Draws a workflow as SVG: inputs above, steps in layers, outputs below. Colours are the page's, so it is at home in
//! light and in dark; everything in it is text or a shape, and every word of a stranger is escaped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::facts::Facts;

const WIDTH: usize = 168;
const HEIGHT: usize = 34;
const GAP_X: usize = 18;
const GAP_Y: usize = 46;
/// What a line that passes a row takes of it.
const PASSING: usize = 12;
/// How many boxes are tidied up; of more, lines go straight through.
const TIDY: usize = 150;
/// The length of an arrow's head.
const HEAD: usize = 6;
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
    let layout = Layout::of(&boxes);
    let (width, height) = (layout.width, layout.height);
    let (steps, inputs, outputs) = (facts.steps.len(), facts.inputs.len(), facts.outputs.len());
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"workflow\" role=\"img\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\
         <title>Workflow of {steps} steps, from {inputs} inputs to {outputs} outputs</title>"
    );
    for chain in &layout.chains {
        line(&mut text, chain.iter().map(|node| &layout.nodes[*node]));
    }
    for node in &layout.nodes {
        if let Some(it) = node.of.map(|at| &boxes[at]) {
            shape(&mut text, it, node);
        }
    }
    text.push_str("</svg>");
    text
}

/// Draws a line from one box to another, between what lies in the rows that it passes.
fn line<'n>(text: &mut String, chain: impl Iterator<Item = &'n Node>) {
    let mut before: Option<(usize, usize)> = None;
    text.push_str("<path d=\"");
    for node in chain {
        let (middle, top, bottom) = (node.x + node.width / 2, node.y, node.y + HEIGHT);
        match before {
            None => _ = write!(text, "M{middle} {bottom}"),
            Some((x, y)) => {
                // The arrow's head takes the last pixels.
                let end = if node.of.is_some() { top - HEAD } else { top };
                let bend = (y + end) / 2;
                let _ = write!(text, "C{x} {bend} {middle} {bend} {middle} {end}");
                if node.of.is_none() {
                    let _ = write!(text, "V{bottom}");
                }
            }
        }
        before = Some((middle, bottom));
    }
    text.push_str("\" fill=\"none\" stroke=\"currentColor\" stroke-opacity=\"0.45\"/>");
    if let Some((x, bottom)) = before {
        let (tip, base) = (bottom - HEIGHT, bottom - HEIGHT - HEAD);
        let (left, right) = (x - 4, x + 4);
        let _ =
            write!(text, "<path d=\"M{left} {base}H{right}L{x} {tip}Z\" fill=\"currentColor\" fill-opacity=\"0.6\"/>");
    }
}

fn shape(text: &mut String, it: &Boxed<'_>, node: &Node) {
    let (x, y) = (node.x, node.y);
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

/// A place in a row: a box, or where a line passes.
struct Node {
    /// The box; none where a line passes.
    of: Option<usize>,
    width: usize,
    x: usize,
    y: usize,
}

/// Where everything stands: boxes in rows, and the places that each line goes through.
struct Layout {
    nodes: Vec<Node>,
    chains: Vec<Vec<usize>>,
    width: usize,
    height: usize,
}

impl Layout {
    fn of(boxes: &[Boxed<'_>]) -> Self {
        let layers = boxes.iter().map(|it| it.layer).max().unwrap_or_default() + 1;
        let mut rows: Vec<Vec<usize>> = Vec::new();
        let mut nodes: Vec<Node> = (0..boxes.len()).map(|at| Node { of: Some(at), width: WIDTH, x: 0, y: 0 }).collect();
        let mut row_of = vec![0; boxes.len()];
        for layer in 0..layers {
            let of_layer: Vec<usize> = (0..boxes.len()).filter(|at| boxes[*at].layer == layer).collect();
            for row in of_layer.chunks(ROW) {
                row.iter().for_each(|at| row_of[*at] = rows.len());
                rows.push(row.to_vec());
            }
        }
        let mut chains = Vec::new();
        // Lines from one box pass a row together.
        let mut passing: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for (from, to) in lines(boxes) {
            let mut chain = vec![from];
            let passed = if boxes.len() <= TIDY { row_of[from] + 1..row_of[to] } else { 0..0 };
            for row in passed {
                let place = *passing.entry((from, row)).or_insert_with(|| {
                    nodes.push(Node { of: None, width: PASSING, x: 0, y: 0 });
                    rows[row].push(nodes.len() - 1);
                    nodes.len() - 1
                });
                chain.push(place);
            }
            chain.push(to);
            chains.push(chain);
        }
        let wide = |row: &[usize], nodes: &[Node]| row.iter().map(|at| nodes[*at].width + GAP_X).sum::<usize>() + GAP_X;
        let width = rows.iter().map(|row| wide(row, &nodes)).max().unwrap_or(WIDTH);
        let height = (rows.len() * (HEIGHT + GAP_Y)).saturating_sub(GAP_Y) + 12;
        place(&rows, &mut nodes, width);
        if boxes.len() <= TIDY {
            tidy(&mut rows, &mut nodes, &chains, width);
        }
        Self { nodes, chains, width, height }
    }
}

/// Orders each row by what it hangs on, down and up again: lines cross less.
fn tidy(rows: &mut [Vec<usize>], nodes: &mut [Node], chains: &[Vec<usize>], width: usize) {
    let mut neighbours = [vec![Vec::new(); nodes.len()], vec![Vec::new(); nodes.len()]];
    for pair in chains.iter().flat_map(|chain| chain.windows(2)) {
        neighbours[0][pair[1]].push(pair[0]);
        neighbours[1][pair[0]].push(pair[1]);
    }
    let middle = |node: &Node| node.x + node.width / 2;
    for sweep in 0..4 {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        if sweep % 2 == 1 {
            order.reverse();
        }
        for row in order {
            let pull = |node: usize| {
                let pulling: &[usize] = &neighbours[sweep % 2][node];
                let sum: usize = pulling.iter().map(|at| middle(&nodes[*at])).sum();
                sum.checked_div(pulling.len()).unwrap_or_else(|| middle(&nodes[node]))
            };
            let mut pulled: Vec<(usize, usize)> = rows[row].iter().map(|at| (pull(*at), *at)).collect();
            pulled.sort_by_key(|(pull, _)| *pull);
            rows[row] = pulled.into_iter().map(|(_, at)| at).collect();
            place(rows, nodes, width);
        }
    }
}

/// Gives everything its place: rows below one another, each in the middle.
fn place(rows: &[Vec<usize>], nodes: &mut [Node], width: usize) {
    for (number, row) in rows.iter().enumerate() {
        let taken: usize = row.iter().map(|at| nodes[*at].width + GAP_X).sum::<usize>().saturating_sub(GAP_X);
        let mut x = (width - taken.min(width)) / 2;
        for at in row {
            nodes[*at].x = x;
            nodes[*at].y = 6 + number * (HEIGHT + GAP_Y);
            x += nodes[*at].width + GAP_X;
        }
    }
}

/// Lists which box feeds which, each pair once and only downwards.
fn lines(boxes: &[Boxed<'_>]) -> BTreeSet<(usize, usize)> {
    let mut lines = BTreeSet::new();
    for (to, it) in boxes.iter().enumerate() {
        for source in &it.sources {
            let from = boxes.iter().position(|other| match source.split_once('/') {
                Some((step, _)) => other.kind == Kind::Step && other.name == step,
                None => other.kind == Kind::Input && other.name == source,
            });
            lines.extend(from.filter(|from| boxes[*from].layer < it.layer).map(|from| (from, to)));
        }
    }
    lines
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
