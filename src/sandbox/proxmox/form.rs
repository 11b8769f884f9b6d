//! Parameters off the wire, with the naive decoding of the real server.
use super::{refusal::Refusal, schema::Raw};
use serde_json::Value;

/// A percent-encoded piece; `+` is a blank. Bytes that are not UTF-8 become U+FFFD.
fn decode(piece: &str) -> String {
    let spaced = piece.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// Reads `a=1&b=2`. Fields end at `&` and at `;`; of a field only what stands before a second `=` is kept; a repeated name
/// makes an array; a name without `=` has no value, and takes away the one it had.
pub fn fields(text: &str) -> Raw {
    let mut found = Raw::new();
    for field in text.split(['&', ';']).filter(|f| !f.is_empty()) {
        let mut parts = field.split('=');
        let name = decode(parts.next().unwrap_or_default());
        let value = parts.next().map_or(Value::Null, |v| Value::String(decode(v)));
        match found.get_mut(&name) {
            None | Some(Value::Null) => {
                found.insert(name, value);
            }
            Some(first) if value.is_null() => *first = value,
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    found
}

/// Reads a JSON body.
///
/// # Errors
/// 500 with the text of Perl's JSON reader, in a plain body.
pub fn json(body: &str) -> Result<Raw, Refusal> {
    const AT: &str = "at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line";
    if body.trim().is_empty() {
        return Err(Refusal::die(format!(
            "malformed JSON string, neither tag, array, object, number, string or atom, at character offset 0 (before \
             \"(end of string)\") {AT} 934."
        )));
    }
    match serde_json::from_str(body) {
        Ok(Value::Object(map)) => Ok(map.into_iter().collect()),
        Ok(Value::Array(_)) => Err(Refusal::die(format!("Not a HASH reference {AT} 978."))),
        Ok(other) => {
            let text = super::schema::text(&other);
            Err(Refusal::die(format!(
                "Can't use string (\"{text}\") as a HASH ref while \"strict refs\" in use {AT} 978."
            )))
        }
        Err(why) => {
            let offset = offset(body, &why);
            let rest: String = body.chars().skip(offset).take(20).collect();
            // `{bad` reads as a key without its quote; everything else as no JSON at all.
            let expected = if why.to_string().starts_with("trailing characters") {
                "garbage after JSON object".to_string()
            } else if body[..offset.min(body.len())].trim_end().ends_with(['{', ',']) {
                "'\"' expected".to_string()
            } else {
                "malformed JSON string, neither tag, array, object, number, string or atom".to_string()
            };
            let rest = if rest.is_empty() { "(end of string)".to_string() } else { rest };
            Err(Refusal::die(format!("{expected}, at character offset {offset} (before \"{rest}\") {AT} 934.")))
        }
    }
}

/// Where the reader stopped, in characters from the start.
fn offset(body: &str, why: &serde_json::Error) -> usize {
    let before: usize = body.lines().take(why.line().saturating_sub(1)).map(|l| l.chars().count() + 1).sum();
    (before + why.column()).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as j;

    #[test]
    fn decodes_as_naively_as_the_real_server() {
        let read = |t: &str| serde_json::to_value(fields(t)).unwrap();
        assert_eq!(read("features=nesting=1"), j!({"features": "nesting"}));
        assert_eq!(read("description=a;b"), j!({"b": null, "description": "a"}));
        assert_eq!(read("a=1&a=2&&b=x+y%2B"), j!({"a": ["1", "2"], "b": "x y+"}));
        assert_eq!(read("a=1&a=2&a&b&b=1"), j!({"a": null, "b": "1"}));
        assert_eq!(read("d=100%&e=%zz%4&=x"), j!({"": "x", "d": "100%", "e": "%zz%4"}));
    }

    #[test]
    fn json_that_is_no_object_is_refused_in_perl() {
        assert!(json("{bad").unwrap_err().text().starts_with("'\"' expected, at character offset 1 (before \"bad\")"));
        let garbage = "garbage after JSON object, at character offset 9 (before \"x}\")";
        assert!(json("{\"a\": 1} x}").unwrap_err().text().starts_with(garbage));
        let comma = "'\"' expected, at character offset 7 (before \"}\")";
        assert!(json("{\"a\":1,}").unwrap_err().text().starts_with(comma));
        assert!(json("[]").unwrap_err().text().starts_with("Not a HASH reference"));
    }
}
