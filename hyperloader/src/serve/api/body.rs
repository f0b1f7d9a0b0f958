//! Bodies of requests.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::fields::Object;
use crate::serve::error::ApiError;
use crate::serve::options::Limits;

/// What the body of `request` says.
///
/// Another type of content is refused: a browser sends JSON to another origin only after that origin has agreed, but text and forms
/// without asking.
pub(super) async fn read<T: DeserializeOwned>(request: Request, limits: &Limits) -> Result<T, ApiError> {
    if !is_json(request.headers()) {
        skip(request, limits).await;
        return Err(ApiError::unsupported());
    }
    let bytes = bytes(request.into_body(), limits).await?;
    parse(&bytes)
}

/// Reads the body of a request that is refused anyway. A client that still sends would see a broken connection instead of the answer.
pub(in crate::serve) async fn skip(request: Request, limits: &Limits) {
    let _ = bytes(request.into_body(), limits).await;
}

fn is_json(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

async fn bytes(body: Body, limits: &Limits) -> Result<Bytes, ApiError> {
    let (most, time) = (limits.body_bytes.get(), limits.client_time);
    let collected = tokio::time::timeout(time, Limited::new(body, most).collect()).await;
    match collected.map_err(|_| ApiError::slow_client(time.as_secs()))? {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::body_too_large(most)),
        Err(_) => Err(ApiError::malformed("the body ended before its end")),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let Object(value) = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let (path, error) = (error.path().to_string(), error.into_inner());
        match error.is_data() {
            true => ApiError::invalid(format!("{}{}", place(&path), reason(&error))),
            false => ApiError::malformed(format!("the body is no JSON: {error}")),
        }
    })?;
    reader.end().map_err(|error| ApiError::malformed(format!("the body is no JSON: {error}")))?;
    Ok(value)
}

/// The path of a field, before what is said about it. The body itself has the path `.`.
fn place(path: &str) -> String {
    if path == "." { String::new() } else { format!("{path}: ") }
}

/// What serde says, without the line and the column: the path says where.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read by its name")]
    struct Inner {
        n: u8,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "read by its name")]
    struct Outer {
        list: Vec<Inner>,
    }

    fn error(text: &str) -> (u16, String) {
        let error = parse::<Outer>(text.as_bytes()).unwrap_err();
        (error.status.as_u16(), format!("{error:?}"))
    }

    #[test]
    fn a_wrong_field_is_named_with_its_path() {
        let (status, message) = error(r#"{"list": [{"n": 1}, {"n": "x"}]}"#);
        assert!(status == 422 && message.contains("list[1].n: invalid type: string"), "{message}");
        let (status, message) = error(r#"{"list": [{"n": 1, "m": 2}]}"#);
        assert!(status == 422 && message.contains("list[0].m: unknown field `m`"), "{message}");
        for list in ["[]", "[[]]"] {
            let (status, message) = error(list);
            assert!(status == 422 && message.contains("\"invalid type: sequence, expected an object"), "{message}");
        }
    }

    #[test]
    fn what_is_no_json_is_another_error() {
        for text in ["", "{", "{\"list\": []} x", "\u{feff}{}", "{\"list\": [}"] {
            assert_eq!(error(text).0, 400, "{text}");
        }
    }
}
