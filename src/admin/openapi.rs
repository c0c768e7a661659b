//! Description of the API, made from the code that answers.

use super::api;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// The description, in the form of `OpenAPI`.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "xiaozhi-ota",
        description = "What is known of each device, and how every offer ended. Times are UTC by RFC 3339."
    ),
    paths(
        api::healthz,
        api::readyz,
        api::metrics,
        api::fleet,
        api::devices,
        api::device,
        api::firmware,
        api::offers,
        api::retry,
        api::forget,
    ),
    modifiers(&Bearer),
    security(("token" = [])),
)]
struct Description;

/// Adds how a token is sent.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// Returns the description as JSON.
pub(super) fn description() -> utoipa::openapi::OpenApi {
    Description::openapi()
}
