//! The API's description, OpenAPI 3.1, collected from the handlers, and the page that shows it.

use actix_web::{App, HttpResponse, web};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, LicenseBuilder, OpenApi};
use utoipa_actix_web::AppExt as _;
use utoipa_swagger_ui::SwaggerUi;

use crate::{routes, services};

/// The description of every handler.
pub fn document() -> OpenApi {
    let app = App::new().into_utoipa_app().configure(services::configure);
    let (_app, mut document) = app.split_for_parts();
    document.info = InfoBuilder::new()
        .title("Holdfast")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "An event-sourced booking engine. Errors are RFC 9457 problems; their codes are \
             listed at /problems.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").build()))
        .build();
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.bearer_format = Some("JWT".to_owned());
    let components = document.components.get_or_insert_with(Components::new);
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    document
}

/// Serves the description and its page.
pub fn serve(text: web::Bytes) -> impl FnOnce(&mut web::ServiceConfig) {
    move |services| {
        let description = move || {
            let text = text.clone();
            async move { HttpResponse::Ok().content_type("application/json").body(text) }
        };
        let to_page = || async {
            HttpResponse::TemporaryRedirect().insert_header(("Location", "/docs/")).finish()
        };
        let page = SwaggerUi::new(routes::DOCS_PATH)
            .config(utoipa_swagger_ui::Config::from("/openapi.json"));
        services
            .route("/openapi.json", web::get().to(description))
            .route("/docs", web::get().to(to_page))
            .service(page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::limits::RateClass;
    use crate::routes::{ROUTES, Row, TableError, check};

    const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api/openapi.json");

    #[test]
    fn the_committed_description_is_that_of_the_handlers() {
        let committed = std::fs::read_to_string(COMMITTED).unwrap();
        let described = serde_json::to_string_pretty(&document()).unwrap();
        let make = "run `holdfast docs openapi > docs/api/openapi.json`";
        assert!(committed.trim_end() == described, "{make}");
    }

    #[test]
    fn the_table_and_the_handlers_are_the_same_set() {
        assert_eq!(check(ROUTES, &document()), Ok(()));
    }

    #[test]
    fn a_handler_without_a_row_and_a_row_without_a_handler_are_found() {
        let (first, rest) = ROUTES.split_first().unwrap();
        let missing = Err(TableError::NoRow(format!("GET {}", first.path)));
        assert_eq!(check(rest, &document()), missing);
        let more = [ROUTES, &[Row { path: "/nowhere", rate: RateClass::Free, ..*first }]].concat();
        assert_eq!(check(&more, &document()), Err(TableError::NoRoute("GET /nowhere".into())));
    }

    #[test]
    fn the_description_is_ours_and_of_version_3_1() {
        let document = serde_json::to_value(document()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        assert_eq!(document["info"]["title"], "Holdfast");
        assert!(document["paths"]["/health/ready"]["get"].is_object());
        assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    }
}
