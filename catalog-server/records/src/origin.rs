//! Where a change comes from: what the audit trail says beside who, what and when.
//!
//! Whoever answers a request opens a [`scope`]; every write that is asked for inside of it carries the scope's words to the
//! writer. Thereby no operation has to pass on what it does not need, and none can forget it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Where a change comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// For whom the account acts, when not for itself.
    pub behalf: Option<String>,
    /// With what it proved who it is: `session`, or `token` and its id.
    pub credential: Option<String>,
    /// The prefix of the address it came from; a whole one would say more of a person than an audit needs.
    pub address: Option<String>,
}

tokio::task_local! {
    static ORIGIN: Arc<Mutex<Origin>>;
}

/// Runs a future whose writes come from there.
pub async fn scope<F: Future>(origin: Origin, future: F) -> F::Output {
    ORIGIN.scope(Arc::new(Mutex::new(origin)), future).await
}

/// Changes the origin of what is written from here on in this scope; does nothing outside of one.
pub fn note(change: impl FnOnce(&mut Origin)) {
    // Outside of a scope there is nobody to note anything for.
    let _ = ORIGIN.try_with(|origin| change(&mut origin.lock().unwrap_or_else(PoisonError::into_inner)));
}

/// Returns the origin of what is written here; nothing outside of a scope.
pub fn current() -> Origin {
    ORIGIN.try_with(|origin| origin.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap_or_default()
}

/// Returns the prefix of an address: the first three bytes of IPv4, the first 48 bits of IPv6, which is a site.
pub fn prefix(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_prefix_of_an_address_is_kept() {
        for (address, expected) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ] {
            assert_eq!(prefix(address.parse().unwrap()), expected);
        }
    }

    #[tokio::test]
    async fn an_origin_holds_within_its_scope_only() {
        assert_eq!(current(), Origin::default());
        let address = Some("192.0.2.0/24".to_owned());
        scope(Origin { address: address.clone(), ..Origin::default() }, async {
            note(|origin| origin.credential = Some("session".to_owned()));
            assert_eq!(current(), Origin { credential: Some("session".to_owned()), address, behalf: None });
        })
        .await;
        assert_eq!(current(), Origin::default());
    }
}
