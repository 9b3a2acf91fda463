//! The table of settings: names, defaults, and what they mean. Flags, environment names, file keys
//! and `config show` are all derived from it.

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The flag without its dashes; the other spellings follow from it.
    pub name: &'static str,
    /// How a value is called in the help.
    pub value_name: &'static str,
    /// The value without any other source; empty when there is none.
    pub default: &'static str,
    /// What it is, for the help.
    pub help: &'static str,
}

impl Setting {
    /// The name in the environment.
    pub fn environment(&self) -> String {
        format!("HOLDFAST_{}", self.key().to_ascii_uppercase())
    }

    /// The key in the file.
    pub fn key(&self) -> String {
        self.name.replace('-', "_")
    }
}

const fn setting(
    name: &'static str,
    value_name: &'static str,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting { name, value_name, default, help }
}

/// Every setting, in the order in which they are shown.
pub const SETTINGS: &[Setting] = &[
    setting("listen", "ADDRESS", "127.0.0.1:8080", "Where to listen; port 0 takes any free one"),
    setting("data", "FOLDER", "./data", "Folder of the SQLite files, the keys and the simulator"),
    setting(
        "log-url",
        "URL",
        "sqlite",
        "The event log: sqlite:<folder>, postgres://…, kurrentdb://… or memory:",
    ),
    setting(
        "read-url",
        "URL",
        "",
        "The read models: sqlite:<folder>, postgres://… or memory: (beside the log without it)",
    ),
    setting("redis-url", "URL", "", "A cache and rate limits that nodes share: redis://…"),
    setting("cache-seconds", "SECONDS", "300", "How long an answer stays in the shared cache"),
    setting("role", "ROLE", "all", "What this node runs: all, api or worker (several nodes)"),
    setting("node-name", "NAME", "", "What this node is called in leases and logs"),
    setting("jwt-issuer", "TEXT", "holdfast", "The `iss` that tokens must carry"),
    setting("jwt-audience", "TEXT", "holdfast", "The `aud` that tokens must carry"),
    setting("jwks-url", "URL", "", "Where a foreign issuer publishes its keys"),
    setting("payments", "PROVIDER", "simulator", "Who answers for payments: simulator"),
    setting("test-clock", "INSTANT", "", "Start a clock that can be moved, at this instant or now"),
    setting("log-format", "FORMAT", "auto", "How log lines look: auto, text or json"),
    setting(
        "log",
        "FILTER",
        "info,actix_server=warn,sqlx=warn",
        "What is logged, for example info,holdfast_api=debug",
    ),
    setting("cors-origins", "LIST", "", "Web origins that may call from a browser, by comma"),
    setting(
        "trusted-proxies",
        "LIST",
        "",
        "Addresses or networks whose X-Forwarded-For is believed, by comma",
    ),
    setting("body-bytes-max", "BYTES", "65536", "The largest request body"),
    setting("page-items-max", "COUNT", "200", "The longest page"),
    setting("handler-seconds-max", "SECONDS", "15", "How long a request may take"),
    setting("head-seconds-max", "SECONDS", "5", "How long a request's head may take to arrive"),
    setting("sign-in-rate", "RATE", "20/60s", "Sign-ins per address"),
    setting("address-rate", "RATE", "1200/60s", "Requests per address"),
    setting("principal-rate", "RATE", "600/60s", "Requests per token's subject"),
    setting("socket-frame-bytes-max", "BYTES", "16384", "The largest WebSocket frame"),
    setting("sockets-per-principal-max", "COUNT", "10", "Open sockets of one subject"),
    setting("subscriptions-per-socket-max", "COUNT", "50", "Topics of one socket"),
    setting("socket-messages-per-second-max", "COUNT", "20", "Messages a socket may send"),
];

/// The setting of a name, in the spelling of flags.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The setting whose key is nearest to a mistyped one.
pub fn nearest(key: &str) -> &'static str {
    SETTINGS
        .iter()
        .min_by_key(|setting| distance(&setting.key(), key))
        .map_or("listen", |setting| setting.name)
}

/// Edit distance (Levenshtein), by rows.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, left) in one.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index.saturating_add(1);
        let mut next = vec![before];
        for (above, right) in row.iter().skip(1).zip(&other) {
            let replaced = diagonal.saturating_add(usize::from(left != *right));
            before = replaced.min(above.saturating_add(1)).min(before.saturating_add(1));
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_key_finds_its_neighbour() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(nearest("lisen"), "listen");
        assert_eq!(nearest("log_uri"), "log-url");
        assert_eq!(nearest("page_item_max"), "page-items-max");
    }

    #[test]
    fn one_name_has_three_spellings() {
        let setting = find("jwks-url").unwrap();
        assert_eq!(setting.environment(), "HOLDFAST_JWKS_URL");
        assert_eq!(setting.key(), "jwks_url");
    }
}
