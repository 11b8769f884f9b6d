//! Whether the tree and the value of one document say the same.
//!
//! Two parsers read every document: one knows places, the other makes values. Where they disagree, what would be applied is not what would
//! be shown, so the document is refused.
use super::{Content, Diagnostic, Node, SourceFile, Spot};
use serde_yaml::Value;
use std::sync::Arc;

/// The first place where they differ. The value is as it was parsed, before merge keys are applied.
pub(super) fn disagreement(file: &Arc<SourceFile>, node: &Node, value: &Value) -> Option<Diagnostic> {
    let differs = |span: std::ops::Range<usize>| {
        let message = "two YAML parsers read this differently, so it is not read at all";
        let spot = Spot { file: file.clone(), span };
        Diagnostic::error("yaml-ambiguous", spot, message).hint("write it more plainly, with quotes around text")
    };
    match (&node.resolved().content, value) {
        (Content::List(entries), Value::Sequence(values)) if entries.len() == values.len() => {
            entries.iter().zip(values).find_map(|(entry, value)| disagreement(file, entry, value))
        }
        (Content::Map(pairs), Value::Mapping(values)) if pairs.len() == values.len() => {
            pairs.iter().zip(values).find_map(|((key, node), (name, value))| match name {
                Value::String(name) if *name == key.text => disagreement(file, node, value),
                Value::String(_) => Some(differs(key.span.clone())),
                _ => {
                    let spot = Spot { file: file.clone(), span: key.span.clone() };
                    let message = format!("the key `{}` is not text", key.text);
                    Some(Diagnostic::error("yaml-key", spot, message).hint(format!("write \"{}\"", key.text)))
                }
            })
        }
        (Content::Scalar { text, .. }, Value::String(value)) if text == value => None,
        (Content::Scalar { text, plain: true }, value) if plain_value(text, value) => None,
        _ => Some(differs(node.span.clone())),
    }
}

/// Whether text without quotes can be this value.
fn plain_value(text: &str, value: &Value) -> bool {
    match value {
        Value::Null => matches!(text, "" | "~" | "null" | "Null" | "NULL"),
        Value::Bool(true) => matches!(text, "true" | "True" | "TRUE"),
        Value::Bool(false) => matches!(text, "false" | "False" | "FALSE"),
        Value::Number(_) => text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')),
        _ => false,
    }
}
