//! `/problems`: where the `type` of every problem leads. HTML for people, JSON for programs.

use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, get, web};

use super::problem::Problem;
use crate::problems::{Code, pages};

fn wants_json(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("json") && !accept.contains("text/html"))
}

fn html(text: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("Cache-Control", "public, max-age=3600"))
        .content_type("text/html; charset=utf-8")
        .body(text)
}

/// Every problem that the API answers with.
#[utoipa::path(tag = "operations", responses((status = 200, description = "The catalogue")))]
#[get("/problems")]
pub(crate) async fn index(request: HttpRequest) -> HttpResponse {
    if wants_json(&request) {
        HttpResponse::Ok().json(pages::index_json())
    } else {
        html(pages::index_html())
    }
}

/// What one problem means and what to do next.
#[utoipa::path(tag = "operations", params(("code" = String, Path)), responses(
    (status = 200, description = "The page of the code"),
    (status = 404, description = "No such code"),
))]
#[get("/problems/{code}")]
pub(crate) async fn page(
    request: HttpRequest,
    code: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let code = Code::find(&code).ok_or(Problem::new(Code::NotFound))?;
    Ok(if wants_json(&request) {
        HttpResponse::Ok().json(pages::code_json(code))
    } else {
        html(pages::code_html(code))
    })
}
