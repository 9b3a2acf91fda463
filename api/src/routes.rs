//! The table of routes: the single place that says who may call what, whose things it concerns, and
//! which limit it counts against. The gate enforces it; the role matrix of the tests is derived from
//! it; a route without a row keeps the node from starting. Handlers are not known here.

use std::collections::BTreeSet;

use holdfast_domain::actor::Role;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::PathItem;

use crate::http::limits::RateClass;

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// A token with one of these roles.
    Roles(&'static [Role]),
    /// Anyone on the machine itself; from elsewhere a token with one of these roles.
    LocalOr(&'static [Role]),
}

/// Whose things a route concerns. The use case enforces it; a foreign id is a 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// Nobody's in particular.
    Nobody,
    /// The caller's own.
    Caller,
    /// The caller's, as the customer or as the provider of a reservation or payment.
    Participant,
    /// Everybody's, for those whose office it is.
    All,
}

/// One route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The method.
    pub method: &'static str,
    /// The pattern, in the router's spelling.
    pub path: &'static str,
    /// Who may call.
    pub access: Access,
    /// Whose things.
    pub ownership: Ownership,
    /// Which limit.
    pub rate: RateClass,
    /// Whether it stands in the API's description; pages and files do not.
    pub described: bool,
}

const fn public(path: &'static str, rate: RateClass) -> Row {
    let (access, ownership) = (Access::Public, Ownership::Nobody);
    Row { method: "GET", path, access, ownership, rate, described: true }
}

const CUSTOMER: &[Role] = &[Role::Customer];
const PROVIDER: &[Role] = &[Role::Provider];
const AUDITOR: &[Role] = &[Role::Auditor, Role::Admin];
const PARTICIPANT: &[Role] = &[Role::Customer, Role::Provider, Role::Admin];
const REFUNDER: &[Role] = &[Role::Provider, Role::Admin];
const ADMIN: &[Role] = &[Role::Admin];
const ANYONE: &[Role] = &Role::ALL;

const fn command(
    method: &'static str,
    path: &'static str,
    roles: &'static [Role],
    ownership: Ownership,
) -> Row {
    let access = Access::Roles(roles);
    Row { method, path, access, ownership, rate: RateClass::Normal, described: true }
}

const fn read(path: &'static str, roles: &'static [Role], ownership: Ownership) -> Row {
    command("GET", path, roles, ownership)
}

const fn page(path: &'static str) -> Row {
    Row { described: false, ..public(path, RateClass::Normal) }
}

/// Where the API's description page stands.
pub const DOCS_PATH: &str = "/docs/{_:.*}";

/// The socket of pushes.
const SOCKET_PATH: &str = "/v1/ws";
/// The same as server-sent events.
const STREAM_PATH: &str = "/v1/stream";

/// Every route of the node.
pub const ROUTES: &[Row] = &[
    public("/.well-known/jwks.json", RateClass::Normal),
    public("/health/live", RateClass::Free),
    public("/health/ready", RateClass::Free),
    Row { access: Access::LocalOr(&[Role::Admin]), ..public("/metrics", RateClass::Free) },
    public("/problems", RateClass::Normal),
    public("/problems/{code}", RateClass::Normal),
    command("POST", "/v1/resources", PROVIDER, Ownership::Caller),
    read("/v1/resources/{id}", ANYONE, Ownership::Nobody),
    command("PUT", "/v1/resources/{id}/schedule", PROVIDER, Ownership::Caller),
    read("/v1/resources/{id}/calendar", ANYONE, Ownership::Caller),
    command("POST", "/v1/offerings", PROVIDER, Ownership::Caller),
    read("/v1/offerings", ANYONE, Ownership::Nobody),
    read("/v1/offerings/{id}", ANYONE, Ownership::Nobody),
    command("POST", "/v1/offerings/{id}/publish", PROVIDER, Ownership::Caller),
    command("POST", "/v1/offerings/{id}/pause", PROVIDER, Ownership::Caller),
    command("POST", "/v1/offerings/{id}/sessions", PROVIDER, Ownership::Caller),
    read("/v1/offerings/{id}/sessions", ANYONE, Ownership::Nobody),
    read("/v1/offerings/{id}/slots", ANYONE, Ownership::Nobody),
    command("POST", "/v1/quotes", ANYONE, Ownership::Nobody),
    command("POST", "/v1/reservations", CUSTOMER, Ownership::Caller),
    read("/v1/reservations", ANYONE, Ownership::Participant),
    read("/v1/reservations/{id}", ANYONE, Ownership::Participant),
    read("/v1/reservations/{id}/history", AUDITOR, Ownership::All),
    command(
        "POST",
        "/v1/reservations/{id}/cancellation-quote",
        PARTICIPANT,
        Ownership::Participant,
    ),
    command("POST", "/v1/reservations/{id}/cancel", PARTICIPANT, Ownership::Participant),
    command("POST", "/v1/payments/{id}/confirm", CUSTOMER, Ownership::Caller),
    command("POST", "/v1/payments/{id}/refunds", REFUNDER, Ownership::Participant),
    command("POST", "/v1/payments/{id}/resolve-review", ADMIN, Ownership::All),
    read("/v1/payments/{id}", ANYONE, Ownership::Participant),
    read("/v1/streams/{stream}", AUDITOR, Ownership::All),
    read("/v1/events", AUDITOR, Ownership::All),
    public("/test/clock", RateClass::Free),
    Row { method: "POST", ..public("/test/clock", RateClass::Free) },
    // Public at the gate, because a browser cannot send a header with the upgrade and gives its
    // token in the first message: the socket itself demands one, in the header or within five
    // seconds, and is told nothing before. What a token may hear is judged topic by topic.
    public(SOCKET_PATH, RateClass::Normal),
    Row {
        access: Access::Roles(&Role::ALL),
        ownership: Ownership::Caller,
        ..public(STREAM_PATH, RateClass::Normal)
    },
    page("/"),
    page("/openapi.json"),
    page("/docs"),
    page(DOCS_PATH),
];

/// The row of a method and a pattern.
pub fn row_of(table: &'static [Row], method: &str, pattern: &str) -> Option<&'static Row> {
    table.iter().find(|row| row.path == pattern && row.method == method)
}

impl Row {
    /// Whether a node has it that does not serve the API: what operators need of every node.
    pub fn is_of_every_node(&self) -> bool {
        ["/health/", "/metrics", "/problems"].iter().any(|start| self.path.starts_with(start))
    }
}

/// The methods of a pattern.
pub fn methods_of(table: &'static [Row], pattern: &str) -> Vec<&'static str> {
    table.iter().filter(|row| row.path == pattern).map(|row| row.method).collect()
}

/// Why the table and the handlers do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A handler that no row speaks of: nobody could say who may call it.
    #[error("the route {0} has no row in the table of routes")]
    NoRow(String),
    /// A row without a handler.
    #[error("the row {0} has no route")]
    NoRoute(String),
}

/// Compares the table with the handlers, as their description tells them.
pub fn check(table: &[Row], described: &OpenApi) -> Result<(), TableError> {
    let handlers: BTreeSet<String> = described
        .paths
        .paths
        .iter()
        .flat_map(|(path, item)| methods(item).map(move |method| format!("{method} {path}")))
        .collect();
    let rows: BTreeSet<String> = table
        .iter()
        .filter(|row| row.described)
        .map(|row| format!("{} {}", row.method, row.path))
        .collect();
    if let Some(handler) = handlers.difference(&rows).next() {
        return Err(TableError::NoRow(handler.clone()));
    }
    match rows.difference(&handlers).next() {
        Some(row) => Err(TableError::NoRoute(row.clone())),
        None => Ok(()),
    }
}

/// The methods of a described path.
fn methods(item: &PathItem) -> impl Iterator<Item = &'static str> {
    [
        ("GET", item.get.is_some()),
        ("PUT", item.put.is_some()),
        ("POST", item.post.is_some()),
        ("DELETE", item.delete.is_some()),
        ("PATCH", item.patch.is_some()),
        ("HEAD", item.head.is_some()),
        ("OPTIONS", item.options.is_some()),
        ("TRACE", item.trace.is_some()),
    ]
    .into_iter()
    .filter_map(|(method, there)| there.then_some(method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_serves_what_operators_need_and_no_business() {
        let served = ROUTES.iter().filter(|row| row.is_of_every_node());
        let served: Vec<_> = served.map(|row| row.path).collect();
        let all = ["/health/live", "/health/ready", "/metrics", "/problems", "/problems/{code}"];
        assert_eq!(served, all);
    }

    #[test]
    fn a_route_stands_once_in_the_table() {
        let names: BTreeSet<_> = ROUTES.iter().map(|row| (row.method, row.path)).collect();
        assert_eq!(names.len(), ROUTES.len());
    }
}
