//! The way into a socket: everything that is judged before the upgrade. The token may stand in the
//! `Authorization` header; a browser, which cannot send one, gives it in the first message instead.
//! It is never taken from the URL, which ends up in logs.

use std::sync::Arc;

use actix_web::http::header::{HOST, HeaderMap, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use actix_web::{Error, HttpRequest, HttpResponse, get, web};

use super::line::Line;
use super::session::Session;
use super::subscriber::Subscriber;
use crate::auth::TokenError;
use crate::http::auth::bearer;
use crate::http::problem::Problem;
use crate::problems::Code;
use crate::state::State;

/// The protocol that is spoken.
pub const PROTOCOL: &str = "holdfast.v1";

/// A socket: changes are pushed as they are committed.
///
/// Protocol `holdfast.v1`, text frames of JSON. The token stands in the `Authorization` header or in
/// the first message within five seconds, `{"op":"auth","token":…}`. Then
/// `{"op":"subscribe","topic":…,"from":"<cursor>"}` hears of `me`, `reservation:<id>`,
/// `resource:<id>:calendar`, `offering:<id>:slots`, `projections` (admins) or `events` (auditors, admins);
/// `from` may be left out. Each `change` carries a cursor to come back with; `resync` asks to read the
/// topic again.
#[utoipa::path(tag = "pushes", responses(
    (status = 101, description = "The protocol is holdfast.v1 from here on"),
    (status = 400, description = "No upgrade, another protocol, or a query string"),
    (status = 401, description = "The token is not believed"),
    (status = 403, description = "The page's origin is not allowed"),
    (status = 429, description = "The caller has too many sockets"),
))]
#[get("/v1/ws")]
pub(crate) async fn socket(
    request: HttpRequest,
    body: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Error> {
    judge(&request, &state)?;
    let line = request.conn_data::<Arc<Line>>().cloned();
    let subscriber = match bearer(request.headers()) {
        Err(TokenError::Missing) => None,
        found => {
            let caller = state
                .verifier
                .verify(found.map_err(Problem::from)?)
                .await
                .map_err(Problem::from)?;
            state.limits.principal(caller.principal).await?;
            if caller.roles.is_empty() {
                return Err(Problem::new(Code::Forbidden).into());
            }
            let subscriber = Subscriber::new(&state, caller, line.clone());
            Some(subscriber.ok_or(Problem::new(Code::TooManySockets))?)
        }
    };
    let (response, session, messages) =
        actix_ws::handle_with_protocols(&request, body, &[PROTOCOL])?;
    let session = Session::new(state.clone(), session, messages, line);
    // A socket stays on its worker; the lifecycle owns it and waits for its end.
    let task = state.lifecycle.tasks().track_future(session.run(subscriber));
    drop(actix_web::rt::spawn(task));
    Ok(response)
}

fn judge(request: &HttpRequest, state: &State) -> Result<(), Problem> {
    if !request.query_string().is_empty() {
        let why = "A socket takes no parameters, least of all a token.";
        return Err(Problem::new(Code::InvalidQuery).detail(why));
    }
    check_origin(request.headers(), &state.config.cors_origins)?;
    if !speaks_our_protocol(request.headers()) {
        return Err(Problem::new(Code::BadRequest).detail("The protocol is holdfast.v1."));
    }
    if state.lifecycle.is_stopping() {
        return Err(Problem::unavailable("the node is stopping"));
    }
    Ok(())
}

/// A page may listen when it is the node's own or a configured one. A client that is no browser
/// sends no origin.
pub fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), Problem> {
    let mut origins = headers.get_all(ORIGIN);
    let Some(origin) = origins.next() else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let bare = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let own = !host.is_empty() && bare.is_some_and(|bare| bare.eq_ignore_ascii_case(host));
    if origins.next().is_none() && (own || allowed.iter().any(|known| known == origin)) {
        return Ok(());
    }
    Err(Problem::new(Code::Forbidden).detail("Pages of this origin may not listen."))
}

fn speaks_our_protocol(headers: &HeaderMap) -> bool {
    let mut offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).peekable();
    offered.peek().is_none()
        || offered
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|name| name.trim() == PROTOCOL)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(origin: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("node.example:8080"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
        }
        headers
    }

    #[test]
    fn only_pages_of_the_node_and_of_configured_origins_may_listen() {
        let allowed = ["https://shop.example".to_owned()];
        for good in [None, Some("http://node.example:8080"), Some("https://shop.example")] {
            assert!(check_origin(&headers(good), &allowed).is_ok(), "{good:?}");
        }
        for wrong in
            ["null", "", "https://evil.example", "http://node.example", "node.example:8080"]
        {
            assert!(check_origin(&headers(Some(wrong)), &allowed).is_err(), "{wrong}");
        }
        let mut twice = headers(Some("https://shop.example"));
        twice.append(ORIGIN, HeaderValue::from_static("https://shop.example"));
        assert!(check_origin(&twice, &allowed).is_err());
    }

    #[test]
    fn a_client_that_demands_another_protocol_is_refused() {
        let offered = |text| {
            let mut headers = HeaderMap::new();
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(text));
            speaks_our_protocol(&headers)
        };
        assert!(speaks_our_protocol(&HeaderMap::new()));
        assert!(offered("holdfast.v1") && offered("graphql-ws, holdfast.v1"));
        assert!(!offered("graphql-ws") && !offered("") && !offered("holdfast.v2"));
    }
}
