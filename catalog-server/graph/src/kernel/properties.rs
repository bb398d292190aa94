//! Which properties some things have, counted without a row for each statement.

use oxigraph::model::Variable;
use spargebra::algebra::{AggregateExpression, AggregateFunction, Expression, GraphPattern};
use spargebra::term::{NamedNodePattern, TriplePattern};

use super::expression::variables_of;
use super::pattern::{Conjunction, collect};
use super::scan::{name, names};
use super::table::Table;
use super::wanted::Wanted;
use super::{Kernel, Outcome, Stop};

/// What is counted of a property.
#[derive(Clone, Copy)]
enum Count {
    Statements,
    Subjects,
}

/// A property, how many statements have it, and how many subjects.
type Property = (u32, i64, i64);

impl<'a> Kernel<'a> {
    /// Counts `?p` of `?s ?p ?o` by property, where `?s` is bound by other triples; nothing when something else is asked.
    pub(super) fn tally_properties(
        &self,
        inner: &GraphPattern,
        variables: &[Variable],
        aggregates: &[(Variable, AggregateExpression)],
    ) -> Outcome<Option<Table<'a>>> {
        let [by] = variables else { return Ok(None) };
        let mut rest = Conjunction::default();
        collect(inner, &mut rest);
        let is_open = |triple: &&TriplePattern| matches!(&triple.predicate, NamedNodePattern::Variable(p) if p == by);
        let Some(at) = rest.triples.iter().position(is_open) else { return Ok(None) };
        let open = rest.triples.remove(at);
        let (Some(subject), Some(object)) = (name(&open.subject), name(&open.object)) else { return Ok(None) };
        let bound = rest.bound();
        let is_alone =
            names(open).len() == 3 && !bound.contains(&object) && !bound.iter().any(|one| one == by.as_str());
        if !is_alone || object == subject || !bound.contains(&subject) || !rest.others.is_empty() {
            return Ok(None);
        }
        for filter in &rest.filters {
            let mut asked = Vec::new();
            variables_of(filter, &mut asked)?;
            if !asked.iter().all(|one| bound.iter().any(|other| other == one.as_str())) {
                return Ok(None);
            }
        }
        let of_open = |name: &str| name == subject || name == object || name == by.as_str();
        let count = |aggregate: &AggregateExpression| match aggregate {
            AggregateExpression::CountSolutions { distinct: false } => Some(Count::Statements),
            AggregateExpression::FunctionCall {
                name: AggregateFunction::Count,
                expr: Expression::Variable(variable),
                distinct,
            } => match distinct {
                false => of_open(variable.as_str()).then_some(Count::Statements),
                true => (variable.as_str() == subject).then_some(Count::Subjects),
            },
            _ => None,
        };
        let Some(counts) = aggregates.iter().map(|(_, aggregate)| count(aggregate)).collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        rest.wanted = Wanted::of([subject.clone()], false);
        let table = self.triples(Table::unit(), &rest, None)?;
        let Some(at) = table.column(&subject) else { return Err(Stop::Unknown) };
        let properties = self.properties(&table, at)?;
        let mut result = Table { rows: properties.len(), ..Table::default() };
        result.push(by.as_str(), properties.iter().map(|(id, ..)| *id).collect::<Vec<_>>());
        for ((variable, _), count) in aggregates.iter().zip(counts) {
            let number = |(_, statements, subjects): &Property| match count {
                Count::Statements => *statements,
                Count::Subjects => *subjects,
            };
            result.push(variable.as_str(), self.integers(&properties.iter().map(number).collect::<Vec<_>>()));
        }
        Ok(Some(result))
    }

    /// Counts the properties of the subjects in a column; a subject that is there twice has its statements twice.
    fn properties(&self, table: &Table<'_>, at: usize) -> Outcome<Vec<Property>> {
        let graph = self.graph();
        let mut subjects = table.columns[at].clone();
        if table.sorted != Some(at) {
            subjects.to_mut().sort_unstable();
        }
        let mut found: Vec<Property> = graph.predicates().into_iter().map(|predicate| (predicate, 0, 0)).collect();
        let mut from = 0;
        for (row, run) in subjects.chunk_by(|a, b| a == b).enumerate() {
            self.look(row, 0)?;
            let (predicates, _) = graph.about_from(run[0], &mut from);
            // Both are in the order of ids.
            let mut next = 0;
            for statements in predicates.chunk_by(|a, b| a == b) {
                while found.get(next).is_some_and(|(predicate, ..)| *predicate < statements[0]) {
                    next += 1;
                }
                match found.get_mut(next) {
                    Some((predicate, count, subjects)) if *predicate == statements[0] => {
                        *count += (statements.len() * run.len()) as i64;
                        *subjects += 1;
                    }
                    _ => return Err(Stop::Unknown),
                }
            }
        }
        found.retain(|(_, statements, _)| *statements > 0);
        Ok(found)
    }
}
