//! `GET /`: a page to try the server.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::serve::error::ApiError;

const HEAD: &str = include_str!("../page/head.html");
const STYLE: &str = concat!(include_str!("../../look/base.css"), include_str!("../page/style.css"));
const BODY: &str = include_str!("../page/body.html");
const SCRIPT: &str = concat!(
    include_str!("../../look/theme.js"),
    include_str!("../page/server.js"),
    include_str!("../page/json.js"),
    include_str!("../page/answer.js"),
    include_str!("../page/main.js")
);

/// The page, which needs no other file.
fn html() -> String {
    let end = "</script>\n</body>\n</html>\n";
    [HEAD, "<style>", STYLE, "</style>\n", BODY, "<script type=\"module\">", SCRIPT, end].concat()
}

/// What a browser lets the page do: it runs its own script and style, asks its own server, and makes no HTML of strings.
fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; connect-src 'self'; img-src data:; script-src {}; style-src {}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

/// A page to try the server
#[utoipa::path(get, path = "/", responses((status = 200, description = "A page", body = String, content_type = "text/html")))]
pub(in crate::serve) async fn page() -> Result<Response, ApiError> {
    let policy = HeaderValue::try_from(policy()).map_err(|_| ApiError::failed("the page cannot be sent"))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        // The page and the routes that it asks are of the same version.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    Ok((headers, html()).into_response())
}
