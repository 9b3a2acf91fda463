//! The address of a cluster as users write it, with what the client's own defaults leave open.

use std::fmt;

use eventstore::ClientSettings;

/// What the client is told unless the address says otherwise: it would pause for half a second
/// before it even tries, and wait for three for a node that does not answer.
const DEFAULTS: [(&str, &str); 3] =
    [("discoveryInterval", "20"), ("gossipTimeout", "1000"), ("connectionName", "holdfast")];

/// What may stand in a name or a password beside letters and digits.
const PLAIN: &str = "-._~!$&'()*+";

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
        judge(text)?;
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

/// The client sends name and password as they stand in the address, escapes and all, and splits them
/// at commas: what would arrive as something else is refused. So is a reserved character that ends the
/// password early, and makes a host of the rest.
fn judge(text: &str) -> Result<(), AddressError> {
    let rest = text.split_once("://").map_or(text, |(_scheme, rest)| rest);
    let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let entry = authority.split_once('@').map_or("", |(entry, _)| entry);
    let (name, password) = entry.split_once(':').unwrap_or((entry, ""));
    let plain = |c: char| c.is_ascii_alphanumeric() || PLAIN.contains(c);
    let carried = [name, password].iter().all(|text| text.chars().all(plain));
    if carried && authority.matches('@').count() < 2 && !after.contains('@') {
        return Ok(());
    }
    Err(AddressError(format!(
        "its client carries names and passwords of letters, digits and {PLAIN} only, and no \
         percent-encoded ones"
    )))
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

    #[test]
    fn a_password_that_would_arrive_as_another_is_refused_and_nothing_of_it_is_shown() {
        for password in
            ["12/hush", "12?hush", "12#hush", "12@hush", "hush%", "hush%40", "hu,sh", "hu;sh"]
        {
            for hosts in ["db:2113", "a:1,b:2"] {
                let why = Address::parse(&format!("kurrentdb://me:{password}@{hosts}"));
                let why = why.unwrap_err().to_string();
                assert!(why.contains("letters, digits") && !why.contains("hu"), "{why}");
            }
        }
        Address::parse("kurrentdb://me:s3cret-._~!$&'()*+@a:1,b:2").unwrap();
    }
}
