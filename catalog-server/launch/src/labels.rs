//! The labels by which labs are known again, whatever runs them.

/// The launch.
pub(crate) const LAUNCH: &str = "alidade.launch";
/// The datazone.
pub(crate) const ZONE: &str = "alidade.zone";
/// The server that made it.
pub(crate) const INSTANCE: &str = "alidade.instance";
/// A hash of the owner's account.
pub(crate) const OWNER: &str = "alidade.owner-hash";
/// Thousandths of processor cores granted.
pub(crate) const CPU: &str = "alidade.cpu-milli";
/// Memory granted.
pub(crate) const MEMORY: &str = "alidade.memory-mib";
/// Devices granted, with blanks between them.
pub(crate) const DEVICES: &str = "alidade.devices";
/// Marks the labs' network.
pub(crate) const NETWORK: &str = "alidade.network";
/// The launch whose files a container holds that is never started.
pub(crate) const FILES: &str = "alidade.files";
