//! From a value to a type, with all mistakes and not only the first.
use super::{Diagnostic, Document, Node, Segment, message::Wrong, suggest};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment as Part;
use serde_yaml::Value;
use std::{cell::LazyCell, collections::HashSet};

/// More mistakes than this in one document are not worth showing.
const MOST: usize = 50;

/// Reads the value that stands under `prefix` as a `T`. Every mistake goes to `found`; then nothing comes back.
///
/// serde stops at the first mistake. To find the next one, the wrong part is replaced by that of `example`, a value that is right, or is left
/// out, and the rest is read again. The example is made only when it is needed.
pub fn typed<T: DeserializeOwned>(
    document: &Document,
    prefix: &[Segment],
    mut value: Value,
    example: impl FnOnce() -> Value,
    found: &mut Vec<Diagnostic>,
) -> Option<T> {
    let before = found.len();
    let example = LazyCell::new(example);
    let mut handled: HashSet<Vec<Segment>> = HashSet::new();
    let mut excused: HashSet<Vec<Segment>> = HashSet::new();
    while found.len() < before + MOST {
        let error = match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(typed) => return (found.len() == before).then_some(typed),
            Err(error) => error,
        };
        let path = segments(error.path());
        let wrong = Wrong::from_serde(&error.inner().to_string());
        let at = match &wrong {
            Wrong::Missing { field } => path.iter().cloned().chain([Segment::Key(field.clone())]).collect(),
            Wrong::Unknown { .. } | Wrong::Value { .. } | Wrong::Secret { .. } => path.clone(),
        };
        let excuse = matches!(wrong, Wrong::Missing { .. }) && excused.contains(&at);
        if !excuse && handled.insert(at.clone()) {
            let whole: Vec<Segment> = prefix.iter().cloned().chain(path.iter().cloned()).collect();
            found.push(diagnostic(document, &whole, &wrong));
            excused.extend(meant(&path, &wrong));
        }
        let repaired = match &wrong {
            Wrong::Unknown { .. } => remove(&mut value, &at),
            Wrong::Missing { .. } => {
                replace(&mut value, &at, &example) || remove_before(&mut value, &path, &mut handled)
            }
            Wrong::Value { .. } | Wrong::Secret { .. } => {
                let fits = handled.insert([at.as_slice(), &["replaced".into()]].concat())
                    && replace(&mut value, &at, &example);
                fits || remove_before(&mut value, &at, &mut handled)
            }
        };
        if !repaired {
            return None;
        }
    }
    None
}

/// Advice for a number, a boolean or nothing where text is meant.
fn quotes(message: &str, written: &Node) -> Option<String> {
    const WORDS: [&str; 6] = ["text", "a name", "a slug", "a tag", "a hostname", "the name of"];
    let text = message.strip_prefix("expected ").is_some_and(|rest| WORDS.iter().any(|word| rest.starts_with(word)));
    let found = ["found the number", "found the boolean"].iter().any(|found| message.contains(found));
    written.text().filter(|_| text && found).map(|word| format!("put it in quotes: \"{word}\""))
}

/// The field that was meant by an unknown one: that it is missing is no further mistake.
fn meant(path: &[Segment], wrong: &Wrong) -> Option<Vec<Segment>> {
    let Wrong::Unknown { field, possible } = wrong else { return None };
    let meant = suggest(field, possible.iter().map(String::as_str))?;
    let (_, parents) = path.split_last()?;
    Some([parents, &[meant.into()]].concat())
}

fn diagnostic(document: &Document, path: &[Segment], wrong: &Wrong) -> Diagnostic {
    match wrong {
        Wrong::Unknown { field, possible } => {
            let mistake =
                Diagnostic::error("unknown-field", document.name_spot(path), format!("unknown field `{field}`"));
            match suggest(field, possible.iter().map(String::as_str)) {
                Some(meant) => mistake.hint(format!("did you mean `{meant}`?")),
                None if possible.is_empty() => mistake,
                None => mistake.hint(format!("possible are {}", possible.join(", "))),
            }
        }
        Wrong::Missing { field } => {
            let spot = document.name_spot(path);
            Diagnostic::error("missing-field", spot, format!("`{field}` is missing")).label("in this")
        }
        Wrong::Value { message, hint } => {
            let written = document.root().descend(path).1;
            let hint = hint.clone().or_else(|| quotes(message, written));
            Diagnostic::error("wrong-value", document.value_spot(path), message.clone()).maybe_hint(hint)
        }
        Wrong::Secret { message } => {
            let spot = document.value_spot(path);
            document.file().conceal(spot.span.clone());
            let hint = "put it into a file or an environment variable, and make a new one if it was pushed";
            Diagnostic::error("secret", spot, message.clone()).hint(hint)
        }
    }
}

fn segments(path: &serde_path_to_error::Path) -> Vec<Segment> {
    let parts = path.iter().filter_map(|part| match part {
        Part::Seq { index } => Some(Segment::Index(*index)),
        Part::Map { key } => Some(Segment::Key(key.clone())),
        Part::Enum { .. } | Part::Unknown => None,
    });
    parts.collect()
}

fn child<'a>(value: &'a mut Value, segment: &Segment) -> Option<&'a mut Value> {
    match segment {
        Segment::Key(key) => value.get_mut(key.as_str()),
        Segment::Index(index) => value.get_mut(*index),
    }
}

/// Puts the part of the example that stands under the path into the value. Of lists the example's first entry serves for all.
fn replace(value: &mut Value, path: &[Segment], example: &Value) -> bool {
    let part = path.iter().try_fold(example, |part, segment| match segment {
        Segment::Key(key) => part.get(key.as_str()),
        Segment::Index(_) => part.get(0),
    });
    let (Some(part), Some((last, parents))) = (part.cloned(), path.split_last()) else { return false };
    let Some(parent) = parents.iter().try_fold(value, child) else { return false };
    match (parent, last) {
        (Value::Mapping(map), Segment::Key(key)) => {
            map.insert(Value::String(key.clone()), part);
            true
        }
        (Value::Sequence(list), Segment::Index(index)) if *index < list.len() => {
            list[*index] = part;
            true
        }
        _ => false,
    }
}

/// Takes the part under the path out of the value.
fn remove(value: &mut Value, path: &[Segment]) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    let Some(parent) = parents.iter().try_fold(value, child) else { return false };
    match (parent, last) {
        (Value::Mapping(map), Segment::Key(key)) => map.remove(key.as_str()).is_some(),
        // Emptied, not taken out: the places of the entries after it must stay what they are.
        (Value::Sequence(list), Segment::Index(index)) if *index + 1 == list.len() => list.pop().is_some(),
        _ => false,
    }
}

/// Takes the part under the path out of the value; where that is not possible, what is around it. That it is missing then is no mistake.
fn remove_before(value: &mut Value, path: &[Segment], handled: &mut HashSet<Vec<Segment>>) -> bool {
    for depth in (1..=path.len()).rev() {
        let part = &path[..depth];
        if remove(value, part) {
            handled.insert(part.to_vec());
            return true;
        }
    }
    false
}
