//! The public half of the key that signs the node's own tokens.

use actix_web::{HttpResponse, get, web};

use crate::state::State;

/// The keys that check this node's tokens, as a JSON Web Key Set.
#[utoipa::path(tag = "operations", responses((status = 200, description = "A JSON Web Key Set")))]
#[get("/.well-known/jwks.json")]
pub(crate) async fn jwks(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(("Cache-Control", "public, max-age=300"))
        .json(state.keys.signing.public_set())
}
