//! Names to addresses, without those that must not be asked.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::is_public;

/// Looks names up.
pub trait Lookup: Send + Sync + std::fmt::Debug {
    /// Returns every address of a name.
    fn lookup(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>>;
}

/// Asks the system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(addresses.map(|address| address.ip()).collect())
        })
    }
}

/// A resolver of the client: what it returns is what is connected to, so a name cannot change in between.
#[derive(Debug, Clone)]
pub(crate) struct Filtered {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) only_public: bool,
}

/// The message by which an error of the client is known to be a refusal of ours.
pub(crate) const REFUSED: &str = "every address of the name is private";

impl Resolve for Filtered {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, only_public) = (Arc::clone(&self.lookup), self.only_public);
        Box::pin(async move {
            let found = lookup.lookup(name.as_str().to_owned()).await?;
            let any = !found.is_empty();
            let kept: Vec<_> = found
                .into_iter()
                .filter(|address| !only_public || is_public(*address))
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if kept.is_empty() && any {
                return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, REFUSED).into());
            }
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}
