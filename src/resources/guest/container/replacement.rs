//! What cannot be changed in a container that is there.
use super::{Container, settings};
use crate::{
    model::{Effect, Field},
    resources::guest::Live,
};

/// The fields that differ and can be had only by making it anew.
pub fn replacement(desired: &Container, live: &Live) -> Vec<Field> {
    let is = |key: &str| live.config.get(key).map(str::to_owned);
    let template = desired.template.as_ref().filter(|wanted| live.made_from.as_ref().is_some_and(|is| is != *wanted));
    let unprivileged = settings::unprivileged(live);
    let os_type = desired.os_type.as_ref().filter(|wanted| is("ostype").is_some_and(|is| is != **wanted));
    let fields = [
        template.and_then(|wanted| Field::differs("template", live.made_from.as_ref(), Some(wanted))),
        desired.unprivileged.and_then(|wanted| Field::differs("unprivileged", Some(unprivileged), Some(wanted))),
        os_type.and_then(|wanted| Field::differs("osType", is("ostype"), Some(wanted))),
    ];
    fields.into_iter().flatten().map(|field| Field { effect: Some(Effect::Replace), ..field }).collect()
}

/// Why it is not made anew although it would have to be.
pub fn kept(desired: &Container) -> Option<&'static str> {
    if desired.keeps {
        return Some("is refused while `keep` lists paths whose content exists nowhere else");
    }
    // It was taken over, and Proxmox does not keep what it was made from.
    desired.template.is_none().then_some("is not possible while no `template` says what from")
}
