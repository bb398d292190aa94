//! Graphs as answers: CONSTRUCT and DESCRIBE.

use rustc_hash::FxHashSet;
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern};

use super::table::{Table, UNBOUND};
use super::{Kernel, Outcome, Stop};
use crate::storage::term::Class;

/// A place of a template.
enum Place {
    Id(u32),
    Column(Option<usize>),
}

impl Kernel<'_> {
    /// Fills a template with every row; a triple that was made before is made no more.
    pub(super) fn construct(&self, table: &Table<'_>, template: &[TriplePattern]) -> Outcome<Vec<[u32; 3]>> {
        let term = |term: &TermPattern| -> Outcome<Place> {
            Ok(match term {
                TermPattern::NamedNode(node) => Place::Id(self.intern_term(&node.clone().into())),
                TermPattern::Literal(literal) => Place::Id(self.intern_term(&literal.clone().into())),
                TermPattern::Variable(variable) => Place::Column(table.column(variable.as_str())),
                // Every row has blank nodes of its own.
                _ => return Err(Stop::Unknown),
            })
        };
        let mut places = Vec::with_capacity(template.len());
        for triple in template {
            let predicate = match &triple.predicate {
                NamedNodePattern::NamedNode(node) => Place::Id(self.intern_term(&node.clone().into())),
                NamedNodePattern::Variable(variable) => Place::Column(table.column(variable.as_str())),
            };
            places.push([term(&triple.subject)?, predicate, term(&triple.object)?]);
        }
        let (mut seen, mut triples) = (FxHashSet::default(), Vec::new());
        for row in 0..table.rows {
            self.look(row, triples.len() * 7)?;
            for triple in &places {
                let value = |place: &Place| match place {
                    Place::Id(id) => Some(*id),
                    Place::Column(column) => table.get(*column, row),
                };
                let [Some(s), Some(p), Some(o)] = triple.each_ref().map(value) else { continue };
                let is_triple = !self.class(s).is_literal() && self.class(p) == Class::Iri;
                if is_triple && seen.insert([s, p, o]) {
                    triples.push([s, p, o]);
                    if triples.len() > self.limits.rows {
                        // More than may be answered: the writer says so.
                        return Ok(triples);
                    }
                }
            }
        }
        Ok(triples)
    }

    /// Collects the statements about every term of a table, and about the blank nodes that they lead to.
    pub(super) fn describe(&self, table: &Table<'_>) -> Outcome<Vec<[u32; 3]>> {
        let mut seen: FxHashSet<u32> = FxHashSet::default();
        let (mut waiting, mut triples) = (Vec::new(), Vec::new());
        for id in table.columns.iter().flat_map(|column| column.iter()).filter(|id| **id != UNBOUND) {
            if seen.insert(*id) {
                waiting.push(*id);
            }
        }
        while let Some(subject) = waiting.pop() {
            let (predicates, objects) = self.graph().about(subject);
            for (predicate, object) in predicates.iter().zip(objects.iter()) {
                triples.push([subject, *predicate, *object]);
                if self.class(*object) == Class::Blank && seen.insert(*object) {
                    waiting.push(*object);
                }
            }
            self.look(triples.len(), triples.len() * 3)?;
            if triples.len() > self.limits.rows {
                return Ok(triples);
            }
        }
        Ok(triples)
    }
}
