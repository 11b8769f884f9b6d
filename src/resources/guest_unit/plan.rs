//! What has to be done to a unit. Pure.
use super::{Change, Desired, Live, Secret, SecretFile, SecretSeen};
use crate::model::{Disruption, Draft, Field, Sides, Verb};
use std::collections::BTreeMap;

pub fn diff(sides: Sides<'_, Desired, Live>) -> Vec<Draft<Change>> {
    match sides {
        Sides::OnlyDesired(desired) => vec![install(Verb::Create, desired, &Live::default(), false)],
        Sides::OnlyLive(_) => vec![Draft::new(Verb::Delete, Change::Remove).disrupts(Disruption::Interruption)],
        Sides::Adopt { desired, live } => vec![install(Verb::Adopt, desired, live, true)],
        Sides::Both { desired, live, stale_mark } => {
            let draft = install(Verb::Update, desired, live, stale_mark || !live.unmarked.is_empty());
            let stays = live.enabled.contains(&desired.active) && live.active.contains(&desired.active);
            let Change::Install { units, remove, secret, .. } = &draft.change else { return vec![] };
            let same = units.is_empty() && remove.is_empty() && secret.is_none();
            if same && stays && !live.reload_due { vec![] } else { vec![draft] }
        }
    }
}

/// `all`: every file is written, for the sake of its mark.
fn install(verb: Verb, desired: &Desired, live: &Live, all: bool) -> Draft<Change> {
    let differs = |name: &String, text: &String| live.units.get(name) != Some(text);
    let units: BTreeMap<String, String> = desired
        .units
        .iter()
        .filter(|(name, text)| all || differs(name, text))
        .map(|(name, text)| (name.clone(), text.clone()))
        .collect();
    let remove: Vec<String> = live.units.keys().filter(|name| !desired.units.contains_key(*name)).cloned().collect();
    let secret = desired.secret.clone().filter(|s| !is_right(s, live.secrets.get(&s.name)));
    let mut fields = vec![];
    for (name, text) in desired.units.iter().filter(|(name, text)| differs(name, text)) {
        fields.extend(directives(live.units.get(name).map_or("", String::as_str), text));
    }
    if let Some(secret) = &secret {
        let to = Some(match &secret.of {
            Secret::Reference => "as referred to".into(),
            Secret::TunnelToken { tunnel } => format!("token of tunnel {tunnel}"),
        });
        fields.push(Field { name: secret.name.clone(), from: None, to, effect: None });
    }
    let new = verb == Verb::Create;
    if !new && !live.active.contains(&desired.active) {
        fields.push(Field {
            name: desired.active.clone(),
            from: Some("inactive".into()),
            to: Some("active".into()),
            effect: None,
        });
    } else if !new && !live.enabled.contains(&desired.active) {
        fields.push(Field {
            name: desired.active.clone(),
            from: Some("disabled".into()),
            to: Some("enabled".into()),
            effect: None,
        });
    }
    // A service that only a timer starts takes its change on by itself, with its next run.
    let timer = desired.active.ends_with(".timer");
    let touched = desired.units.get(&desired.active).is_some_and(|text| differs(&desired.active, text));
    let restart = !new && (touched || (!timer && secret.is_some()));
    let change = Change::Install { units, remove, secret, active: desired.active.clone(), restart };
    let draft = Draft::new(verb, change).fields(fields);
    if restart && !timer { draft.disrupts(Disruption::Restart) } else { draft }
}

fn is_right(wanted: &SecretFile, seen: Option<&SecretSeen>) -> bool {
    match (&wanted.of, seen) {
        (Secret::Reference, Some(SecretSeen::AsReferred | SecretSeen::Unknown(_))) => true,
        (Secret::TunnelToken { tunnel }, Some(SecretSeen::TunnelToken { tunnel: is })) => tunnel == is,
        _ => false,
    }
}

/// The directives that differ, as fields.
fn directives(is: &str, wanted: &str) -> Vec<Field> {
    let read = |text: &str| {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            all.entry(key.trim().to_owned()).or_default().push(value.trim().to_owned());
        }
        all
    };
    let (is, wanted) = (read(is), read(wanted));
    let of = |all: &BTreeMap<String, Vec<String>>, key: &String| all.get(key).map(|values| values.join(", "));
    let mut keys: Vec<&String> = wanted.keys().chain(is.keys().filter(|key| !wanted.contains_key(*key))).collect();
    keys.retain(|key| !matches!(key.as_str(), "Description" | "WantedBy" | "Type"));
    keys.into_iter().filter_map(|key| Field::differs(key, of(&is, key), of(&wanted, key))).collect()
}

/// A run is no drift, but one that failed is worth a word; so is a secret that cannot be compared.
pub fn remark(live: &Live) -> Option<String> {
    let mut said = vec![];
    if !matches!(live.run.result.as_str(), "" | "success") {
        said.push(format!("the last run failed ({}) at {}", live.run.result, live.run.last));
    }
    for (name, seen) in &live.secrets {
        if let SecretSeen::Unknown(why) = seen {
            said.push(format!("{name} is left as it is: {why}"));
        }
    }
    (!said.is_empty()).then(|| said.join("; "))
}
