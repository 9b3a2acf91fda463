//! Whether the text of an address can be read in one way only. A reserved character that stands as it
//! is in a password ends it: the rest of the password would be taken for a database or an option, and
//! shown as such.

/// What to do about a name or a password that breaks the address.
const ESCAPE: &str = "percent-encode what is no letter or digit in the user's name and password, \
                      for example / as %2F, ? as %3F, # as %23, @ as %40 and % as %25";

/// The options that are understood. Others are ignored by the driver, which logs their values.
const OPTIONS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Judges what stands after the scheme. The reason shows nothing of it.
pub(crate) fn judge(rest: &str) -> Result<(), &'static str> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    let entry = authority.split_once('@').map_or("", |(entry, _)| entry);
    if authority.matches('@').count() > 1 || after.contains('@') || !is_escaped(entry) {
        return Err(ESCAPE);
    }
    if after.contains('#') {
        return Err("it has a fragment, which no database has");
    }
    let options = after.split_once('?').map_or("", |(_, options)| options);
    let names = options.split('&').map(|option| option.split('=').next().unwrap_or_default());
    let mut names = names.filter(|name| !name.is_empty());
    let known = |name: &str| OPTIONS.contains(&name) || name.starts_with("options[");
    if !names.all(known) {
        return Err("it has options other than sslmode, sslrootcert, sslcert, sslkey, \
                    application_name, options, options[setting] and their like");
    }
    Ok(())
}

/// Whether each `%` begins an escape.
fn is_escaped(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let digits = after.get(..2).unwrap_or_default();
        digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}
