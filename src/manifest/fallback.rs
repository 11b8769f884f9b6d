//! A value for a document that is refused already, so that its other mistakes can be found in the same run.
use super::{Content, Node};
use serde_yaml::Value;

/// The value that the tree stands for; of duplicate keys the first. Never used as what somebody wants.
pub(super) fn value(node: &Node) -> Value {
    let mut budget = 100_000;
    limited(node, &mut budget)
}

/// Aliases of aliases can stand for more than fits into memory: `budget` is how many nodes may still be made.
fn limited(node: &Node, budget: &mut usize) -> Value {
    if *budget == 0 {
        return Value::Null;
    }
    *budget -= 1;
    match &node.content {
        Content::Alias(target) => limited(target, budget),
        Content::Scalar { text, plain: false } => Value::String(text.clone()),
        Content::Scalar { text, plain: true } => match serde_yaml::from_str(text) {
            Ok(scalar @ (Value::Null | Value::Bool(_) | Value::Number(_))) => scalar,
            _ => Value::String(text.clone()),
        },
        Content::List(entries) => Value::Sequence(entries.iter().map(|entry| limited(entry, budget)).collect()),
        Content::Map(pairs) => {
            let mut map = serde_yaml::Mapping::new();
            for (key, node) in pairs {
                map.entry(Value::String(key.text.clone())).or_insert_with(|| limited(node, budget));
            }
            Value::Mapping(map)
        }
    }
}
