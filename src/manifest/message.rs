//! From the words of serde to words for people.
use super::suggest;

/// What serde says is wrong.
pub(super) enum Wrong {
    /// A field that the type does not have.
    Unknown { field: String, possible: Vec<String> },
    /// A field that the type must have.
    Missing { field: String },
    /// A value that is not possible there.
    Value { message: String, hint: Option<String> },
    /// A value where a reference is meant, or with one in it: it may be a secret and is not shown.
    Secret { message: String },
}

/// The quoted words of a message.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(Into::into).collect()
}

impl Wrong {
    /// Reads serde's message. An unknown form comes back as it is.
    pub(super) fn from_serde(message: &str) -> Self {
        if let Some(rest) = message.strip_prefix("unknown field `") {
            let (field, rest) = rest.split_once('`').unwrap_or((rest, ""));
            return Self::Unknown { field: field.into(), possible: quoted(rest) };
        }
        if let Some(field) = message.strip_prefix("missing field `") {
            return Self::Missing { field: field.trim_end_matches('`').into() };
        }
        if let Some(rest) = message.strip_prefix("unknown variant `") {
            let (word, rest) = rest.split_once('`').unwrap_or((rest, ""));
            let possible = quoted(rest);
            let hint = match suggest(word, possible.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("possible are {}", possible.join(", ")),
            };
            return Self::Value { message: format!("`{word}` is not possible here"), hint: Some(hint) };
        }
        let typed = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
        if let Some((was, expected)) = typed.and_then(|rest| rest.split_once(", expected ")) {
            let expected = plain_expectation(expected);
            if expected == crate::model::Reference::EXPECTED {
                let message = format!("expected {expected}; a secret itself must not stand in a manifest");
                return Self::Secret { message };
            }
            return Self::Value { message: format!("expected {expected}, found {}", plain_type(was)), hint: None };
        }
        let address = [("IP", "10.0.1.1"), ("IPv4", "10.0.1.1"), ("IPv6", "fd00:1::1")];
        for (family, example) in address {
            if message == format!("invalid {family} address syntax") {
                let hint = Some(format!("write the address alone, as in {example}"));
                return Self::Value { message: format!("this is not an {family} address"), hint };
            }
        }
        if message == crate::model::HttpUrl::CREDENTIALS {
            return Self::Secret { message: message.into() };
        }
        // Our own types say what to do behind a semicolon; one inside quotes is a person's.
        let semicolons = message.match_indices("; ").map(|(at, _)| at);
        let outside = semicolons.filter(|at| message[..*at].matches('`').count().is_multiple_of(2)).last();
        match outside {
            Some(at) => Self::Value { message: message[..at].into(), hint: Some(message[at + 2..].into()) },
            None => Self::Value { message: message.into(), hint: None },
        }
    }
}

/// `integer `5`` as a person would say it.
fn plain_type(was: &str) -> String {
    let word = was.split('`').nth(1).unwrap_or_default();
    match was.split([' ', '`']).next().unwrap_or_default() {
        "integer" | "floating" => format!("the number {word}"),
        "boolean" => format!("the boolean {word}"),
        "string" => format!("the text {}", was.trim_start_matches("string ")),
        "map" | "Map" => "a map".into(),
        "sequence" => "a list".into(),
        "unit" | "Option" | "null" => "nothing".into(),
        _ => was.into(),
    }
}

fn plain_expectation(expected: &str) -> String {
    match expected {
        "a string" | "string" => "text".into(),
        "a boolean" => "true or false".into(),
        "a sequence" => "a list".into(),
        "a map" => "a map".into(),
        "u16" | "u32" | "u64" | "usize" => "a whole number, not negative".into(),
        other if other.starts_with("struct ") => "a map".into(),
        other => other.into(),
    }
}
