//! A value that a person pins, or leaves to the lock file.
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{
        Error, Visitor,
        value::{BoolDeserializer, F64Deserializer, I64Deserializer, StrDeserializer, U64Deserializer},
    },
};
use std::{borrow::Cow, fmt, marker::PhantomData};

/// `auto`, chosen once and remembered by `trueup.lock`; or the value itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Auto<T> {
    /// Left to the lock file.
    #[default]
    Auto,
    /// Pinned in the manifest.
    Pinned(T),
}

impl<T> Auto<T> {
    /// The pinned value, if it is one.
    pub fn pinned(&self) -> Option<&T> {
        match self {
            Self::Auto => None,
            Self::Pinned(value) => Some(value),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Auto<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Pinned(value) => value.fmt(f),
        }
    }
}

impl<T: Serialize> Serialize for Auto<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Pinned(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Auto<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Word<T> {
            type Value = Auto<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`auto` or a value")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                match text {
                    "auto" => Ok(Auto::Auto),
                    other => T::deserialize(StrDeserializer::new(other)).map(Auto::Pinned),
                }
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                T::deserialize(U64Deserializer::new(number)).map(Auto::Pinned)
            }
            // The rest is refused, in the words of the value's own type.
            fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
                T::deserialize(I64Deserializer::new(number)).map(Auto::Pinned)
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
                T::deserialize(F64Deserializer::new(number)).map(Auto::Pinned)
            }
            fn visit_bool<E: Error>(self, word: bool) -> Result<Self::Value, E> {
                T::deserialize(BoolDeserializer::new(word)).map(Auto::Pinned)
            }
        }
        deserializer.deserialize_any(Word(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Auto<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Auto{}", T::schema_name()).into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let pinned = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [{ "const": "auto" }, pinned] })
    }
}
