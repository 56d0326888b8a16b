//! The page's own files: one HTML document with its style and script. Nothing comes from elsewhere.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// The document.
pub(crate) const HTML: &str = include_str!("page/index.html");
/// Its style.
pub(crate) const STYLE: &str = include_str!("page/style.css");
/// Its script.
pub(crate) const SCRIPT: &str =
    concat!(include_str!("page/draw.js"), include_str!("page/script.js"));

/// What the browser may load: this server's files and the images that came over the websocket.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob: data: 'self'; \
                      connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// A file with its type.
pub(crate) fn file(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, text).into_response()
}
