//! From the listings of storages to an inventory. Thin.
use super::{Live, Scope, TemplateVolume, VolumeId};
use crate::{
    model::{Answer, Found, Inventory, Observation, Observed, Ours, Revision},
    providers::Providers,
    resources::guest,
};
use std::collections::{BTreeMap, BTreeSet};

pub async fn observe(providers: &Providers, scope: &Scope) -> Observed<TemplateVolume> {
    match read(providers, scope, |_| true).await {
        Ok(inventory) => Observation::Complete(inventory),
        Err(failure) => Observation::unavailable(failure.to_string()),
    }
}

pub async fn look(providers: &Providers, scope: &Scope, keys: &[VolumeId]) -> Answer<Inventory<TemplateVolume>> {
    read(providers, scope, |key| keys.contains(key)).await
}

/// Each storage is listed once on each node that wants something of it. A storage of which a node may not list the content
/// is an error, not an empty list; a file that the token may not see would be refused when it is used as well.
async fn read(
    providers: &Providers,
    scope: &Scope,
    asked: impl Fn(&VolumeId) -> bool,
) -> Answer<Inventory<TemplateVolume>> {
    let wanted: Vec<_> = scope.wanted.iter().filter(|(key, _)| asked(key)).collect();
    if wanted.is_empty() {
        return Ok(Inventory::<TemplateVolume>::new());
    }
    let pve = guest::client(providers)?;
    let mut places: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    for (key, (_, nodes)) in &wanted {
        places.extend(nodes.iter().map(|node| (node.as_str(), key.storage.as_str(), key.content.as_str())));
    }
    let mut lives: BTreeMap<String, Live> = BTreeMap::new();
    for (node, storage, content) in places {
        for volume in pve.storage_content(node, storage, content).await? {
            let live = lives.entry(volume.id).or_default();
            live.size = volume.size;
            live.nodes.insert(node.to_owned());
        }
    }
    let found = wanted.into_iter().filter_map(|(key, (mark, nodes))| {
        let mut live = lives.get(&key.to_string())?.clone();
        live.nodes.retain(|node| nodes.contains(node));
        let there = !live.nodes.is_empty();
        let ours = Ours { mark: mark.clone(), revision: Revision::of(&live), live };
        there.then(|| (key.clone(), Found::Ours(ours)))
    });
    Ok(found.collect())
}
