//! Registers the handlers of a node. A module with several of them registers its own, so that a
//! new command is written in one place; who may call stands in the table of routes.

use utoipa_actix_web::service_config::ServiceConfig;

use crate::http::{
    audit, history, keys, offerings, ops, payments, problem_pages, quotes, reservations, resources,
    slots, sse, test_clock,
};
use crate::ws::upgrade;

/// Registers them all. Only `service` is collected into the API's description.
pub fn configure(services: &mut ServiceConfig<'_>) {
    resources::configure(services);
    offerings::configure(services);
    reservations::configure(services);
    payments::configure(services);
    services
        .service(keys::jwks)
        .service(ops::live)
        .service(ops::ready)
        .service(ops::metrics)
        .service(slots::list)
        .service(quotes::name_price)
        .service(audit::list_stream)
        .service(audit::list_events)
        .service(history::history)
        .service(test_clock::get)
        .service(test_clock::put)
        .service(problem_pages::index)
        .service(problem_pages::page)
        .service(upgrade::socket)
        .service(sse::stream);
}
