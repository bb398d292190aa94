//! Where a request comes from, for whatever is counted by client.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::extract::{ConnectInfo, Request};
use http::HeaderMap;
use serde::Deserialize;

tokio::task_local! {
    /// The client of the request being answered; it holds for what a page asks in process, too.
    pub static CLIENT_ADDRESS: ClientAddress;
}

/// A client's address: an IPv4 address, or the /64 that one IPv6 client has for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// Returns the address, or the first of an IPv6 client's.
    pub fn ip(self) -> IpAddr {
        self.0
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
            address => address,
        })
    }
}

impl std::fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V6(address) => write!(f, "{address}/64"),
            address => write!(f, "{address}"),
        }
    }
}

/// Returns the client of the request being answered, or this machine outside of one.
pub fn client_address() -> ClientAddress {
    CLIENT_ADDRESS.try_with(|address| *address).unwrap_or(ClientAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)))
}

/// Finds the client of a request: the peer, or whom a proxy that the operator trusts names.
pub fn find(request: &Request, trusted: &[Network]) -> ClientAddress {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    behind(peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), request.headers(), trusted).into()
}

/// Walks `X-Forwarded-For` from its end, where the nearest proxy wrote, as long as whoever wrote is trusted: what stands
/// further left may be the client's own invention.
fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let mut client = peer.to_canonical();
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    for named in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !trusted.iter().any(|network| network.holds(client)) {
            break;
        }
        let Some(address) = read(named.trim()) else { break };
        client = address.to_canonical();
    }
    client
}

/// Reads an address, which may have a port.
fn read(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// A range of addresses, such as `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Says whether an address lies in the range.
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()).checked_shr(32 - self.prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()).checked_shr(128 - self.prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a range of addresses such as 10.0.0.0/8");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(most), |prefix| prefix.parse().map_err(|_| wrong()))?;
        if prefix <= most { Ok(Self { address, prefix }) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        ClientAddress::from(behind(peer.parse().unwrap(), &headers, &trusted)).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let rows: [(&str, &[&str], &[&str], &str); 9] = [
            ("192.0.2.1", &[], &[], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.7"], &[], "192.0.2.1"),
            ("10.0.0.1", &["198.51.100.7"], &["10.0.0.0/8"], "198.51.100.7"),
            // The client wrote the first one itself.
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7"], &["10.0.0.0/8"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7, 10.2.3.4"], &["10.0.0.0/8"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7", "10.2.3.4"], &["10.0.0.0/8"], "198.51.100.7"),
            ("10.0.0.1", &["unknown"], &["10.0.0.0/8"], "10.0.0.1"),
            ("::ffff:10.0.0.1", &["[2001:db8:1:2:3:4:5:6]:443"], &["10.0.0.1"], "2001:db8:1:2::/64"),
            ("10.0.0.1", &["198.51.100.7:5000"], &["0.0.0.0/0"], "198.51.100.7"),
        ];
        for (peer, lines, trusted, expected) in rows {
            assert_eq!(client(peer, lines, trusted), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_range_is_read_or_refused() {
        for text in ["10.0.0.0/33", "::/129", "10.0.0/8", "", "/8", "10.0.0.0/x"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        let all: Network = "::/0".parse().unwrap();
        assert!(all.holds("2001:db8::1".parse().unwrap()) && !all.holds("10.0.0.1".parse().unwrap()));
    }
}
