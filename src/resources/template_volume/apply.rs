//! One file to one node. Thin.
use super::{Source, TemplateVolume};
use crate::{
    model::{Answer, Class, Failure},
    providers::{Providers, proxmox::Place},
    resources::{Act, guest},
};

pub async fn apply(providers: &Providers, act: Act<'_, TemplateVolume>) -> Answer<()> {
    let pve = guest::client(providers)?;
    let node = &act.change.node;
    // On a shared storage the step before has brought it to all nodes.
    if act.seen.is_some_and(|live| live.nodes.contains(node)) {
        return Ok(());
    }
    let key = act.key;
    let place = Place { node, storage: &key.storage, content: &key.content, file: &key.file };
    match &act.change.source {
        Source::Index if key.content == "vztmpl" => pve.download_appliance(place).await,
        Source::Index => {
            let why = "the appliance index has templates of containers only";
            Err(Failure::new(Class::Invalid, format!("bring {key} to {node}"), why))
        }
        Source::Url { url, checksum } => pve.download(place, url, checksum).await,
        Source::Upload { path, checksum } => {
            let file = providers.secrets.path_of(path);
            pve.upload(place, &file, checksum.as_ref()).await
        }
    }
}
