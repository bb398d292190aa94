//! catalog-ontology
