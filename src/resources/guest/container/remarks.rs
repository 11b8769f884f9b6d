//! Differences of a container that no step makes go away.
use super::{Container, kept, replacement, volumes};
use crate::{model::Field, resources::guest::Live};

/// One text for each.
pub fn remarks(desired: &Container, live: &Live) -> Vec<String> {
    let mut said = vec![];
    let anew: Vec<String> = replacement(desired, live).iter().map(shown).collect();
    if let Some(why) = kept(desired).filter(|_| !anew.is_empty()) {
        said.push(format!("{}: this needs it to be made anew, which {why}", anew.join(", ")));
    }
    said.extend(volumes::remarks(desired, live));
    said
}

fn shown(field: &Field) -> String {
    let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
    format!("{} is {}, not {}", field.name, or_none(&field.from), or_none(&field.to))
}
