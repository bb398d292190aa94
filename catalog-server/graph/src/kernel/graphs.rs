//! Named graphs, and counts that are read off the columns.

use oxigraph::model::Variable;
use spargebra::algebra::{AggregateExpression, AggregateFunction, Expression, GraphPattern};
use spargebra::term::{NamedNodePattern, TriplePattern};

use super::scan::{name, names};
use super::table::Table;
use super::wanted::Wanted;
use super::{Kernel, Outcome, Stop};
use crate::storage::view::GraphView;

/// What a tally counts in each of its groups.
#[derive(Clone, Copy)]
enum Count {
    Triples,
    Subjects,
    Objects,
}

impl<'a> Kernel<'a> {
    /// Returns the graph that patterns are about.
    pub(super) fn graph(&self) -> GraphView<'a> {
        self.graph.get()
    }

    /// Returns the named graphs of the query's dataset.
    fn named_graphs(&self) -> Vec<u32> {
        let mut graphs = self.view.named_graphs();
        if let Some(named) = &self.named {
            graphs.retain(|graph| named.contains(graph));
        }
        graphs
    }

    /// Evaluates a pattern in a graph, or in each.
    pub(super) fn in_graph(
        &self,
        name: &NamedNodePattern,
        inner: &GraphPattern,
        most: Option<usize>,
        wanted: &Wanted,
    ) -> Outcome<Table<'a>> {
        let around = self.graph();
        let table = match name {
            NamedNodePattern::NamedNode(node) => {
                // A graph that is not there is seldom asked for; spareval says what that gives.
                let graph = self.view.find(node.as_ref().into()).ok_or(Stop::Unknown)?;
                if !self.named_graphs().contains(&graph) || !says_something(inner) {
                    return Err(Stop::Unknown);
                }
                self.graph.set(self.view.graph(Some(graph)));
                self.part(inner, most, wanted)
            }
            NamedNodePattern::Variable(variable) => self.in_each_graph(variable.as_str(), inner),
        };
        self.graph.set(around);
        table
    }

    fn in_each_graph(&self, name: &str, inner: &GraphPattern) -> Outcome<Table<'a>> {
        if !is_plain(inner, name) || !says_something(inner) {
            return Err(Stop::Unknown);
        }
        let mut all: Option<Table<'a>> = None;
        for graph in self.named_graphs() {
            self.graph.set(self.view.graph(Some(graph)));
            let mut table = self.pattern(inner, None)?;
            if table.column(name).is_some() {
                return Err(Stop::Unknown);
            }
            table.push(name, vec![graph; table.rows]);
            all = Some(match all {
                Some(all) => self.union(all, table)?,
                None => table,
            });
        }
        all.ok_or(Stop::Unknown)
    }

    /// Counts the triples of one pattern by graph, predicate or object without looking at each; nothing when that is
    /// not all that is asked for.
    pub(super) fn tally(
        &self,
        inner: &GraphPattern,
        variables: &[Variable],
        aggregates: &[(Variable, AggregateExpression)],
    ) -> Outcome<Option<Table<'a>>> {
        let (graph, inner) = match inner {
            GraphPattern::Graph { name: NamedNodePattern::Variable(graph), inner } => (Some(graph.as_str()), &**inner),
            other => (None, other),
        };
        let triple = match inner {
            GraphPattern::Bgp { patterns } if patterns.len() == 1 => &patterns[0],
            _ if graph.is_some() => return Ok(None),
            _ => return self.tally_properties(inner, variables, aggregates),
        };
        let (Some(subject), Some(object)) = (name(&triple.subject), name(&triple.object)) else { return Ok(None) };
        let mut all = names(triple);
        all.extend(graph.map(str::to_owned));
        if (1..all.len()).any(|at| all[..at].contains(&all[at])) || subject == object {
            return Ok(None);
        }
        let by = |name: Option<&str>| name.is_some_and(|name| variables.iter().any(|one| one.as_str() == name));
        let predicate = match &triple.predicate {
            NamedNodePattern::Variable(variable) => Some(variable.as_str()),
            NamedNodePattern::NamedNode(_) => None,
        };
        let (by_graph, by_predicate) = (by(graph), by(predicate));
        let (by_subject, by_object) = (by(Some(&subject)), by(Some(&object)));
        let keys = [by_graph, by_predicate, by_subject, by_object].into_iter().filter(|by| *by).count();
        let by_end = by_subject || by_object;
        if keys != variables.len() || (by_end && (keys > 1 || predicate.is_some() || graph.is_some())) {
            return Ok(None);
        }
        let mut counts = Vec::with_capacity(aggregates.len());
        for (_, aggregate) in aggregates {
            let one_predicate = predicate.is_none() || by_predicate;
            let one_graph = graph.is_none() || by_graph;
            counts.push(match aggregate {
                AggregateExpression::CountSolutions { distinct: false } => Count::Triples,
                AggregateExpression::FunctionCall {
                    name: AggregateFunction::Count,
                    expr: Expression::Variable(variable),
                    distinct,
                } if all.iter().any(|name| name == variable.as_str()) => match distinct {
                    false => Count::Triples,
                    true if !one_predicate || !one_graph => return Ok(None),
                    true if variable.as_str() == subject && by_object => Count::Triples,
                    true if variable.as_str() == object && by_subject => Count::Triples,
                    true if by_end => return Ok(None),
                    true if variable.as_str() == subject => Count::Subjects,
                    true if variable.as_str() == object => Count::Objects,
                    true => return Ok(None),
                },
                _ => return Ok(None),
            });
        }
        if by_end {
            self.tally_ends(triple, by_object, variables, aggregates)
        } else {
            let ask = Ask { triple, graph, by_graph, by_predicate, counts: &counts };
            self.tally_predicates(&ask, variables, aggregates).map(Some)
        }
    }

    fn tally_ends(
        &self,
        triple: &TriplePattern,
        by_object: bool,
        variables: &[Variable],
        aggregates: &[(Variable, AggregateExpression)],
    ) -> Outcome<Option<Table<'a>>> {
        let NamedNodePattern::NamedNode(predicate) = &triple.predicate else { return Ok(None) };
        let (ends, numbers): (Vec<u32>, Vec<i64>) = match self.view.find(predicate.as_ref().into()) {
            None => Default::default(),
            Some(predicate) => {
                let (ends, _) = match by_object {
                    true => self.graph().by_object(predicate),
                    false => self.graph().by_subject(predicate),
                };
                ends.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as i64)).unzip()
            }
        };
        self.within(ends.len() * 4)?;
        let mut table = Table { rows: ends.len(), sorted: Some(0), ..Table::default() };
        for variable in variables {
            table.push(variable.as_str(), ends.clone());
        }
        for (variable, _) in aggregates {
            table.push(variable.as_str(), self.integers(&numbers));
        }
        Ok(Some(table))
    }

    fn tally_predicates(
        &self,
        ask: &Ask<'_>,
        variables: &[Variable],
        aggregates: &[(Variable, AggregateExpression)],
    ) -> Outcome<Table<'a>> {
        let mut groups: Vec<([u32; 2], Vec<i64>)> = Vec::new();
        let graphs: Vec<(u32, GraphView<'_>)> = match ask.graph {
            Some(_) => self.named_graphs().into_iter().map(|id| (id, self.view.graph(Some(id)))).collect(),
            None => vec![(0, self.graph())],
        };
        for (id, graph) in graphs {
            let predicates = match &ask.triple.predicate {
                NamedNodePattern::NamedNode(node) => self.view.find(node.as_ref().into()).into_iter().collect(),
                NamedNodePattern::Variable(_) => graph.predicates(),
            };
            for predicate in predicates {
                self.alive()?;
                let triples = graph.count_predicate(predicate);
                if triples == 0 {
                    continue;
                }
                let key = [if ask.by_graph { id } else { 0 }, if ask.by_predicate { predicate } else { 0 }];
                let counted = ask.counts.iter().map(|count| match count {
                    Count::Triples => triples as i64,
                    Count::Subjects => runs(&graph.by_subject(predicate).0),
                    Count::Objects => runs(&graph.by_object(predicate).0),
                });
                match groups.iter_mut().find(|(other, _)| *other == key) {
                    Some((_, counts)) => counts.iter_mut().zip(counted).for_each(|(sum, more)| *sum += more),
                    None => groups.push((key, counted.collect())),
                }
            }
        }
        if variables.is_empty() && groups.is_empty() {
            // Without GROUP BY there is one group, also of nothing.
            groups.push(([0, 0], vec![0; ask.counts.len()]));
        }
        let mut table = Table { rows: groups.len(), ..Table::default() };
        for variable in variables {
            let at = usize::from(Some(variable.as_str()) != ask.graph);
            table.push(variable.as_str(), groups.iter().map(|(key, _)| key[at]).collect::<Vec<_>>());
        }
        for (at, (variable, _)) in aggregates.iter().enumerate() {
            let numbers: Vec<i64> = groups.iter().map(|(_, counts)| counts[at]).collect();
            table.push(variable.as_str(), self.integers(&numbers));
        }
        Ok(table)
    }
}

/// What a tally is about.
struct Ask<'p> {
    triple: &'p TriplePattern,
    graph: Option<&'p str>,
    by_graph: bool,
    by_predicate: bool,
    counts: &'p [Count],
}

/// Counts the different values of a sorted column.
fn runs(sorted: &[u32]) -> i64 {
    sorted.chunk_by(|a, b| a == b).count() as i64
}

/// Says whether a pattern asks for triples: of `GRAPH ?g {}` there are as many solutions as graphs.
fn says_something(pattern: &GraphPattern) -> bool {
    match pattern {
        GraphPattern::Bgp { patterns } => !patterns.is_empty(),
        GraphPattern::Join { left, right } | GraphPattern::Union { left, right } => {
            says_something(left) && says_something(right)
        }
        GraphPattern::LeftJoin { left, .. } | GraphPattern::Minus { left, .. } => says_something(left),
        GraphPattern::Filter { inner, .. }
        | GraphPattern::Extend { inner, .. }
        | GraphPattern::Group { inner, .. }
        | GraphPattern::Project { inner, .. }
        | GraphPattern::Distinct { inner }
        | GraphPattern::OrderBy { inner, .. }
        | GraphPattern::Slice { inner, .. } => says_something(inner),
        _ => false,
    }
}

/// Says whether a pattern gives the same inside `GRAPH ?g`, wherever its variable is bound: spareval binds it inside.
fn is_plain(pattern: &GraphPattern, graph: &str) -> bool {
    let is_free = |triple: &TriplePattern| names(triple).iter().all(|name| name != graph);
    let asks = |expression: &Expression| {
        let mut variables = Vec::new();
        super::expression::variables_of(expression, &mut variables).is_ok()
            && variables.iter().all(|variable| variable.as_str() != graph)
    };
    match pattern {
        GraphPattern::Bgp { patterns } => patterns.iter().all(is_free),
        GraphPattern::Join { left, right } | GraphPattern::Union { left, right } => {
            is_plain(left, graph) && is_plain(right, graph)
        }
        GraphPattern::LeftJoin { left, right, expression } => {
            is_plain(left, graph) && is_plain(right, graph) && expression.as_ref().is_none_or(asks)
        }
        GraphPattern::Filter { expr, inner } => asks(expr) && is_plain(inner, graph),
        _ => false,
    }
}
