//! How a value that is written as one word is read, written and described.

/// For a type with `FromStr<Err = String>` and `Display`: read it from text only, write it as text, describe it to editors.
///
/// Numbers and booleans are refused here, not converted: `slug: 123456` and `slug: 1e5` would not come back as written.
macro_rules! spelled {
    ($type:ty, $expected:literal, { $($schema:tt)* }) => {
        impl ::serde::Serialize for $type {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl ::serde::de::Visitor<'_> for Text {
                    type Value = $type;
                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: ::serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl ::schemars::JsonSchema for $type {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                ::schemars::json_schema!({ $($schema)* })
            }
        }
    };
}
pub(crate) use spelled;

/// A DNS label: what names, slugs and the parts of host names have in common. `what` begins the error.
pub(super) fn label(what: &str, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("{what} is empty"));
    }
    if text.len() > 63 {
        return Err(format!("{what} `{text}` has {} characters, at most 63 are possible", text.len()));
    }
    if let Some(wrong) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Err(format!("{what} `{text}` has `{wrong}`; only lower-case letters, digits and `-` are possible"));
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err(format!("{what} `{text}` may not begin or end with `-`"));
    }
    Ok(())
}
