//! Which URLs may be asked.

use std::net::IpAddr;

use url::{Host, Url};

use crate::address::is_public;
use crate::error::Error;

/// The one origin that an operator vouches for: its address may be private and its port any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    host: String,
    port: u16,
}

impl Allowed {
    /// Takes host and port of an address; nothing for one without.
    pub fn of(url: &Url) -> Option<Self> {
        Some(Self { host: host_of(url)?, port: url.port_or_known_default()? })
    }

    /// Says whether an address is of this origin.
    pub fn covers(&self, url: &Url) -> bool {
        Some(self) == Self::of(url).as_ref()
    }
}

/// Names that mean this machine or its network whatever a resolver says.
const LOCAL_NAMES: [&str; 6] = ["localhost", "local", "internal", "lan", "home.arpa", "localdomain"];

/// Checks an address before anything is sent: scheme, user, port, and an address written as the host.
///
/// The parser has already turned every way to write an IPv4 address, decimal, octal, hexadecimal or with fewer parts,
/// into the address.
pub(crate) fn check(url: &Url, allowed: Option<&Allowed>) -> Result<(), Error> {
    let refuse = |reason: &str| Err(Error::Policy { url: shown(url), reason: reason.to_owned() });
    if !matches!(url.scheme(), "http" | "https") {
        return refuse("only http and https are");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("it holds a user name or a password");
    }
    if allowed.is_some_and(|allowed| allowed.covers(url)) {
        return Ok(());
    }
    let Some(port) = url.port_or_known_default() else { return refuse("it has no port") };
    if port != 80 && port != 443 {
        return refuse("its port is neither 80 nor 443");
    }
    match url.host() {
        Some(Host::Ipv4(address)) if !is_public(IpAddr::V4(address)) => refuse("its address is not public"),
        Some(Host::Ipv6(address)) if !is_public(IpAddr::V6(address)) => refuse("its address is not public"),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let local = |suffix: &&str| name == **suffix || name.ends_with(&format!(".{suffix}"));
            if name.is_empty() || LOCAL_NAMES.iter().any(local) || !name.contains('.') {
                return refuse("its host is a local name");
            }
            Ok(())
        }
        Some(_) => Ok(()),
        None => refuse("it has no host"),
    }
}

/// Checks a redirect: the new address as any other, and that nothing is lost on the way.
pub(crate) fn check_redirect(from: &Url, to: &Url, allowed: Option<&Allowed>) -> Result<(), Error> {
    check(to, allowed).map_err(|error| match error {
        Error::Policy { url, reason } => {
            Error::Policy { url, reason: format!("{reason} (`{}` leads there)", shown(from)) }
        }
        other => other,
    })?;
    if from.scheme() == "https" && to.scheme() == "http" {
        let reason = format!("`{}` leads from https to http", shown(from));
        return Err(Error::Policy { url: shown(to), reason });
    }
    Ok(())
}

/// Returns the host as one text for comparing.
pub(crate) fn host_of(url: &Url) -> Option<String> {
    Some(url.host()?.to_string().trim_end_matches('.').to_ascii_lowercase())
}

/// Returns an address for messages: without user, password and fragment, and not longer than a line.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Neither can fail for a URL with a host; without one there is nothing to hide.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    let text = url.to_string();
    match text.char_indices().nth(300) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
