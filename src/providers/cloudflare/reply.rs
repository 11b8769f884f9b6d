//! What a reply means. The only place that knows Cloudflare's codes and texts.
use crate::model::{Answer, Class, Failure};
use serde_json::Value;
use std::time::Duration;

/// A reply that is in order.
#[derive(Debug)]
pub(super) struct Reply {
    pub result: Value,
    /// `Null` where there is none.
    pub info: Value,
}

/// Decides on the HTTP status first, then on the envelope: bodies of 429 and 5xx may be `{}` or HTML.
///
/// `repeatable`: an unclear outcome does no harm.
pub(super) fn read(
    attempted: &str,
    status: u16,
    retry_after: Option<Duration>,
    body: &[u8],
    repeatable: bool,
) -> Answer<Reply> {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let errors = causes(parsed.as_ref());
    let code = |wanted: &[u64]| errors.iter().any(|(code, _)| wanted.contains(code));
    let unclear = if repeatable { Class::Transient } else { Class::UnknownOutcome };
    if status == 429 || code(&[10100, 10300, 971]) {
        let mut failure = Failure::new(
            Class::Throttled,
            attempted,
            said(&errors, "Cloudflare's budget of 1,200 requests in five minutes is used up"),
        )
        .hint("wait for the window to end; all tokens of a user and the dashboard share the budget");
        failure.retry_after = retry_after;
        return Err(failure);
    }
    if status >= 500 {
        return Err(Failure::new(unclear, attempted, said(&errors, &format!("Cloudflare answered HTTP {status}"))));
    }
    let success = parsed.as_ref().is_some_and(|body| body["success"] == true);
    if (200..300).contains(&status) && success {
        let mut body = parsed.unwrap_or_default();
        return Ok(Reply { result: body["result"].take(), info: body["result_info"].take() });
    }
    if (200..300).contains(&status) && errors.is_empty() {
        let what = if parsed.is_some() { "no success" } else { "no JSON" };
        return Err(Failure::new(unclear, attempted, format!("HTTP {status}, but the body says {what}")));
    }
    let reason = said(&errors, &format!("Cloudflare answered HTTP {status}"));
    let fail = |class| Failure::new(class, attempted, reason.clone());
    Err(if code(&[1022]) {
        fail(Class::Busy).hint("connectors of the tunnel are still connected")
    } else if code(&[81045]) {
        fail(Class::Invalid).hint("the plan of the zone has no room for more records")
    } else if code(&[6003, 6111, 9106]) {
        fail(Class::Denied).hint("the token is malformed: check the file or variable that holds it")
    } else if status == 409 || code(&[81053, 81054, 81055, 81056, 81057, 81058, 1013]) {
        fail(Class::Conflict)
    } else if matches!(status, 401 | 403) || code(&[10000, 9109, 9103]) {
        fail(Class::Denied).hint("check that the token is valid and may do this on this zone or account")
    } else if status == 404 || code(&[81044]) {
        fail(Class::NotFound)
    } else if code(&[7003]) {
        fail(Class::Invalid).hint("check the ids of zone and account in the Site")
    } else {
        fail(Class::Invalid)
    })
}

/// Codes and texts, with the causes beneath a wrapper before the wrapper itself.
fn causes(body: Option<&Value>) -> Vec<(u64, String)> {
    let one = |error: &Value| {
        let text = error["message"].as_str().unwrap_or("no message").to_owned();
        (error["code"].as_u64().unwrap_or_default(), text)
    };
    let errors = body.and_then(|body| body["errors"].as_array()).into_iter().flatten();
    errors
        .flat_map(|error| {
            let chain = error["error_chain"].as_array().into_iter().flatten();
            chain.map(one).chain([one(error)]).collect::<Vec<_>>()
        })
        .collect()
}

fn said(errors: &[(u64, String)], otherwise: &str) -> String {
    match errors.first() {
        Some((code, text)) if text.trim().is_empty() => format!("{otherwise} (code {code})"),
        Some((code, text)) => format!("{} (code {code})", text.trim_end_matches('.')),
        None => otherwise.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_a_text_is_told_by_its_status() {
        let body = br#"{ "success": false, "errors": [{ "code": 7000, "message": "" }] }"#;
        let failure = read("list the records", 500, None, body, true).unwrap_err();
        assert_eq!(failure.to_string(), "could not list the records: Cloudflare answered HTTP 500 (code 7000)");
    }
}
