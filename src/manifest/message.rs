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
            let word = was
                .split('`')
                .nth(1)
                .filter(|_| expected.starts_with("text") || expected.contains("name") || expected.contains("slug"));
            let hint = word.map(|word| format!("put it in quotes: \"{word}\""));
            return Self::Value { message: format!("expected {expected}, found {}", plain_type(was)), hint };
        }
        if message == "invalid IP address syntax" {
            return Self::Value {
                message: "this is not an IP address".into(),
                hint: Some("write the address alone, as in 10.0.1.1".into()),
            };
        }
        if message == "invalid IPv4 address syntax" {
            return Self::Value {
                message: "this is not an IPv4 address".into(),
                hint: Some("write the address alone, as in 10.0.1.1".into()),
            };
        }
        if message == "invalid IPv6 address syntax" {
            return Self::Value {
                message: "this is not an IPv6 address".into(),
                hint: Some("write the address alone, as in fd00:1::1".into()),
            };
        }
        match message.split_once("; ") {
            Some((what, hint)) => Self::Value { message: what.into(), hint: Some(hint.into()) },
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
