//! What can be wrong before a backend is asked.

use catalog_schemas::problem::Finding;

/// Says why a zone cannot be opened or a request cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration says something that cannot be.
    #[error("datazone `{zone}`: {problem}")]
    Configuration {
        /// The datazone.
        zone: String,
        /// What cannot be, naming the key.
        problem: String,
    },
    /// The engine's address cannot be used.
    #[error("datazone `{zone}`: `{endpoint}` is not an engine's address: {cause}")]
    Endpoint {
        /// The datazone.
        zone: String,
        /// The address given.
        endpoint: String,
        /// What the client says about it.
        cause: String,
    },
    /// The request asks for something that no zone could be asked; every fault is listed.
    #[error("the plan's request has {} fault{}", .findings.len(), if .findings.len() == 1 { "" } else { "s" })]
    Request {
        /// All faults, each with a pointer into the request.
        findings: Vec<Finding>,
    },
}
