//! The container files, as far as they can be judged without an engine: they are YAML of the shape
//! that Compose takes, every image is pinned, every variable of ours is one that a node knows and
//! takes, and what one file names the others have.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_api::config::Config;
use holdfast_api::config::settings::SETTINGS;
use holdfast_api::config::sources::Sources;
use serde::Deserialize;
use serde_yaml_ng::Value;

use crate::assert_none;
use crate::workspace::root;

/// The part of the Compose specification that is used here; anything else is a mistake.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Compose {
    #[serde(rename = "name")]
    _name: String,
    services: BTreeMap<String, Service>,
    volumes: BTreeMap<String, Option<Value>>,
    #[serde(rename = "x-node")]
    _node: Value,
    #[serde(rename = "x-stores")]
    _stores: Value,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    image: String,
    build: Option<String>,
    restart: String,
    #[serde(default)]
    profiles: Vec<String>,
    #[serde(default)]
    depends_on: BTreeMap<String, Dependency>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    volumes: Vec<String>,
    #[serde(default)]
    ports: Vec<String>,
    #[serde(default)]
    command: Vec<String>,
    healthcheck: Option<Healthcheck>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dependency {
    condition: Condition,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Condition {
    ServiceStarted,
    ServiceHealthy,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Healthcheck {
    test: Vec<String>,
    #[serde(rename = "interval")]
    _interval: String,
    #[serde(rename = "timeout")]
    _timeout: String,
    #[serde(rename = "retries")]
    _retries: u32,
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

fn parse(text: &str) -> Result<Compose, String> {
    let mut value: Value = serde_yaml_ng::from_str(text).map_err(|why| why.to_string())?;
    value.apply_merge().map_err(|why| why.to_string())?;
    serde_yaml_ng::from_value(value).map_err(|why| why.to_string())
}

fn violations(compose: &Compose) -> Vec<String> {
    let mut found = Vec::new();
    for (name, service) in &compose.services {
        if !is_pinned(&service.image) {
            found.push(format!("{name}: {} is not pinned", service.image));
        }
        for (on, dependency) in &service.depends_on {
            match compose.services.get(on) {
                Some(other) if service.profiles.iter().any(|one| !other.profiles.contains(one)) => {
                    found.push(format!("{name} needs {on}, which its profile does not start"));
                }
                None => found.push(format!("{name} depends on {on}, which is not there")),
                // The image of a node has a health check of its own.
                Some(other)
                    if dependency.condition == Condition::ServiceHealthy
                        && other.healthcheck.is_none()
                        && other.build.is_none() =>
                {
                    found.push(format!("{name} waits for the health of {on}, which has no check"));
                }
                Some(_) => {}
            }
        }
        for volume in &service.volumes {
            let source = volume.split(':').next().unwrap_or_default();
            let file = source.strip_prefix("./");
            if file
                .map_or(!compose.volumes.contains_key(source), |file| !root().join(file).exists())
            {
                found.push(format!("{name} mounts {source}, which is not there"));
            }
        }
        if service.build.is_some() {
            found.extend(configuration(name, &service.environment));
        }
    }
    let mut ports = BTreeSet::new();
    for port in compose.services.values().flat_map(|service| &service.ports) {
        if !ports.insert(port.split(':').next()) {
            found.push(format!("two services listen on {port}"));
        }
    }
    found
}

fn is_pinned(image: &str) -> bool {
    let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
    tag.starts_with(|first: char| first.is_ascii_digit()) && tag.matches('.').count() >= 1
}

/// What `config check` says to these variables, with every secret filled in.
fn configuration(name: &str, environment: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = Vec::new();
    let known = |variable: &str| SETTINGS.iter().any(|known| known.environment() == variable);
    let others = environment.keys().filter(|variable| !known(variable));
    found.extend(others.map(|variable| format!("{name}: {variable} is no setting")));
    let filled = environment.iter().map(|(key, value)| (key.clone(), filled_in(value))).collect();
    if !found.is_empty() {
        return found;
    }
    if let Err(why) = Config::load(&Sources { environment: filled, ..Sources::default() }) {
        found.push(format!("{name}: {why}"));
    }
    found
}

/// `${NAME:?why}` replaced by a value.
fn filled_in(text: &str) -> String {
    let mut parts = text.split("${");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        filled.push_str("secret");
        filled.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    filled
}

#[test]
fn the_compose_file_is_one_that_an_engine_takes() {
    assert_none(&violations(&parse(&read("docker-compose.yml")).unwrap()));
}

#[test]
fn the_profiles_have_what_they_are_for() {
    let compose = parse(&read("docker-compose.yml")).unwrap();
    let of = |profile: &str| -> Vec<&str> {
        let has = |service: &&Service| service.profiles.iter().any(|one| one == profile);
        let found = compose.services.iter().filter(|(_, service)| has(service));
        found.map(|(name, _)| name.as_str()).collect()
    };
    assert_eq!(of("node"), ["node", "postgres", "redis"]);
    assert_eq!(of("cluster"), ["api-1", "api-2", "nginx", "postgres", "redis", "worker"]);
    assert_eq!(of("kurrentdb"), ["kurrentdb", "node-on-kurrentdb", "redis"]);
    // One without a profile is started with each of them.
    let always = compose.services.iter().filter(|(_, service)| service.profiles.is_empty());
    assert_eq!(always.count(), 0);
    let redis = &compose.services["redis"];
    assert!(redis.command.iter().any(|word| word == "--requirepass"), "{redis:?}");
    assert_eq!(redis.healthcheck.as_ref().unwrap().test, ["CMD", "redis-cli", "ping"]);
    assert!(compose.services.values().all(|service| service.restart == "unless-stopped"));
}

#[test]
fn each_planted_mistake_in_the_compose_file_is_found() {
    let good = read("docker-compose.yml");
    for (from, to) in [
        ("image: redis:7.4.5-bookworm", "image: redis:latest"),
        ("HOLDFAST_ROLE: worker", "HOLDFAST_ROLL: worker"),
        ("HOLDFAST_ROLE: worker", "HOLDFAST_ROLE: boss"),
        ("- postgres:/var", "- postgresql:/var"),
        ("./deploy/nginx.conf:", "./deploy/ngnix.conf:"),
        ("kurrentdb: { condition: service_started }", "kurrentdb: { condition: service_healthy }"),
        ("\"8082:8080\"", "\"8081:8080\""),
        ("profiles: [node]", "profiles: [node, kurrentdb]"),
    ] {
        assert!(good.contains(from), "{from}");
        let planted = parse(&good.replacen(from, to, 1)).unwrap();
        assert_eq!(violations(&planted).len(), 1, "{to}");
    }
    for (from, to) in [("restart:", "restrat:"), ("condition: service_started", "condition: now")] {
        assert!(parse(&good.replacen(from, to, 1)).is_err(), "{to}");
    }
}

#[test]
fn the_proxy_passes_sockets_on_to_the_nodes_of_the_compose_file() {
    let compose = parse(&read("docker-compose.yml")).unwrap();
    let proxy = read("deploy/nginx.conf");
    for line in [
        "proxy_set_header Upgrade $http_upgrade;",
        "proxy_set_header Connection $connection_upgrade;",
        "proxy_http_version 1.1;",
    ] {
        assert!(proxy.contains(line), "{line}");
    }
    let servers = proxy.lines().filter_map(|line| line.trim().strip_prefix("server "));
    let servers: Vec<_> = servers.filter_map(|line| line.split(':').next()).collect();
    let named: Vec<_> = servers.iter().filter(|name| **name != "{").collect();
    assert_eq!(named.len(), 2);
    assert!(named.iter().all(|name| compose.services.contains_key(**name)), "{named:?}");
}

/// How the proxy would make one node's answer, or one caller, everybody's trouble.
fn proxy_violations(proxy: &str) -> Vec<String> {
    let directives = proxy.lines().map(|line| line.trim().trim_end_matches(';'));
    let words: Vec<Vec<_>> = directives.map(|line| line.split_whitespace().collect()).collect();
    let mut found = Vec::new();
    for directive in &words {
        match directive.as_slice() {
            // A node is away when it cannot be reached. What it answers is an answer.
            ["proxy_next_upstream", on @ ..] => {
                let other = on.iter().filter(|word| !["error", "timeout", "off"].contains(word));
                found.extend(other.map(|word| format!("a node is given up for {word}")));
            }
            // Nginx sets a node aside after one failure when nothing is said.
            ["server", place, how @ ..] if place.contains(':') && !how.contains(&"max_fails=0") => {
                found.push(format!("{place} is set aside after a failure"));
            }
            _ => {}
        }
    }
    let says = |name: &str| words.iter().any(|words| words.first() == Some(&name));
    if !says("proxy_next_upstream") {
        found.push("nothing says when another node is asked".to_owned());
    }
    found
}

#[test]
fn no_answer_of_a_node_makes_the_proxy_set_it_aside() {
    let proxy = read("deploy/nginx.conf");
    assert_none(&proxy_violations(&proxy));
    for (from, to) in [
        ("error timeout;", "error timeout http_503;"),
        ("error timeout;", "error timeout non_idempotent;"),
        ("proxy_next_upstream error timeout;", ""),
        ("api-1:8080 max_fails=0;", "api-1:8080 max_fails=1 fail_timeout=2s;"),
        ("api-2:8080 max_fails=0;", "api-2:8080;"),
    ] {
        assert!(proxy.contains(from), "{from}");
        let planted = proxy_violations(&proxy.replacen(from, to, 1));
        assert_eq!(planted.len(), 1, "{to}: {planted:?}");
    }
}

#[test]
fn the_image_is_built_with_our_rust_and_runs_as_nobody_special() {
    let image = read("Dockerfile");
    let rust = read("Cargo.toml");
    let rust = rust.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(image.contains(&format!("FROM rust:{rust}.")), "the workspace needs Rust {rust}");
    let stages: Vec<_> = image.lines().filter_map(|line| line.strip_prefix("FROM ")).collect();
    assert_eq!(stages.len(), 2);
    let base = stages.iter().map(|stage| stage.split(' ').next().unwrap());
    assert!(base.clone().all(is_pinned), "{stages:?}");
    for line in ["USER holdfast", "HEALTHCHECK ", "ENTRYPOINT [\"holdfast\"]"] {
        assert!(image.contains(line), "{line}");
    }
    let variables = image.split_whitespace().filter_map(|word| word.split_once('='));
    let ours = variables.filter(|(name, _)| name.starts_with("HOLDFAST_"));
    let ours: BTreeMap<_, _> =
        ours.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(ours.len(), 3);
    assert_none(&configuration("Dockerfile", &ours));
}
