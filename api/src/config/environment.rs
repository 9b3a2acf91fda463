//! Which variables of the environment are ours. One that nobody reads would be a setting that is
//! silently not made, so it is refused like an unknown key of the file.

use super::ConfigError;
use super::settings::{SETTINGS, Setting, find, nearest};

/// What every variable of ours begins with.
pub const PREFIX: &str = "HOLDFAST_";

/// Variables that are no settings: what tests, benchmarks and scripts are told, and the named places
/// at which a node that is being tested stops. A node inherits them from those who start it.
pub const SWITCHES: &[&str] = &[
    "HOLDFAST_BENCH_PEERS",
    "HOLDFAST_BIN",
    "HOLDFAST_CLUSTER_RESETS",
    "HOLDFAST_CRASH_AT",
    "HOLDFAST_CRASH_LOG",
    "HOLDFAST_EXERCISED",
    "HOLDFAST_FAILOVERS",
    "HOLDFAST_FAULTS",
    "HOLDFAST_FAULTS_ONLY",
    "HOLDFAST_FAULTS_TABLE",
    "HOLDFAST_KILLS",
    "HOLDFAST_RACES",
    "HOLDFAST_RESETS",
    "HOLDFAST_SEED",
    "HOLDFAST_SLEEPS",
    "HOLDFAST_STOPS",
    "HOLDFAST_TEST_CRASH_DATABASE",
    "HOLDFAST_TEST_CRASH_FOLDER",
    "HOLDFAST_TEST_CRASH_TWICE",
    "HOLDFAST_TEST_KURRENTDB_URL",
    "HOLDFAST_TEST_ON",
    "HOLDFAST_TEST_POSTGRES_URL",
    "HOLDFAST_TEST_REDIS_URL",
    "HOLDFAST_TEST_STORES_REQUIRED",
    "HOLDFAST_VISITS",
];

/// Refuses a variable that begins like ours and that nobody reads, with the setting whose name is
/// nearest.
pub fn judge(name: &str, value: &str) -> Result<(), ConfigError> {
    let Some(rest) = name.strip_prefix(PREFIX) else { return Ok(()) };
    let is_setting = SETTINGS.iter().any(|setting| setting.environment() == name);
    if is_setting || SWITCHES.contains(&name) || names_a_service(rest, value) {
        return Ok(());
    }
    let nearest = find(nearest(&rest.to_ascii_lowercase()));
    let nearest = nearest.map(Setting::environment).unwrap_or_default();
    Err(ConfigError::UnknownVariable { name: name.to_owned(), nearest })
}

/// Whether Kubernetes tells by it where a service is whose name begins with `holdfast`: it does so
/// in every container beside one.
fn names_a_service(rest: &str, value: &str) -> bool {
    let rest = format!("_{rest}");
    let port = |after: &str| {
        let number = after.strip_prefix('_').unwrap_or_default();
        let is_address = value.starts_with("tcp://") || value.starts_with("udp://");
        (after.is_empty() && is_address) || number.starts_with(|first: char| first.is_ascii_digit())
    };
    rest.ends_with("_SERVICE_HOST")
        || rest.contains("_SERVICE_PORT")
        || rest
            .rmatch_indices("_PORT")
            .any(|(at, word)| rest.get(at.saturating_add(word.len())..).is_some_and(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_nobody_reads_is_refused_with_its_neighbour() {
        for (name, nearest) in [
            ("HOLDFAST_LOGURL", "HOLDFAST_LOG_URL"),
            ("HOLDFAST_REDISURL", "HOLDFAST_REDIS_URL"),
            ("HOLDFAST_TEST_CLOK", "HOLDFAST_TEST_CLOCK"),
            ("HOLDFAST_ROLL", "HOLDFAST_ROLE"),
        ] {
            let why = judge(name, "x").unwrap_err().to_string();
            assert!(why.contains(name) && why.ends_with(&format!("`{nearest}`?")), "{why}");
        }
        assert!(judge("HOLDFAST_FOO", "").is_err());
        assert!(judge("HOLDFAST_PORT", "8080").is_err(), "it would be a port that is not taken");
        assert!(judge("HOLDFAST_PORTAL", "tcp://x").is_err());
    }

    #[test]
    fn settings_switches_and_what_is_not_ours_are_taken() {
        for name in ["HOLDFAST_LOG_URL", "HOLDFAST_CRASH_AT", "HOLDFASTER", "PATH"] {
            judge(name, "x").unwrap();
        }
    }

    #[test]
    fn what_kubernetes_says_about_a_service_of_that_name_is_no_typing_error() {
        for (name, value) in [
            ("HOLDFAST_SERVICE_HOST", "10.0.0.1"),
            ("HOLDFAST_SERVICE_PORT_HTTP", "8080"),
            ("HOLDFAST_PORT", "tcp://10.0.0.1:8080"),
            ("HOLDFAST_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("HOLDFAST_API_SERVICE_PORT", "8080"),
            ("HOLDFAST_API_PORT", "tcp://10.0.0.1:8080"),
        ] {
            judge(name, value).unwrap();
        }
    }
}
