//! What is free at each datazone, as statements.

use catalog_graph::{Literal, NamedNode, Term, Triple};
use catalog_schemas::datazone::{Capacity, Datazone};

const ESADO: &str = "https://w3id.org/esado#";
const XSD: &str = "http://www.w3.org/2001/XMLSchema#";
const RDF_TYPE: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type";

/// The most datazones that are told of, so that a request to a worker stays small.
const MOST: usize = 100;

/// Says what is free at each zone; of a zone whose state is not known nothing is said, as unknown is not zero.
pub(super) fn triples(base: &str, zones: &[Datazone]) -> Vec<Triple> {
    let mut triples = Vec::new();
    for zone in zones.iter().take(MOST) {
        if let (Some(capacity), Ok(iri)) = (&zone.capacity, NamedNode::new(format!("{base}/id/{}", zone.id))) {
            of_zone(&iri, zone, capacity, &mut triples);
        }
    }
    triples
}

fn of_zone(zone: &NamedNode, seen: &Datazone, capacity: &Capacity, triples: &mut Vec<Triple>) {
    let decimal = |text: String| typed(text, "decimal");
    let mut amounts = vec![
        ("cpu".to_owned(), decimal(seen.capability.cpu.to_string()), decimal(capacity.free_cpu.to_string())),
        (
            "memory".to_owned(),
            decimal(seen.capability.memory_mib.to_string()),
            decimal(capacity.free_memory_mib.to_string()),
        ),
    ];
    amounts.extend(capacity.free_gpus.iter().map(|free| {
        let total: u32 = seen.capability.gpus.iter().filter(|gpu| gpu.model == free.model).map(|gpu| gpu.count).sum();
        (free.model.clone(), decimal(total.to_string()), decimal(free.count.to_string()))
    }));
    for (number, (resource, total, free)) in amounts.into_iter().enumerate() {
        let node = part(zone, &format!("capacity-{number}"));
        say(triples, zone, "capacity", node.clone());
        triples.push(Triple::new(node.clone(), NamedNode::new_unchecked(RDF_TYPE), esado("Capacity")));
        say(triples, &node, "resource", Literal::from(resource));
        say(triples, &node, "total", total);
        say(triples, &node, "free", free);
        say(triples, &node, "observedAt", typed(capacity.observed_at.clone(), "dateTime"));
    }
}

fn say(triples: &mut Vec<Triple>, subject: &NamedNode, property: &str, object: impl Into<Term>) {
    triples.push(Triple::new(subject.clone(), esado(property), object));
}

fn esado(name: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("{ESADO}{name}"))
}

fn typed(text: String, datatype: &str) -> Literal {
    Literal::new_typed_literal(text, NamedNode::new_unchecked(format!("{XSD}{datatype}")))
}

fn part(zone: &NamedNode, name: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("{}#{name}", zone.as_str()))
}

#[cfg(test)]
mod tests {
    use catalog_schemas::datazone::{Capability, FreeGpu, Gpu};
    use catalog_schemas::plan::MilliCpu;

    use super::*;

    #[test]
    fn what_is_known_is_said_and_nothing_else() {
        let capacity = Capacity {
            free_cpu: MilliCpu(1500),
            free_memory_mib: 2048,
            free_gpus: vec![FreeGpu { model: "A100".to_owned(), count: 1 }],
            sessions: 3,
            observed_at: "2026-11-25T10:00:00Z".to_owned(),
        };
        let gpus = vec![Gpu { model: "A100".to_owned(), count: 4, ..Gpu::default() }];
        let mut zone = Datazone {
            id: "sci".to_owned(),
            name: "SCI".to_owned(),
            demo: true,
            capability: Capability { cpu: MilliCpu::cores(8), memory_mib: 4096, gpus, ..Capability::default() },
            capacity: Some(capacity),
            health: "up".to_owned(),
            problem: None,
            file_service: None,
        };
        let said: Vec<String> = triples("http://e", &[zone.clone()]).iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 18);
        let free = "<http://e/id/sci#capacity-0> <https://w3id.org/esado#free> \"1.5\"^^<http://www.w3.org/2001/XMLSchema#decimal>";
        assert!(said.contains(&free.to_owned()), "{said:#?}");
        zone.capacity = None;
        assert!(triples("http://e", &[zone]).is_empty());
    }
}
