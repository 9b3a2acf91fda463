//! The address of a cluster as users write it, with what the client's own defaults leave open.

use std::fmt;

use eventstore::ClientSettings;

/// What the client is told unless the address says otherwise: it would pause for half a second
/// before it even tries, and wait for three for a node that does not answer.
const DEFAULTS: [(&str, &str); 3] =
    [("discoveryInterval", "20"), ("gossipTimeout", "1000"), ("connectionName", "holdfast")];

/// What an address is not. Never shows the address itself: it holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an address of KurrentDB, kurrentdb://user:password@host:2113,host:2113?tls=true: {0}")]
pub struct AddressError(String);

/// Where a cluster is, and how to speak to it.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) settings: ClientSettings,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self, AddressError> {
        let mut address = text.to_owned();
        for (name, value) in DEFAULTS {
            if text.to_lowercase().contains(&format!("{}=", name.to_lowercase())) {
                continue;
            }
            address.push(if address.contains('?') { '&' } else { '?' });
            address.extend([name, "=", value]);
        }
        let settings: ClientSettings = address.parse().map_err(|_why| {
            // What the client says about it repeats the address.
            AddressError("it cannot be read".to_owned())
        })?;
        if settings.hosts().is_empty() {
            return Err(AddressError("it names no host".to_owned()));
        }
        Ok(Self { settings })
    }
}

/// Hosts; never the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, host) in self.settings.hosts().iter().enumerate() {
            let before = if index == 0 { "" } else { "," };
            write!(f, "{before}{}:{}", host.host, host.port)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_what_it_says_and_never_shows_its_password() {
        let one = Address::parse("kurrentdb://me:secret@db:2113?tls=false").unwrap();
        assert_eq!(format!("{one:?}"), "Address(db:2113)");
        assert_eq!(one.settings.discovery_interval().as_millis(), 20);
        let two = Address::parse("esdb://a:1,b:2?discoveryInterval=70").unwrap();
        assert_eq!(two.to_string(), "a:1,b:2");
        assert_eq!(two.settings.discovery_interval().as_millis(), 70);
        let wrong = Address::parse("postgres://me:secret@db").unwrap_err();
        assert!(!wrong.to_string().contains("secret"), "{wrong}");
    }
}
