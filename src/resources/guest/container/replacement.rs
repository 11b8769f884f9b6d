//! What cannot be changed in a container that is there.
use super::{Container, settings};
use crate::{
    model::{Effect, Field},
    resources::guest::Live,
};

/// The fields that differ and can be had only by making it anew.
pub fn replacement(desired: &Container, live: &Live) -> Vec<Field> {
    let is = |key: &str| live.config.get(key).map(str::to_owned);
    let template = live.made_from.as_ref().filter(|from| **from != desired.template);
    let unprivileged = settings::unprivileged(live);
    let os_type = desired.os_type.as_ref().filter(|wanted| is("ostype").is_some_and(|is| is != **wanted));
    let fields = [
        template.and_then(|from| Field::differs("template", Some(from), Some(&desired.template))),
        desired.unprivileged.and_then(|wanted| Field::differs("unprivileged", Some(unprivileged), Some(wanted))),
        os_type.and_then(|wanted| Field::differs("osType", is("ostype"), Some(wanted))),
    ];
    fields.into_iter().flatten().map(|field| Field { effect: Some(Effect::Replace), ..field }).collect()
}
